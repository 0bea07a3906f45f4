use std::time::Duration;

use lingate_testkit::client::{get, post, raw};
use lingate_testkit::{Answer, Ending, Hangup, Received, Reply, Upstream};
use serde_json::json;

const SOON: Duration = Duration::from_secs(30);

#[tokio::test]
async fn records_what_it_was_asked() {
    let upstream = Upstream::start(Answer::json(200, &json!({"ok": true}))).await;
    let url = format!("{}/v1/messages?beta=true", upstream.url());
    let answer = post(&url, &json!({"model": "m"}))
        .header("x-api-key", "k")
        .send()
        .await;
    assert_eq!(
        (answer.status, answer.json().await),
        (200, json!({"ok": true}))
    );

    let request = &upstream.wait_for(1, SOON).await[0];
    assert_eq!(
        (request.method.as_str(), request.path()),
        ("POST", "/v1/messages")
    );
    assert_eq!(
        (request.target.as_str(), request.header("x-api-key")),
        ("/v1/messages?beta=true", "k")
    );
    assert_eq!(request.json(), json!({"model": "m"}));
    assert_eq!(request.ending(SOON).await, Ending::Sent);
}

#[tokio::test]
async fn reads_chunked_bodies_and_keeps_the_connection() {
    let upstream = Upstream::start(vec![
        Answer::text(200, "text/plain", "one"),
        Answer::text(200, "text/plain", "two"),
    ])
    .await;
    let chunked = b"POST /a HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n";
    let plain = b"GET /b HTTP/1.1\r\nhost: x\r\n\r\n";
    let answers = raw(
        &upstream.address().to_string(),
        &[&chunked[..], plain].concat(),
        Duration::from_millis(300),
    )
    .await;
    let answers = String::from_utf8(answers).unwrap();
    assert!(
        answers.contains("\r\n\r\none") && answers.ends_with("\r\n\r\ntwo"),
        "{answers}"
    );
    assert_eq!(upstream.requests()[0].text(), "abcde");
    assert_eq!(upstream.requests()[1].path(), "/b");
}

/// What comes behind the first answer of a connection, and how many requests were seen.
#[tokio::test]
async fn connections_are_closed_when_their_name_says() {
    let whole = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}";
    let head = whole.strip_suffix("{}").unwrap();
    for (hangup, second, behind, n_seen) in [
        (Hangup::KeptAtHead, head, "", 2),
        (Hangup::KeptAtRequest, whole, "", 2),
        (Hangup::KeptAtRequest, head, "", 1),
        (Hangup::KeptReset, whole, "", 2),
        (Hangup::KeptAfterByte, whole, "H", 2),
        (Hangup::KeptAfter(Duration::from_millis(50)), whole, "", 2),
    ] {
        let upstream = Upstream::start(hangup).await;
        let address = upstream.address().to_string();
        let first = raw(&address, whole.as_bytes(), Duration::from_millis(300)).await;
        assert!(first.starts_with(b"HTTP/1.1 200 "), "{hangup:?}");
        let both = [whole, second].concat();
        let both = raw(&address, both.as_bytes(), Duration::from_millis(300)).await;
        let both = both.strip_prefix(&*first);
        assert_eq!(both, Some(behind.as_bytes()), "{hangup:?}");
        let places = upstream
            .requests()
            .into_iter()
            .map(|seen| seen.on_connection);
        let expected = [0].into_iter().chain(0..n_seen);
        assert!(places.eq(expected), "{hangup:?}");
    }
    let upstream = Upstream::start(Hangup::New).await;
    let address = upstream.address().to_string();
    assert_eq!(raw(&address, whole.as_bytes(), SOON).await, b"");
}

