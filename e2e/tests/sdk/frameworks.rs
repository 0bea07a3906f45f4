//! Frameworks that bring their own translation on top of the SDKs: LangChain and Vercel's AI SDK on all four client wires,
//! pydantic-ai on two.

use lingate_testkit::Wire;
use serde_json::{Map, Value, json};

use crate::installed::Set;
use crate::run::Run;
use crate::table::prefixed;

const ALL: [Wire; 4] = [Wire::Anthropic, Wire::Chat, Wire::Responses, Wire::Gemini];
const HELLO: &str = "Hello from the upstream.";
const REFUSED: &str = "provider `scripted` refuses the gateway's credential";
const BROKE: &str = "the connection to the upstream broke";

#[tokio::test(flavor = "multi_thread")]
async fn langchain_before_chat() {
    langchain(Wire::Chat).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn langchain_before_anthropic() {
    langchain(Wire::Anthropic).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn langchain_before_responses() {
    langchain(Wire::Responses).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn langchain_before_gemini() {
    langchain(Wire::Gemini).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pydantic_ai_before_chat() {
    pydantic_ai(Wire::Chat).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pydantic_ai_before_anthropic() {
    pydantic_ai(Wire::Anthropic).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ai_sdk_before_chat() {
    ai_sdk(Wire::Chat).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ai_sdk_before_anthropic() {
    ai_sdk(Wire::Anthropic).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ai_sdk_before_responses() {
    ai_sdk(Wire::Responses).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ai_sdk_before_gemini() {
    ai_sdk(Wire::Gemini).await;
}

async fn langchain(wire: Wire) {
    // It goes by the words, of which it does not know those of the scripted Chat provider, and not by the code.
    let chat_overflow = match wire {
        Wire::Chat | Wire::Responses | Wire::Gemini => "OpenAIInvalidRequestError",
        Wire::Anthropic => "OpenAIContextOverflowError",
    };
    let table = |client: Wire| {
        let (refused, too_long, broke) = match client {
            Wire::Anthropic => (
                json!({"raised": "AnthropicAPIError", "status_code": 502, "type": "api_error", "message": REFUSED}),
                json!({"raised": "AnthropicContextOverflowError", "status_code": 400, "message": "prompt is too long: 250000 tokens > "}),
                "APIStatusError",
            ),
            Wire::Chat | Wire::Responses => (
                json!({"raised": "OpenAIAPIError", "status_code": 502, "type": "server_error", "message": REFUSED}),
                json!({"raised": chat_overflow, "status_code": 400, "code": "context_length_exceeded"}),
                if client == Wire::Chat {
                    "APIError"
                } else {
                    "ValueError"
                },
            ),
            Wire::Gemini => (
                json!({"raised": "GoogleAPIError", "code": 502, "message": REFUSED}),
                json!({"raised": "GoogleContextOverflowError", "code": 400}),
                "GoogleAPIError",
            ),
        };
        // It reads the counts of a stream from the last event; the scripted provider gives the prompt's in the first.
        let streamed_input = if client == wire && wire == Wire::Anthropic {
            0
        } else {
            120
        };
        json!({
            "invoke": {"text": HELLO, "usage": [120, 12, 132]},
            "stream": {"text": HELLO, "usage": [streamed_input, 12, streamed_input + 12], "streamed": true},
            "stream_async": {"text": HELLO},
            "tools": {"text": "It is sunny, rainy.", "messages": 5},
            "tools_streamed": {
                "text": "Let me look.", "calls": [["get_weather", {"city": "Paris"}], ["get_weather", {"city": "Rome"}]],
            },
            "structured": {"parsed": {"city": "Paris", "degrees": 21}},
            "picture": {"text": HELLO},
            "refused": refused,
            "overflow": too_long,
            "broken": {"raised": broke, "message": BROKE, "got": half(wire)},
        })
    };
    // Its packages take long to load: on the new wires its own client only, foreign ones before the other two.
    let own = [wire];
    let clients: &[Wire] = match wire {
        Wire::Anthropic | Wire::Chat => &ALL,
        Wire::Responses | Wire::Gemini => &own,
    };
    check(Set::Python, "langchain_models.py", wire, clients, table).await;
}

async fn pydantic_ai(wire: Wire) {
    let table = |_| {
        json!({
            "run": {"text": HELLO, "usage": [120, 80, 12]},
            "stream": {"text": HELLO, "streamed": true},
            "tools": {"text": "It is sunny, rainy.", "messages": 4},
            "tools_streamed": {"text": "It is sunny.", "messages": 4},
            "structured": {"parsed": {"city": "Paris", "degrees": 21}},
            "picture": {"text": HELLO},
            "refused": {"raised": "ModelServerError", "status_code": 502, "message": REFUSED},
            "broken": {"raised": "ModelServerError", "message": BROKE, "got": half(wire)},
        })
    };
    let clients = [Wire::Anthropic, Wire::Chat];
    check(Set::Python, "pydantic_agents.py", wire, &clients, table).await;
}

async fn ai_sdk(wire: Wire) {
    let table = |client: Wire| {
        let too_long = match (client, wire) {
            (Wire::Gemini, _) | (Wire::Chat | Wire::Responses, Wire::Gemini) => {
                "The input token count (250000) exceeds the maximum number of tokens allowed"
            }
            (Wire::Chat | Wire::Responses, Wire::Chat | Wire::Responses) => {
                "maximum context length is 131072 tokens"
            }
            _ => "prompt is too long: 250000 tokens > ",
        };
        json!({
            "text": {"text": HELLO, "usage": [120, 80, 12], "stop": "stop"},
            "stream": {"text": HELLO, "usage": [120, 80, 12], "streamed": true},
            "tools": {"text": "It is sunny, rainy.", "steps": 2},
            "tools_streamed": {"text": "It is sunny.", "thought": "The user wants the weather.", "failed": false},
            "object": {"parsed": {"city": "Paris", "degrees": 21}},
            "picture": {"text": HELLO},
            "refused": {"raised": "APICallError", "status_code": 502, "message": REFUSED},
            "overflow": {"raised": "APICallError", "status_code": 400, "message": too_long},
            "broken": {"got": half(wire), "message": BROKE},
        })
    };
    check(Set::Node, "ai_sdk.mjs", wire, &ALL, table).await;
}

async fn check(
    set: Set,
    script: &str,
    wire: Wire,
    clients: &[Wire],
    table: impl Fn(Wire) -> Value,
) {
    let Some(run) = Run::of_clients(set, script, wire, clients).await else {
        return;
    };
    let mut expected = Map::new();
    for client in clients {
        expected.extend(prefixed(client.name(), table(*client)));
    }
    run.check(&expected);

    // The picture as such, whichever wire it came by.
    let pictures = run.about("SAY what this is");
    assert_eq!(
        pictures.len(),
        clients.len(),
        "one picture from each client wire"
    );
    for request in pictures {
        let body = request.json();
        let message = &body["messages"][0]["content"][1];
        let data = match wire {
            Wire::Chat => &message["image_url"]["url"],
            Wire::Anthropic => &message["source"]["data"],
            Wire::Responses => &body["input"][0]["content"][1]["image_url"],
            Wire::Gemini => &body["contents"][0]["parts"][1]["inlineData"]["data"],
        };
        assert!(
            data.as_str().unwrap_or_default().contains("iVBORw0KGgo"),
            "{message}"
        );
    }
}

/// The text that comes before a scripted break.
fn half(wire: Wire) -> &'static str {
    match wire {
        Wire::Chat => "Hello from the ",
        Wire::Gemini => "Hello from the upstre",
        Wire::Anthropic | Wire::Responses => "Hello from ",
    }
}
