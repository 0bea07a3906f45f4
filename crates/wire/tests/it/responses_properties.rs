//! What holds for any stream a Responses host may send and any history that may be sent to one, drawn at random from
//! dirty pieces.

use std::collections::HashSet;

use bytestring::ByteString;
use lingate_wire::turn::fold;
use lingate_wire::{UpstreamContext, anthropic, responses};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::chat_chain::{seal_key, to_anthropic, to_chat};
use crate::responses_streams::{read_responses, texts, to_responses};

/// Pieces of a stream: what goes between `data: ` and the blank line.
const EVENTS: &[&str] = &[
    r#"{"type":"response.created","response":{"id":"r","model":"m"}}"#,
    r#"{"type":"response.in_progress"}"#,
    r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"message","id":"m0","content":[]}}"#,
    r#"{"type":"response.content_part.added","item_id":"m0","output_index":0,"content_index":0,"part":{"type":"output_text","text":""}}"#,
    r#"{"type":"response.output_text.delta","item_id":"m0","output_index":0,"content_index":0,"delta":"te"}"#,
    r#"{"type":"response.output_text.done","item_id":"m0","output_index":0,"content_index":0,"text":"text"}"#,
    r#"{"type":"response.refusal.delta","item_id":"m0","output_index":0,"content_index":1,"delta":"no"}"#,
    r#"{"type":"response.output_text.annotation.added","item_id":"m0","output_index":0,"content_index":0,"annotation":{"type":"url_citation"}}"#,
    r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"message","id":"m0","content":[{"type":"output_text","text":"text"}]}}"#,
    r#"{"type":"response.reasoning_summary_text.delta","item_id":"rs","output_index":1,"summary_index":0,"delta":"hm"}"#,
    r#"{"type":"response.reasoning_text.delta","item_id":"rs","output_index":1,"content_index":1,"delta":"raw"}"#,
    r#"{"type":"response.output_item.done","output_index":1,"item":{"type":"reasoning","id":"rs","summary":[{"text":"hm"},{"text":"so"}],"encrypted_content":"E"}}"#,
    r#"{"type":"response.output_item.added","output_index":2,"item":{"type":"function_call","id":"fc","call_id":"c","name":"f","arguments":""}}"#,
    r#"{"type":"response.function_call_arguments.delta","item_id":"fc","output_index":2,"delta":"{\"x\":"}"#,
    r#"{"type":"response.function_call_arguments.done","item_id":"fc","output_index":2,"arguments":"{\"x\":1}"}"#,
    r#"{"type":"response.output_item.done","output_index":2,"item":{"type":"function_call","id":"fc","call_id":"c","name":"f","namespace":"n","arguments":"{\"x\":1}"}}"#,
    r#"{"type":"response.output_item.added","item":{"type":"custom_tool_call","call_id":"d","name":"p"}}"#,
    r#"{"type":"response.custom_tool_call_input.delta","delta":"free"}"#,
    r#"{"type":"response.output_item.done","output_index":4,"item":{"type":"web_search_call","id":"w"}}"#,
    r#"{"type":"response.output_item.done","item":{}}"#,
    r#"{"type":"response.completed","response":{"status":"completed","usage":{"input_tokens":5,"output_tokens":2}}}"#,
    r#"{"type":"response.completed","response":{"output":[{"type":"message","content":[{"type":"output_text","text":"all"}]},{"type":"function_call","call_id":"c","name":"f","arguments":"{}"}]}}"#,
    r#"{"type":"response.incomplete","response":{"incomplete_details":{"reason":"max_output_tokens"}}}"#,
    r#"{"type":"response.failed","response":{"status":"failed","error":{"code":"server_error","message":"boom"}}}"#,
    r#"{"type":"error","message":"boom"}"#,
    r#"{"type":"response.new_thing","x":1}"#,
    "garbage",
    "[DONE]",
];

