//! Google's Gen AI SDKs on the Gemini wire: Python and TypeScript.

use lingate_testkit::{Wire, anthropic, gemini};
use serde_json::{Map, Value, json};

use crate::installed::Set;
use crate::run::Run;
use crate::table::{merged, object};

#[tokio::test(flavor = "multi_thread")]
async fn python_before_gemini() {
    check(Set::Python, Wire::Gemini).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn python_before_chat() {
    check(Set::Python, Wire::Chat).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn typescript_before_gemini() {
    check(Set::Node, Wire::Gemini).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn typescript_before_anthropic() {
    check(Set::Node, Wire::Anthropic).await;
}

async fn check(set: Set, wire: Wire) {
    let script = match set {
        Set::Python | Set::Python0x => "genai_sdk.py",
        Set::Node => "genai_sdk.mjs",
    };
    let Some(run) = Run::of(set, script, wire).await else {
        return;
    };
    let mut expected = answers(wire);
    expected.extend(failures(set, wire));
    run.check(&expected);

    assert_eq!(run.about("ONCE-LIMITED").len(), 2, "a limit is waited for");
    match wire {
        Wire::Gemini => passed_through(&run),
        Wire::Anthropic => over_anthropic(&run),
        Wire::Chat | Wire::Responses => over_chat(&run),
    }
}

fn answers(wire: Wire) -> Map<String, Value> {
    let (lane, model) = match wire {
        Wire::Gemini => ("passthrough", "mock-1"),
        Wire::Anthropic | Wire::Chat | Wire::Responses => ("translated", "mock"),
    };
    let hello = json!({
        "text": "Hello from the upstream.", "stop": "STOP", "model": model, "usage": [120, 80, 12, 132],
    });
    let with = |more: Value| merged(&hello, more);
    let calls = json!([["get_weather", {"city": "Paris"}], ["get_weather", {"city": "Rome"}]]);
    let parsed = json!({"parsed": {"city": "Paris", "degrees": 21}});
    let thought = "The user wants the weather.";
    // A thought without a signature has nothing that had to come back.
    let signed = true;
    object(json!({
        "create": hello,
        "create_raw": {"headers": [lane, "scripted", "1"]},
        "stream": with(json!({"streamed": true})),
        "tools_in_parallel": {"calls": calls, "text": "It is sunny, rainy."},
        "tools_streamed": {"calls": calls, "stop": "STOP"},
        "thinking_goes_round": {
            "thought": thought, "signed": signed, "calls": [["get_weather", {"city": "Paris"}]], "text": "It is sunny.",
        },
        "thinking_in_a_chat": {"thought": thought, "signed": signed, "text": "It is sunny."},
        "functions_called": {"seen": ["Paris", "Rome"], "text": "It is sunny, rainy."},
        "functions_called_streamed": {"seen": ["Paris", "Rome"], "text": "Let me look.It is sunny, rainy."},
        "functions_called_while_thinking": {"seen": ["Paris"], "text": "It is sunny."},
        "parse": parsed,
        "parse_json_schema": parsed,
        "count_tokens": {"plausible": true},
        "listing": {"listed": true, "name": "models/mock", "shown": "Scripted model", "input": 200_000},
        "media": hello,
        "token_limit": {"text": "Half a sen", "stop": "MAX_TOKENS"},
        "settings": {"calls": [["get_weather", {"city": "Paris"}]]},
        "abandoned": {"first": "word "},
        "concurrent": {"texts": ["Hello from the upstream."]},
        "drip": hello,
        "drip_streamed": hello,
        "limit_is_waited_for": {"text": "Hello from the upstream."},
    }))
}

fn failures(set: Set, wire: Wire) -> Map<String, Value> {
    let class = |python: &'static str| match set {
        Set::Node => "ApiError",
        Set::Python | Set::Python0x => python,
    };
    let failure = |raised: &'static str, code: u16, status: &str, message: &str| json!({"raised": class(raised), "code": code, "status": status, "message": message, "got": ""});
    let server = |message: &str| failure("ServerError", 502, "INTERNAL", message);
    // What passes through has the words of the scripted provider.
    let told = |status| {
        if wire == Wire::Gemini {
            "UNKNOWN"
        } else {
            status
        }
    };
    let late = |message: &str, got: &str| merged(&server(message), json!({ "got": got }));
    let got = match wire {
        Wire::Anthropic => "Hello from ",
        Wire::Chat | Wire::Responses => "Hello from the ",
        Wire::Gemini => "Hello from the upstre",
    };
    let refused = server("provider `scripted` refuses the gateway's credential");
    let busy = failure(
        "ServerError",
        503,
        told("UNAVAILABLE"),
        "currently overloaded",
    );
    let limited = failure("ClientError", 429, told("RESOURCE_EXHAUSTED"), "max RPM: 3");
    let maximum = match wire {
        Wire::Anthropic => "(250000) exceeds the maximum number of tokens allowed (200000)",
        Wire::Gemini => "The input token count (250000) exceeds the maximum number",
        Wire::Chat | Wire::Responses => {
            "(250000) exceeds the maximum number of tokens allowed (131072)"
        }
    };
    let too_long = failure("ClientError", 400, "INVALID_ARGUMENT", maximum);
    let died = failure("ServerError", 500, told("INTERNAL"), "The engine died");
    let died_late = match wire {
        // The provider's own way to say it.
        Wire::Gemini => merged(&died, json!({ "got": got, "status": "INTERNAL" })),
        Wire::Anthropic | Wire::Chat | Wire::Responses => late("The engine died", got),
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
        "error-after-text": died,
        "error-after-text_streamed": died_late,
        "cut-after-text": server("the connection to the upstream broke"),
        "cut-after-text_streamed": late("the connection to the upstream broke", got),
        "html": server("the upstream"),
        "html_streamed": server("the upstream"),
        "embeddings": {
            "raised": class("ClientError"), "code": 404, "status": "NOT_FOUND", "message": "is not served here",
        },
    }));
    let incomplete = "tool call arguments are incomplete";
    if matches!(wire, Wire::Chat | Wire::Responses) {
        expected.insert("truncated-call".to_owned(), server(incomplete));
    }
    if wire != Wire::Gemini {
        expected.insert("truncated-call_streamed".to_owned(), server(incomplete));
    }
    expected
}

