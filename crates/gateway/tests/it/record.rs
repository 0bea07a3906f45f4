//! What the record keeps of an exchange: one row whatever its end, and the bytes of all four bodies as they were.

use std::time::Duration;

use lingate_gateway::Options;
use lingate_store::{
    self as store, BodyKind, Details, End, Exchange, Filter, Page, Reader, Recorder, Store,
};
use lingate_testkit::{Answer, Misbehaviour as M, Received, Reply, Script, Upstream, Usage};
use serde_json::json;
use tempfile::TempDir;

use crate::harness::{Lingate, completions, messages};

/// A key that stands in the configuration and must stand nowhere in the record.
const KEY: &str = "corp-secret-0123456789";

/// In place of the bundled table.
const PRICES: &str = r#"{"format":"lingate-prices/1","as_of":"today","providers":{
    "moonshot":{"dear-model":{"input":"1000","output":"2000"}}}}"#;

/// A gateway that records, in front of one upstream.
struct Scene {
    lingate: Lingate,
    upstream: Upstream,
    recorder: Recorder,
    dir: TempDir,
    _store: Store,
}

impl Scene {
    async fn start(wire: &str, script: impl Script) -> Self {
        Self::start_as(wire, script, store::Options::default()).await
    }

    async fn start_as(wire: &str, script: impl Script, options: store::Options) -> Self {
        let upstream = Upstream::start(script).await;
        let dir = TempDir::new().unwrap();
        let options = store::Options {
            mask: store::Mask::new([KEY]),
            ..options
        };
        let store = Store::open(dir.path(), options, jiff::Timestamp::now()).unwrap();
        let recorder = store.recorder();
        let config = format!(
            r#"
            default = "up/served-model"
            [providers.up]
            base_url = "{}"
            speaks = ["{wire}"]
            api_key = "{KEY}"
            [models.priced]
            targets = ["up/served-model"]
            price = {{ input = "3", output = "15", cache_read = "0.30" }}
            [providers.moonshot]
            base_url = "{}"
            speaks = ["{wire}"]
            api_key = "{KEY}"
            [record]
            prices = "{}"
            "#,
            upstream.url(),
            upstream.url(),
            dir.path().join("prices.json").display(),
        );
        std::fs::write(dir.path().join("prices.json"), PRICES).unwrap();
        let options = Options {
            recorder: Some(recorder.clone()),
            ..Options::default()
        };
        let lingate = Lingate::start_as(&config, &[], options).await;
        Self {
            lingate,
            upstream,
            recorder,
            dir,
            _store: store,
        }
    }

