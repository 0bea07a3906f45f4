//! ② One client request's life. Start at [`run`].

mod answering;
pub(crate) mod asked;
pub(crate) mod attempt;
mod attempts;
mod class;
pub(crate) mod count;
pub(crate) mod destination;
pub(crate) mod histories;
pub(crate) mod kept;
pub(crate) mod learnt;
pub(crate) mod moved;
mod permits;
pub(crate) mod policy;
pub(crate) mod run;
pub(crate) mod unused;
pub(crate) mod upstream;
pub(crate) mod upstreams;
