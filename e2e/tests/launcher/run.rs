//! `lingate run -- claude`: the session reaches the provider, whatever the user's own settings say.

use std::path::Path;
use std::time::Duration;

use lingate_e2e::{Claude, Gateway, Home, install, lingate};
use lingate_testkit::{Agent, Finished, Misbehaviour, Process, Step, Upstream};
use serde_json::json;

const SOON: Duration = Duration::from_secs(30);

/// The user's config with a key from the environment, as they keep it for the provider `moonshot`.
fn config(home: &Home, upstream: &Upstream) {
    let text = format!(
        "default = \"moonshot/kimi-k2.6\"\n\n[server]\nlisten = \"127.0.0.1:0\"\n\n\
         [providers.moonshot]\nbase_url = \"{}/v1\"\napi_key = \"${{MOONSHOT_API_KEY}}\"\n",
        upstream.url()
    );
    home.write(".config/lingate/lingate.toml", text);
}

/// Ends the gateways that `run` left running, as a user would.
pub(crate) async fn stop(home: &Home) -> Finished {
    let stopped = Process::spawn(home.command(&lingate()).arg("stop"))
        .finish(SOON)
        .await;
    home.is_quiet().await;
    stopped
}

#[tokio::test(flavor = "multi_thread")]
async fn wins_over_the_users_settings() {
    let home = Home::new();
    let decoy = Upstream::start(Misbehaviour::Healthy).await;
    let settings =
        json!({"env": {"ANTHROPIC_BASE_URL": decoy.url(), "ANTHROPIC_AUTH_TOKEN": "sk-decoy"}})
            .to_string();
    home.write(".claude/settings.json", &settings);
    let write = json!({"file_path": home.project_str("made.txt"), "content": "made\n"});
    let agent = Agent::new().on(
        "LAUNCHED",
        [Step::call("Write", write), Step::say("Made it.")],
    );
    let upstream = Upstream::start(agent.clone()).await;
    config(&home, &upstream);
    let Some(claude) = Claude::launched(&home, &lingate(), &[]) else {
        return;
    };
    let transcript = claude
        .env("MOONSHOT_API_KEY", "sk-moonshot-0123456789")
        .session("Do the LAUNCHED task.")
        .await;

    assert_eq!(transcript.success(), "Made it.");
    assert_eq!(home.read("project/made.txt"), "made\n");
    assert_eq!(
        decoy.requests().len(),
        0,
        "the user's other gateway was asked"
    );
    assert_eq!(agent.faults(), [""; 0]);
    let request = &upstream.requests()[0];
    assert_eq!(request.path(), "/v1/chat/completions");
    assert_eq!(
        request.header("authorization"),
        "Bearer sk-moonshot-0123456789"
    );
    assert_eq!(request.json()["model"], "kimi-k2.6");
    assert_eq!(
        home.read(".claude/settings.json"),
        settings,
        "the user's file was edited"
    );
    assert!(
        transcript.finished.stderr.contains("--settings"),
        "it says what it adds: {transcript}"
    );
    assert!(
        !transcript.finished.stderr.contains("0123456789"),
        "the key is shown: {transcript}"
    );

    let stopped = stop(&home).await;
    assert_eq!(stopped.code, Some(0), "{stopped}");
}

/// The other way: a gateway in one terminal, a client in another that took the printed variables.
#[tokio::test(flavor = "multi_thread")]
async fn the_printed_variables_point_a_client_here() {
    let Some(claude) = install::claude_code() else {
        return;
    };
    let home = Home::new();
    home.link("claude", &claude);
    home.link("lingate", &lingate());
    let upstream = Upstream::start(Misbehaviour::Healthy).await;
    let gateway = Gateway::before(&home, &upstream).await;
    let mut shell = home.command(Path::new("/bin/sh"));
    shell.args([
        "-c",
        "eval \"$(lingate env --config ~/lingate.toml)\" && claude -p hi",
    ]);
    shell
        .env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")
        .env("DISABLE_AUTOUPDATER", "1");
    let ended = Process::spawn(&mut shell)
        .finish(Duration::from_secs(30))
        .await;
    assert_eq!(
        (ended.code, ended.stdout.trim()),
        (Some(0), "Hello from the upstream."),
        "{ended}"
    );
    assert_eq!(gateway.stop().await.code, Some(0));
    home.is_quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_sessions_share_one_gateway() {
    let home = Home::new();
    let upstream = Upstream::start(Misbehaviour::Healthy).await;
    config(&home, &upstream);
    let mut urls = Vec::new();
    for _ in 0..2 {
        let mut command = home.command(&lingate());
        command
            .args(["run", "--", "sh", "-c", "echo url=$ANTHROPIC_BASE_URL"])
            .env("MOONSHOT_API_KEY", "sk-x");
        let ended = Process::spawn(&mut command).finish(SOON).await;
        assert_eq!(ended.code, Some(0), "{ended}");
        urls.push(ended.stdout);
    }
    assert!(urls[0].contains("url=http://127.0.0.1:"), "{urls:?}");
    assert_eq!(urls[0], urls[1]);

    let status = Process::spawn(home.command(&lingate()).args(["status", "--json"]))
        .finish(SOON)
        .await;
    assert_eq!(
        (status.code, status.stdout.lines().count()),
        (Some(0), 1),
        "{status}"
    );
    assert_eq!(stop(&home).await.code, Some(0));
}

/// A client that never calls: the user learns why that may be, on the screen that they look at.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_never_calls_is_noticed() {
    let home = Home::new();
    let upstream = Upstream::start(Misbehaviour::Healthy).await;
    config(&home, &upstream);
    let mut command = home.command(&lingate());
    command
        .args([
            "run",
            "--",
            "sh",
            "-c",
            "until test -e noticed; do sleep 0.1; done",
        ])
        .env("MOONSHOT_API_KEY", "sk-x");
    let running = Process::spawn(&mut command);
    // The client goes on until it is noticed, however late that is.
    let noticed = async {
        while !running
            .stderr()
            .contains("has not called the gateway for 15 s")
        {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let noticed = tokio::time::timeout(3 * SOON, noticed).await;
    assert!(noticed.is_ok(), "{}", running.stderr());
    home.write("project/noticed", "");
    let ended = running.finish(SOON).await;
    assert_eq!(ended.code, Some(0), "{ended}");
    assert_eq!(stop(&home).await.code, Some(0));
}
