//! Every session of a test, run again: what its clients got, this build would give them again, byte for byte.
//!
//! Asked of the record that a home has when its test is over, whoever the clients were.

use std::path::Path;
use std::process::{Command, Output};

use jiff::Timestamp;
use serde_json::Value;

use crate::lingate;

/// Why an exchange of a test may not be told. Anything else fails the test.
const ALLOWED: [(&str, &str); 5] = [
    (
        "count",
        "counts of tokens come from what was learnt until then",
    ),
    ("running", "a gateway that a test kills closes nothing"),
    ("killed", "likewise, found by the gateway behind it"),
    ("no_request", "a client left while it still spoke"),
    (
        "provider",
        "a test that starts several gateways writes a configuration for each",
    ),
];

/// Variables that configurations of tests name.
const VARIABLES: [(&str, &str); 1] = [("MOONSHOT_API_KEY", "sk-moonshot-0123456789")];

/// Runs everything again that a home's record holds of the time behind `since`.
///
/// # Panics
/// When a client would get something else.
pub(crate) fn check(home: &Path, since: Option<Timestamp>) {
    if !has_record(home) {
        return;
    }
    let mut command = Command::new(lingate());
    command
        .env_clear()
        .env("HOME", home)
        .envs(VARIABLES)
        .args(["logs", "replay", "--offline", "--json"])
        .args(since.map(|since| format!("since:{since}")))
        .current_dir(home);
    let file = home.join("lingate.toml");
    if file.exists() {
        command.arg("--config").arg(file);
    }
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().expect("the gateway's program runs");
    let said = String::from_utf8_lossy(&stderr);
    if said.contains("nothing has been recorded") {
        return;
    }
    if status.code() == Some(2) {
        // What a test makes of its configuration on purpose is no fault of its sessions.
        println!("not run again: {said}");
        return;
    }
    let text = String::from_utf8_lossy(&stdout);
    let told: Vec<Value> = (text.lines())
        .map(|line| serde_json::from_str(line).expect("one object a line"))
        .collect();
    let (mut same, mut other) = (0, Vec::new());
    for exchange in &told {
        match (exchange["outcome"].as_str(), exchange["reason"].as_str()) {
            (Some("same"), _) => same += 1,
            (Some("cannot"), Some(reason)) if ALLOWED.iter().any(|(own, _)| *own == reason) => {}
            _ => other.push(exchange),
        }
    }
    println!("run again: {same} of {} exchanges are the same", told.len());
    assert!(
        other.is_empty() && matches!(status.code(), Some(0 | 1)),
        "run again, clients would get something else ({status}): {other:#?} {said}"
    );
}

/// Whether a gateway kept anything below a folder.
fn has_record(folder: &Path) -> bool {
    let inner = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut inner = inner.map(|entry| entry.path());
    inner.any(|path| {
        let is_folder = path.is_dir() && !path.is_symlink();
        path.ends_with("record.db") || is_folder && has_record(&path)
    })
}
