//! ① The front: what a client may ask, and how it is answered before and around an exchange.

pub(crate) mod admission;
pub(crate) mod body;
pub(crate) mod control;
pub(crate) mod encoding;
pub(crate) mod fields;
pub(crate) mod framing;
pub(crate) mod guard;
pub(crate) mod keys;
pub(crate) mod limits;
pub(crate) mod listener;
pub(crate) mod models;
pub(crate) mod queue;
pub(crate) mod respond;
pub(crate) mod route;
pub(crate) mod service;
pub(crate) mod socket;
pub(crate) mod switch;
