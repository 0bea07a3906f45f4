//! What is known of providers: told, kept over a restart, found by probes, overruled by an operator.

use std::time::{Duration, Instant};

use lingate_gateway::Options;
use lingate_testkit::{Answer, Received, Reply, Script, Upstream};
use serde_json::{Value, json};

use crate::harness::{Lingate, messages};

/// Answers by key and model; the list of models as `list` has it.
fn script(list: fn(&str) -> Answer) -> impl Script {
    move |request: &Received| {
        let key = request.header("authorization").to_owned();
        if request.method == "GET" {
            return list(&key);
        }
        match key.as_str() {
            "Bearer sk-bad-key" => Answer::json(401, &json!({"error": {"message": "no"}})),
            _ => Reply::text("Hello.").answer(request),
        }
    }
}

fn models(_: &str) -> Answer {
    Answer::json(200, &json!({"data": [{"id": "m"}]}))
}

/// Two targets, the first with two keys.
fn two(first: &Upstream, second: &Upstream, more: &str) -> String {
    format!(
        r#"
        default = "both"
        [providers.first]
        base_url = "{}"
        speaks = ["chat"]
        api_keys = ["sk-bad-key", "sk-good-key"]
        {more}
        [providers.second]
        base_url = "{}"
        speaks = ["chat"]
        auth = "none"
        [models.both]
        targets = ["first/m", "second/m"]
        "#,
        first.url(),
        second.url()
    )
}

async fn serves(lingate: &Lingate) -> String {
    let reply = lingate.post("/v1/messages", &messages(false)).send().await;
    let (status, provider) = (reply.status, reply.header("x-lingate-provider").to_owned());
    if status == 200 {
        provider
    } else {
        format!("{status} {}", reply.text().await)
    }
}

/// A provider as `GET /api/providers` tells it.
async fn told(lingate: &Lingate, id: &str) -> Value {
    let answer = lingate.get("/api/providers").send().await;
    assert_eq!(answer.status, 200);
    let text = answer.text().await;
    assert!(!text.contains("sk-"), "{text}");
    let all: Value = serde_json::from_str(&text).unwrap();
    let mut own = all["providers"].as_array().unwrap().iter();
    own.find(|own| own["id"] == id).unwrap().clone()
}

async fn act(lingate: &Lingate, path: &str) -> (u16, Value) {
    let answer = lingate
        .post(&format!("/api/providers/{path}"), &json!({}))
        .send()
        .await;
    (answer.status, answer.json().await)
}

#[tokio::test]
async fn an_operator_sees_takes_out_and_takes_back() {
    let first = Upstream::start(script(models)).await;
    let second = Upstream::start(script(models)).await;
    let lingate = Lingate::start(&two(&first, &second, "")).await;
    assert_eq!(told(&lingate, "first").await["state"], "ok");
    assert_eq!(serves(&lingate).await, "first");
    let own = told(&lingate, "first").await;
    assert_eq!(
        (&own["state"], &own["in_flight"]),
        (&json!("degraded"), &json!(0)),
        "{own}"
    );
    let [bad, good] = [&own["keys"][0], &own["keys"][1]];
    assert_eq!(
        (&bad["label"], &bad["state"], &bad["reason"]),
        (&json!("first#1"), &json!("out"), &json!("credential"))
    );
    assert!(bad["until"].as_str().unwrap().ends_with('Z'), "{bad}");
    assert_eq!(
        (&good["state"], &good["until"]),
        (&json!("ok"), &Value::Null)
    );
    let target = &own["targets"][0];
    assert_eq!(
        (
            &target["model"],
            &target["state"],
            &target["last"]["outcome"]
        ),
        (&json!("m"), &json!("ok"), &json!("served"))
    );
    assert!(target["ttft_p50_ms"].is_u64(), "{target}");

    let (status, drained) = act(&lingate, "first/drain").await;
    assert_eq!((status, &drained["state"]), (200, &json!("drained")));
    assert_eq!(serves(&lingate).await, "second");
    act(&lingate, "second/drain").await;
    let nobody = serves(&lingate).await;
    assert!(
        nobody.starts_with("529") || nobody.starts_with("503"),
        "{nobody}"
    );
    assert!(nobody.contains("`first/m` (drained)"), "{nobody}");
    assert_eq!(
        act(&lingate, "first/enable").await.1["state"],
        "ok",
        "nothing is held against it"
    );
    assert_eq!(serves(&lingate).await, "first");
    assert_eq!(first.requests().len(), 4, "its first key was tried again");
    assert_eq!(act(&lingate, "nobody/drain").await.0, 404);
    assert_eq!(act(&lingate, "first/explode").await.0, 404);
}

