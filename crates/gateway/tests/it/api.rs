//! The API of the record: a gateway with exchanges in its record, asked over HTTP.

use std::sync::Arc;
use std::time::Duration;

use lingate_config::FixedEnvironment;
use lingate_gateway::{Gateway, Options};
use lingate_store::{
    self as store, Attempt, Body, BodyKind, Details, End, Exchange, Recorder, Store,
};
use lingate_testkit::client::{Response, get};
use lingate_wire::Wire;
use lingate_wire::turn::Usage;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::harness::{Lingate, configuration};

/// 2026-11-21T00:00:00Z.
pub(crate) const START_MS: i64 = 1_795_219_200_000;

/// A provider that nobody asks.
pub(crate) const CONFIG: &str = r#"
    default = "up/m"
    [providers.up]
    base_url = "http://127.0.0.1:9"
    speaks = ["chat"]
    api_key = "sk-upstream"
"#;

/// A gateway and its record.
pub(crate) struct Scene {
    pub lingate: Lingate,
    pub recorder: Recorder,
    pub dir: TempDir,
    _store: Store,
}

impl Scene {
    /// With so many exchanges, a second apart.
    pub(crate) async fn with(exchanges: u64) -> Self {
        let scene = Self::start(CONFIG).await;
        for number in 0..exchanges {
            scene.put(exchange(number), Vec::new());
        }
        scene.flush().await;
        scene
    }

    pub(crate) async fn start(config: &str) -> Self {
        let dir = TempDir::new().unwrap();
        let options = store::Options {
            // What is recorded here is of another day.
            keep: Duration::from_secs(3600 * 24 * 36_500),
            ..store::Options::default()
        };
        let store = Store::open(dir.path(), options, at(0)).unwrap();
        let recorder = store.recorder();
        let options = Options {
            recorder: Some(recorder.clone()),
            ..Options::default()
        };
        Self {
            lingate: Lingate::start_as(config, &[], options).await,
            recorder,
            dir,
            _store: store,
        }
    }

    pub(crate) fn put(&self, exchange: Exchange, bodies: Vec<Body>) {
        let details = Details {
            attempts: vec![Attempt {
                number: 1,
                provider: "moonshot".into(),
                ..Attempt::default()
            }],
            ..Details::default()
        };
        self.recorder.close(exchange, details, bodies);
    }

    /// Waits until everything is there to be read.
    pub(crate) async fn flush(&self) {
        let recorder = self.recorder.clone();
        let flushed =
            tokio::task::spawn_blocking(move || recorder.flush(Duration::from_secs(60))).await;
        assert!(flushed.unwrap());
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.lingate.get(path).send().await
    }

    /// What is answered with 200.
    pub(crate) async fn json(&self, path: &str) -> Value {
        let response = self.get(path).await;
        let status = response.status;
        let text = response.text().await;
        assert_eq!(status, 200, "{path}: {text}");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}: {text}"))
    }

    /// The error that is answered with this status.
    pub(crate) async fn error(&self, path: &str, status: u16) -> Value {
        let response = self.get(path).await;
        assert_eq!(response.status, status, "{path}");
        let document = response.json().await;
        assert_eq!(document["type"], "error", "{path}: {document}");
        assert!(document["error"]["type"].is_string(), "{path}: {document}");
        document["error"].clone()
    }
}

pub(crate) fn at(ms: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_millisecond(START_MS + ms).unwrap()
}

/// The id of [`exchange`].
pub(crate) fn id(number: u64) -> Uuid {
    let mut rest = [0; 10];
    rest[2..].copy_from_slice(&number.to_be_bytes());
    let ms = START_MS as u64 + number * 1000;
    uuid::Builder::from_unix_timestamp_millis(ms, &rest).into_uuid()
}

