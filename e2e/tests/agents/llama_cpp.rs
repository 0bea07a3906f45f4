//! A real model: llama.cpp with SmolLM2 answers Claude Code.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use lingate_e2e::{Claude, Gateway, Home, Provider, install};
use lingate_testkit::Process;
use lingate_testkit::client::get;

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
