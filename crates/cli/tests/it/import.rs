//! `lingate import`: what comes out works, keys are never shown, and nothing that is there is replaced.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value as Json;

use crate::harness::User;

const BACKENDS: &str = r#"{"port": 3456, "backends": [
    {"name": "relay", "base_url": "https://relay.example.com", "token": "tok-SECRET-1", "note": "slow"}
]}"#;

#[test]
fn the_configuration_is_written_once_and_loads() {
    let user = User::new();
    let from = user.file("cc/config.json", BACKENDS);
    let from = from.to_str().unwrap();
    let to = user.home().join(".config/lingate/lingate.toml");
    let arguments = ["import", "cc-proxy", from, "--output", to.to_str().unwrap()];

    let done = user.run(&arguments);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(!format!("{done:?}").contains("SECRET"), "{done:?}");
    for expected in [
        "set RELAY_API_KEY to what stands at",
        "backends[0].token",
        "backends[0].note: has no counterpart",
        "next: lingate check",
    ] {
        assert!(done.stderr.contains(expected), "{expected}\n{done:?}");
    }
    let text = std::fs::read_to_string(&to).unwrap();
    assert!(!text.contains("SECRET"), "{text}");
    let mode = std::fs::metadata(&to).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(user.run(&["check"]).code, 2, "the variable is not set yet");
    let user = user.with("RELAY_API_KEY", "tok");
    assert_eq!(user.run(&["check"]).code, 0);

    let again = user.run(&arguments);
    assert_eq!(again.code, 1, "{again:?}");
    assert!(again.stderr.contains("is there already"), "{again:?}");
    assert_eq!(std::fs::read_to_string(&to).unwrap(), text);
}

#[test]
fn keys_move_into_files_of_their_owner() {
    let user = User::new();
    let from = user.file("cc/config.json", BACKENDS);
    let folder = user.keys_in("keys");
    let to = user.home().join("out.toml");
    let arguments = [
        "import",
        "cc-proxy",
        from.to_str().unwrap(),
        "-o",
        to.to_str().unwrap(),
        "--key-files",
        folder.to_str().unwrap(),
    ];
    let done = user.run(&arguments);
    assert_eq!(done.code, 0, "{done:?}");
    let key = folder.join("RELAY_API_KEY");
    assert_eq!(std::fs::read_to_string(&key).unwrap(), "tok-SECRET-1");
    let mode = std::fs::metadata(&key).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let text = std::fs::read_to_string(&to).unwrap();
    assert!(
        text.contains("${file:") && !text.contains("SECRET"),
        "{text}"
    );
    let checked = user.run(&["check", "--config", to.to_str().unwrap()]);
    assert_eq!(checked.code, 0, "{checked:?}");
}

#[test]
fn programs_get_objects() {
    let user = User::new();
    let from = user.file("cc/config.json", BACKENDS);
    let done = user.run(&["import", "cc-proxy", from.to_str().unwrap(), "--json"]);
    assert_eq!((done.code, done.stderr.as_str()), (0, ""), "{done:?}");
    let lines: Vec<Json> = done
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let kinds: Vec<&str> = lines
        .iter()
        .map(|line| line["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["config", "key", "note"]);
    assert!(
        lines[0]["text"]
            .as_str()
            .unwrap()
            .contains("[providers.relay]")
    );
    assert_eq!(lines[1]["variable"], "RELAY_API_KEY");
    assert!(!done.stdout.contains("SECRET"));
}

#[test]
fn what_cannot_be_imported_is_said() {
    let user = User::new();
    let database = user.file("cc-switch.db", "SQLite format 3\0rest");
    let broken = user.file("broken.json", "{");
    let references = user.file(
        "router.json",
        r#"{"Providers": [{"name": "x", "api_base_url": "https://x.example.com/v1", "api_key": "$NOT_SET"}]}"#,
    );
    for (arguments, code, words) in [
        (
            ["import", "cc-switch", database.to_str().unwrap()],
            2,
            "sqlite3 -json",
        ),
        (
            ["import", "cc-proxy", broken.to_str().unwrap()],
            2,
            "is not JSON: line 1",
        ),
        (["import", "cc-proxy", "/nowhere.json"], 2, "cannot read"),
        (
            ["import", "nginx", "/nowhere.json"],
            2,
            "possible values: kimi-proxy",
        ),
        (
            ["import", "claude-code-router", references.to_str().unwrap()],
            1,
            "still wrong: lingate.toml:6: `providers.x.api_key`",
        ),
    ] {
        let done = user.run(&arguments);
        assert_eq!(done.code, code, "{done:?}");
        assert!(done.stderr.contains(words), "{words}\n{done:?}");
    }
}
