//! A target that cannot take what a request holds is left out; where nobody can, the model's settings or the upstream's
//! own words decide.

use lingate_config::{Config, FixedEnvironment, LoadOptions};
use lingate_gateway::explain;
use lingate_wire::Wire;
use serde_json::{Value, json};

use crate::harness::messages;
use crate::rules::{Scene, healthy};

const PICTURE: &str = "iVBORw0KGgo=";

fn with_image() -> Value {
    let mut body = messages(false);
    body["messages"] = json!([{"role": "user", "content": [
        {"type": "text", "text": "what is this?"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PICTURE}},
    ]}]);
    body
}

/// A picture that came as a tool's result.
fn with_image_in_result() -> Value {
    let mut body = messages(false);
    body["messages"] = json!([
        {"role": "user", "content": "look"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "Read", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": [
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PICTURE}},
        ]}]},
    ]);
    body
}

fn with_search(more: &[Value]) -> Value {
    let mut body = messages(false);
    let search = json!({"type": "web_search_20250305", "name": "web_search", "max_uses": 8});
    body["tools"] = json!([&[search], more].concat());
    body
}

#[tokio::test]
async fn a_blind_model_s_pictures_go_where_its_settings_say() {
    let route = r#"
        default = "m"
        [models.m]
        targets = ["a/blind"]
        input = ["text"]
        images = "route:eyes"
        [models.eyes]
        targets = ["b/eyes"]
        input = ["text", "image"]
    "#;
    let scene = Scene::start(route).await;
    assert_eq!(scene.served(&messages(false), &[]).await, "a/blind");
    assert_eq!(scene.served(&with_image(), &[]).await, "b/eyes");
    assert_eq!(scene.served(&with_image_in_result(), &[]).await, "b/eyes");
    assert!(scene.b.requests()[0].text().contains(PICTURE));
    assert!(scene.metric("lingate_routed_total{step=\"images\"}").await);
    let line = "lingate_left_out_total{provider=\"a\",reason=\"images\"} 2";
    assert!(scene.metric(line).await);

    let omit = "default = \"m\"\n[models.m]\ntargets = [\"a/blind\"]\ninput = [\"text\"]\n";
    let scene = Scene::start(omit).await;
    assert_eq!(scene.served(&with_image(), &[]).await, "a/blind");
    let sent = scene.a.requests()[0].text();
    assert!(
        !sent.contains(PICTURE) && sent.contains("what is this?"),
        "{sent}"
    );
}

/// A placeholder is better than a refusal where the model that sees is switched off.
#[tokio::test]
async fn pictures_are_left_out_where_the_seeing_model_is_off() {
    let config = r#"
        default = "m"
        [models.m]
        targets = ["a/blind"]
        input = ["text"]
        images = "route:eyes"
        [models.eyes]
        targets = ["off/eyes"]
        [providers.off]
        base_url = "http://127.0.0.1:1"
        speaks = ["chat"]
        auth = "none"
        enabled = false
    "#;
    let scene = Scene::start(config).await;
    assert_eq!(scene.served(&with_image(), &[]).await, "a/blind");
    assert!(!scene.a.requests()[0].text().contains(PICTURE));
}

/// Claude Code's own search: a request with a tool that only some provider runs, and no other.
#[tokio::test]
async fn a_search_goes_to_who_has_it() {
    let config = "default = \"m\"\n[models.m]\ntargets = [\"a/x\", \"b/y\"]\n";
    let scene = Scene::with(config, ["chat", "anthropic"], healthy).await;
    let read = json!({"name": "Read", "input_schema": {"type": "object"}});
    assert_eq!(scene.served(&with_search(&[]), &[]).await, "b/y");
    let line = "lingate_left_out_total{provider=\"a\",reason=\"tool\"} 1";
    assert!(scene.metric(line).await);
    // With others to call, the search is a loss and no reason to move the session.
    assert_eq!(scene.served(&with_search(&[read]), &[]).await, "a/x");
    assert_eq!(scene.served(&messages(false), &[]).await, "a/x");
}

#[tokio::test]
async fn a_search_that_nobody_has_is_refused_with_the_fix() {
    let scene = Scene::start("default = \"a/x\"\n").await;
    let response = scene.post(&with_search(&[]), &[]).await;
    let status = response.status;
    let text = response.text().await;
    assert_eq!(status, 400, "{text}");
    for part in ["`web_search`", "`a`", "[[rules]]", "web_search*"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(scene.a.requests().is_empty(), "nothing is sent");
}

#[tokio::test]
async fn the_smaller_target_is_left_out_for_long_conversations() {
    let config = r#"
        default = "m"
        [models.m]
        targets = [{ to = "a/x", context = 4000 }, "b/y"]
    "#;
    let scene = Scene::start(config).await;
    assert_eq!(scene.served(&messages(false), &[]).await, "a/x");
    let mut long = messages(false);
    long["messages"] = json!([{"role": "user", "content": "abcd ".repeat(8000)}]);
    assert_eq!(scene.served(&long, &[]).await, "b/y");
    // Alone, it is asked: its own words tell the client more than an estimate of ours.
    let alone = config.replace(", \"b/y\"", "");
    let scene = Scene::start(&alone).await;
    assert_eq!(scene.served(&long, &[]).await, "a/x");
}

/// What was decided is what `explain` tells, reason included.
#[test]
fn an_explanation_names_who_is_left_out_and_why() {
    let file = r#"
        default = "m"
        [providers.a]
        base_url = "http://127.0.0.1:1"
        speaks = ["chat"]
        auth = "none"
        concurrency = 3
        [providers.b]
        base_url = "http://127.0.0.1:1"
        speaks = ["anthropic"]
        auth = "none"
        [models.m]
        targets = ["a/x", { to = "b/y", context = 200000 }]
        overflow = "a/z"
        [[rules]]
        when = { class = "auxiliary" }
        use = "a/cheap"
    "#;
    let environment = FixedEnvironment::new([]);
    let config = Config::from_text(None, file, &LoadOptions::default(), &environment)
        .unwrap_or_else(|problems| panic!("{problems}"));
    let explained = |body: &Value, class: &'static str| {
        let mut headers = http::HeaderMap::new();
        let value = http::HeaderValue::from_static(class);
        headers.insert("x-claude-code-request-class", value);
        explain(
            &config,
            Wire::Anthropic,
            &body.to_string().into(),
            None,
            headers,
        )
        .unwrap()
    };
    let search = explained(&with_search(&[]), "main");
    let [left] = search.left_out.as_slice() else {
        panic!("{:?}", search.left_out)
    };
    assert_eq!(
        (&*left.candidate.provider, left.unfit.to_string().as_str()),
        (
            "a",
            "the request is for the tool `web_search`, which it does not have"
        )
    );
    let [candidate] = search.candidates.as_slice() else {
        panic!("{:?}", search.candidates)
    };
    assert_eq!(candidate.context, Some(200_000));
    assert_eq!(candidate.overflow.as_deref(), Some("a/z"));
    assert_eq!(candidate.concurrency, None);
    let aux = explained(&messages(false), "auxiliary");
    assert_eq!(aux.class, lingate_route::Class::Auxiliary);
    assert_eq!(aux.steps[0].to_string(), "rule 1 -> a/cheap");
    assert_eq!(aux.candidates[0].concurrency, Some(3));
}
