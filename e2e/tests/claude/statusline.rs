//! Claude Code with `lingate statusline` in its settings: the line stands on its screen.

use std::time::Duration;

use lingate_e2e::{Gateway, Home, Provider, Terminal, install, lingate};
use lingate_testkit::{Agent, Step, Upstream};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn the_line_stands_on_the_screen() {
    let Some(program) = install::claude_code() else {
        return;
    };
    let home = Home::new();
    let folder = home.path().join("project").canonicalize().unwrap();
    let folder = folder.display().to_string();
    let state = json!({
        "hasCompletedOnboarding": true, "theme": "dark", "bypassPermissionsModeAccepted": true,
        "projects": {folder: {"hasTrustDialogAccepted": true, "hasCompletedProjectOnboarding": true}},
    });
    home.write(".claude.json", state.to_string());
    let agent = Agent::new().on("TYPED", [Step::say("The screen shows this answer.")]);
    let upstream = Upstream::start(agent).await;
    let config = Provider::chat(&upstream.url()).config();
    let config = format!(
        "{config}price = {{ input = \"300\", output = \"1500\" }}\n\n[budget]\nday = \"0.06 USD\"\n"
    );
    let gateway = Gateway::serve(&home, &config).await;
    // What the client hands over is kept, to be looked at.
    let command = format!(
        "tee '{}' | '{}' statusline --config '{}'",
        home.path().join("told.json").display(),
        lingate().display(),
        home.path().join("lingate.toml").display()
    );
    let settings = json!({"statusLine": {"type": "command", "command": command}});
    home.write(".claude/settings.json", settings.to_string());

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
        terminal.shows("lingate: nothing is recorded", LIMIT);
        terminal.keys("do the TYPED task");
        terminal.shows("do the TYPED task", LIMIT);
        terminal.keys("\r");
        terminal.shows("The screen shows this answer.", LIMIT);
        terminal.shows("mock-1 @ scripted", LIMIT);
        terminal.shows("session", LIMIT);
        terminal.shows("budget day", LIMIT);
        terminal.keys("/exit");
        terminal.shows("/exit", LIMIT);
        terminal.keys("\r");
        assert!(terminal.finish(LIMIT).success());
    });
    let told: Value = serde_json::from_str(&home.read("told.json")).unwrap();
    assert!(told["session_id"].is_string(), "{told}");
    assert!(told["model"]["id"].is_string(), "{told}");
    assert_eq!(gateway.stop().await.code, Some(0));
    home.is_quiet().await;
}
