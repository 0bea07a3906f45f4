//! Vertex AI: addresses, bodies and tokens, against hosts that check them. The service account's key is made here.

use std::sync::LazyLock;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lingate_testkit::client::Request;
use lingate_testkit::{Answer, Received, Reply, Upstream, anthropic, chat, gemini};
use rsa::pkcs1v15::{Signature, VerifyingKey};
use rsa::pkcs8::{EncodePrivateKey as _, LineEnding};
use rsa::sha2::Sha256;
use rsa::signature::Verifier as _;
use rsa::{RsaPrivateKey, RsaPublicKey};
use serde_json::{Value, json};

use crate::harness::{Lingate, completions, messages};

static KEY: LazyLock<RsaPrivateKey> =
    LazyLock::new(|| RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048).expect("a key"));

/// What a service account's file holds.
fn account(token_uri: &str) -> String {
    let pem = KEY.to_pkcs8_pem(LineEnding::LF).expect("PEM").to_string();
    let account = json!({
        "type": "service_account",
        "client_email": "agent@proj-1.iam.gserviceaccount.com",
        "private_key_id": "key-1",
        "private_key": pem,
        "token_uri": token_uri,
    });
    account.to_string()
}

/// Google: makes tokens, and serves who shows the newest.
async fn google(expires_in: u64) -> Upstream {
    Upstream::start(move |request: &Received| serve(request, expires_in)).await
}

fn serve(request: &Received, expires_in: u64) -> Answer {
    if request.path().ends_with("/token") {
        let token = format!("ya29.SECRET-{}", request.n);
        return Answer::json(
            200,
            &json!({"access_token": token, "expires_in": expires_in, "token_type": "Bearer"}),
        );
    }
    if !bearer(request).starts_with("Bearer ya29.SECRET-") {
        return Answer::json(401, &gemini::error(401, "UNAUTHENTICATED", "no token"));
    }
    let reply = Reply::text("Hello from here.");
    match request.path().rsplit(':').next() {
        Some("rawPredict") if request.path().contains("/count-tokens:") => {
            Answer::json(200, &json!({"input_tokens": 42}))
        }
        Some("rawPredict") => Answer::json(200, &anthropic::message("claude", &reply)),
        Some("streamRawPredict") => Answer::sse(anthropic::stream("claude", &reply)),
        _ => reply.answer(request),
    }
}

fn bearer(request: &Received) -> String {
    let value = request.headers.get("authorization");
    value.map_or_else(String::new, |value| value.to_str().unwrap().to_owned())
}

fn entry(id: &str, google: &Upstream, credential: &str) -> String {
    format!(
        "[providers.{id}]\nbase_url = \"{}\"\napi_key = '''{credential}'''\n\
         variables = {{ project = \"proj-1\", location = \"us-east5\" }}\n",
        google.url()
    )
}

async fn gateway(id: &str, model: &str, google: &Upstream) -> Lingate {
    let credential = account(&format!("{}/token", google.url()));
    let entry = entry(id, google, &credential);
    Lingate::start(&format!("default = \"{id}/{model}\"\n{entry}")).await
}

fn asked(google: &Upstream) -> (Vec<Received>, Vec<Received>) {
    let all = google.requests().into_iter();
    all.partition(|request| request.path().ends_with("/token"))
}

const UNDER: &str = "/v1/projects/proj-1/locations/us-east5";
const KIMI: &str = "moonshotai/kimi-k2-thinking-maas";

fn agent(request: Request) -> Request {
    request
        .header("user-agent", "claude-cli/2.1.0 (external, cli)")
        .header("x-api-key", "client-key")
}

fn contents() -> Value {
    json!({"contents": [{"role": "user", "parts": [{"text": "hello"}]}]})
}

