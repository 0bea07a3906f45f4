//! A gateway that runs follows its configuration: by itself, on a hangup, and when `run` looks for one.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::{User, get, signal};

const CONFIG: &str = "default = \"demo\"\n";

/// Waits until what `status` lists fits.
fn listed(user: &User, config: &str, fits: &dyn Fn(&Value) -> bool) -> Value {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let text = user.run(&["status", "--json", "--config", config]).stdout;
        let listed: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        if fits(&listed) {
            return listed;
        }
        assert!(Instant::now() < until, "it stays {listed}");
    }
}

#[test]
fn a_changed_file_is_followed_and_a_bad_one_is_not() {
    let user = User::new();
    let path = user.file("l.toml", CONFIG);
    let file = path.to_str().unwrap();
    let gateway = user.serve(&["--config", file]);
    let first = listed(&user, file, &|own| own["current"] == true);
    assert_eq!(
        (&first["generation"], &first["reload"]),
        (&Value::from(1), &Value::Null)
    );

    // As an editor does it.
    let aside = user.file(
        "l.toml~",
        "default = \"demo\"\n[models.new]\ntargets = [\"demo/demo\"]\n",
    );
    std::fs::rename(aside, &path).unwrap();
    let second = listed(&user, file, &|own| own["generation"] == 2);
    assert_eq!(second["current"], true, "`run` would join it: {second}");
    assert_ne!(first["config_hash"], second["config_hash"]);
    assert!(get(gateway.address(), "/v1/models").contains("\"new\""));

    user.file("l.toml", "defualt = 1\n");
    let refused = listed(&user, file, &|own| own["reload"]["outcome"] == "refused");
    assert_eq!(refused["generation"], 2);
    let problem = refused["reload"]["problems"][0].as_str().unwrap();
    assert!(problem.contains("did you mean `default`"), "{problem}");
    assert!(get(gateway.address(), "/v1/models").contains("\"new\""));
    let ended = gateway.end("TERM");
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(
        ended.stderr.contains("the last good one stays in force"),
        "{ended:?}"
    );
}

#[test]
fn a_hangup_reloads() {
    let user = User::new();
    let path = user.file("l.toml", CONFIG);
    let file = path.to_str().unwrap();
    let gateway = user.serve(&["--config", file]);
    for generation in 2..5 {
        signal(gateway.pid(), "HUP");
        listed(&user, file, &|own| own["generation"] == generation);
    }
    let ended = gateway.end("TERM");
    assert_eq!(ended.code, 0, "{ended:?}");
}

#[test]
fn run_joins_the_gateway_whose_file_it_just_changed() {
    let user = User::new();
    user.install("claude", "echo \"$ANTHROPIC_BASE_URL\"");
    let path = user.file("l.toml", CONFIG);
    let file = path.to_str().unwrap();
    let gateway = user.serve(&["--config", file]);
    for n in 0..3 {
        user.file("l.toml", &format!("{CONFIG}# {n}\n"));
        let ran = user.run(&["run", "--config", file, "--", "claude"]);
        assert_eq!(ran.code, 0, "{ran:?}");
        assert_eq!(ran.stdout.trim(), gateway.url(), "another gateway: {ran:?}");
    }
    assert_eq!(user.gateways().len(), 1);
}
