//! Names to upstreams, over one table.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may fail"
)]

mod support;

mod aliases;
mod board;
mod fit;
mod places;
mod published;
mod queue;
mod reference;
mod resolve;
mod rules;
mod saved;
mod simulation;
