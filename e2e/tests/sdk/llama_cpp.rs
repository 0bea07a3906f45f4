//! A real model: llama.cpp with SmolLM2 behind the gateway, over each wire that it speaks.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use lingate_e2e::{Gateway, Home, Provider, install};
use lingate_testkit::Process;
use lingate_testkit::client::get;
use serde_json::json;

use crate::installed::Set;
use crate::run::{compare, results};
use crate::table::object;

#[tokio::test(flavor = "multi_thread")]
async fn sdks_talk_to_a_real_model_over_chat() {
    talk("chat").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sdks_talk_to_a_real_model_over_anthropic() {
    talk("anthropic").await;
}

async fn talk(speaks: &str) {
    let home = Home::new();
    let (Some(mut command), Some((backend, url))) = (
        Set::Python.command(&home, "real_model.py"),
        llama_cpp(&home).await,
    ) else {
        return;
    };
    let provider = Provider {
        base_url: &url,
        speaks,
        more: "",
    };
    let gateway = Gateway::serve(&home, &provider.config()).await;
    command
        .env("LINGATE_URL", &gateway.url)
        .env("LINGATE_MODEL", "mock")
        .env("LINGATE_SPEAKS", speaks);
    let finished = Process::spawn(&mut command)
        .finish(Duration::from_secs(100))
        .await;
    assert_eq!(finished.code, Some(0), "{finished}");
    let said = |stop| json!({"words": true, "counted": true, "stop": stop});
    let mut expected = object(json!({
        "anthropic_create": said(json!(true)),
        "anthropic_stream": {"words": true, "counted": true, "stop": "max_tokens", "streamed": true},
        "anthropic_count": {"near": true},
        "chat_create": said(json!("length")),
        "chat_stream": {"words": true, "counted": [true], "stop": ["length"], "streamed": true},
    }));
    expected.extend(object(match speaks {
        "chat" => json!({
            "anthropic_overflow": {"raised": "BadRequestError", "message": "prompt is too long: "},
            "chat_parse": {"city": "str", "degrees": "int"},
        }),
        _ => json!({
            "chat_overflow": {"raised": "BadRequestError", "code": "context_length_exceeded"},
        }),
    }));
    compare(
        &format!("llama.cpp over {speaks}"),
        &results(&finished.stdout),
        &expected,
    );
    assert_eq!(gateway.stop().await.code, Some(0));
    drop(backend);
    home.is_quiet().await;
}

/// A ready server and its URL; none where it or its model is not installed.
async fn llama_cpp(home: &Home) -> Option<(Process, String)> {
    let (server, model) = (install::llama_server()?, install::smollm2()?);
    // The server has no way to say which port it took: one that was free a moment ago must do.
    let port = TcpListener::bind("127.0.0.1:0")
        .and_then(|free| free.local_addr())
        .expect("a free port")
        .port();
    let url = format!("http://127.0.0.1:{port}");
    let mut command = home.command(&server);
    command
        .env(
            "LD_LIBRARY_PATH",
            server.parent().expect("libraries lie beside it"),
        )
        .arg("-m")
        .arg(model)
        .args([
            "--host",
            "127.0.0.1",
            "--port",
            &port.to_string(),
            "--jinja",
        ])
        .args(["-c", "4096", "-t", "2", "-np", "1", "--temp", "0"]);
    let mut backend = Process::spawn(&mut command);
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let answer = get(&format!("{url}/health")).try_send().await;
        if answer.is_ok_and(|answer| answer.status == 200) {
            return Some((backend, url));
        }
        assert!(
            backend.runs() && Instant::now() < deadline,
            "llama.cpp's server did not get ready: {}",
            backend.stderr()
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
