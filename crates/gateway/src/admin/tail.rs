//! `GET /api/tail`: each exchange as it ends, as server-sent events.
//!
//! The record itself is the buffer: every listener has a place in the order of ending, and takes what is behind it when
//! there is room on its connection. So nothing is held for a slow listener and nothing is lost to it, unless the record
//! deletes what it has not read; then it is told how much that was. `Last-Event-ID` resumes.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, Response};
use http_body_util::{BodyExt as _, Either, StreamBody};
use hyper::body::Frame;
use lingate_store::{Exchange, Filter, Reader};
use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::document;
use super::logs::item::Item;
use super::logs::list::without_texts;
use super::parameters::{Asked, FROM, Kind, Parameter, SEARCH, TO};
use super::readers::{Pace, Readers};
use super::refusal::Refusal;
use crate::front::respond::{self, Body};
use crate::shared::Process;

/// Listeners at a time.
const LISTENERS: usize = 32;
/// How often the record is asked whether something has ended, while somebody listens.
const LOOK: Duration = Duration::from_millis(200);
/// Time between two signs of life.
const BEAT: Duration = Duration::from_secs(15);
/// Exchanges of one write: what a connection holds is bounded by this.
const AT_ONCE: usize = 20;
/// Places looked through at a time, where few of them fit the filter.
const STRIDE: i64 = 2_000;
/// Wait after the record could not be asked.
const PAUSE: Duration = Duration::from_secs(1);

pub(crate) const PARAMETERS: &[Parameter] = &[
    Parameter {
        name: "q",
        kind: Kind::Filter,
        about: "Words that must all hold; no texts in bodies.",
    },
    SEARCH,
    FROM,
    TO,
    Parameter {
        name: "after",
        kind: Kind::Number,
        about: "A place in the order of ending (`closed`) behind which to begin; at the end of the record if left out. The header `Last-Event-ID` says the same and wins.",
    },
];

/// The data of the events `begin` and `lost`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct TailPlace {
    /// The place behind which it goes on.
    pub place: i64,
    /// How many exchanges were deleted before they could be told, whether or not they would have fitted.
    pub lost: i64,
}

/// What listeners share.
pub(crate) struct Tail {
    places: Arc<Semaphore>,
    /// The last place in the order of ending, and whether somebody looks for further ones.
    last: watch::Sender<i64>,
    is_looking: Mutex<bool>,
}

impl Default for Tail {
    fn default() -> Self {
        Self {
            places: Arc::new(Semaphore::new(LISTENERS)),
            last: watch::Sender::new(0),
            is_looking: Mutex::new(false),
        }
    }
}

pub(crate) async fn answer(
    process: &Arc<Process>,
    asked: &Asked,
    headers: &HeaderMap,
) -> Result<Response<Body>, Refusal> {
    let filter = without_texts(asked)?;
    let readers = Arc::clone(document::readers(process)?);
    let Ok(permit) = Arc::clone(&process.admin.tail.places).try_acquire_owned() else {
        return Err(Refusal {
            retry_after: Some(5),
            ..Refusal::unavailable(format!("{LISTENERS} listen already; close one of them"))
        });
    };
    let last_event = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let wanted = match last_event {
        Some(id) => Some(id.trim().parse::<i64>().map_err(|_| {
            Refusal::invalid(
                "`Last-Event-ID` is no number: send the `id` of the last event, or leave it out",
            )
        })?),
        None => asked.number("after"),
    };
    let work = |reader: &Reader, _: &_| Ok((reader.first_closed()?, reader.last_closed()?));
    let (first, last) = readers.ask(process, Pace::Quick, work).await?;
    // A place that is not there yet is of a record that is gone.
    let place = wanted
        .filter(|place| (0..=last).contains(place))
        .unwrap_or(last);
    let lost = gap(place, first);
    let place = place + lost;
    let begin = event("begin", place, &TailPlace { place, lost });
    let listener = Listener {
        process: Arc::clone(process),
        seen: follow(process, &readers, last),
        readers,
        filter: Arc::new(filter),
        place,
        first: Some(format!("retry: 2000\n{begin}")),
        _permit: permit,
    };
    let frames = futures_util::stream::unfold(listener, |mut listener| async move {
        let text = listener.next().await?;
        let frame = Ok::<_, Infallible>(Frame::data(Bytes::from(text)));
        Some((frame, listener))
    });
    let mut response = Response::new(Either::Right(StreamBody::new(frames).boxed_unsync()));
    let headers = response.headers_mut();
    respond::set(headers, CONTENT_TYPE, "text/event-stream");
    respond::set(headers, CACHE_CONTROL, "no-store");
    Ok(response)
}

