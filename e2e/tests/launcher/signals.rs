//! `run` is transparent: exit codes and signals pass through it.

use std::time::Duration;

use lingate_e2e::{Home, lingate};
use lingate_testkit::{Finished, Process};
use rustix::process::Signal;

use crate::run::stop;

const SOON: Duration = Duration::from_secs(30);

fn start(home: &Home, script: &str) -> Process {
    let mut command = home.command(&lingate());
    command
        .args(["run", "--", "sh", "-c", script])
        .env("LINGATE_LISTEN", "127.0.0.1:0");
    Process::spawn(&mut command)
}

async fn after(home: &Home, script: &str, signal: Signal) -> Finished {
    let mut process = start(home, script);
    process.line("started", SOON).await;
    process.signal(signal);
    process.finish(SOON).await
}

#[tokio::test(flavor = "multi_thread")]
async fn exit_codes_and_signals_pass_through() {
    let home = Home::new();
    for code in [0, 7] {
        let ended = start(&home, &format!("exit {code}")).finish(SOON).await;
        assert_eq!(ended.code, Some(code), "{ended}");
    }
    for (signal, name) in [
        (Signal::TERM, "TERM"),
        (Signal::INT, "INT"),
        (Signal::HUP, "HUP"),
    ] {
        let script = format!(
            "trap 'echo got-it; exit 42' {name}; echo started; while :; do sleep 0.05; done"
        );
        let ended = after(&home, &script, signal).await;
        assert_eq!(
            (ended.code, ended.stdout.contains("got-it")),
            (Some(42), true),
            "{name}: {ended}"
        );
    }
    // A client that the signal ends: the launcher ends in a way that says so.
    let ended = after(&home, "echo started; exec sleep 60", Signal::TERM).await;
    assert!(
        ended.code == Some(128 + 15) || ended.signal == Some(15),
        "{ended}"
    );
    assert_eq!(stop(&home).await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_is_not_there_is_named() {
    let home = Home::new();
    let mut command = home.command(&lingate());
    command
        .args(["run", "--", "no-such-client"])
        .env("LINGATE_LISTEN", "127.0.0.1:0");
    let ended = Process::spawn(&mut command).finish(SOON).await;
    assert!(ended.code.is_some_and(|code| code != 0), "{ended}");
    assert!(ended.stderr.contains("no-such-client"), "{ended}");
    stop(&home).await;
}