/// An exchange that went well, but for every seventh.
pub(crate) fn exchange(number: u64) -> Exchange {
    let ms = number as i64 * 1000;
    let failed = number % 7 == 6;
    Exchange {
        id: id(number),
        time: at(ms),
        ended: Some(at(ms + 800)),
        end: Some(End::Answered),
        client_wire: Some(Wire::Anthropic),
        upstream_wire: Some(Wire::Chat),
        lane: Some("translated".to_owned()),
        path: "/v1/messages".to_owned(),
        model: if number.is_multiple_of(2) {
            "kimi"
        } else {
            "glm"
        }
        .to_owned(),
        upstream_model: Some("kimi-k2".to_owned()),
        provider: Some("moonshot".to_owned()),
        status: Some(if failed { 502 } else { 200 }),
        error_kind: failed.then(|| "server".to_owned()),
        error: failed.then(|| "connection refused".to_owned()),
        attempts: if failed { 3 } else { 1 },
        stream: true,
        usage: Usage {
            input: Some(100),
            output: Some(50),
            ..Usage::default()
        },
        cost_micro_usd: Some(10),
        duration_ms: Some(800),
        ttft_ms: Some(300),
        session: Some(format!("s-{}", number / 10)),
        class: Some("main".to_owned()),
        stop: Some("end_turn".to_owned()),
        preview: Some("Hello".to_owned()),
        tools: vec!["Bash".to_owned()],
        ..Exchange::default()
    }
}

pub(crate) fn numbers(items: &Value) -> Vec<u64> {
    let items = items.as_array().expect("a list");
    let number = |item: &Value| item["numeric_id"].as_u64().expect("a number") - 1;
    items.iter().map(number).collect()
}

#[tokio::test]
async fn pages_by_number_and_by_cursor_have_the_same_rows() {
    let scene = Scene::with(53).await;
    let newest_first: Vec<u64> = (0..53).rev().collect();
    let (mut by_number, mut by_cursor) = (Vec::new(), Vec::new());
    let mut next = String::new();
    for (page, size) in [(1, 20), (2, 20), (3, 13)] {
        let numbered = scene.json(&format!("/api/logs?page={page}")).await;
        assert_eq!(numbered["items"].as_array().unwrap().len(), size);
        assert_eq!(
            (
                &numbered["total"],
                &numbered["total_is_at_least"],
                &numbered["page"],
                &numbered["pageSize"]
            ),
            (&json!(53), &json!(false), &json!(page), &json!(20))
        );
        by_number.extend(numbers(&numbered["items"]));
        let listed = scene.json(&format!("/api/logs?page_size=20{next}")).await;
        by_cursor.extend(numbers(&listed["items"]));
        next = format!("&before={}", listed["next"].as_str().unwrap_or("none"));
    }
    assert_eq!(by_number, newest_first);
    assert_eq!(by_cursor, newest_first);
    assert_eq!(next, "&before=none");
    let beyond = scene.json("/api/logs?page=9").await;
    assert_eq!(
        (&beyond["items"], &beyond["total"]),
        (&json!([]), &json!(53))
    );
}

#[tokio::test]
async fn an_item_has_our_members_and_those_of_an_older_dashboard() {
    let scene = Scene::with(7).await;
    let page = scene.json("/api/logs?page_size=2").await;
    let (failed, well) = (&page["items"][0], &page["items"][1]);
    let expected = json!({
        "id": id(5), "request_id": id(5), "numeric_id": 6, "time": "2026-11-21T00:00:05.000Z",
        "timestamp": "2026-11-21T00:00:05.000Z", "method": "POST", "path": "/v1/messages", "url": "/v1/messages",
        "status": 200, "status_code": 200, "model": "glm", "provider": "moonshot", "profile": null,
        "operation": "messages", "client_wire": "anthropic", "client_format": "anthropic", "upstream_wire": "chat",
        "provider_format": "chat", "duration_ms": 800, "latency_ms": 800, "session": "s-0", "tools": ["Bash"],
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&well[name], value, "{name}");
    }
    let summary = |item: &Value| -> Value {
        serde_json::from_str(item["summary"].as_str().unwrap()).unwrap()
    };
    assert_eq!(
        summary(well),
        json!({"finish_reason": "end_turn", "error": null, "preview": "Hello"})
    );
    assert_eq!(
        summary(failed),
        json!({"error_type": "server", "error_message": "connection refused"})
    );
}

