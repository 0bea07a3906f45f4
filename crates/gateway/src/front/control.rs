//! What a launcher needs of a gateway: is it well, is it the one I mean, keep it running, end it.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use http_body_util::{BodyExt as _, Either, StreamBody};
use hyper::body::Frame;
use lingate_store::State;
use lingate_wire::turn::{Failure, FailureKind};
use serde_json::{Value, json};
use subtle::ConstantTimeEq as _;
use tokio::sync::watch;

use super::respond::{self, Body};
use crate::generations::Generations;
use crate::shared::Process;
use crate::{clock, ids};

/// The header in which an owner shows the instance id.
const INSTANCE_HEADER: &str = "x-lingate-instance";
/// Time between two signs of life on a lease.
const LEASE_BEAT: Duration = Duration::from_secs(15);

/// Identity of this process, and who keeps it running.
pub(crate) struct Control {
    /// Known to those who may read the launcher's state file.
    pub instance: String,
    version: &'static str,
    since: jiff::Timestamp,
    /// Leases held now.
    leases: watch::Sender<usize>,
    exchanges: AtomicU64,
    /// Told to end: no further lease is given.
    is_leaving: AtomicBool,
}

impl Control {
    pub(crate) fn new(version: &'static str, instance: Option<String>) -> Self {
        Self {
            instance: instance.unwrap_or_else(ids::instance),
            version,
            since: clock::wall(),
            leases: watch::Sender::new(0),
            exchanges: AtomicU64::new(0),
            is_leaving: AtomicBool::new(false),
        }
    }

    /// A request for a reply came in.
    pub(crate) fn exchange_began(&self) {
        self.exchanges.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether who asks knows the instance id.
    pub(crate) fn is_owner(&self, headers: &HeaderMap) -> bool {
        let shown = headers
            .get(INSTANCE_HEADER)
            .map_or(&[][..], http::HeaderValue::as_bytes);
        bool::from(shown.ct_eq(self.instance.as_bytes()))
    }

    /// Refuses who does not know the instance id.
    pub(crate) fn check_owner(&self, headers: &HeaderMap) -> Result<(), Failure> {
        if self.is_owner(headers) {
            return Ok(());
        }
        Err(Failure::new(
            FailureKind::Permission,
            format!("`{INSTANCE_HEADER}` does not name this gateway"),
        ))
    }

    /// Follows the number of leases.
    pub(crate) fn leases(&self) -> watch::Receiver<usize> {
        self.leases.subscribe()
    }
}

/// `GET /health`
pub(crate) fn health(generations: &Generations) -> Response<Body> {
    let process = &generations.process;
    let control = &process.control;
    let told = generations.told();
    let told = told.borrow();
    let reload = told.last.as_ref().map(|last| {
        json!({
            "at": format!("{:.0}", last.at),
            "outcome": last.outcome.name(),
        })
    });
    let body = json!({
        "status": if process.stopping.is_cancelled() { "stopping" } else { "ok" },
        "service": "lingate",
        "version": control.version,
        "pid": std::process::id(),
        "config": told.hash,
        "generation": told.generation,
        "reload": reload,
        "since": format!("{:.0}", control.since),
        "sessions": *control.leases.borrow(),
        "active": process.metrics.in_flight.get(),
        "waiting": process.queues.n_waiting(),
        "record": process.books.recorder.as_ref().map(|recorder| record(recorder.state())),
        "exchanges": control.exchanges.load(Ordering::Relaxed),
    });
    respond::json(StatusCode::OK, body.to_string())
}

/// How the record is doing, for whoever asks: what is wrong with it may name a path, and is in the log.
fn record(state: State) -> Value {
    let degraded = state.degraded.map(|_| "it cannot be written".to_owned());
    json!(State { degraded, ..state })
}

/// `GET /readyz`: whether it takes on new sessions.
pub(crate) fn ready(process: &Process) -> Response<Body> {
    let is_leaving = process.control.is_leaving.load(Ordering::Relaxed);
    if is_leaving || process.stopping.is_cancelled() {
        let body = json!({ "status": "stopping", "service": "lingate" });
        return respond::json(StatusCode::SERVICE_UNAVAILABLE, body.to_string());
    }
    let body = json!({ "status": "ok", "service": "lingate" });
    respond::json(StatusCode::OK, body.to_string())
}

/// `POST /api/stop`: ends the gateway once nobody holds a lease, with `?now` at once. No lease is given from here on;
/// exchanges under way go on to their end either way.
pub(crate) fn stop(process: &Arc<Process>, query: Option<&str>) -> Response<Body> {
    process.control.is_leaving.store(true, Ordering::Relaxed);
    if query == Some("now") {
        process.stopping.cancel();
    } else {
        let waiting = Arc::clone(process);
        process.tasks.spawn(async move {
            let mut leases = waiting.control.leases();
            tokio::select! {
                _ = leases.wait_for(|&count| count == 0) => waiting.stopping.cancel(),
                () = waiting.stopping.cancelled() => {}
            }
        });
    }
    respond::json(StatusCode::OK, json!({ "status": "stopping" }).to_string())
}

/// `GET /api/lease`: open for as long as the holder lives; a line now and then tells a dead holder.
pub(crate) fn lease(process: &Arc<Process>) -> Result<Response<Body>, Failure> {
    if process.control.is_leaving.load(Ordering::Relaxed) || process.stopping.is_cancelled() {
        return Err(Failure::new(
            FailureKind::Overloaded,
            "this gateway is ending; start another",
        ));
    }
    process.control.leases.send_modify(|count| *count += 1);
    let lease = Lease {
        process: Arc::clone(process),
    };
    let stream = futures_util::stream::unfold((lease, true), |(lease, is_first)| async move {
        if !is_first {
            tokio::select! {
                () = tokio::time::sleep(LEASE_BEAT) => {}
                () = lease.process.stopping.cancelled() => return None,
            }
        }
        Some((
            Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"held\n"))),
            (lease, false),
        ))
    });
    let mut response = Response::new(Either::Right(StreamBody::new(stream).boxed_unsync()));
    respond::set(
        response.headers_mut(),
        http::header::CONTENT_TYPE,
        "text/plain",
    );
    Ok(response)
}

/// Counts as one lease until dropped.
struct Lease {
    process: Arc<Process>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.process
            .control
            .leases
            .send_modify(|count| *count = count.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn health_names_no_path() {
        let mut state = State {
            degraded: None,
            queued_rows: 1,
            queued_bytes: 2,
            counts: lingate_store::Counts::default(),
        };
        let shown = record(state.clone());
        assert_eq!(
            (&shown["degraded"], &shown["queued_rows"]),
            (&Value::Null, &json!(1))
        );
        state.degraded = Some("/home/somebody/record.db: no space left".to_owned());
        let shown = record(state).to_string();
        assert!(shown.contains("it cannot be written"), "{shown}");
        assert!(!shown.contains("somebody"), "{shown}");
    }
}
