//! `lingate keys`: a key that is made lets a client in, and the file stays its owner's.

use std::os::unix::fs::PermissionsExt;

use lingate_testkit::client;
use serde_json::Value as Json;

use crate::harness::User;

#[tokio::test(flavor = "multi_thread")]
async fn a_key_lets_in_until_it_is_removed() {
    let user = User::new();
    let text = "# my gateway\ndefault = \"demo\" # for now\n";
    let file = user.file(".config/lingate/lingate.toml", text);
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o640)).unwrap();

    let added = user.run(&["keys", "add", "alice"]);
    assert_eq!(added.code, 0, "{added:?}");
    let key = added.stdout.trim_end();
    assert!(
        key.starts_with("lgk-") && !added.stderr.contains(key),
        "{added:?}"
    );
    let after = std::fs::read_to_string(&file).unwrap();
    assert!(after.starts_with(text), "{after}");
    assert!(
        after.contains("[keys.alice]\nsecret = \"sha256:"),
        "{after}"
    );
    assert!(!after.contains(key), "only its hash is kept");
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);

    let gateway = user.serve(&[]);
    let status = |shown: &str| {
        let request = client::get(&format!("{}/v1/models", gateway.url()));
        let request = request.header("x-api-key", shown);
        async { request.send().await.status }
    };
    assert_eq!(status(key).await, 200);
    assert_eq!(status("lgk-wrong").await, 401);
    drop(gateway);

    let listed = user.run(&["keys", "list", "--json"]).stdout;
    let listed: Json = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed["name"], "alice");
    assert!(!listed.to_string().contains("sha256"), "{listed}");

    let again = user.run(&["keys", "add", "alice"]);
    assert_eq!(again.code, 1, "{again:?}");
    assert!(
        again.stderr.contains("lingate keys remove alice"),
        "{again:?}"
    );

    let removed = user.run(&["keys", "remove", "alice"]);
    assert_eq!(removed.code, 0, "{removed:?}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
    assert_eq!(user.run(&["keys", "remove", "alice"]).code, 1);
    assert!(user.run(&["keys", "list"]).stdout.starts_with("no keys"));
}

#[test]
fn a_file_is_made_for_the_first_key() {
    let user = User::new();
    let added = user.run(&["keys", "add", "ci"]);
    assert_eq!(added.code, 0, "{added:?}");
    let file = user.home().join(".config/lingate/lingate.toml");
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(user.run(&["check"]).code, 0);
}

#[test]
fn a_link_stays_a_link_and_a_used_key_stays() {
    let user = User::new();
    let text = "[server]\nadmin_keys = [\"ops\"]\n[keys.ops]\nsecret = \"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"\n";
    let real = user.file("dotfiles/lingate.toml", text);
    let link = user.home().join("link.toml");
    std::os::unix::fs::symlink(&real, &link).unwrap();
    let link = link.to_str().unwrap();
    assert_eq!(user.run(&["keys", "add", "two", "--config", link]).code, 0);
    assert!(std::fs::symlink_metadata(link).unwrap().is_symlink());
    let before = std::fs::read_to_string(&real).unwrap();
    assert!(before.contains("[keys.two]"), "{before}");

    let removed = user.run(&["keys", "remove", "ops", "--config", link]);
    assert_eq!(removed.code, 2, "`admin_keys` still names it: {removed:?}");
    assert!(removed.stderr.contains("left as it is"), "{removed:?}");
    assert_eq!(std::fs::read_to_string(&real).unwrap(), before);
}

#[test]
fn what_is_no_toml_is_left_alone() {
    let user = User::new();
    let file = user.file("l.toml", "default = ");
    let ran = user.run(&["keys", "add", "a", "--config", file.to_str().unwrap()]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert_eq!(ran.stdout, "", "no key that nothing knows");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "default = ");
}
