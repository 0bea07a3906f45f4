//! Metrics: what a gateway shows that has served requests of all kinds, and what is made of it: the dashboard and the
//! pages name nothing that is not there, and leave nothing out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::LazyLock;
use std::time::Duration;

use lingate_gateway::metrics_reference;
use lingate_testkit::client::Request;
use lingate_testkit::{Answer, Hangup, Received, Reply, Upstream, chat};
use serde_json::{Value, json};

use crate::harness::{Lingate, completions, messages};

/// Label names by the name of the series.
type Series = BTreeMap<String, BTreeSet<String>>;

/// Shown nowhere, and why.
const UNSHOWN: [(&str, &str); 0] = [];

const CALL: &str = "<|tool_calls_section_begin|><|tool_call_begin|>functions.lookup:1<|tool_call_argument_begin|>\
                    {\"term\":7}<|tool_call_end|><|tool_calls_section_end|>";

fn docs(path: &str) -> String {
    let path = format!("{}/../../docs/{path}", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The series of an OpenMetrics text.
fn series(text: &str) -> Series {
    let mut all = Series::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, labels) = match line.split_once('{') {
            Some((name, rest)) => (name, rest.split_once('}').unwrap().0),
            None => (line.split(' ').next().unwrap(), ""),
        };
        let names = labels.split("\",").filter_map(|pair| pair.split_once('='));
        let names = names.map(|(name, _)| name.to_owned());
        all.entry(name.to_owned()).or_default().extend(names);
    }
    all
}

/// A model that says one thing and calls a tool in its text with arguments that do not fit.
fn model(request: &Received) -> Answer {
    if !request.streams() {
        return Reply::text("Hello.").answer(request);
    }
    let pieces = ["Let me", " see. ", CALL].map(|piece| chat::text("m", piece));
    let usage = json!({ "prompt_tokens": 30, "completion_tokens": 20, "prompt_tokens_details": { "cached_tokens": 10 } });
    let last = format!("data: {}\n\n", json!({ "choices": [], "usage": usage }));
    let rest = [
        chat::finish("m", "stop"),
        last,
        "data: [DONE]\n\n".to_owned(),
    ];
    Answer::sse(pieces.into_iter().chain(rest)).paced(Duration::from_millis(15))
}

fn asking(is_stream: bool, model: &str) -> Value {
    let mut body = messages(is_stream);
    body["model"] = model.into();
    body["temperature"] = json!(0.5);
    body["tools"] = json!([{ "name": "lookup", "input_schema": {
        "type": "object", "properties": { "term": { "type": "string" } }, "required": ["term"],
    } }]);
    body["messages"][0]["content"] = json!([{ "type": "text", "text": "Hi.", "citations": [] }]);
    body
}

/// The request, as often as it takes until the metrics show what it leads to.
async fn done(request: Request) -> u16 {
    let response = request.send().await;
    let status = response.status;
    drop(response.text().await);
    status
}

