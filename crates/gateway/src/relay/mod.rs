//! ⑤ The relay: the one async adapter that drives a reply's state machines.

pub(crate) mod answer;
pub(crate) mod chain;
pub(crate) mod live;
pub(crate) mod stream;