/// Messages of an Anthropic client's history.
fn messages() -> impl Strategy<Value = Vec<Value>> {
    let call = |id: &str| json!({"type": "tool_use", "id": id, "name": "f", "input": {}});
    let result = |id: &str| json!({"type": "tool_result", "tool_use_id": id, "content": "out"});
    let text = json!({"type": "text", "text": "t"});
    let pool = vec![
        json!({"role": "user", "content": "hi"}),
        json!({"role": "user", "content": " "}),
        json!({"role": "user", "content": [text, result("a")]}),
        json!({"role": "user", "content": [result("b"), result("a"), result("b")]}),
        json!({"role": "system", "content": "note"}),
        json!({"role": "assistant", "content": [text, call("a")]}),
        json!({"role": "assistant", "content": [call("a"), call("b"), text]}),
        json!({"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "signature": "s"}]}),
    ];
    vec(select(pool), 0..10)
}

fn items(messages: &[Value]) -> Vec<Value> {
    let request = json!({"model": "m", "max_tokens": 1, "system": "s", "messages": messages});
    let doc = anthropic::scan_request(&ByteString::from(request.to_string())).unwrap();
    let upstream = UpstreamContext {
        model: "m",
        seal: &seal_key(),
    };
    let decoded = anthropic::decode_request(&doc).unwrap();
    let encoded = responses::encode_request(&decoded, &upstream, false);
    let body: Value = serde_json::from_slice(&encoded.body).unwrap();
    body["input"].as_array().unwrap().clone()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever comes in, what goes out is grammatical on every wire, and no cut changes it.
    #[test]
    fn any_stream_is_read_and_written(
        events in vec(select(EVENTS), 0..14),
        cut in any::<prop::sample::Index>(),
    ) {
        let stream: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
        let read = read_responses(&[stream.as_bytes()]);
        to_responses(&read);
        to_anthropic(&read);
        to_chat(&read);
        let (head, tail) = stream.as_bytes().split_at(cut.index(stream.len() + 1));
        let again = read_responses(&[head, tail]);
        prop_assert_eq!(again.events, read.events);
        prop_assert_eq!(again.fault, read.fault);
    }

    /// What is written for a client is read as the same reply.
    #[test]
    fn what_is_written_is_read_again(events in vec(select(EVENTS), 0..14)) {
        let stream: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
        let read = read_responses(&[stream.as_bytes()]);
        let again = read_responses(&[to_responses(&read).as_bytes()]);
        prop_assert_eq!(again.fault.is_some(), read.fault.is_some());
        if read.fault.is_none() {
            let (again, read) = (fold(again.events), fold(read.events));
            // A call that was cut before its arguments began, or of which nothing could be kept, is read as one without any.
            let plain = |reply| -> Vec<String> {
                let texts = texts(reply).into_iter();
                texts.map(|text| text.replace(" {}", " ")).collect()
            };
            prop_assert_eq!(plain(&again), plain(&read));
            prop_assert_eq!(again.stop, read.stop);
            prop_assert_eq!(again.usage.output.unwrap_or(0), read.usage.output.unwrap_or(0));
        }
    }

    /// Every call is answered once, behind it, and every result answers one.
    #[test]
    fn any_history_is_one_that_hosts_accept(messages in messages()) {
        let mut open: HashSet<String> = HashSet::new();
        for item in items(&messages) {
            match item["type"].as_str().unwrap() {
                // The same id may be used again once it is answered.
                "function_call" => {
                    open.insert(item["call_id"].as_str().unwrap().to_owned());
                }
                "function_call_output" => {
                    prop_assert!(open.remove(item["call_id"].as_str().unwrap()), "{}", item);
                }
                "message" => {
                    let parts = item["content"].as_array().unwrap();
                    prop_assert!(!parts.is_empty(), "{}", item);
                }
                _ => {}
            }
        }
        prop_assert!(open.is_empty(), "{:?}", open);
    }

    /// A further message changes nothing before it, but for the answer that a call was still waiting for.
    #[test]
    fn a_longer_history_begins_with_the_shorter_one(messages in messages()) {
        for n in 0..messages.len() {
            let (shorter, longer) = (items(&messages[..n]), items(&messages[..=n]));
            let is_stand_in = |item: &&Value| {
                item["output"] == "Error: the tool call was not answered"
            };
            let settled = shorter.len() - shorter.iter().rev().take_while(is_stand_in).count();
            prop_assert_eq!(&shorter[..settled], &longer[..settled]);
        }
    }
}
