//! A web page in the user's browser: Chromium, with a foreign site and a rebound name, reaches nothing.

use std::path::{Path, PathBuf};
use std::time::Duration;

use lingate_e2e::{Gateway, Home, install};
use lingate_testkit::client::{get, post};
use lingate_testkit::{Misbehaviour, Process, Upstream};
use serde_json::{Value, json};

/// A browser on a busy machine, and 3 s for what never answers.
const LIMIT: Duration = Duration::from_secs(90);

#[tokio::test(flavor = "multi_thread")]
async fn a_web_page_reaches_nothing() {
    let (Some(chromium), Some(playwright)) = (install::chromium(), install::playwright()) else {
        return;
    };
    let home = Home::new();
    let upstream = Upstream::start(Misbehaviour::Healthy).await;
    let gateway = Gateway::before(&home, &upstream).await;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser/attack.mjs");
    let mut command = home.command(&PathBuf::from("node"));
    command
        .arg(script)
        .env("LINGATE_URL", &gateway.url)
        .env("CHROMIUM", chromium)
        .env("PLAYWRIGHT", playwright);
    let finished = Process::spawn(&mut command).finish(LIMIT).await;
    assert_eq!(finished.code, Some(0), "{finished}");

    let report: Value = serde_json::from_str(&finished.stdout).expect("the script reports JSON");
    assert_eq!(
        report["control"], 200,
        "the browser reaches the gateway: {report}"
    );
    let attacks = report["attacks"].as_array().expect("attacks are listed");
    assert!(attacks.len() >= 500, "{} attacks", attacks.len());
    let won: Vec<&Value> = attacks
        .iter()
        .filter(|attack| !attack["got"].is_null())
        .collect();
    assert!(won.is_empty(), "a page read: {won:?}");
    assert!(
        upstream.requests().is_empty(),
        "a page reached the upstream"
    );

    // The gateway is still there, as it was, and has counted what it refused.
    let metrics = get(&format!("{}/metrics", gateway.url))
        .send()
        .await
        .text()
        .await;
    let refused = metrics
        .lines()
        .find_map(|line| line.strip_prefix("lingate_refused_sources_total "))
        .and_then(|count| count.parse::<u64>().ok());
    assert!(
        refused.is_some_and(|count| count >= 400),
        "{refused:?} refused"
    );
    let body = json!({"model": "mock", "max_tokens": 9, "messages": [{"role": "user", "content": "hello"}]});
    let served = post(&format!("{}/v1/messages", gateway.url), &body)
        .send()
        .await;
    assert_eq!((served.status, upstream.requests().len()), (200, 1));
    assert_eq!(gateway.stop().await.code, Some(0));
    home.is_quiet().await;
}
