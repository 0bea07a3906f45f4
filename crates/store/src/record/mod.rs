//! What is known of an exchange: the row that lists show, the details behind it, and its bodies.

mod body;
mod details;
mod exchange;

pub use body::{Arrival, Body, BodyKind};
pub use details::{Attempt, Details, Header, Hit, Mark, Price};
pub use exchange::{End, Exchange, Kept};
pub(crate) use exchange::{time, usage};