#[tokio::test]
async fn what_is_off_in_the_configuration_stays_off() {
    let first = Upstream::start(script(models)).await;
    let second = Upstream::start(script(models)).await;
    let lingate = Lingate::start(&two(&first, &second, "enabled = false")).await;
    assert_eq!(serves(&lingate).await, "second");
    assert_eq!(told(&lingate, "first").await["state"], "disabled");
    let (status, refused) = act(&lingate, "first/enable").await;
    assert_eq!(status, 400, "{refused}");
    assert!(
        refused.to_string().contains("providers.first.enabled"),
        "{refused}"
    );
}

/// A restart forgets neither a bad key nor who was taken out; a file that makes no sense is none.
#[tokio::test]
async fn a_restart_forgets_nothing() {
    let first = Upstream::start(script(models)).await;
    let second = Upstream::start(script(models)).await;
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("health.json");
    let config = two(&first, &second, "");
    let start = async || {
        let options = Options {
            state: Some(state.clone()),
            ..Options::default()
        };
        Lingate::start_as(&config, &[], options).await
    };
    let lingate = start().await;
    assert_eq!(serves(&lingate).await, "first");
    lingate.end().await;
    let text = std::fs::read_to_string(&state).unwrap();
    assert!(
        text.contains("credential") && !text.contains("sk-"),
        "{text}"
    );

    let lingate = start().await;
    assert_eq!(
        told(&lingate, "first").await["keys"][0]["reason"],
        "credential"
    );
    let before = first.requests().len();
    assert_eq!(serves(&lingate).await, "first");
    assert_eq!(
        first.requests().len(),
        before + 1,
        "the bad key is not asked again"
    );
    act(&lingate, "first/drain").await;
    lingate.end().await;

    let lingate = start().await;
    assert_eq!(serves(&lingate).await, "second");
    lingate.end().await;

    std::fs::write(&state, "{\"version\":1,").unwrap();
    let lingate = start().await;
    assert_eq!(serves(&lingate).await, "first");
}

/// Probes of `first`, whose list of models is as given: what they say, and who serves then.
async fn probed(list: fn(&str) -> Answer, verdict: &str, then: &str) {
    let first = Upstream::start(script(list)).await;
    let second = Upstream::start(script(models)).await;
    let health = "health = { interval = \"100ms\" }";
    let config = two(&first, &second, health).replace("sk-bad-key", "sk-other-key");
    let lingate = Lingate::start(&config).await;
    // Five failures open a breaker.
    first.wait_for(10, Duration::from_secs(20)).await;
    let own = told(&lingate, "first").await;
    assert_eq!(own["probes"][0]["verdict"], verdict, "{own}");
    let requests = first.requests();
    let probe = &requests[0];
    assert_eq!(
        (probe.method.as_str(), probe.target.as_str()),
        ("GET", "/v1/models")
    );
    assert!(
        probe.header("user-agent").starts_with("lingate/"),
        "{probe:?}"
    );
    assert_eq!(serves(&lingate).await, then, "{own}");
}

#[tokio::test]
async fn probes_find_what_is_wrong_before_a_request_does() {
    probed(models, "well", "first").await;
    probed(
        |_| Answer::json(500, &json!({"error": {"message": "down"}})),
        "failing",
        "second",
    )
    .await;
    probed(
        |_| Answer::json(401, &json!({"error": {"message": "no"}})),
        "bad-credential",
        "second",
    )
    .await;
}

