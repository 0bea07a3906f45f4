//! `/api`: what an operator may see and do while the gateway runs.
//!
//! The documents are described in `docs/api.md`; members are only ever added.

pub(crate) mod access;
pub(crate) mod providers;
pub(crate) mod reload;
