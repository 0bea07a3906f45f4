//! The log: one line for an exchange and one for an attempt that failed, and never a word of a body.

use std::time::Duration;

use lingate_testkit::{Answer, Misbehaviour as M, Received, Reply, Upstream, chat};
use lingate_wire::Wire;
use serde_json::{Value, json};

use crate::harness::{Lingate, completions, messages};
use crate::traces;

/// Stands in every body of these tests. What upstreams say is cut into small pieces, and this is in one of them.
const ASKED: &str = "MARK-asked-7f3a";
const TOLD: &str = "Q9ZX7";

fn logged() -> String {
    String::from_utf8(traces::logged()).unwrap()
}

fn asking(wire: Wire, is_stream: bool) -> Value {
    let mut body = match wire {
        Wire::Chat => completions(is_stream),
        _ => messages(is_stream),
    };
    body["messages"][0]["content"] = json!(format!("{ASKED} says hello"));
    body
}

fn answer(request: &Received) -> Answer {
    let call = json!({ "command": format!("echo {TOLD}") });
    Reply::text(&format!("{TOLD} is what I say."))
        .think(&format!("{TOLD} is what I think."))
        .call("call_1", "Bash", &call)
        .answer(request)
}

/// Lines of the log that tell of this exchange, once there is one that tells of its end.
async fn lines(id: &str) -> Vec<String> {
    for _ in 0..2000 {
        let log = logged();
        let own: Vec<String> = log
            .lines()
            .filter(|line| line.contains(id))
            .map(str::to_owned)
            .collect();
        if own.iter().any(|line| line.contains("duration_ms")) {
            return own;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("no line of {id} in\n{}", logged());
}

#[tokio::test]
async fn a_line_an_exchange_and_one_a_failed_attempt() {
    let good = Upstream::start(answer).await;
    let bad = Upstream::start(|_: &Received| {
        Answer::json(500, &chat::error("server_error", "out of order"))
    })
    .await;
    let config = format!(
        "default = \"m\"\n[models.m]\ntargets = [\"bad/x\", \"good/y\"]\n[models.broken]\ntargets = [\"bad/x\"]\n\
         [models.one]\ntargets = [\"good/y\"]\n\
         [providers.good]\nbase_url = \"{}\"\nspeaks = [\"chat\", \"anthropic\"]\nauth = \"none\"\n\
         [providers.bad]\nbase_url = \"{}\"\nspeaks = [\"chat\"]\nauth = \"none\"\n",
        good.url(),
        bad.url()
    );
    let lingate = Lingate::start(&config).await;
    for (model, status, n_failed) in [("one", 200, 0), ("m", 200, 1), ("broken", 500, 1)] {
        for wire in [Wire::Anthropic, Wire::Chat] {
            for is_stream in [true, false] {
                let what = format!("{model} {wire} streamed: {is_stream}");
                let mut body = asking(wire, is_stream);
                body["model"] = model.into();
                let path = match wire {
                    Wire::Chat => "/v1/chat/completions",
                    _ => "/v1/messages",
                };
                let response = lingate.post(path, &body).send().await;
                let id = response.header("x-lingate-id").to_owned();
                assert_eq!(response.status.min(500), status, "{what}");
                let text = response.text().await;
                assert_eq!(text.contains(TOLD), status == 200, "{what}: {text}");
                let lines = lines(&id).await;
                let of = |word: &str| lines.iter().filter(|line| line.contains(word)).count();
                assert_eq!(of("duration_ms"), 1, "{what}: {lines:#?}");
                // A breaker may have opened: then nobody was asked in vain.
                assert!(of("failed: ") <= n_failed, "{what}: {lines:#?}");
                assert!(
                    status == 200 || of("out of order") >= 1,
                    "{what}: {lines:#?}"
                );
            }
        }
    }
    bodies_are_nowhere();
}

/// Whatever goes wrong: with the upstream, with the body, or with the client.
#[tokio::test]
async fn no_word_of_a_body() {
    for misbehaviour in [
        M::Healthy,
        M::Overloaded,
        M::ErrorInsideStream,
        M::ErrorAfterText,
        M::CutAfterText,
        M::NotSse,
        M::TruncatedToolJson,
        M::EmptyStream,
    ] {
        let upstream = Upstream::start(misbehaviour).await;
        let lingate = Lingate::to_chat(&upstream.url()).await;
        for is_stream in [true, false] {
            let body = asking(Wire::Anthropic, is_stream);
            drop(
                lingate
                    .post("/v1/messages", &body)
                    .send()
                    .await
                    .text()
                    .await,
            );
        }
    }
    // Replies that hold the mark and break off, and clients that leave in the middle.
    let half = |request: &Received| {
        let whole = answer(request);
        let n = whole.body().len() / 2;
        whole.split_every(16).take(n / 16).stall()
    };
    let upstream = Upstream::start(half).await;
    let lingate = Lingate::to_chat(&upstream.url()).await;
    let response = lingate
        .post("/v1/messages", &asking(Wire::Anthropic, true))
        .send()
        .await;
    let id = response.header("x-lingate-id").to_owned();
    let mut events = response.events();
    drop(events.next().await);
    drop(events);
    assert!(lines(&id).await.iter().any(|line| line.contains("aborted")));
    // What cannot be read, and what is not asked rightly.
    for body in [
        json!({ "model": { "a": ASKED } }),
        json!({ "model": "m", "messages": ASKED }),
    ] {
        drop(
            lingate
                .post("/v1/messages", &body)
                .send()
                .await
                .text()
                .await,
        );
    }
    bodies_are_nowhere();
}

fn bodies_are_nowhere() {
    let log = logged();
    assert!(!log.is_empty());
    for mark in [ASKED, TOLD] {
        let line = log.lines().find(|line| line.contains(mark));
        assert_eq!(line, None, "{mark}");
    }
}