/// Every wire a client may speak, to each of the three: where the request goes, and what it holds.
#[tokio::test]
async fn addresses_headers_and_bodies() {
    let claude = format!("{UNDER}/publishers/anthropic/models/claude-sonnet-5-5");
    let google_s = format!("{UNDER}/publishers/google/models/gemini-3.7-flash");
    let openapi = format!("{UNDER}/endpoints/openapi/chat/completions");
    for (id, model, whole, streamed) in [
        ("vertex", KIMI, openapi.clone(), openapi),
        (
            "vertex-claude",
            "claude-sonnet-5-5",
            format!("{claude}:rawPredict"),
            format!("{claude}:streamRawPredict"),
        ),
        (
            "vertex-gemini",
            "gemini-3.7-flash",
            format!("{google_s}:generateContent"),
            format!("{google_s}:streamGenerateContent?alt=sse"),
        ),
    ] {
        let google = google(3600).await;
        let lingate = gateway(id, model, &google).await;
        let mut expected = Vec::new();
        for is_stream in [false, true] {
            let method = if is_stream {
                "streamGenerateContent?alt=sse"
            } else {
                "generateContent"
            };
            for (path, body) in [
                ("/v1/messages?beta=true".to_owned(), messages(is_stream)),
                ("/v1/chat/completions".to_owned(), completions(is_stream)),
                (
                    format!("/v1beta/models/claude-opus-5-5:{method}"),
                    contents(),
                ),
            ] {
                let response = agent(lingate.post(&path, &body)).send().await;
                assert_eq!(response.status, 200, "{id} {path}");
                let said = response.text().await;
                assert!(
                    said.contains("Hello from here.") || is_stream,
                    "{id} {path}: {said}"
                );
                assert!(!said.contains("SECRET"), "{said}");
                expected.push(if is_stream {
                    streamed.clone()
                } else {
                    whole.clone()
                });
            }
        }
        let (tokens, requests) = asked(&google);
        assert_eq!(tokens.len(), 1, "{id}");
        let targets: Vec<&str> = requests
            .iter()
            .map(|request| request.target.as_str())
            .collect();
        assert_eq!(targets, expected, "{id}");
        for request in &requests {
            let header = |name: &str| {
                let value = request.headers.get(name);
                value.map(|value| value.to_str().unwrap().to_owned())
            };
            assert_eq!(bearer(request), "Bearer ya29.SECRET-0", "{id}");
            assert_eq!(header("x-api-key"), None, "{id}");
            assert_eq!(header("anthropic-version"), None, "{id}");
            assert_eq!(
                header("user-agent").as_deref(),
                Some("claude-cli/2.1.0 (external, cli)")
            );
            let project = (id == "vertex").then(|| "proj-1".to_owned());
            assert_eq!(header("x-goog-user-project"), project, "{id}");
            let body = request.json();
            let (model, version) = match id {
                "vertex" => (json!(KIMI), Value::Null),
                "vertex-claude" => (Value::Null, json!("vertex-2023-10-16")),
                _ => (Value::Null, Value::Null),
            };
            assert_eq!(
                (&body["model"], &body["anthropic_version"]),
                (&model, &version),
                "{id}"
            );
        }
        if id == "vertex-claude" {
            let streams: Vec<Value> = requests
                .iter()
                .map(|r| r.json()["stream"].clone())
                .collect();
            assert_eq!(streams.iter().filter(|stream| **stream == true).count(), 3);
        }
    }
}

/// The body as it was asked, and of the betas those that are known there: any other would be answered with 400.
#[tokio::test]
async fn a_client_s_betas_and_body_arrive() {
    let google = google(3600).await;
    let lingate = gateway("vertex-claude", "claude-sonnet-5-5", &google).await;
    let mut body = messages(false);
    body["temperature"] = json!(0.250);
    body["metadata"] = json!({"user_id": "u"});
    let sent = lingate
        .post("/v1/messages", &body)
        .header("anthropic-version", "2023-06-01")
        .header(
            "anthropic-beta",
            "claude-code-20250219,context-1m-2025-08-07, oauth-2025-04-20,interleaved-thinking-2025-05-14",
        );
    assert_eq!(sent.send().await.status, 200);
    let (_, requests) = asked(&google);
    let beta = requests[0].headers.get("anthropic-beta").unwrap();
    assert_eq!(
        beta,
        "context-1m-2025-08-07,interleaved-thinking-2025-05-14"
    );
    let mut expected = body.clone();
    expected.as_object_mut().unwrap().remove("model");
    expected["anthropic_version"] = json!("vertex-2023-10-16");
    assert_eq!(requests[0].json(), expected);
}

