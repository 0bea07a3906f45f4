//! Rules and tiers: a request goes where its class, its tools or its size send it, and the rest stays.

use lingate_testkit::client::Response;
use lingate_testkit::{Misbehaviour, OverflowWords, Received, Reply, Script, Upstream};
use lingate_wire::Wire;
use serde_json::{Value, json};

use crate::harness::{Lingate, events, messages};

/// Providers `a` and `b`, each on the wire given, behind `config`.
pub(crate) struct Scene {
    pub lingate: Lingate,
    pub a: Upstream,
    pub b: Upstream,
}

pub(crate) fn healthy(request: &Received) -> lingate_testkit::Answer {
    Reply::text("Hello.").answer(request)
}

impl Scene {
    pub(crate) async fn start(config: &str) -> Self {
        Self::with(config, ["chat", "chat"], healthy).await
    }

    pub(crate) async fn with(config: &str, wires: [&str; 2], first: impl Script) -> Self {
        let a = Upstream::start(first).await;
        let b = Upstream::start(healthy).await;
        let provider = |name: &str, upstream: &Upstream, wire: &str| {
            let url = upstream.url();
            format!(
                "[providers.{name}]\nbase_url = \"{url}\"\nspeaks = [\"{wire}\"]\nauth = \"none\"\n"
            )
        };
        let [first, second] = wires;
        let config = format!(
            "{config}\n{}{}",
            provider("a", &a, first),
            provider("b", &b, second)
        );
        let lingate = Lingate::start(&config).await;
        Self { lingate, a, b }
    }

    pub(crate) async fn post(&self, body: &Value, headers: &[(&str, &str)]) -> Response {
        let mut request = self.lingate.post("/v1/messages", body);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        request.send().await
    }

    /// Which provider and model serve a request.
    pub(crate) async fn served(&self, body: &Value, headers: &[(&str, &str)]) -> String {
        let response = self.post(body, headers).await;
        let status = response.status;
        let provider = response.header("x-lingate-provider").to_owned();
        let text = response.text().await;
        assert_eq!(status, 200, "{text}");
        let own = if provider == "a" { &self.a } else { &self.b };
        let requests = own.requests();
        format!("{provider}/{}", requests.last().expect("it").model())
    }

    pub(crate) async fn metric(&self, line: &str) -> bool {
        let text = self.lingate.get("/metrics").send().await.text().await;
        text.lines().any(|own| own.starts_with(line))
    }
}

const RULES: &str = r#"
default = "a/main"
small = "b/small"
[[rules]]
when = { class = "subagent" }
use = "b/helper"
[[rules]]
when = { tool = "web_search*" }
use = "b/searcher"
[[rules]]
when = { image = true }
use = "b/eyes"
[[rules]]
when = { tokens_over = 1000 }
use = "b/large"
[[rules]]
when = { header = { x-team = "red*" }, thinking = true }
use = "b/*"
"#;

#[tokio::test]
async fn every_condition_sends_its_requests_elsewhere() {
    let scene = Scene::start(RULES).await;
    let check = async |more: Value, headers: &[(&str, &str)], expected: &str| {
        let mut body = messages(false);
        for (key, value) in more.as_object().expect("an object") {
            body[key] = value.clone();
        }
        let served = scene.served(&body, headers).await;
        assert_eq!(served, expected, "{more} {headers:?}");
    };
    check(json!({}), &[], "a/main").await;
    let class = "x-claude-code-request-class";
    check(json!({}), &[(class, "main")], "a/main").await;
    check(json!({}), &[(class, "compaction")], "a/main").await;
    check(json!({}), &[(class, "subagent")], "b/helper").await;
    check(json!({}), &[("x-claude-code-agent-id", "a1")], "b/helper").await;
    check(json!({}), &[("x-openai-subagent", "review")], "b/helper").await;
    check(json!({}), &[(class, "auxiliary")], "b/small").await;
    check(json!({"model": "claude-haiku-4-5"}), &[], "b/small").await;
    let search = json!({"type": "web_search_20250305", "name": "web_search"});
    let read = json!({"name": "Read", "input_schema": {"type": "object"}});
    check(json!({"tools": [read, search]}), &[], "b/searcher").await;
    check(json!({"tools": [read]}), &[], "a/main").await;
    let image = json!([{"role": "user", "content": [
        {"type": "image", "source": {"type": "url", "url": "https://pictures.test/1.png"}},
    ]}]);
    check(json!({"messages": image}), &[], "b/eyes").await;
    let long = json!([{"role": "user", "content": "word ".repeat(1000)}]);
    check(json!({"messages": long}), &[], "b/large").await;
    let thinking = json!({"thinking": {"type": "adaptive"}});
    check(thinking.clone(), &[], "a/main").await;
    check(thinking, &[("x-team", "red-1")], "b/claude-opus-5-5").await;
    check(json!({}), &[("x-team", "red-1")], "a/main").await;

    for step in ["rule", "small", "default", "direct"] {
        let line = format!("lingate_routed_total{{step=\"{step}\"}}");
        assert!(scene.metric(&line).await, "{line}");
    }
}

