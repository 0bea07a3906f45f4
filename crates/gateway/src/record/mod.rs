//! ⑥ What is kept of an exchange.

mod books;
mod draft;
mod gathered;
pub(crate) mod prices;
mod tape;

pub(crate) use books::Books;
pub(crate) use draft::{AttemptEnd, Draft, Ending};
pub(crate) use gathered::Gathered;
pub(crate) use tape::Tape;
