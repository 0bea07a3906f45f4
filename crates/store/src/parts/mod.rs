//! Bodies as parts, so that what was sent before is not stored again.
//!
//! An agent sends its whole conversation with every turn. A body is cut where turns differ ([`split`]), each part is
//! looked up by its key ([`Known`]), and the body becomes a list of [`Span`]s: places of a segment's frames, most of
//! them written by earlier turns. Neighbours merge, so an unchanged beginning is one span a turn.

mod key;
mod known;
mod manifest;
mod split;

pub(crate) use key::KeyChain;
pub(crate) use known::Known;
pub(crate) use manifest::{Entry, Manifest, Span, decode_arrivals, encode_arrivals, join};
pub(crate) use split::split;
