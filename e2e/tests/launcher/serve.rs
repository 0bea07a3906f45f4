//! `lingate serve`: the ready line, a busy port, one key and no file.

use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use lingate_e2e::{Gateway, Home, Provider, lingate};
use lingate_testkit::client::{get, post};
use lingate_testkit::{Misbehaviour, Process, Upstream};
use rustix::process::Signal;
use serde_json::json;

const SOON: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn says_when_it_is_ready_and_for_whom() {
    let home = Home::new();
    let upstream = Upstream::start(Misbehaviour::Healthy).await;
    let gateway = Gateway::before(&home, &upstream).await;
    let health = get(&format!("{}/health", gateway.url)).send().await;
    assert_eq!(health.status, 200);
    assert_eq!(health.json().await["service"], "lingate");
    assert!(
        gateway.log().contains("scripted"),
        "the provider is named: {}",
        gateway.log()
    );

    let body =
        json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]});
    let answer = post(&format!("{}/v1/messages", gateway.url), &body)
        .send()
        .await;
    assert_eq!(
        (answer.status, answer.header("x-lingate-provider")),
        (200, "scripted")
    );
    assert_eq!(
        answer.json().await["content"][0]["text"],
        "Hello from the upstream."
    );

    let ended = gateway.stop().await;
    assert_eq!(ended.code, Some(0), "{ended}");
    assert!(
        !format!("{}{}", ended.stdout, ended.stderr).contains("0123456789"),
        "the key is in the log: {ended}"
    );
    home.is_quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_port_names_its_holder_and_leaves_it_alone() {
    let home = Home::new();
    let stranger = TcpListener::bind("127.0.0.1:0").unwrap();
    let own = Gateway::serve(&home, &Provider::chat("http://127.0.0.1:9").config()).await;
    let own_port: u16 = own.url.rsplit(':').next().unwrap().parse().unwrap();
    let this_test = i32::try_from(std::process::id()).unwrap();
    let cases = [
        (stranger.local_addr().unwrap().port(), this_test, "launcher"),
        (own_port, own.pid(), "lingate"),
    ];
    for (port, pid, command) in cases {
        let mut second = home.command(&lingate());
        second
            .args(["serve", "--config"])
            .arg(home.path().join("lingate.toml"))
            .arg("--port")
            .arg(port.to_string());
        let refused = Process::spawn(&mut second).finish(SOON).await;
        assert!(matches!(refused.code, Some(1 | 2)), "{refused}");
        for fact in [port.to_string(), pid.to_string(), command.to_owned()] {
            assert!(
                refused.stderr.contains(&fact),
                "{fact} is not in: {refused}"
            );
        }
        assert!(!refused.stdout.contains("lingate ready"), "{refused}");
        assert!(
            TcpStream::connect(("127.0.0.1", port)).is_ok(),
            "the holder of {port} is gone"
        );
    }
    assert_eq!(get(&format!("{}/health", own.url)).send().await.status, 200);
    assert_eq!(own.stop().await.code, Some(0));
    home.is_quiet().await;
}

/// No file, one key: nobody is asked here, since that would be the provider itself.
#[tokio::test(flavor = "multi_thread")]
async fn one_key_in_the_environment_is_a_configuration() {
    let home = Home::new();
    let keyed = |args: &[&str]| {
        let mut command = home.command(&lingate());
        command
            .args(args)
            .env("MOONSHOT_API_KEY", "sk-moonshot-0123456789");
        Process::spawn(&mut command)
    };
    let checked = keyed(&["check"]).finish(SOON).await;
    assert_eq!(checked.code, Some(0), "{checked}");
    assert!(
        checked
            .stdout
            .contains("https://api.moonshot.ai/v1/chat/completions"),
        "{checked}"
    );

    let mut gateway = keyed(&["serve", "--listen", "127.0.0.1:0"]);
    let ready = gateway.line("lingate ready ", SOON).await;
    assert!(
        ready.contains("moonshot") && ready.contains("MOONSHOT_API_KEY"),
        "{ready}"
    );
    let url = ready.split_whitespace().nth(2).unwrap();
    let models = get(&format!("{url}/v1/models")).send().await.json().await;
    let ids: Vec<&str> = models["data"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|model| model["id"].as_str())
        .collect();
    assert!(
        ids.iter().any(|id| id.starts_with("anthropic/kimi-")),
        "{ids:?}"
    );
    assert!(ids.iter().any(|id| id.starts_with("claude-")), "{ids:?}");

    gateway.signal(Signal::TERM);
    let ended = gateway.finish(SOON).await;
    assert_eq!(ended.code, Some(0), "{ended}");
    for said in [
        &checked.stdout,
        &checked.stderr,
        &ended.stdout,
        &ended.stderr,
    ] {
        assert!(!said.contains("0123456789"), "the key is shown: {said}");
    }
    home.is_quiet().await;
}
