//! Loading a configuration, as the gateway and `check` do it.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may fail"
)]

mod support;

mod budgets;
mod contract;
mod expansion;
mod import;
mod keys;
mod options;
mod problems;
mod schema;
mod urls;
mod variables;
mod zero_config;
