//! `lingate verify` measures a real server: llama.cpp with SmolLM2, which calls a tool only where it can say nothing else.

use std::time::Duration;

use lingate_e2e::{Home, LlamaCpp, lingate};
use lingate_testkit::Process;
use serde_json::{Value, json};

/// Two questions, one for a call and one for text; the second is not streamed.
fn cases() -> String {
    let tool = json!({"type": "function", "function": {"name": "set_light", "parameters": {
        "type": "object", "properties": {"on": {"type": "boolean"}}, "required": ["on"],
    }}});
    let case = |expect: &str, question: &str| {
        let line = json!({
            "lingate": {"case": expect, "expect": expect},
            "messages": [{"role": "user", "content": question}],
            "tools": [tool],
            "max_tokens": 16,
            "stream": expect == "call",
        });
        format!("{line}\n")
    };
    case("call", "Switch the light on.") + &case("text", "Say hello.")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_server_is_measured() {
    let home = Home::new();
    let Some(llama) = LlamaCpp::start(&home, &["-c", "2048"]).await else {
        return;
    };
    let config = format!(
        "[providers.local]\nbase_url = \"{}\"\nspeaks = [\"chat\"]\nauth = \"none\"\nquirks = [\"llama-cpp\"]\n",
        llama.url()
    );
    let (config, cases) = (
        home.write("l.toml", config),
        home.write("cases.jsonl", cases()),
    );
    let mut command = home.command(&lingate());
    command
        .args(["verify", "local/smollm2", "--json", "--config"])
        .arg(config);
    command.arg("--cases").arg(cases);
    let finished = Process::spawn(&mut command)
        .finish(Duration::from_secs(60))
        .await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let lines: Vec<Value> = finished
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line is an object"))
        .collect();
    let [streamed, whole, summary] = lines.as_slice() else {
        panic!("{finished:?}");
    };
    for record in [streamed, whole] {
        assert_eq!(record["status"], "success", "{record}");
        assert!(record["output_tokens"].as_u64() > Some(0), "{record}");
        assert_ne!(record["raw"]["text"], "", "{record}");
        assert_eq!(record["raw"]["text"], record["repaired"]["text"]);
    }
    assert!(streamed["ttft_ms"].is_u64() && whole["ttft_ms"].is_null());
    let trigger = &summary["summary"]["repaired"]["call_trigger"];
    assert_eq!(trigger["false_negatives"], 1);
    assert_eq!(trigger["true_negatives"], 1);
}

/// Questions and results as the K2 Vendor Verifier keeps them: the same three questions, of which the vendor's model called
/// a tool for two, and the last one failed there.
fn of_the_verifier() -> (String, String) {
    let tool = json!({"type": "function", "function": {"name": "get_weather", "description": "The weather", "parameters": {
        "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"],
    }}});
    let (mut samples, mut results) = (String::new(), String::new());
    for (n, question) in [
        "Weather in Oslo?",
        "Hello!",
        "Weather in Lima?",
        "Weather in Rome?",
    ]
    .iter()
    .enumerate()
    {
        let mut request = json!({
            "messages": [{"role": "_input", "content": "You are helpful."}, {"role": "user", "content": question}],
            "tools": [tool],
            "temperature": 0.6,
            "max_tokens": 96,
            "stream": n % 2 == 0,
        });
        samples += &format!("{request}\n");
        request["messages"][0]["role"] = json!("system");
        request["model"] = json!("kimi-k2-0905-preview");
        let (finish, valid) = if n == 1 {
            ("stop", Value::Null)
        } else {
            ("tool_calls", json!(true))
        };
        let result = match n {
            3 => {
                json!({"status": "failed", "response": {"error": "timeout"}, "finish_reason": null, "tool_calls_valid": null})
            }
            _ => {
                json!({"status": "success", "response": {"choices": []}, "finish_reason": finish, "tool_calls_valid": valid})
            }
        };
        let mut line = json!({
            "data_index": n + 1, "request": request, "last_run_at": "2025-09-20T18:45:23.123456", "duration_ms": 900,
            "hash": "0f0e0d0c0b0a09080706050403020100",
        });
        line.as_object_mut()
            .expect("an object")
            .extend(result.as_object().cloned().expect("an object"));
        results += &format!("{line}\n");
    }
    (samples, results)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_files_of_the_k2_vendor_verifier_are_read() {
    let home = Home::new();
    // Every reply is a call, written as text: with the quirk it is one, without it is prose.
    let grammar = r#"root ::= "<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"" [A-Z] [a-z]{2,6} "\"}}\n</tool_call>""#;
    let Some(llama) = LlamaCpp::start(&home, &["-c", "2048", "--grammar", grammar]).await else {
        return;
    };
    let config = format!(
        "[providers.local]\nbase_url = \"{}\"\nspeaks = [\"chat\"]\nauth = \"none\"\nquirks = [\"llama-cpp\", \"hermes\"]\n",
        llama.url()
    );
    let (samples, results) = of_the_verifier();
    home.write("l.toml", config);
    home.write("samples.jsonl", samples);
    home.write("results.jsonl", results);
    let run = async |more: &str| {
        let mut command = home.command(&lingate());
        let line = "verify local/hermes-smollm2 --json --config l.toml --cases samples.jsonl --reference results.jsonl --out out.jsonl";
        command
            .args(line.split(' ').chain(more.split_whitespace()))
            .current_dir(home.path());
        Process::spawn(&mut command)
            .finish(Duration::from_secs(60))
            .await
    };
    let finished = run("").await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let summary: Value =
        serde_json::from_str(finished.stdout.lines().last().expect("a summary")).expect("JSON");
    let summary = &summary["summary"];
    assert_eq!(
        (&summary["f1_against"], &summary["answered"]),
        (&json!("reference"), &json!(4)),
        "{summary}"
    );
    let trigger = |view: &str| {
        let counts = &summary[view]["call_trigger"];
        [
            "true_positives",
            "false_positives",
            "false_negatives",
            "true_negatives",
        ]
        .map(|name| counts[name].as_u64())
    };
    // The vendor's failed one does not count.
    assert_eq!(trigger("repaired"), [2, 1, 0, 0].map(Some), "{summary}");
    assert_eq!(trigger("raw"), [0, 0, 2, 1].map(Some), "{summary}");
    assert_eq!(
        (&summary["raw"]["leaking"], &summary["repaired"]["leaking"]),
        (&json!(4), &json!(0)),
        "{summary}"
    );
    assert_eq!(
        (
            &summary["repaired"]["schema"]["valid"],
            &summary["repaired"]["schema"]["tool_calls"]
        ),
        (&json!(4), &json!(4))
    );

    // All is there already; what is held against a threshold decides how it ends.
    assert_eq!(run("--min-schema 1 --min-f1 0.8").await.code, Some(0));
    assert_eq!(run("--min-f1 0.9").await.code, Some(1));
    assert_eq!(run("--min-f1 0.5 --raw").await.code, Some(1));
    assert_eq!(run("--cases nothing.jsonl").await.code, Some(2));
}
