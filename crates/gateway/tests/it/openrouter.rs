//! OpenRouter's options as they are sent, on each of its wires.

use lingate_testkit::{Received, Reply, Upstream};
use serde_json::{Value, json};

use crate::harness::{Lingate, completions, messages};

const NAMED: [(&str, &str); 6] = [
    ("OPENROUTER_API_KEY", "sk-or-1"),
    ("OPENROUTER_PROVIDERS", "moonshotai,groq"),
    ("OPENROUTER_ORDER", "moonshotai"),
    ("OPENROUTER_SORT", "throughput"),
    ("OPENROUTER_ALLOW_FALLBACKS", "false"),
    ("OPENROUTER_MODEL_SHORTCUT", ":nitro"),
];

async fn sent(entry: &str, path: &str, body: &Value, headers: &[(&str, &str)]) -> Received {
    let upstream =
        Upstream::start(|request: &Received| Reply::text("Hello.").answer(request)).await;
    let config = format!(
        "default = \"openrouter/moonshotai/kimi-k2.6\"\n[providers.openrouter]\napi_key = \"sk-or-1\"\n\
         base_url = \"{}/api\"\nspeaks = [\"chat\", \"anthropic\", \"responses\"]\n{entry}",
        upstream.url()
    );
    let lingate = Lingate::start_with(&config, &NAMED).await;
    let mut request = lingate.post(path, body);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    assert_eq!(request.send().await.status, 200, "{path}");
    upstream.requests().remove(0)
}

fn header(request: &Received, name: &str) -> Option<String> {
    let value = request.headers.get(name)?;
    Some(value.to_str().unwrap().to_owned())
}

#[tokio::test]
async fn options_go_with_every_request() {
    let expected = json!({
        "only": ["moonshotai", "groq"], "order": ["moonshotai"], "sort": "throughput", "allow_fallbacks": false,
    });
    let input = json!({"model": "x", "input": "hello"});
    for (path, body, target) in [
        (
            "/v1/chat/completions",
            completions(true),
            "/api/v1/chat/completions",
        ),
        ("/v1/messages", messages(false), "/api/v1/messages"),
        ("/v1/responses", input, "/api/v1/responses"),
    ] {
        let request = sent("", path, &body, &[]).await;
        assert_eq!(request.path(), target);
        let sent = request.json();
        assert_eq!(sent["provider"], expected, "{path}");
        assert_eq!(sent["model"], "moonshotai/kimi-k2.6:nitro", "{path}");
        assert_eq!(header(&request, "authorization").unwrap(), "Bearer sk-or-1");
        assert_eq!(
            header(&request, "x-openrouter-title").as_deref(),
            Some("lingate"),
            "{path}"
        );
    }
}

/// A conversation is named the same in each of its requests, by nothing that tells who it is.
#[tokio::test]
async fn sessions_are_named() {
    let session = [("x-claude-code-session-id", "session-of-somebody")];
    let path = "/v1/messages";
    let mut names = Vec::new();
    for is_stream in [false, true] {
        let request = sent("", path, &messages(is_stream), &session).await;
        names.push(header(&request, "x-session-id").unwrap());
    }
    assert_eq!(names[0], names[1]);
    assert!(
        names[0].len() == 32 && !names[0].contains("somebody"),
        "{names:?}"
    );
    let other = [("x-claude-code-session-id", "another")];
    let request = sent("", path, &messages(false), &other).await;
    assert_ne!(header(&request, "x-session-id").unwrap(), names[0]);
    let request = sent("", path, &messages(false), &[]).await;
    assert_eq!(header(&request, "x-session-id"), None);
    let own = [("x-session-id", "mine")];
    let request = sent("", "/v1/chat/completions", &completions(false), &own).await;
    let name = header(&request, "x-session-id").unwrap();
    assert!(name.len() == 32 && name != names[0], "{name}");
}

/// What the file says of a member wins, the others stay.
#[tokio::test]
async fn the_file_wins() {
    let entry = "body = { provider = { order = [\"novita\"] } }\nmodel_suffix = \":floor\"";
    let request = sent(entry, "/v1/chat/completions", &completions(false), &[]).await;
    let body = request.json();
    assert_eq!(body["provider"]["order"], json!(["novita"]));
    assert_eq!(body["provider"]["sort"], "throughput");
    assert_eq!(body["model"], "moonshotai/kimi-k2.6:floor");
}
