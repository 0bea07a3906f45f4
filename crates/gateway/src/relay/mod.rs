//! ⑤ The relay: the one async adapter that drives a reply's state machines.

pub(crate) mod answer;
pub(crate) mod chain;
pub(crate) mod check;
pub(crate) mod echo;
pub(crate) mod finish;
pub(crate) mod gaps;
pub(crate) mod live;
pub(crate) mod message;
pub(crate) mod policing;
pub(crate) mod salvage;
pub(crate) mod stream;
pub(crate) mod witness;
