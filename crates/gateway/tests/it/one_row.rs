//! Exactly one row, and one log line, of every request that is accepted, whatever its end and whatever the client speaks.
//!
//! One gateway meets every end on every wire. After each there is one row more, which tells that end; at last there are as
//! many rows as requests, and none for what was never accepted.

use std::time::Duration;

use lingate_gateway::Options;
use lingate_store::{self as store, End, Exchange, Filter, Page, Reader, Store};
use lingate_testkit::client::{self, Request};
use lingate_testkit::{Misbehaviour as M, Upstream};
use lingate_wire::Wire;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::harness::Lingate;
use crate::program::Program;
use crate::traces;

const WIRES: [Wire; 4] = [Wire::Anthropic, Wire::Chat, Wire::Responses, Wire::Gemini];

/// Longest wait for a row.
const PATIENCE: Duration = Duration::from_secs(20);

/// The most that `server.max_body` allows here.
const MAX_BODY: usize = 4096;

/// What a client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Does {
    /// Asks for a whole reply, or a stream, and reads it to its end.
    Reads { is_stream: bool },
    /// Leaves while nothing has come yet.
    LeavesWaiting,
    /// Leaves in the middle of the stream.
    LeavesReading,
    /// Leaves in the middle of its own request.
    LeavesSending,
    /// Sends what is no JSON.
    Babbles,
    /// Sends more than is taken.
    SendsTooMuch,
    /// Asks how many tokens that is.
    Counts,
}

/// An end: what is asked for, what the client does, and what the row tells of it.
struct Case {
    model: &'static str,
    does: Does,
    /// `None`: any error of the gateway's own, by wire.
    status: Option<u16>,
    end: End,
    kind: &'static str,
}

const WHOLE: Does = Does::Reads { is_stream: false };
const STREAM: Does = Does::Reads { is_stream: true };

const fn case(
    model: &'static str,
    does: Does,
    status: Option<u16>,
    end: End,
    kind: &'static str,
) -> Case {
    Case {
        model,
        does,
        status,
        end,
        kind,
    }
}

const CASES: [Case; 22] = [
    case("ok/m", WHOLE, Some(200), End::Answered, ""),
    case("ok/m", STREAM, Some(200), End::Answered, ""),
    case("over/m", WHOLE, None, End::Answered, "overloaded"),
    case("over/m", STREAM, None, End::Answered, "overloaded"),
    case("second", STREAM, Some(200), End::Answered, ""),
    case("rate/m", STREAM, Some(429), End::Answered, "rate_limit"),
    case("wrong/m", WHOLE, None, End::Answered, "upstream_credential"),
    case("nothing/m", STREAM, None, End::Answered, "empty_reply"),
    case("inside/m", STREAM, None, End::Answered, "server"),
    case("after/m", STREAM, Some(200), End::Broken, "server"),
    case("cut/m", STREAM, Some(200), End::Broken, "truncated"),
    case("half/m", STREAM, Some(200), End::Broken, "broken_tool_call"),
    case("never/m", STREAM, None, End::Answered, "timeout"),
    case(
        "unknown-model",
        WHOLE,
        Some(404),
        End::Answered,
        "not_found",
    ),
    case(
        "ok/m",
        Does::Babbles,
        Some(400),
        End::Answered,
        "invalid_request",
    ),
    case(
        "ok/m",
        Does::SendsTooMuch,
        Some(413),
        End::Answered,
        "too_large",
    ),
    case("ok/m", Does::LeavesSending, None, End::ClientGone, ""),
    case("never/m", Does::LeavesWaiting, None, End::ClientGone, ""),
    case(
        "stall/m",
        Does::LeavesReading,
        Some(200),
        End::ClientGone,
        "",
    ),
    case("ok/m", Does::Counts, Some(200), End::Answered, ""),
    case(
        "unknown-model",
        Does::Counts,
        Some(404),
        End::Answered,
        "not_found",
    ),
    case("ok/m", Does::Counts, Some(200), End::Answered, ""),
];

