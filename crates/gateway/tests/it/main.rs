//! The gateway against scripted upstreams, over real sockets.
#![expect(clippy::disallowed_methods, reason = "tests measure real time")]

mod commit;
mod failures;
mod front;
mod harness;
mod models;
mod passthrough;
mod replies;
