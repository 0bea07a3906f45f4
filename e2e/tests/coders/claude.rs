//! Claude Code over every wire, its own among them: a session with thoughts and tools, whose reasoning state comes back
//! to a provider that refuses any other.

use lingate_e2e::edit::sound;
use lingate_e2e::{Claude, Gateway, Home, Provider};
use lingate_testkit::{Agent, Received, Step, Upstream, Wire, anthropic, gemini, responses};
use serde_json::json;

async fn check(wire: Wire, seal: &str) {
    let home = Home::new();
    let file = home.project_str("new.txt");
    let agent = Agent::new().on("SESSION", [
        Step::call("Write", json!({"file_path": file, "content": "first line\nsecond line\n"}))
            .thinking("A file is needed first.")
            .saying("I write the file."),
        Step::call("Read", json!({"file_path": file})).and("Bash", json!({"command": "echo out; exit 7", "description": "Fails"})),
        Step::call("Edit", json!({"file_path": file, "old_string": "second", "new_string": "2nd \u{2013} \u{ab}zweite\u{bb}"}))
            .thinking("Now the other line."),
        Step::report(|results| format!("Done after {} results.", results.len())),
    ]);
    let upstream = Upstream::start(agent.clone()).await;
    let gateway = Gateway::serve(&home, &Provider::of(wire, &upstream.url()).config()).await;
    let Some(claude) = Claude::at(&home, &gateway.url) else {
        return;
    };
    let transcript = claude.session("Please do the SESSION task.").await;
    let label = format!("{wire:?}: {transcript}\n{}", gateway.log());
    assert_eq!(transcript.success(), "Done after 4 results.", "{label}");
    assert_eq!(agent.faults(), [""; 0], "{label}");
    assert_eq!(
        home.read("project/new.txt"),
        "first line\n2nd \u{2013} \u{ab}zweite\u{bb} line\n"
    );
    assert_eq!(
        transcript.thoughts(),
        "A file is needed first.Now the other line.",
        "{label}"
    );
    let failed = transcript
        .results()
        .iter()
        .filter(|result| result.is_error)
        .count();
    assert_eq!(failed, 1, "only the command fails: {label}");

    let requests = match wire {
        // The client's own words, which its own provider takes, instructions between the messages among them.
        Wire::Anthropic => upstream.requests(),
        Wire::Chat | Wire::Responses | Wire::Gemini => sound(&upstream, wire, &label),
    };
    let lane = match wire {
        Wire::Anthropic => "passthrough",
        Wire::Chat | Wire::Responses | Wire::Gemini => "translated",
    };
    let log = gateway.log();
    assert!(log.contains(&format!("lane=\"{lane}\"")), "{label}");
    let session: Vec<&Received> = requests
        .iter()
        .filter(|request| request.text().contains("SESSION task"))
        .collect();
    assert_eq!(session.len(), 4, "four answers, four requests: {label}");
    for (n, request) in session.iter().enumerate() {
        assert!(request.streams(), "{label}");
        let seals = request.text().matches(seal).count();
        // The first and the third answer think.
        assert_eq!(seals > 0, n > 0, "request {n} holds {seals} seals: {label}");
    }
    assert_eq!(gateway.stop().await.code, Some(0));
    home.is_quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn claude_code_over_anthropic() {
    check(Wire::Anthropic, anthropic::SEAL).await;
}

/// That wire has no tokens: the thought itself comes back.
#[tokio::test(flavor = "multi_thread")]
async fn claude_code_over_chat() {
    check(Wire::Chat, "A file is needed first.").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn claude_code_over_responses() {
    check(Wire::Responses, responses::SEAL).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn claude_code_over_gemini() {
    check(Wire::Gemini, gemini::SEAL).await;
}