#[tokio::test]
async fn tokens_are_counted_there() {
    let google = google(3600).await;
    let lingate = gateway("vertex-claude", "claude-sonnet-5-5", &google).await;
    let body = json!({"model": "x", "messages": [{"role": "user", "content": "hello"}]});
    let response = lingate
        .post("/v1/messages/count_tokens?beta=true", &body)
        .send()
        .await;
    assert_eq!(response.json().await, json!({"input_tokens": 42}));
    let (_, requests) = asked(&google);
    let path = format!("{UNDER}/publishers/anthropic/models/count-tokens:rawPredict");
    assert_eq!(requests[0].target, path);
    let sent = requests[0].json();
    assert_eq!(
        (&sent["model"], &sent["anthropic_version"]),
        (&json!("claude-sonnet-5-5"), &json!("vertex-2023-10-16"))
    );
}

/// RFC 7523: what is signed, with which key, and for whom.
#[tokio::test]
async fn the_assertion_is_what_google_checks() {
    let google = google(3600).await;
    let lingate = gateway("vertex", KIMI, &google).await;
    agent(lingate.post("/v1/messages", &messages(false)))
        .send()
        .await;
    let (tokens, _) = asked(&google);
    let request = &tokens[0];
    let header = |name: &str| request.headers.get(name).unwrap().to_str().unwrap();
    assert_eq!(header("content-type"), "application/x-www-form-urlencoded");
    assert_eq!(
        header("user-agent"),
        concat!("lingate/", env!("CARGO_PKG_VERSION"))
    );
    let form = request.text();
    let assertion = form
        .strip_prefix("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=")
        .unwrap_or_else(|| panic!("{form}"));
    let (signed, signature) = assertion.rsplit_once('.').unwrap();
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).unwrap();
    let verifier = VerifyingKey::<Sha256>::new(RsaPublicKey::from(&*KEY));
    let signature = Signature::try_from(decode(signature).as_slice()).unwrap();
    verifier.verify(signed.as_bytes(), &signature).unwrap();
    let (head, claims) = signed.split_once('.').unwrap();
    let head: Value = serde_json::from_slice(&decode(head)).unwrap();
    assert_eq!(head, json!({"alg": "RS256", "typ": "JWT", "kid": "key-1"}));
    let claims: Value = serde_json::from_slice(&decode(claims)).unwrap();
    let issued = claims["iat"].as_i64().unwrap();
    assert_eq!(
        claims,
        json!({
            "iss": "agent@proj-1.iam.gserviceaccount.com",
            "scope": "https://www.googleapis.com/auth/cloud-platform",
            "aud": format!("{}/token", google.url()),
            "iat": issued,
            "exp": issued + 3600,
        })
    );
}

/// Twenty requests at once wait for one exchange; a token is renewed before it ends.
#[tokio::test]
async fn one_exchange_serves_all_until_its_time_comes() {
    let google = google(6).await;
    let lingate = gateway("vertex", KIMI, &google).await;
    let body = messages(true);
    let all = (0..20).map(|_| lingate.post("/v1/messages", &body).send());
    for response in futures_util::future::join_all(all).await {
        assert_eq!(response.status, 200);
    }
    assert_eq!(asked(&google).0.len(), 1);
    tokio::time::sleep(Duration::from_millis(3100)).await;
    lingate.post("/v1/messages", &body).send().await;
    let (tokens, requests) = asked(&google);
    assert_eq!(tokens.len(), 2);
    let last = requests.last().unwrap();
    assert_eq!(bearer(last), format!("Bearer ya29.SECRET-{}", tokens[1].n));
}

/// A renewal that fails costs nothing while the old token holds.
#[tokio::test]
async fn the_old_token_serves_while_there_is_no_new_one() {
    let google = Upstream::start(|request: &Received| match request.n {
        0 => serve(request, 6),
        _ if request.path().ends_with("/token") => Answer::json(503, &json!({})),
        _ => serve(request, 6),
    })
    .await;
    let lingate = gateway("vertex", KIMI, &google).await;
    for wait in [0, 3100, 0] {
        tokio::time::sleep(Duration::from_millis(wait)).await;
        let response = lingate.post("/v1/messages", &messages(false)).send().await;
        assert_eq!(response.status, 200);
    }
    let (tokens, requests) = asked(&google);
    // The failure is remembered for a moment.
    assert_eq!((tokens.len(), requests.len()), (2, 3));
}