/// A gateway with a record, in front of hosts named by what they do.
struct Scene {
    lingate: Lingate,
    dir: TempDir,
    store: Store,
    /// Rows so far.
    rows: usize,
    _hosts: Vec<Upstream>,
}

impl Scene {
    async fn start() -> Self {
        let mut config = format!(
            "[server]\nmax_body = \"{MAX_BODY}\"\n[failover]\ndeadline = \"3s\"\n\
             [models.second]\ntargets = [\"over/m\", \"ok/m\"]\n\
             [models.dear]\ntargets = [\"ok/dear\"]\nprice = {{ input = \"900000\", output = \"900000\" }}\n\
             [budget]\nsession = \"0.01 USD\"\n"
        );
        let mut hosts = Vec::new();
        for (name, does) in [
            ("ok", M::Healthy),
            ("over", M::Overloaded),
            ("rate", M::RateLimited(1)),
            ("wrong", M::WrongKey),
            ("nothing", M::NoContent),
            ("inside", M::ErrorInsideStream),
            ("after", M::ErrorAfterText),
            ("cut", M::CutAfterText),
            ("half", M::TruncatedToolJson),
            ("never", M::NeverAnswers),
            ("stall", M::StallsAfterText),
            ("narrow", M::NeverAnswers),
            ("line", M::NeverAnswers),
        ] {
            let host = Upstream::start(does).await;
            let is_narrow = matches!(name, "narrow" | "line");
            let more = if is_narrow { "concurrency = 1\n" } else { "" };
            config += &format!(
                "[providers.{name}]\nbase_url = \"{}\"\nspeaks = [\"chat\"]\napi_key = \"sk-canary-of-{name}\"\n{more}",
                host.url()
            );
            hosts.push(host);
        }
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(
            dir.path(),
            store::Options::default(),
            jiff::Timestamp::now(),
        )
        .unwrap();
        let options = Options {
            recorder: Some(store.recorder()),
            ..Options::default()
        };
        Self {
            lingate: Lingate::start_as(&config, &[], options).await,
            dir,
            store,
            rows: 0,
            _hosts: hosts,
        }
    }

