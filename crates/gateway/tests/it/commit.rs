//! The commit stages, and what happens when either side leaves.

use std::time::{Duration, Instant};

use lingate_testkit::{Answer, Ending, Reply, Upstream, chat};
use lingate_wire::Wire;

use crate::harness::{Lingate, completions, events, messages, text_of};

/// Before the gateway writes to its client of its own accord, and so finds out that it left: a head after ten seconds of
/// silence, a sign of life after fifteen.
const UNASKED: Duration = Duration::from_secs(9);

fn late(pause: Duration) -> Answer {
    let stream = chat::stream("m", &Reply::text("Late but here."));
    stream
        .into_iter()
        .fold(Answer::sse([] as [&str; 0]).pause(pause), Answer::write)
}

#[tokio::test]
async fn content_is_passed_on_as_it_comes() {
    let pause = Duration::from_millis(300);
    let upstream = Upstream::start(move |request: &_| {
        Reply::text("one two three").answer(request).paced(pause)
    })
    .await;
    let lingate = Lingate::to_chat(&upstream.url()).await;
    let response = lingate.post("/v1/messages", &messages(true)).send().await;
    let events = events(Wire::Anthropic, response).await;
    let first = events
        .iter()
        .find(|event| event.data.contains("text_delta"))
        .unwrap();
    let last = events.last().unwrap();
    assert!(
        last.after - first.after >= pause,
        "{:?} and {:?}",
        first.after,
        last.after
    );
}

#[tokio::test]
async fn a_slow_upstream_gets_an_open_stream_and_pings() {
    let upstream = Upstream::start(late(Duration::from_millis(11_500))).await;
    let lingate = Lingate::to_chat(&upstream.url()).await;
    let (anthropic, chat) = tokio::join!(
        lingate.post("/v1/messages", &messages(true)).send(),
        lingate
            .post("/v1/chat/completions", &completions(true))
            .send(),
    );
    assert_eq!((anthropic.status, chat.status), (200, 200));
    assert_eq!(
        anthropic.header("x-lingate-provider"),
        "up",
        "headers name the attempt in flight"
    );
    let (anthropic, chat) =
        tokio::join!(events(Wire::Anthropic, anthropic), events(Wire::Chat, chat));
    let names: Vec<&str> = anthropic
        .iter()
        .map(|event| event.name.as_str())
        .take(3)
        .collect();
    assert_eq!(names, ["message_start", "ping", "content_block_start"]);
    assert!(
        anthropic[1].after >= Duration::from_secs(10)
            && anthropic[1].after < Duration::from_secs(11)
    );
    assert_eq!(text_of(&anthropic), "Late but here.");
    assert_eq!(chat[0].name, ":", "a comment");
    assert_eq!(chat.last().unwrap().data, "[DONE]");
}

#[tokio::test]
async fn a_failure_after_the_head_is_an_error_event() {
    let upstream =
        Upstream::start(Answer::sse([] as [&str; 0]).pause(Duration::from_millis(10_500))).await;
    let lingate = Lingate::to_chat(&upstream.url()).await;
    let response = lingate.post("/v1/messages", &messages(true)).send().await;
    assert_eq!(response.status, 200);
    let events = events(Wire::Anthropic, response).await;
    let last = events.last().unwrap();
    assert_eq!(last.name, "error");
    assert_eq!(last.json()["error"]["type"], "api_error");
}

#[tokio::test]
async fn a_client_that_leaves_ends_the_upstreams_work() {
    for is_started in [false, true] {
        let answer = match is_started {
            true => Answer::sse(chat::stream("m", &Reply::text("one two three")))
                .take(3)
                .stall(),
            false => Answer::silence(),
        };
        let upstream = Upstream::start(answer).await;
        let lingate = Lingate::to_chat(&upstream.url()).await;
        let began = Instant::now();
        let request = lingate.post("/v1/messages", &messages(true));
        let task = tokio::spawn(async move {
            let mut events = request.send().await.events();
            while events.next().await.is_some() {}
        });
        let received = upstream.wait_for(1, Duration::from_secs(20)).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        task.abort();
        let ending = received[0].ending(Duration::from_secs(20)).await;
        let Ending::HungUp { at, .. } = ending else {
            panic!("{ending:?} when started: {is_started}");
        };
        let took = at - began;
        assert!(took < UNASKED, "{took:?} when started: {is_started}");
        let mut tries = 0;
        while !lingate
            .get("/metrics")
            .send()
            .await
            .text()
            .await
            .contains("outcome=\"aborted\"")
        {
            tries += 1;
            assert!(tries < 1000, "the exchange is counted as aborted");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
