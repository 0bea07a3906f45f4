//! The official OpenAI SDKs on Responses: Python and TypeScript.

use lingate_testkit::{Wire, anthropic, responses};
use serde_json::{Map, Value, json};

use crate::installed::Set;
use crate::run::Run;
use crate::table::{merged, object};

#[tokio::test(flavor = "multi_thread")]
async fn python_before_responses() {
    check(Set::Python, Wire::Responses).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn python_before_anthropic() {
    check(Set::Python, Wire::Anthropic).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn typescript_before_responses() {
    check(Set::Node, Wire::Responses).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn typescript_before_chat() {
    check(Set::Node, Wire::Chat).await;
}

async fn check(set: Set, wire: Wire) {
    let script = match set {
        Set::Python | Set::Python0x => "responses_sdk.py",
        Set::Node => "responses_sdk.mjs",
    };
    let Some(run) = Run::of(set, script, wire).await else {
        return;
    };
    let mut expected = answers(wire);
    expected.extend(failures(wire));
    run.check(&expected);

    assert_eq!(
        run.about("PATIENTLY").len(),
        1,
        "a refused key is not tried again"
    );
    assert_eq!(run.about("ONCE-LIMITED").len(), 2, "a limit is waited for");
    match wire {
        Wire::Responses => passed_through(&run),
        Wire::Anthropic => over_anthropic(&run),
        Wire::Chat | Wire::Gemini => over_chat(&run),
    }
}

fn answers(wire: Wire) -> Map<String, Value> {
    let (lane, model) = match wire {
        Wire::Responses => ("passthrough", "mock-1"),
        Wire::Anthropic | Wire::Chat | Wire::Gemini => ("translated", "mock"),
    };
    let hello = json!({
        "text": "Hello from the upstream.", "status": "completed", "model": model, "usage": [120, 80, 12, 132],
    });
    let with = |more: Value| merged(&hello, more);
    let calls = json!([["get_weather", {"city": "Paris"}], ["get_weather", {"city": "Rome"}]]);
    let parsed = json!({"parsed": {"city": "Paris", "degrees": 21}});
    let note = "two\nlines \"as they are\"";
    let thought = "The user wants the weather.";
    object(json!({
        "create": with(json!({"object": "response", "kinds": ["message"]})),
        "create_text_only": hello,
        "create_raw": {"headers": [lane, "scripted", "1"]},
        "stream": with(json!({"same": true, "streamed": true, "in_order": true, "kinds": [
            "created", "in_progress", "output_item.added", "content_part.added", "output_text.delta", "output_text.done",
            "content_part.done", "output_item.done", "completed",
        ]})),
        "stream_helper": with(json!({"done": ["Hello from the upstream."]})),
        "tools_in_parallel": {
            "status": "completed", "said": "Let me look.", "calls": calls, "ids_differ": true, "text": "It is sunny, rainy.",
        },
        "tools_streamed": {"status": "completed", "calls": calls, "done": [{"city": "Paris"}, {"city": "Rome"}]},
        "reasoning_goes_round": {
            "kinds": ["reasoning", "function_call"], "thought": thought, "sealed": true,
            "calls": [["get_weather", {"city": "Paris"}]], "text": "It is sunny.",
        },
        "reasoning_streamed": {"thought": thought, "sealed": true, "text": "It is sunny."},
        "free_form_tool": {"kind": "custom_tool_call", "name": "note", "input": note, "text": "It is kept."},
        "free_form_streamed": {"kind": "custom_tool_call", "input": note, "same": true},
        "parse": parsed,
        "parse_streamed": parsed,
        "parse_tool": {"city": "Paris"},
        "media": hello,
        "token_limit": {"text": "Half a sen", "status": "incomplete", "reason": "max_output_tokens"},
        "token_limit_streamed": {"last": "response.incomplete", "reason": "max_output_tokens"},
        "settings": {"calls": [["get_weather", {"city": "Paris"}]]},
        "abandoned": {"first": "word "},
        "concurrent": {"texts": ["Hello from the upstream."]},
        "drip": hello,
        "drip_streamed": hello,
        "limit_is_waited_for": {"text": "Hello from the upstream."},
    }))
}

fn failures(wire: Wire) -> Map<String, Value> {
    let failure = |raised: &str, status: u16, kind: &str, message: &str| json!({"raised": raised, "status_code": status, "type": kind, "message": message, "got": ""});
    let server = |message| failure("InternalServerError", 502, "server_error", message);
    // After the first content there is no status any more.
    let late = |code: &str, message: &str, got: &str| json!({"raised": "response.failed", "code": code, "message": message, "got": got});
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
        Wire::Anthropic => "prompt is too long: 250000 tokens > 200000 maximum",
        Wire::Chat | Wire::Responses | Wire::Gemini => "maximum context length is 131072 tokens",
    };
    let too_long = merged(
        &failure("BadRequestError", 400, "invalid_request_error", maximum),
        json!({"code": "context_length_exceeded"}),
    );
    let died = match wire {
        // The provider's own way to say it.
        Wire::Responses => merged(
            &late("server_error", "The engine died", got),
            json!({"raised": "error"}),
        ),
        Wire::Anthropic | Wire::Chat | Wire::Gemini => late("server_error", "The engine died", got),
    };
    let incomplete = "tool call arguments are incomplete";
    let kept = |member: &str| json!({"raised": "BadRequestError", "status_code": 400, "type": "invalid_request_error", "message": member});
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
        "error-after-text_streamed": died,
        "cut-after-text": server("the connection to the upstream broke"),
        "cut-after-text_streamed": late("server_error", "the connection to the upstream broke", got),
        "html": server("the upstream"),
        "html_streamed": server("the upstream"),
        "truncated-call_streamed": late("server_error", incomplete, ""),
        "wrong_key_is_not_retried": {"raised": "InternalServerError", "status": 502},
        "background": kept("background: "),
        "retrieve": {
            "raised": "NotFoundError", "status_code": 404, "type": "invalid_request_error", "code": "unknown_url",
            "message": "GET /v1/responses/resp_1 is not served here",
        },
    }));
    if matches!(wire, Wire::Chat | Wire::Responses) {
        expected.insert("truncated-call".to_owned(), server(incomplete));
    }
    let kept = match wire {
        // It is the provider's to know what it kept.
        Wire::Responses => json!({"text": "Hello from the upstream.", "status": "completed"}),
        Wire::Anthropic | Wire::Chat | Wire::Gemini => kept("previous_response_id: "),
    };
    expected.insert("kept_by_a_provider".to_owned(), kept);
    expected
}

