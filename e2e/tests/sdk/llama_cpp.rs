//! A real model: llama.cpp with SmolLM2 behind the gateway, over each wire that it speaks.

use std::time::Duration;

use lingate_e2e::{Gateway, Home, LlamaCpp, Provider};
use lingate_testkit::{Process, Wire};
use serde_json::{Map, Value, json};

use crate::installed::Set;
use crate::run::{compare, results};
use crate::table::{merged, object};

/// The SDKs of the Anthropic and the Chat wire.
const OLDER: &str = "real_model.py";
/// The SDKs of the Responses and the Gemini wire.
const NEWER: &str = "real_model_wires.py";

#[tokio::test(flavor = "multi_thread")]
async fn sdks_talk_to_a_real_model_over_chat() {
    talk(OLDER, Wire::Chat, &older(Wire::Chat)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sdks_talk_to_a_real_model_over_anthropic() {
    talk(OLDER, Wire::Anthropic, &older(Wire::Anthropic)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn newer_sdks_talk_to_a_real_model_over_chat() {
    talk(NEWER, Wire::Chat, &newer(Wire::Chat)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn newer_sdks_talk_to_a_real_model_over_anthropic() {
    talk(NEWER, Wire::Anthropic, &newer(Wire::Anthropic)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn newer_sdks_talk_to_a_real_model_over_responses() {
    talk(NEWER, Wire::Responses, &newer(Wire::Responses)).await;
}

/// A template that tells the model of tools, and the server how it calls them; the model's own knows none. The examples
/// are for the model, which would not call anything of itself.
const TEMPLATE: &str = r#"{%- if tools %}<|im_start|>system
# Tools
<tools>{% for tool in tools %}
{{ tool | tojson }}{% endfor %}
</tools><|im_end|>
{% for n in range(3) %}<|im_start|>user
What is the weather in Paris?<|im_end|>
<|im_start|>assistant
<tool_call>
{"name": "get_weather", "arguments": {"city": "Paris"}}
</tool_call><|im_end|>
{% endfor %}{% endif %}
{%- for message in messages %}<|im_start|>{{ message.role }}
{{ message.content or '' }}{% if message.tool_calls %}{% for call in message.tool_calls %}
<tool_call>
{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}
</tool_call>{% endfor %}{% endif %}<|im_end|>
{% endfor %}
{%- if add_generation_prompt %}<|im_start|>assistant
{% endif %}"#;

/// Runs a script before llama.cpp's endpoint for a wire.
async fn talk(script: &str, wire: Wire, expected: &Map<String, Value>) {
    let home = Home::new();
    let template = home.project("template.jinja");
    std::fs::write(&template, TEMPLATE).unwrap();
    let template = template.to_str().unwrap();
    let mut args = vec!["-c", "4096"];
    if script == NEWER {
        args.extend(["--chat-template-file", template]);
    }
    let (Some(mut command), Some(llama)) = (
        Set::Python.command(&home, script),
        LlamaCpp::start(&home, &args).await,
    ) else {
        return;
    };
    let gateway = Gateway::serve(&home, &Provider::of(wire, &llama.url()).config()).await;
    command
        .env("LINGATE_URL", &gateway.url)
        .env("LINGATE_MODEL", "mock")
        .env("LINGATE_SPEAKS", wire.name());
    let finished = Process::spawn(&mut command)
        .finish(Duration::from_secs(100))
        .await;
    assert_eq!(finished.code, Some(0), "{finished}");
    let label = format!("{script} before llama.cpp over {wire:?}");
    compare(&label, &results(&finished.stdout), expected);
    assert_eq!(gateway.stop().await.code, Some(0));
    drop(llama);
    home.is_quiet().await;
}

fn older(wire: Wire) -> Map<String, Value> {
    let said = |stop| json!({"words": true, "counted": true, "stop": stop});
    let mut expected = object(json!({
        "anthropic_create": said(json!(true)),
        "anthropic_stream": {"words": true, "counted": true, "stop": "max_tokens", "streamed": true},
        "anthropic_count": {"near": true},
        "chat_create": said(json!("length")),
        "chat_stream": {"words": true, "counted": [true], "stop": ["length"], "streamed": true},
    }));
    expected.extend(object(match wire {
        Wire::Chat => json!({
            "anthropic_overflow": {"raised": "BadRequestError", "message": "prompt is too long: "},
            "chat_parse": {"city": "str", "degrees": "int"},
        }),
        _ => json!({
            "chat_overflow": {"raised": "BadRequestError", "code": "context_length_exceeded"},
        }),
    }));
    expected
}

fn newer(wire: Wire) -> Map<String, Value> {
    let call = json!({"name": "get_weather", "arguments": {"city": "Paris"}});
    let with = |more: Value| merged(&call, more);
    // On this wire the server calls every answer complete.
    let (stop, status) = match wire {
        Wire::Responses => ("STOP", json!(["completed", null])),
        _ => ("MAX_TOKENS", json!(["incomplete", "max_output_tokens"])),
    };
    object(json!({
        "responses_create": {"words": true, "counted": true, "stop": status},
        "responses_stream": {"words": true, "counted": true, "stop": status, "streamed": true, "same": true},
        "responses_call": with(json!({"identified": true})),
        "responses_call_streamed": with(json!({"same": true, "last": "response.completed"})),
        "responses_overflow": match wire {
            // What the server says itself goes through as it is.
            Wire::Responses => json!({"raised": "BadRequestError", "message": "exceeds the available context size"}),
            _ => json!({"raised": "BadRequestError", "code": "context_length_exceeded"}),
        },
        "content_create": {"words": true, "counted": true, "stop": stop},
        "content_stream": {"words": true, "counted": true, "stop": stop, "streamed": true},
        "content_call": call,
        "content_call_streamed": with(json!({"calls": 1})),
        "content_count": {"near": true},
        "content_overflow": {"raised": "ClientError", "code": 400, "status": "INVALID_ARGUMENT"},
    }))
}