#[tokio::test]
async fn lists_are_narrowed() {
    let scene = Scene::with(40).await;
    for (query, expected) in [
        ("q=status:5xx", vec![34, 27, 20, 13, 6]),
        ("q=status:5xx+model:kimi", vec![34, 20, 6]),
        ("q=status%3A5xx&from=2026-11-21T00:00:20Z", vec![34, 27, 20]),
        (
            "q=status:5xx&from=2026-11-21T00:00:20Z&to=2026-11-21T00:00:27Z",
            vec![27, 20],
        ),
        ("q=status:5xx&search=GLM", vec![27, 13]),
        ("q=session:%3Ds-3+error:refused", vec![34]),
        ("q=attempts:%3E2&page_size=2", vec![34, 27]),
        ("q=attempts:%3E2&page_size=2&page=2", vec![20, 13]),
        ("search=nowhere", vec![]),
        ("search=moonshot&page_size=1", vec![39]),
        ("page_size=3", vec![39, 38, 37]),
        ("page_size=0", vec![39]),
    ] {
        let page = scene.json(&format!("/api/logs?{query}")).await;
        assert_eq!(numbers(&page["items"]), expected, "{query}");
    }
    let capped = scene.json("/api/logs?page_size=100000").await;
    assert_eq!(
        (&capped["pageSize"], numbers(&capped["items"]).len()),
        (&json!(200), 40)
    );
}

/// What cannot be meant is refused, and says what can be.
#[tokio::test]
async fn bad_parameters_are_refused() {
    let scene = Scene::with(1).await;
    for (path, part) in [
        ("/api/logs?page=x", "whole number"),
        ("/api/logs?page=", "whole number"),
        ("/api/logs?page=1&page=2", "twice"),
        ("/api/logs?pagesize=2", "page_size"),
        ("/api/logs?page=600&page_size=200", "before"),
        ("/api/logs?q=staus:5xx", "is no field"),
        ("/api/logs?q=%22open", "quote"),
        ("/api/logs?q=panic", "/api/logs/search"),
        ("/api/logs?from=yesterday", "2026-11-21"),
        ("/api/logs?before=7", "UUID"),
        ("/api/logs?search=%ff", "UTF-8"),
        ("/api/logs/search?kinds=all", "provider-request"),
        ("/api/logs/search?items=maybe", "true"),
        ("/api/logs/values?field=preview", "model, "),
        ("/api/stats?by=colour", "model, "),
        ("/api/stats?q=text", "/api/logs/search"),
        ("/api/sessions?limit=many", "whole number"),
        ("/api/livestore/pull?timestamp=soon", "is no time"),
        ("/api/livestore/pull?id=x", "whole number"),
        ("/api/tail?after=x", "whole number"),
        ("/api/record?x=1", "nor any other"),
        ("/api/openapi.json?v=3", "nor any other"),
    ] {
        let error = scene.error(path, 400).await;
        let message = error["message"].as_str().unwrap_or_default();
        assert!(message.contains(part), "{path}: {message}");
    }
}

