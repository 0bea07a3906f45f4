//! Work that grows with what comes in and not with its square: long histories and long replies, in the order that is
//! worst for whoever searches.

use std::time::Duration;

use bytestring::ByteString;
use lingate_wire::sse::Frame;
use lingate_wire::stage::{Sink, Stage};
use lingate_wire::turn::Event;
use lingate_wire::{UpstreamContext, Wire, bridge, chat, responses};

use crate::chat_chain::seal_key;

/// Time that this thread has had a processor: other work on the machine does not count. Nothing where no file tells it.
fn used() -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let first = told.and_then(|told| told.split(' ').next()?.parse().ok());
    Duration::from_nanos(first.unwrap_or_default())
}

/// Asserts that work takes far less than a search through all for each would, of which even a quick machine has for
/// seconds at these numbers.
fn check(label: &str, work: impl FnOnce()) {
    let start = used();
    work();
    let taken = used().saturating_sub(start);
    assert!(taken < Duration::from_millis(2_500), "{label}: {taken:?}");
}

/// An answer with `n` calls, and their results the other way round.
fn history(n: usize) -> ByteString {
    let call = |at| format!(r#"{{"type":"tool_use","id":"call_{at}","name":"f","input":{{}}}}"#);
    let result =
        |at| format!(r#"{{"type":"tool_result","tool_use_id":"call_{at}","content":"x"}}"#);
    let calls: Vec<String> = (0..n).map(call).collect();
    let results: Vec<String> = (0..n).rev().map(result).collect();
    format!(
        r#"{{"model":"m","max_tokens":1,"messages":[{{"role":"user","content":"go"}},{{"role":"assistant","content":[{}]}},{{"role":"user","content":[{}]}}]}}"#,
        calls.join(","),
        results.join(",")
    )
    .into()
}

#[test]
fn results_find_their_calls() {
    let scanned = bridge::scan_request(Wire::Anthropic, &history(20_000)).unwrap();
    let decoded = bridge::decode_request(Wire::Anthropic, &scanned).unwrap();
    let upstream = UpstreamContext {
        model: "m",
        seal: &seal_key(),
    };
    for wire in [Wire::Chat, Wire::Responses, Wire::Gemini] {
        let mut body = Vec::new();
        check(wire.name(), || {
            let dialect = chat::Dialect::default();
            let encoded = bridge::encode_request(wire, &decoded, &upstream, &dialect);
            body = encoded.unwrap().body;
        });
        let text = String::from_utf8(body).unwrap();
        assert!(
            !text.contains("not answered") && !text.contains("missing"),
            "{wire}"
        );
    }
}

#[test]
fn events_find_their_items() {
    const N: usize = 30_000;
    let added = (0..N).map(|at| {
        format!(r#"{{"type":"response.output_item.added","output_index":{at},"item":{{"id":"msg_{at}","type":"message"}}}}"#)
    });
    let items: Vec<String> = (0..N)
        .rev()
        .map(|at| format!(r#"{{"id":"msg_{at}","type":"message","content":[{{"type":"output_text","text":"x"}}]}}"#))
        .collect();
    let last = format!(
        r#"{{"type":"response.completed","response":{{"output":[{}]}}}}"#,
        items.join(",")
    );
    let frames: Vec<Frame> = added
        .chain([last])
        .map(|data| Frame {
            event: None,
            data: data.into(),
        })
        .collect();
    let mut decoder = responses::StreamIn::default();
    let mut sink = Sink::new();
    check("a stream of Responses", || {
        frames
            .into_iter()
            .for_each(|frame| decoder.on(frame, &mut sink));
    });
    let opened = |event: &&Event| matches!(event, Event::Open { .. });
    assert_eq!(sink.items.iter().filter(opened).count(), N);
}
