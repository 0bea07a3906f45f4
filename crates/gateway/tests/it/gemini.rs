//! What is the Gemini wire's own: the model and the stream in the path, a stream as a list, counts, models, errors, keys.

use lingate_testkit::client::Request;
use lingate_testkit::{Answer, Misbehaviour, Received, Reply, Upstream};
use lingate_wire::Wire;
use serde_json::{Value, json};

use crate::harness::Lingate;

fn config(upstream: &str, speaks: &str) -> String {
    format!(
        "default = \"m\"\n[server]\nmax_body = \"4KiB\"\n[providers.up]\nbase_url = \"{upstream}\"\nspeaks = [\"{speaks}\"]\n\
         api_key = \"sk-upstream\"\n[models.m]\ntargets = [\"up/served-model\"]\nname = \"Served\"\ncontext = 100000\n\
         max_output = 5000"
    )
}

fn hello() -> Value {
    json!({"contents": [{"role": "user", "parts": [{"text": "hello"}]}]})
}

/// Without `alt=sse` a stream is one JSON list, whatever the upstream speaks, and it ends as one when the upstream breaks.
#[tokio::test]
async fn a_stream_may_be_a_list() {
    for wire in Wire::ALL {
        for is_cut in [false, true] {
            let script = move |request: &Received| {
                let answer = Reply::text("Hello from here.").answer(request);
                // As many frames as hold the text's first piece.
                let n_frames = [3, 2, 5, 1][request.wire() as usize];
                if is_cut {
                    answer.take(n_frames).cut()
                } else {
                    answer
                }
            };
            let upstream = Upstream::start(script).await;
            let lingate = Lingate::start(&config(&upstream.url(), &wire.to_string())).await;
            let path = "/v1beta/models/m:streamGenerateContent";
            let response = lingate.post(path, &hello()).send().await;
            assert_eq!(response.status, 200, "{wire}");
            assert_eq!(
                response.header("content-type"),
                "application/json; charset=utf-8",
                "{wire}"
            );
            let text = response.text().await;
            let chunks: Vec<Value> = serde_json::from_str(&text)
                .unwrap_or_else(|error| panic!("{wire}: {error}: {text}"));
            let said: String = chunks
                .iter()
                .filter_map(|chunk| chunk["candidates"][0]["content"]["parts"][0]["text"].as_str())
                .collect();
            let last = chunks.last().unwrap();
            if is_cut {
                assert!(last["error"]["code"].is_u64(), "{wire}: {text}");
            } else {
                assert_eq!(
                    (said.as_str(), &last["candidates"][0]["finishReason"]),
                    ("Hello from here.", &"STOP".into()),
                    "{wire}: {text}"
                );
            }
            let target = &upstream.requests()[0].target;
            assert!(
                wire != Wire::Gemini
                    || target.ends_with("served-model:streamGenerateContent?alt=sse"),
                "{target}"
            );
        }
    }
}

#[tokio::test]
async fn counts_are_the_providers_or_ours() {
    let script = |request: &Received| match request.path().ends_with("served-model:countTokens") {
        true => Answer::json(200, &json!({"totalTokens": 31})),
        false => Answer::json(
            404,
            &lingate_testkit::chat::error("not_found", "no such path"),
        ),
    };
    let upstream = Upstream::start(script).await;
    for (speaks, is_estimate) in [
        ("gemini", ""),
        ("chat", "true"),
        ("anthropic", "true"),
        ("responses", "true"),
    ] {
        let lingate = Lingate::start(&config(&upstream.url(), speaks)).await;
        let wrapped = json!({"generateContentRequest": {
            "model": "models/m", "contents": hello()["contents"], "systemInstruction": {"parts": [{"text": "Be brief."}]},
        }});
        for body in [hello(), wrapped] {
            let response = lingate
                .post("/v1beta/models/m:countTokens", &body)
                .send()
                .await;
            assert_eq!(
                (response.status, response.header("x-lingate-estimate")),
                (200, is_estimate),
                "{speaks} {body}"
            );
            let count = response.json().await["totalTokens"].as_u64().unwrap();
            assert!(
                if is_estimate.is_empty() {
                    count == 31
                } else {
                    (1..30).contains(&count)
                },
                "{speaks}: {count}"
            );
        }
    }
}

#[tokio::test]
async fn models_in_its_own_shape() {
    let lingate = Lingate::start(&config("http://127.0.0.1:1", "chat")).await;
    let list = lingate
        .get("/v1beta/models?pageSize=50")
        .send()
        .await
        .json()
        .await;
    let models = list["models"].as_array().unwrap();
    let served = models
        .iter()
        .find(|model| model["name"] == "models/m")
        .unwrap();
    assert_eq!(
        (&served["displayName"], &served["inputTokenLimit"]),
        (&"Served".into(), &100_000.into())
    );
    assert_eq!(served["outputTokenLimit"], 5000);
    let methods = served["supportedGenerationMethods"].to_string();
    assert!(
        methods.contains("generateContent") && methods.contains("countTokens"),
        "{methods}"
    );
    let one = lingate.get("/v1beta/models/m").send().await.json().await;
    assert_eq!(&one, served);
}