#[tokio::test]
async fn one_exchange_by_every_name_it_has() {
    let scene = Scene::with(3).await;
    let id = id(1).to_string();
    for name in [id.as_str(), &id[..30], &id.replace('-', ""), "2"] {
        let log = scene.json(&format!("/api/logs/{name}")).await;
        assert_eq!(log["id"], id, "{name}");
        assert_eq!(log["details"]["attempts"][0]["provider"], "moonshot");
        assert_eq!(log["bodies"], json!([]));
        let summary = scene.json(&format!("/api/logs/{name}/summary")).await;
        assert_eq!(
            (
                &summary["request_id"],
                &summary["numeric_id"],
                &summary["status_code"]
            ),
            (&json!(id), &json!(2), &json!(200))
        );
        assert!(summary["summary"].as_str().unwrap().contains("end_turn"));
    }
    for name in [
        "99",
        "0",
        "-1",
        "01",
        "zzz",
        "ffffffff",
        "%00",
        "..%2f..",
        &id[..8],
        "019aa6c5-0000-7000-8000-000000000099",
    ] {
        for path in ["", "/summary", "/blobs/request"] {
            let path = format!("/api/logs/{name}{path}");
            let error = scene.error(&path, 404).await;
            assert_eq!(error["message"], "Log not found", "{path}");
            assert!(
                error["hint"].as_str().unwrap().contains("/api/logs"),
                "{path}"
            );
        }
    }
    assert_eq!(
        scene.get("/api/logs/2/path").await.status,
        404,
        "no paths are given out"
    );
    assert_eq!(scene.get("/api/logs/2/blobs/all").await.status, 404);
}

#[tokio::test]
async fn searches_find_texts_and_go_on() {
    let scene = Scene::start(CONFIG).await;
    for number in 0..30_u64 {
        let said = if number.is_multiple_of(3) {
            "the needle: found"
        } else {
            "hay"
        };
        let request = Body::whole(
            BodyKind::ClientRequest,
            0,
            format!("{{\"text\":\"{said} {number}\"}}"),
        );
        let response = Body::whole(
            BodyKind::ClientResponse,
            0,
            format!("{{\"reply\":\"straw {number}\"}}"),
        );
        scene.put(exchange(number), vec![request, response]);
    }
    scene.flush().await;
    let found = |answer: &Value| -> Vec<u64> {
        let ids = answer["ids"].as_array().unwrap();
        ids.iter().map(|id| id.as_u64().unwrap() - 1).collect()
    };
    for (query, expected) in [
        ("q=needle+status:5xx", vec![27, 6]),
        ("q=%22the+needle%22+-found", vec![]),
        ("search=the+needle:+found+3", vec![3]),
        ("search=THE+NEEDLE&limit=2", vec![27, 24]),
        ("search=straw+1&kinds=response&limit=3", vec![19, 18, 17]),
        ("search=straw&kinds=request,provider-request", vec![]),
        ("q=needle&from=2026-11-21T00:00:20Z", vec![27, 24, 21]),
        ("q=needle&to=2026-11-21T00:00:03Z", vec![3, 0]),
        ("q=status:5xx", vec![27, 20, 13, 6]),
    ] {
        let answer = scene.json(&format!("/api/logs/search?{query}")).await;
        assert_eq!(found(&answer), expected, "{query}: {answer}");
        assert_eq!(answer["engine"], "lingate");
        assert_eq!(answer["items"], Value::Null);
    }
    for query in ["", "?q=", "?search=", "?q=+&search=++", "?kinds=request"] {
        let answer = scene.json(&format!("/api/logs/search{query}")).await;
        assert_eq!(
            (&answer["ids"], &answer["request_ids"], &answer["truncated"]),
            (&json!([]), &json!([]), &json!(false)),
            "{query}"
        );
    }
    // With a cursor, to the end.
    let (mut all, mut before) = (Vec::new(), String::new());
    loop {
        let answer = scene
            .json(&format!(
                "/api/logs/search?q=needle&limit=4&items=true{before}"
            ))
            .await;
        all.extend(found(&answer));
        for hit in answer["items"].as_array().unwrap() {
            assert_eq!(hit["kind"], "client-request");
            assert!(hit["excerpt"].as_str().unwrap().contains("needle"), "{hit}");
            assert!(hit["status_code"].is_u64());
        }
        assert_eq!(answer["truncated"], json!(answer["cursor"].is_string()));
        let Some(cursor) = answer["cursor"].as_str() else {
            break;
        };
        before = format!("&before={cursor}");
    }
    assert_eq!(all, [27, 24, 21, 18, 15, 12, 9, 6, 3, 0]);
}

