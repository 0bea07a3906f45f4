//! `/api`: what an operator may see and do while the gateway runs.
//!
//! The documents are described in `docs/api.md` and, for programs, at `/api/openapi.json`, which is made from the types and
//! tables that requests are read with and answers are written from. Members are only ever added.
//!
//! Reading the record is the larger part. A request goes from its path (`ask`) and its query (`parameters`) to a question
//! that a reader answers on a thread of its own (`readers`); nothing here waits for a disk on an async thread, and every
//! answer is bounded, in memory and in time, whatever the record holds.

pub(crate) mod access;

pub(crate) mod ask;
mod document;
mod guesses;
mod livestore;
mod logs;
mod openapi;
mod parameters;
pub(crate) mod providers;
mod readers;
mod refusal;
pub(crate) mod reload;
mod sessions;
mod state;
mod stats;
mod tail;

use std::sync::Arc;

use http::Response;
use http::request::Parts;
use lingate_store::Recorder;

use self::ask::Ask;
use self::guesses::Guesses;
use self::parameters::Asked;
use self::readers::Readers;
use self::refusal::Refusal;
use self::tail::Tail;
use crate::clock;
use crate::front::respond::Body;
use crate::shared::Process;

/// What the API of a process holds.
pub(crate) struct Admin {
    /// None where nothing is recorded.
    readers: Option<Arc<Readers>>,
    tail: Tail,
    pub guesses: Guesses,
}

impl Admin {
    /// For the record that `recorder` writes, if there is one.
    pub(crate) fn new(recorder: Option<&Recorder>) -> Self {
        Self {
            readers: recorder.map(|recorder| Arc::new(Readers::of(recorder.dir()))),
            tail: Tail::default(),
            guesses: Guesses::default(),
        }
    }
}

/// Answers a question about the record.
pub(crate) async fn answer(process: &Arc<Process>, ask: Ask, parts: &Parts) -> Response<Body> {
    let answered = answered(process, ask, parts).await;
    answered.unwrap_or_else(Refusal::into_response)
}

async fn answered(
    process: &Arc<Process>,
    ask: Ask,
    parts: &Parts,
) -> Result<Response<Body>, Refusal> {
    let asked = Asked::read(parts.uri.query(), ask.parameters(), clock::wall())?;
    match ask {
        Ask::Logs => logs::list::answer(process, &asked).await,
        Ask::Log(id) => logs::one::answer(process, id).await,
        Ask::Summary(id) => logs::one::summary(process, id).await,
        Ask::Blob(id, kind) => logs::blob::answer(process, id, kind, &asked, &parts.headers).await,
        Ask::Search => logs::search::answer(process, &asked).await,
        Ask::Values => logs::values::answer(process, &asked).await,
        Ask::Sessions => sessions::list(process, &asked).await,
        Ask::Session(name) => sessions::one(process, name, &asked).await,
        Ask::Stats => stats::answer(process, &asked).await,
        Ask::Tail => tail::answer(process, &asked, &parts.headers).await,
        Ask::Pull => livestore::answer(process, &asked).await,
        Ask::Record => state::answer(process).await,
        Ask::Document => Ok(openapi::answer()),
    }
}