/// What a Gemini provider got: the SDK's words, and its own signature back.
fn passed_through(run: &Run) {
    let settings = run.body("KNOBS");
    let generation = &settings["generationConfig"];
    assert_eq!(
        (generation["topK"].as_f64(), &generation["seed"]),
        (Some(3.0), &json!(7))
    );
    let choice = json!({"mode": "ANY", "allowedFunctionNames": ["get_weather"]});
    assert_eq!(settings["toolConfig"]["functionCallingConfig"], choice);
    let history = run.body("THINK");
    assert!(history.to_string().contains(gemini::SEAL), "{history}");
    // In Python a member of it is in snake case.
    let document = run.body("SAY what this is")["contents"][0]["parts"][2].to_string();
    assert!(document.contains("\"application/pdf\""), "{document}");
}

/// What an Anthropic provider got: its own signature back out of the client's thought signature.
fn over_anthropic(run: &Run) {
    let settings = run.body("KNOBS");
    assert_eq!(settings["system"][0]["text"], "Be brief.");
    assert_eq!(settings["max_tokens"], 77);
    assert_eq!(
        (&settings["temperature"], &settings["top_k"]),
        (&json!(0.5), &json!(3))
    );
    assert_eq!(settings["stop_sequences"], json!(["END"]));
    assert_eq!(
        settings["tool_choice"],
        json!({"type": "tool", "name": "get_weather"})
    );
    // Gemini's way of a schema that allows null.
    let city = &settings["tools"][0]["input_schema"]["properties"]["city"];
    assert!(
        city.to_string().contains("null") && city["nullable"].is_null(),
        "{city}"
    );
    let format = &run.body("READING")["output_config"]["format"];
    assert_eq!(format["schema"]["required"], json!(["city", "degrees"]));
    let media = &run.body("SAY what this is")["messages"][0]["content"];
    assert_eq!(media[1]["source"]["media_type"], "image/png", "{media}");
    let history = &run.body("THINK")["messages"];
    assert_eq!(
        history[1]["content"][0]["signature"],
        anthropic::SEAL,
        "{history}"
    );
}

/// What a Chat provider got.
fn over_chat(run: &Run) {
    let settings = run.body("KNOBS");
    assert_eq!(
        settings["messages"][0],
        json!({"role": "system", "content": "Be brief."})
    );
    assert_eq!(settings["stop"], json!(["END"]));
    let choice = json!({"type": "function", "function": {"name": "get_weather"}});
    assert_eq!(settings["tool_choice"], choice);
    let media = &run.body("SAY what this is")["messages"][0]["content"];
    let picture = media[1]["image_url"]["url"].as_str().unwrap_or_default();
    assert!(
        picture.starts_with("data:image/png;base64,iVBORw0KGgo"),
        "{media}"
    );
    assert_eq!(
        run.body("THINK")["messages"][1]["reasoning_content"],
        "The user wants the weather."
    );
}