/// Five failures open a breaker; one probe with five keys is one of them.
#[tokio::test]
async fn a_probe_with_many_keys_is_one_failure() {
    let down = |_: &str| Answer::json(500, &json!({"error": {"message": "down"}}));
    let first = Upstream::start(script(down)).await;
    let second = Upstream::start(script(models)).await;
    let keys = r#""sk-key-1", "sk-key-2", "sk-key-3", "sk-key-4", "sk-key-5""#;
    let config = two(&first, &second, "").replace(r#""sk-bad-key", "sk-good-key""#, keys);
    let lingate = Lingate::start(&config).await;
    for _ in 0..4 {
        let (status, own) = act(&lingate, "first/probe").await;
        assert_eq!(
            (status, own["probes"].as_array().map(Vec::len)),
            (200, Some(5))
        );
        let target = &told(&lingate, "first").await["targets"][0];
        assert_ne!(target["state"], "out", "{target}");
    }
    assert_eq!(serves(&lingate).await, "first");
}

#[tokio::test]
async fn what_says_nothing_of_requests_changes_nothing() {
    probed(
        |_| Answer::json(404, &json!({"error": {"message": "no"}})),
        "unsupported",
        "first",
    )
    .await;
    probed(
        |_| Answer::json(429, &json!({"error": {"message": "slow"}})),
        "rate-limited",
        "first",
    )
    .await;
    probed(
        |_| Answer::text(200, "text/html", "<html>"),
        "misconfigured",
        "first",
    )
    .await;
}

#[tokio::test]
async fn only_who_is_idle_is_probed_and_a_list_is_no_completion() {
    let first = Upstream::start(script(models)).await;
    let second = Upstream::start(script(models)).await;
    let health = "health = { interval = \"1s\", path = \"/status\" }";
    let lingate = Lingate::start(&two(&first, &second, health)).await;
    let until = Instant::now() + Duration::from_secs(3);
    while Instant::now() < until {
        assert_eq!(serves(&lingate).await, "first");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let probes = || {
        first
            .requests()
            .into_iter()
            .filter(|own| own.method == "GET")
            .count()
    };
    assert_eq!(probes(), 0, "it is busy");
    let before = first.requests().len();
    let all = first.wait_for(before + 2, Duration::from_secs(20)).await;
    assert_eq!(all[before].target, "/status");
    // Both keys are welcome there; the one that a request was refused with is out all the same.
    let until = Instant::now() + Duration::from_secs(20);
    let mut own = told(&lingate, "first").await;
    while own["probes"] == json!([]) && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(10)).await;
        own = told(&lingate, "first").await;
    }
    assert_eq!(own["probes"][0]["verdict"], "well", "{own}");
    assert_eq!(own["keys"][0]["reason"], "credential", "{own}");
    // On demand, also who is not idle.
    let (_, own) = act(&lingate, "first/probe").await;
    assert_eq!(own["probes"].as_array().map(Vec::len), Some(2), "{own}");
    assert_eq!(
        told(&lingate, "second").await["probes"],
        json!([]),
        "nobody asked for that"
    );
}

#[tokio::test]
async fn who_is_left_alone_is_not_asked_to_count() {
    let counting =
        |tokens: u32| move |_: &Received| Answer::json(200, &json!({ "input_tokens": tokens }));
    let (one, other) = (
        Upstream::start(counting(7)).await,
        Upstream::start(counting(9)).await,
    );
    let config = two(&one, &other, "")
        .replace("\"chat\"", "\"anthropic\"")
        .replace("sk-bad-key", "sk-other-key");
    let lingate = Lingate::start(&config).await;
    let count = async || {
        let path = "/v1/messages/count_tokens";
        let answer = lingate.post(path, &messages(false)).send().await;
        answer.json().await["input_tokens"].as_u64()
    };
    assert_eq!(count().await, Some(7));
    act(&lingate, "first/drain").await;
    assert_eq!(count().await, Some(9));
    act(&lingate, "second/drain").await;
    assert_eq!(count().await, Some(7), "a count has no reason to fail");
}
