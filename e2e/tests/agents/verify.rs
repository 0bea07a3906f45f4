//! `lingate verify` measures a real server: llama.cpp with SmolLM2, which never calls a tool.

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
