//! `lingate verify` against scripted hosts: what each does wrong shows in the numbers, exactly.

use std::time::Duration;

use lingate_testkit::{Misbehaviour, Part, Received, Reply, Script, Upstream};
use serde_json::{Value as Json, json};

use crate::harness::{Ran, User};

/// Three questions for the weather, the last one not streamed, and one for nothing.
const QUESTIONS: [(&str, &str, bool); 4] = [
    ("weather in Oslo", "call", true),
    ("weather in Lima", "call", true),
    ("hello", "text", true),
    ("weather in Rome", "call", false),
];
/// What a call looks like that the host did not read.
const LEAK: &str = "<|tool_calls_section_begin|><|tool_call_begin|>functions.get_weather:0<|tool_call_argument_begin|>\
                    {\"city\":\"Oslo\"}<|tool_call_end|><|tool_calls_section_end|>";

/// The questions as cases; with what is expected, unless it is to be left out.
pub(crate) fn cases(expects: bool) -> String {
    let tool = json!({"type": "function", "function": {"name": "get_weather", "parameters": {
        "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": false,
    }}});
    let lines = QUESTIONS.iter().map(|(question, expect, stream)| {
        let mut line = json!({
            "messages": [{"role": "user", "content": question}],
            "tools": [tool],
            "temperature": 0.6,
            "stream": stream,
        });
        if expects {
            line["lingate"] = json!({"case": question, "expect": expect});
        }
        format!("{line}\n")
    });
    lines.collect()
}

/// Answers questions for the weather with `reply`, and everything else with a greeting.
fn host(reply: Reply) -> impl Script {
    move |request: &Received| {
        let asks = request.text().contains("weather in");
        let reply = if asks {
            reply.clone()
        } else {
            Reply::text("Hello.")
        };
        reply.answer(request)
    }
}

pub(crate) fn call(arguments: &str) -> Reply {
    Reply {
        parts: vec![Part::Call {
            id: "call_1".to_owned(),
            name: "get_weather".to_owned(),
            arguments: arguments.to_owned(),
        }],
        ..Reply::default()
    }
}

/// Somebody who uses that host.
pub(crate) struct Setup {
    pub(crate) user: User,
    pub(crate) upstream: Upstream,
}

impl Setup {
    pub(crate) async fn new(script: impl Script) -> Self {
        Self::speaking(script, "chat", &["kimi-k2"]).await
    }

    async fn speaking(script: impl Script, wire: &str, quirks: &[&str]) -> Self {
        let upstream = Upstream::start(script).await;
        let user = User::new();
        user.file("cases.jsonl", &cases(true));
        user.file("bare.jsonl", &cases(false));
        let url = upstream.url();
        let file = format!(
            "[providers.up]\nbase_url = \"{url}\"\nspeaks = [\"{wire}\"]\napi_key = \"sk-canary\"\nquirks = {quirks:?}\n"
        );
        user.file("l.toml", &file);
        Self { user, upstream }
    }

    pub(crate) fn verify(&self, args: &str) -> Ran {
        let line = format!("verify up/kimi-k2 --config l.toml {args}");
        let ran = self.user.run(&line.split_whitespace().collect::<Vec<_>>());
        assert!(!format!("{ran:?}").contains("canary"), "{ran:?}");
        ran
    }

    /// The four cases' results, and the summary.
    pub(crate) fn results(&self, args: &str) -> (Ran, Vec<Json>, Json) {
        let ran = self.verify(&format!("--cases cases.jsonl --json {args}"));
        let lines = ran
            .stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap());
        let mut lines: Vec<Json> = lines.collect();
        let summary = lines.pop().unwrap_or_else(|| panic!("{ran:?}"))["summary"].take();
        (ran, lines, summary)
    }
}

/// The measures of a view that a host decides.
fn measures(view: &Json) -> Json {
    json!({
        "f1": view["call_trigger"]["f1"],
        "valid": [view["schema"]["valid"], view["schema"]["tool_calls"]],
        "streamed": [view["schema_streamed"]["valid"], view["schema_streamed"]["tool_calls"]],
        "leaking": view["leaking"],
        "empty": view["empty"],
        "broken": view["broken"],
        "finish": view["finish"],
    })
}

