//! Messages of hosts of Kimi K2, as people have reported them (K1 to K17): what clients of both wires get, streamed and whole.
//!
//! Where nothing but thoughts came in the report, an answer stands beside them: without one it would be no reply at all.

use lingate_testkit::{Answer, Received, Upstream};
use lingate_wire::Wire;
use serde_json::{Value, json};

use crate::harness::Lingate;
use crate::said::{CLIENTS, Said, asks, plain, said};

/// What a host sends, and what is made of it.
struct Row {
    message: Value,
    finish: Value,
    tools: Value,
    thinking: &'static str,
    text: &'static str,
    calls: Value,
}

impl Default for Row {
    fn default() -> Self {
        Self {
            message: Value::Null,
            finish: json!("stop"),
            tools: json!({"lookup": ["term"]}),
            thinking: "",
            text: "",
            calls: json!([]),
        }
    }
}

/// The message whole, or in one chunk.
fn answer(message: &Value, finish: &Value, is_stream: bool) -> Answer {
    let usage = json!({"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12});
    let mut message = message.clone();
    message["role"] = json!("assistant");
    if !is_stream {
        let choice = json!({"index": 0, "message": message, "finish_reason": finish});
        let body = json!({"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage});
        return Answer::json(200, &body);
    }
    // A stream without any reason is another matter: how it ends is not told at all.
    let finish = if finish.is_null() {
        &json!("stop")
    } else {
        finish
    };
    if message["content"].is_null() {
        message.as_object_mut().unwrap().remove("content");
    }
    for (index, call) in message["tool_calls"]
        .as_array_mut()
        .into_iter()
        .flatten()
        .enumerate()
    {
        call["index"] = json!(index);
    }
    let chunk = |choices: Value, usage: Value| {
        let body = json!({"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices, "usage": usage});
        format!("data: {body}\n\n")
    };
    Answer::sse([
        chunk(
            json!([{"index": 0, "delta": message, "finish_reason": null}]),
            Value::Null,
        ),
        chunk(
            json!([{"index": 0, "delta": {}, "finish_reason": finish}]),
            Value::Null,
        ),
        chunk(json!([]), usage),
        "data: [DONE]\n\n".to_owned(),
    ])
}

async fn lingate(upstream: &Upstream, group: &str) -> Lingate {
    let file = format!(
        "default = \"up/kimi-k2\"\n[providers.up]\nbase_url = \"{}\"\nspeaks = [\"chat\"]\nauth = \"none\"\nquirks = [\"{group}\"]\n",
        upstream.url()
    );
    Lingate::start(&file).await
}

/// A request with these tools: their names, and the names of their arguments.
fn asking(wire: Wire, is_stream: bool, tools: &Value) -> Value {
    let history = [json!({"role": "user", "content": "Go on."})];
    let mut body = asks(wire, is_stream, &history, &[]);
    let tools = tools.as_object().unwrap().iter().map(|(name, arguments)| {
        let arguments = arguments.as_array().unwrap();
        let properties: Value = arguments
            .iter()
            .map(|name| (name.as_str().unwrap().to_owned(), json!({})))
            .collect();
        let schema = json!({"type": "object", "properties": properties, "required": arguments});
        match wire {
            Wire::Anthropic => json!({"name": name, "input_schema": schema}),
            _ => json!({"type": "function", "function": {"name": name, "parameters": schema}}),
        }
    });
    let tools: Value = tools.collect();
    match tools.as_array().unwrap().is_empty() {
        true => drop(body.as_object_mut().unwrap().remove("tools")),
        false => body["tools"] = tools,
    }
    body
}

async fn check_with(group: &str, clients: &[(Wire, &str)], row: Row) {
    let (message, finish) = (row.message.clone(), row.finish.clone());
    let script = move |request: &Received| answer(&message, &finish, request.streams());
    let upstream = Upstream::start(script).await;
    let lingate = lingate(&upstream, group).await;
    for &(wire, path) in clients {
        for is_stream in [false, true] {
            let body = asking(wire, is_stream, &row.tools);
            let response = lingate.post(path, &body).send().await;
            let Said {
                thinking,
                text,
                calls,
                stop,
                ..
            } = said(wire, is_stream, response).await;
            let what = format!("{wire}, streamed: {is_stream}: {}", row.message);
            assert_eq!(
                (thinking.as_str(), text.as_str()),
                (row.thinking, row.text),
                "{what}"
            );
            let calls: Value = calls
                .iter()
                .map(|(name, input)| json!([name, input]))
                .collect();
            assert_eq!(calls, row.calls, "{what}");
            let expected = if row.calls == json!([]) {
                "end_turn"
            } else {
                "tool_use"
            };
            assert_eq!(plain(&stop), expected, "{what}");
        }
    }
}

async fn check(row: Row) {
    check_with("kimi-k2", &CLIENTS, row).await;
}

/// A message with one structured call.
fn calling(name: Value, arguments: Value) -> Value {
    json!({"content": null, "tool_calls": [{"id": "call_0", "type": "function", "function": {"name": name, "arguments": arguments}}]})
}

#[tokio::test]
async fn k1_a_section_without_an_end_in_reasoning() {
    let reasoning = "  (no content)(no content) <|tool_calls_section_begin|> <|tool_call_begin|> functions.Grep:6 \
        <|tool_call_argument_begin|> {\"pattern\":\"test query\",\"output_mode\":\"content\",\"-n\":true} <|tool_call_end|> \
        <|tool_call_begin|> functions.Grep:7 <|tool_call_argument_begin|> \
        {\"pattern\":\"hello\",\"output_mode\":\"content\",\"-i\":true} <|tool_call_end|>";
    check(Row {
        message: json!({"reasoning": reasoning, "content": "", "tool_calls": null}),
        tools: json!({"Grep": ["pattern"]}),
        calls: json!([
            ["Grep", {"pattern": "test query", "output_mode": "content", "-n": true}],
            ["Grep", {"pattern": "hello", "output_mode": "content", "-i": true}],
        ]),
        ..Row::default()
    })
    .await;
}

#[tokio::test]
async fn k2_k3_a_call_in_content_however_it_ends() {
    let section = "<|tool_calls_section_begin|> <|tool_call_begin|> functions.lookup:42 <|tool_call_argument_begin|> \
        {\"term\":\"express\"} <|tool_call_end|> <|tool_calls_section_end|>";
    let bare = "Let me search for that.     <|tool_call_begin|>    functions.lookup:42  <|tool_call_argument_begin|>   \
        {\"term\":\"express\"}   <|tool_call_begin|>  ";
    for (content, text) in [(section, ""), (bare, "Let me search for that.")] {
        check(Row {
            message: json!({"content": content}),
            text,
            calls: json!([["lookup", {"term": "express"}]]),
            ..Row::default()
        })
        .await;
    }
}

#[tokio::test]
async fn k4_thoughts_that_end_in_content() {
    let content = "(no content)(no content)  Let me break down... </think>   The answer is 42.";
    let row = Row {
        message: json!({"content": content}),
        thinking: "Let me break down...",
        text: "The answer is 42.",
        ..Row::default()
    };
    check_with("kimi-k2-implicit", &CLIENTS, row).await;
}

#[tokio::test]
async fn k5_k6_k9_k10_reasoning_under_every_name_and_with_stray_tags() {
    for (reasoning, thinking) in [
        (
            json!({"reasoning": "<thinking>This is my thought</thinking> Let's do this."}),
            "This is my thought Let's do this.",
        ),
        (
            json!({"reasoning": "Let me check </think> update provider"}),
            "Let me check  update provider",
        ),
        (json!({"reasoning": "I am thinking"}), "I am thinking"),
        (
            json!({"reasoning_details": [{"type": "reasoning.text", "text": "Thinking via details"}]}),
            "Thinking via details",
        ),
    ] {
        let mut message = reasoning;
        message["content"] = json!("Yes.");
        // A Chat client gets the members of a host that is right otherwise as they came.
        let row = Row {
            message,
            thinking,
            text: "Yes.",
            ..Row::default()
        };
        check_with("kimi-k2", &CLIENTS[..1], row).await;
    }
}

#[tokio::test]
async fn k7_k8_debris_of_calls_goes() {
    check(Row {
        message: json!({"content": "Searching now.<tool_call>Web<tool_call>mcp__per"}),
        text: "Searching now.",
        ..Row::default()
    })
    .await;
    check(Row {
        message: json!({"content": "Let me search.<tool_call>search", "reasoning": "Thinking about searching"}),
        thinking: "Thinking about searching",
        text: "Let me search.",
        ..Row::default()
    })
    .await;
}

#[tokio::test]
async fn k11_to_k14_numbers_for_names() {
    let weather = json!({"get_weather": ["location"], "get_stock_price": ["symbol"]});
    for (name, arguments, tools, expected) in [
        (
            json!(15),
            json!({"location": "San Francisco"}),
            weather.clone(),
            "get_weather",
        ),
        (
            json!("15"),
            json!({"location": "San Francisco"}),
            weather.clone(),
            "get_weather",
        ),
        // Both would do.
        (
            json!("99"),
            json!({"id": "123"}),
            json!({"tool_a": ["id"], "tool_b": ["id"]}),
            "99",
        ),
        // None is known.
        (json!(15), json!({"id": "123"}), json!({}), "15"),
    ] {
        check(Row {
            message: calling(name, json!(arguments.to_string())),
            finish: json!("tool_calls"),
            tools,
            calls: json!([[expected, arguments]]),
            ..Row::default()
        })
        .await;
    }
    let reasoning = "<|tool_calls_section_begin|><|tool_call_begin|>15<|tool_call_argument_begin|>{\"location\": \"New York\"}\
        <|tool_call_end|><|tool_calls_section_end|>";
    check(Row {
        message: json!({"reasoning": reasoning, "content": ""}),
        tools: weather,
        calls: json!([["get_weather", {"location": "New York"}]]),
        ..Row::default()
    })
    .await;
}

#[tokio::test]
async fn k15_k16_odd_arguments_and_no_finish_reason() {
    let object = calling(json!("lookup"), json!({"query": "docs"}));
    let mut without_id = calling(json!("lookup"), json!("{\"query\": \"docs\"}"));
    without_id["tool_calls"][0]
        .as_object_mut()
        .unwrap()
        .remove("id");
    let nothing = calling(json!("lookup"), Value::Null);
    for (message, finish, input) in [
        (object, Value::Null, json!({"query": "docs"})),
        (without_id, json!("tool_calls"), json!({"query": "docs"})),
        (nothing, json!("tool_calls"), json!({})),
    ] {
        check(Row {
            message,
            finish,
            calls: json!([["lookup", input]]),
            ..Row::default()
        })
        .await;
    }
}

/// Half an object (K16) or none (K17) is asked for once more; a client that ran it would run something else.
#[tokio::test]
async fn k16_k17_arguments_that_are_no_json() {
    for broken in ["{", "{invalid json", "[not valid json"] {
        for (is_mended, status) in [(true, 200), (false, 502)] {
            let script = move |request: &Received| {
                let is_good = is_mended && request.n % 2 == 1;
                let arguments = if is_good { "{\"term\":\"x\"}" } else { broken };
                let message = calling(json!("lookup"), json!(arguments));
                answer(&message, &json!("tool_calls"), request.streams())
            };
            let upstream = Upstream::start(script).await;
            let lingate = lingate(&upstream, "kimi-k2").await;
            for (n, (wire, path)) in CLIENTS.into_iter().enumerate() {
                let body = asking(wire, false, &json!({"lookup": ["term"]}));
                let response = lingate.post(path, &body).send().await;
                assert_eq!(response.status, status, "{broken} to {wire}");
                if is_mended {
                    let said = said(wire, false, response).await;
                    assert_eq!(said.calls, [("lookup".to_owned(), json!({"term": "x"}))]);
                }
                assert_eq!(upstream.requests().len(), 2 * (n + 1), "{broken} to {wire}");
            }
        }
    }
}
