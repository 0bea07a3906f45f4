//! Cassettes: exchanges in one file that can be passed on and played back.
//!
//! Lines of JSON, compressed with zstd where the name ends in `.zst`: first a [`Label`], then one [`Recorded`] a line, the
//! oldest first. What it must not hold is masked when it is written ([`crate::logs`]); a reader refuses a format that is
//! newer than its own and passes over members that it does not know.

mod content;
mod file;
mod read;
mod recorded;
mod redact;

pub(crate) use content::Content;
pub(crate) use file::Lines;
pub(crate) use read::read;
pub(crate) use recorded::{Client, Label, Recorded, Sent, VERSION};
pub(crate) use redact::{body as redacted, text as redacted_text};