/// One connection.
struct Listener {
    process: Arc<Process>,
    readers: Arc<Readers>,
    filter: Arc<Filter>,
    /// What it has been told so far ends here.
    place: i64,
    seen: watch::Receiver<i64>,
    first: Option<String>,
    _permit: OwnedSemaphorePermit,
}

impl Listener {
    /// What is to be sent next; `None` at the end.
    async fn next(&mut self) -> Option<String> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        let stopping = self.process.stopping.clone();
        loop {
            if stopping.is_cancelled() {
                return None;
            }
            let last = *self.seen.borrow_and_update();
            if self.place < last {
                match self.take(last).await {
                    Ok(Some(text)) => return Some(text),
                    Ok(None) => {}
                    Err(_) => tokio::select! {
                        () = stopping.cancelled() => return None,
                        () = tokio::time::sleep(PAUSE) => {}
                    },
                }
                continue;
            }
            tokio::select! {
                () = stopping.cancelled() => return None,
                // The sender lives as long as the process.
                _ = self.seen.changed() => {}
                () = tokio::time::sleep(BEAT) => return Some(":\n\n".to_owned()),
            }
        }
    }

    /// The next exchanges behind the place, which moves on.
    async fn take(&mut self, last: i64) -> Result<Option<String>, Refusal> {
        let up_to = last.min(self.place + STRIDE);
        let (filter, place) = (Arc::clone(&self.filter), self.place);
        let work = move |reader: &Reader, _: &_| {
            let first = reader.first_closed()?;
            Ok((first, reader.tail(&filter, place, up_to, AT_ONCE)?))
        };
        let (first, found) = self.readers.ask(&self.process, Pace::Quick, work).await?;
        let mut text = String::new();
        let lost = gap(self.place, first);
        if lost > 0 {
            self.place += lost;
            let told = TailPlace {
                place: self.place,
                lost,
            };
            text.push_str(&event("lost", self.place, &told));
        }
        let is_full = found.len() == AT_ONCE;
        for exchange in found {
            self.place = self.place.max(exchange.closed);
            text.push_str(&told(exchange));
        }
        if !is_full {
            self.place = self.place.max(up_to);
        }
        Ok((!text.is_empty()).then_some(text))
    }
}

/// How many places behind this one are no longer kept.
fn gap(place: i64, first: i64) -> i64 {
    (first - place - 1).max(0)
}

fn told(exchange: Exchange) -> String {
    let place = exchange.closed;
    event("exchange", place, &Item::from(exchange))
}

fn event(name: &str, place: i64, data: &impl Serialize) -> String {
    // JSON has no line ends of its own.
    let data = serde_json::to_string(data).unwrap_or_default();
    format!("id: {place}\nevent: {name}\ndata: {data}\n\n")
}

/// Follows the last place. One task looks for all listeners, and ends with the last of them.
fn follow(process: &Arc<Process>, readers: &Arc<Readers>, last: i64) -> watch::Receiver<i64> {
    let tail = &process.admin.tail;
    let mut is_looking = tail
        .is_looking
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let seen = tail.last.subscribe();
    rise(&tail.last, last);
    if !*is_looking {
        *is_looking = true;
        let (own, readers) = (Arc::clone(process), Arc::clone(readers));
        process
            .tasks
            .spawn(async move { look(&own, &readers).await });
    }
    seen
}

async fn look(process: &Process, readers: &Arc<Readers>) {
    let tail = &process.admin.tail;
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = process.stopping.cancelled() => {}
        }
        {
            let mut is_looking = tail
                .is_looking
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if tail.last.receiver_count() == 0 || process.stopping.is_cancelled() {
                *is_looking = false;
                return;
            }
        }
        let work = |reader: &Reader, _: &_| reader.last_closed();
        if let Ok(last) = readers.ask(process, Pace::Quick, work).await {
            rise(&tail.last, last);
        }
    }
}

fn rise(sender: &watch::Sender<i64>, last: i64) {
    sender.send_if_modified(|known| {
        let is_new = last > *known;
        *known = last.max(*known);
        is_new
    });
}
