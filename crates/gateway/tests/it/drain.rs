//! The end of a gateway: nothing new is accepted, what runs goes on to its end.

use std::time::{Duration, Instant};

use lingate_testkit::{Misbehaviour, Received, Reply, Upstream};
use lingate_wire::Wire;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::{Lingate, events, messages, text_of};

/// Longer than any machine takes.
const PATIENCE: Duration = Duration::from_secs(60);

fn config(upstream: &Upstream, drain: &str) -> String {
    format!(
        r#"
        default = "up/m"
        [server]
        drain = "{drain}"
        [providers.up]
        base_url = "{}"
        speaks = ["anthropic"]
        auth = "none"
        "#,
        upstream.url()
    )
}

fn address(lingate: &Lingate) -> String {
    lingate.url.strip_prefix("http://").unwrap().to_owned()
}

/// Until connections are refused; gives when that was.
async fn refused(address: &str) -> Instant {
    while TcpStream::connect(address).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Instant::now()
}

#[tokio::test]
async fn streams_go_on_and_nothing_new_comes_in() {
    let slow = |request: &Received| {
        let mut reply = Reply::text("");
        for _ in 0..20 {
            reply = reply.say("word ");
        }
        reply.answer(request).paced(Duration::from_millis(100))
    };
    let upstream = Upstream::start(slow).await;
    let lingate = Lingate::start(&config(&upstream, "600s")).await;
    let address = address(&lingate);
    let mut idle = TcpStream::connect(&address).await.unwrap();
    let request = "GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n";
    idle.write_all(request.as_bytes()).await.unwrap();
    let mut answer = vec![0; 4096];
    assert!(idle.read(&mut answer).await.unwrap() > 0);
    let running = lingate.post("/v1/messages", &messages(true)).send().await;
    assert_eq!(running.status, 200);
    // Accepted, and its head is not out yet.
    let (whole, text, refused) = {
        let whole = lingate.post("/v1/messages", &messages(false)).send();
        let ending = async {
            upstream.wait_for(2, PATIENCE).await;
            lingate.stop();
            refused(&address).await
        };
        let reading = async {
            let text = text_of(&events(Wire::Anthropic, running).await);
            (text, Instant::now())
        };
        tokio::join!(whole, reading, ending)
    };
    let (text, over) = text;
    assert!(refused < over, "while the stream goes on");
    assert_eq!(text, "word ".repeat(20));
    assert_eq!((whole.status, whole.header("connection")), (200, "close"));
    assert_eq!(whole.text().await.matches("word ").count(), 20);
    assert_eq!(
        idle.read(&mut answer).await.unwrap(),
        0,
        "an idle connection is closed"
    );
}

#[tokio::test]
async fn the_drain_has_an_end() {
    let upstream = Upstream::start(Misbehaviour::StallsAfterText).await;
    let config = config(&upstream, "300ms");
    let environment = lingate_config::FixedEnvironment::new([]);
    let config =
        crate::harness::configuration(&config, &environment).unwrap_or_else(|all| panic!("{all}"));
    let options = lingate_gateway::Options::default();
    let gateway = lingate_gateway::Gateway::bind(config.into(), options)
        .await
        .unwrap();
    let url = format!("http://{}/v1/messages", gateway.local_addr());
    let stop = tokio_util::sync::CancellationToken::new();
    let running = tokio::spawn(gateway.run(stop.clone()));
    let mut stalled = lingate_testkit::client::post(&url, &messages(true))
        .send()
        .await
        .events();
    assert!(stalled.next().await.is_some());
    let began = Instant::now();
    stop.cancel();
    running.await.unwrap();
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(250), "{took:?}");
}

/// A host of prices that says nothing does not keep it.
#[tokio::test]
async fn nobody_waits_for_prices() {
    let host = Upstream::start(Misbehaviour::NeverAnswers).await;
    let prices = format!("[record]\nprices = \"{}/table.json\"", host.url());
    let lingate = Lingate::start(&format!("{}\n{prices}", config(&host, "600s"))).await;
    let asked = host.wait_for(1, PATIENCE).await;
    lingate.end().await;
    let ended = Instant::now();
    // Left alone, it would be asked for a minute.
    assert!(ended - asked[0].at < Duration::from_secs(55));
}

#[tokio::test]
async fn readiness_ends_before_the_gateway_does() {
    let upstream = Upstream::start(Misbehaviour::Healthy).await;
    let lingate = Lingate::start(&config(&upstream, "600s")).await;
    let ready = async || lingate.get("/readyz").send().await;
    assert_eq!(ready().await.status, 200);
    let lease = lingate
        .get("/api/lease")
        .header("x-lingate-instance", &lingate.instance)
        .send()
        .await;
    let stop = lingate
        .post("/api/stop", &json!({}))
        .header("x-lingate-instance", &lingate.instance);
    assert_eq!(stop.send().await.status, 200);
    let leaving = ready().await;
    assert_eq!(
        (leaving.status, leaving.json().await["status"].as_str()),
        (503, Some("stopping"))
    );
    let reply = lingate.post("/v1/messages", &messages(false)).send().await;
    assert_eq!(reply.status, 200, "its session goes on");
    drop(lease);
    refused(&address(&lingate)).await;
}
