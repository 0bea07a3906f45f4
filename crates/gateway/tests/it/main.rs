//! The gateway against scripted upstreams, over real sockets.
#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and measures real time"
)]

mod again;
mod agents;
mod amplification;
mod api;
mod api_blobs;
mod api_document;
mod api_million;
mod api_tail;
mod budgets;
mod capabilities;
mod cells;
mod commit;
mod copies;
mod count;
mod drain;
mod encodings;
mod enforce;
mod explain;
mod failed_generation;
mod failover;
mod failures;
mod failures2;
mod fault_matrix;
mod front;
mod functions;
mod gemini;
mod hangups;
mod harness;
mod health;
mod hits;
mod http2;
mod identity;
mod k2_vectors;
mod kimi_messages;
mod leaks;
mod limits;
mod livestore;
mod loops;
mod metrics;
mod models;
mod one_row;
mod openrouter;
mod passthrough;
mod pools;
mod program;
mod proxies;
mod queue;
mod quirks;
mod record;
mod reload;
mod replay;
mod replies;
mod responses;
mod routes;
mod rules;
mod said;
mod said_in_logs;
mod seals;
mod sessions;
mod slow_readers;
mod smuggling;
mod stays;
mod strategies;
mod tool_format;
mod traces;
mod usage;
mod validate;
mod vertex;
#[cfg(target_os = "linux")]
mod writes;