#[tokio::test]
async fn sessions_sums_values_and_the_record() {
    let scene = Scene::with(40).await;
    let sessions = scene.json("/api/sessions?limit=3").await;
    let names = |page: &Value| -> Vec<String> {
        let items = page["items"].as_array().unwrap();
        items
            .iter()
            .map(|own| own["session"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names(&sessions), ["s-3", "s-2", "s-1"]);
    let next = sessions["next"].as_str().unwrap();
    let rest = scene
        .json(&format!("/api/sessions?limit=3&before={next}"))
        .await;
    assert_eq!(
        (names(&rest), &rest["next"]),
        (vec!["s-0".to_owned()], &Value::Null)
    );
    let one = scene.json("/api/sessions/s-2?limit=4").await;
    assert_eq!(
        (&one["exchanges"], &one["cost_micro_usd"]),
        (&json!(10), &json!(100))
    );
    assert_eq!(numbers(&one["items"]), [29, 28, 27, 26]);
    let next = one["next"].as_str().unwrap();
    let more = scene
        .json(&format!("/api/sessions/s-2?limit=9&before={next}"))
        .await;
    assert_eq!(numbers(&more["items"]), [25, 24, 23, 22, 21, 20]);
    let error = scene.error("/api/sessions/s", 404).await;
    assert_eq!(error["message"], "Session not found");

    let stats = scene.json("/api/stats").await;
    assert_eq!(
        (&stats["by"], &stats["total"]["exchanges"]),
        (&json!("model"), &json!(40))
    );
    assert_eq!(stats["groups"].as_array().unwrap().len(), 2);
    for (query, first, exchanges) in [
        ("by=status&q=is:error", json!("502"), 5),
        ("by=tool&limit=1", json!("Bash"), 40),
        ("by=day", json!("2026-11-21"), 40),
        ("by=hour&utc_offset_s=-3600", json!("2026-11-20T23"), 40),
        (
            "by=provider&from=2026-11-21T00:00:30Z",
            json!("moonshot"),
            10,
        ),
        ("by=profile", json!(null), 0),
    ] {
        let path = format!("/api/stats?{query}");
        if query == "by=profile" {
            scene.error(&path, 400).await;
            continue;
        }
        let stats = scene.json(&path).await;
        assert_eq!(stats["groups"][0]["group"], first, "{query}");
        assert_eq!(stats["groups"][0]["exchanges"], json!(exchanges), "{query}");
        assert_eq!(stats["next"], Value::Null, "{query}");
    }

    for (field, expected) in [
        ("model", json!(["glm", "kimi"])),
        ("tool", json!(["Bash"])),
        ("status", json!(["200", "502"])),
        ("class", json!(["main"])),
        ("upstream", json!(["kimi-k2"])),
        ("quirk", json!([])),
    ] {
        let values = scene.json(&format!("/api/logs/values?field={field}")).await;
        assert_eq!(
            (&values["field"], &values["values"]),
            (&json!(field), &expected)
        );
    }

    let record = scene.json("/api/record").await;
    assert_eq!(
        (&record["recording"], &record["bodies"]),
        (&json!(true), &json!("full"))
    );
    assert_eq!(record["queue"]["counts"]["written"], 40);
    assert_eq!(record["extent"]["rows_at_most"], 40);
    assert_eq!(record["extent"]["oldest"], "2026-11-21T00:00:00.000Z");
    let text = record.to_string();
    assert!(
        !text.contains(scene.dir.path().to_str().unwrap()),
        "no paths: {text}"
    );
}

#[tokio::test]
async fn without_a_record_there_is_nothing_to_tell() {
    let config = configuration(CONFIG, &FixedEnvironment::new([])).unwrap();
    let gateway = Gateway::bind(Arc::new(config), Options::default())
        .await
        .unwrap();
    let url = format!("http://{}", gateway.local_addr());
    let stop = CancellationToken::new();
    let running = tokio::spawn(gateway.run(stop.clone()));
    for path in [
        "/api/logs",
        "/api/logs/search?q=x",
        "/api/logs/1",
        "/api/logs/1/blobs/request",
        "/api/logs/values",
        "/api/sessions",
        "/api/sessions/s",
        "/api/stats",
        "/api/tail",
        "/api/livestore/pull",
    ] {
        let response = get(&format!("{url}{path}")).send().await;
        assert_eq!(response.status, 503, "{path}");
        let error = response.json().await["error"].clone();
        assert_eq!(error["message"], "nothing is recorded here", "{path}");
        assert!(error["hint"].as_str().unwrap().contains("record.bodies"));
    }
    let record = get(&format!("{url}/api/record")).send().await.json().await;
    assert_eq!(record["recording"], false);
    stop.cancel();
    running.await.unwrap();
}

/// A record that is gone is a failure that names no files.
#[tokio::test]
async fn a_record_that_cannot_be_read_is_said() {
    let scene = Scene::with(3).await;
    std::fs::remove_dir_all(scene.dir.path().join("record")).unwrap();
    let error = scene.error("/api/logs", 503).await.to_string();
    assert!(error.contains("the log says why"), "{error}");
    assert!(
        !error.contains(scene.dir.path().to_str().unwrap()),
        "{error}"
    );
    let record = scene.json("/api/record").await;
    assert_eq!(record["extent"], Value::Null);
}

/// Wrong keys are limited on every route that asks for one; a right one passes all the same.
#[tokio::test]
async fn wrong_keys_are_limited_everywhere() {
    let hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let keys =
        format!("[keys.ops]\nsecret = \"sha256:{hash}\"\n[server]\nadmin_keys = [\"ops\"]\n");
    let scene = Scene::start(&format!("{CONFIG}{keys}")).await;
    let ask = async |path: &str, key: &str| {
        let request = scene.lingate.get(path).header("x-lingate-key", key);
        request.send().await
    };
    assert_eq!(ask("/api/logs", "abc").await.status, 200);
    let paths = ["/v1/models", "/metrics", "/api/logs"];
    for number in 0..60 {
        assert_eq!(ask(paths[number % 3], "wrong").await.status, 401);
    }
    for path in paths {
        let refused = ask(path, "wrong").await;
        let wait: u64 = refused.header("retry-after").parse().unwrap();
        assert_eq!(
            (refused.status, (1..=10).contains(&wait)),
            (429, true),
            "{path}"
        );
        assert_eq!(refused.json().await["error"]["type"], "rate_limit_error");
        assert_eq!(ask(path, "abc").await.status, 200, "{path}");
    }
    let shown_none = scene.lingate.get("/v1/models").send().await;
    assert_eq!(shown_none.status, 401);
    let owner = scene
        .lingate
        .get("/api/logs")
        .header("x-lingate-instance", &scene.lingate.instance);
    assert_eq!(owner.send().await.status, 200);
}

/// More questions than there are readers: each has its turn.
#[tokio::test(flavor = "multi_thread")]
async fn many_questions_at_a_time() {
    let scene = Scene::with(200).await;
    let mut asked = tokio::task::JoinSet::new();
    for number in 0..60 {
        let path = [
            "/api/logs?q=model:kimi",
            "/api/stats",
            "/api/logs/search?search=x",
            "/api/sessions",
        ][number % 4];
        let request = scene.lingate.get(path);
        asked.spawn(async move { request.send().await.status });
    }
    while let Some(status) = asked.join_next().await {
        assert_eq!(status.unwrap(), 200);
    }
}
