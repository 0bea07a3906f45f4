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
mod published;
mod queue;
mod resolve;
mod rules;
mod simulation;
