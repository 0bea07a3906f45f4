//! ② One client request's life. Start at [`run`].

pub(crate) mod asked;
pub(crate) mod attempt;
pub(crate) mod count;
pub(crate) mod moved;
pub(crate) mod retry;
pub(crate) mod run;
pub(crate) mod upstream;
