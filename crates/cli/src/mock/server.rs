//! The listener: requests in, answers out as they are meant to arrive.

use std::collections::{BTreeMap, VecDeque};
use std::future::pending;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::stream;
use http::header::HOST;
use http::uri::Authority;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use lingate_store::Bytes;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use tokio_util::task::TaskTracker;

use super::answer::{Answer, End, Step};
use super::asked::{Asked, Endpoint};
use super::fault::Fault;
use super::faulty::faulty;
use super::library::Library;
use super::pace::Pace;
use super::{models, scripted};
use crate::output;

/// No request is larger.
const MOST: usize = 256 << 20;
/// What was written is on its way before a connection ends by force.
const FLUSHED: Duration = Duration::from_millis(20);

/// The mock.
pub(super) struct Mock {
    faults: Vec<Fault>,
    pace: Pace,
    state: Arc<Mutex<State>>,
}

struct State {
    library: Option<Library>,
    requests: u64,
    /// How requests were answered.
    counts: BTreeMap<&'static str, u64>,
}

impl Mock {
    pub(super) fn new(library: Option<Library>, faults: Vec<Fault>, pace: Pace) -> Arc<Self> {
        let state = State {
            library,
            requests: 0,
            counts: BTreeMap::new(),
        };
        Arc::new(Self {
            faults,
            pace,
            state: Arc::new(Mutex::new(state)),
        })
    }