/// A token that was withdrawn before its time is made anew, once.
#[tokio::test]
async fn a_refused_token_is_made_anew() {
    let google = Upstream::start(|request: &Received| {
        let is_withdrawn = request.n > 2 && bearer(request).ends_with("SECRET-0");
        if is_withdrawn {
            return Answer::json(401, &chat::error("unauthenticated", "withdrawn"));
        }
        serve(request, 3600)
    })
    .await;
    let lingate = gateway("vertex", KIMI, &google).await;
    // The refused one is an attempt of its own.
    for (wait, attempts) in [(0, "1"), (0, "1"), (1100, "2")] {
        tokio::time::sleep(Duration::from_millis(wait)).await;
        let response = lingate.post("/v1/messages", &messages(false)).send().await;
        assert_eq!(response.status, 200);
        assert_eq!(response.header("x-lingate-attempts"), attempts);
    }
    let paths: Vec<bool> = google
        .requests()
        .iter()
        .map(|request| request.path().ends_with("/token"))
        .collect();
    assert_eq!(paths, [true, false, false, false, true, false]);
}

/// Requests in flight with a token that is withdrawn are all served with the one that is made in its place.
#[tokio::test]
async fn a_withdrawn_token_is_made_anew_once_for_all() {
    let google = Upstream::start(|request: &Received| {
        let is_withdrawn = request.n > 1 && bearer(request).ends_with("SECRET-0");
        if is_withdrawn {
            return Answer::json(401, &chat::error("unauthenticated", "withdrawn"));
        }
        serve(request, 3600)
    })
    .await;
    let lingate = gateway("vertex", KIMI, &google).await;
    let body = messages(false);
    lingate.post("/v1/messages", &body).send().await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let all = (0..8).map(|_| lingate.post("/v1/messages", &body).send());
    for response in futures_util::future::join_all(all).await {
        let status = response.status;
        assert_eq!(status, 200, "{}", response.text().await);
    }
    let (tokens, requests) = asked(&google);
    assert_eq!(tokens.len(), 2);
    let refused = requests
        .iter()
        .filter(|own| bearer(own).ends_with("SECRET-0"));
    assert!(refused.count() > 3, "several were in flight");
}

/// A host that repeats what it was shown: neither the first token nor the one that was made anew is told.
#[tokio::test]
async fn no_token_is_told() {
    let google = Upstream::start(|request: &Received| {
        let words = format!("{} is bad", bearer(request));
        let error = chat::error("unauthenticated", &words);
        match (request.method.as_str(), request.n) {
            ("GET", _) => Answer::json(403, &error),
            (_, 0 | 1) => serve(request, 3600),
            _ if request.path().ends_with("/token") => serve(request, 3600),
            _ => Answer::json(401, &error),
        }
    })
    .await;
    let health = "health = { interval = \"1h\", path = \"/status\" }\n";
    let entry = entry(
        "vertex",
        &google,
        &account(&format!("{}/token", google.url())),
    );
    let lingate = Lingate::start(&format!("default = \"vertex/{KIMI}\"\n{entry}{health}")).await;
    let body = messages(false);
    lingate.post("/v1/messages", &body).send().await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let probe = lingate.post("/api/providers/vertex/probe", &json!({}));
    let probed = probe.send().await.text().await;
    assert!(probed.contains("[key] is bad"), "{probed}");
    assert!(!probed.contains("SECRET"), "{probed}");
    let refused = lingate
        .post("/v1/messages", &body)
        .send()
        .await
        .text()
        .await;
    assert!(refused.contains("[key] is bad"), "{refused}");
    assert!(!refused.contains("SECRET"), "{refused}");
    let shown = google.requests();
    let last = bearer(shown.last().unwrap());
    assert!(shown.len() == 6 && !last.ends_with("SECRET-0"), "{last}");
}

/// A token server that says nothing delays one request, briefly, and no other while the old token holds.
#[tokio::test]
async fn a_renewal_is_not_waited_for_while_the_old_token_holds() {
    let google = Upstream::start(|request: &Received| match request.n {
        0 => serve(request, 6),
        _ if request.path().ends_with("/token") => Answer::silence(),
        _ => serve(request, 6),
    })
    .await;
    let lingate = gateway("vertex", KIMI, &google).await;
    let body = messages(false);
    lingate.post("/v1/messages", &body).send().await;
    tokio::time::sleep(Duration::from_millis(3100)).await;
    let all = (0..4).map(|_| lingate.post("/v1/messages", &body).send());
    for response in futures_util::future::join_all(all).await {
        assert_eq!(response.status, 200);
    }
    let (tokens, requests) = asked(&google);
    assert_eq!((tokens.len(), requests.len()), (2, 5));
}

