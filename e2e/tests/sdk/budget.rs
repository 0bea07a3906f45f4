//! The SDKs against a budget that is spent: each raises an error with our words, and none asks again.

use std::time::Duration;

use lingate_e2e::{Gateway, Home, Provider};
use lingate_testkit::{Agent, Process, Upstream};

use crate::installed::Set;
use crate::run::results;

/// Nothing may be spent on a model that has a price.
const SPENT: &str = "price = { input = \"3\", output = \"15\" }\n\n[budget]\nday = \"0 USD\"\n";

async fn check(set: Set, script: &str, cases: usize) {
    let home = Home::new();
    let Some(mut command) = set.command(&home, script) else {
        return;
    };
    let upstream = Upstream::start(Agent::new()).await;
    let config = Provider::chat(&upstream.url()).config();
    let gateway = Gateway::serve(&home, &format!("{config}{SPENT}")).await;
    command
        .env("LINGATE_URL", &gateway.url)
        .env("LINGATE_MODEL", "mock");
    let finished = Process::spawn(&mut command)
        .finish(Duration::from_secs(100))
        .await;
    assert_eq!(finished.code, Some(0), "{finished}");
    let results = results(&finished.stdout);
    assert_eq!(results.len(), cases, "{finished}");
    for (case, result) in &results {
        assert!(result["raised"].is_string(), "{case}: {result}");
        let message = result["message"].as_str().unwrap_or_default();
        assert!(
            message.contains("today's budget is spent"),
            "{case}: {result}"
        );
    }
    let refused = gateway.log().matches("WARN refused: ").count();
    assert_eq!(refused, cases, "each asks once: {}", gateway.log());
    assert_eq!(upstream.requests().len(), 0);
    assert_eq!(gateway.stop().await.code, Some(0));
    home.is_quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn python() {
    check(Set::Python, "budget.py", 8).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn typescript() {
    check(Set::Node, "budget.mjs", 9).await;
}
