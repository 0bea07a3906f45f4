//! Who may ask what: every path of the route table, over HTTP.
//!
//! A unit test of `front/route.rs` holds every variant of the table to a path; this walks all paths.

use lingate_testkit::client::Request;
use lingate_testkit::{Misbehaviour, Upstream};
use lingate_wire::Wire;
use serde_json::json;

use crate::harness::{Lingate, messages};
use crate::program::Program;

/// Who is served.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Asks {
    Anybody,
    KeyHolders,
    Owner,
    /// The owner, and keys that `server.admin_keys` names.
    Admins,
}

/// Method, path, who is served, and with what.
const ROUTES: &[(&str, &str, Asks, u16)] = &[
    ("POST", "/v1/messages", Asks::KeyHolders, 200),
    ("POST", "/messages", Asks::KeyHolders, 200),
    ("POST", "/v1/v1/messages", Asks::KeyHolders, 200),
    ("POST", "/team/v1/messages", Asks::KeyHolders, 200),
    ("POST", "/v1/messages/count_tokens", Asks::KeyHolders, 200),
    ("POST", "/messages/count_tokens", Asks::KeyHolders, 200),
    (
        "POST",
        "/v1/v1/messages/count_tokens",
        Asks::KeyHolders,
        200,
    ),
    ("POST", "/v1/chat/completions", Asks::KeyHolders, 200),
    ("POST", "/chat/completions", Asks::KeyHolders, 200),
    ("POST", "/v1/responses", Asks::KeyHolders, 200),
    ("POST", "/responses", Asks::KeyHolders, 200),
    (
        "POST",
        "/v1beta/models/m:generateContent",
        Asks::KeyHolders,
        200,
    ),
    (
        "POST",
        "/v1beta/models/m:streamGenerateContent",
        Asks::KeyHolders,
        200,
    ),
    (
        "POST",
        "/v1beta/models/m:countTokens",
        Asks::KeyHolders,
        200,
    ),
    ("GET", "/v1beta/models", Asks::KeyHolders, 200),
    ("GET", "/v1beta/models/hidden-model", Asks::KeyHolders, 200),
    ("GET", "/v1/models", Asks::KeyHolders, 200),
    ("HEAD", "/v1/models", Asks::KeyHolders, 200),
    ("GET", "/v1/v1/models", Asks::KeyHolders, 200),
    ("GET", "/team/v1/models", Asks::KeyHolders, 200),
    ("GET", "/v1/models/hidden-model", Asks::KeyHolders, 200),
    ("GET", "/", Asks::Anybody, 200),
    ("GET", "/api/hello", Asks::Anybody, 200),
    ("POST", "/api/event_logging/batch", Asks::Anybody, 200),
    ("GET", "/health", Asks::Anybody, 200),
    ("GET", "/healthz", Asks::Anybody, 200),
    ("GET", "/readyz", Asks::Anybody, 200),
    ("GET", "/metrics", Asks::KeyHolders, 200),
    ("GET", "/api/default", Asks::Owner, 200),
    ("POST", "/api/default", Asks::Owner, 400),
    ("GET", "/api/logs", Asks::Admins, 200),
    ("HEAD", "/api/logs", Asks::Admins, 200),
    ("GET", "/api/logs/0", Asks::Admins, 404),
    ("GET", "/api/logs/0/summary", Asks::Admins, 404),
    ("GET", "/api/logs/0/blobs/request", Asks::Admins, 404),
    ("GET", "/api/logs/search", Asks::Admins, 200),
    ("GET", "/api/logs/values", Asks::Admins, 200),
    ("GET", "/api/sessions", Asks::Admins, 200),
    ("GET", "/api/sessions/none", Asks::Admins, 404),
    ("GET", "/api/stats", Asks::Admins, 200),
    ("GET", "/api/tail", Asks::Admins, 200),
    ("GET", "/api/livestore/pull", Asks::Admins, 200),
    ("GET", "/api/record", Asks::Admins, 200),
    ("GET", "/api/openapi.json", Asks::Admins, 200),
    ("GET", "/api/providers", Asks::Admins, 200),
    (
        "POST",
        "/api/providers/hidden-provider/drain",
        Asks::Admins,
        200,
    ),
    (
        "POST",
        "/api/providers/hidden-provider/enable",
        Asks::Admins,
        200,
    ),
    ("GET", "/api/reload", Asks::Admins, 200),
    ("POST", "/api/reload", Asks::Admins, 422),
    ("GET", "/api/lease", Asks::Owner, 200),
    // Last: nothing is served behind it.
    ("POST", "/api/stop", Asks::Owner, 200),
];

