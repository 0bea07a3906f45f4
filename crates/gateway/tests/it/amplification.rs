//! What a bad hour costs: requests at the upstreams for each of the clients', and time before the first word.
//!
//! R6 and R9 of the reliability goals. Bounds on time are wide, for machines that do a lot besides; the measured numbers
//! are printed.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use lingate_testkit::Answer;
use lingate_testkit::{Misbehaviour as M, Received, Reply, Script, Upstream, chat};
use lingate_wire::Wire;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::failover::{ask, two};
use crate::harness::Lingate;

/// Attempts of one user turn with Claude Code: the first and ten retries.
const TURN: usize = 11;

/// R9: with everything down, an attempt of the client's costs each upstream one request until the breakers open, and from
/// then on one request in all: the last resort.
#[tokio::test]
async fn a_turn_costs_each_upstream_one_request_an_attempt_at_most() {
    let (a, b) = (
        Upstream::start(M::Overloaded).await,
        Upstream::start(M::Overloaded).await,
    );
    for wire in [Wire::Anthropic, Wire::Chat] {
        let before = a.requests().len() + b.requests().len();
        let lingate = Lingate::start(&two(&a.url(), &b.url(), "chat", "")).await;
        for n in 0..TURN {
            let response = ask(&lingate, wire, n % 2 == 0).await;
            assert!([503, 529].contains(&response.status), "{}", response.status);
        }
        let all = a.requests().len() + b.requests().len() - before;
        // Five attempts open both breakers.
        assert_eq!(all, 5 * 2 + (TURN - 5), "{wire}");
    }
    let (a, b) = (a.requests().len(), b.requests().len());
    assert!(a <= 2 * TURN && b <= 2 * TURN, "{a} and {b}");
}

/// R9: repeats of the same request at the same upstream are a fifth of what is under way, or three.
#[tokio::test(flavor = "multi_thread")]
async fn repeats_are_bounded_by_what_is_under_way() {
    let no_end = Answer::json(429, &chat::error("rate_limit_error", "too many at once"));
    check(50, 10, M::NoContent).await;
    check(50, 10, no_end).await;
    check(4, 3, M::NoContent).await;
}

/// `n` requests at once, each of which wants to be repeated; so many may be.
async fn check(n: usize, repeats: usize, script: impl Script) {
    let slow = move |request: &Received| script.answer(request).paced(Duration::from_millis(500));
    let upstream = Upstream::start(slow).await;
    let open = "default = \"up/m\"\n[failover]\nbreaker = { consecutive = 1000, ratio = 1.0 }\n";
    let url = upstream.url();
    let provider =
        format!("[providers.up]\nbase_url = \"{url}\"\nspeaks = [\"chat\"]\nauth = \"none\"\n");
    let lingate = Lingate::start(&format!("{open}{provider}")).await;
    let all = join_all((0..n).map(|_| ask(&lingate, Wire::Chat, true))).await;
    assert!(all.iter().all(|response| response.status != 200));
    let asked = upstream.requests().len();
    // Room comes back while the last of them end.
    assert!(
        (n + 1..=n + repeats + 3).contains(&asked),
        "{asked} requests for {n}"
    );
}

async fn well() -> Upstream {
    Upstream::start(|request: &Received| Reply::text("Here.").answer(request)).await
}

/// The median time to the first byte of an answer.
async fn median(lingate: &Lingate, n: usize) -> Duration {
    let mut times = Vec::new();
    for _ in 0..n {
        let mut response = ask(lingate, Wire::Anthropic, true).await;
        assert_eq!(response.status, 200);
        response.piece().await.unwrap().unwrap();
        times.push(response.sent.elapsed());
    }
    times.sort();
    times[n / 2]
}

/// R6: a primary that refuses connections is asked every time here, for its breaker never opens and nobody stays elsewhere.
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_primary_adds_next_to_nothing() {
    let own = well().await;
    let never = "strategy = \"first\"\n[failover]\nbreaker = { consecutive = 100000, ratio = 1.0, window = \"1ms\" }";
    let dead = Lingate::start(&two("http://127.0.0.1:1", &own.url(), "chat", never)).await;
    let alone = Lingate::to_chat(&own.url()).await;
    // Warm connections on both.
    let _ = (median(&dead, 5).await, median(&alone, 5).await);
    let (with, without) = (median(&dead, 41).await, median(&alone, 41).await);
    let added = with.saturating_sub(without);
    println!("a refused primary adds {added:?} ({with:?} against {without:?})");
    // A machine that is slow with everything is so with both.
    let bound = (without * 2).max(Duration::from_millis(50));
    assert!(added < bound, "{added:?}: {with:?} against {without:?}");
}

/// A listener whose queue is full: further connections get no answer at all.
struct BlackHole {
    url: String,
    _listener: TcpListener,
    _waiting: Vec<TcpStream>,
}

impl BlackHole {
    async fn start() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        let mut waiting = Vec::new();
        // Nobody accepts: the queue holds some, and the next is not answered.
        while let Ok(Ok(stream)) =
            tokio::time::timeout(Duration::from_millis(300), TcpStream::connect(address)).await
        {
            waiting.push(stream);
            assert!(waiting.len() < 100, "the queue has an end");
        }
        Self {
            url: format!("http://{address}"),
            _listener: listener,
            _waiting: waiting,
        }
    }
}

/// R6: a primary that swallows connections costs `timeouts.connect` once, and nothing while its breaker is open, whoever
/// asks.
#[tokio::test(flavor = "multi_thread")]
async fn a_black_hole_is_waited_for_once() {
    let (hole, own) = (BlackHole::start().await, well().await);
    let config = two(&hole.url, &own.url(), "chat", "strategy = \"first\"")
        .replace("first_content = \"300ms\"", "connect = \"2s\"")
        .replace("headers = \"300ms\"", "headers = \"20s\"");
    let lingate = Lingate::start(&config).await;
    let mut times = Vec::new();
    for _ in 0..10 {
        let began = Instant::now();
        let response = ask(&lingate, Wire::Anthropic, true).await;
        assert_eq!(
            (response.status, response.header("x-lingate-provider")),
            (200, "b")
        );
        times.push(began.elapsed());
    }
    println!("behind a black hole: {times:?}");
    assert!(times[0] >= Duration::from_millis(1990), "{times:?}");
    let is_quick = |took: &Duration| *took < Duration::from_millis(1900);
    assert!(
        times[1..].iter().all(is_quick),
        "nobody waits again: {times:?}"
    );
}