/// What two gateways show that have served everything there is: one is free, one has budgets.
async fn scraped() -> String {
    let up = Upstream::start(model).await;
    let bad =
        Upstream::start(|_: &Received| Answer::json(500, &chat::error("server_error", "no"))).await;
    let slow = Upstream::start(Answer::silence()).await;
    let shy = Upstream::start(Hangup::KeptAtRequest).await;
    let config = format!(
        r#"
        default = "m"
        [models.m]
        targets = ["up/kimi-k2.6"]
        validate_tool_calls = "repair"
        price = {{ input = "3", output = "15" }}
        [models.two]
        targets = ["bad/x", "up/kimi-k2.6"]
        [models.seeing]
        targets = ["up/blind"]
        input = ["text"]
        images = "route:m"
        [models.slow]
        targets = ["slow/x"]
        [models.shy]
        targets = ["shy/x"]
        [providers.shy]
        base_url = "{}"
        speaks = ["chat"]
        auth = "none"
        [providers.up]
        base_url = "{}"
        speaks = ["chat"]
        auth = "none"
        quirks = ["moonshot", "kimi-k2-text"]
        [providers.bad]
        base_url = "{}"
        speaks = ["chat"]
        auth = "none"
        [providers.slow]
        base_url = "{}"
        speaks = ["chat"]
        auth = "none"
        concurrency = 1
        "#,
        shy.url(),
        up.url(),
        bad.url(),
        slow.url(),
    );
    let lingate = Lingate::start(&config).await;
    for is_stream in [true, false] {
        assert_eq!(
            done(lingate.post("/v1/messages", &asking(is_stream, "m"))).await,
            200
        );
        assert_eq!(
            done(lingate.post("/v1/messages", &asking(is_stream, "two"))).await,
            200
        );
        assert_eq!(
            done(lingate.post("/v1/chat/completions", &completions(is_stream))).await,
            200
        );
    }
    for _ in 0..2 {
        done(lingate.post("/v1/messages", &asking(false, "shy"))).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let mut picture = asking(false, "seeing");
    let source = json!({ "type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo=" });
    picture["messages"][0]["content"] = json!([{ "type": "image", "source": source }]);
    done(lingate.post("/v1/messages", &picture)).await;
    assert_eq!(
        done(lingate.post("/v1/messages", &json!({ "model": 1 }))).await,
        400
    );
    assert_eq!(done(lingate.post("/v1/nowhere", &json!({}))).await, 404);
    assert_eq!(
        done(
            lingate
                .get("/health")
                .header("origin", "https://evil.example")
        )
        .await,
        403
    );
    assert_eq!(done(lingate.get("/v1/models")).await, 200);
    done(lingate.post("/v1/messages/count_tokens", &messages(false))).await;
    done(lingate.post("/api/reload", &json!({}))).await;
    // One holds the place, some wait, and one finds the line full.
    let mut waiting = Vec::new();
    for _ in 0..34 {
        let request = lingate.post("/v1/messages", &asking(false, "slow"));
        waiting.push(tokio::spawn(request.send()));
    }
    let full = "lingate_errors_total{client_wire=\"anthropic\",kind=\"rate_limit\"}";
    until(&lingate, full).await;
    waiting.into_iter().for_each(|request| request.abort());
    let gone = "lingate_queue_inside{gate=\"provider\",name=\"slow\"} 0\n";
    let free = until(&lingate, gone).await;

    let config = format!(
        r#"
        default = "m"
        [budget]
        day = "0.0001 USD"
        [loops]
        warn_after = 2
        [models.m]
        targets = ["up/served"]
        price = {{ input = "3", output = "15" }}
        [providers.up]
        base_url = "{}"
        speaks = ["chat"]
        auth = "none"
        "#,
        up.url(),
    );
    let lingate = Lingate::start(&config).await;
    let mut circles = messages(false);
    let all = circles["messages"].as_array_mut().unwrap();
    for n in 0..3 {
        let id = format!("toolu_{n}");
        let call =
            json!({ "type": "tool_use", "id": id, "name": "Bash", "input": { "command": "make" } });
        let result = json!({ "type": "tool_result", "tool_use_id": id, "content": "no" });
        all.push(json!({ "role": "assistant", "content": [call] }));
        all.push(json!({ "role": "user", "content": [result] }));
    }
    assert_eq!(done(lingate.post("/v1/messages", &circles)).await, 200);
    until(&lingate, "lingate_cost_micro_usd_total{").await;
    assert_eq!(
        done(lingate.post("/v1/messages", &messages(false))).await,
        402
    );
    let refused = "lingate_errors_total{client_wire=\"anthropic\",kind=\"budget\"} 1\n";
    free + &until(&lingate, refused).await
}

/// The metrics, once they tell of this: an exchange is closed a moment after its last byte.
async fn until(lingate: &Lingate, part: &str) -> String {
    let mut text = String::new();
    for _ in 0..1000 {
        text = lingate.get("/metrics").send().await.text().await;
        if text.contains(part) {
            return text;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("no {part} in\n{text}");
}

/// What an expression names: series, each with the labels that it is asked by or for.
fn named(expression: &str) -> Vec<(String, BTreeSet<String>)> {
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let grouped: BTreeSet<String> = expression
        .split("by (")
        .skip(1)
        .flat_map(|rest| rest.split_once(')').unwrap().0.split(','))
        .map(|name| name.trim().to_owned())
        .collect();
    let starts = expression.match_indices("lingate_").map(|(at, _)| at);
    let all = starts.map(|at| {
        let rest = &expression[at..];
        let end = rest.find(|letter| !is_word(letter)).unwrap_or(rest.len());
        let (name, rest) = rest.split_at(end);
        let mut labels = grouped.clone();
        if let Some(matchers) = rest.strip_prefix('{') {
            let matchers = matchers.split_once('}').unwrap().0;
            let names = matchers
                .split("\",")
                .map(|pair| pair.split(['=', '!']).next().unwrap());
            labels.extend(names.map(str::to_owned));
        }
        (name.to_owned(), labels)
    });
    all.collect()
}

/// Every expression of the dashboard, with its panel.
static EXPRESSIONS: LazyLock<Vec<(String, String)>> = LazyLock::new(|| {
    let dashboard: Value = serde_json::from_str(&docs("grafana/lingate.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().clone();
    let of_panel = |panel: Value| {
        let title = panel["title"].as_str().unwrap().to_owned();
        let targets = panel["targets"].as_array().cloned().unwrap_or_default();
        let all = targets.into_iter().map(move |target| {
            let expression = target["expr"].as_str().unwrap().to_owned();
            (title.clone(), expression)
        });
        all.collect::<Vec<_>>()
    };
    panels.into_iter().flat_map(of_panel).collect()
});

/// The name that a metric is declared by: series of a histogram are named after it.
fn declared(series: &str, reference: &Series) -> String {
    let endings = ["_bucket", "_sum", "_count"];
    let stem = endings
        .iter()
        .find_map(|ending| series.strip_suffix(ending));
    let is_histogram = |stem: &&str| reference.contains_key(&format!("{stem}_bucket"));
    stem.filter(is_histogram).unwrap_or(series).to_owned()
}

#[tokio::test]
async fn the_dashboard_shows_what_a_gateway_shows() {
    let text = scraped().await;
    let shown = series(&text);
    assert!(EXPRESSIONS.len() > 50, "{}", EXPRESSIONS.len());
    for (panel, expression) in EXPRESSIONS.iter() {
        let named = named(expression);
        assert!(!named.is_empty(), "{panel}: {expression}");
        for (name, labels) in named {
            let known = shown.get(&name);
            let known = known.unwrap_or_else(|| panic!("{panel}: no {name} in\n{text}"));
            let unknown: Vec<&String> = labels.difference(known).collect();
            assert!(
                unknown.is_empty(),
                "{panel}: {name} has no label {unknown:?}: {known:?}"
            );
        }
    }
    // What the pages list is what is there.
    let reference = series(&metrics_reference());
    for (name, labels) in &shown {
        let known = reference
            .get(name)
            .unwrap_or_else(|| panic!("{name} is not listed"));
        assert_eq!(labels, known, "{name}");
    }
}

#[test]
fn the_dashboard_leaves_nothing_out() {
    let reference = series(&metrics_reference());
    let shown: BTreeSet<String> = EXPRESSIONS
        .iter()
        .flat_map(|(_, expression)| named(expression))
        .map(|(name, _)| declared(&name, &reference))
        .collect();
    let unshown: BTreeSet<String> = UNSHOWN.iter().map(|(name, _)| (*name).to_owned()).collect();
    for name in reference.keys() {
        let name = declared(name, &reference);
        assert!(
            shown.contains(&name) != unshown.contains(&name),
            "{name} is in no panel, or in one and listed as not shown"
        );
    }
}

/// The page about them names nothing that is not there.
#[test]
fn the_page_names_what_is_there() {
    let reference = series(&metrics_reference());
    let page = docs("monitoring.md");
    let named = named(
        &page
            .replace("lingate_*", "")
            .replace("lingate_record_*", ""),
    );
    assert!(named.len() > 15);
    for (name, _) in named {
        let name = name.as_str();
        let is_known =
            reference.contains_key(name) || reference.contains_key(&format!("{name}_bucket"));
        assert!(is_known, "{name}");
    }
}

/// Targets that only a client named are none of the configuration's, and get no series.
#[tokio::test]
async fn breakers_are_told_of_configured_targets_alone() {
    let up =
        Upstream::start(|_: &Received| Answer::json(500, &chat::error("server_error", "no"))).await;
    let config = format!(
        "default = \"up/one\"\n[failover]\nbreaker = {{ consecutive = 1 }}\n[models.m]\ntargets = [\"up/two\"]\n[providers.up]\nbase_url = \"{}\"\nspeaks = [\"chat\"]\nauth = \"none\"\n",
        up.url()
    );
    let lingate = Lingate::start(&config).await;
    for model in ["up/one", "up/anything", "up/anything-else"] {
        done(lingate.post("/v1/messages", &asking(false, model))).await;
    }
    let text = lingate.get("/metrics").send().await.text().await;
    let states = text
        .lines()
        .filter(|line| line.starts_with("lingate_breaker_state{"));
    let mut lines: Vec<&str> = states.collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "lingate_breaker_state{provider=\"demo\",model=\"demo\"} 0",
            "lingate_breaker_state{provider=\"up\",model=\"one\"} 2",
            "lingate_breaker_state{provider=\"up\",model=\"two\"} 0",
        ],
    );
    assert!(!text.contains("anything"), "{text}");
}

/// How a stream came in: every gap is counted, and how fast its tokens came.
#[tokio::test]
async fn the_pace_of_streams() {
    let up = Upstream::start(model).await;
    let lingate = Lingate::start(&format!(
        "default = \"up/m\"\n[providers.up]\nbase_url = \"{}\"\nspeaks = [\"chat\"]\nauth = \"none\"\n",
        up.url()
    ))
    .await;
    done(lingate.post("/v1/messages", &asking(true, "m"))).await;
    let text = until(&lingate, "lingate_requests_total{").await;
    let value = |series: &str| -> f64 {
        let line = text.lines().find(|line| line.starts_with(series));
        let line = line.unwrap_or_else(|| panic!("no {series} in\n{text}"));
        line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    // Six pieces, of which some may have come together.
    let gaps = value("lingate_stream_gap_seconds_count{provider=\"up\"}");
    assert!((2.0..=5.0).contains(&gaps), "{gaps}");
    let seconds = value("lingate_stream_gap_seconds_sum{provider=\"up\"}");
    assert!((0.03..5.0).contains(&seconds), "{seconds}");
    let most = value("lingate_stream_gap_seconds_bucket{le=\"+Inf\",provider=\"up\"}");
    assert!((most - gaps).abs() < 0.5);
    assert!((value("lingate_output_tokens_per_second_count{provider=\"up\"}") - 1.0).abs() < 0.5);
    let rate = value("lingate_output_tokens_per_second_sum{provider=\"up\"}");
    assert!((1.0..1_000.0).contains(&rate), "{rate}");
}
