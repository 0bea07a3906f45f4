//! A primary that dies, hangs, is overloaded, breaks off or reaches its limit in the middle of a session: Claude Code
//! finishes it, and every tool runs once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lingate_e2e::{Claude, Gateway, Home, Provider, Transcript};
use lingate_testkit::{
    Agent, Answer, Misbehaviour as M, Received, Script, Step, Upstream, anthropic,
};
use serde_json::json;

const PROMPT: &str = "Please do the FAILOVER task.";
const NOTE: &str = "I append a line, and then I look at what the file holds by now, line by line.";
/// What the client shows where it has a subscription.
const LOGIN: &str = "lingate-e2e";

/// Appends a line with each of three calls: one that ran twice would show.
fn scenario(home: &Home) -> Agent {
    let file = home.project_str("lines.txt");
    let append = |line: &str, wait: u32| {
        let command = format!("sleep {wait}; echo {line} >> {file}; cat {file}");
        Step::call(
            "Bash",
            json!({"command": command, "description": "Appends a line"}),
        )
        .saying(NOTE)
    };
    Agent::new().on(
        "FAILOVER",
        [
            append("one", 0),
            append("two", 0),
            // Longer than the limit of a subscription lasts here.
            append("three", 4),
            Step::report(|results| format!("Done after {} results.", results.len())),
        ],
    )
}

/// A model on two providers, in order; with the caller's own login at the first.
fn config(first: &str, more: &str, second: &str) -> String {
    let key = Provider::KEY;
    format!(
        r#"default = "mock"
from_env = false

[server]
listen = "127.0.0.1:0"

[providers.first]
base_url = "{first}"
{more}
timeouts = {{ headers = "2s", first_content = "2s", idle = "2s" }}

[providers.second]
base_url = "{second}"
speaks = ["chat"]
api_key = "{key}"

[models.mock]
targets = ["first/mock-1", "second/mock-1"]
context = 200000
max_output = 32000
"#
    )
}

const OWN: &str = "speaks = [\"anthropic\"]\napi_key = \"sk-of-the-first\"";

fn check(home: &Home, transcript: &Transcript, agents: &[&Agent], log: &str) {
    assert_eq!(transcript.success(), "Done after 3 results.", "{log}");
    assert_eq!(home.read("project/lines.txt"), "one\ntwo\nthree\n", "{log}");
    assert_eq!(transcript.calls().len(), 3, "{transcript}");
    for agent in agents {
        assert_eq!(agent.faults(), [""; 0], "{log}");
    }
}

/// Whether a request is the session's, behind so many tool results.
fn is_behind(request: &Received, n_results: usize) -> bool {
    is_session(request) && results(request) == n_results
}

