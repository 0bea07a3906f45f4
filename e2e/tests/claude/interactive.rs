//! Claude Code in a terminal: a prompt is typed, the answer is read from the screen.

use std::time::Duration;

use lingate_e2e::{Gateway, Home, Terminal, install};
use lingate_testkit::{Agent, Step, Upstream};
use serde_json::json;

const LIMIT: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn a_typed_prompt_is_answered_on_the_screen() {
    let Some(program) = install::claude_code() else {
        return;
    };
    let home = Home::new();
    // As after the first start: theme chosen, folder trusted.
    let folder = home
        .path()
        .join("project")
        .canonicalize()
        .unwrap()
        .display()
        .to_string();
    let settings = json!({
        "hasCompletedOnboarding": true, "theme": "dark", "bypassPermissionsModeAccepted": true,
        "projects": {folder: {"hasTrustDialogAccepted": true, "hasCompletedProjectOnboarding": true}},
    });
    home.write(".claude.json", settings.to_string());
    let write = json!({"file_path": home.project_str("typed.txt"), "content": "by hand\n"});
    let agent = Agent::new().on(
        "TYPED",
        [
            Step::call("Write", write),
            Step::say("The screen shows this answer."),
        ],
    );
    let upstream = Upstream::start(agent.clone()).await;
    let gateway = Gateway::before(&home, &upstream).await;

    let variables = [
        ("ANTHROPIC_BASE_URL", gateway.url.as_str()),
        ("ANTHROPIC_AUTH_TOKEN", "lingate-e2e"),
        ("IS_SANDBOX", "1"),
        ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"),
        ("DISABLE_AUTOUPDATER", "1"),
    ];
    tokio::task::block_in_place(|| {
        let mut terminal = Terminal::start(
            &home,
            &program,
            &["--dangerously-skip-permissions"],
            &variables,
        );
        terminal.shows("bypass permissions on", LIMIT);
        terminal.keys("do the TYPED task");
        terminal.shows("do the TYPED task", LIMIT);
        terminal.keys("\r");
        terminal.shows("The screen shows this answer.", LIMIT);
        terminal.keys("/exit");
        terminal.shows("/exit", LIMIT);
        terminal.keys("\r");
        assert!(terminal.finish(LIMIT).success());
    });
    assert_eq!(home.read("project/typed.txt"), "by hand\n");
    crate::expect::sound(&upstream, &agent);
    assert_eq!(gateway.stop().await.code, Some(0));
    home.is_quiet().await;
}