/// What a Responses provider got: the SDK's words, and its own reasoning back.
fn passed_through(run: &Run) {
    let settings = run.body("KNOBS");
    assert_eq!(settings["instructions"], "Be brief.");
    assert_eq!(settings["input"][0]["role"], "developer");
    assert_eq!(settings["metadata"], json!({"team": "a"}));
    assert_eq!(settings["prompt_cache_key"], "k-1");
    assert_eq!(
        run.body("THINK")["input"][1]["encrypted_content"],
        responses::SEAL
    );
    assert_eq!(
        run.body("FREE-FORM note")["tools"][0]["type"],
        "custom",
        "what is free-form stays that"
    );
    let media = &run.body("SAY what this is")["input"][0]["content"];
    assert_eq!(media[1]["detail"], "low");
    assert_eq!(media[2]["filename"], "page.pdf");
}

/// What an Anthropic provider got: its own signature back out of the client's encrypted content.
fn over_anthropic(run: &Run) {
    let settings = run.body("KNOBS");
    assert_eq!(settings["max_tokens"], 77);
    assert_eq!(settings["temperature"], 0.5);
    let system = settings["system"].to_string();
    assert!(
        system.contains("Be brief.") && system.contains("In English."),
        "{system}"
    );
    let choice = json!({"type": "tool", "name": "get_weather", "disable_parallel_tool_use": true});
    assert_eq!(settings["tool_choice"], choice);

    let format = &run.body("READING")["output_config"]["format"];
    assert_eq!(format["type"], "json_schema");
    assert_eq!(format["schema"]["required"], json!(["city", "degrees"]));

    let media = &run.body("SAY what this is")["messages"][0]["content"];
    assert_eq!(media[1]["source"]["media_type"], "image/png", "{media}");
    let document = media[2]["source"]["data"].as_str().unwrap_or_default();
    assert!(document.starts_with("JVBERi0"), "{media}");

    let thinking = run.body("THINK");
    assert_eq!(thinking["output_config"]["effort"], "high");
    assert_eq!(
        thinking["messages"][1]["content"][0]["signature"],
        anthropic::SEAL
    );
    let tool = &run.body("FREE-FORM note")["tools"][0];
    assert_eq!(
        tool["input_schema"]["required"],
        json!(["input"]),
        "a free-form tool takes one text: {tool}"
    );
}

/// What a Chat provider got.
fn over_chat(run: &Run) {
    let settings = run.body("KNOBS");
    assert_eq!(settings["parallel_tool_calls"], false);
    assert_eq!(settings["max_tokens"], 77, "{settings}");
    let choice = json!({"type": "function", "function": {"name": "get_weather"}});
    assert_eq!(settings["tool_choice"], choice);
    assert_eq!(
        run.body("READING")["response_format"]["type"],
        "json_schema"
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
    assert_eq!(
        run.body("THINK")["messages"][1]["reasoning_content"],
        "The user wants the weather."
    );
}