    /// Every row, newest first, once so many more have an end.
    async fn more(&mut self, more: usize, place: &str) -> Vec<Exchange> {
        self.rows += more;
        let waited = tokio::time::timeout(PATIENCE, async {
            loop {
                let rows = self.all().await;
                if rows.len() >= self.rows && rows.iter().all(|row| row.end.is_some()) {
                    return rows;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        let rows = waited.await;
        let rows = rows.unwrap_or_else(|_| panic!("{place}: no row with an end"));
        assert_eq!(rows.len(), self.rows, "{place}: {:?}", rows[0]);
        rows
    }

    async fn all(&self) -> Vec<Exchange> {
        let recorder = self.store.recorder();
        let flushed = tokio::task::spawn_blocking(move || recorder.flush(PATIENCE));
        assert!(flushed.await.unwrap());
        let reader = Reader::open(self.dir.path()).unwrap();
        let mut page = Page {
            limit: 500,
            ..Page::default()
        };
        let mut rows = Vec::new();
        loop {
            let listing = reader.list(&Filter::default(), page).unwrap();
            rows.extend(listing.items);
            page.before = listing.next;
            if page.before.is_none() {
                return rows;
            }
        }
    }

    fn program(&self, wire: Wire, model: &str, is_stream: bool) -> Program {
        let mut program = Program::new(&self.lingate.url, wire, is_stream).user("hi");
        program.model = model.to_owned();
        program
    }

    fn request(&self, wire: Wire, model: &str, is_stream: bool) -> Request {
        let (path, body) = self.program(wire, model, is_stream).request();
        self.lingate.post(&path, &body)
    }

    /// Does it, and waits until the client is through.
    async fn act(&self, wire: Wire, case: &Case) {
        let Case { model, does, .. } = *case;
        match does {
            Does::Reads { is_stream } => {
                let mut response = self.request(wire, model, is_stream).send().await;
                while response.piece().await.is_some() {}
            }
            Does::LeavesWaiting => {
                let request = self.request(wire, model, true).send();
                let left = tokio::time::timeout(Duration::from_millis(600), request).await;
                assert!(left.is_err(), "it never answers");
            }
            Does::LeavesReading => {
                let mut response = self.request(wire, model, true).send().await;
                assert_eq!(response.status, 200);
                assert!(response.piece().await.is_some_and(|piece| piece.is_ok()));
            }
            Does::LeavesSending => {
                let (path, body) = self.program(wire, model, true).request();
                let (address, body) = (self.lingate.url.replace("http://", ""), body.to_string());
                let half = format!(
                    "POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
                     content-length: {}\r\n\r\n{}",
                    body.len(),
                    &body[..body.len() / 2],
                );
                let mut socket = TcpStream::connect(&*address).await.unwrap();
                socket.write_all(half.as_bytes()).await.unwrap();
                // So that the gateway has begun to read it.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Does::Babbles | Does::SendsTooMuch => {
                let (path, _) = self.program(wire, model, true).request();
                let body = match does {
                    Does::Babbles => "{\"model\":".to_owned(),
                    _ => format!("\"{}\"", "x".repeat(MAX_BODY)),
                };
                let request = self.lingate.post(&path, &Value::Null).body(body);
                drop(request.send().await.bytes().await);
            }
            Does::Counts => {
                let (path, body) = self.program(wire, model, false).request();
                let path = match wire {
                    Wire::Gemini => path.replace(":generateContent", ":countTokens"),
                    _ => format!("{path}/count_tokens"),
                };
                drop(self.lingate.post(&path, &body).send().await.bytes().await);
            }
        }
    }
}

#[tokio::test]
async fn every_end_on_every_wire_is_one_row() {
    let mut scene = Scene::start().await;
    let mut wrong = Vec::new();
    for wire in WIRES {
        for case in &CASES {
            let counts = matches!(wire, Wire::Anthropic | Wire::Gemini);
            if case.does == Does::Counts && !counts {
                continue;
            }
            let place = format!("{} {:?} of {}", case.model, case.does, wire.name());
            scene.act(wire, case).await;
            let rows = scene.more(1, &place).await;
            let row = &rows[0];
            let kind = row.error_kind.as_deref().unwrap_or_default();
            let has_status = match (case.status, case.end) {
                (Some(status), _) => row.status == Some(status),
                (None, End::Answered) => row.status.is_some_and(|status| status >= 400),
                (None, _) => row.status.is_none(),
            };
            let told = (row.end, row.client_wire, kind);
            if told != (Some(case.end), Some(wire), case.kind) || !has_status {
                wrong.push(format!(
                    "{place}: {:?} {told:?} {:?}",
                    row.status, row.error
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    nothing_of_what_was_not_accepted(&mut scene).await;
    out_of_budget(&mut scene).await;
    waiting_in_line(&mut scene).await;
    ended_by_force(&mut scene).await;
}

/// What has no way to a provider has no row.
async fn nothing_of_what_was_not_accepted(scene: &mut Scene) {
    let url = &scene.lingate.url;
    let foreign = scene
        .request(Wire::Chat, "ok/m", false)
        .header("origin", "https://elsewhere.example");
    let no_json = scene.request(Wire::Chat, "ok/m", false);
    let no_json = no_json.header("content-encoding", "unknown");
    for (request, status) in [
        (scene.lingate.get("/v1/models"), 200),
        (scene.lingate.get("/v1/nowhere"), 404),
        (scene.lingate.get("/v1/messages"), 405),
        (scene.lingate.get("/health"), 200),
        (client::get(&format!("{url}/metrics")), 200),
        (foreign, 403),
        (no_json, 415),
    ] {
        assert_eq!(request.send().await.status, status);
    }
    scene.more(0, "not accepted").await;
}

/// The first request of a session spends what it may, the second is refused.
async fn out_of_budget(scene: &mut Scene) {
    for wire in WIRES {
        let asking = |scene: &Scene| {
            let request = scene.request(wire, "dear", false);
            request
                .header("x-session-id", &format!("spent-{}", wire.name()))
                .send()
        };
        let served = asking(scene).await;
        assert_eq!(served.status, 200, "{}", wire.name());
        drop(served.bytes().await);
        // What it cost is known when it is closed.
        let mut last = scene.more(1, "the first of a session").await.remove(0);
        assert!(
            last.cost_micro_usd.is_some_and(|cost| cost > 10_000),
            "{last:?}"
        );
        drop(asking(scene).await.bytes().await);
        last = scene.more(1, "the second of a session").await.remove(0);
        let why = last.error.as_deref().unwrap_or_default();
        assert!(why.contains("`budget.session`"), "{last:?}");
        assert_eq!(
            (last.end, last.attempts),
            (Some(End::Answered), 0),
            "{last:?}"
        );
    }
}

/// One holds the only place: who waits longer than the deadline is told, and so is who comes when the line is full. Who
/// leaves the line has a row as well.
async fn waiting_in_line(scene: &mut Scene) {
    let mut asked = JoinSet::new();
    for wire in [Wire::Chat].into_iter().chain(WIRES) {
        let request = scene.request(wire, "narrow/m", true);
        asked.spawn(async move { request.send().await.status });
    }
    let told = asked.join_all().await;
    assert!(told.iter().all(|status| *status >= 400), "{told:?}");
    for row in scene.more(5, "waited too long").await.iter().take(5) {
        let kind = row.error_kind.as_deref().unwrap_or_default();
        let is_told = matches!(kind, "timeout" | "rate_limit");
        assert!(is_told && row.end == Some(End::Answered), "{row:?}");
    }

    // One inside, as many in line as may be, and two of each wire more.
    let n_refused = 2 * WIRES.len();
    let n_all = 33 + n_refused;
    let mut waiting = JoinSet::new();
    for number in 0..n_all {
        let request = scene.request(WIRES[number % 4], "line/m", true);
        waiting.spawn(async move { request.send().await.status });
    }
    for _ in 0..n_refused {
        let told = tokio::time::timeout(PATIENCE, waiting.join_next()).await;
        assert_eq!(told.expect("somebody is refused").unwrap().unwrap(), 429);
    }
    waiting.shutdown().await;
    let rows = scene.more(n_all, "a full line").await;
    let own = || rows.iter().take(n_all);
    let refused = own().filter(|row| row.error_kind.as_deref() == Some("rate_limit"));
    let gone = own().filter(|row| row.end == Some(End::ClientGone));
    assert_eq!((refused.count(), gone.count()), (n_refused, 33));
}

/// What runs when the gateway is ended has a row with what it came to.
async fn ended_by_force(scene: &mut Scene) {
    let mut running = Vec::new();
    for wire in WIRES {
        let mut response = scene.request(wire, "stall/m", true).send().await;
        assert!(response.piece().await.is_some_and(|piece| piece.is_ok()));
        running.push(response);
    }
    scene.lingate.handle.end_now().await;
    let rows = scene.more(4, "ended by force").await;
    for row in rows.iter().take(4) {
        assert_eq!(row.end, Some(End::Shutdown), "{row:?}");
    }
    let log = String::from_utf8(traces::logged()).unwrap();
    for row in &rows {
        let id = format!("exchange.id={}", row.id);
        let is_own = |line: &&str| line.contains(&id) && line.contains(" outcome=");
        let lines = log.lines().filter(is_own).count();
        let expected =
            usize::from(!row.path.ends_with("count_tokens") && !row.path.ends_with("countTokens"));
        assert_eq!(lines, expected, "log lines of {row:?}");
    }
}
