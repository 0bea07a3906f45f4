//! A subagent: a second conversation of the same session, whose report comes back as a tool result.

use lingate_e2e::{Claude, Gateway, Home};
use lingate_testkit::{Agent, Step, Upstream};
use serde_json::json;

use crate::expect;

#[tokio::test(flavor = "multi_thread")]
async fn reads_a_file_and_reports() {
    let home = Home::new();
    std::fs::write(home.project("secret.txt"), "the word is xylophone\n").unwrap();
    let task = json!({
        "description": "Look it up", "prompt": "DELEGATED: read secret.txt", "subagent_type": "general-purpose",
        "run_in_background": false,
    });
    let read = json!({"file_path": home.project_str("secret.txt")});
    // The delegated scenario first: the main conversation's messages never hold its marker in a user message.
    let agent = Agent::new()
        .on(
            "DELEGATED",
            [
                Step::call("Read", read),
                Step::report(|results| format!("The file says: {}", results[0])),
            ],
        )
        .on(
            "SUBAGENT",
            [
                Step::call("Agent", task),
                Step::report(|results| format!("It reports: {}", results[0])),
            ],
        );
    let upstream = Upstream::start(agent.clone()).await;
    let gateway = Gateway::before(&home, &upstream).await;
    let Some(claude) = Claude::at(&home, &gateway.url) else {
        return;
    };
    let transcript = claude.session("Do the SUBAGENT task.").await;
    let answer = transcript.success();
    assert!(
        answer.starts_with("It reports:") && answer.contains("xylophone"),
        "{answer}"
    );

    let requests = expect::sound(&upstream, &agent);
    for marker in ["DELEGATED", "SUBAGENT"] {
        let conversation = expect::conversation(&requests, marker);
        assert_eq!(conversation.len(), 2, "{marker}");
        expect::prefix_is_stable(&conversation);
    }
    assert_eq!(gateway.stop().await.code, Some(0));
    home.is_quiet().await;
}
