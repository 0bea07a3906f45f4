//! What is the Responses wire's own: what is kept by a provider, Codex's list of models, and failures told in the stream.

use lingate_testkit::{Answer, Misbehaviour, Received, Reply, Upstream, complaints};
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

/// A tool that runs at its own provider is left out beside others, and named in an error where it is all that was asked for.
#[tokio::test]
async fn hosted_tools_stay_with_their_provider() {
    let search = json!({"type": "web_search"});
    let read = json!({"type": "function", "name": "Read", "parameters": {"type": "object"}});
    for wire in ["anthropic", "chat", "gemini", "responses"] {
        let upstream = Upstream::start(Misbehaviour::Healthy).await;
        let lingate = Lingate::start(&config(&upstream.url(), wire)).await;
        let ask = async |tools: Value| {
            let body = json!({"model": "m", "input": "hi", "store": false, "tools": tools});
            let response = lingate.post("/v1/responses", &body).send().await;
            (response.status, response.json().await)
        };
        let (status, answer) = ask(json!([search])).await;
        if wire == "responses" {
            assert_eq!(status, 200, "{answer}");
            assert_eq!(upstream.requests()[0].json()["tools"], json!([search]));
            continue;
        }
        let message = answer["error"]["message"].as_str().unwrap_or_default();
        assert_eq!(status, 400, "{wire}: {answer}");
        assert!(message.contains("`web_search`"), "{wire}: {message}");
        assert!(upstream.requests().is_empty(), "{wire}");

        let (status, answer) = ask(json!([search, read])).await;
        assert_eq!(status, 200, "{wire}: {answer}");
        let sent = upstream.requests()[0].text();
        assert!(
            sent.contains("Read") && !sent.contains("web_search"),
            "{wire}: {sent}"
        );
    }
}

/// The names of a request's tools, on whichever wire.
fn offered(request: &Received) -> Vec<String> {
    let body = request.json();
    let declared = body["tools"][0]["functionDeclarations"].as_array();
    let tools = declared.or(body["tools"].as_array()).unwrap();
    let name = |tool: &Value| {
        let own = tool["name"].as_str().or(tool["function"]["name"].as_str());
        own.unwrap_or_default().to_owned()
    };
    tools.iter().map(name).collect()
}

/// What Codex asks for has no counterpart elsewhere: tools in a namespace, tools that take any text, words of the
/// developer. Foreign providers see plain tools, and Codex its own again, whole and as `output_item.done`.
#[tokio::test]
async fn what_only_this_wire_has_survives_foreign_ones() {
    const PATCH: &str = "*** Begin Patch\n+\"quoted\"\n*** End Patch\n";
    let agent = |request: &Received| {
        let names = offered(request);
        match request.n {
            0 => Reply::default()
                .call("call_a", &names[0], &json!({"path": "a.rs"}))
                .call("call_b", &names[1], &json!({"input": PATCH})),
            _ => Reply::text("Done."),
        }
        .answer(request)
    };
    for upstream in [Wire::Anthropic, Wire::Chat, Wire::Gemini] {
        for is_stream in [false, true] {
            let what = format!("before {upstream}, streamed: {is_stream}");
            let provider = Upstream::start(agent).await;
            let lingate = Lingate::start(&config(&provider.url(), &upstream.to_string())).await;
            let mut program = Program::new(&lingate.url, Wire::Responses, is_stream);
            let developer = |text: &str| json!({"type": "message", "role": "developer", "content": [{"type": "input_text", "text": text}]});
            program.history.push(developer("FIRST-OF-ALL"));
            let mut program = program.user("Look.");
            program.history.push(developer("A-REMINDER"));
            program.body["instructions"] = "THE-INSTRUCTIONS".into();
            program.body["tools"] = json!([
                {"type": "namespace", "name": "files", "description": "n", "tools": [
                    {"type": "function", "name": "Read", "description": "d", "strict": false,
                     "parameters": {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}}]},
                {"type": "custom", "name": "apply_patch", "description": "Edits files.",
                 "format": {"type": "grammar", "syntax": "lark", "definition": "start: /.+/"}},
            ]);
            let said = program.ask().await;
            assert_eq!(
                (said.status, said.failure.as_deref()),
                (200, None),
                "{what}: {}",
                said.raw
            );
            let call = |kind: &str| {
                let mut items = program.history.iter();
                let found = items.find(|item| item["type"] == kind);
                found
                    .unwrap_or_else(|| panic!("{what}: no {kind}: {}", said.raw))
                    .clone()
            };
            let (read, patch) = (call("function_call"), call("custom_tool_call"));
            assert_eq!(
                (&read["name"], &read["namespace"]),
                (&"Read".into(), &"files".into()),
                "{what}"
            );
            assert_eq!(
                (&patch["name"], &patch["input"]),
                (&"apply_patch".into(), &PATCH.into()),
                "{what}"
            );
            if is_stream {
                // A signature comes as an item of its own.
                let calls = [&read, &patch].map(|call| {
                    let done = r#""type":"response.output_item.done""#;
                    let mut lines = said.raw.lines();
                    lines.any(|line| {
                        line.contains(done) && line.contains(call["id"].as_str().unwrap())
                    })
                });
                assert_eq!(calls, [true, true], "{what}: {}", said.raw);
                assert!(said.raw.contains("event: response.completed"), "{what}");
            }
            for (kind, call) in [
                ("function_call_output", &read),
                ("custom_tool_call_output", &patch),
            ] {
                let output = json!({"type": kind, "call_id": call["call_id"], "output": format!("{kind} it is")});
                program.history.push(output);
            }
            assert_eq!(program.ask().await.text, "Done.", "{what}");

            for request in provider.requests() {
                let (found, text) = (complaints(&request), request.text());
                assert!(found.is_empty(), "{what}: {found:?} in {text}");
                for word in ["THE-INSTRUCTIONS", "FIRST-OF-ALL", "A-REMINDER"] {
                    assert_eq!(text.matches(word).count(), 1, "{what}: {word} in {text}");
                }
                // The reminder stays behind what it reminds of.
                let at = |word: &str| text.find(word);
                assert!(at("Look.") < at("A-REMINDER"), "{what}: {text}");
                for word in ["encrypted_content", "\"store\"", "lg1."] {
                    assert!(!text.contains(word), "{what}: {word} in {text}");
                }
            }
            let last = provider.requests()[1].text();
            for word in ["custom_tool_call_output it is", "Begin Patch"] {
                assert!(last.contains(word), "{what}: {word} in {last}");
            }
        }
    }
}
