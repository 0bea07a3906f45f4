//! `lingate verify` as a program: hosts that refuse, runs that go on, and what is said before anything is sent.

use lingate_testkit::{Answer, Misbehaviour, Received, Script, chat};
use serde_json::{Value as Json, json};

use crate::harness::User;
use crate::verify::{Setup, call, cases};

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_told_by_status() {
    let check = async |script: Misbehaviour, label: &str, words: &str| {
        let setup = Setup::new(script).await;
        let (ran, lines, summary) = setup.results("");
        assert_eq!(ran.code, 1, "{ran:?}");
        assert_eq!(summary["errors"], json!({ label: 4 }));
        assert_eq!(
            (&summary["answered"], &summary["failed"]),
            (&json!(0), &json!(4))
        );
        assert_eq!(lines[0]["status"], "failed");
        assert!(
            ran.stderr.contains("no case was answered by up/kimi-k2: "),
            "{ran:?}"
        );
        assert!(ran.stderr.contains(words), "{ran:?}");
    };
    check(Misbehaviour::RateLimited(3), "429 rate_limit", "max RPM").await;
    check(Misbehaviour::Overloaded, "503 overloaded", "overloaded").await;
    check(Misbehaviour::WrongKey, "401 authentication", "l.toml:4").await;
    check(Misbehaviour::CutAfterText, "truncated", "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_falls_silent_is_not_waited_for() {
    let check = async |script: Misbehaviour, words: &str| {
        let setup = Setup::new(script).await;
        let path = setup.user.home().join("l.toml");
        let file = std::fs::read_to_string(&path).unwrap();
        let limits = "timeouts = { headers = \"300ms\", idle = \"300ms\" }\n";
        std::fs::write(path, file + limits).unwrap();
        let (ran, _, summary) = setup.results("--stream yes");
        assert_eq!(summary["errors"], json!({"timeout": 4}), "{ran:?}");
        assert!(ran.stderr.contains(words), "{ran:?}");
    };
    check(Misbehaviour::NeverAnswers, "no answer within 0.3 s").await;
    check(Misbehaviour::StallsAfterText, "fell silent").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_run_asks_only_for_what_is_missing() {
    let script = |request: &Received| match request.n {
        0 => Misbehaviour::RateLimited(1).answer(request),
        _ => call(r#"{"city":"Oslo"}"#).answer(request),
    };
    let setup = Setup::new(script).await;
    let run = |failed: usize, requests: usize, n_lines: usize| {
        let (ran, lines, summary) = setup.results("--out out.jsonl --concurrency 1");
        assert_eq!(
            (ran.code, &summary["failed"]),
            (0, &json!(failed)),
            "{ran:?}"
        );
        assert_eq!(lines.len(), 4);
        assert_eq!(setup.upstream.requests().len(), requests);
        let kept = std::fs::read_to_string(setup.user.home().join("out.jsonl")).unwrap();
        assert_eq!(kept.lines().count(), n_lines);
        kept
    };
    run(1, 4, 4);
    run(0, 5, 5);
    let kept = run(0, 5, 5);
    // Cut off while writing: what was cut is asked for again.
    let at = kept.trim_end().rfind('\n').unwrap();
    setup.user.file("out.jsonl", &kept[..at + 40]);
    run(0, 6, 6);
    run(0, 6, 6);

    // Its results are a reference; by the first run's word every question is one for a call.
    let reference = setup.verify("--cases bare.jsonl --reference out.jsonl --min-f1 1 --json");
    assert_eq!(reference.code, 0, "{reference:?}");
    let summary = reference.stdout.lines().last().unwrap();
    let summary: Json = serde_json::from_str(summary).unwrap();
    assert_eq!(summary["summary"]["f1_against"], "reference");
    assert_eq!(
        summary["summary"]["repaired"]["call_trigger"]["true_positives"],
        4
    );

    setup.user.file("out.jsonl", "{\"a\":1}\n");
    let ran = setup.verify("--out out.jsonl");
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(
        ran.stderr.contains("line 1 of `out.jsonl` is no result"),
        "{ran:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_that_a_quirk_can_answer_is_answered() {
    let script = |request: &Received| {
        let words = "Invalid max_tokens value, the valid range of max_tokens is [1, 8192]";
        match request.json()["max_tokens"].as_u64() {
            Some(limit) if limit > 8192 => {
                Answer::json(400, &chat::error("invalid_request_error", words))
            }
            _ => call(r#"{"city":"Oslo"}"#).answer(request),
        }
    };
    let setup = Setup::new(script).await;
    let large = cases(true).replace("\"temperature\":0.6", "\"max_tokens\":64000");
    setup.user.file("cases.jsonl", &large);
    let (ran, _, summary) = setup.results("");
    assert_eq!((ran.code, &summary["answered"]), (0, &json!(4)), "{ran:?}");
    // Each is refused once, unless it is sent when the limit has been learnt from another.
    let asked = setup.upstream.requests().len();
    assert!((5..=8).contains(&asked), "{asked}");
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_cases_are_sent_whole() {
    let setup = Setup::new(Misbehaviour::Healthy).await;
    let ran = setup.verify("--json --concurrency 8");
    assert_eq!(ran.code, 0, "{ran:?}");
    let summary: Json = serde_json::from_str(ran.stdout.lines().last().unwrap()).unwrap();
    let summary = &summary["summary"];
    assert_eq!(summary["answered"], 52);
    let trigger = &summary["repaired"]["call_trigger"];
    assert_eq!(
        [
            &trigger["false_negatives"],
            &trigger["true_negatives"],
            &trigger["f1"]
        ],
        [&json!(41), &json!(11), &json!(0.0)]
    );
    let asked = setup.upstream.requests();
    assert!(
        asked
            .iter()
            .all(|request| request.json()["lingate"].is_null())
    );
    assert!(
        asked
            .iter()
            .all(|request| request.json()["tools"].is_array())
    );
}

#[test]
fn what_cannot_be_verified_is_said_before_anything_is_sent() {
    let user = User::new();
    user.file("bad.jsonl", "{\"messages\":[]}\n{\"messages\":1}\n");
    user.file("good.jsonl", &cases(false));
    user.file(
        "l.toml",
        "[providers.up]\nbase_url = \"http://127.0.0.1:1\"\nspeaks = [\"chat\"]\nauth = \"none\"\n\
         [providers.theirs]\nbase_url = \"http://127.0.0.1:1\"\nspeaks = [\"chat\"]\nauth = \"client\"\n",
    );
    let check = |args: &str, code: i32, words: &str| {
        let line = format!("verify --config l.toml {args}");
        let ran = user.run(&line.split_whitespace().collect::<Vec<_>>());
        assert_eq!(ran.code, code, "{args} {ran:?}");
        assert!(ran.stderr.contains(words), "{args} {ran:?}");
    };
    check("nobody/m", 2, "nobody/m");
    check("ups/m", 2, "the configured providers are");
    check("moonshot/kimi-k2", 2, "MOONSHOT_API_KEY");
    check("theirs/m", 2, "the client's own login");
    check("demo/demo", 2, "built-in demo");
    check(
        "up/m --cases missing.jsonl",
        2,
        "cannot read `missing.jsonl`",
    );
    check(
        "up/m --cases bad.jsonl",
        2,
        "line 2 of `bad.jsonl`: `messages`",
    );
    check(
        "up/m --cases good.jsonl --min-f1 0.8",
        2,
        "--reference FILE",
    );
    check(
        "up/m --cases good.jsonl --reference bad.jsonl",
        2,
        "line 1 of `bad.jsonl`",
    );
    check(
        "up/m --cases good.jsonl --out no/where/x",
        2,
        "results file `no/where/x`",
    );
    check("up/m --cases good.jsonl", 1, "cannot be reached");
}
