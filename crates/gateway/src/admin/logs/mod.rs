//! `/api/logs`: exchanges, one of them, its bodies, and what is found in them.

pub(crate) mod blob;
pub(crate) mod item;
pub(crate) mod list;
pub(crate) mod one;
pub(crate) mod search;
pub(crate) mod values;
