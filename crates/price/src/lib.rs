//! What tokens cost: prices of models at providers, and the cost of a reply's usage.
//!
//! Pure: no IO, no clock. Money is whole numbers throughout: a price is millionths of a US dollar per million tokens, a
//! cost millionths of a US dollar, rounded once, at the end. A model whose price is not known has no cost, which is
//! never shown as zero.
//!
//! A [`Table`] comes from the bundled file `prices/table.json`, or from a file of the user's in that format or in one of
//! two that are kept up to date elsewhere (see [`format`]). A table that does not hold what it should is refused whole, so
//! that a damaged one never replaces a good one.

pub mod format;
mod money;
mod price;
mod table;

pub use format::{ReadError, read};
pub use money::{MicroUsd, per_million, whole};
pub use price::{Price, Rates, Tier};
pub use table::{Names, Table, bundled};
