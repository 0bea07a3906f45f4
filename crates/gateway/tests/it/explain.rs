//! An explanation says what is really sent: each is compared with what a scripted provider received.

use bytestring::ByteString;
use http::{HeaderMap, HeaderValue};
use lingate_config::{Config, FixedEnvironment, LoadOptions};
use lingate_gateway::{Outgoing, Reason, explain};
use lingate_testkit::{Reply, Upstream};
use lingate_wire::Wire;
use lingate_wire::bridge::Lane;
use serde_json::{Value, json};

use crate::harness::{Lingate, completions, messages};

fn config(file: &str) -> Config {
    let config = Config::from_text(
        Some("lingate.toml".into()),
        file,
        &LoadOptions::default(),
        &FixedEnvironment::new([]),
    );
    config.unwrap_or_else(|problems| panic!("{problems}"))
}

fn file(url: &str, speaks: &str, more: &str) -> String {
    format!(
        "default = \"up/served\"\n[providers.up]\nbase_url = \"{url}\"\nspeaks = [\"{speaks}\"]\n\
         api_key = \"sk-canary\"\nheaders = {{ x-own = \"own-canary\" }}\n{more}"
    )
}

fn explained(file: &str, wire: Wire, body: &Value, headers: HeaderMap) -> Outgoing {
    let body = ByteString::from(body.to_string());
    let explanation = explain(&config(file), wire, &body, None, headers).unwrap();
    assert_eq!(explanation.candidates.len(), 1);
    let first = explanation.candidates.into_iter().next().unwrap();
    first.outgoing.unwrap()
}

/// Sends a request for real and compares; what the explanation says of lane and reasons.
async fn check(wire: Wire, speaks: &str, more: &str, body: &Value, lane: Lane, reasons: &[Reason]) {
    let upstream = Upstream::start(|request: &_| Reply::text("hi").answer(request)).await;
    let file = file(&upstream.url(), speaks, more);
    let lingate = Lingate::start(&file).await;
    let path = match wire {
        Wire::Anthropic => "/v1/messages",
        Wire::Chat | Wire::Responses | Wire::Gemini => "/v1/chat/completions",
    };
    let sent = lingate.post(path, body).header("user-agent", "agent/1");
    assert_eq!(sent.send().await.status, 200);
    let received = upstream.requests().remove(0);

    let mut headers = HeaderMap::new();
    headers.insert("user-agent", HeaderValue::from_static("agent/1"));
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    let outgoing = explained(&file, wire, body, headers);
    let name = format!("{wire} to {speaks} {more}");
    assert_eq!(outgoing.body, received.body, "{name}");
    assert_eq!(
        outgoing.plan.url,
        Some(format!("{}{}", upstream.url(), received.target)),
        "{name}"
    );
    assert_eq!(outgoing.plan.lane, lane, "{name}");
    assert_eq!(outgoing.plan.reasons, reasons, "{name}");
    for (header, value) in &outgoing.headers {
        let really = received.headers.get(header);
        assert!(really.is_some(), "{name}: {header}");
        let really = really.map(HeaderValue::as_bytes);
        match value {
            Some(value) => assert_eq!(really, Some(value.as_bytes()), "{name}: {header}"),
            None => assert!(
                matches!(header.as_str(), "authorization" | "x-api-key" | "x-own"),
                "{name}: {header}"
            ),
        }
    }
    assert!(!format!("{outgoing:?}").contains("canary"), "{outgoing:?}");
}

#[tokio::test]
async fn an_explanation_is_what_is_sent() {
    use Lane::{Passthrough, Translate};
    use Reason::{
        EnsureToolCall, ModelSettings, OtherWire, ProviderBody, TargetBody, ValidateToolCalls,
    };
    let (ask, chat) = (messages(false), completions(true));
    check(Wire::Anthropic, "anthropic", "", &ask, Passthrough, &[]).await;
    check(Wire::Anthropic, "chat", "", &ask, Translate, &[OtherWire]).await;
    check(Wire::Chat, "chat", "", &chat, Passthrough, &[]).await;
    check(Wire::Chat, "anthropic", "", &chat, Translate, &[OtherWire]).await;
    let body = "body = { top_k = 3 }";
    check(Wire::Chat, "chat", body, &chat, Translate, &[ProviderBody]).await;
    let own = "[models.gpt-x]\ntemperature = 0.5\ntargets = [{ to = \"up/served\", body = { seed = 1 } }]";
    let reasons = [ModelSettings, TargetBody];
    check(Wire::Chat, "chat", own, &chat, Translate, &reasons).await;
    // Policies look inside only where there are calls to look at.
    let own = "[models.gpt-x]\ntargets = [\"up/served\"]\nensure_tool_call = true\nvalidate_tool_calls = \"repair\"";
    check(Wire::Chat, "chat", own, &chat, Passthrough, &[]).await;
    let mut with_tools = chat.clone();
    with_tools["tools"] = json!([{"type": "function", "function": {"name": "Read"}}]);
    let reasons = [EnsureToolCall, ValidateToolCalls];
    check(Wire::Chat, "chat", own, &with_tools, Translate, &reasons).await;
}

#[test]
fn a_request_that_would_be_refused_says_why() {
    let check = |body: &str, words: &str| {
        let config = config(
            "from_env = false\n[providers.up]\nbase_url = \"http://127.0.0.1:1\"\nspeaks = [\"chat\"]\nauth = \"none\"\n[models.kimi]\ntargets = [\"up/k\"]\n",
        );
        let body = ByteString::from(body);
        let failure = explain(&config, Wire::Anthropic, &body, None, HeaderMap::new());
        let message = failure.unwrap_err().message;
        assert!(message.contains(words), "{message}");
    };
    check("{", "JSON");
    check(
        &json!({"model": "kimy", "max_tokens": 1, "messages": []}).to_string(),
        "did you mean kimi",
    );
}

#[test]
fn what_is_lost_and_what_repairs_is_named() {
    let mut body = messages(true);
    body["top_k"] = json!(5);
    body["tools"] = json!([{
        "name": "look",
        "input_schema": {"type": "object", "properties": {"at": {"type": "string", "format": "uri"}}},
    }]);
    let plain = file("http://127.0.0.1:1", "chat", "");
    let outgoing = explained(&plain, Wire::Anthropic, &body, HeaderMap::new());
    assert_eq!(outgoing.losses, ["top_k"]);
    assert!(outgoing.hits.is_empty(), "{outgoing:?}");

    let kimi = "default = \"moonshot/kimi-k2.6\"\n[providers.moonshot]\napi_key = \"sk-canary\"\n";
    let outgoing = explained(kimi, Wire::Anthropic, &body, HeaderMap::new());
    assert!(outgoing.hits.contains(&"tool-schema"), "{outgoing:?}");
    let applied = |hit: &&str| outgoing.plan.quirks.contains(hit);
    assert!(outgoing.hits.iter().all(applied), "{outgoing:?}");
    assert!(
        outgoing.plan.reasons.contains(&Reason::Repairs),
        "{outgoing:?}"
    );
}
