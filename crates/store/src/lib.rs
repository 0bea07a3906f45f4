//! The record: every exchange kept, searchable and replayable, and never in a request's way.
//!
//! ```text
//! gateway ─ Recorder ─▶ Queue ─▶ Writer (one thread) ─┬▶ segments/*.seg   bodies, compressed, shared
//!           never waits  bounded  groups of 200 or 25 ms└▶ record.db        rows, in SQLite
//!                                                                 ▲
//! command line, dashboard ─ Reader ──────────────────────────────┘  any process, any time
//! ```
//!
//! # Writing
//!
//! [`Store::open`] begins a run; its [`Recorder`] is told of each accepted request twice:
//!
//! ```no_run
//! # use lingate_store::*;
//! # fn example(exchange: Exchange, details: Details, asked: Bytes, answer: Body) -> Result<(), Error> {
//! let store = Store::open("/var/lib/lingate".as_ref(), Options::default(), jiff::Timestamp::now())?;
//! let recorder = store.recorder();
//! // At accept: id (UUIDv7), time, and what is known already.
//! recorder.open(exchange.clone(), vec![Body::whole(BodyKind::ClientRequest, 0, asked)]);
//! // At the end, whatever it is: all of it again.
//! recorder.close(Exchange { end: Some(End::Answered), ..exchange }, details, vec![answer]);
//! # Ok(()) }
//! ```
//!
//! Neither call waits or fails. What the caller promises: `close` exactly once for each `open`, with the same id; an id
//! that sorts by the time of acceptance. What it gets: exactly one row for each request, on disk within about 30 ms,
//! unless [`State`] counts it as lost. Times are arguments; nothing here reads the wall clock, and one that jumped is
//! believed only once that lasts. Dropping the [`Store`] writes what waits.
//!
//! # Reading
//!
//! [`Reader`] lists, searches, sums up and rebuilds bodies, while a gateway writes or after it died. Calls block on the
//! disk: not for an async task's thread. See [`filter`] for the language of lists.
//!
//! # On disk
//!
//! Why it is built like this: `docs/adr/0012-the-record.md`. Rows: `schema/`. Bodies: `parts/` cuts what was there whole,
//! `differences/` shortens what came in pieces, `segment/` keeps them. Secrets are masked before anything is written: [`Mask`], [`headers`].

mod database;
mod differences;
mod error;
pub mod filter;
pub mod headers;
mod in_force;
mod leb128;
mod mask;
mod options;
mod parts;
mod place;
mod query;
mod record;
mod recorder;
mod retention;
mod schema;
mod segment;
mod shape;
mod store;
mod writer;

pub use bytes::Bytes;
pub use differences::{StreamCoder, Streamed};
pub use error::Error;
pub use filter::Filter;
pub use mask::Mask;
pub use options::{Bodies, Options, QueueLimits, Settings};
pub use query::{
    BodyInfo, BodyPlace, Counted, Extent, Found, Group, GroupBy, Hits, Interrupt, KeptBody,
    Listing, MAX_HITS, MAX_PAGE, Page, Reader, Record, Search, Session, Sessions, Spent, Stats,
    Times, Valued,
};
pub use record::{
    Alike, Arrival, Attempt, Billing, Body, BodyBytes, BodyKind, Details, End, Exchange, Fault,
    Header, Hit, Kept, Mark, Met, MetTarget, Price, Stood,
};
pub use recorder::{Counts, Recorder, State};
pub use retention::Deleted;
pub use smol_str::SmolStr;
pub use store::{Store, prune};
