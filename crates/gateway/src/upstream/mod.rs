//! ③ The upstream: one provider, model and key, as resolved, and the way to it.

pub(crate) mod address;
pub(crate) mod agent;
pub(crate) mod auth;
pub(crate) mod blame;
pub(crate) mod body;
pub(crate) mod client;
pub(crate) mod decoding;
pub(crate) mod demo;
pub(crate) mod headers;
pub(crate) mod health;
pub(crate) mod limits;
pub(crate) mod payload;
pub(crate) mod played;
pub(crate) mod pooled;
pub(crate) mod probing;
mod proxy;
pub(crate) mod saved;
mod traffic;