fn perfect() -> Json {
    json!({
        "f1": 1.0, "valid": [3, 3], "streamed": [2, 2], "leaking": 0, "empty": 0, "broken": 0,
        "finish": {"stop": 1, "tool_calls": 3},
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_host_is_good_and_needs_no_repair() {
    let setup = Setup::new(host(call(r#"{"city":"Oslo"}"#))).await;
    let (ran, lines, summary) = setup.results("--min-f1 1 --min-schema 1");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(measures(&summary["raw"]), perfect());
    assert_eq!(measures(&summary["repaired"]), perfect());
    assert_eq!(summary["f1_against"], "expectations");
    assert_eq!(
        [&summary["cases"], &summary["answered"], &summary["failed"]],
        [4, 4, 0]
    );
    let questions: Vec<&Json> = lines.iter().map(|line| &line["case"]).collect();
    assert_eq!(questions, QUESTIONS.map(|(question, ..)| question));
    let first = &lines[0];
    assert_eq!(first["data_index"], 1);
    assert_eq!(first["status"], "success");
    assert_eq!(first["model"], "up/kimi-k2");
    assert_eq!(first["tool_calls_valid"], true);
    assert_eq!(first["output_tokens"], 12);
    assert!(
        first["ttft_ms"].is_u64() && first["last_run_at"].is_string(),
        "{first}"
    );
    assert_eq!(lines[2]["tool_calls_valid"], Json::Null);
    assert_eq!(lines[3]["ttft_ms"], Json::Null, "it is not streamed");

    let asked = setup.upstream.requests();
    let streams = asked.iter().filter(|request| request.streams()).count();
    assert_eq!((asked.len(), streams), (4, 3));
    assert!(
        asked
            .iter()
            .all(|request| request.json()["model"] == "kimi-k2")
    );

    let ran = setup.verify("--cases cases.jsonl --requests 1");
    assert!(
        ran.stdout
            .starts_with("up/kimi-k2: 1 of 1 cases answered, 0 failed\n"),
        "{ran:?}"
    );
    assert!(
        ran.stdout
            .contains("\nschema accuracy            1.0000 (1/1)  1.0000 (1/1)\n"),
        "{ran:?}"
    );
    assert_eq!(ran.stderr, "", "no bar without a terminal");
}

#[tokio::test(flavor = "multi_thread")]
async fn leaked_calls_are_counted_and_what_is_repaired_is_seen() {
    let setup = Setup::new(host(Reply::text(LEAK))).await;
    let (ran, lines, summary) = setup.results("--min-f1 1 --min-schema 1");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(measures(&summary["repaired"]), perfect());
    assert_eq!(
        measures(&summary["raw"]),
        json!({
            "f1": 0.0, "valid": [0, 0], "streamed": [0, 0], "leaking": 3, "empty": 0, "broken": 0,
            "finish": {"stop": 4},
        })
    );
    assert_eq!(summary["raw"]["leaked"]["<|tool_call_begin|>"], 3);
    assert_eq!(summary["repaired"]["leaked"], json!({}));
    assert_eq!(lines[0]["raw"]["text"], LEAK);
    assert_eq!(
        lines[0]["repaired"]["tool_calls"][0]["arguments"],
        r#"{"city":"Oslo"}"#
    );
    let quirks = summary["quirks"].as_object().unwrap();
    assert!(quirks.values().any(|n| *n == 3), "{quirks:?}");

    let (ran, lines, _) = setup.results("--raw --min-f1 0.5 --min-schema 0.9");
    assert_eq!(ran.code, 1, "{ran:?}");
    assert_eq!(
        ran.stderr,
        "lingate: error: call-trigger F1 is 0.0000, below 0.5; schema accuracy cannot be told: there is no call to measure\n"
    );
    assert_eq!(lines[0]["finish_reason"], "stop");
}

#[tokio::test(flavor = "multi_thread")]
async fn arguments_are_judged_as_they_came() {
    let check = async |arguments: &str, raw: Json, repaired: Json, complaint: &str| {
        let setup = Setup::new(host(call(arguments))).await;
        let (_, lines, summary) = setup.results("");
        assert_eq!(measures(&summary["raw"]), raw, "{arguments}");
        assert_eq!(measures(&summary["repaired"]), repaired, "{arguments}");
        let said = lines[0]["raw"]["tool_calls"][0]["complaint"].to_string();
        assert!(said.contains(complaint), "{said}");
    };
    let with = |changes: Json| {
        let mut all = perfect();
        let changes = changes.as_object().unwrap().clone();
        all.as_object_mut().unwrap().extend(changes);
        all
    };
    let invalid = || with(json!({"valid": [0, 3], "streamed": [0, 2]}));
    check(r#"{"town":"Oslo"}"#, invalid(), invalid(), "city").await;
    check(r#"{"city":["Oslo"]}"#, invalid(), invalid(), "not of type").await;
    // A client gets no half call: its reply is an error, and no call counts as made.
    let broken = with(json!({
        "f1": 0.0, "valid": [0, 0], "streamed": [0, 0], "broken": 3, "finish": {"none": 3, "stop": 1},
    }));
    check(r#"{"city":"Os"#, invalid(), broken, "no JSON").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_of_a_tool_that_is_not_there_is_not_valid() {
    let reply = Reply::default().call("call_1", "get_time", &json!({"city": "Oslo"}));
    let setup = Setup::new(host(reply)).await;
    let (ran, lines, summary) = setup.results("--min-schema 0.9");
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(
        ran.stderr.contains("schema accuracy is 0.0000, below 0.9"),
        "{ran:?}"
    );
    assert_eq!(summary["raw"]["schema"]["valid"], 0);
    assert_eq!(summary["raw"]["call_trigger"]["f1"], 1.0);
    let complaint = &lines[0]["raw"]["tool_calls"][0]["complaint"];
    assert_eq!(complaint, "no tool is called `get_time`");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configured_model_is_measured_as_it_is_served_but_not_insisted_on() {
    let setup = Setup::new(host(call(r#"{"city":"Oslo","unit":"celsius"}"#))).await;
    let config = setup.user.home().join("l.toml");
    let model = "[models.mine]\ntargets = [\"up/kimi-k2\"]\nensure_tool_call = true\nvalidate_tool_calls = \"repair\"\n";
    let file = std::fs::read_to_string(&config).unwrap();
    std::fs::write(config, file + model).unwrap();
    let line = "verify mine --config l.toml --cases cases.jsonl --json";
    let ran = setup.user.run(&line.split(' ').collect::<Vec<_>>());
    let summary: Json = serde_json::from_str(ran.stdout.lines().last().unwrap()).unwrap();
    let summary = &summary["summary"];
    assert_eq!(summary["model"], "up/kimi-k2");
    assert_eq!(
        summary["raw"]["schema"]["valid"], 0,
        "there is no such argument"
    );
    assert_eq!(measures(&summary["repaired"]), perfect(), "it is left out");
    let asked = setup.upstream.requests();
    assert_eq!(asked.len(), 4);
    let tools = |request: &Received| request.json()["tools"].as_array().map(Vec::len);
    assert!(asked.iter().all(|request| tools(request) == Some(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_says_nothing_is_empty_and_its_reply_an_error() {
    let setup = Setup::new(Misbehaviour::NoContent).await;
    let (ran, _, summary) = setup.results("");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(summary["raw"]["empty"], 4);
    assert_eq!(summary["raw"]["call_trigger"]["false_negatives"], 3);
    assert_eq!(summary["repaired"]["broken"], 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_quirks_both_views_are_the_same() {
    let setup = Setup::speaking(host(Reply::text(LEAK)), "chat", &[]).await;
    let (_, _, summary) = setup.results("--raw");
    assert_eq!(summary["raw"], summary["repaired"]);
    assert_eq!(summary["repaired"]["leaking"], 3);
    assert_eq!(summary["quirks"], json!({}));
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_of_another_wire_are_asked_in_it() {
    let good = host(call(r#"{"city":"Oslo"}"#));
    let setup = Setup::speaking(good, "anthropic", &[]).await;
    let (_, _, summary) = setup.results("");
    assert_eq!(measures(&summary["raw"]), perfect());
    assert_eq!(measures(&summary["repaired"]), perfect());
    let asked = setup.upstream.requests();
    assert!(asked.iter().all(|request| request.path() == "/v1/messages"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_that_had_to_be_renamed_is_known_by_its_own_name_in_both_views() {
    let by_sent_name = |request: &Received| {
        let name = request.json()["tools"][0]["function"]["name"].clone();
        let name = name.as_str().unwrap().to_owned();
        let arguments = json!({"city": "Oslo"});
        assert_ne!(name, "2.weather:now");
        Reply::default()
            .call("call_1", &name, &arguments)
            .answer(request)
    };
    let setup = Setup::new(by_sent_name).await;
    let renamed = cases(true).replace("\"name\":\"get_weather\"", "\"name\":\"2.weather:now\"");
    setup.user.file("cases.jsonl", &renamed);
    let (_, lines, summary) = setup.results("");
    for view in ["raw", "repaired"] {
        assert_eq!(summary[view]["schema"]["valid"], 4, "{}", lines[0]);
        assert_eq!(lines[0][view]["tool_calls"][0]["name"], "2.weather:now");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_host_is_slow() {
    let slow = |request: &Received| {
        let answer = call(r#"{"city":"Oslo"}"#).answer(request);
        answer.paced(Duration::from_millis(40))
    };
    let setup = Setup::new(slow).await;
    let (_, _, summary) = setup.results("--stream yes --concurrency 1");
    let number = |name: &str, at: &str| summary[name][at].as_u64().unwrap();
    let (first, all) = (number("ttft_ms", "p50"), number("duration_ms", "p50"));
    // A role, the call, pieces of its arguments, the finish, usage and the end, each 40 ms behind the one before.
    assert!(first >= 80 && all >= first + 120, "{first} {all}");
    assert!(number("duration_ms", "p95") >= all);
    // Twelve tokens in more than 120 ms.
    let rate = number("tokens_per_second", "p50");
    assert!((1..=100).contains(&rate), "{rate}");
}