    /// Everything on disk, oldest first.
    async fn rows(&self, expected: usize) -> Vec<Exchange> {
        let reader = self.reader();
        for _ in 0..2000 {
            assert!(self.recorder.flush(Duration::from_secs(10)));
            let mut rows = reader
                .list(&Filter::default(), Page::default())
                .unwrap()
                .items;
            if rows.len() >= expected && rows.iter().all(|row| row.end.is_some()) {
                assert_eq!(rows.len(), expected);
                rows.reverse();
                return rows;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("not recorded in time");
    }

    fn reader(&self) -> Reader {
        Reader::open(self.dir.path()).unwrap()
    }

    fn details(&self, row: &Exchange) -> Details {
        self.reader().get(row.id).unwrap().unwrap().details
    }

    fn body(&self, row: &Exchange, kind: BodyKind) -> String {
        let body = self.reader().body(row.id, kind, None).unwrap();
        let body = body.unwrap_or_else(|| panic!("no {}", kind.name()));
        String::from_utf8(body.bytes.to_vec()).unwrap()
    }

    /// What the provider got and what it answered, as it knows itself.
    fn provider(&self) -> (Received, String) {
        let received = self.upstream.requests().pop().unwrap();
        let request = String::from_utf8(received.body.to_vec()).unwrap();
        (received, request)
    }
}

fn answer(request: &Received) -> Answer {
    let reply = Reply::text("Let me look.").call("call_1", "Bash", &json!({"command": "ls"}));
    Reply {
        usage: Usage {
            prompt: 3_000,
            cached: 2_000,
            output: 100,
        },
        ..reply
    }
    .answer(request)
}

/// All bodies of an exchange of either kind, in either lane, are the bytes that passed.
async fn check_bodies(wire: &str, is_stream: bool) {
    let scene = Scene::start(wire, answer).await;
    let mut asked = messages(is_stream);
    asked["model"] = "priced".into();
    let request = scene.lingate.post("/v1/messages", &asked);
    let response = request.header("user-agent", "agent/1").send().await;
    assert_eq!(response.status, 200);
    let id = response.header("x-lingate-id").to_owned();
    let got = response.text().await;

    let rows = scene.rows(1).await;
    let row = &rows[0];
    assert_eq!(row.id.to_string(), id);
    assert_eq!(scene.body(row, BodyKind::ClientRequest), asked.to_string());
    assert_eq!(scene.body(row, BodyKind::ClientResponse), got);
    let (_, sent) = scene.provider();
    assert_eq!(scene.body(row, BodyKind::ProviderRequest), sent);
    let raw = scene.body(row, BodyKind::ProviderResponse);
    assert_eq!(raw == got, wire == "anthropic", "{raw}\n{got}");

    let told = (row.status, row.end, row.attempts, row.stream);
    assert_eq!(told, (Some(200), Some(End::Answered), 1, is_stream));
    assert_eq!(row.model, "priced");
    assert_eq!(row.upstream_model.as_deref(), Some("served-model"));
    assert_eq!(row.provider.as_deref(), Some("up"));
    assert_eq!(row.path, "/v1/messages");
    assert_eq!(row.tools, ["Bash"]);
    assert_eq!(row.preview.as_deref(), Some("Let me look."));
    assert_eq!(row.stop.as_deref(), Some("tool_use"));
    let usage = &row.usage;
    let tokens = (usage.input, usage.cache_read, usage.output);
    assert_eq!(tokens, (Some(1_000), Some(2_000), Some(100)));
    // 1,000 x 3 + 2,000 x 0.30 + 100 x 15 dollars a million.
    assert_eq!(row.cost_micro_usd, Some(5_100));

    let details = scene.details(row);
    let attempt = &details.attempts[0];
    assert_eq!((attempt.number, attempt.status), (1, Some(200)));
    assert_eq!(attempt.outcome, "served");
    assert_eq!(attempt.key.as_deref(), Some("up#1"));
    assert!(
        attempt.url.starts_with("POST http://127.0.0.1:"),
        "{}",
        attempt.url
    );
    let agent = store::Header("user-agent".into(), "agent/1".into());
    assert!(details.client_request_headers.contains(&agent));
    assert!(attempt.request_headers.contains(&agent));
    let marks: Vec<&str> = details
        .timings
        .iter()
        .map(|mark| mark.what.as_str())
        .collect();
    for mark in ["body_read", "sent", "headers", "last_byte"] {
        assert!(marks.contains(&mark), "{marks:?}");
    }
    assert!(
        details.timings.is_sorted_by_key(|mark| mark.at_us),
        "{:?}",
        details.timings
    );
}

#[tokio::test]
async fn translated_streams() {
    check_bodies("chat", true).await;
}

#[tokio::test]
async fn translated_replies() {
    check_bodies("chat", false).await;
}

#[tokio::test]
async fn streams_that_pass_through() {
    check_bodies("anthropic", true).await;
}

#[tokio::test]
async fn replies_that_pass_through() {
    check_bodies("anthropic", false).await;
}

#[tokio::test]
async fn every_end_has_one_row() {
    let scene = Scene::start("chat", M::Overloaded).await;
    let failed = scene
        .lingate
        .post("/v1/messages", &messages(true))
        .send()
        .await;
    assert_eq!(failed.status, 529);
    let unreadable = scene
        .lingate
        .post("/v1/messages", &json!({"model": 1}))
        .send()
        .await;
    assert_eq!(unreadable.status, 400);
    let counted = scene
        .lingate
        .post("/v1/messages/count_tokens", &messages(false))
        .send()
        .await;
    assert_eq!(counted.status, 200);
    let rows = scene.rows(3).await;
    let told: Vec<(u16, &str, Option<End>)> = rows
        .iter()
        .map(|row| {
            let kind = row.error_kind.as_deref().unwrap_or_default();
            (row.status.unwrap_or(0), kind, row.end)
        })
        .collect();
    assert_eq!(
        told,
        [
            (529, "overloaded", Some(End::Answered)),
            (400, "invalid_request", Some(End::Answered)),
            (200, "", Some(End::Answered)),
        ]
    );
    assert_eq!(rows[2].path, "/v1/messages/count_tokens");
    assert!(scene.details(&rows[0]).attempts[0].error.is_some());
    // What could not be read is what one wants to see.
    assert_eq!(
        scene.body(&rows[1], BodyKind::ClientRequest),
        r#"{"model":1}"#
    );
}

#[tokio::test]
async fn a_client_that_leaves_has_a_row_with_what_it_got() {
    let scene = Scene::start("chat", M::StallsAfterText).await;
    let response = scene
        .lingate
        .post("/v1/messages", &messages(true))
        .send()
        .await;
    let mut events = response.events();
    let first = events.next().await.unwrap();
    assert_eq!(first.name, "message_start");
    drop(events);
    let rows = scene.rows(1).await;
    assert_eq!(rows[0].end, Some(End::ClientGone));
    let got = scene.body(&rows[0], BodyKind::ClientResponse);
    assert!(got.starts_with("event: message_start\n"), "{got}");
}

#[tokio::test]
async fn secrets_reach_neither_rows_nor_bodies() {
    let scene = Scene::start("chat", answer).await;
    let mut asked = completions(false);
    asked["messages"][0]["content"] = format!("my key is {KEY}").into();
    let request = scene.lingate.post("/v1/chat/completions", &asked);
    let request = request.header("authorization", "Bearer sk-client-0123456789abcdefghijkl");
    drop(request.send().await.text().await);
    let rows = scene.rows(1).await;
    let shown = format!("{:?} {:?}", rows[0], scene.details(&rows[0]));
    let bodies = BodyKind::ALL
        .map(|kind| scene.body(&rows[0], kind))
        .concat();
    for secret in [KEY, "sk-client-0123456789abcdefghijkl"] {
        assert!(!shown.contains(secret), "{shown}");
        assert!(!bodies.contains(secret), "{bodies}");
    }
    let (received, _) = scene.provider();
    let credential = received.headers["authorization"].to_str().unwrap();
    assert_eq!(credential, format!("Bearer {KEY}"));
}

#[tokio::test]
async fn without_bodies_there_are_rows() {
    let options = store::Options {
        bodies: store::Bodies::Metadata,
        ..store::Options::default()
    };
    let scene = Scene::start_as("chat", answer, options).await;
    drop(
        scene
            .lingate
            .post("/v1/messages", &messages(true))
            .send()
            .await
            .text()
            .await,
    );
    let rows = scene.rows(1).await;
    assert_eq!(rows[0].usage.output, Some(100));
    for kind in BodyKind::ALL {
        assert_eq!(scene.reader().body(rows[0].id, kind, None).unwrap(), None);
    }
}

#[tokio::test]
async fn how_the_record_does_is_in_the_metrics() {
    let scene = Scene::start("chat", answer).await;
    drop(
        scene
            .lingate
            .post("/v1/messages", &messages(true))
            .send()
            .await
            .text()
            .await,
    );
    scene.rows(1).await;
    let metrics = scene.lingate.get("/metrics").send().await.text().await;
    for line in [
        "lingate_record_rows_total 1\n",
        "lingate_record_degraded 0\n",
        "lingate_record_lost_total 0\n",
    ] {
        assert!(metrics.contains(line), "{line} {metrics}");
    }
}

/// What a model costs that the table names, and one that it does not.
#[tokio::test]
async fn the_users_table_prices_what_the_configuration_does_not() {
    let scene = Scene::start("chat", answer).await;
    // The table is read beside everything else.
    for _ in 0..2000 {
        let metrics = scene.lingate.get("/metrics").send().await.text().await;
        if metrics.contains("lingate_price_models 1\n") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for model in ["moonshot/dear-model", "moonshot/other-model"] {
        let mut asked = messages(false);
        asked["model"] = model.into();
        drop(
            scene
                .lingate
                .post("/v1/messages", &asked)
                .send()
                .await
                .text()
                .await,
        );
    }
    let rows = scene.rows(2).await;
    // 3,000 x 1,000 + 100 x 2,000 dollars a million.
    assert_eq!(rows[0].cost_micro_usd, Some(3_200_000));
    assert_eq!(rows[1].cost_micro_usd, None);
    let metrics = scene.lingate.get("/metrics").send().await.text().await;
    let line = "lingate_cost_micro_usd_total{provider=\"moonshot\"} 3200000\n";
    assert!(metrics.contains(line), "{metrics}");
}

/// Who leaves before anything came back leaves an attempt that ended.
#[tokio::test]
async fn an_attempt_that_nobody_waited_for_has_an_end() {
    for is_stream in [true, false] {
        let scene = Scene::start("chat", M::NeverAnswers).await;
        let request = scene.lingate.post("/v1/messages", &messages(is_stream));
        let left = tokio::time::timeout(Duration::from_secs(1), request.send()).await;
        assert!(left.is_err(), "it never answers");
        let rows = scene.rows(1).await;
        assert_eq!(rows[0].end, Some(End::ClientGone));
        let attempt = &scene.details(&rows[0]).attempts[0];
        assert_eq!(attempt.outcome, "aborted");
        assert!(attempt.ended_us.is_some());
    }
}

/// What runs when the gateway is ended by force is recorded as far as it came.
#[tokio::test]
async fn a_forced_end_is_recorded() {
    let scene = Scene::start("chat", M::StallsAfterText).await;
    let response = scene
        .lingate
        .post("/v1/messages", &messages(true))
        .send()
        .await;
    let mut events = response.events();
    assert_eq!(events.next().await.unwrap().name, "message_start");
    scene.lingate.handle.end_now().await;
    let rows = scene.rows(1).await;
    assert_eq!(rows[0].end, Some(End::Shutdown));
    assert_eq!(rows[0].provider.as_deref(), Some("up"));
    let got = scene.body(&rows[0], BodyKind::ClientResponse);
    assert!(got.starts_with("event: message_start\n"), "{got}");
}

/// Names and ids are a client's to choose, and go into rows, logs and messages.
#[tokio::test]
async fn what_a_client_calls_things_has_a_measure() {
    let scene = Scene::start("chat", answer).await;
    let mut asked = messages(false);
    asked["model"] = "m".repeat(600).into();
    let refused = scene.lingate.post("/v1/messages", &asked).send().await;
    assert_eq!(refused.status, 400);
    assert!(refused.text().await.contains("longer than 512 bytes"));
    let request = scene.lingate.post("/v1/messages", &messages(false));
    let request = request.header("x-session-id", &"s".repeat(5_000));
    assert_eq!(request.send().await.status, 200);
    let rows = scene.rows(2).await;
    assert_eq!(rows[0].model, "");
    assert_eq!(rows[1].session.as_ref().map(String::len), Some(64));
}

/// A host that tells nonsense spoils no sum.
#[tokio::test]
async fn an_absurd_count_is_none() {
    let absurd = |request: &Received| {
        let usage = Usage {
            prompt: 1 << 62,
            cached: 0,
            output: 7,
        };
        let reply = Reply::text("Hello.");
        Reply { usage, ..reply }.answer(request)
    };
    let scene = Scene::start("chat", absurd).await;
    let request = scene.lingate.post("/v1/messages", &messages(false));
    drop(request.send().await.text().await);
    let rows = scene.rows(1).await;
    assert_eq!((rows[0].usage.input, rows[0].usage.output), (None, Some(7)));
    let metrics = scene.lingate.get("/metrics").send().await.text().await;
    assert!(!metrics.contains("46116860184"), "{metrics}");
}
