//! A session is recorded, exported as a cassette, and done again with nobody but `lingate mock` behind the gateway.

use std::time::Duration;

use lingate_e2e::{Claude, Gateway, Home, Provider, lingate};
use lingate_testkit::{Agent, Process, Step, Upstream};
use rustix::process::Signal;
use serde_json::json;

const PROMPT: &str = "Do the EDIT task: make the colour in notes.txt blue.";
const FILE: &str = "notes.txt";
const BEFORE: &str = "A note.\ncolour: red\nThe end.\n";
const AFTER: &str = "A note.\ncolour: blue\nThe end.\n";
const LIMIT: Duration = Duration::from_secs(20);

/// The session, from the file as it was; false where Claude Code is not installed.
async fn edits(home: &Home, gateway: &Gateway) -> bool {
    std::fs::write(home.project(FILE), BEFORE).unwrap();
    let Some(claude) = Claude::at(home, &gateway.url) else {
        return false;
    };
    let transcript = claude.session(PROMPT).await;
    assert_eq!(transcript.success(), "The colour is blue now.");
    assert_eq!(home.read("project/notes.txt"), AFTER);
    let names: Vec<_> = (transcript.calls().iter())
        .map(|(_, name, _)| (*name).to_owned())
        .collect();
    assert_eq!(names, ["Read", "Edit"]);
    true
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_done_again_offline() {
    let home = Home::new();
    let file = home.project_str(FILE);
    let edit =
        json!({"file_path": file, "old_string": "colour: red", "new_string": "colour: blue"});
    let agent = Agent::new().on(
        "EDIT task",
        [
            Step::call("Read", json!({"file_path": file})).thinking("First I look."),
            Step::call("Edit", edit).saying("Now I edit."),
            Step::say("The colour is blue now."),
        ],
    );
    let upstream = Upstream::start(agent).await;
    let gateway = Gateway::before(&home, &upstream).await;
    if !edits(&home, &gateway).await {
        return;
    }
    assert_eq!(gateway.stop().await.code, Some(0));
    drop(upstream);

    let config = home.path().join("lingate.toml");
    let cassette = home.project_str("session.cassette.zst");
    let mut export = home.command(&lingate());
    export.args(["logs", "export", "--cassette", &cassette, "--config"]);
    let exported = Process::spawn(export.arg(&config)).finish(LIMIT).await;
    assert_eq!(exported.code, Some(0), "{exported}");

    let mut mock = home.command(&lingate());
    mock.args(["mock", "--cassette", &cassette, "--speed", "max"]);
    let mut mock = Process::spawn(&mut mock);
    let ready = mock.line("lingate mock ready ", LIMIT).await;
    let url = ready.split_whitespace().nth(3).unwrap();
    let gateway = Gateway::serve(&home, &Provider::chat(url).config()).await;
    assert!(edits(&home, &gateway).await);
    assert_eq!(gateway.stop().await.code, Some(0));
    mock.signal(Signal::TERM);
    let mock = mock.finish(LIMIT).await;
    assert_eq!(mock.code, Some(0), "{mock}");
    assert!(
        mock.stderr.contains("; 0 answers unused") && !mock.stderr.contains("once more"),
        "every answer went where it belongs: {mock}"
    );
    home.is_quiet().await;
}
