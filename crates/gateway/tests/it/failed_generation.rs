//! A host refuses its own model's call and sends the text along: the client gets the call.

use lingate_testkit::{Answer, Received, Upstream};
use lingate_wire::Wire;
use serde_json::{Value, json};

use crate::harness::{Lingate, completions, events, messages};

/// How the host tells: with a status, or as the first event of a stream that began well.
#[derive(Clone, Copy)]
enum Told {
    ByStatus,
    InStream,
}

async fn host(told: Told, generation: &str) -> Upstream {
    let error = json!({ "error": {
        "message": "Failed to call a function. Please adjust your prompt. See 'failed_generation' for more details.",
        "type": "invalid_request_error",
        "code": "tool_use_failed",
        "failed_generation": generation,
    } });
    Upstream::start(move |_: &Received| match told {
        Told::ByStatus => Answer::json(400, &error),
        Told::InStream => Answer::sse([format!("event: error\ndata: {error}\n\n")]),
    })
    .await
}

async fn lingate(upstream: &Upstream, model: &str) -> Lingate {
    let file = format!(
        "default = \"up/{model}\"\n[providers.up]\nbase_url = \"{}\"\nspeaks = [\"chat\"]\nauth = \"none\"\n\
         quirks = [\"groq\", \"kimi-k2\"]\n",
        upstream.url()
    );
    Lingate::start(&file).await
}

fn asking(is_stream: bool) -> Value {
    let mut body = messages(is_stream);
    let schema =
        json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    body["tools"] = json!([{ "name": "get_weather", "input_schema": schema }]);
    body
}

#[tokio::test]
async fn the_call_is_read_by_the_models_own_format() {
    for (model, generation) in [
        (
            "moonshotai/kimi-k2-instruct-0905",
            "<|tool_call_begin|>functions.get_weather:0<|tool_call_argument_begin|>{\"city\": \"SF\"}",
        ),
        (
            "openai/gpt-oss-120b",
            r#"{"name": "get_weather<|channel|>commentary", "arguments": {"city": "SF"}}"#,
        ),
        (
            "gpt-oss:20b",
            " to=functions.get_weather<|channel|>commentary json<|message|>{\"city\": \"SF\"}<|call|>",
        ),
        (
            "gpt-oss:20b",
            "<|channel|>analysis<|message|>I look.<|end|><|start|>assistant to=functions.get_weather<|channel|>commentary \
             json<|message|>{\"city\": \"SF\"}<|call|>",
        ),
        (
            "openai/gpt-oss-20b",
            "commentary to=functions.get_weather json{\"city\": \"SF\"}",
        ),
        (
            "llama-3.1-8b-instant",
            "```\n{\"tool_calls\": [{\"id\": \"pending\", \"type\": \"function\", \"function\": {\"name\": \"get_weather\"}, \
             \"parameters\": {\"city\": \"SF\"}}]}\n```",
        ),
        (
            "llama-3.3-70b-versatile",
            r#"<function=get_weather{"city": "SF"}</function>"#,
        ),
        (
            "qwen/qwen3-32b",
            r#"<tool_call>{"name": "get_weather", "arguments": {"city": "SF"}}</tool_call>"#,
        ),
    ] {
        let upstream = host(Told::ByStatus, generation).await;
        let lingate = lingate(&upstream, model).await;
        let response = lingate.post("/v1/messages", &asking(false)).send().await;
        assert_eq!(response.status, 200, "{model}");
        let quirks = response.header("x-lingate-quirks").to_owned();
        assert!(quirks.contains("failed-generation"), "{model}: {quirks}");
        let whole = response.json().await;
        let blocks = whole["content"].as_array().unwrap();
        let call = blocks.last().unwrap();
        assert_eq!(
            (&call["name"], &call["input"], &whole["stop_reason"]),
            (
                &json!("get_weather"),
                &json!({"city": "SF"}),
                &json!("tool_use")
            ),
            "{model}: {whole}"
        );
        assert_eq!(upstream.requests().len(), 1, "{model}");
    }
}

/// A stream of these pieces of content, and then the host's refusal of what followed.
async fn streaming_host(said: &'static [&'static str], generation: &'static str) -> Upstream {
    Upstream::start(move |_: &Received| {
        let chunk = |text: &&str| {
            let chunk = json!({ "id": "c", "object": "chat.completion.chunk", "model": "m", "choices": [
                { "index": 0, "delta": { "role": "assistant", "content": text }, "finish_reason": null }
            ] });
            format!("data: {chunk}\n\n")
        };
        let error = json!({ "error": { "message": "Failed to call a function.", "code": "tool_use_failed",
            "type": "invalid_request_error", "failed_generation": generation } });
        let error = format!("event: error\ndata: {error}\n\n");
        Answer::sse(said.iter().map(chunk).chain([error]).collect::<Vec<_>>())
    })
    .await
}

