//! Coding agents against a budget that is spent: each says why, asks the gateway once, and the provider never.

use std::time::Duration;

use lingate_e2e::{Coder, Gateway, Home, Provider, lingate};
use lingate_testkit::{Agent, Process, Upstream};
use serde_json::Value;

/// Nothing may be spent on a model that has a price.
const SPENT: &str = "price = { input = \"3\", output = \"15\" }\n\n[budget]\nday = \"0 USD\"\n";

async fn is_told(coder: Coder) {
    let home = Home::new();
    let upstream = Upstream::start(Agent::new()).await;
    let config = Provider::of(coder.wire(), &upstream.url()).config();
    let gateway = Gateway::serve(&home, &format!("{config}{SPENT}")).await;
    let Some(command) = coder.at(&home, &gateway.url, "Say hello.") else {
        return;
    };
    let finished = lingate_e2e::coder::finish(command).await;
    let log = gateway.log();
    assert_eq!(gateway.stop().await.code, Some(0));
    let file = home.path().join("lingate.toml");
    let mut command = home.command(&lingate());
    command
        .args(["logs", "list", "--json", "--config"])
        .arg(file);
    let listed = Process::spawn(&mut command)
        .finish(Duration::from_secs(30))
        .await;
    let rows: Vec<Value> = (listed.stdout.lines())
        .map(|line| serde_json::from_str(line).expect("a row is JSON"))
        .collect();
    let label = format!("{coder:?}: {finished}\n{log}\n{}", listed.stdout);
    let refused = rows.iter().filter(|row| row["error_kind"] == "budget");
    // opencode has a title made beside the answer.
    let expected = if coder == Coder::Opencode { 2 } else { 1 };
    assert_eq!(refused.count(), expected, "each asks once: {label}");
    assert_eq!(
        upstream.requests().len(),
        0,
        "nothing reached the provider: {label}"
    );
    let said = format!("{}{}", finished.stdout, finished.stderr);
    for part in ["today's budget is spent", "budget.day"] {
        assert!(said.contains(part), "{part}: {label}");
    }
    home.is_quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn codex() {
    is_told(Coder::Codex).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gemini_cli() {
    is_told(Coder::Gemini).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn opencode() {
    is_told(Coder::Opencode).await;
}
