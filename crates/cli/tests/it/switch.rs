//! `lingate use`: sessions of a running gateway get another model from their next request on.

use lingate_testkit::{Reply, Upstream, client};
use serde_json::json;

use crate::harness::{Serving, User};

/// The model that a provider is asked for when a client asks for a name that nobody knows.
async fn served(gateway: &Serving, upstream: &Upstream) -> String {
    let body = json!({"model": "claude-opus-x", "max_tokens": 1, "messages": [{"role": "user", "content": "hi"}]});
    let request = client::post(&format!("{}/v1/messages", gateway.url()), &body);
    assert_eq!(request.send().await.status, 200);
    let last = upstream.requests().pop().unwrap();
    last.json()["model"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn how_the_providers_do_is_told() {
    let call = Reply::default().call("call_1", "Read", &json!({"path": 1}));
    let upstream = Upstream::start(move |request: &_| call.answer(request)).await;
    let user = User::new();
    let text = format!(
        "default = \"one\"\n[providers.x]\nbase_url = \"{}\"\nspeaks = [\"chat\"]\nauth = \"none\"\n\
         [models.one]\ntargets = [\"x/first\"]\nvalidate_tool_calls = \"repair\"\n",
        upstream.url()
    );
    user.file(".config/lingate/lingate.toml", &text);
    let none = user.run(&["providers", "--live"]);
    assert!(
        none.code == 1 && none.stderr.contains("no gateway runs"),
        "{none:?}"
    );
    let gateway = user.serve(&[]);
    let nothing = user.run(&["providers", "--live"]);
    assert!(nothing.stdout.contains(" x "), "{nothing:?}");
    let schema = json!({"type": "object", "properties": {"path": {"type": "string"}}});
    let body = json!({"model": "one", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}],
        "tools": [{"name": "Read", "input_schema": schema}]});
    let request = client::post(&format!("{}/v1/messages", gateway.url()), &body);
    assert_eq!(request.send().await.status, 200);
    let live = user.run(&["providers", "--live"]);
    assert!(
        live.stdout
            .contains("0.0 % of 1 tool calls fitted their schema"),
        "{live:?}"
    );
    let live = user.run(&["providers", "--live", "--json"]);
    let line: serde_json::Value =
        serde_json::from_str(live.stdout.lines().next().unwrap()).unwrap();
    let target = &line["targets"][0];
    assert_eq!(
        [&line["id"], &target["model"], &target["schema_accuracy"]],
        [&json!("x"), &json!("first"), &json!(0.0)]
    );
    for (action, state) in [("drain", "drained"), ("probe", "drained"), ("enable", "ok")] {
        let done = user.run(&["providers", action, "x"]);
        assert_eq!(done.code, 0, "{done:?}");
        assert!(done.stdout.contains(state), "{action}: {done:?}");
    }
    let request = user.file("request.json", &body.to_string());
    let request = request.to_str().unwrap();
    let explained = user.run(&["explain", request]);
    assert!(!explained.stdout.contains("left alone"), "{explained:?}");
    assert_eq!(user.run(&["providers", "drain", "x"]).code, 0);
    let explained = user.run(&["explain", request]);
    let line = "left alone now: x/first (drained by an operator)\n";
    assert!(explained.stdout.ends_with(line), "{explained:?}");
    let explained = user.run(&["explain", "--json", request]);
    let object: serde_json::Value = serde_json::from_str(&explained.stdout).unwrap();
    let why = &object["left_alone_now"]["x/first"];
    assert_eq!(why, "drained by an operator");
    let nobody = user.run(&["providers", "drain", "nobody"]);
    assert!(
        nobody.code == 1 && nobody.stderr.contains("no provider `nobody`"),
        "{nobody:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_request_goes_to_the_new_default() {
    let upstream = Upstream::start(|request: &_| Reply::text("hi").answer(request)).await;
    let user = User::new();
    let text = format!(
        "default = \"one\"\n[providers.x]\nbase_url = \"{}\"\nspeaks = [\"anthropic\"]\nauth = \"none\"\n\
         [models.one]\ntargets = [\"x/first\"]\n[models.two]\ntargets = [\"x/second\"]\n[aliases]\n\"fast\" = \"one\"\n",
        upstream.url()
    );
    let file = user.file(".config/lingate/lingate.toml", &text);
    assert_eq!(user.run(&["use", "two"]).code, 1, "no gateway runs");
    let gateway = user.serve(&[]);
    assert_eq!(served(&gateway, &upstream).await, "first");

    let ran = user.run(&["use", "two"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(
        ran.stdout,
        format!("{} default model: two\n", gateway.url())
    );
    assert!(ran.stderr.contains("stay where they are: fast"), "{ran:?}");
    assert_eq!(served(&gateway, &upstream).await, "second");
    let status = user.gateways().remove(0);
    assert_eq!(status["default"], "two");
    assert_eq!(status["default_switched"], true);
    let since = status["since"].as_str().unwrap();
    assert_eq!(since.len(), "2026-11-21T12:00:00Z".len(), "{since}");
    assert!(user.run(&["status"]).stdout.contains("two (switched)"));

    let wrong = user.run(&["use", "twoo"]);
    assert_eq!(wrong.code, 1, "{wrong:?}");
    assert!(wrong.stderr.contains("did you mean `two`"), "{wrong:?}");
    assert_eq!(served(&gateway, &upstream).await, "second");

    let reset = user.run(&["use", "--reset"]);
    assert!(reset.stdout.ends_with("one, as configured\n"), "{reset:?}");
    assert_eq!(served(&gateway, &upstream).await, "first");
    assert_eq!(
        std::fs::read_to_string(file).unwrap(),
        text,
        "the file is not touched"
    );
}

#[tokio::test]
async fn only_who_owns_the_gateway_switches_it() {
    let user = User::new();
    let gateway = user.serve(&[]);
    let url = format!("{}/api/default", gateway.url());
    let request = client::post(&url, &json!({ "model": "demo" }));
    assert_eq!(request.send().await.status, 403);
    assert_eq!(client::get(&url).send().await.status, 403);
}
