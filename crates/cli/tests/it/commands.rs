//! Commands that start nothing: their output, their formats, their exit codes.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::Value as Json;

use crate::harness::User;

fn objects(text: &str) -> Vec<Json> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")))
        .collect()
}

#[test]
fn lists_are_one_object_a_line() {
    let user = User::new().with("MOONSHOT_API_KEY", "sk-canary");
    for (command, key) in [
        ("providers", "id"),
        ("models", "id"),
        ("quirks", "name"),
        ("check", "kind"),
    ] {
        let ran = user.run(&[command, "--json"]);
        assert_eq!(ran.code, 0, "{ran:?}");
        let objects = objects(&ran.stdout);
        assert!(
            !objects.is_empty() && objects.iter().all(|object| object[key].is_string()),
            "{ran:?}"
        );
        let table = user.run(&[command]);
        assert_eq!(table.code, 0, "{table:?}");
        assert!(table.stdout.lines().count() > 1, "{table:?}");
        for text in [ran.stdout, table.stdout] {
            assert!(
                !text.contains("canary") && !text.contains('\u{1b}'),
                "{text}"
            );
        }
    }
}

#[test]
fn check_shows_where_requests_go() {
    let user = User::new().with("MOONSHOT_API_KEY", "sk-canary");
    let ran = user.run(&["check"]);
    assert!(
        ran.stdout
            .contains("https://api.moonshot.ai/v1/chat/completions"),
        "{ran:?}"
    );
    let wrong = user.file("l.toml", "defualt = \"x\"");
    let ran = user.run(&["check", "--json", "--config", wrong.to_str().unwrap()]);
    assert_eq!(ran.code, 2, "{ran:?}");
    let problem = &objects(&ran.stdout)[0];
    assert_eq!(problem["kind"], "error");
    assert_eq!(problem["line"], 1);
    let gemini = "default = \"x/m\"\n[providers.x]\nbase_url = \"http://127.0.0.1:1\"\nspeaks = [\"gemini\"]\nauth = \"none\"";
    let gemini = user.file("u.toml", gemini);
    assert_eq!(
        user.run(&["check", "--config", gemini.to_str().unwrap()])
            .code,
        0
    );
}

#[test]
fn init_writes_what_works_and_no_key() {
    let user = User::new().with("MOONSHOT_API_KEY", "sk-canary");
    let ran = user.run(&["init"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.stdout.ends_with("next: lingate run -- claude\n"),
        "{ran:?}"
    );
    let path = user.home().join(".config/lingate/lingate.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(
        text.contains("${MOONSHOT_API_KEY}") && !text.contains("canary"),
        "{text}"
    );
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let check = user.run(&["check"]);
    assert_eq!(check.code, 0, "{check:?}");
    assert!(check.stdout.contains(path.to_str().unwrap()), "{check:?}");

    let again = user.run(&["init"]);
    assert_eq!(again.code, 1, "{again:?}");
    assert!(again.stderr.contains("--force"), "{again:?}");
    assert_eq!(user.run(&["init", "--force"]).code, 0);
    assert_eq!(user.run(&["init", "--stdout"]).stdout, text);
}

#[test]
fn a_shell_takes_what_env_prints() {
    let user = User::new()
        .with("LINGATE_PORT", "8484")
        .with("ANTHROPIC_API_KEY", "sk-ant-canary");
    let ran = user.run(&["env", "--shell", "sh", "--explain"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stderr.contains("ANTHROPIC_API_KEY is set"), "{ran:?}");
    assert!(
        !(ran.stdout.clone() + &ran.stderr).contains("canary"),
        "{ran:?}"
    );
    let unset = user.run(&["env", "--shell", "sh", "--unset"]);
    let shell = |script: &str| {
        let output = Command::new("/bin/sh")
            .env_clear()
            .args(["-c", script])
            .output()
            .unwrap();
        assert_eq!(output.stderr, b"", "{script}");
        String::from_utf8(output.stdout).unwrap()
    };
    let show = "echo \"$ANTHROPIC_BASE_URL $ANTHROPIC_AUTH_TOKEN\"";
    assert_eq!(
        shell(&format!("{}\n{show}", ran.stdout)),
        "http://127.0.0.1:8484 lingate-local\n"
    );
    assert_eq!(
        shell(&format!("{}\n{}\n{show}", ran.stdout, unset.stdout)),
        " \n"
    );
}

#[test]
fn env_needs_a_port_to_point_at() {
    let ran = User::new().run(&["env"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("lingate serve"), "{ran:?}");
}

#[test]
fn the_schema_the_manual_and_completions_are_printed() {
    let user = User::new();
    let schema: Json = serde_json::from_str(&user.run(&["config", "schema"]).stdout).unwrap();
    assert!(schema["properties"]["providers"].is_object(), "{schema}");
    let manual = user.run(&["man"]).stdout;
    assert!(
        manual.contains(".TH LINGATE") && manual.contains("LINGATE-RUN"),
        "{manual}"
    );
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = user.run(&["completions", shell]);
        assert!(script.stdout.contains("lingate"), "{shell}");
    }
}

#[test]
fn wrong_usage_is_code_2() {
    let user = User::new();
    for args in [
        &["nonsense"][..],
        &["run"],
        &["serve", "--port", "x"],
        &["models", "--profile", "x"],
    ] {
        assert_eq!(user.run(args).code, 2, "{args:?}");
    }
    assert_eq!(user.run(&["--version"]).code, 0);
}
