//! The official OpenAI SDKs on Chat Completions: Python and TypeScript.

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
async fn typescript_before_chat() {
    check(Set::Node, Wire::Chat).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn typescript_before_anthropic() {
    check(Set::Node, Wire::Anthropic).await;
}

async fn check(set: Set, wire: Wire) {
    let script = match set {
        Set::Python | Set::Python0x => "openai_sdk.py",
        Set::Node => "openai_sdk.mjs",
    };
    let Some(run) = Run::of(set, script, wire).await else {
        return;
    };
    let mut expected = answers(set, wire);
    expected.extend(failures(wire));
    run.check(&expected);

    assert_eq!(
        run.about("PATIENTLY").len(),
        1,
        "a refused key is not tried again"
    );
    assert_eq!(run.about("ONCE-LIMITED").len(), 2, "a limit is waited for");
    match wire {
        Wire::Chat => passed_through(&run),
        Wire::Anthropic | Wire::Responses | Wire::Gemini => translated(&run),
    }
}

fn answers(set: Set, wire: Wire) -> Map<String, Value> {
    let (lane, model) = match wire {
        Wire::Chat => ("passthrough", "mock-1"),
        Wire::Anthropic | Wire::Responses | Wire::Gemini => ("translated", "mock"),
    };
    let hello = json!({
        "text": "Hello from the upstream.", "stop": "stop", "model": model, "usage": [120, 80, 12, 132],
    });
    let with = |more: Value| merged(&hello, more);
    let calls = json!([["get_weather", {"city": "Paris"}], ["get_weather", {"city": "Rome"}]]);
    let parsed = json!({"parsed": {"city": "Paris", "degrees": 21}});
    let mut expected = object(json!({
        "create": with(json!({"object": "chat.completion"})),
        "create_raw": {"headers": [lane, "scripted", "1"]},
        "stream": {
            "text": "Hello from the upstream.", "usage": [[120, 12]], "stop": ["stop"], "objects": ["chat.completion.chunk"],
        },
        "tools_in_parallel": {"stop": "tool_calls", "calls": calls, "ids_differ": true, "text": "It is sunny, rainy."},
        "tools_streamed": {"stop": "tool_calls", "calls": calls, "done": calls},
        "reasoning_goes_round": {
            "thought": "The user wants the weather.", "calls": [["get_weather", {"city": "Paris"}]], "text": "It is sunny.",
        },
        "parse": parsed,
        "parse_streamed": parsed,
        "models": {"listed": true, "id": "mock", "object": "model"},
        "media": hello,
        "token_limit": {"text": "Half a sen", "stop": "length"},
        "token_limit_parsed": {"raised": "LengthFinishReasonError"},
        "settings": {"calls": [["get_weather", {"city": "Paris"}]]},
        "abandoned": {"first": "word "},
        "concurrent": {"texts": ["Hello from the upstream."]},
        "drip": hello,
        "drip_streamed": hello,
        "limit_is_waited_for": {"text": "Hello from the upstream."},
    }));
    let ran = json!({"seen": ["Paris", "Rome"], "turns": 2, "text": "It is sunny, rainy."});
    expected.extend(object(match set {
        Set::Node => json!({
            "stream_helper": with(json!({"same": true})),
            "tool_runner": ran,
            "tool_runner_streamed": ran,
        }),
        Set::Python | Set::Python0x => json!({
            "stream_helper": with(json!({"ends": ["content.done"]})),
            "parse_tool": {"city": "Paris"},
            // The scripted provider counts unasked, and what passes through is not touched.
            "stream_without_usage": {"counted": wire == Wire::Chat},
        }),
    }));
    expected
}

fn failures(wire: Wire) -> Map<String, Value> {
    let failure = |raised: &str, status: u16, kind: &str, message: &str| json!({"raised": raised, "status_code": status, "type": kind, "message": message, "got": ""});
    let server = |message| failure("InternalServerError", 502, "server_error", message);
    // After the first content there is no status any more.
    let late = |message: &str, got: &str| json!({"raised": "APIError", "type": "server_error", "message": message, "got": got});
    let got = match wire {
        Wire::Chat => "Hello from the ",
        Wire::Anthropic | Wire::Responses | Wire::Gemini => "Hello from ",
    };
    let refused = server("provider `scripted` refuses the gateway's credential");
    let busy = failure(
        "InternalServerError",
        503,
        "overloaded_error",
        "currently overloaded",
    );
    let limited = failure("RateLimitError", 429, "rate_limit_error", "max RPM: 3");
    let maximum = match wire {
        Wire::Chat => "maximum context length is 131072 tokens",
        Wire::Anthropic | Wire::Responses | Wire::Gemini => {
            "prompt is too long: 250000 tokens > 200000 maximum"
        }
    };
    let too_long = merged(
        &failure("BadRequestError", 400, "invalid_request_error", maximum),
        json!({"code": "context_length_exceeded"}),
    );
    let incomplete = "tool call arguments are incomplete";
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
        "error-after-text": failure("InternalServerError", 500, "server_error", "The engine died"),
        "error-after-text_streamed": late("The engine died", got),
        "cut-after-text": server("the connection to the upstream broke"),
        "cut-after-text_streamed": late("the connection to the upstream broke", got),
        "html": server("the upstream"),
        "html_streamed": server("the upstream"),
        "truncated-call_streamed": late(incomplete, ""),
        "wrong_key_is_not_retried": {"raised": "InternalServerError", "status": 502},
        "embeddings": {
            "raised": "NotFoundError", "status_code": 404, "type": "not_found_error",
            "message": "POST /v1/embeddings is not served here",
        },
    }));
    if wire == Wire::Chat {
        expected.insert("truncated-call".to_owned(), server(incomplete));
    }
    expected
}

/// What an Anthropic provider got.
fn translated(run: &Run) {
    let settings = run.body("KNOBS");
    assert_eq!(settings["system"][0]["text"], "Be brief.");
    assert_eq!(settings["max_tokens"], 77);
    assert_eq!(settings["temperature"], 0.5);
    assert_eq!(settings["stop_sequences"], json!(["END"]));
    assert_eq!(settings["metadata"], json!({"user_id": "u-1"}));
    let choice = json!({"type": "tool", "name": "get_weather", "disable_parallel_tool_use": true});
    assert_eq!(settings["tool_choice"], choice);

    let format = &run.body("READING")["output_config"]["format"];
    assert_eq!(format["type"], "json_schema");
    assert_eq!(format["schema"]["required"], json!(["city", "degrees"]));

    let media = &run.body("SAY what this is")["messages"][0]["content"];
    assert_eq!(media[1]["source"]["media_type"], "image/png", "{media}");
    let document = media[2]["source"]["data"].as_str().unwrap_or_default();
    assert!(document.starts_with("JVBERi0"), "{media}");
    assert_eq!(run.body("THINK")["output_config"]["effort"], "high");
}

/// What a Chat provider got: the SDK's words.
fn passed_through(run: &Run) {
    let settings = run.body("KNOBS");
    assert_eq!(settings["messages"][0]["role"], "developer");
    assert_eq!(settings["messages"][1]["name"], "ada");
    assert_eq!(
        (&settings["seed"], &settings["user"]),
        (&json!(7), &json!("u-1"))
    );
    let media = &run.body("SAY what this is")["messages"][0]["content"];
    assert_eq!(media[1]["image_url"]["detail"], "low");
    assert_eq!(media[2]["file"]["filename"], "page.pdf");
}
