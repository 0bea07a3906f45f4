//! ⑥ What is kept of an exchange.

mod books;
mod draft;
mod gathered;
mod hits;
pub(crate) mod prices;
mod stood;
mod tape;

pub(crate) use books::Books;
pub(crate) use draft::{AttemptEnd, Draft, Ending};
pub(crate) use gathered::{Gathered, allowed};
pub(crate) use hits::Telling;
pub(crate) use tape::Tape;