#[tokio::test]
async fn a_rule_of_a_profile_holds_there_only() {
    let scene = Scene::start(
        "default = \"a/main\"\n[[rules]]\nwhen = { profile = \"team\" }\nuse = \"b/team\"\n[profiles.team]\n",
    )
    .await;
    assert_eq!(scene.served(&messages(false), &[]).await, "a/main");
    let path = "/team/v1/messages";
    let response = scene.lingate.post(path, &messages(false)).send().await;
    assert_eq!(response.header("x-lingate-provider"), "b");
}

const OVERFLOW: &str = r#"
default = "m"
[models.m]
targets = ["a/x"]
context = 4000
overflow = "large"
[models.large]
targets = ["b/y"]
"#;

fn of_bytes(n: usize) -> Value {
    let mut body = messages(true);
    body["messages"] = json!([{"role": "user", "content": "abcd ".repeat(n / 5)}]);
    body
}

#[tokio::test]
async fn what_is_too_long_by_estimate_is_not_sent_there() {
    let scene = Scene::start(OVERFLOW).await;
    assert_eq!(scene.served(&of_bytes(40_000), &[]).await, "b/y");
    assert_eq!(scene.served(&of_bytes(8_000), &[]).await, "a/x");
    assert_eq!(scene.a.requests().len(), 1);
    let line = "lingate_left_out_total{provider=\"a\",reason=\"context\"}";
    assert!(scene.metric(line).await);
    assert!(
        scene
            .metric("lingate_routed_total{step=\"overflow\"}")
            .await
    );
}

/// The upstream's own count is what counts; a conversation that is too long says nothing about its health.
#[tokio::test]
async fn what_turns_out_too_long_goes_on_at_the_overflow_model() {
    let overflow = Misbehaviour::ContextOverflow(OverflowWords::OpenAi);
    let scene = Scene::with(OVERFLOW, ["chat", "chat"], overflow).await;
    for n in 1..=6 {
        let response = scene
            .post(&of_bytes(400), &[("x-claude-code-session-id", "s")])
            .await;
        assert_eq!(response.status, 200);
        assert_eq!(response.header("x-lingate-attempts"), "2");
        let events = events(Wire::Anthropic, response).await;
        assert!(!events.is_empty());
        assert_eq!(scene.a.requests().len(), n, "no breaker opens");
    }
    assert_eq!(scene.b.requests().len(), 6);
    let line = "lingate_failovers_total{reason=\"context_overflow\"} 6";
    assert!(scene.metric(line).await);
}

/// If the larger model cannot be asked, the client hears what it acts on: that the prompt is too long.
#[tokio::test]
async fn the_first_refusal_is_told_if_the_overflow_model_fails() {
    let overflow = Misbehaviour::ContextOverflow(OverflowWords::OpenAi);
    let large_fails = move |request: &Received| match request.model().as_str() {
        "x" => overflow.answer(request),
        _ => Misbehaviour::Overloaded.answer(request),
    };
    let config = OVERFLOW.replace("b/y", "a/y");
    let scene = Scene::with(&config, ["chat", "chat"], large_fails).await;
    let response = scene.post(&of_bytes(400), &[]).await;
    let status = response.status;
    let text = response.text().await;
    assert!(text.contains("prompt is too long"), "{text}");
    assert_eq!(status, 400);
    assert!(scene.a.requests().len() >= 2);
}

/// Of a model's own targets one with a larger context comes before any other model.
#[tokio::test]
async fn a_larger_target_of_the_same_model_is_asked_first() {
    let overflow = Misbehaviour::ContextOverflow(OverflowWords::OpenAi);
    let config = r#"
        default = "m"
        [models.m]
        targets = [
          { to = "a/x", context = 100000 },
          { to = "a/same", context = 100000 },
          { to = "b/y", context = 400000 },
        ]
        overflow = "b/elsewhere"
    "#;
    let scene = Scene::with(config, ["chat", "chat"], overflow).await;
    assert_eq!(scene.served(&of_bytes(400), &[]).await, "b/y");
    assert_eq!(scene.a.requests().len(), 1);
}

/// Models whose overflow leads back are asked once each.
#[tokio::test]
async fn overflows_that_lead_in_circles_end() {
    let overflow = Misbehaviour::ContextOverflow(OverflowWords::OpenAi);
    let config = r#"
        default = "m"
        [models.m]
        targets = ["a/x"]
        overflow = "n"
        [models.n]
        targets = ["a/y"]
        overflow = "m"
    "#;
    let scene = Scene::with(config, ["chat", "chat"], overflow).await;
    let response = scene.post(&of_bytes(400), &[]).await;
    assert_eq!(response.status, 400);
    assert!(response.text().await.contains("prompt is too long"));
    assert_eq!(scene.a.requests().len(), 2);
}
