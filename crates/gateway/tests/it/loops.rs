//! Conversations that go in circles are noticed in the history that every request brings along.

use std::time::Duration;

use lingate_gateway::Options;
use lingate_store::{self as store, Exchange, Filter, Page, Reader, Store};
use lingate_testkit::{Answer, Received, Reply, Upstream};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Lingate, messages};

/// So many rounds in which a command fails the same way.
fn history(rounds: usize, result: impl Fn(usize) -> String) -> Value {
    let mut body = messages(false);
    let all = body["messages"].as_array_mut().unwrap();
    for n in 0..rounds {
        let id = format!("toolu_{n}");
        let call =
            json!({"type": "tool_use", "id": id, "name": "Bash", "input": {"command": "make"}});
        let result = json!({"type": "tool_result", "tool_use_id": id, "content": result(n)});
        all.push(json!({"role": "assistant", "content": [call]}));
        all.push(json!({"role": "user", "content": [result]}));
    }
    body
}

fn again(request: &Received) -> Answer {
    Reply::text("Again.").answer(request)
}

struct Scene {
    lingate: Lingate,
    upstream: Upstream,
    dir: TempDir,
    store: Store,
}

impl Scene {
    async fn start(loops: &str) -> Self {
        let upstream = Upstream::start(again).await;
        let dir = TempDir::new().unwrap();
        let options = store::Options::default();
        let store = Store::open(dir.path(), options, jiff::Timestamp::now()).unwrap();
        let config = format!(
            "default = \"up/m\"\n[loops]\n{loops}\n[providers.up]\nbase_url = \"{}\"\nspeaks = [\"anthropic\"]\n\
             api_key = \"sk-up\"\n",
            upstream.url()
        );
        let options = Options {
            recorder: Some(store.recorder()),
            ..Options::default()
        };
        let lingate = Lingate::start_as(&config, &[], options).await;
        Self {
            lingate,
            upstream,
            dir,
            store,
        }
    }

    /// Status, warning and body of the answer.
    async fn ask(&self, body: &Value) -> (u16, String, String) {
        let response = self.lingate.post("/v1/messages", body).send().await;
        let warning = response.header("x-lingate-warning").to_owned();
        let retry = response.header("x-should-retry").to_owned();
        let status = response.status;
        assert_eq!(retry == "false", status != 200);
        (status, warning, response.text().await)
    }

    async fn row(&self) -> Exchange {
        for _ in 0..2000 {
            assert!(self.store.recorder().flush(Duration::from_secs(10)));
            let reader = Reader::open(self.dir.path()).unwrap();
            let rows = reader
                .list(&Filter::default(), Page::default())
                .unwrap()
                .items;
            if let [row, ..] = rows.as_slice()
                && row.end.is_some()
            {
                return row.clone();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("not recorded in time");
    }
}

fn same(_: usize) -> String {
    "no rule".to_owned()
}

#[tokio::test]
async fn a_circle_is_told_from_the_fifth_round_on() {
    let scene = Scene::start("").await;
    for (rounds, warning) in [(4, ""), (5, "loop Bash 5"), (9, "loop Bash 9")] {
        let (status, told, text) = scene.ask(&history(rounds, same)).await;
        assert_eq!((status, &*told), (200, warning), "{text}");
        let warnings: &[&str] = if warning.is_empty() { &[] } else { &["loop"] };
        assert_eq!(scene.row().await.warnings, warnings);
    }
    let polling = history(9, |n| format!("{n} %"));
    assert_eq!(scene.ask(&polling).await.1, "");
    assert_eq!(scene.upstream.requests().len(), 4, "never stopped");
    let metrics = scene.lingate.get("/metrics").send().await.text().await;
    assert!(
        metrics.contains("lingate_loops_total{action=\"warned\"} 2"),
        "{metrics}"
    );
}

#[tokio::test]
async fn it_is_stopped_where_that_is_configured() {
    let scene = Scene::start("warn_after = 3\nstop_after = 6").await;
    let (status, told, _) = scene.ask(&history(5, same)).await;
    assert_eq!((status, &*told), (200, "loop Bash 5"));
    let (status, told, text) = scene.ask(&history(6, same)).await;
    assert_eq!((status, &*told), (402, "loop Bash 6"), "{text}");
    for part in [
        "`Bash` was called 6 times",
        "loops.stop_after",
        "start a new session",
    ] {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(scene.upstream.requests().len(), 1);
    let row = scene.row().await;
    assert_eq!((row.warnings, row.attempts), (vec!["loop".to_owned()], 0));
    assert_eq!(row.error_kind.as_deref(), Some("loop"));
    // Said something else, it goes on.
    let mut body = history(6, same);
    let all = body["messages"].as_array_mut().unwrap();
    all.push(json!({"role": "assistant", "content": "It fails."}));
    all.push(json!({"role": "user", "content": "Leave it."}));
    assert_eq!(scene.ask(&body).await.0, 200);
}

#[tokio::test]
async fn it_is_not_looked_for_where_nobody_asks() {
    let scene = Scene::start("warn_after = 0").await;
    let (status, told, _) = scene.ask(&history(50, same)).await;
    assert_eq!((status, &*told), (200, ""));
}