/// Whatever goes wrong is told in its own shape.
#[tokio::test]
async fn errors_have_a_code_and_a_status() {
    let lingate =
        Lingate::start(&config("http://127.0.0.1:1", "chat").replace("default = \"m\"", "")).await;
    let generate = "/v1beta/models/m:generateContent";
    let large = json!({"contents": [{"role": "user", "parts": [{"text": "x".repeat(5000)}]}]});
    let post = |path: &str, body: &Value| lingate.post(path, body);
    for (request, code, status) in [
        (
            post("/v1beta/models/nobody:generateContent", &hello()),
            404,
            "NOT_FOUND",
        ),
        (
            post("/v1beta/models/m:embedContent", &hello()),
            404,
            "NOT_FOUND",
        ),
        (
            post("/v1/models/m:embedContent", &hello()),
            404,
            "NOT_FOUND",
        ),
        (lingate.get("/v1beta/models/nobody"), 404, "NOT_FOUND"),
        (lingate.get(generate), 405, "UNIMPLEMENTED"),
        (post(generate, &large), 413, "INVALID_ARGUMENT"),
        (
            post(generate, &json!({"contents": 7})),
            400,
            "INVALID_ARGUMENT",
        ),
        (
            Request::new(
                "POST".parse().unwrap(),
                &format!("{}{generate}", lingate.url),
            )
            .header("content-type", "text/plain")
            .body("{}"),
            415,
            "INVALID_ARGUMENT",
        ),
        (post(generate, &hello()), 502, "INTERNAL"),
    ] {
        let response = request.send().await;
        let got = response.status;
        let text = response.text().await;
        let error: Value = serde_json::from_str(&text).unwrap_or_default();
        let error = &error["error"];
        assert_eq!((got, &error["code"]), (code, &code.into()), "{text}");
        assert_eq!(error["status"], status, "{text}");
        assert!(
            error["message"]
                .as_str()
                .is_some_and(|message| !message.is_empty()),
            "{text}"
        );
    }
}

/// The client's key comes in its own header. One in the query would stand in logs: it is no key, and goes nowhere.
#[tokio::test]
async fn keys_come_in_the_header_only() {
    let upstream =
        Upstream::start(|request: &Received| Reply::text("Hello.").answer(request)).await;
    // The key is `secret`.
    let keys = "[keys.alice]\nsecret = \"sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\"";
    let config = format!("{}\n{keys}", config(&upstream.url(), "gemini"));
    let lingate = Lingate::start(&config).await;
    let path = "/v1beta/models/m:generateContent";
    let shown = lingate
        .post(path, &hello())
        .header("x-goog-api-key", "secret")
        .send()
        .await;
    assert_eq!(shown.status, 200);
    let refused = lingate
        .post(&format!("{path}?key=secret"), &hello())
        .send()
        .await;
    assert_eq!(refused.status, 401);
    let message = refused.json().await["error"]["message"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(message.contains("x-goog-api-key"), "{message}");
    let both = lingate
        .post(&format!("{path}?key=other&a=b"), &hello())
        .header("x-goog-api-key", "secret")
        .send()
        .await;
    assert_eq!(both.status, 200);
    for request in upstream.requests() {
        let all = format!("{} {:?}", request.target, request.headers);
        assert!(
            !all.contains("secret") && !all.contains("key=") && !all.contains("other"),
            "{all}"
        );
        assert_eq!(request.header("x-goog-api-key"), "sk-upstream");
    }
}

/// A client of other servers looks for those first, and goes on when they are not there.
#[tokio::test]
async fn probes_for_other_servers_are_answered_in_json() {
    let lingate = Lingate::start(&config("http://127.0.0.1:1", "chat")).await;
    let show = lingate.post("/api/show", &json!({"name": "m"}));
    for request in [
        lingate.get("/api/v1/models"),
        show,
        lingate.get("/api/tags"),
    ] {
        let response = request.send().await;
        assert_eq!(
            (response.status, response.header("content-type")),
            (404, "application/json")
        );
        assert!(response.json().await["error"]["message"].is_string());
    }
    let one = lingate.get("/v1/models/m").send().await.json().await;
    assert_eq!(
        (&one["id"], &one["context_length"]),
        (&"m".into(), &100_000.into())
    );
}

/// Google's SDK for TypeScript asks under `/v1`, where the other wires' list of models stands, too.
#[tokio::test]
async fn the_stable_version_of_the_api_is_served_as_well() {
    let upstream = Upstream::start(Misbehaviour::Healthy).await;
    let lingate = Lingate::start(&config(&upstream.url(), "chat")).await;
    for version in ["v1", "v1alpha", "v1beta"] {
        let asked = lingate.post(&format!("/{version}/models/m:generateContent"), &hello());
        let answer = asked.send().await.json().await;
        let text = &answer["candidates"][0]["content"]["parts"][0]["text"];
        assert_eq!(text, "Hello from the upstream.", "{version}: {answer}");
    }
    let list = |name: &str| lingate.get("/v1/models").header(name, "anything").send();
    let google = list("x-goog-api-client").await.json().await;
    assert_eq!(google["models"][0]["name"], "models/m", "{google}");
    let other = list("authorization").await.json().await;
    assert_eq!(other["data"][0]["id"], "m", "{other}");
}
