//! Rules of hosts and models through the running gateway: what is sent, what comes back, and that each is told where a
//! person looks: in the answer's headers, the metrics, and `explain`.

use bytestring::ByteString;
use http::HeaderMap;
use lingate_config::{Config, FixedEnvironment, LoadOptions};
use lingate_gateway::{Outgoing, explain};
use lingate_testkit::{Answer, Received, Reply, Upstream, chat};
use lingate_wire::Wire;
use serde_json::{Value, json};

use crate::harness::{Lingate, completions, events, messages};

const DOTTED: &str = "files.read";

fn file(url: &str, model: &str, quirks: &str, more: &str) -> String {
    format!(
        "default = \"up/{model}\"\n[providers.up]\nbase_url = \"{url}\"\nspeaks = [\"chat\"]\nauth = \"none\"\n\
         quirks = [{quirks}]\n{more}"
    )
}

fn explained(file: &str, body: &Value) -> Outgoing {
    let environment = FixedEnvironment::new([]);
    let config = Config::from_text(
        Some("lingate.toml".into()),
        file,
        &LoadOptions::default(),
        &environment,
    );
    let config = config.unwrap_or_else(|problems| panic!("{problems}"));
    let body = ByteString::from(body.to_string());
    let explanation = explain(&config, Wire::Anthropic, &body, None, HeaderMap::new()).unwrap();
    explanation
        .candidates
        .into_iter()
        .next()
        .unwrap()
        .outgoing
        .unwrap()
}

/// A request with one tool of this name.
fn asking(name: &str, is_stream: bool) -> Value {
    let mut body = messages(is_stream);
    body["tools"] = json!([{"name": name, "input_schema": {"type": "object", "properties": {}}}]);
    body
}

/// Each rule by what is asked, at a host that needs it; it is told in all places, and for nothing else.
#[tokio::test]
async fn every_kind_of_rule_is_told_everywhere() {
    let plain = asking("look", false);
    let with = |key: &str, value: Value| {
        let mut body = plain.clone();
        body[key] = value;
        body
    };
    let mut many = plain.clone();
    many["tools"] = (0..130)
        .map(|n| json!({"name": format!("t{n}"), "input_schema": {"type": "object", "properties": {}}}))
        .collect();
    let schema = json!([{"name": "look", "input_schema": {"type": "object", "properties": {"a": {"pattern": "x"}}}}]);
    for (quirk, group, model, body) in [
        ("tool-names", "openai", "gpt-4.1", asking(DOTTED, false)),
        ("tool-count", "openai", "gpt-4.1", many),
        (
            "openai-sampling",
            "openai",
            "gpt-5.6",
            with("temperature", json!(0.2)),
        ),
        (
            "openai-effort",
            "openai",
            "gpt-5.2",
            with("output_config", json!({"effort": "max"})),
        ),
        (
            "tool-choice-auto-only",
            "zai",
            "glm-5.3",
            with("tool_choice", json!({"type": "any"})),
        ),
        (
            "deepseek-forced-call",
            "deepseek",
            "deepseek-v4-pro",
            with("tool_choice", json!({"type": "any"})),
        ),
        (
            "minimax-temperature",
            "minimax",
            "MiniMax-M3",
            with("temperature", json!(0)),
        ),
        (
            "grammar-tool-schema",
            "llama-cpp",
            "m",
            with("tools", schema.clone()),
        ),
        (
            "fireworks-tool-schema",
            "fireworks",
            "m",
            with("tools", schema),
        ),
        (
            "kimi-sampling",
            "moonshot",
            "kimi-k2.6",
            with("temperature", json!(0.2)),
        ),
    ] {
        let upstream = Upstream::start(|request: &_| Reply::text("hi").answer(request)).await;
        let file = file(&upstream.url(), model, &format!("\"{group}\""), "");
        let lingate = Lingate::start(&file).await;
        let response = lingate.post("/v1/messages", &body).send().await;
        assert_eq!(response.status, 200, "{quirk}");
        let header = response.header("x-lingate-quirks").to_owned();
        assert!(
            header.split(',').any(|name| name == quirk),
            "{quirk} in {header}"
        );
        drop(response);

        let outgoing = explained(&file, &body);
        assert_eq!(outgoing.hits.join(","), header, "{quirk}");
        assert_eq!(outgoing.body, upstream.requests()[0].body, "{quirk}");
        assert!(outgoing.plan.quirks.contains(&quirk), "{quirk}");
        assert!(
            lingate_quirk::all().any(|known| known.name == quirk),
            "{quirk}"
        );

        let metrics = lingate.get("/metrics").send().await.text().await;
        let line = format!("lingate_quirk_hits_total{{quirk=\"{quirk}\",provider=\"up\"}} 1");
        assert!(metrics.contains(&line), "{line} in {metrics}");

        let idle = lingate.post("/v1/messages", &messages(false)).send().await;
        let idle = idle.header("x-lingate-quirks").to_owned();
        assert!(!idle.contains(quirk), "{quirk} in {idle}");
    }
}

