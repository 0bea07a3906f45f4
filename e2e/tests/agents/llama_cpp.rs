//! A real model: llama.cpp with SmolLM2 answers Claude Code.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use lingate_e2e::{Claude, Gateway, Home, LlamaCpp, Provider, install};
use lingate_testkit::Process;
use lingate_testkit::client::{get, post};
use serde_json::{Value, json};

/// What the model may say: so small a one otherwise goes on to the token limit, which Claude Code takes for an error.
const SENTENCE: &str = "root ::= [A-Z] [a-z ,']{2,60} [.!?]";

#[tokio::test(flavor = "multi_thread")]
async fn claude_code_talks_to_a_real_model() {
    let (Some(server), Some(model)) = (install::llama_server(), install::smollm2()) else {
        return;
    };
    let home = Home::new();
    let libraries = server
        .parent()
        .expect("the server lies beside its libraries")
        .to_owned();
    // The server has no way to say which port it took: one that was free a moment ago must do.
    let port = TcpListener::bind("127.0.0.1:0")
        .and_then(|free| free.local_addr())
        .expect("a free port")
        .port();
    let mut command = home.command(&server);
    command
        .env("LD_LIBRARY_PATH", libraries)
        .arg("-m")
        .arg(model)
        .args(["--host", "127.0.0.1", "--jinja", "--port"]);
    command.arg(port.to_string()).args([
        "-c",
        "8192",
        "-t",
        "2",
        "-np",
        "1",
        "--temp",
        "0",
        "--grammar",
        SENTENCE,
    ]);
    let mut backend = Process::spawn(&mut command);
    let url = format!("http://127.0.0.1:{port}");
    is_healthy(&mut backend, &url).await;

    let gateway = Gateway::serve(&home, &Provider::chat(&url).config()).await;
    let Some(claude) = Claude::at(&home, &gateway.url) else {
        return;
    };
    let claude = claude.env("CLAUDE_CODE_MAX_OUTPUT_TOKENS", "64");
    let answer = claude
        .args(&["--tools", "", "--system-prompt", "You are brief."])
        .print("Say hello.")
        .await;
    assert_eq!(answer.code, Some(0), "{answer:?}");
    assert!(
        answer.stdout.trim().chars().any(char::is_alphabetic),
        "no words: {answer:?}"
    );
    assert_eq!(gateway.stop().await.code, Some(0));

    drop(backend);
    home.is_quiet().await;
}

async fn is_healthy(backend: &mut Process, url: &str) {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let answer = get(&format!("{url}/health")).try_send().await;
        if answer.is_ok_and(|answer| answer.status == 200) {
            return;
        }
        let alive = backend.runs() && Instant::now() < deadline;
        assert!(
            alive,
            "llama.cpp's server did not get ready: {}",
            backend.stderr()
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// What a client reads of a reply that is not about calls, streamed or not: its text and why it ended.
async fn reply(gateway: &Gateway, model: &str, is_stream: bool) -> (String, String) {
    let schema =
        json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    let body = json!({
        "model": model, "max_tokens": 40, "stream": is_stream, "temperature": 0,
        "messages": [{"role": "user", "content": "Tell me about the sea in three short lines."}],
        "tools": [{"name": "get_weather", "description": "The weather of a city", "input_schema": schema}],
    });
    let response = post(&format!("{}/v1/messages", gateway.url), &body)
        .send()
        .await;
    assert_eq!(response.status, 200);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    if !is_stream {
        let whole = response.json().await;
        let blocks = whole["content"].as_array().into_iter().flatten();
        return (
            blocks.map(|block| text(&block["text"])).collect(),
            text(&whole["stop_reason"]),
        );
    }
    let (mut said, mut stop) = (String::new(), String::new());
    for event in response
        .events()
        .all()
        .await
        .iter()
        .map(|event| event.json())
    {
        said += &text(&event["delta"]["text"]);
        stop += &text(&event["delta"]["stop_reason"]);
    }
    (said, stop)
}

/// Nothing in an ordinary model's answer is Kimi's markup: with the quirk it is the same.
#[tokio::test(flavor = "multi_thread")]
async fn an_idle_text_quirk_changes_nothing() {
    let home = Home::new();
    let Some(llama) = LlamaCpp::start(&home, &["-c", "4096"]).await else {
        return;
    };
    let provider = |name: &str, quirks: &str| {
        format!(
            "[providers.{name}]\nbase_url = \"{}\"\nspeaks = [\"chat\"]\nauth = \"none\"\nquirks = [{quirks}]\n",
            llama.url()
        )
    };
    let config = format!(
        "default = \"plain/smol\"\nfrom_env = false\n\n[server]\nlisten = \"127.0.0.1:0\"\n\n{}{}",
        provider("plain", ""),
        provider("idle", "\"kimi-call-names\", \"kimi-k2-text\""),
    );
    let gateway = Gateway::serve(&home, &config).await;
    for is_stream in [true, false] {
        let plain = reply(&gateway, "plain/smol", is_stream).await;
        let idle = reply(&gateway, "idle/smol", is_stream).await;
        assert_eq!(idle, plain, "streamed: {is_stream}");
        assert!(
            plain.0.chars().any(char::is_alphabetic),
            "no words: {plain:?}"
        );
    }
    assert_eq!(gateway.stop().await.code, Some(0));
    drop(llama);
    home.is_quiet().await;
}