/// Runs the session before a primary that fails from its second answer on.
async fn run(primary: M) {
    let home = Home::new();
    let (agent, spare) = (scenario(&home), scenario(&home));
    let model = agent.clone();
    let first = Upstream::start(move |request: &Received| match results(request) {
        0 => model.answer(request),
        _ => primary.answer(request),
    })
    .await;
    let second = Upstream::start(spare.clone()).await;
    let gateway = Gateway::serve(&home, &config(&first.url(), OWN, &second.url())).await;
    let Some(claude) = Claude::at(&home, &gateway.url) else {
        return;
    };
    let transcript = claude.session(PROMPT).await;
    let log = gateway.log();
    check(
        &home,
        &transcript,
        &[&agent, &spare],
        &format!("{primary:?}: {log}"),
    );
    assert!(log.contains("second/mock-1"), "{primary:?}: {log}");
    let served = second.requests();
    assert!(served.len() >= 3, "{primary:?}: {log}");
    assert_eq!(gateway.stop().await.code, Some(0));
    home.is_quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_primary_is_overloaded() {
    run(M::Overloaded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_primary_hangs() {
    run(M::NeverAnswers).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_primary_breaks_off_before_its_first_word() {
    run(M::CutBeforeContent).await;
}

/// Its process is gone in the middle of the session: nothing listens any more.
#[tokio::test(flavor = "multi_thread")]
async fn the_primary_is_killed() {
    let home = Home::new();
    let (agent, spare) = (scenario(&home), scenario(&home));
    let first = Upstream::start(agent.clone()).await;
    let second = Upstream::start(spare.clone()).await;
    let gateway = Gateway::serve(&home, &config(&first.url(), OWN, &second.url())).await;
    let Some(claude) = Claude::at(&home, &gateway.url) else {
        return;
    };
    let killed = tokio::spawn(async move {
        let mut n = 1;
        loop {
            let requests = first.wait_for(n, Duration::from_secs(60)).await;
            if requests.iter().any(|request| is_behind(request, 1)) {
                return requests.len();
            }
            n = requests.len() + 1;
        }
    });
    let transcript = claude.session(PROMPT).await;
    let log = gateway.log();
    check(&home, &transcript, &[&agent, &spare], &log);
    assert!(killed.await.unwrap() >= 2, "it was there before");
    assert!(second.requests().len() >= 2, "{log}");
    assert_eq!(gateway.stop().await.code, Some(0));
    home.is_quiet().await;
}

/// A reply that breaks off behind its first words ends in an error event, and the client asks again by itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_reply_breaks_off_and_the_client_resumes() {
    for wire in ["anthropic", "chat"] {
        let home = Home::new();
        let agent = scenario(&home);
        let (model, cut) = (agent.clone(), Arc::new(AtomicUsize::new(0)));
        let counter = Arc::clone(&cut);
        let upstream = Upstream::start(move |request: &Received| {
            let whole = model.answer(request);
            match is_behind(request, 1) && counter.fetch_add(1, Ordering::Relaxed) == 0 {
                // Eight frames: the reply has said some words.
                true => whole.take(8).pause(Duration::from_millis(100)).cut(),
                false => whole,
            }
        })
        .await;
        let provider = Provider {
            base_url: &upstream.url(),
            speaks: wire,
            more: "",
        };
        let gateway = Gateway::serve(&home, &provider.config()).await;
        let Some(claude) = Claude::at(&home, &gateway.url) else {
            return;
        };
        let transcript = claude.session(PROMPT).await;
        let log = gateway.log();
        check(&home, &transcript, &[&agent], &log);
        assert!(log.contains("the answer broke off"), "{wire}: {log}");
        assert_eq!(
            cut.load(Ordering::Relaxed),
            2,
            "{wire}: asked once more: {log}"
        );
        assert_eq!(gateway.stop().await.code, Some(0));
        home.is_quiet().await;
    }
}

/// The user's own plan first; while its limit lasts, a key of the gateway's; and back at the reset, in one session.
#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_is_used_again_at_its_reset() {
    let home = Home::new();
    let (agent, spare) = (scenario(&home), scenario(&home));
    let (model, limited) = (agent.clone(), Arc::new(AtomicUsize::new(0)));
    let counter = Arc::clone(&limited);
    let plan = Upstream::start(move |request: &Received| {
        if !is_behind(request, 1) || counter.fetch_add(1, Ordering::Relaxed) > 0 {
            return model.answer(request);
        }
        let words = "This request would exceed your account's rate limit.";
        Answer::json(429, &anthropic::error("rate_limit_error", words))
            .header("retry-after", "3")
            .header("anthropic-ratelimit-unified-status", "rejected")
            .header("anthropic-ratelimit-unified-5h-status", "rejected")
    })
    .await;
    let own = Upstream::start(spare.clone()).await;
    let login = "speaks = [\"anthropic\"]\nauth = \"client\"";
    let gateway = Gateway::serve(&home, &config(&plan.url(), login, &own.url())).await;
    let Some(claude) = Claude::at(&home, &gateway.url) else {
        return;
    };
    let transcript = claude.session(PROMPT).await;
    let log = gateway.log();
    check(&home, &transcript, &[&agent, &spare], &log);
    assert_eq!(
        limited.load(Ordering::Relaxed),
        1,
        "not asked within the limit: {log}"
    );
    let behind = |upstream: &Upstream| -> Vec<usize> {
        let requests = upstream.requests();
        (0..4)
            .filter(|n| requests.iter().any(|own| is_behind(own, *n)))
            .collect()
    };
    assert_eq!(behind(&own), [1, 2], "{log}");
    assert_eq!(behind(&plan), [0, 1, 3], "back at the reset: {log}");
    for request in plan.requests() {
        assert_eq!(request.header("authorization"), format!("Bearer {LOGIN}"));
    }
    for request in own.requests() {
        assert!(
            !format!("{:?}", request.headers).contains(LOGIN),
            "the login is the plan's"
        );
    }
    assert_eq!(gateway.stop().await.code, Some(0));
    home.is_quiet().await;
}

fn is_session(request: &Received) -> bool {
    request.text().contains("FAILOVER") && !request.json()["tools"].is_null()
}

/// Tool results in a request, on the Anthropic wire or the Chat wire.
fn results(request: &Received) -> usize {
    let text = request.text();
    text.matches("\"tool_result\"").count() + text.matches("\"role\":\"tool\"").count()
}