/// The name of the only tool that the upstream was told about.
fn told(request: &Received) -> String {
    request.json()["tools"][0]["function"]["name"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn the_client_gets_its_own_name_of_a_tool_back() {
    let structured = |request: &Received| {
        Reply::default()
            .call("call_1", &told(request), &json!({"a": 1}))
            .answer(request)
    };
    let in_text = |request: &Received| {
        let name = told(request);
        let text = format!(
            "<|tool_calls_section_begin|><|tool_call_begin|>functions.{name}:0<|tool_call_argument_begin|>{{\"a\":1}}<|tool_call_end|><|tool_calls_section_end|>"
        );
        Reply::text(&text).answer(request)
    };
    let openai = Upstream::start(structured).await;
    let kimi = Upstream::start(in_text).await;
    for (upstream, model, group) in [
        (&openai, "gpt-4.1", "openai"),
        (&kimi, "kimi-k2-0905", "kimi-k2"),
    ] {
        let lingate =
            Lingate::start(&file(&upstream.url(), model, &format!("\"{group}\""), "")).await;
        let whole = lingate
            .post("/v1/messages", &asking(DOTTED, false))
            .send()
            .await
            .json()
            .await;
        let call = whole["content"].as_array().unwrap().last().unwrap();
        assert_eq!(
            (&call["type"], &call["name"]),
            (&json!("tool_use"), &json!(DOTTED)),
            "{model}: {whole}"
        );
        let response = lingate
            .post("/v1/messages", &asking(DOTTED, true))
            .send()
            .await;
        let events = events(Wire::Anthropic, response).await;
        let names: Vec<Value> = events
            .iter()
            .map(|event| event.json()["content_block"]["name"].clone())
            .filter(|name| !name.is_null())
            .collect();
        assert_eq!(names, [DOTTED], "{model}");
        assert!(!told(&upstream.requests()[0]).contains('.'));
    }
}

#[tokio::test]
async fn a_client_of_the_same_wire_gets_its_name_back_too() {
    let structured = |request: &Received| {
        Reply::default()
            .call("call_1", &told(request), &json!({"a": 1}))
            .answer(request)
    };
    let upstream = Upstream::start(structured).await;
    let file = file(&upstream.url(), "kimi-k2-0905", "\"kimi-k2\"", "");
    let lingate = Lingate::start(&file).await;
    let asking = |is_stream| {
        let mut body = completions(is_stream);
        body["tools"] = json!([{"type": "function", "function": {"name": DOTTED, "parameters": {"type": "object"}}}]);
        body
    };
    let path = "/v1/chat/completions";
    let whole = lingate.post(path, &asking(false)).send().await.json().await;
    let call = &whole["choices"][0]["message"]["tool_calls"][0];
    assert_eq!(call["function"]["name"], DOTTED, "{whole}");
    let response = lingate.post(path, &asking(true)).send().await;
    let names: Vec<Value> = events(Wire::Chat, response)
        .await
        .iter()
        .filter(|event| event.data.starts_with('{'))
        .map(|event| {
            event.json()["choices"][0]["delta"]["tool_calls"][0]["function"]["name"].clone()
        })
        .filter(|name| !name.is_null())
        .collect();
    assert_eq!(names, [DOTTED]);
    assert!(!told(&upstream.requests()[0]).contains('.'));
}

#[tokio::test]
async fn settings_of_the_model_shape_the_prompt() {
    let upstream = Upstream::start(|request: &_| Reply::text("hi").answer(request)).await;
    let more = "[models.small]\ntargets = [\"up/m\"]\ninstruction = \"Be brief.\"\ninstruction_mode = \"prepend\"\n\
                tools_allowed = [\"lo*\"]\nmax_turns = 1\nmax_tokens_field = \"both\"\ntemperature = 0.5\n";
    let file = file(&upstream.url(), "m", "", more);
    let lingate = Lingate::start(&file).await;
    let tool = |name: &str| json!({"name": name, "input_schema": {"type": "object"}});
    let body = json!({
        "model": "small", "max_tokens": 9, "system": "Follow.", "temperature": 1,
        "tools": [tool("look"), tool("leap")],
        "messages": [
            {"role": "user", "content": "first"},
            {"role": "assistant", "content": "one"},
            {"role": "user", "content": "second"},
        ],
    });
    assert_eq!(lingate.post("/v1/messages", &body).send().await.status, 200);
    let sent = upstream.requests()[0].json();
    assert_eq!(
        sent["messages"],
        json!([{"role": "system", "content": "Be brief.\n\nFollow."}, {"role": "user", "content": "second"}])
    );
    assert_eq!(told(&upstream.requests()[0]), "look");
    assert_eq!(sent["tools"].as_array().unwrap().len(), 1);
    assert_eq!(
        (
            &sent["max_tokens"],
            &sent["max_completion_tokens"],
            &sent["temperature"]
        ),
        (&json!(9), &json!(9), &json!(0.5))
    );
    let outgoing = explained(&file, &body);
    assert_eq!(outgoing.losses, ["tools[1]", "messages[..2]"]);
    assert_eq!(outgoing.body, upstream.requests()[0].body);
    // A client of the upstream's own wire as well: the settings are a reason to look inside.
    let mut own = completions(false);
    own["model"] = json!("small");
    assert_eq!(
        lingate
            .post("/v1/chat/completions", &own)
            .send()
            .await
            .status,
        200
    );
    assert_eq!(
        upstream.requests()[1].json()["messages"][0]["content"],
        "Be brief."
    );
}

#[tokio::test]
async fn a_request_that_says_nothing_is_refused_here() {
    let upstream = Upstream::start(|request: &_| Reply::text("hi").answer(request)).await;
    let lingate = Lingate::start(&file(&upstream.url(), "m", "", "")).await;
    for nothing in [
        json!([]),
        json!([{"role": "user", "content": [{"type": "text", "text": " "}]}]),
    ] {
        let mut body = messages(false);
        body["messages"] = nothing.clone();
        let response = lingate.post("/v1/messages", &body).send().await;
        assert_eq!(response.status, 400, "{nothing}");
        let error = response.json().await;
        assert_eq!(error["error"]["type"], "invalid_request_error");
        let message = error["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains("at least one message"), "{message}");
    }
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn what_a_host_refuses_is_asked_for_otherwise_once() {
    let refuses = |request: &Received| {
        let body = request.json();
        if body["max_tokens"].as_u64() > Some(64) {
            let words =
                "max_tokens: 100 > 64, which is the maximum allowed number of output tokens";
            Answer::json(400, &chat::error("invalid_request_error", words))
        } else if body["thinking"]["type"] == "enabled" && body["tool_choice"] == "required" {
            let words = "Thinking mode does not support this tool_choice";
            Answer::json(400, &chat::error("invalid_request_error", words))
        } else {
            Reply::text("ok").answer(request)
        }
    };
    let upstream = Upstream::start(refuses).await;
    // A host that nobody declared anything for but how it is asked to think.
    let lingate = Lingate::start(&file(&upstream.url(), "m", "\"zai-spelling\"", "")).await;
    let mut body = asking("look", false);
    body["thinking"] = json!({"type": "adaptive"});
    body["tool_choice"] = json!({"type": "any"});
    // What the model can make is learnt, a forced call is about the one request.
    for attempts in ["3", "2"] {
        let response = lingate.post("/v1/messages", &body).send().await;
        assert_eq!(
            (response.status, response.header("x-lingate-attempts")),
            (200, attempts)
        );
        assert_eq!(
            response.header("x-lingate-quirks"),
            "output-limit-retry,forced-call-retry"
        );
    }
    let last = upstream.requests()[2].json();
    assert_eq!(
        (
            &last["max_tokens"],
            &last["thinking"]["type"],
            &last["tool_choice"]
        ),
        (&json!(64), &json!("disabled"), &json!("required"))
    );
    let metrics = lingate.get("/metrics").send().await.text().await;
    let line = "lingate_quirk_hits_total{quirk=\"forced-call-retry\",provider=\"up\"} 2";
    assert!(metrics.contains(line), "{metrics}");
}
