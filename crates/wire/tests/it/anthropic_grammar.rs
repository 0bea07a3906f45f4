//! The acceptor: what it takes, and the first thing it objects to.

use lingate_wire::anthropic::grammar::Acceptor;
use serde_json::{Value, json};

use crate::anthropic_chain::stream_of;

fn judged(stream: &str) -> Result<(), String> {
    let mut acceptor = Acceptor::new();
    acceptor
        .feed(stream.as_bytes())
        .and_then(|()| acceptor.finish())
        .map_err(|violation| violation.0)
}

fn start() -> Value {
    json!({"type": "message_start", "message": {"id": "m", "type": "message", "role": "assistant", "model": "x", "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": {"input_tokens": 1, "output_tokens": 0}}})
}

fn open(index: u64, block: Value) -> Value {
    json!({"type": "content_block_start", "index": index, "content_block": block})
}

fn text(index: u64) -> Value {
    open(index, json!({"type": "text", "text": ""}))
}

fn call(index: u64, id: &str) -> Value {
    open(
        index,
        json!({"type": "tool_use", "id": id, "name": "f", "input": {}}),
    )
}

fn grow(index: u64, delta: Value) -> Value {
    json!({"type": "content_block_delta", "index": index, "delta": delta})
}

fn input(index: u64, piece: &str) -> Value {
    grow(
        index,
        json!({"type": "input_json_delta", "partial_json": piece}),
    )
}

fn close(index: u64) -> Value {
    json!({"type": "content_block_stop", "index": index})
}

fn stop(reason: &str) -> Value {
    json!({"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": null}, "usage": {"output_tokens": 1}})
}

fn end() -> Value {
    json!({"type": "message_stop"})
}

#[test]
fn good_streams() {
    let ping = || json!({"type": "ping"});
    let error = || json!({"type": "error", "error": {"type": "api_error", "message": "m"}});
    for events in [
        vec![
            start(),
            text(0),
            grow(0, json!({"type": "text_delta", "text": "a"})),
            close(0),
            stop("end_turn"),
            end(),
        ],
        vec![
            ping(),
            start(),
            ping(),
            text(0),
            ping(),
            close(0),
            stop("end_turn"),
            ping(),
            end(),
        ],
        vec![
            start(),
            call(0, "a"),
            close(0),
            call(1, "b"),
            input(1, "{}"),
            close(1),
            stop("tool_use"),
            end(),
        ],
        vec![
            start(),
            call(0, "a"),
            input(0, "{\"x\""),
            close(0),
            stop("max_tokens"),
            end(),
        ],
        vec![start(), stop("refusal"), end()],
        vec![start(), text(0), error()],
        vec![error()],
    ] {
        assert_eq!(judged(&stream_of(&events)), Ok(()), "{events:?}");
    }
}

#[test]
fn bad_streams() {
    let thinking = || open(0, json!({"type": "thinking", "thinking": ""}));
    let signature = || grow(0, json!({"type": "signature_delta", "signature": "s"}));
    let mut without_usage = start();
    without_usage["message"]
        .as_object_mut()
        .unwrap()
        .remove("usage");
    for (events, expected) in [
        (vec![], "the stream ends before `message_start`"),
        (
            vec![text(0)],
            "`content_block_start` before `message_start`",
        ),
        (
            vec![start(), start()],
            "`message_start` while no block is open",
        ),
        (vec![without_usage], "`usage` is missing"),
        (vec![start(), text(1)], "the index is 1 where 0 comes next"),
        (
            vec![start(), text(0), text(1)],
            "`content_block_start` inside a block",
        ),
        (
            vec![start(), close(0)],
            "`content_block_stop` while no block is open",
        ),
        (
            vec![start(), text(0), close(1)],
            "the index is 1 where 0 comes next",
        ),
        (
            vec![start(), text(0), input(0, "{}")],
            "`input_json_delta` in a block of type `text`",
        ),
        (
            vec![start(), thinking(), close(0)],
            "a thinking block stops without a signature",
        ),
        (
            vec![
                start(),
                thinking(),
                signature(),
                grow(0, json!({"type": "thinking_delta", "thinking": "t"})),
            ],
            "`thinking_delta` behind the signature",
        ),
        (
            vec![start(), call(0, "functions.f:0")],
            "`functions.f:0` is not fit for a call's id",
        ),
        (
            vec![start(), call(0, "a"), close(0), call(1, "a")],
            "two calls have the id `a`",
        ),
        (
            vec![
                start(),
                call(0, "a"),
                input(0, "{\"x\""),
                close(0),
                stop("tool_use"),
            ],
            "a call's input is not one JSON object although the reply ends with `tool_use`",
        ),
        (vec![start(), stop("tool_use")], "`tool_use` without a call"),
        (
            vec![start(), call(0, "a"), close(0), stop("end_turn")],
            "`end_turn` although there are calls",
        ),
        (vec![start(), stop("stop")], "`stop` is no stop reason"),
        (
            vec![start(), text(0), stop("end_turn")],
            "`message_delta` inside a block",
        ),
        (
            vec![start(), end()],
            "`message_stop` while no block is open",
        ),
        (
            vec![start(), stop("end_turn")],
            "the stream ends behind `message_delta`",
        ),
        (
            vec![start(), stop("end_turn"), end(), end()],
            "`message_stop` behind the end",
        ),
        (
            vec![start(), json!({"type": "done"})],
            "`done` while no block is open",
        ),
    ] {
        assert_eq!(
            judged(&stream_of(&events)),
            Err(expected.to_owned()),
            "{events:?}"
        );
    }
}

#[test]
fn bytes_that_sdks_choke_on() {
    let good = stream_of(&[start(), stop("end_turn"), end()]);
    for (stream, expected) in [
        (
            good.trim_end().to_owned() + "\n",
            "the stream ends behind `message_delta`",
        ),
        (
            good.clone() + "data: [DONE]\n\n",
            "the data of an event is not JSON",
        ),
        (
            good.replace("event: message_delta\n", ""),
            "the event is named `` but its type is another",
        ),
        (
            good.replace("event: message_delta", "event: ping"),
            "the event is named `ping` but its type is another",
        ),
    ] {
        let problem = judged(&stream).unwrap_err();
        assert!(problem.starts_with(expected), "{problem}");
    }
}
