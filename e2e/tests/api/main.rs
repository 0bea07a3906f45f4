//! The API against its own description: requests of every kind that it allows and that it does not, by schemathesis.
//!
//! Nothing may be a server's error, and every answer has to be one that is described. `LINGATE_API_CASES` says how many
//! requests each operation gets; a thousand find what forty do not, and take a quarter of an hour.

use std::path::Path;
use std::time::Duration;

use lingate_e2e::{Gateway, Home, Provider, install};
use lingate_testkit::client::{get, post};
use lingate_testkit::{Misbehaviour, Process, Upstream};
use serde_json::json;

/// Requests of each operation, where nobody says otherwise.
const CASES: &str = "40";

const LIMIT: Duration = Duration::from_secs(1800);

/// A client key, and its hash as the configuration has it.
const KEY: &str = "let-me-in";
const KEYS: &str = r#"
[keys.operator]
secret = "sha256:a3ee786b5707c27d42570785081ec17f5c7db9262a01366af362a1aa61a420b9"
"#;

#[tokio::test(flavor = "multi_thread")]
async fn the_api_is_what_it_says_it_is() {
    let home = Home::new();
    let Some(python) = install::api_tests() else {
        return;
    };
    let upstream = Upstream::start(Misbehaviour::Healthy).await;
    let config = Provider::chat(&upstream.url()).config();
    let config = config.replace("[server]\n", "[server]\nadmin_keys = [\"operator\"]\n");
    let gateway = Gateway::serve(&home, &format!("{config}{KEYS}")).await;
    fill(&gateway.url).await;

    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("api");
    let cases = std::env::var("LINGATE_API_CASES").unwrap_or_else(|_| CASES.to_owned());
    let mut command = home.command(&python);
    command
        .env("PYTHONPATH", install::packages("sdk-api"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("NO_PROXY", "127.0.0.1")
        .args([
            "-c",
            "import schemathesis.cli; schemathesis.cli.schemathesis()",
        ])
        .arg("--config-file")
        .arg(folder.join("schemathesis.toml"))
        .arg("run")
        .arg(format!("{}/api/openapi.json", gateway.url))
        .args(["-H", &format!("x-lingate-key: {KEY}")])
        // These have no end, or are the gateway's.
        .args([
            "--exclude-path",
            "/api/tail",
            "--exclude-path",
            "/api/lease",
        ])
        .args([
            "--exclude-path",
            "/api/stop",
            "--exclude-path",
            "/api/default",
        ])
        .args(["--checks", "all", "--max-examples", &cases, "--seed", "1"])
        // It guesses at keys, which is stopped; who may ask what is tested with the gateway.
        .args(["--exclude-checks", "ignored_auth"])
        .args([
            "--phases",
            "examples,coverage,fuzzing",
            "--continue-on-failure",
        ])
        .args([
            "--request-timeout",
            "30",
            "--no-color",
            "--suppress-health-check",
            "all",
        ]);
    let finished = Process::spawn(&mut command).finish(LIMIT).await;
    println!("{}", finished.stdout);
    assert_eq!(finished.code, Some(0), "{finished}");
    let health = get(&format!("{}/health", gateway.url)).send().await;
    assert_eq!(health.status, 200, "it runs as before");
    assert!(!gateway.log().contains("panicked"), "{}", gateway.log());
    gateway.stop().await;
}

/// Puts exchanges of several kinds into the record.
async fn fill(url: &str) {
    for number in 0..12 {
        let path = ["/v1/messages", "/v1/chat/completions"][number % 2];
        let model = if number == 5 {
            "nobody/serves-this"
        } else {
            "mock"
        };
        let body = json!({
            "model": model,
            "max_tokens": 9,
            "stream": number % 3 == 0,
            "messages": [{"role": "user", "content": format!("hello {number}")}],
        });
        let request = post(&format!("{url}{path}"), &body)
            .header("x-lingate-key", KEY)
            .header(
                "x-claude-code-session-id",
                &format!("session-{}", number / 4),
            );
        request.send().await.bytes().await;
    }
    let listed = async {
        loop {
            let listed = get(&format!("{url}/api/logs"))
                .header("x-lingate-key", KEY)
                .send()
                .await
                .json()
                .await;
            if listed["total"].as_u64() >= Some(12) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(20), listed).await;
    waited.expect("what was asked is recorded");
}
