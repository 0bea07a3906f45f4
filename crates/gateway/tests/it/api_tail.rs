//! `/api/tail`: exchanges as they end.

use std::time::Duration;

use lingate_testkit::client::{Event, Events};
use serde_json::json;
use tokio::time::timeout;

use crate::api::{CONFIG, Scene, exchange};

const SOON: Duration = Duration::from_secs(20);

/// A listener, and what it was told first.
async fn listen(scene: &Scene, query: &str) -> (Events, Event) {
    listen_from(scene, query, None).await
}

async fn listen_from(scene: &Scene, query: &str, last: Option<&str>) -> (Events, Event) {
    let mut request = scene.lingate.get(&format!("/api/tail{query}"));
    if let Some(last) = last {
        request = request.header("last-event-id", last);
    }
    let response = request.send().await;
    assert_eq!(
        (response.status, response.header("content-type")),
        (200, "text/event-stream")
    );
    let mut events = response.events();
    let begin = next(&mut events).await;
    assert_eq!(begin.name, "begin");
    (events, begin)
}

async fn next(events: &mut Events) -> Event {
    let next = timeout(SOON, events.next()).await.expect("something comes");
    next.expect("it goes on")
}

/// The numbers of the next exchanges.
async fn told(events: &mut Events, count: usize) -> Vec<u64> {
    let mut numbers = Vec::new();
    while numbers.len() < count {
        let event = next(events).await;
        assert_eq!(event.name, "exchange", "{}", event.data);
        numbers.push(event.json()["numeric_id"].as_u64().unwrap() - 1);
    }
    numbers
}

#[tokio::test]
async fn each_exchange_is_told_as_it_ends() {
    let scene = Scene::with(3).await;
    let (mut all, begin) = listen(&scene, "").await;
    assert_eq!(begin.json(), json!({"place": 3, "lost": 0}));
    let (mut failed, _) = listen(&scene, "?q=status:5xx").await;
    for number in 3..30 {
        scene.put(exchange(number), Vec::new());
    }
    assert_eq!(told(&mut all, 27).await, (3..30).collect::<Vec<_>>());
    assert_eq!(told(&mut failed, 4).await, [6, 13, 20, 27]);
    scene.put(exchange(30), Vec::new());
    assert_eq!(told(&mut all, 1).await, [30]);
}

#[tokio::test]
async fn a_listener_resumes_where_it_was() {
    let scene = Scene::with(50).await;
    let (mut events, begin) = listen_from(&scene, "", Some("10")).await;
    assert_eq!(begin.json(), json!({"place": 10, "lost": 0}));
    assert_eq!(told(&mut events, 40).await, (10..50).collect::<Vec<_>>());
    let (mut events, _) = listen(&scene, "?after=45").await;
    assert_eq!(told(&mut events, 5).await, (45..50).collect::<Vec<_>>());
    let (mut events, _) = listen_from(&scene, "?after=0&q=is:error", Some("40")).await;
    assert_eq!(told(&mut events, 2).await, [41, 48], "the header wins");
    // A place that is not there yet is of another record.
    let (_, begin) = listen_from(&scene, "", Some("9999")).await;
    assert_eq!(begin.json(), json!({"place": 50, "lost": 0}));
    let request = scene.lingate.get("/api/tail").header("last-event-id", "x");
    assert_eq!(request.send().await.status, 400);
}

/// The record is the buffer: who does not read for a while misses nothing.
#[tokio::test]
async fn a_slow_listener_loses_nothing() {
    let scene = Scene::with(0).await;
    let (mut events, _) = listen(&scene, "").await;
    for number in 0..3000 {
        scene.put(exchange(number), Vec::new());
    }
    scene.flush().await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(told(&mut events, 3000).await, (0..3000).collect::<Vec<_>>());
}

/// What was deleted before it could be told is counted.
#[tokio::test]
async fn who_comes_too_late_is_told_how_much_is_gone() {
    let scene = Scene::with(50).await;
    let before = "2026-11-21T00:00:30Z".parse().unwrap();
    lingate_store::prune(scene.dir.path(), before, u64::MAX).unwrap();
    let (mut events, begin) = listen_from(&scene, "", Some("10")).await;
    assert_eq!(begin.json(), json!({"place": 30, "lost": 20}));
    assert_eq!(told(&mut events, 20).await, (30..50).collect::<Vec<_>>());
}

/// Places go on where they were although nothing is left of what had them.
#[tokio::test]
async fn a_listener_goes_on_after_the_record_was_emptied() {
    let scene = Scene::with(10).await;
    let (mut events, begin) = listen(&scene, "").await;
    assert_eq!(begin.json(), json!({"place": 10, "lost": 0}));
    let before = "2026-11-21T00:00:30Z".parse().unwrap();
    lingate_store::prune(scene.dir.path(), before, u64::MAX).unwrap();
    assert_eq!(scene.json("/api/logs").await["total"], 0);
    let (mut late, begin) = listen_from(&scene, "", Some("4")).await;
    assert_eq!(begin.json(), json!({"place": 10, "lost": 6}));
    for number in 10..13 {
        scene.put(exchange(number), Vec::new());
        assert_eq!(told(&mut events, 1).await, [number]);
        assert_eq!(told(&mut late, 1).await, [number]);
    }
}

#[tokio::test]
async fn listeners_are_bounded_and_give_their_place_back() {
    let scene = Scene::with(1).await;
    let mut listeners = Vec::new();
    for _ in 0..32 {
        listeners.push(listen(&scene, "").await);
    }
    let refused = scene.get("/api/tail").await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, "5"));
    assert_eq!(
        scene.json("/api/logs").await["total"],
        1,
        "others are served"
    );
    listeners.truncate(1);
    let again = async {
        while scene.get("/api/tail").await.status != 200 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(SOON, again).await.expect("a place is free");
    scene.put(exchange(1), Vec::new());
    assert_eq!(told(&mut listeners[0].0, 1).await, [1]);
}

#[tokio::test]
async fn it_ends_with_the_gateway() {
    let scene = Scene::start(CONFIG).await;
    let (mut events, _) = listen(&scene, "").await;
    let Scene { lingate, .. } = scene;
    let ended = timeout(SOON, lingate.end());
    let (ended, rest) = tokio::join!(ended, timeout(SOON, events.all()));
    ended.expect("it does not wait for listeners");
    assert!(rest.expect("the stream ends").is_empty());
    assert_eq!(events.broken(), None, "in order");
}
