//! The gateway against scripted upstreams, over real sockets.
#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and measures real time"
)]

mod commit;
mod explain;
mod failures;
mod front;
mod harness;
mod http2;
mod limits;
mod models;
mod passthrough;
mod replies;
mod routes;
mod smuggling;
