//! `/api/livestore/pull`: the protocol of an older proxy's dashboard, as its browser speaks it.

use std::collections::HashSet;

use lingate_store::{End, Exchange};
use serde_json::{Value, json};

use crate::api::{Scene, at, exchange, id, numbers};

/// The members of an item, and no others.
const MEMBERS: [&str; 11] = [
    "id",
    "numeric_id",
    "request_id",
    "timestamp",
    "method",
    "url",
    "status_code",
    "model",
    "provider",
    "profile",
    "summary",
];

#[tokio::test]
async fn an_item_is_what_the_dashboard_expects() {
    let scene = Scene::with(1).await;
    let page = scene.json("/api/livestore/pull").await;
    let item = page["items"][0].as_object().unwrap();
    let names: Vec<&str> = item.keys().map(String::as_str).collect();
    assert_eq!(names, MEMBERS);
    assert_eq!(
        page["items"][0],
        json!({
            "id": id(0), "numeric_id": 1, "request_id": id(0), "timestamp": "2026-11-21T00:00:00.000Z",
            "method": "POST", "url": "/v1/messages", "status_code": 200, "model": "kimi", "provider": "moonshot",
            "profile": null,
            "summary": "{\"finish_reason\":\"end_turn\",\"error\":null,\"preview\":\"Hello\"}",
        })
    );
    assert_eq!(
        page["next"],
        json!({"timestamp": "2026-11-21T00:00:00.000Z", "id": 1})
    );
}

/// As the browser does it: the head, then back until a page is known already.
#[tokio::test]
async fn the_head_then_backwards_until_all_is_known() {
    let scene = Scene::with(0).await;
    let empty = scene.json("/api/livestore/pull").await;
    assert_eq!(empty, json!({"items": [], "next": {}}));
    for number in 0..120 {
        // Two of each millisecond.
        let time = at(number as i64 / 2 * 1000);
        scene.put(
            Exchange {
                time,
                ..exchange(number)
            },
            Vec::new(),
        );
    }
    scene.flush().await;
    let mut known = HashSet::new();
    assert_eq!(sync(&scene, &mut known).await, (120, 3));
    assert_eq!(sync(&scene, &mut known).await, (0, 1), "nothing is new");
    for number in 120..125 {
        scene.put(exchange(number), Vec::new());
    }
    scene.flush().await;
    assert_eq!(sync(&scene, &mut known).await, (5, 2));
    assert_eq!(known.len(), 125);
}

/// How many were new, and how many pages it took.
async fn sync(scene: &Scene, known: &mut HashSet<String>) -> (usize, usize) {
    let (mut cursor, mut n_new, mut pages) = (String::new(), 0, 0);
    let mut last: Option<(String, u64)> = None;
    loop {
        let page = scene
            .json(&format!("/api/livestore/pull?limit=50{cursor}"))
            .await;
        let items = page["items"].as_array().unwrap();
        if items.is_empty() {
            return (n_new, pages);
        }
        pages += 1;
        for item in items {
            let place = (
                item["timestamp"].as_str().unwrap().to_owned(),
                item["numeric_id"].as_u64().unwrap(),
            );
            assert!(
                last.as_ref().is_none_or(|last| place < *last),
                "newest first: {place:?}"
            );
            last = Some(place);
        }
        let n_known = known.len();
        known.extend(
            items
                .iter()
                .map(|item| item["id"].as_str().unwrap().to_owned()),
        );
        n_new += known.len() - n_known;
        let (timestamp, id) = (&page["next"]["timestamp"], &page["next"]["id"]);
        assert_eq!(
            (timestamp, id),
            (
                &items[items.len() - 1]["timestamp"],
                &items[items.len() - 1]["numeric_id"]
            )
        );
        if known.len() == n_known || items.len() < 50 {
            return (n_new, pages);
        }
        cursor = format!("&timestamp={}&id={id}", timestamp.as_str().unwrap());
    }
}

#[tokio::test]
async fn cursors_and_limits_are_those_of_the_protocol() {
    let scene = Scene::with(60).await;
    let pulled = |page: &Value| numbers(&page["items"]);
    for (query, expected) in [
        ("limit=2", vec![59, 58]),
        ("limit=0", vec![59]),
        ("limit=-4", vec![59]),
        ("limit=2&id=7", vec![59, 58]),
        (
            "limit=2&timestamp=2026-11-21T00:00:03.000Z&id=4",
            vec![2, 1],
        ),
        (
            "limit=2&timestamp=2026-11-21T00:00:03.000Z&id=5",
            vec![3, 2],
        ),
        ("limit=2&timestamp=2026-11-21T00:00:03.000Z", vec![2, 1]),
        (
            "limit=2&timestamp=2026-11-21T00:00:03.500Z&id=1",
            vec![3, 2],
        ),
    ] {
        let page = scene.json(&format!("/api/livestore/pull?{query}")).await;
        assert_eq!(pulled(&page), expected, "{query}");
    }
    assert_eq!(pulled(&scene.json("/api/livestore/pull").await).len(), 50);
    assert_eq!(
        pulled(&scene.json("/api/livestore/pull?limit=9999").await).len(),
        60
    );
    // Behind the end the cursor comes back as it was.
    let query = "timestamp=2026-11-20T00:00:00.000Z&id=77";
    let page = scene.json(&format!("/api/livestore/pull?{query}")).await;
    assert_eq!(
        page,
        json!({"items": [], "next": {"timestamp": "2026-11-20T00:00:00.000Z", "id": 77}})
    );
}

#[tokio::test]
async fn what_runs_is_not_told_and_what_was_killed_is() {
    let scene = Scene::with(1).await;
    let opened = Exchange {
        end: None,
        status: None,
        ..exchange(1)
    };
    scene.recorder.open(opened, Vec::new());
    scene.put(
        Exchange {
            end: Some(End::ClientGone),
            status: None,
            ..exchange(2)
        },
        Vec::new(),
    );
    scene.flush().await;
    let page = scene.json("/api/livestore/pull").await;
    assert_eq!(numbers(&page["items"]), [2, 0]);
    assert_eq!(page["items"][0]["status_code"], 0);
    let summary = page["items"][0]["summary"].as_str().unwrap();
    assert_eq!(
        summary,
        "{\"error_type\":\"client_gone\",\"error_message\":\"\"}"
    );
    let listed = scene.json("/api/logs").await;
    assert_eq!(numbers(&listed["items"]), [2, 1, 0]);
    assert_eq!(listed["items"][1]["summary"], Value::Null);
}
