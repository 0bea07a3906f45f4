use std::time::Duration;

use lingate_testkit::{Process, Traced};
use tokio::process::Command;

const SOON: Duration = Duration::from_secs(30);

fn shell(script: &str, traced: &Traced) -> Process {
    Process::spawn(
        Command::new("sh")
            .args(["-c", script])
            .env(Traced::VARIABLE, traced.mark()),
    )
}

#[tokio::test]
async fn output_and_ends_are_told() {
    let traced = Traced::new();
    let ended = shell("echo out; echo err >&2; exit 3", &traced)
        .finish(SOON)
        .await;
    assert_eq!((ended.code, ended.signal), (Some(3), None));
    assert_eq!(
        (ended.stdout.as_str(), ended.stderr.as_str()),
        ("out\n", "err\n")
    );
    let killed = shell("kill -TERM $$", &traced).finish(SOON).await;
    assert_eq!((killed.code, killed.signal), (None, Some(15)));
}

#[tokio::test]
async fn waits_for_a_line() {
    let traced = Traced::new();
    let mut process = shell(
        "echo starting; printf 'ready ht'; sleep 0.1; echo 'tp://x'; sleep 60",
        &traced,
    );
    assert_eq!(process.line("ready ", SOON).await, "ready http://x");
    assert!(process.runs());
    drop(process);
    traced.all_gone(SOON).await;
}

#[tokio::test]
async fn finds_and_ends_those_that_left_the_group() {
    let traced = Traced::new();
    shell("setsid sleep 61 >/dev/null 2>&1 & sleep 0.3", &traced)
        .finish(SOON)
        .await;
    let left = traced.survivors();
    assert!(
        left.len() == 1 && left[0].1.ends_with("sleep 61"),
        "{left:?}"
    );
    let watcher = left[0].0;
    drop(traced);
    let is_gone = || {
        let environment = std::fs::read(format!("/proc/{watcher}/environ"));
        environment.unwrap_or_default().is_empty()
    };
    let waited = async {
        while !is_gone() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let waited = tokio::time::timeout(SOON, waited).await;
    assert!(waited.is_ok(), "{watcher} still runs");
}

#[tokio::test]
#[should_panic(expected = "the program ended without a line \"ready\"")]
async fn a_program_that_ends_early_says_why() {
    shell("echo broken >&2", &Traced::new())
        .line("ready", SOON)
        .await;
}
