//! Bodies as parts, so that what was sent before is not stored again.
//!
//! An agent sends its whole conversation with every turn. A body is cut where turns differ (`split`), each part is looked up
//! by its key ([`Keyed`], [`Known`]), or known from a body like it ([`Recent`]), and the body becomes a list of [`Span`]s:
//! places of a segment's frames, most of them written by earlier turns. Neighbours merge, so an unchanged beginning is one
//! span a turn.

mod key;
mod keyed;
mod known;
mod manifest;
mod recent;
mod split;

pub(crate) use keyed::{Keyed, Shared, common_suffix};
pub(crate) use known::Known;
pub(crate) use manifest::{Entry, Manifest, Placed, Span, join, within};
pub(crate) use recent::{Recent, Seen};
#[cfg(test)]
pub(crate) use split::MAX_PART;
pub(crate) use split::is_json;
