//! llama.cpp's own endpoints for three wires, each behind the gateway for clients of all four.

use lingate_e2e::{Gateway, Home, LlamaCpp, Provider};
use lingate_testkit::Wire;
use lingate_testkit::client::post;
use serde_json::{Value, json};

/// A question in a client's wire, and where the answer's text is, whole and in one event of a stream.
struct Client {
    wire: Wire,
    path: &'static str,
    streamed: &'static str,
    body: Value,
    whole: &'static str,
    piece: &'static str,
    /// What the last event holds.
    end: &'static str,
}

fn clients() -> [Client; 4] {
    let user = json!([{"role": "user", "content": "Say hello."}]);
    [
        Client {
            wire: Wire::Anthropic,
            path: "/v1/messages",
            streamed: "/v1/messages",
            body: json!({"model": "mock", "max_tokens": 16, "messages": user}),
            whole: "/content/0/text",
            piece: "/delta/text",
            end: "message_stop",
        },
        Client {
            wire: Wire::Chat,
            path: "/v1/chat/completions",
            streamed: "/v1/chat/completions",
            body: json!({"model": "mock", "max_tokens": 16, "messages": user}),
            whole: "/choices/0/message/content",
            piece: "/choices/0/delta/content",
            end: "[DONE]",
        },
        Client {
            wire: Wire::Responses,
            path: "/v1/responses",
            streamed: "/v1/responses",
            body: json!({"model": "mock", "max_output_tokens": 16, "input": user, "store": false}),
            whole: "/output/0/content/0/text",
            piece: "/delta",
            end: "\"response.",
        },
        Client {
            wire: Wire::Gemini,
            path: "/v1beta/models/mock:generateContent",
            streamed: "/v1beta/models/mock:streamGenerateContent?alt=sse",
            body: json!({"contents": [{"role": "user", "parts": [{"text": "Say hello."}]}],
                "generationConfig": {"maxOutputTokens": 16}}),
            whole: "/candidates/0/content/parts/0/text",
            piece: "/candidates/0/content/parts/0/text",
            end: "finishReason",
        },
    ]
}

/// The text of a stream, and its last event.
fn read(stream: &str, piece: &str) -> (String, String) {
    let events: Vec<&str> = stream
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .collect();
    let text = events
        .iter()
        .filter_map(|event| {
            let event: Value = serde_json::from_str(event).ok()?;
            Some(event.pointer(piece)?.as_str()?.to_owned())
        })
        .collect();
    (
        text,
        events
            .last()
            .map(|event| (*event).to_owned())
            .unwrap_or_default(),
    )
}

async fn check(upstream: Wire) {
    let home = Home::new();
    let Some(llama) = LlamaCpp::start(&home, &["-c", "4096"]).await else {
        return;
    };
    let gateway = Gateway::serve(&home, &Provider::of(upstream, &llama.url()).config()).await;
    for client in clients() {
        let label = format!("{:?} before llama.cpp's {upstream:?}", client.wire);
        let url = |path: &str| format!("{}{path}", gateway.url);
        let answer = post(&url(client.path), &client.body).send().await;
        let status = answer.status;
        let body = answer.json().await;
        let text = body.pointer(client.whole).and_then(Value::as_str);
        assert_eq!(status, 200, "{label}: {body}");
        assert!(
            text.is_some_and(|text| text.chars().any(char::is_alphabetic)),
            "{label}: {body}"
        );

        let mut asked = client.body.clone();
        if client.wire != Wire::Gemini {
            asked["stream"] = true.into();
        }
        let stream = post(&url(client.streamed), &asked)
            .send()
            .await
            .text()
            .await;
        let (streamed, last) = read(&stream, client.piece);
        // Nothing is random: the same question has the same answer.
        assert_eq!(Some(streamed.as_str()), text, "{label}: {stream}");
        assert!(last.contains(client.end), "{label}: {stream}");
    }
    assert_eq!(gateway.stop().await.code, Some(0));
    drop(llama);
    home.is_quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn chat_answers_every_client() {
    check(Wire::Chat).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_answer_every_client() {
    check(Wire::Anthropic).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn responses_answer_every_client() {
    check(Wire::Responses).await;
}
