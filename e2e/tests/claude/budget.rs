//! Claude Code against a budget that is spent, and in a loop that is stopped: it says why, once, and asks nobody again.

use std::time::Duration;

use lingate_e2e::{Claude, Gateway, Home, Provider, lingate};
use lingate_testkit::{Agent, Process, Step, Upstream};
use serde_json::{Value, json};

/// Nothing may be spent on a model that has a price.
const SPENT: &str = "price = { input = \"3\", output = \"15\" }\n\n[budget]\nday = \"0 USD\"\n";

/// Everything that the gateway recorded, the newest first.
pub(crate) async fn rows(home: &Home) -> Vec<Value> {
    let file = home.path().join("lingate.toml");
    let mut command = home.command(&lingate());
    command
        .args(["logs", "list", "--json", "--config"])
        .arg(file);
    let listed = Process::spawn(&mut command)
        .finish(Duration::from_secs(30))
        .await;
    let lines = listed.stdout.lines();
    let rows: Vec<Value> = lines
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    assert!(!rows.is_empty(), "{listed}");
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spent_budget_is_told_at_once() {
    for more in [&[][..], &["--output-format", "stream-json", "--verbose"]] {
        let home = Home::new();
        let upstream = Upstream::start(Agent::new()).await;
        let config = Provider::chat(&upstream.url()).config();
        let gateway = Gateway::serve(&home, &format!("{config}{SPENT}")).await;
        let Some(claude) = Claude::at(&home, &gateway.url) else {
            return;
        };
        let answer = claude.args(more).print("hi").await;
        let said = format!("{}{}", answer.stdout, answer.stderr);
        assert_eq!(answer.code, Some(1), "{said}");
        for part in [
            "today's budget is spent",
            "0.00 of 0.00 USD",
            "00:00 UTC",
            "budget.day",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
        assert_eq!(gateway.stop().await.code, Some(0));
        let rows = rows(&home).await;
        let asked: Vec<_> = rows
            .iter()
            .map(|row| (&row["path"], &row["error_kind"]))
            .collect();
        let of_main = rows.iter().filter(|row| row["class"] != "auxiliary");
        assert_eq!(of_main.count(), 1, "one request: {asked:?}");
        assert_eq!(upstream.requests().len(), 0, "nothing reached the provider");
        home.is_quiet().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loop_is_stopped_where_that_is_configured() {
    let home = Home::new();
    let step = || {
        Step::call(
            "Bash",
            json!({"command": "cat nothing-here", "description": "Look"}),
        )
    };
    let agent = Agent::new().on("LOOP", (0..12).map(|_| step()).collect::<Vec<_>>());
    let upstream = Upstream::start(agent).await;
    let config = Provider::chat(&upstream.url()).config();
    let loops = "[loops]\nwarn_after = 3\nstop_after = 5\n";
    let gateway = Gateway::serve(&home, &format!("{config}\n{loops}")).await;
    let Some(claude) = Claude::at(&home, &gateway.url) else {
        return;
    };
    let transcript = claude.session("Please do the LOOP task.").await;
    let said = transcript.to_string();
    assert!(said.contains("`Bash` was called 5 times"), "{said}");
    assert_eq!(gateway.stop().await.code, Some(0));
    let rows = rows(&home).await;
    let looped: Vec<_> = rows
        .iter()
        .filter(|row| row["warnings"] == json!(["loop"]))
        .map(|row| (row["status"].as_u64(), row["error_kind"].as_str()))
        .collect();
    let last = (Some(402), Some("loop"));
    assert_eq!(looped[0], last, "{looped:?}");
    assert_eq!(looped.len(), 3, "{looped:?}");
    assert_eq!(
        upstream
            .requests()
            .iter()
            .filter(|own| own.text().contains("LOOP"))
            .count(),
        5
    );
    home.is_quiet().await;
}