/// A server that promises too much is taken at a day.
#[tokio::test]
async fn a_token_for_ever_is_one_for_a_day() {
    let google = google(u64::MAX).await;
    let lingate = gateway("vertex", KIMI, &google).await;
    let response = lingate.post("/v1/messages", &messages(false)).send().await;
    assert_eq!(response.status, 200);
}

/// What a client is told when there is no token: whose fault it is, and never a word of the credential.
#[tokio::test]
async fn failed_exchanges() {
    let invalid = json!({"error": "invalid_grant", "error_description": "Invalid JWT Signature."});
    for (answer, status, words) in [
        (
            Answer::json(400, &invalid),
            502,
            "127.0.0.1 answers HTTP 400: invalid_grant: Invalid JWT Signature.",
        ),
        (
            Answer::json(503, &json!({})),
            502,
            "127.0.0.1 answers HTTP 503",
        ),
        (
            Answer::json(200, &json!({"no": "SECRET"})),
            502,
            "127.0.0.1 answers without a token",
        ),
    ] {
        let google = Upstream::start(answer).await;
        let lingate = gateway("vertex", KIMI, &google).await;
        let response = lingate.post("/v1/messages", &messages(false)).send().await;
        let is_credential = words.contains("invalid_grant");
        let retry = response.header("x-should-retry").to_owned();
        assert_eq!(response.status, status, "{words}");
        assert_eq!(retry == "false", is_credential, "{words}");
        let said = response.text().await;
        assert!(said.contains(words), "{said}");
        assert!(
            said.contains("no access token for provider `vertex` (key: lingate.toml:"),
            "{said}"
        );
        assert!(
            !said.contains("PRIVATE") && !said.contains("SECRET"),
            "{said}"
        );
        assert!(asked(&google).1.is_empty());
    }
    // A key that cannot sign is found without asking anybody.
    let google = google(3600).await;
    let broken = account(&format!("{}/token", google.url())).replace("MII", "AAA");
    let config = format!(
        "default = \"vertex/m\"\n{}",
        entry("vertex", &google, &broken)
    );
    let lingate = Lingate::start(&config).await;
    let response = lingate.post("/v1/messages", &messages(false)).send().await;
    assert_eq!((response.status, google.requests().len()), (502, 0));
    let said = response.text().await;
    assert!(said.contains("its `private_key`"), "{said}");
}

/// A login of a person, and the machine's own account.
#[tokio::test]
async fn other_credentials() {
    let google = google(3600).await;
    let login = json!({
        "type": "authorized_user", "client_id": "id", "client_secret": "a/b", "refresh_token": "1//r",
        "token_uri": format!("{}/token", google.url()),
    });
    let config = format!(
        "default = \"vertex/m\"\n{}",
        entry("vertex", &google, &login.to_string())
    );
    let lingate = Lingate::start(&config).await;
    let response = lingate.post("/v1/messages", &messages(false)).send().await;
    assert_eq!(response.status, 200);
    assert_eq!(
        asked(&google).0[0].text(),
        "grant_type=refresh_token&client_id=id&client_secret=a%2Fb&refresh_token=1%2F%2Fr"
    );

    let google = google_with_metadata().await;
    let config = format!(
        "default = \"vertex/m\"\n[providers.vertex]\nbase_url = \"{}\"\n",
        google.url()
    );
    let host = google.address().to_string();
    let environment = [
        ("GCE_METADATA_HOST", host.as_str()),
        ("VERTEX_PROJECT_ID", "proj-1"),
    ];
    let lingate = Lingate::start_with(&config, &environment).await;
    let response = lingate.post("/v1/messages", &messages(false)).send().await;
    assert_eq!(response.status, 200);
    let (tokens, requests) = asked(&google);
    assert_eq!(
        tokens[0].target,
        "/computeMetadata/v1/instance/service-accounts/default/token"
    );
    assert!(requests[0].target.contains("/locations/global/"));
}

async fn google_with_metadata() -> Upstream {
    Upstream::start(|request: &Received| {
        let is_token = request.path().ends_with("/token");
        match request.headers.get("metadata-flavor") {
            Some(flavor) if is_token && flavor == "Google" => serve(request, 3600),
            _ if is_token => Answer::json(403, &json!({})),
            _ => serve(request, 3600),
        }
    })
    .await
}