#[tokio::test]
async fn pieces_arrive_as_they_were_cut() {
    let body = "data: a\n\ndata: b\n\n";
    let cases: [(Answer, Vec<&str>); 4] = [
        (Answer::sse([body]), vec![body]),
        (
            Answer::sse([body]).split_every(7),
            vec!["data: a", "\n\ndata:", " b\n\n"],
        ),
        (
            Answer::sse([body]).split_at(&[1, 9, 99]),
            vec!["d", "ata: a\n\n", "data: b\n\n"],
        ),
        (
            Answer::sse(["data: a\n", "\ndata: b\n\n"]),
            vec!["data: a\n", "\ndata: b\n\n"],
        ),
    ];
    for (answer, expected) in cases {
        let upstream = Upstream::start(answer.paced(Duration::from_millis(15))).await;
        let mut answer = get(&upstream.url()).send().await;
        let mut pieces = Vec::new();
        while let Some(piece) = answer.piece().await {
            pieces.push(String::from_utf8(piece.unwrap().to_vec()).unwrap());
        }
        assert_eq!(pieces, expected);
    }
}

#[tokio::test]
async fn events_carry_their_time() {
    let answer = Answer::sse(["event: x\ndata: 1\n\n"])
        .pause(Duration::from_millis(120))
        .write(": quiet\n\ndata: 2\ndata: 3\n\n");
    let upstream = Upstream::start(answer).await;
    let mut events = get(&upstream.url()).send().await.events();
    let all = events.all().await;
    let names: Vec<_> = all
        .iter()
        .map(|event| (event.name.as_str(), event.data.as_str()))
        .collect();
    assert_eq!(names, [("x", "1"), (":", "quiet"), ("", "2\n3")]);
    assert!(
        all[1].after - all[0].after >= Duration::from_millis(100),
        "{all:?}"
    );
    assert_eq!((events.broken(), events.rest()), (None, ""));
}

#[tokio::test]
async fn broken_endings_are_broken() {
    let half = || Answer::sse(["data: 1\n\n", "data: 2\n\n"]);
    for answer in [
        half().cut(),
        half().pause(Duration::from_millis(50)).reset(),
    ] {
        let upstream = Upstream::start(answer).await;
        let mut events = get(&upstream.url()).send().await.events();
        assert_eq!(events.all().await.len(), 2);
        assert!(events.broken().is_some());
        assert_eq!(upstream.requests()[0].ending(SOON).await, Ending::Broken);
    }
}

#[tokio::test]
async fn notices_that_the_client_left() {
    let endless = Answer::sse(["data: 1\n\n"]).stall();
    let silent = Answer::silence();
    let busy =
        Answer::sse(std::iter::repeat_n("data: 1\n\n", 400)).paced(Duration::from_millis(10));
    for (answer, has_head) in [(endless, true), (silent, false), (busy, true)] {
        let upstream = Upstream::start(answer).await;
        let request = post(&upstream.url(), &json!({}));
        if has_head {
            let mut events = request.send().await.events();
            assert_eq!(
                events.next().await.map(|event| event.data),
                Some("1".to_owned())
            );
        } else {
            let sent = tokio::time::timeout(Duration::from_secs(1), request.try_send()).await;
            assert!(sent.is_err(), "a silent upstream answered");
        }
        let ending = upstream.wait_for(1, SOON).await[0].ending(SOON).await;
        assert!(matches!(ending, Ending::HungUp { .. }), "{ending:?}");
    }
}

#[tokio::test]
async fn replies_fit_the_wire_and_the_mode() {
    let upstream =
        Upstream::start(|request: &Received| Reply::text("Good day").answer(request)).await;
    let cases = [
        ("/v1/chat/completions", true, "data: [DONE]\n\n"),
        ("/v1/chat/completions", false, "\"cached_tokens\":80}}}"),
        (
            "/v1/messages",
            true,
            "data: {\"type\":\"message_stop\"}\n\n",
        ),
        ("/v1/messages", false, "\"output_tokens\":12}}"),
    ];
    for (path, stream, end) in cases {
        let answer = post(
            &format!("{}{path}", upstream.url()),
            &json!({"model": "m", "stream": stream}),
        )
        .send()
        .await;
        let kind = if stream {
            "text/event-stream"
        } else {
            "application/json"
        };
        assert!(answer.header("content-type").starts_with(kind));
        let text = answer.text().await;
        assert!(
            text.ends_with(end) && text.contains("Good"),
            "{path} {stream}: {text}"
        );
    }
}
