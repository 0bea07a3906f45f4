//! The official Anthropic SDKs: Python 2.x, its last 0.x, and TypeScript.

use lingate_testkit::Wire;
use serde_json::{Map, Value, json};

use crate::installed::Set;
use crate::run::Run;
use crate::table::{merged, object};

#[tokio::test(flavor = "multi_thread")]
async fn python_before_chat() {
    check(Set::Python, Wire::Chat).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn python_before_anthropic() {
    check(Set::Python, Wire::Anthropic).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn python_0x_before_chat() {
    check(Set::Python0x, Wire::Chat).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn python_0x_before_anthropic() {
    check(Set::Python0x, Wire::Anthropic).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn typescript_before_chat() {
    check(Set::Node, Wire::Chat).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn typescript_before_anthropic() {
    check(Set::Node, Wire::Anthropic).await;
}

async fn check(set: Set, wire: Wire) {
    let script = match set {
        Set::Python | Set::Python0x => "anthropic_sdk.py",
        Set::Node => "anthropic_sdk.mjs",
    };
    let Some(run) = Run::of(set, script, wire).await else {
        return;
    };
    let mut expected = answers(wire);
    expected.extend(failures(set, wire));
    run.check(&expected);

    assert_eq!(
        run.about("PATIENTLY").len(),
        1,
        "a refused key is not tried again"
    );
    assert_eq!(run.about("ONCE-LIMITED").len(), 2, "a limit is waited for");
    match wire {
        Wire::Chat | Wire::Responses | Wire::Gemini => translated(&run),
        Wire::Anthropic => passed_through(&run),
    }
}

fn answers(wire: Wire) -> Map<String, Value> {
    let (lane, model) = match wire {
        Wire::Chat | Wire::Responses | Wire::Gemini => ("translated", "mock"),
        Wire::Anthropic => ("passthrough", "mock-1"),
    };
    // A failed tool is marked in words where the wire has no field for that.
    let failed = match wire {
        Wire::Chat | Wire::Responses | Wire::Gemini => "It is sunny, Error: no such station.",
        Wire::Anthropic => "It is sunny, no such station.",
    };
    let hello = json!({
        "text": "Hello from the upstream.", "blocks": ["text"], "stop": "end_turn", "model": model, "usage": [40, 80, 12],
    });
    let with = |more: Value| merged(&hello, more);
    let calls = json!([["get_weather", {"city": "Paris"}], ["get_weather", {"city": "Rome"}]]);
    let ran = json!({"seen": ["Paris", "Rome"], "turns": 2, "text": "It is sunny, rainy."});
    let parsed = json!({"parsed": {"city": "Paris", "degrees": 21}});
    object(json!({
        "create": with(json!({"has_request_id": true})),
        "create_raw": {"headers": [lane, "scripted", "1"]},
        "stream": with(json!({"same": true, "streamed": true})),
        "stream_events": {"kinds": [
            "message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta", "message_stop",
        ]},
        "thinking_goes_round": {
            "blocks": ["thinking", "tool_use"], "thought": "The user wants the weather.", "signed": true,
            "call": ["get_weather", {"city": "Paris"}], "text": "It is sunny.",
        },
        "tools_in_parallel": {"stop": "tool_use", "calls": calls, "ids_differ": true, "text": failed},
        "tools_streamed": {"stop": "tool_use", "calls": calls, "same": true},
        "tool_runner": ran,
        "tool_runner_streamed": ran,
        "parse": parsed,
        "parse_streamed": parsed,
        "count_tokens": {"plausible": true},
        "models": {"listed": true, "id": "mock", "type": "model", "name": "Scripted model"},
        "media": hello,
        "token_limit": {"text": "Half a sen", "stop": "max_tokens"},
        "settings": {"blocks": ["tool_use"]},
        "abandoned": {"first": "word "},
        "concurrent": {"texts": ["Hello from the upstream."]},
        "drip": hello,
        "drip_streamed": hello,
        "limit_is_waited_for": {"text": "Hello from the upstream."},
    }))
}

fn failures(set: Set, wire: Wire) -> Map<String, Value> {
    let failure = |raised: &str, status: u16, kind: &str, message: &str| json!({"raised": raised, "status_code": status, "type": kind, "message": message, "got": ""});
    let server = |message| failure("InternalServerError", 502, "api_error", message);
    // After the first content there is no status any more: each SDK has a class of its own for that.
    let late = |message: &str, got: &str| {
        let raised = if set == Set::Node {
            "APIError"
        } else {
            "APIStatusError"
        };
        json!({"raised": raised, "type": "api_error", "message": message, "got": got})
    };
    let got = match wire {
        Wire::Chat | Wire::Responses | Wire::Gemini => "Hello from the ",
        Wire::Anthropic => "Hello from ",
    };
    let refused = server("provider `scripted` refuses the gateway's credential");
    let busy = failure(
        "OverloadedError",
        529,
        "overloaded_error",
        "currently overloaded",
    );
    let limited = failure("RateLimitError", 429, "rate_limit_error", "max RPM: 3");
    let too_long = match wire {
        Wire::Chat | Wire::Responses | Wire::Gemini => {
            "prompt is too long: 250000 tokens > 131072 maximum"
        }
        Wire::Anthropic => "prompt is too long: 250000 tokens > 200000 maximum",
    };
    let too_long = failure("BadRequestError", 400, "invalid_request_error", too_long);
    let incomplete = "tool call arguments are incomplete";
    // Without a stream it is an ordinary answer, which passes through as it is.
    let died = match wire {
        Wire::Chat | Wire::Responses | Wire::Gemini => "api_error",
        Wire::Anthropic => "server_error",
    };
    let mut expected = object(json!({
        "wrong-key": refused,
        "wrong-key_streamed": refused,
        "overloaded": busy,
        "overloaded_streamed": busy,
        "limited": limited,
        "limited_streamed": limited,
        "overflow": too_long,
        "overflow_streamed": too_long,
        "error-at-once": server("The engine died"),
        "error-at-once_streamed": server("The engine died"),
        "error-after-text": failure("InternalServerError", 500, died, "The engine died"),
        "error-after-text_streamed": late("The engine died", got),
        "cut-after-text": server("the connection to the upstream broke"),
        "cut-after-text_streamed": late("the connection to the upstream broke", got),
        "html": server("the upstream"),
        "html_streamed": server("the upstream"),
        "truncated-call_streamed": late(incomplete, ""),
        "wrong_key_is_not_retried": {"raised": "InternalServerError", "status": 502},
        "batches": {
            "raised": "NotFoundError", "status_code": 404, "type": "not_found_error",
            "message": "GET /v1/messages/batches is not served here",
        },
    }));
    if wire == Wire::Chat {
        expected.insert("truncated-call".to_owned(), server(incomplete));
    }
    expected
}

/// What a Chat provider got.
fn translated(run: &Run) {
    let settings = run.body("KNOBS");
    assert_eq!(
        settings["messages"][0],
        json!({"role": "system", "content": "Be brief."})
    );
    assert_eq!(settings["temperature"], 0.5);
    assert_eq!(settings["stop"], json!(["END"]));
    assert_eq!(settings["parallel_tool_calls"], false);
    let choice = json!({"type": "function", "function": {"name": "get_weather"}});
    assert_eq!(settings["tool_choice"], choice);

    let format = &run.body("READING")["response_format"];
    assert_eq!(format["type"], "json_schema");
    assert_eq!(
        format["json_schema"]["schema"]["required"],
        json!(["city", "degrees"])
    );

    let media = &run.body("SAY what this is")["messages"][0]["content"];
    let picture = media[1]["image_url"]["url"].as_str().unwrap_or_default();
    assert!(
        picture.starts_with("data:image/png;base64,iVBORw0KGgo"),
        "{media}"
    );
    let document = media[2]["file"]["file_data"].as_str().unwrap_or_default();
    assert!(
        document.starts_with("data:application/pdf;base64,JVBERi0"),
        "{media}"
    );

    let history = &run.body("THINK")["messages"];
    assert_eq!(
        history[1]["reasoning_content"],
        "The user wants the weather."
    );
}

/// What an Anthropic provider got: the SDK's words, and its own signature back.
fn passed_through(run: &Run) {
    let settings = run.body("KNOBS");
    assert_eq!(settings["top_k"], 3);
    assert_eq!(settings["metadata"], json!({"user_id": "u-1"}));
    assert_eq!(settings["system"][0]["cache_control"]["type"], "ephemeral");
    let history = &run.body("THINK")["messages"];
    assert_eq!(history[1]["content"][0]["signature"], "c2NyaXB0ZWQ=");
    assert_eq!(
        run.body("SAY what this is")["messages"][0]["content"][2]["title"],
        "A page"
    );
}
