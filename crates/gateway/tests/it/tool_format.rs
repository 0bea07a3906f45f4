//! `tool_format = "xml"` through the running gateway: a model whose host knows nothing of tools runs a tool.

use lingate_testkit::{Answer, Received, Reply, Upstream};
use lingate_wire::Wire;
use serde_json::{Value, json};

use crate::harness::{Lingate, completions, events, messages};

/// A host that refuses every member about tools, with a model that calls one and then says what came out.
fn host(request: &Received) -> Answer {
    let body = request.json();
    let has_member = |name: &str| body.get(name).is_some();
    if has_member("tools") || has_member("tool_choice") || request.text().contains("tool_calls") {
        return Answer::json(
            400,
            &json!({"error": {"message": "tools are not supported"}}),
        );
    }
    let last = body["messages"].as_array().unwrap().last().unwrap();
    if last["content"].to_string().contains("<tool_response") {
        return Reply::text("It says: found.").answer(request);
    }
    Reply::text("I look.\n<tool_call>\n<function=look>\n<parameter=n>\n3\n</parameter>\n</function>\n</tool_call>")
        .answer(request)
}

async fn lingate(upstream: &Upstream) -> Lingate {
    let file = format!(
        "default = \"small\"\n[providers.up]\nbase_url = \"{}\"\nspeaks = [\"chat\"]\nauth = \"none\"\n\
         [models.small]\ntargets = [\"up/m\"]\ntool_format = \"xml\"\n",
        upstream.url()
    );
    Lingate::start(&file).await
}

fn schema() -> Value {
    json!({"type": "object", "properties": {"n": {"type": "integer"}}})
}

#[tokio::test]
async fn a_tool_runs_where_the_host_has_none() {
    let upstream = Upstream::start(host).await;
    let lingate = lingate(&upstream).await;
    let mut body = messages(false);
    body["tools"] = json!([{"name": "look", "input_schema": schema()}]);
    let first = lingate.post("/v1/messages", &body).send().await;
    assert!(first.header("x-lingate-quirks").contains("tool-format"));
    let first = first.json().await;
    assert_eq!(first["stop_reason"], "tool_use", "{first}");
    assert_eq!(first["content"][0]["text"], "I look.");
    let call = &first["content"][1];
    assert_eq!(
        (&call["name"], &call["input"]),
        (&json!("look"), &json!({"n": 3}))
    );
    let result = json!({"type": "tool_result", "tool_use_id": call["id"], "content": "found"});
    let history = body["messages"].as_array_mut().unwrap();
    history.push(json!({"role": "assistant", "content": first["content"]}));
    history.push(json!({"role": "user", "content": [result]}));
    let second = lingate
        .post("/v1/messages", &body)
        .send()
        .await
        .json()
        .await;
    assert_eq!(second["content"][0]["text"], "It says: found.", "{second}");
    assert_eq!(second["stop_reason"], "end_turn");
}

#[tokio::test]
async fn streams_and_clients_of_the_same_wire_are_served_too() {
    let upstream = Upstream::start(host).await;
    let lingate = lingate(&upstream).await;
    let mut body = messages(true);
    body["tools"] = json!([{"name": "look", "input_schema": schema()}]);
    let response = lingate.post("/v1/messages", &body).send().await;
    let input: String = events(Wire::Anthropic, response)
        .await
        .iter()
        .filter_map(|event| {
            event.json()["delta"]["partial_json"]
                .as_str()
                .map(str::to_owned)
        })
        .collect();
    assert_eq!(input, r#"{"n":3}"#);

    let mut body = completions(false);
    body["tools"] =
        json!([{"type": "function", "function": {"name": "look", "parameters": schema()}}]);
    let whole = lingate.post("/v1/chat/completions", &body).send().await;
    let whole = whole.json().await;
    let call = &whole["choices"][0]["message"]["tool_calls"][0]["function"];
    assert_eq!(
        (&call["name"], &call["arguments"]),
        (&json!("look"), &json!(r#"{"n":3}"#)),
        "{whole}"
    );
}