#[tokio::test]
async fn what_came_before_is_not_said_again() {
    const CALL: &str = "<function=get_weather{\"city\": \"SF\"}</function>";
    let check = async |said: &'static [&'static str],
                       generation: &'static str,
                       text: Option<&str>| {
        let upstream = streaming_host(said, generation).await;
        let lingate = lingate(&upstream, "llama-3.3-70b-versatile").await;
        let response = lingate.post("/v1/messages", &asking(true)).send().await;
        assert_eq!(response.status, 200);
        let events = events(Wire::Anthropic, response).await;
        let joined = |part: &str| -> String {
            let pieces = events.iter().map(|event| event.json());
            let text = |event: Value| event["delta"][part].as_str().map(str::to_owned);
            pieces.filter_map(text).collect()
        };
        let is_broken = events.iter().any(|event| event.json()["type"] == "error");
        assert_eq!(is_broken, text.is_none(), "{generation}: {events:?}");
        if let Some(text) = text {
            assert_eq!(joined("text").trim(), text, "{generation}");
            assert_eq!(joined("partial_json"), r#"{"city": "SF"}"#, "{generation}");
            assert_eq!(joined("stop_reason"), "tool_use", "{generation}");
        }
        assert_eq!(upstream.requests().len(), 1);
        // A client of the same wire, whose stream is copied up to the error.
        let mut body = completions(true);
        body["tools"] = json!([{ "type": "function", "function": { "name": "get_weather",
            "parameters": { "type": "object", "properties": { "city": { "type": "string" } } } } }]);
        let response = lingate.post("/v1/chat/completions", &body).send().await;
        let stream = String::from_utf8(response.bytes().await.to_vec()).unwrap();
        assert_eq!(stream.contains("\"error\""), text.is_none(), "{stream}");
        assert_eq!(stream.contains("data: [DONE]"), text.is_some(), "{stream}");
        assert_eq!(stream.contains("get_weather"), text.is_some(), "{stream}");
        // One that wants it whole.
        let response = lingate.post("/v1/messages", &asking(false)).send().await;
        assert_eq!(response.status, 200, "nothing was shown before the failure");
    };
    let whole: &'static str = concat!(
        "I look.",
        "<function=get_weather{\"city\": \"SF\"}</function>"
    );
    check(&["I ", "look."], whole, Some("I look.")).await;
    check(&["I ", "look.\n"], whole, Some("I look.")).await;
    check(&["I "], whole, Some("I look.")).await;
    check(&["I look."], CALL, Some("I look.")).await;
    check(&["I look.<fun"], CALL, None).await;
    check(&["Other words."], whole, None).await;
}

#[tokio::test]
async fn streams_get_it_too_however_the_host_tells() {
    let generation = "I look.<|tool_call_begin|>functions.get_weather:0<|tool_call_argument_begin|>{\"city\": \"SF\"}";
    for told in [Told::ByStatus, Told::InStream] {
        let upstream = host(told, generation).await;
        let lingate = lingate(&upstream, "moonshotai/kimi-k2-instruct").await;
        let response = lingate.post("/v1/messages", &asking(true)).send().await;
        assert_eq!(response.status, 200);
        let events = events(Wire::Anthropic, response).await;
        let joined = |part: &str| -> String {
            let pieces = events.iter().map(|event| event.json());
            let text = |event: Value| event["delta"][part].as_str().map(str::to_owned);
            pieces.filter_map(text).collect()
        };
        assert_eq!(joined("text"), "I look.");
        assert_eq!(joined("partial_json"), r#"{"city": "SF"}"#);
        assert_eq!(joined("stop_reason"), "tool_use");
    }
    // A client of the same wire.
    let upstream = host(Told::ByStatus, generation).await;
    let lingate = lingate(&upstream, "moonshotai/kimi-k2-instruct").await;
    let mut body = completions(false);
    body["tools"] = json!([{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}]);
    let whole = lingate.post("/v1/chat/completions", &body).send().await;
    let whole = whole.json().await;
    let choice = &whole["choices"][0];
    assert_eq!(choice["finish_reason"], "tool_calls", "{whole}");
    let call = &choice["message"]["tool_calls"][0]["function"];
    assert_eq!(call["arguments"], r#"{"city": "SF"}"#, "{whole}");
}

#[tokio::test]
async fn without_a_call_in_it_the_failure_stays() {
    for generation in ["I cannot.", "<|tool_call_begin|>", "{\"a\": 1}"] {
        let upstream = host(Told::ByStatus, generation).await;
        let lingate = lingate(&upstream, "moonshotai/kimi-k2-instruct").await;
        let response = lingate.post("/v1/messages", &asking(false)).send().await;
        assert!(response.status >= 400, "{generation}: {}", response.status);
        let error = response.json().await;
        let message = error["error"]["message"].as_str().unwrap();
        assert!(
            message.contains("Failed to call a function"),
            "{generation}: {error}"
        );
    }
}
