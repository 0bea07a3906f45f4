//! What is the Responses wire's own: what is kept by a provider, Codex's list of models, and failures told in the stream.

use lingate_testkit::{Answer, Misbehaviour, Received, Reply, Upstream};
use lingate_wire::Wire;
use serde_json::{Value, json};

use crate::harness::{Lingate, accept};
use crate::program::Program;

const CODEX: &str = "codex_cli_rs/0.169.0 (Debian 12; x86_64)";

fn config(upstream: &str, speaks: &str) -> String {
    format!(
        "default = \"m\"\n[providers.up]\nbase_url = \"{upstream}\"\nspeaks = [\"{speaks}\"]\napi_key = \"sk-upstream\"\n\
         [models.m]\ntargets = [\"up/served-model\"]\nname = \"Served\"\ncontext = 100000"
    )
}

/// What only its provider can have kept is refused with what to send instead; at a provider of the wire it is its business.
#[tokio::test]
async fn what_a_provider_keeps_is_not_elsewhere() {
    let chat = Upstream::start(Misbehaviour::Healthy).await;
    let own = Upstream::start(Misbehaviour::Healthy).await;
    let foreign = Lingate::start(&config(&chat.url(), "chat")).await;
    let same = Lingate::start(&config(&own.url(), "responses")).await;
    for (member, value) in [
        ("previous_response_id", json!("resp_1")),
        ("conversation", json!({"id": "conv_1"})),
        ("background", json!(true)),
        ("prompt", json!({"id": "pmpt_1"})),
        ("input", json!([{"type": "item_reference", "id": "msg_1"}])),
    ] {
        for is_stream in [false, true] {
            let mut body = json!({"model": "m", "input": "hi", "stream": is_stream});
            body[member] = value.clone();
            let response = foreign.post("/v1/responses", &body).send().await;
            assert_eq!(response.status, 400, "{member}");
            let answer = response.json().await;
            let message = answer["error"]["message"].as_str().unwrap().to_owned();
            let named = if member == "input" {
                "item_reference"
            } else {
                member
            };
            assert!(message.starts_with(&format!("{named}: ")), "{message}");
            assert_eq!(answer["error"]["type"], "invalid_request_error");

            // Nobody could ask for that reply later, wherever it is.
            let due = match member {
                "background" => (400, ""),
                _ => (200, "passthrough"),
            };
            let response = same.post("/v1/responses", &body).send().await;
            assert_eq!(
                (response.status, response.header("x-lingate-lane")),
                due,
                "{member}"
            );
        }
    }
    assert_eq!(chat.requests().len(), 0);
    assert!(own.requests()[0].json()["previous_response_id"] == "resp_1");
}

/// `store: true` is what the SDKs send unasked: the reply is made, and says that it is not kept.
#[tokio::test]
async fn a_reply_that_is_not_kept_says_so() {
    let upstream = Upstream::start(Misbehaviour::Healthy).await;
    let lingate = Lingate::start(&config(&upstream.url(), "anthropic")).await;
    let body = json!({"model": "m", "input": "hi", "store": true});
    let answer = lingate
        .post("/v1/responses", &body)
        .send()
        .await
        .json()
        .await;
    assert_eq!(answer["status"], "completed");
    assert_ne!(answer["store"], true);
    let id = answer["id"].as_str().unwrap();
    let kept = lingate.get(&format!("/v1/responses/{id}")).send().await;
    assert_eq!(kept.status, 404);
    assert!(kept.json().await["error"]["type"].is_string());
}

