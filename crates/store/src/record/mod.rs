//! What is known of an exchange: the row that lists show, the details behind it, and its bodies.

mod body;
mod details;
mod exchange;
mod stood;
mod written;

pub use body::{Alike, Arrival, Body, BodyBytes, BodyKind};
pub(crate) use details::MAX_DETAILS;
pub use details::{Attempt, Details, Header, Hit, Mark, Price};
pub use exchange::{Billing, End, Exchange, Kept};
pub(crate) use exchange::{maybe_time, time, usage};
pub use stood::{Fault, Met, MetTarget, Stood};

/// The condition of rows that cost what nobody knows: those with tokens, and replies that did not tell theirs. What
/// counted tokens, was refused or never got a reply cost nothing.
macro_rules! unpriced {
    () => {
        "cost IS NULL AND (tokens IS NOT NULL OR coalesce(end = 'answered' AND status < 400 AND error_kind IS NULL, 0)) \
         AND end IS NOT NULL AND path NOT LIKE '%/count_tokens' AND path NOT LIKE '%:countTokens'"
    };
}
pub(crate) use unpriced;
