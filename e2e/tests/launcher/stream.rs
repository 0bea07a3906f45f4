//! The binary between a slow provider and a plain client: pieces come as they are made, and a client that leaves
//! takes the provider's connection with it.

use std::time::Duration;

use lingate_e2e::{Gateway, Home};
use lingate_testkit::client::post;
use lingate_testkit::{Answer, Ending, Misbehaviour, Received, Upstream, chat};
use serde_json::{Value, json};

fn ask() -> Value {
    json!({"model": "m", "max_tokens": 9, "stream": true, "messages": [{"role": "user", "content": "hi"}]})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_piece_does_not_wait_for_the_next() {
    const GAP: Duration = Duration::from_millis(700);
    let home = Home::new();
    let upstream = Upstream::start(|_: &Received| {
        let usage = lingate_testkit::Usage::default();
        let rest = [
            chat::text("m", "two"),
            chat::finish("m", "stop"),
            chat::usage("m", usage),
            chat::DONE.to_owned(),
        ];
        Answer::sse([chat::text("m", "one")])
            .pause(GAP)
            .write(rest.concat())
    })
    .await;
    let gateway = Gateway::before(&home, &upstream).await;
    let mut events = post(&format!("{}/v1/messages", gateway.url), &ask())
        .send()
        .await
        .events();
    let events = events.all().await;
    let texts: Vec<_> = events
        .iter()
        .filter_map(|event| {
            Some((
                event.json()["delta"]["text"].as_str()?.to_owned(),
                event.after,
            ))
        })
        .collect();
    let [(one, early), (two, late)] = texts.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!((one.as_str(), two.as_str()), ("one", "two"));
    assert!(*late - *early > GAP / 2, "held back: {early:?}, {late:?}");
    assert_eq!(gateway.stop().await.code, Some(0));
    home.is_quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_ends_the_request_upstream() {
    let home = Home::new();
    let upstream = Upstream::start(Misbehaviour::StallsAfterText).await;
    let gateway = Gateway::before(&home, &upstream).await;
    let mut events = post(&format!("{}/v1/messages", gateway.url), &ask())
        .send()
        .await
        .events();
    while events.next().await.expect("the text comes first").name != "content_block_delta" {}
    drop(events);
    let ending = upstream.requests()[0].ending(Duration::from_secs(30)).await;
    assert!(matches!(ending, Ending::HungUp { .. }), "{ending:?}");
    assert_eq!(gateway.stop().await.code, Some(0));
    home.is_quiet().await;
}
