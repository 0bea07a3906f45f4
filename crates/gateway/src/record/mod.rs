//! ⑥ What is kept of an exchange.

mod draft;

pub(crate) use draft::{AttemptEnd, Draft, Ending};