const KEY: &str = "let-me-in";
const KEY_HASH: &str = "a3ee786b5707c27d42570785081ec17f5c7db9262a01366af362a1aa61a420b9";
/// What an open route may not give away.
const SECRETS: [&str; 7] = [
    "hidden-model",
    "hidden-provider",
    "hidden-holder",
    "sk-hidden",
    KEY,
    KEY_HASH,
    "usd",
];

#[tokio::test]
async fn every_route_serves_its_own_and_nobody_else() {
    let (upstream, lingate) = start().await;
    for (method, path, asks, status) in ROUTES.iter().copied() {
        let what = format!("{method} {path}");
        let nobody = ask(&lingate, method, path).send().await;
        let refused = match asks {
            Asks::Anybody => status,
            Asks::KeyHolders | Asks::Admins => 401,
            Asks::Owner => 403,
        };
        assert_eq!(nobody.status, refused, "{what} by nobody");
        for value in nobody.headers.values() {
            silent(&what, &value.to_str().unwrap_or_default().to_lowercase());
        }
        silent(&what, &nobody.text().await.to_lowercase());

        let before = upstream.requests().len();
        let guess = ask(&lingate, method, path)
            .header("x-api-key", "let-me-inn")
            .header("x-lingate-instance", &lingate.instance[1..]);
        assert_eq!(guess.send().await.status, refused, "{what} by a guess");
        // One class does not stand for the other.
        let (name, value) = match asks {
            Asks::Owner | Asks::Admins => ("x-lingate-key", KEY),
            _ => ("x-lingate-instance", lingate.instance.as_str()),
        };
        let other = ask(&lingate, method, path).header(name, value);
        assert_eq!(
            other.send().await.status,
            if asks == Asks::Admins { 403 } else { refused },
            "{what} by another class"
        );
        assert_eq!(
            upstream.requests().len(),
            before,
            "{what} reached the upstream"
        );

        let (name, value) = match asks {
            Asks::Owner | Asks::Admins => ("x-lingate-instance", lingate.instance.as_str()),
            _ => ("x-lingate-key", KEY),
        };
        let served = ask(&lingate, method, path).header(name, value).send().await;
        assert_eq!(served.status, status, "{what} by those who may");
    }
}

/// Methods and paths that nobody gave to a route do nothing, keys or not.
#[tokio::test]
async fn everything_else_is_refused() {
    let (upstream, lingate) = start().await;
    let paths = ROUTES.iter().map(|(_, path, ..)| *path);
    for path in paths.chain([
        "/v1/messages/batches",
        "/v1/files",
        "/admin",
        "/api",
        "/api/",
        "/.env",
    ]) {
        for method in [
            "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND",
        ] {
            if ROUTES
                .iter()
                .any(|(m, p, ..)| p == &path && (*m == method || method == "HEAD"))
            {
                continue;
            }
            let what = format!("{method} {path}");
            let response = ask(&lingate, method, path)
                .header("x-lingate-key", KEY)
                .send()
                .await;
            let is_refused = matches!(response.status, 204 | 404 | 405);
            assert!(is_refused, "{what}: {}", response.status);
            assert_eq!(response.status == 204, method == "OPTIONS", "{what}");
            silent(&what, &response.text().await.to_lowercase());
        }
    }
    assert!(upstream.requests().is_empty());
}

async fn start() -> (Upstream, Lingate) {
    let upstream = Upstream::start(Misbehaviour::Healthy).await;
    let url = upstream.url();
    let config = format!(
        r#"
        default = "hidden-model"
        [providers.hidden-provider]
        base_url = "{url}"
        speaks = ["chat"]
        api_key = "sk-hidden"
        [models.hidden-model]
        targets = ["hidden-provider/m"]
        [profiles.team]
        default = "hidden-model"
        [keys.hidden-holder]
        secret = "sha256:{KEY_HASH}"
        budget = {{ day = "5 USD" }}
        "#
    );
    (upstream, Lingate::start(&config).await)
}

