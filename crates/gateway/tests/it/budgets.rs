//! Budgets: said while they are spent, held once they are, in every wire's words and before anything is asked upstream.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lingate_config::{FixedEnvironment, Problems};
use lingate_gateway::{Loaded, Options, Outcome, Source, Trigger};
use lingate_store::{
    self as store, Billing, Exchange, Filter, Page, Reader, Recorder, Spent, Store,
};
use lingate_testkit::client::Response;
use lingate_testkit::{Answer, Received, Reply, Upstream, Usage};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Lingate, completions, configuration, messages};

/// SHA-256 of `alices-key`.
const ALICE: &str = "78cb25670068db732b666acc160a6fc90b66ba60ec2e2a2b6119771c89d81957";

/// SHA-256 of `bobs-key`.
const BOB: &str = "d4dec180a993cd5fa065cac46b9bbfd1528c39080afa14d683a5bc657c453892";

/// 1,000 x 3 + 2,000 x 0.30 + 100 x 15 dollars a million.
const COST: i64 = 5_100;

fn answer(request: &Received) -> Answer {
    let usage = Usage {
        prompt: 3_000,
        cached: 2_000,
        output: 100,
    };
    let reply = Reply::text("Here you are.");
    Reply { usage, ..reply }.answer(request)
}

/// What a client was told.
struct Told {
    status: u16,
    notice: String,
    text: String,
}

/// A configuration whose text is exchanged while the gateway runs.
struct Text(Mutex<String>);

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Text")
    }
}

impl Source for Text {
    fn load(&self) -> Result<Loaded, Problems> {
        let text = self.0.lock().unwrap().clone();
        Ok(Loaded {
            config: configuration(&text, &FixedEnvironment::new([]))?,
            // Names it without holding it: it is logged.
            hash: text.len().to_string(),
            files: Vec::new(),
        })
    }
}

/// A gateway that records, in front of one upstream whose answers cost [`COST`] each.
struct Scene {
    lingate: Lingate,
    upstream: Upstream,
    recorder: Recorder,
    text: Arc<Text>,
    dir: TempDir,
    store: Option<Store>,
}

impl Scene {
    async fn start(limits: &str) -> Self {
        Self::start_in(limits, TempDir::new().unwrap()).await
    }

    /// Over the record that lies there.
    async fn start_in(limits: &str, dir: TempDir) -> Self {
        let upstream = Upstream::start(answer).await;
        let now = jiff::Timestamp::now();
        let store = Store::open(dir.path(), store::Options::default(), now).unwrap();
        let spent = Reader::open(dir.path()).unwrap().spent(now, 100).unwrap();
        let config = config(&upstream.url(), limits);
        let text = Arc::new(Text(Mutex::new(config.clone())));
        let recorder = store.recorder();
        let options = Options {
            recorder: Some(recorder.clone()),
            spent,
            source: Some(Arc::clone(&text) as Arc<dyn Source>),
            ..Options::default()
        };
        Self {
            lingate: Lingate::start_as(&config, &[], options).await,
            upstream,
            recorder,
            text,
            dir,
            store: Some(store),
        }
    }

    /// Asks, and waits until the exchange is closed: its answer is out before that.
    async fn ask(&self, model: &str, headers: &[(&str, &str)]) -> Told {
        let before = self.closed().len();
        let mut body = messages(false);
        body["model"] = model.into();
        let response = self.send("/v1/messages", &body, headers).await;
        let told = Told {
            status: response.status,
            notice: response.header("x-lingate-budget").to_owned(),
            text: response.text().await,
        };
        self.rows(before + 1).await;
        told
    }

    async fn send(&self, path: &str, body: &Value, headers: &[(&str, &str)]) -> Response {
        let mut request = self.lingate.post(path, body);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        request.send().await
    }

    async fn reload(&self, limits: &str) {
        *self.text.0.lock().unwrap() = config(&self.upstream.url(), limits);
        let last = self.lingate.handle.reload(Trigger::Api).await.last.unwrap();
        assert_eq!(
            (last.outcome, last.problems),
            (Outcome::Applied, Vec::new())
        );
    }

    async fn metrics(&self) -> String {
        let request = self.lingate.get("/metrics");
        let request = request.header("x-lingate-key", "bobs-key");
        request.send().await.text().await
    }

