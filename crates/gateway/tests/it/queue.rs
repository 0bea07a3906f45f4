//! Places at providers and for client keys: never more requests than configured, in a fair order, and a place is free
//! again however its request ended.

use std::time::Duration;

use lingate_testkit::{Answer, Received, Reply, Upstream};
use lingate_wire::Wire;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::harness::{Lingate, events, messages};

const SOON: Duration = Duration::from_secs(20);

fn config(upstream: &Upstream, more: &str) -> String {
    let url = upstream.url();
    format!(
        "default = \"up/m\"\n[providers.up]\nbase_url = \"{url}\"\nspeaks = [\"chat\"]\nauth = \"none\"\n{more}\n"
    )
}

/// A request that says what it is: `main`, `subagent 2`.
fn named(name: &str) -> Value {
    let mut body = messages(true);
    body["messages"][0]["content"] = json!(name);
    body
}

/// Sends a request whose first word is its class; it is read to its end.
fn send(lingate: &Lingate, name: &str, key: &str, session: &str) -> JoinHandle<(u16, String)> {
    let class = name.split(' ').next().unwrap_or_default();
    let request = lingate
        .post("/v1/messages", &named(name))
        .header("x-claude-code-request-class", class)
        .header("x-claude-code-session-id", session)
        .header("x-lingate-key", key);
    tokio::spawn(async move {
        let response = request.send().await;
        (response.status, response.text().await)
    })
}