#[tokio::test]
async fn codex_keeps_the_list_of_models() {
    let lingate = Lingate::start(&config("http://127.0.0.1:1", "chat")).await;
    let path = "/v1/models?client_version=0.169.0";
    let list = lingate.get(path).send().await;
    let tag = list.header("etag").to_owned();
    assert!(tag.starts_with('"') && tag.len() > 10, "{tag}");
    let list = list.json().await;
    let models = list["models"].as_array().unwrap();
    let served = models.iter().find(|model| model["slug"] == "m").unwrap();
    assert_eq!(
        (&served["display_name"], &served["context_window"]),
        (&"Served".into(), &100_000.into())
    );
    for (known, status) in [
        (tag.clone(), 304),
        (format!("W/{tag}"), 304),
        (format!("\"x\", {tag}"), 304),
        ("\"x\"".into(), 200),
    ] {
        let again = lingate
            .get(path)
            .header("if-none-match", &known)
            .send()
            .await;
        assert_eq!(
            (again.status, again.header("etag")),
            (status, tag.as_str()),
            "{known}"
        );
        assert_eq!(again.text().await.is_empty(), status == 304, "{known}");
    }
    let plain = lingate.get("/v1/models").send().await.json().await;
    assert!(plain["data"].is_array() && plain["models"].is_null());
}

/// Codex ends its work on a status that means "later"; in a stream it reads when to come back.
#[tokio::test]
async fn limits_are_told_codex_in_the_stream() {
    // The status of an overload it understands.
    for (misbehaviour, status, told_status) in [
        (Misbehaviour::RateLimited(7), 429, 200),
        (Misbehaviour::Overloaded, 503, 503),
    ] {
        let upstream = Upstream::start(misbehaviour).await;
        let lingate = Lingate::start(&config(&upstream.url(), "chat")).await;
        let ask = |agent: &str| {
            Program::new(&lingate.url, Wire::Responses, true)
                .user("hi")
                .header("user-agent", agent)
        };
        let told = ask(CODEX).ask().await;
        assert_eq!(told.status, told_status, "{misbehaviour:?}: {}", told.raw);
        if told_status == 200 {
            accept(Wire::Responses, &told.raw);
            assert!(told.raw.contains("response.failed"), "{}", told.raw);
            assert!(told.raw.contains("try again in 7s"), "{}", told.raw);
        }
        let sdk = ask("OpenAI/Python 3.1.0").ask().await;
        assert_eq!(sdk.status, status, "{}", sdk.raw);
    }
}

/// Lane 1: what is forwarded is also read. A stream that breaks off ends in the wire's own error.
#[tokio::test]
async fn lane_1_is_observed_and_ended() {
    let upstream = Upstream::start(|request: &Received| match request.n {
        0 => Reply::text("Hello.").answer(request),
        _ => Misbehaviour::CutAfterText.script(request),
    })
    .await;
    let lingate = Lingate::start(&config(&upstream.url(), "responses")).await;
    let ask = || Program::new(&lingate.url, Wire::Responses, true).user("hi");
    let whole = ask().ask().await;
    assert_eq!(
        (whole.lane.as_str(), whole.text.as_str(), whole.usage[2]),
        ("passthrough", "Hello.", 12)
    );
    let metrics = lingate.get("/metrics").send().await.text().await;
    let output = metrics
        .lines()
        .find(|line| line.contains("tokens") && line.contains("output") && line.ends_with(" 12"));
    assert!(output.is_some(), "{metrics}");

    let cut = ask().ask().await;
    assert_eq!((cut.lane.as_str(), cut.status), ("passthrough", 200));
    let last = cut.raw.trim_end().rsplit("\n\n").next().unwrap();
    assert!(
        last.starts_with("event: response.failed") || last.starts_with("event: error"),
        "{}",
        cut.raw
    );
    let number = |event: &str| -> Option<u64> {
        let data = event.lines().find_map(|line| line.strip_prefix("data: "))?;
        serde_json::from_str::<Value>(data).ok()?["sequence_number"].as_u64()
    };
    assert!(number(last) >= Some(1), "{last}");
}

/// Misbehaviours as scripts of their own.
trait Scripted {
    fn script(self, request: &Received) -> Answer;
}

impl Scripted for Misbehaviour {
    fn script(self, request: &Received) -> Answer {
        lingate_testkit::Script::answer(&self, request)
    }
}
