//! JSON on the hot path: one pass over the received bytes, spans instead of copies.
//!
//! [`scan`] validates a document and leaves a flat index of its nodes ([`Doc`]); nothing is unescaped or copied
//! until somebody asks. [`Text`] carries a string as it stood on the wire, so that moving it into another
//! document is one copy. [`Writer`] builds outgoing bodies. [`Arguments`] watches tool arguments arrive in pieces.

mod arguments;
mod block;
mod body;
mod closings;
mod doc;
mod escape;
mod joined;
mod pieces;
mod prefix;
mod raw;
mod refrain;
mod resume;
mod scan;
mod special;
mod text;
mod write;

pub use arguments::{Arguments, ArgumentsState};
pub use doc::{Doc, Kind, Value};
pub(crate) use joined::Joined;
pub use pieces::StringPieces;
pub use prefix::common_prefix;
pub use raw::Raw;
pub(crate) use refrain::Refrain;
pub use resume::{Resumed, scan_like};
pub use scan::{MAX_DEPTH, Mark, SyntaxError, scan, scan_marked, scan_reply, scan_with_opaque};
pub use text::Text;
pub use write::Writer;
