//! Everything around the exchanges: probes, unknown paths, foreign pages, keys, limits.

use lingate_testkit::client::{self, Request};
use lingate_testkit::{Misbehaviour, Upstream};
use serde_json::{Value, json};

use crate::harness::{Lingate, messages};

#[tokio::test]
async fn probes_are_answered_without_cors_headers() {
    let lingate = Lingate::start("").await;
    let cases = [
        ("HEAD", "/", 200),
        ("GET", "/", 200),
        ("HEAD", "/api/hello", 200),
        ("OPTIONS", "/v1/messages", 204),
        ("OPTIONS", "/anything", 204),
        ("GET", "/health", 200),
        ("HEAD", "/health", 200),
        ("GET", "/healthz", 200),
        ("GET", "/readyz", 200),
        ("GET", "/metrics", 200),
    ];
    for (method, path, status) in cases {
        let request = Request::new(method.parse().unwrap(), &format!("{}{path}", lingate.url));
        let response = request.send().await;
        assert_eq!(response.status, status, "{method} {path}");
        for (name, _) in &response.headers {
            assert!(
                !name.as_str().starts_with("access-control-"),
                "{method} {path}: {name}"
            );
        }
    }
    let batch = lingate
        .post("/api/event_logging/batch", &json!({"events": []}))
        .send()
        .await;
    assert_eq!((batch.status, batch.text().await.as_str()), (200, "{}"));
    let health = lingate.get("/health").send().await.json().await;
    assert_eq!(
        (&health["status"], &health["service"]),
        (&"ok".into(), &"lingate".into())
    );
}

#[tokio::test]
async fn unknown_paths_and_methods_speak_the_wires_language() {
    let lingate = Lingate::start("").await;
    let response = lingate.get("/v1/nothing").send().await;
    assert_eq!(response.status, 404);
    assert_eq!(response.json().await["error"]["type"], "not_found_error");
    let response = lingate
        .post("/v1/responses/x/cancel", &json!({}))
        .send()
        .await;
    assert_eq!(response.status, 404);
    assert!(response.json().await["error"]["message"].is_string());
    let response = lingate.get("/v1/messages").send().await;
    assert_eq!((response.status, response.header("allow")), (405, "POST"));
    assert_eq!(response.json().await["type"], "error");
    let metrics = lingate.get("/metrics").send().await.text().await;
    assert!(
        metrics.contains("lingate_unknown_endpoints_total 2"),
        "{metrics}"
    );
}

