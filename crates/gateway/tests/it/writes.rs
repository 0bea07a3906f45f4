//! What comes from an upstream at once goes on to the client in few writes.

use std::fmt::Write as _;

use lingate_testkit::{Answer, Received, Upstream};
use serde_json::json;

use crate::harness::{Lingate, completions, messages};

/// A stream of a hundred pieces of text, each a chunk, all in one write.
fn all_at_once(_: &Received) -> Answer {
    let mut bytes =
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
            .to_owned();
    let mut chunk = |data: &str| {
        let event = format!("data: {data}\n\n");
        let _ = write!(bytes, "{:x}\r\n{event}\r\n", event.len());
    };
    for n in 0..100 {
        let delta = json!({"role": "assistant", "content": format!("{n} ")});
        chunk(
            &json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
            "choices": [{"index": 0, "delta": delta, "finish_reason": null}]})
            .to_string(),
        );
    }
    chunk(
        &json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
        "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        .to_string(),
    );
    chunk("[DONE]");
    Answer::raw(bytes + "0\r\n\r\n")
}

/// Calls of the system by which this thread, gateway, upstream and client, has written (proc(5)).
fn n_writes() -> u64 {
    let counted = std::fs::read_to_string("/proc/thread-self/io").unwrap();
    let count = counted.lines().find_map(|line| line.strip_prefix("syscw:"));
    count.unwrap().trim().parse().unwrap()
}

#[tokio::test]
async fn a_hundred_events_that_come_at_once_are_few_writes() {
    let upstream = Upstream::start(all_at_once).await;
    let lingate = Lingate::to_chat(&upstream.url()).await;
    for (path, asked) in [
        ("/v1/messages", messages(true)),
        ("/v1/chat/completions", completions(true)),
    ] {
        let before = n_writes();
        let text = lingate.post(path, &asked).send().await.text().await;
        let n_writes = n_writes() - before;
        assert!(text.contains("0 ") && text.contains("99 "), "{text}");
        assert!((3..40).contains(&n_writes), "{path}: {n_writes} writes");
    }
}