fn ask(lingate: &Lingate, method: &str, path: &str) -> Request {
    let request = Request::new(method.parse().unwrap(), &format!("{}{path}", lingate.url));
    match method {
        "POST" => {
            let mut body = messages(false);
            let member = match path {
                _ if path.ends_with("/responses") => Some("input"),
                _ if path.contains("/v1beta/") => Some("contents"),
                _ => None,
            };
            if let Some(member) = member {
                body = json!({"model": "m"});
                body[member] =
                    json!([{"role": "user", "content": "hello", "parts": [{"text": "hello"}]}]);
            }
            request
                .header("content-type", "application/json")
                .body(body.to_string())
        }
        _ => request,
    }
}

/// Fails if a text gives something away.
fn silent(what: &str, text: &str) {
    for secret in SECRETS {
        assert!(!text.contains(secret), "{what} says {secret}: {text}");
    }
}

#[tokio::test]
async fn an_unknown_path_is_no_unknown_model() {
    let (_upstream, lingate) = start().await;
    for (path, kind, code) in [
        ("/v1/chat/elsewhere", "invalid_request_error", "unknown_url"),
        ("/v1/completions", "invalid_request_error", "unknown_url"),
        ("/v1/messages/batches", "not_found_error", ""),
        ("/v1/embeddings", "not_found_error", ""),
    ] {
        let response = ask(&lingate, "POST", path).send().await;
        assert_eq!(response.status, 404, "{path}");
        assert_eq!(response.header("x-should-retry"), "false");
        let error = response.json().await["error"].clone();
        assert_eq!(error["type"], kind, "{path}: {error}");
        assert_eq!(error["code"].as_str().unwrap_or_default(), code, "{error}");
        let message = error["message"].as_str().unwrap_or_default();
        assert!(message.contains(path), "{message}");
    }
}

#[tokio::test]
async fn since_when_it_runs_is_told_to_the_second() {
    let (_upstream, lingate) = start().await;
    let health = lingate.get("/health").send().await.json().await;
    let since = health["since"].as_str().unwrap_or_default();
    assert_eq!((since.len(), since.ends_with('Z')), (20, true), "{since}");
}

/// Under a profile's path its own models come first, then everybody's; another profile's are nobody else's.
#[tokio::test]
async fn profiles_on_every_wire() {
    let upstream = Upstream::start(Misbehaviour::Healthy).await;
    let url = upstream.url();
    let config = format!(
        r#"
        [providers.up]
        base_url = "{url}"
        speaks = ["chat"]
        api_key = "sk-upstream"
        [models.shared]
        targets = ["up/everybodys"]
        [models.common]
        targets = ["up/common"]
        [profiles.team.models.shared]
        targets = ["up/teams"]
        [profiles.team.models.own]
        targets = ["up/own"]
        [profiles.other]
        "#
    );
    let lingate = Lingate::start(&config).await;
    for wire in Wire::ALL {
        for (profile, model, served) in [
            ("/team", "shared", Some("teams")),
            ("/team", "common", Some("common")),
            ("/team", "own", Some("own")),
            ("/other", "shared", Some("everybodys")),
            ("/other", "own", None),
            ("", "shared", Some("everybodys")),
            ("", "own", None),
        ] {
            let what = format!("{wire} {profile}/{model}");
            let before = upstream.requests().len();
            let mut program =
                Program::new(&format!("{}{profile}", lingate.url), wire, false).user("hi");
            program.model = model.to_owned();
            let said = program.ask().await;
            let asked: Vec<String> = upstream.requests()[before..]
                .iter()
                .map(|request| request.model())
                .collect();
            assert_eq!(asked, Vec::from_iter(served), "{what}");
            let refused = said.failure.unwrap_or_default();
            match served {
                Some(_) => assert_eq!((said.status, refused.as_str()), (200, ""), "{what}"),
                None => assert!(
                    matches!(said.status, 400 | 404) && refused.contains("own"),
                    "{what}: {} {refused}",
                    said.status
                ),
            }
        }
    }
}
