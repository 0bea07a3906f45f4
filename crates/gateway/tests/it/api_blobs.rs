//! Bodies over the API: byte for byte, never a page, and never held whole.

use lingate_store::{Body, BodyKind, Exchange};

use crate::api::{CONFIG, Scene, exchange, id};

/// What a browser would run, had it the chance.
const PAGE: &str = "<html><script>alert(1)</script></html>";

async fn scene() -> (Scene, String) {
    let scene = Scene::start(CONFIG).await;
    let large: String = (0..90_000)
        .map(|n| format!("{{\"n\":{n},\"m\":{}}},\n", n * 7919))
        .collect();
    let large = format!("[{large}0]");
    let whole = |kind, attempt, text: &str| Body::whole(kind, attempt, text.to_owned());
    scene.put(
        exchange(0),
        vec![
            whole(BodyKind::ClientRequest, 0, "{\"a\": 1}"),
            whole(BodyKind::ClientResponse, 0, "event: x\ndata: {}\n\n"),
            whole(BodyKind::ProviderRequest, 1, "{\"first\":1}"),
            whole(BodyKind::ProviderRequest, 2, "{\"second\":2}"),
            whole(BodyKind::ProviderResponse, 1, PAGE),
            whole(BodyKind::ProviderResponse, 2, &large),
        ],
    );
    scene.put(
        Exchange {
            preview: None,
            ..exchange(1)
        },
        vec![Body::whole(BodyKind::ClientRequest, 0, vec![0xff, 0xfe, 0])],
    );
    scene.flush().await;
    (scene, large)
}

#[tokio::test]
async fn each_is_what_it_was_and_nobodys_page() {
    let (scene, large) = scene().await;
    let json = "application/json";
    let text = "text/plain; charset=utf-8";
    for (path, content_type, expected) in [
        ("1/blobs/request", json, "{\"a\": 1}"),
        ("1/blobs/client-request", json, "{\"a\": 1}"),
        ("1/blobs/response", text, "event: x\ndata: {}\n\n"),
        ("1/blobs/provider-request", json, "{\"second\":2}"),
        ("1/blobs/provider-request?attempt=1", json, "{\"first\":1}"),
        ("1/blobs/provider-request?attempt=2", json, "{\"second\":2}"),
        ("1/blobs/request?attempt=2", json, "{\"a\": 1}"),
        ("1/blobs/provider-response?attempt=1", text, PAGE),
        ("1/blobs/provider-response", json, &large),
    ] {
        let response = scene.get(&format!("/api/logs/{path}")).await;
        assert_eq!(response.status, 200, "{path}");
        for (name, value) in [
            ("content-type", content_type),
            ("cache-control", "private, max-age=3600"),
            ("x-content-type-options", "nosniff"),
            ("content-security-policy", "default-src 'none'; sandbox"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(response.header(name), value, "{path}");
        }
        let disposition = response.header("content-disposition").to_owned();
        assert!(
            disposition.starts_with("attachment; filename=\"01"),
            "{disposition}"
        );
        let got = response.text().await;
        assert!(got == expected, "{path}: {} bytes", got.len());
    }
    let bytes = scene.get("/api/logs/2/blobs/request").await;
    assert_eq!(bytes.header("content-type"), "application/octet-stream");
    assert_eq!(&bytes.bytes().await[..], [0xff, 0xfe, 0]);
    for path in [
        "1/blobs/provider-request?attempt=3",
        "1/blobs/provider-request?attempt=-1",
        "2/blobs/response",
    ] {
        let error = scene.error(&format!("/api/logs/{path}"), 404).await;
        assert_eq!(error["message"], "Blob not found", "{path}");
    }
}

#[tokio::test]
async fn what_a_cache_has_is_not_sent_again() {
    let (scene, _) = scene().await;
    let path = format!("/api/logs/{}/blobs/provider-response", id(0));
    let etag = scene.get(&path).await.header("etag").to_owned();
    assert!(etag.starts_with('"') && etag.len() > 20, "{etag}");
    let listed = scene.json("/api/logs/1").await;
    let bodies = listed["bodies"].as_array().unwrap();
    assert_eq!(bodies.len(), 6);
    assert!(
        bodies
            .iter()
            .any(|body| format!("\"{}\"", body["etag"].as_str().unwrap()) == etag)
    );
    for (shown, status) in [
        (etag.clone(), 304),
        (format!("W/{etag}"), 304),
        (format!("\"x\", {etag}"), 304),
        ("*".to_owned(), 304),
        ("\"x\"".to_owned(), 200),
    ] {
        let request = scene.lingate.get(&path).header("if-none-match", &shown);
        let response = request.send().await;
        assert_eq!(response.status, status, "{shown}");
        assert_eq!(response.header("etag"), etag);
        let length = response.bytes().await.len();
        assert_eq!(length == 0, status == 304, "{shown}: {length}");
    }
    let same = scene
        .get("/api/logs/1/blobs/request")
        .await
        .header("etag")
        .to_owned();
    assert_ne!(same, etag);
}

/// A body that is deleted is said to be missing, also to who has its tag.
#[tokio::test]
async fn what_is_deleted_is_missing() {
    let (scene, _) = scene().await;
    let database = scene.dir.path().join("record/record.db");
    let etag = scene
        .get("/api/logs/1/blobs/request")
        .await
        .header("etag")
        .to_owned();
    std::fs::remove_dir_all(scene.dir.path().join("record/segments")).unwrap();
    assert!(database.exists());
    for path in ["/api/logs/2/blobs/request", "/api/logs/1/blobs/request"] {
        let response = scene.get(path).await;
        // A reader may still have the file at hand.
        assert!(matches!(response.status, 200 | 404), "{path}");
    }
    let fresh = scene
        .lingate
        .get("/api/logs/1/blobs/request")
        .header("if-none-match", &etag);
    assert!(matches!(fresh.send().await.status, 304 | 404));
}

/// A slow client of a large body holds no reader: others are served meanwhile, and it gets all of it.
#[tokio::test]
async fn a_slow_client_keeps_nobody_waiting() {
    let (scene, large) = scene().await;
    let mut slow = Vec::new();
    for _ in 0..12 {
        let mut response = scene.get("/api/logs/1/blobs/provider-response").await;
        let first = response.piece().await.unwrap().unwrap();
        slow.push((response, first.len()));
    }
    assert_eq!(scene.json("/api/logs").await["total"], 2);
    for (response, first) in slow {
        assert_eq!(response.bytes().await.len() + first, large.len());
    }
}