fn name_of(request: &Received) -> String {
    let body = request.json();
    let last = body["messages"].as_array().and_then(|list| list.last());
    let content = last.map(|last| &last["content"]);
    content
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

/// Waits until the gate says so: `(inside, waiting)`.
async fn until(lingate: &Lingate, gate: &str, name: &str, expected: (u64, u64)) {
    let mut seen = Value::Null;
    for _ in 0..1000 {
        seen = lingate
            .get("/api/providers")
            .header("x-lingate-key", "k1")
            .send()
            .await
            .json()
            .await;
        let gates = seen["queues"].as_array().cloned().unwrap_or_default();
        let own = gates
            .iter()
            .find(|own| own["gate"] == gate && own["name"] == name);
        let number = |member: &str| own.and_then(|own| own[member].as_u64());
        if (number("inside"), number("waiting")) == (Some(expected.0), Some(expected.1)) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{gate} {name} is not at {expected:?}: {seen}");
}

/// One request holds the only place while others line up; then they are served one after the other.
#[tokio::test]
async fn the_conversation_goes_before_its_subagents() {
    let slow = |request: &Received| match request.n {
        0 => Answer::sse([] as [&str; 0])
            // Until everybody is in line.
            .pause(Duration::from_secs(5))
            .followed_by(Reply::text("first").answer(request)),
        _ => Reply::text("next").answer(request),
    };
    let upstream = Upstream::start(slow).await;
    let lingate = Lingate::start(&config(&upstream, "concurrency = 1")).await;
    let mut sent = vec![send(&lingate, "main 0", "k1", "s")];
    upstream.wait_for(1, SOON).await;
    let comers = [
        ("auxiliary 1", "s"),
        ("subagent 2", "s"),
        ("subagent 3", "s"),
        ("subagent 4", "t"),
        ("main 5", "s"),
    ];
    for (n, (name, session)) in (1..).zip(comers) {
        sent.push(send(&lingate, name, "k1", session));
        until(&lingate, "provider", "up", (1, n)).await;
    }
    for request in sent {
        assert_eq!(request.await.unwrap().0, 200);
    }
    let order: Vec<String> = upstream.requests().iter().map(name_of).collect();
    let fair = [
        "main 0",
        "main 5",
        "subagent 2",
        "subagent 4",
        "subagent 3",
        "auxiliary 1",
    ];
    assert_eq!(order, fair);
    until(&lingate, "provider", "up", (0, 0)).await;
}

/// Claude Code's burst: twenty subagents at once, three of them at a time, and all of them served.
#[tokio::test]
async fn a_burst_of_subagents_is_never_more_than_the_places() {
    let slow = |request: &Received| {
        // The first hold their places until everybody is in line.
        let pace = if request.n < 3 { 500 } else { 5 };
        Reply::text("one two")
            .answer(request)
            .paced(Duration::from_millis(pace))
    };
    let upstream = Upstream::start(slow).await;
    let lingate = Lingate::start(&config(&upstream, "concurrency = 3")).await;
    let sent: Vec<_> = (0..20)
        .map(|n| send(&lingate, &format!("subagent {n}"), "k1", "s"))
        .collect();
    let watched = async {
        let mut most = 0;
        loop {
            let text = lingate.get("/metrics").send().await.text().await;
            let value = |name: &str| {
                let line = format!("lingate_queue_{name}{{gate=\"provider\",name=\"up\"}} ");
                let found = text
                    .lines()
                    .find_map(|own| own.strip_prefix(&*line)?.parse::<u64>().ok());
                found.unwrap_or(0)
            };
            most = most.max(value("inside"));
            if upstream.requests().len() == 20 && value("inside") == 0 {
                return (most, value("wait_seconds_count"));
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let (most, waited) = tokio::time::timeout(Duration::from_secs(60), watched)
        .await
        .unwrap();
    assert_eq!((most, waited), (3, 17));
    for request in sent {
        let (status, text) = request.await.unwrap();
        assert!(status == 200 && text.contains("message_stop"), "{text}");
    }
}

/// Whoever leaves, waiting or served, leaves no place behind.
#[tokio::test]
async fn a_client_that_is_gone_gives_its_place_back() {
    let script = |request: &Received| match request.n {
        0 => Answer::silence(),
        _ => Reply::text("served").answer(request),
    };
    let upstream = Upstream::start(script).await;
    let lingate = Lingate::start(&config(&upstream, "concurrency = 1")).await;
    let first = send(&lingate, "main 0", "k1", "s");
    upstream.wait_for(1, SOON).await;
    let second = send(&lingate, "main 1", "k1", "s");
    until(&lingate, "provider", "up", (1, 1)).await;
    let third = send(&lingate, "main 2", "k1", "s");
    until(&lingate, "provider", "up", (1, 2)).await;
    second.abort();
    until(&lingate, "provider", "up", (1, 1)).await;
    first.abort();
    assert_eq!(third.await.unwrap().0, 200);
    assert_eq!(name_of(&upstream.requests()[1]), "main 2");
    until(&lingate, "provider", "up", (0, 0)).await;
}

/// A failed attempt keeps its place no longer than it needs it, and the one that follows waits at its own provider.
#[tokio::test]
async fn places_follow_the_attempts() {
    let broken = Upstream::start(lingate_testkit::Misbehaviour::Overloaded).await;
    let upstream = Upstream::start(Answer::silence()).await;
    let config = format!(
        "default = \"m\"\n[models.m]\ntargets = [\"bad/x\", \"up/y\"]\n\
         [providers.bad]\nbase_url = \"{}\"\nspeaks = [\"chat\"]\nauth = \"none\"\nconcurrency = 1\n\
         [providers.up]\nbase_url = \"{}\"\nspeaks = [\"chat\"]\nauth = \"none\"\nconcurrency = 2\n",
        broken.url(),
        upstream.url()
    );
    let lingate = Lingate::start(&config).await;
    let request = send(&lingate, "main", "k1", "s");
    upstream.wait_for(1, SOON).await;
    until(&lingate, "provider", "bad", (0, 0)).await;
    until(&lingate, "provider", "up", (1, 0)).await;
    request.abort();
    until(&lingate, "provider", "up", (0, 0)).await;
}

/// A queue that is full is no fault of the provider's: another target serves, else the client is told when to come back.
#[tokio::test]
async fn a_full_queue_sends_elsewhere_or_says_when() {
    let full = Upstream::start(Answer::silence()).await;
    let other = Upstream::start(|request: &Received| Reply::text("hi").answer(request)).await;
    let config = format!(
        "default = \"m\"\n[models.m]\ntargets = [\"full/x\", \"other/y\"]\n[models.alone]\ntargets = [\"full/x\"]\n\
         [providers.full]\nbase_url = \"{}\"\nspeaks = [\"chat\"]\nauth = \"none\"\nconcurrency = 1\n\
         [providers.other]\nbase_url = \"{}\"\nspeaks = [\"chat\"]\nauth = \"none\"\n",
        full.url(),
        other.url()
    );
    let lingate = Lingate::start(&config).await;
    let alone = || {
        let mut body = messages(true);
        body["model"] = json!("alone");
        let request = lingate.post("/v1/messages", &body);
        tokio::spawn(async move { request.send().await.text().await })
    };
    let held: Vec<_> = (0..33).map(|_| alone()).collect();
    until(&lingate, "provider", "full", (1, 32)).await;
    let response = lingate.post("/v1/messages", &messages(true)).send().await;
    assert_eq!(response.header("x-lingate-provider"), "other");
    assert_eq!(response.header("x-lingate-attempts"), "1");
    let mut body = messages(true);
    body["model"] = json!("alone");
    let response = lingate.post("/v1/messages", &body).send().await;
    assert_eq!(
        (response.status, response.header("retry-after")),
        (429, "5")
    );
    let error = response.json().await;
    assert_eq!(error["error"]["type"], "rate_limit_error");
    let message = error["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("`providers.full.concurrency`"),
        "{message}"
    );
    assert_eq!(full.requests().len(), 1, "and nothing was asked of it");
    for request in held {
        request.abort();
    }
    until(&lingate, "provider", "full", (0, 0)).await;
}

/// While a stream waits for its turn, its client is kept alive; the headers are out and the answer is whole.
#[tokio::test]
async fn a_stream_that_waits_is_kept_alive() {
    let slow = |request: &Received| match request.n {
        0 => Answer::sse([] as [&str; 0])
            .pause(Duration::from_millis(11_000))
            .followed_by(Reply::text("first").answer(request)),
        _ => Reply::text("Late but here.").answer(request),
    };
    let upstream = Upstream::start(slow).await;
    let lingate = Lingate::start(&config(&upstream, "concurrency = 1")).await;
    let first = send(&lingate, "main 0", "k1", "s");
    upstream.wait_for(1, SOON).await;
    let response = lingate.post("/v1/messages", &messages(true)).send().await;
    assert_eq!(response.status, 200);
    let events = events(Wire::Anthropic, response).await;
    // Nobody has been asked yet who could begin a message: a comment.
    assert_eq!((&*events[0].name, &*events[1].name), (":", "message_start"));
    assert!(events[0].after < Duration::from_secs(11));
    assert_eq!(crate::harness::text_of(&events), "Late but here.");
    assert_eq!(first.await.unwrap().0, 200);
}

/// A client key's places are its own.
#[tokio::test]
async fn a_client_key_s_cap_is_nobody_else_s() {
    let upstream = Upstream::start(Answer::silence()).await;
    // SHA-256 of `k1` and of `k2`.
    let keys = "[server]\nadmin_keys = [\"one\"]\n[keys.one]\nconcurrency = 1\n\
        secret = \"sha256:6ab9f1eb8f7d3388f4f9d586f66e99fd54080df2c446f0e58668b09c08a16dd0\"\n\
        [keys.two]\n\
        secret = \"sha256:015f7e6bc5aeaf483724089e9252cc13b50951a6b69412522765cff4d780306e\"";
    let lingate = Lingate::start(&config(&upstream, keys)).await;
    let first = send(&lingate, "main 0", "k1", "s");
    upstream.wait_for(1, SOON).await;
    let second = send(&lingate, "main 1", "k1", "s");
    until(&lingate, "key", "one", (1, 1)).await;
    let other = send(&lingate, "main 2", "k2", "s");
    let requests = upstream.wait_for(2, SOON).await;
    assert_eq!(name_of(&requests[1]), "main 2");
    first.abort();
    let requests = upstream.wait_for(3, SOON).await;
    assert_eq!(name_of(&requests[2]), "main 1");
    second.abort();
    other.abort();
    until(&lingate, "key", "one", (0, 0)).await;
}