    /// What was asked, in a few words.
    pub(super) fn summary(&self) -> String {
        let state = self.state();
        let counts = state
            .counts
            .iter()
            .map(|(how, count)| format!(", {count} {how}"));
        let unused = state.library.as_ref().map(Library::unused);
        let unused = unused
            .map(|unused| format!("; {unused} answers unused"))
            .unwrap_or_default();
        format!(
            "{} requests{}{unused}",
            state.requests,
            counts.collect::<String>()
        )
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer to a request, and what there is to say about it.
    fn answer(&self, asked: &Asked) -> (Answer, String) {
        let mut state = self.state();
        state.requests += 1;
        let number = state.requests;
        let chosen = state
            .library
            .as_mut()
            .map(|library| library.choose(asked, self.pace));
        let (mut answer, mut said, how) = match chosen {
            None => (scripted::answer(asked), "scripted".to_owned(), "scripted"),
            Some(Some(chosen)) => (
                chosen.answer,
                format!("{}, {}", chosen.of, chosen.how.name()),
                chosen.how.name(),
            ),
            Some(None) if matches!(asked.endpoint, Endpoint::Count(_)) => (
                scripted::answer(asked),
                "nothing recorded, counted".to_owned(),
                "scripted",
            ),
            Some(None) => (
                nothing(),
                "nothing recorded at this path".to_owned(),
                "not found",
            ),
        };
        *state.counts.entry(how).or_default() += 1;
        drop(state);
        for fault in self.faults.iter().filter(|fault| fault.meets(number)) {
            answer = faulty(fault.kind, answer, asked);
            said.push_str(&format!(", fault {fault}"));
        }
        (answer, said)
    }
}

fn nothing() -> Answer {
    let error = serde_json::json!({"error": {"type": "not_found_error", "message": "the cassette holds no answer at this path, streamed or not as asked"}});
    Answer::whole(404, "application/json", error.to_string())
}

/// Serves every connection.
pub(super) async fn serve(listener: &TcpListener, mock: &Arc<Mock>) {
    let tasks = TaskTracker::new();
    loop {
        match listener.accept().await {
            Ok((socket, _)) => {
                tasks.spawn(connection(socket, Arc::clone(mock)));
            }
            Err(error) => {
                output::say(&format!("cannot accept a connection: {error}"));
                sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn connection(socket: TcpStream, mock: Arc<Mock>) {
    let _ = socket.set_nodelay(true);
    // A second handle on the socket, to end it by force.
    let Ok(handle) = socket.as_fd().try_clone_to_owned() else {
        return;
    };
    let handle = Arc::new(handle);
    let service =
        service_fn(move |request| respond(request, Arc::clone(&mock), Arc::clone(&handle)));
    let mut server = http1::Builder::new();
    let served = server
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(socket), service);
    // A client that left, and an end by force, are no problems.
    let _ = served.await;
}

type Body = UnsyncBoxBody<Bytes, io::Error>;

async fn respond(
    request: Request<Incoming>,
    mock: Arc<Mock>,
    socket: Arc<OwnedFd>,
) -> Result<Response<Body>, io::Error> {
    let (head, body) = request.into_parts();
    let path = head.uri.path().to_owned();
    let query = head.uri.query().unwrap_or_default().to_owned();
    let body = read(body).await?;
    let is_ours = is_for_this_machine(&head.headers);
    let asked = match head.method {
        Method::POST if is_ours => Asked::new(&path, &query, body),
        _ => None,
    };
    let (answer, said) = match &asked {
        Some(asked) => mock.answer(asked),
        None if is_ours => (beside(&path, &mock), String::new()),
        None => (elsewhere(), String::new()),
    };
    if let Some(asked) = &asked {
        let count = answer.steps.len();
        output::say(&output::plain(&format!(
            "{path} {}, {} messages: {said}; {count} pieces",
            asked.model, asked.messages
        )));
    }
    sleep(answer.pause).await;
    match answer.end {
        End::Silence => return pending().await,
        End::Refused => {
            reset(&socket);
            return Err(broken());
        }
        End::Whole | End::Cut | End::Reset | End::Stall => {}
    }
    let play = Play {
        steps: answer.steps.into(),
        end: answer.end,
        socket,
    };
    let stream = stream::unfold(play, |mut play| async move {
        let piece = play.next().await?;
        Some((piece.map(Frame::data), play))
    });
    let mut response = Response::new(StreamBody::new(stream).boxed_unsync());
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::BAD_GATEWAY);
    for (name, value) in answer.headers {
        response.headers_mut().append(name, value);
    }
    Ok(response)
}

/// Whether a request is meant for this machine by a name of its own. A page whose name was rebound to loopback asks for that
/// name; what sends none is no browser.
fn is_for_this_machine(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(HOST) else {
        return true;
    };
    let Some(host) = host.to_str().ok().and_then(|host| host.parse().ok()) else {
        return false;
    };
    let host: Authority = host;
    let name = host.host();
    let address = name.trim_start_matches('[').trim_end_matches(']').parse();
    name.eq_ignore_ascii_case("localhost")
        || address.is_ok_and(|address: IpAddr| address.is_loopback())
}

fn elsewhere() -> Answer {
    let error = serde_json::json!({"error": {"type": "invalid_request_error", "message": "this is `lingate mock` on loopback; ask for it as 127.0.0.1, [::1] or localhost"}});
    Answer::whole(421, "application/json", error.to_string())
}

/// What is asked beside replies.
fn beside(path: &str, mock: &Mock) -> Answer {
    let body = match path.rsplit_once("/models") {
        Some((_, "")) => {
            let state = mock.state();
            let known = state
                .library
                .as_ref()
                .map(Library::models)
                .unwrap_or_default();
            let known: Vec<_> = known.into_iter().collect();
            models::list(if known.is_empty() {
                vec!["mock"]
            } else {
                known
            })
        }
        Some((_, name)) if name.starts_with('/') => models::model(name.trim_start_matches('/')),
        _ => return nothing(),
    };
    Answer::whole(200, "application/json", body.to_string())
}

async fn read(mut body: Incoming) -> Result<Vec<u8>, io::Error> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(io::Error::other)?;
        if let Some(data) = frame.data_ref() {
            if bytes.len() + data.len() > MOST {
                return Err(broken());
            }
            bytes.extend_from_slice(data);
        }
    }
    Ok(bytes)
}

/// An answer on its way.
struct Play {
    steps: VecDeque<Step>,
    end: End,
    socket: Arc<OwnedFd>,
}

impl Play {
    async fn next(&mut self) -> Option<Result<Bytes, io::Error>> {
        if let Some(step) = self.steps.pop_front() {
            if !step.pause.is_zero() {
                sleep(step.pause).await;
            }
            return Some(Ok(step.bytes));
        }
        match self.end {
            End::Whole => None,
            End::Stall | End::Silence => pending().await,
            End::Cut => {
                sleep(FLUSHED).await;
                Some(Err(broken()))
            }
            End::Reset | End::Refused => {
                sleep(FLUSHED).await;
                reset(&self.socket);
                Some(Err(broken()))
            }
        }
    }
}

/// From now on the connection ends with a reset.
fn reset(socket: &OwnedFd) {
    let _ = SockRef::from(socket).set_linger(Some(Duration::ZERO));
}

fn broken() -> io::Error {
    io::Error::other("ended on purpose")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_this_machine_are_answered() {
        for (host, expected) in [
            ("127.0.0.1:8080", true),
            ("127.0.0.2", true),
            ("localhost:1", true),
            ("LocalHost", true),
            ("[::1]:8080", true),
            ("rebound.example:8080", false),
            ("localhost.example", false),
            ("127.0.0.1.example", false),
            ("192.0.2.1", false),
            ("", false),
            ("a b", false),
        ] {
            let headers = HeaderMap::from_iter([(HOST, host.parse().unwrap())]);
            assert_eq!(is_for_this_machine(&headers), expected, "{host}");
        }
        assert!(is_for_this_machine(&HeaderMap::new()));
    }
}
