//! A whole session: writes, reads two files at once, edits, runs a command that fails, sums up.

use lingate_e2e::{Claude, Gateway, Home, Provider, Transcript};
use lingate_testkit::{Agent, Step, Upstream};
use serde_json::json;

use crate::expect;

const PROMPT: &str = "Please do the SESSION task.";

fn scenario(home: &Home) -> Agent {
    let file = |name: &str| home.project_str(name);
    Agent::new().on("SESSION", [
        Step::call("Write", json!({"file_path": file("new.txt"), "content": "first line\nsecond line\n"}))
            .thinking("A file is needed first.")
            .saying("I write the file."),
        Step::call("Read", json!({"file_path": file("new.txt")})).and("Read", json!({"file_path": file("old.txt")})),
        Step::call("Edit", json!({"file_path": file("new.txt"), "old_string": "second", "new_string": "2nd – «zweite»"})),
        Step::call("Bash", json!({"command": "echo to-stdout; echo to-stderr >&2; exit 7", "description": "Fails"})),
        Step::report(|results| format!("Done after {} results. The command said: {}", results.len(), results[4])),
    ])
}

async fn run(home: &Home, base_url: &str) -> Option<Transcript> {
    std::fs::write(home.project("old.txt"), "an old file\n").unwrap();
    Some(Claude::at(home, base_url)?.session(PROMPT).await)
}

/// What the client did, however it was served.
fn check(home: &Home, transcript: &Transcript) {
    let answer = transcript.success();
    assert!(
        answer.starts_with("Done after 5 results.") && answer.contains("to-stderr"),
        "{answer}"
    );
    assert_eq!(
        home.read("project/new.txt"),
        "first line\n2nd – «zweite» line\n"
    );
    assert_eq!(home.read("project/old.txt"), "an old file\n");

    let calls = transcript.calls();
    let names: Vec<&str> = calls.iter().map(|(_, name, _)| *name).collect();
    assert_eq!(names, ["Write", "Read", "Read", "Edit", "Bash"]);
    let results = transcript.results();
    let mut answered: Vec<&str> = results.iter().map(|result| result.id.as_str()).collect();
    let mut called: Vec<&str> = calls.iter().map(|(id, ..)| *id).collect();
    answered.sort_unstable();
    called.sort_unstable();
    assert_eq!(called, answered, "every call has its result");
    let failed: Vec<&str> = results
        .iter()
        .filter(|result| result.is_error)
        .map(|result| result.id.as_str())
        .collect();
    assert_eq!(failed, [calls[4].0], "only the command fails");
    let of = |n: usize| {
        &results
            .iter()
            .find(|result| result.id == calls[n].0)
            .unwrap()
            .content
    };
    assert!(
        of(1).contains("second line") && of(2).contains("an old file"),
        "parallel results are not swapped"
    );
    assert!(
        of(4).contains('7') && of(4).contains("to-stdout"),
        "{}",
        of(4)
    );
}

/// The scenario works without a gateway: what fails below is the gateway's.
#[tokio::test(flavor = "multi_thread")]
async fn directly() {
    let home = Home::new();
    let agent = scenario(&home);
    let upstream = Upstream::start(agent.clone()).await;
    let Some(transcript) = run(&home, &upstream.url()).await else {
        return;
    };
    check(&home, &transcript);
    assert_eq!(agent.faults(), [""; 0]);
    assert!(
        upstream
            .requests()
            .iter()
            .any(|request| request.text().contains("x-anthropic-billing-header"))
    );
    home.is_quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn through_lingate() {
    let home = Home::new();
    let agent = scenario(&home);
    let upstream = Upstream::start(agent.clone()).await;
    let gateway = Gateway::before(&home, &upstream).await;
    let Some(transcript) = run(&home, &gateway.url).await else {
        return;
    };
    check(&home, &transcript);
    assert_eq!(transcript.thoughts(), "A file is needed first.");

    let requests = expect::sound(&upstream, &agent);
    let session = expect::conversation(&requests, PROMPT);
    assert_eq!(session.len(), 5, "five answers, five requests");
    expect::prefix_is_stable(&session);
    for request in &session {
        let body = request.json();
        assert_eq!(
            (&body["model"], &body["stream"]),
            (&json!("mock-1"), &json!(true))
        );
        assert_eq!(body["stream_options"]["include_usage"], true);
        assert_eq!(
            expect::tools(request),
            expect::tools(session[0]),
            "the tools do not change"
        );
    }
    // The command's failure reaches the model, which has no flag for it on this wire.
    let results = expect::texts(session[4], "tool");
    assert_eq!(results.len(), 5);
    assert!(
        results[4].contains("to-stderr") && results[4].to_lowercase().contains("error"),
        "{}",
        results[4]
    );

    assert_eq!(gateway.stop().await.code, Some(0));
    home.is_quiet().await;
}

/// Kimi K2's ids hold characters that clients refuse, and it must get its own ids back.
#[tokio::test(flavor = "multi_thread")]
async fn with_the_ids_of_kimi() {
    let home = Home::new();
    let agent = scenario(&home).kimi_ids();
    let upstream = Upstream::start(agent.clone()).await;
    let config = format!(
        "default = \"moonshot/kimi-k2.6\"\nfrom_env = false\n\n[server]\nlisten = \"127.0.0.1:0\"\n\n\
         [providers.moonshot]\nbase_url = \"{}\"\napi_key = \"{}\"\n",
        upstream.url(),
        Provider::KEY,
    );
    let gateway = Gateway::serve(&home, &config).await;
    let Some(transcript) = run(&home, &gateway.url).await else {
        return;
    };
    check(&home, &transcript);
    for (id, ..) in transcript.calls() {
        let fits = id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
        assert!(
            fits && id.len() <= 64,
            "{id} is no id for an Anthropic client"
        );
    }
    let requests = expect::sound(&upstream, &agent);
    let session = expect::conversation(&requests, PROMPT);
    expect::prefix_is_stable(&session);
    let last = session[4].json();
    let messages = last["messages"].as_array().unwrap();
    let calls = messages
        .iter()
        .flat_map(|message| message["tool_calls"].as_array().into_iter().flatten());
    let ids: Vec<&str> = calls.filter_map(|call| call["id"].as_str()).collect();
    let native = [
        "functions.Write:0",
        "functions.Read:1",
        "functions.Read:2",
        "functions.Edit:3",
        "functions.Bash:4",
    ];
    assert_eq!(ids, native);
    assert_eq!(gateway.stop().await.code, Some(0));
    home.is_quiet().await;
}
