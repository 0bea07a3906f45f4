//! Which target serves, request by request and session by session.

use lingate_testkit::{Misbehaviour as M, Received, Reply, Script, Upstream};
use serde_json::Value;

use crate::harness::{Lingate, completions, messages};

/// Three upstreams `a`, `b` and `c` behind one model.
struct Scene {
    lingate: Lingate,
    upstreams: Vec<Upstream>,
}

fn healthy(request: &Received) -> lingate_testkit::Answer {
    Reply::text("Hello.").answer(request)
}

impl Scene {
    async fn start(model: &str, first: impl Script) -> Self {
        let upstreams = vec![
            Upstream::start(first).await,
            Upstream::start(healthy).await,
            Upstream::start(healthy).await,
        ];
        let mut config = format!("default = \"m\"\n[models.m]\n{model}\n");
        for (name, upstream) in ["a", "b", "c"].iter().zip(&upstreams) {
            let url = upstream.url();
            config.push_str(&format!(
                "[providers.{name}]\nbase_url = \"{url}\"\nspeaks = [\"chat\"]\nauth = \"none\"\n"
            ));
        }
        let lingate = Lingate::start(&config).await;
        Self { lingate, upstreams }
    }

    async fn ask(&self, body: &Value, session: Option<&str>) -> String {
        let path = if body["max_tokens"].is_null() {
            "/v1/chat/completions"
        } else {
            "/v1/messages"
        };
        let mut request = self.lingate.post(path, body);
        if let Some(session) = session {
            request = request.header("x-claude-code-session-id", session);
        }
        let response = request.send().await;
        assert_eq!(response.status, 200);
        let provider = response.header("x-lingate-provider").to_owned();
        drop(response.text().await);
        provider
    }

    /// Who serves one request of each of these sessions.
    async fn served(&self, sessions: &str) -> String {
        let mut served = Vec::new();
        for session in sessions.split(' ') {
            served.push(self.ask(&messages(true), Some(session)).await);
        }
        served.join("")
    }
}

const TARGETS: &str = "targets = [\"a/x\", \"b/x\", \"c/x\"]";

fn with(strategy: &str) -> String {
    format!("{TARGETS}\nstrategy = \"{strategy}\"")
}

/// Fails its second request only.
fn fails_once(request: &Received) -> lingate_testkit::Answer {
    match request.n {
        1 => M::Overloaded.answer(request),
        _ => healthy(request),
    }
}

#[tokio::test]
async fn ordered_moves_a_session_once_and_it_stays() {
    let scene = Scene::start(TARGETS, fails_once).await;
    assert_eq!(scene.served("s s s s t s t").await, "abbbaba");
}

#[tokio::test]
async fn return_now_goes_back_at_once() {
    let scene = Scene::start(&format!("{TARGETS}\nreturn = \"now\""), fails_once).await;
    assert_eq!(scene.served("s s s s t").await, "abaaa");
}

#[tokio::test]
async fn first_and_round_robin_know_no_session() {
    let scene = Scene::start(&with("first"), fails_once).await;
    assert_eq!(scene.served("s s s s").await, "abaa");
    let scene = Scene::start(&with("round_robin"), healthy).await;
    assert_eq!(scene.served("s s s s t s").await, "abcabc");
}

#[tokio::test]
async fn spread_keeps_every_session_where_it_is() {
    let scene = Scene::start(&with("spread"), healthy).await;
    let sessions: Vec<String> = (0..12).map(|n| format!("session-{n}")).collect();
    let sessions = sessions.join(" ");
    let first = scene.served(&sessions).await;
    assert!("abc".chars().all(|name| first.contains(name)), "{first}");
    for _ in 0..3 {
        assert_eq!(scene.served(&sessions).await, first);
    }
}

#[tokio::test]
async fn chance_uses_all_and_weights_count() {
    let count = async |model: &str| {
        let scene = Scene::start(model, healthy).await;
        for _ in 0..60 {
            scene.ask(&messages(false), None).await;
        }
        let counts: Vec<usize> = (scene.upstreams.iter())
            .map(|own| own.requests().len())
            .collect();
        counts
    };
    let even = count(&with("random")).await;
    assert!(even.iter().all(|n| *n >= 5), "{even:?}");
    let weighted = "targets = [{ to = \"a/x\", weight = 50 }, \"b/x\", \"c/x\"]\n\
                    strategy = \"weighted_random\"";
    let weighted = count(weighted).await;
    assert!(weighted[0] >= 50, "{weighted:?}");
}

#[tokio::test]
async fn the_quickest_serves() {
    let slow = |request: &Received| healthy(request).paced(std::time::Duration::from_millis(60));
    let scene = Scene::start(&with("least_latency"), slow).await;
    let served = scene.served("s s s s s s s").await;
    assert_eq!(&served[..3], "abc", "each is tried");
    assert!(!served[3..].contains('a'), "{served}");
}

/// Without a session's name, the first words of a conversation tell it.
#[tokio::test]
async fn a_conversation_without_a_name_stays_too() {
    let scene = Scene::start(&with("spread"), healthy).await;
    for first in ["one", "two", "three", "four"] {
        let mut body = completions(true);
        body["messages"][0]["content"] = first.into();
        let home = scene.ask(&body, None).await;
        for turn in 0..3 {
            let messages = body["messages"].as_array_mut().unwrap();
            messages.push(serde_json::json!({"role": "assistant", "content": "Hello."}));
            let next = format!("go on {turn}");
            messages.push(serde_json::json!({"role": "user", "content": next}));
            assert_eq!(scene.ask(&body, None).await, home, "{first}, turn {turn}");
        }
    }
}