    /// What has ended, oldest first.
    fn closed(&self) -> Vec<Exchange> {
        assert!(self.recorder.flush(Duration::from_secs(10)));
        let reader = Reader::open(self.dir.path()).unwrap();
        let page = Page {
            limit: 500,
            ..Page::default()
        };
        let mut rows = reader.list(&Filter::default(), page).unwrap().items;
        rows.retain(|row| row.end.is_some());
        rows.reverse();
        rows
    }

    async fn rows(&self, expected: usize) -> Vec<Exchange> {
        for _ in 0..2000 {
            let rows = self.closed();
            if rows.len() >= expected {
                assert_eq!(rows.len(), expected);
                return rows;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("not recorded in time");
    }

    fn asked(&self) -> usize {
        self.upstream.requests().len()
    }

    /// Ends it; the record stays.
    async fn end(mut self) -> TempDir {
        self.lingate.end().await;
        drop(self.store.take());
        self.dir
    }
}

fn config(url: &str, limits: &str) -> String {
    format!(
        r#"
        default = "priced"
        [providers.up]
        base_url = "{url}"
        speaks = ["anthropic"]
        api_key = "sk-upstream"
        [providers.plan]
        base_url = "{url}"
        speaks = ["anthropic"]
        api_key = "sk-plan"
        billing = "subscription"
        [providers.anthropic]
        base_url = "{url}"
        auth = "client"
        [models.priced]
        targets = ["up/served-model"]
        price = {{ input = "3", output = "15", cache_read = "0.30" }}
        [models.either]
        targets = ["up/served-model", "plan/served-model"]
        price = {{ input = "3", output = "15", cache_read = "0.30" }}
        [models.own]
        targets = ["anthropic/served-model"]
        price = {{ input = "3", output = "15", cache_read = "0.30" }}
        {limits}
        "#
    )
}

#[tokio::test]
async fn each_wire_is_refused_in_its_own_words() {
    let scene = Scene::start("[budget]\nday = \"0 USD\"").await;
    let responses = |stream| json!({"model": "gpt-x", "input": "hello", "stream": stream});
    let gemini = json!({"contents": [{"role": "user", "parts": [{"text": "hello"}]}]});
    let (generate, stream) = (
        "/v1beta/models/m:generateContent",
        "/v1beta/models/m:streamGenerateContent?alt=sse",
    );
    let cases: [(&str, Value, u16, &[&str], &str); 8] = [
        (
            "/v1/messages",
            messages(false),
            402,
            &["error", "type"],
            "billing_error",
        ),
        (
            "/v1/messages",
            messages(true),
            402,
            &["error", "type"],
            "billing_error",
        ),
        (
            "/v1/chat/completions",
            completions(false),
            402,
            &["error", "code"],
            "budget_exceeded",
        ),
        (
            "/v1/chat/completions",
            completions(true),
            402,
            &["error", "code"],
            "budget_exceeded",
        ),
        (
            "/v1/responses",
            responses(false),
            402,
            &["error", "code"],
            "budget_exceeded",
        ),
        (
            "/v1/responses",
            responses(true),
            402,
            &["error", "code"],
            "budget_exceeded",
        ),
        (
            generate,
            gemini.clone(),
            403,
            &["error", "status"],
            "PERMISSION_DENIED",
        ),
        (
            stream,
            gemini,
            403,
            &["error", "status"],
            "PERMISSION_DENIED",
        ),
    ];
    let n = cases.len();
    for (path, body, status, member, kind) in cases {
        let response = scene.send(path, &body, &[]).await;
        assert_eq!(response.status, status, "{path}");
        assert_eq!(response.header("x-should-retry"), "false", "{path}");
        assert_eq!(response.header("x-lingate-budget"), "day 100%", "{path}");
        assert_eq!(response.header("x-lingate-attempts"), "0", "{path}");
        assert_eq!(response.header("retry-after"), "", "{path}");
        let body: Value = serde_json::from_str(&response.text().await).unwrap();
        let found = member.iter().fold(&body, |at, name| &at[name]);
        assert_eq!(found, kind, "{path}: {body}");
        let message = body["error"]["message"].as_str().unwrap();
        for part in [
            "today's budget is spent",
            "0.00 of 0.00 USD",
            "00:00 UTC",
            "raise `budget.day`",
        ] {
            assert!(message.contains(part), "{path}: {message}");
        }
    }
    assert_eq!(
        scene.upstream.requests().len(),
        0,
        "nothing is asked upstream"
    );
    for row in scene.rows(n).await {
        assert_eq!(row.error_kind.as_deref(), Some("budget"));
        assert_eq!(row.warnings, ["budget"]);
        assert_eq!(
            (row.attempts, row.billing, row.cost_micro_usd),
            (0, None, None)
        );
    }
    let metrics = scene.metrics().await;
    let line = format!("lingate_budget_refused_total{{budget=\"day\",key=\"\"}} {n}");
    assert!(metrics.contains(&line), "{metrics}");
}

/// Codex tries a 402 again five times, and has words of its own for a used-up quota, which would hide ours: it is told in
/// its stream that nothing is to be done about this prompt.
#[tokio::test]
async fn codex_is_told_in_its_stream() {
    let scene = Scene::start("[budget]\nday = \"0 USD\"").await;
    let body = json!({"model": "gpt-x", "input": "hello", "stream": true});
    let agent = [("user-agent", "codex_cli_rs/1")];
    let response = scene.send("/v1/responses", &body, &agent).await;
    assert_eq!(response.status, 200);
    let text = response.text().await;
    for part in [
        "response.failed",
        "invalid_prompt",
        "today's budget is spent",
    ] {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(scene.asked(), 0);
    let row = &scene.rows(1).await[0];
    assert_eq!(row.error_kind.as_deref(), Some("budget"));
}

#[tokio::test]
async fn what_is_spent_is_said_and_then_held() {
    let scene = Scene::start("[budget]\nday = \"0.007 USD\"").await;
    for (status, notice) in [
        (200, ""),
        (200, "day 72%"),
        (402, "day 145%"),
        (402, "day 145%"),
    ] {
        let told = scene.ask("priced", &[]).await;
        assert_eq!(
            (told.status, &*told.notice),
            (status, notice),
            "{}",
            told.text
        );
        let is_refused = told.text.contains("0.0102 of 0.007 USD");
        assert_eq!(is_refused, status == 402, "{}", told.text);
    }
    assert_eq!(scene.asked(), 2);
    let metrics = scene.metrics().await;
    for line in [
        "lingate_budget_used_percent{budget=\"day\",key=\"\"} 145",
        "lingate_budget_warnings_total{budget=\"day\",key=\"\",level=\"70\"} 1",
        "lingate_budget_warnings_total{budget=\"day\",key=\"\",level=\"100\"} 1",
        "lingate_budget_refused_total{budget=\"day\",key=\"\"} 2",
    ] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
}

#[tokio::test]
async fn a_session_has_a_budget_of_its_own() {
    let scene = Scene::start("[budget]\nsession = \"0.005 USD\"").await;
    let of = |session| [("x-claude-code-session-id", session)];
    assert_eq!(scene.ask("priced", &of("one")).await.status, 200);
    let told = scene.ask("priced", &of("one")).await;
    assert_eq!((told.status, &*told.notice), (402, "session 102%"));
    assert!(
        told.text.contains("A new session starts anew"),
        "{}",
        told.text
    );
    assert!(
        told.text.contains("raise `budget.session`"),
        "{}",
        told.text
    );
    assert_eq!(scene.ask("priced", &of("two")).await.status, 200);
    // Without a session there is nothing to add up.
    for _ in 0..3 {
        assert_eq!(scene.ask("priced", &[]).await.status, 200);
    }
}

#[tokio::test]
async fn each_key_has_its_own() {
    let other = "0".repeat(64);
    let limits = format!(
        "[keys.alice]\nsecret = \"sha256:{ALICE}\"\nbudget = {{ day = \"0.005 USD\" }}\n\
         [keys.bob]\nsecret = \"sha256:{BOB}\"\n[keys.none]\nsecret = \"sha256:{other}\"\n"
    );
    let scene = Scene::start(&limits).await;
    let of = |key| [("x-api-key", key)];
    assert_eq!(scene.ask("priced", &of("bobs-key")).await.status, 200);
    assert_eq!(scene.ask("priced", &of("alices-key")).await.status, 200);
    let told = scene.ask("priced", &of("alices-key")).await;
    assert_eq!((told.status, &*told.notice), (402, "key alice day 102%"));
    assert!(
        told.text.contains("raise `keys.alice.budget.day`"),
        "{}",
        told.text
    );
    assert_eq!(scene.ask("priced", &of("bobs-key")).await.status, 200);
    let metrics = scene.metrics().await;
    let line = "lingate_budget_refused_total{budget=\"key_day\",key=\"alice\"} 1";
    assert!(metrics.contains(line), "{metrics}");
}

#[tokio::test]
async fn a_restart_forgets_nothing() {
    let limits = "[budget]\nday = \"0.0051 USD\"";
    let scene = Scene::start(limits).await;
    let session = [("x-claude-code-session-id", "s")];
    assert_eq!(scene.ask("priced", &session).await.status, 200);
    let dir = scene.end().await;

    let scene = Scene::start_in(limits, dir).await;
    let used = "lingate_budget_used_percent{budget=\"day\",key=\"\"} 100\n";
    let metrics = scene.metrics().await;
    assert!(metrics.contains(used), "{metrics}");
    let told = scene.ask("priced", &session).await;
    assert_eq!((told.status, &*told.notice), (402, "day 100%"));
    assert_eq!(scene.asked(), 0);
    let dir = scene.end().await;

    let scene = Scene::start_in("[budget]\nsession = \"0.0052 USD\"", dir).await;
    let told = scene.ask("priced", &session).await;
    assert_eq!((told.status, &*told.notice), (200, "session 98%"));
    let told = scene.ask("priced", &session).await;
    assert_eq!((told.status, &*told.notice), (402, "session 196%"));
}

/// A conversation that two keys take part in: each pays for itself, before a restart and after it.
#[tokio::test]
async fn a_session_of_two_keys() {
    let limits = format!(
        "[keys.alice]\nsecret = \"sha256:{ALICE}\"\nbudget = {{ session = \"0.006 USD\" }}\n\
         [keys.bob]\nsecret = \"sha256:{BOB}\"\nbudget = {{ session = \"0.006 USD\" }}\n"
    );
    let of = |key| [("x-api-key", key), ("x-claude-code-session-id", "both")];
    let scene = Scene::start(&limits).await;
    assert_eq!(scene.ask("priced", &of("alices-key")).await.status, 200);
    let told = scene.ask("priced", &of("bobs-key")).await;
    assert_eq!((told.status, &*told.notice), (200, ""));
    let dir = scene.end().await;

    let scene = Scene::start_in(&limits, dir).await;
    let told = scene.ask("priced", &of("alices-key")).await;
    assert_eq!((told.status, &*told.notice), (200, "key alice session 85%"));
    let told = scene.ask("priced", &of("alices-key")).await;
    assert_eq!(
        (told.status, &*told.notice),
        (402, "key alice session 170%")
    );
    let told = scene.ask("priced", &of("bobs-key")).await;
    assert_eq!((told.status, &*told.notice), (200, "key bob session 85%"));
}

#[tokio::test]
async fn a_reload_changes_budgets_and_forgets_nothing() {
    let scene = Scene::start("").await;
    for _ in 0..2 {
        let told = scene.ask("priced", &[]).await;
        assert_eq!((told.status, &*told.notice), (200, ""));
    }
    for (limits, status, notice) in [
        ("[budget]\nday = \"0.0102 USD\"", 402, "day 100%"),
        ("[budget]\nday = \"1 USD\"", 200, ""),
        ("[budget]\nday = \"0.0153 USD\"", 402, "day 100%"),
        ("", 200, ""),
    ] {
        scene.reload(limits).await;
        let told = scene.ask("priced", &[]).await;
        assert_eq!((told.status, &*told.notice), (status, notice), "{limits}");
    }
    for (limits, percent) in [
        ("[budget]\nday = \"0.0204 USD\"", Some(100)),
        ("[budget]\nday = \"0.0408 USD\"", Some(50)),
        ("", None),
    ] {
        scene.reload(limits).await;
        let metrics = scene.metrics().await;
        let used = "lingate_budget_used_percent{budget=\"day\",key=\"\"} ";
        let found = metrics.lines().find_map(|line| line.strip_prefix(used));
        let found = found.map(|percent| percent.parse::<u64>().unwrap());
        assert_eq!(found, percent, "{limits}");
    }
}

#[tokio::test]
async fn a_subscription_is_not_billed() {
    let scene = Scene::start("[budget]\nday = \"0.005 USD\"").await;
    let login = [("authorization", "Bearer sk-ant-oat01-secret")];
    let key = [("x-api-key", "sk-ant-api03-secret")];
    for _ in 0..3 {
        let told = scene.ask("own", &login).await;
        assert_eq!((told.status, &*told.notice), (200, ""), "{}", told.text);
    }
    assert_eq!(scene.ask("own", &key).await.status, 200);
    assert_eq!(scene.ask("own", &key).await.status, 402, "a key is billed");
    // What a subscription pays for goes on.
    let told = scene.ask("own", &login).await;
    assert_eq!((told.status, &*told.notice), (200, "day 102%"));

    let rows = scene.closed();
    let paid = |row: &Exchange| (row.billing, row.cost_micro_usd, row.billed_micro_usd);
    let subscription = (Some(Billing::Subscription), Some(COST), Some(0));
    let metered = (Some(Billing::Metered), Some(COST), Some(COST));
    let found: Vec<_> = rows.iter().map(paid).collect();
    let expected = [
        subscription,
        subscription,
        subscription,
        metered,
        (None, None, None),
        subscription,
    ];
    assert_eq!(found, expected);
}

/// Of several candidates, those that cost nothing are left once the budget is spent.
#[tokio::test]
async fn what_costs_nothing_still_serves() {
    let scene = Scene::start("[budget]\nday = \"0.005 USD\"").await;
    let provider = |rows: &[Exchange]| rows.last().unwrap().provider.clone().unwrap();
    assert_eq!(scene.ask("either", &[]).await.status, 200);
    assert_eq!(provider(&scene.closed()), "up");
    let told = scene.ask("either", &[]).await;
    assert_eq!((told.status, &*told.notice), (200, "day 102%"));
    assert_eq!(provider(&scene.closed()), "plan");
    assert_eq!(scene.ask("priced", &[]).await.status, 402);
    // No price is known, and it runs on a machine of the user's.
    assert_eq!(scene.ask("up/unpriced", &[]).await.status, 200);
    assert_eq!(scene.ask("demo", &[]).await.status, 200);
}

#[tokio::test]
async fn counting_tokens_is_free() {
    let scene = Scene::start("[budget]\nday = \"0 USD\"").await;
    let path = "/v1/messages/count_tokens";
    let response = scene.send(path, &messages(false), &[]).await;
    assert_ne!(response.status, 402);
}

/// Without a record the sums are in memory alone.
#[tokio::test]
async fn budgets_hold_without_a_record() {
    let upstream = Upstream::start(answer).await;
    let config = config(&upstream.url(), "[budget]\nday = \"0.005 USD\"");
    let lingate = Lingate::start(&config).await;
    let status = async |is_stream: bool| {
        let mut body = messages(is_stream);
        body["model"] = "priced".into();
        let response = lingate.post("/v1/messages", &body).send().await;
        let status = response.status;
        drop(response.bytes().await);
        status
    };
    assert_eq!(status(true).await, 200);
    // The answer is out before it is charged.
    for _ in 0..2000 {
        if status(true).await == 402 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("never refused");
}

/// Requests at the same time may overshoot by what is in flight, and by nothing more; no cost is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_in_flight_is_all_that_overshoots() {
    let scene = Scene::start("[budget]\nday = \"0.02 USD\"").await;
    let mut body = messages(true);
    body["model"] = "priced".into();
    for _ in 0..6 {
        let asks = (0..8).map(|_| async {
            let response = scene.send("/v1/messages", &body, &[]).await;
            let status = response.status;
            drop(response.bytes().await);
            status
        });
        futures_util::future::join_all(asks).await;
    }
    let rows = scene.rows(48).await;
    let served = rows.iter().filter(|row| row.status == Some(200)).count();
    assert_eq!(served, scene.asked());
    assert!((4..4 + 8).contains(&served), "{served}");
    let reader = Reader::open(scene.dir.path()).unwrap();
    let Spent { day, .. } = reader.spent(jiff::Timestamp::now(), 1).unwrap();
    assert_eq!(day, [(String::new(), served as i64 * COST)]);
}