#[tokio::test]
async fn bad_requests_say_what_was_wrong() {
    let lingate = Lingate::start("").await;
    let post = |content_type: &str, body: &str| {
        Request::new(
            "POST".parse().unwrap(),
            &format!("{}/v1/messages", lingate.url),
        )
        .header("content-type", content_type)
        .body(body.to_owned())
    };
    let cases = [
        ("", "JSON"),
        ("{", "JSON"),
        (
            r#"{"model":"a","model":"b","messages":[]}"#,
            "`model` occurs twice",
        ),
        (r#"{"messages":[]}"#, "model"),
        (r#"{"model":"m"}"#, "messages"),
        (r#"{"model":7,"messages":[]}"#, "model"),
    ];
    for (body, part) in cases {
        let response = post("application/json", body).send().await;
        assert_eq!(
            (response.status, response.header("x-should-retry")),
            (400, "false"),
            "{body}"
        );
        let error = response.json().await;
        assert_eq!(error["error"]["type"], "invalid_request_error", "{body}");
        assert!(
            error["error"]["message"].as_str().unwrap().contains(part),
            "{part} in {error}"
        );
    }
    let form = post("text/plain", "x=1").send().await;
    assert_eq!(form.status, 415);
}

#[tokio::test]
async fn an_unknown_model_names_the_nearest() {
    let lingate = Lingate::start(
        r#"
        [providers.up]
        base_url = "http://127.0.0.1:1"
        speaks = ["chat"]
        [models.kimi-latest]
        targets = ["up/kimi"]
        "#,
    )
    .await;
    let mut body = messages(false);
    body["model"] = "kimi-lates".into();
    let response = lingate.post("/v1/messages", &body).send().await;
    assert_eq!(response.status, 404);
    let error = response.json().await;
    assert_eq!(error["error"]["type"], "not_found_error");
    assert!(
        error["error"]["message"]
            .as_str()
            .unwrap()
            .contains("kimi-latest"),
        "{error}"
    );
}

#[tokio::test]
async fn foreign_hosts_and_pages_reach_nothing() {
    let upstream = Upstream::start(Misbehaviour::Healthy).await;
    let lingate = Lingate::to_chat(&upstream.url()).await;
    let cases = [
        ("host", "evil.test", 421),
        ("host", "localhost.evil.test", 421),
        ("origin", "https://evil.test", 403),
        ("origin", "null", 403),
        ("sec-fetch-site", "cross-site", 403),
    ];
    for (name, value, status) in cases {
        for path in [
            "/v1/messages",
            "/v1/models",
            "/health",
            "/metrics",
            "/",
            "/nothing",
        ] {
            let request = lingate.post(path, &messages(false)).header(name, value);
            assert_eq!(
                request.send().await.status,
                status,
                "{path} with {name}: {value}"
            );
        }
    }
    assert!(upstream.requests().is_empty());
    let metrics = lingate.get("/metrics").send().await.text().await;
    assert!(
        metrics.contains("lingate_refused_sources_total 30"),
        "{metrics}"
    );
}

#[tokio::test]
async fn client_keys_are_asked_once_configured() {
    let upstream = Upstream::start(Misbehaviour::Healthy).await;
    // The hash is that of `let-me-in`.
    let lingate = Lingate::start(&format!(
        r#"
        default = "up/m"
        [providers.up]
        base_url = "{}"
        speaks = ["chat"]
        [keys.alice]
        secret = "sha256:{}"
        models = ["claude-*"]
        "#,
        upstream.url(),
        LET_ME_IN
    ))
    .await;
    let ask = |name: &str, value: &str| {
        lingate
            .post("/v1/messages", &messages(false))
            .header(name, value)
    };
    let response = lingate.post("/v1/messages", &messages(false)).send().await;
    assert_eq!(response.status, 401);
    assert_eq!(
        response.json().await["error"]["type"],
        "authentication_error"
    );
    assert_eq!(ask("x-api-key", "wrong").send().await.status, 401);
    for (name, value) in [
        ("x-api-key", "let-me-in"),
        ("x-lingate-key", "let-me-in"),
        ("x-goog-api-key", "let-me-in"),
        ("authorization", "Bearer let-me-in"),
    ] {
        assert_eq!(ask(name, value).send().await.status, 200, "{name}");
    }
    let mut body = messages(false);
    body["model"] = "gpt-5".into();
    let response = lingate
        .post("/v1/messages", &body)
        .header("x-api-key", "let-me-in")
        .send()
        .await;
    assert_eq!(response.status, 403);
    assert_eq!(lingate.get("/v1/models").send().await.status, 401);
    assert_eq!(lingate.get("/health").send().await.status, 200);
    for request in upstream.requests() {
        assert!(!request.text().contains("let-me-in"));
    }
}

const LET_ME_IN: &str = "a3ee786b5707c27d42570785081ec17f5c7db9262a01366af362a1aa61a420b9";

#[tokio::test]
async fn too_large_a_body_is_refused_before_it_is_read() {
    let lingate = Lingate::start("[server]\nmax_body = \"1KiB\"").await;
    let mut body = messages(false);
    body["system"] = "x".repeat(2_000).into();
    let response = lingate.post("/v1/messages", &body).send().await;
    assert_eq!(response.status, 413);
    assert_eq!(response.json().await["error"]["type"], "request_too_large");
    // Announced but never sent: the answer must not wait for it.
    let address = lingate.url.trim_start_matches("http://");
    let head = "POST /v1/messages HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
                content-length: 99999999\r\n\r\n";
    let answer = client::raw(address, head.as_bytes(), std::time::Duration::from_secs(2)).await;
    assert!(
        answer.starts_with(b"HTTP/1.1 413"),
        "{}",
        answer.escape_ascii()
    );
}

#[tokio::test]
async fn only_the_owner_ends_the_gateway() {
    let lingate = Lingate::start("").await;
    let stop = |instance: &str| {
        lingate
            .post("/api/stop", &json!({}))
            .header("x-lingate-instance", instance)
    };
    assert_eq!(
        lingate.post("/api/stop", &json!({})).send().await.status,
        403
    );
    assert_eq!(stop("guess").send().await.status, 403);
    assert_eq!(lingate.get("/health").send().await.status, 200);
    let answer: Value = stop(&lingate.instance).send().await.json().await;
    assert_eq!(answer["status"], "stopping");
    let mut tries = 0;
    while lingate.get("/health").try_send().await.is_ok() {
        tries += 1;
        assert!(tries < 1000, "it still listens");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}
