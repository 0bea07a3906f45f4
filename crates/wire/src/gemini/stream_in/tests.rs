//! Streams of every kind, as the events they become.

use super::*;
use crate::turn::{FailureKind, Opening};

/// What a stream of these chunks becomes, in words.
fn read(chunks: &[&str], end: End) -> (Vec<String>, Option<Failure>) {
    let mut machine = StreamIn::default();
    let mut sink = Sink::new();
    for chunk in chunks {
        let frame = Frame {
            event: None,
            data: (*chunk).into(),
        };
        machine.on(frame, &mut sink);
    }
    if !sink.has_fault() {
        machine.end(end, &mut sink);
    }
    let fault = sink.take_fault();
    (sink.items.iter().filter_map(words).collect(), fault)
}

fn words(event: &Event) -> Option<String> {
    Some(match event {
        Event::Start(start) => match (&start.id, &start.model) {
            (None, None) => return None,
            (id, model) => format!("start {id:?} {model:?}"),
        },
        Event::Open { slot, block } => {
            let block = match block {
                Opening::ToolUse { id, name, .. } => format!("call {id} {name}"),
                Opening::RedactedThinking { data } => format!("hidden {data}"),
                Opening::Image(_) => "image".to_owned(),
                Opening::Foreign(foreign) => format!("foreign {}", foreign.raw),
                other => format!("{other:?}"),
            };
            format!("{} {block}", slot.0)
        }
        Event::Delta { slot, delta } => {
            let delta = match delta {
                Delta::Text(text) | Delta::Thinking(text) | Delta::Input(text) => text.to_string(),
                Delta::Signature(token) => format!("signed {token}"),
                Delta::Citation(citation) => format!("cites {}", citation.raw),
                Delta::Foreign(_) => "foreign".to_owned(),
            };
            format!("{}+ {delta}", slot.0)
        }
        Event::Close { slot } => format!("{}.", slot.0),
        Event::Usage(usage) => format!("usage {:?} {:?}", usage.input, usage.output),
        Event::Stop(stop) => format!("{:?}", stop.reason),
        Event::Done => "done".to_owned(),
        Event::Ping => "ping".to_owned(),
    })
}

fn parts(parts: &str) -> String {
    format!(r#"{{"candidates":[{{"content":{{"role":"model","parts":[{parts}]}},"index":0}}]}}"#)
}

fn finish(reason: &str) -> String {
    format!(r#"{{"candidates":[{{"finishReason":"{reason}"}}]}}"#)
}

#[track_caller]
fn check(chunks: &[&str], expected: &[&str]) {
    let (found, fault) = read(chunks, End::Clean);
    assert_eq!(found, expected, "{chunks:?}");
    assert_eq!(fault, None);
}

#[track_caller]
fn fails(chunks: &[&str], end: End, kind: FailureKind) {
    let (_, fault) = read(chunks, end);
    assert_eq!(fault.map(|failure| failure.kind), Some(kind), "{chunks:?}");
}

#[test]
fn text_thoughts_and_calls() {
    let stop = finish("STOP");
    check(
        &[
            r#"{"candidates":[{"content":{"parts":[{"text":"hm","thought":true}]}}],"responseId":"r","modelVersion":"m","usageMetadata":{"promptTokenCount":3}}"#,
            &parts(r#"{"text":"Hel"}"#),
            &parts(
                r#"{"text":"lo"},{"functionCall":{"id":"a","name":"f","args":{"x":1}},"thoughtSignature":"S1"},{"functionCall":{"name":"g"}}"#,
            ),
            r#"{"candidates":[{"content":{"parts":[{"text":""}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":4,"thoughtsTokenCount":1}}"#,
        ],
        &[
            r#"start Some("r") Some("m")"#,
            "0 Thinking",
            "0+ hm",
            "usage Some(3) None",
            "0.",
            "1 Text",
            "1+ Hel",
            "1+ lo",
            "1.",
            "2 call a f",
            "2+ signed S1",
            r#"2+ {"x":1}"#,
            "2.",
            "3 call  g",
            "3+ {}",
            "3.",
            "usage Some(3) Some(5)",
            "EndTurn",
            "done",
        ],
    );
    check(&[&stop], &["EndTurn", "done"]);
}

#[test]
fn a_token_belongs_to_what_was_said_before() {
    let stop = finish("STOP");
    let last = parts(r#"{"text":"","thoughtSignature":"S"}"#);
    check(
        &[&parts(r#"{"text":"Hi"}"#), &last, &stop],
        &["0 Text", "0+ Hi", "0+ signed S", "0.", "EndTurn", "done"],
    );
    check(
        &[&parts(r#"{"text":"hm","thought":true}"#), &last, &stop],
        &[
            "0 Thinking",
            "0+ hm",
            "0+ signed S",
            "0.",
            "EndTurn",
            "done",
        ],
    );
    check(&[&last, &stop], &["0 hidden S", "0.", "EndTurn", "done"]);
}

#[test]
fn pictures_sources_and_what_only_this_wire_knows() {
    let stop = finish("STOP");
    check(
        &[
            &parts(
                r#"{"text":"see"},{"inlineData":{"mimeType":"image/png","data":"AA=="}},{"executableCode":{"code":"1"}}"#,
            ),
            &stop,
        ],
        &[
            "0 Text",
            "0+ see",
            "0.",
            "1 image",
            "1.",
            r#"2 foreign {"executableCode":{"code":"1"}}"#,
            "2.",
            "EndTurn",
            "done",
        ],
    );
    check(
        &[
            &parts(r#"{"text":"it is"}"#),
            r#"{"candidates":[{"finishReason":"STOP","groundingMetadata":{"webSearchQueries":["q"]}}]}"#,
        ],
        &[
            "0 Text",
            "0+ it is",
            r#"0+ cites {"groundingMetadata":{"webSearchQueries":["q"]}}"#,
            "0.",
            "EndTurn",
            "done",
        ],
    );
    check(
        &[
            &parts(r#"{"functionCall":{"name":"f","willContinue":true}}"#),
            &stop,
        ],
        &[
            r#"0 foreign {"functionCall":{"name":"f","willContinue":true}}"#,
            "0.",
            "EndTurn",
            "done",
        ],
    );
}

#[test]
fn hosts_deviate() {
    let text = parts(r#"{"text":"Hi"}"#);
    let stop = finish("STOP");
    let expected = ["0 Text", "0+ Hi", "0.", "EndTurn", "done"];
    check(&[&text, &stop, "[DONE]", "{"], &expected);
    check(&[&format!("[{text},{stop}]")], &expected);
    check(&[&format!(r#"{{"response":{text}}}"#), &stop], &expected);
    check(
        &[
            r#"{"candidates":[{"content":{"parts":[{"text":"Hi"}]},"finish_reason":"STOP"}]}"#,
            r#"{"usage_metadata":{"prompt_token_count":2}}"#,
        ],
        &[
            "0 Text",
            "0+ Hi",
            "usage Some(2) None",
            "0.",
            "EndTurn",
            "done",
        ],
    );
}

/// Members of a call that have no place are no other wire's: a `type` of this one's is not a block's.
#[test]
fn a_calls_other_members_are_a_loss() {
    for (call, lost) in [
        (
            r#"{"name":"f","args":{},"id":"a","willContinue":false}"#,
            None,
        ),
        (
            r#"{"name":"f","args":{},"type":"x","input":{}}"#,
            Some("candidates[0].content.parts.functionCall"),
        ),
    ] {
        let reply = parts(&format!(r#"{{"functionCall":{call}}}"#));
        let doc = scan_reply(&reply.as_str().into(), OPAQUE).unwrap();
        let mut sink = Sink::new();
        StreamIn::default().document(doc.root(), &mut sink);
        let opened = sink.items.iter().find_map(|event| match event {
            Event::Open {
                block: Opening::ToolUse { name, extra, .. },
                ..
            } => Some((name.to_string(), extra.len())),
            _ => None,
        });
        assert_eq!(opened, Some(("f".to_owned(), 0)), "{call}");
        let lost = lost.map(|path| {
            Note::Loss(Loss {
                path: path.to_owned(),
            })
        });
        assert_eq!(sink.notes, Vec::from_iter(lost), "{call}");
    }
}

#[test]
fn a_blocked_prompt_is_a_refusal() {
    check(
        &[r#"{"promptFeedback":{"blockReason":"SAFETY","blockReasonMessage":"not this"}}"#],
        &["0 Refusal", "0+ not this", "0.", "Refusal", "done"],
    );
    check(
        &[r#"{"promptFeedback":{"blockReason":"OTHER"},"usageMetadata":{"promptTokenCount":5}}"#],
        &["usage Some(5) None", "Refusal", "done"],
    );
}

#[test]
fn what_cannot_be_used_is_a_fault() {
    use FailureKind as F;
    let text = parts(r#"{"text":"Hi"}"#);
    let error = r#"{"error":{"code":503,"message":"m","status":"UNAVAILABLE"}}"#;
    fails(&[&text], End::Clean, F::Truncated);
    fails(&[&text], End::Truncated, F::Truncated);
    fails(&[], End::Clean, F::Truncated);
    fails(&["<html>"], End::Clean, F::Malformed);
    fails(&[error], End::Clean, F::Overloaded);
    fails(&[&text, &format!("[{error}]")], End::Clean, F::Overloaded);
    fails(
        &[&text, &finish("MALFORMED_FUNCTION_CALL")],
        End::Clean,
        F::BrokenToolCall,
    );
    fails(
        &[&finish("UNEXPECTED_TOOL_CALL")],
        End::Clean,
        F::BrokenToolCall,
    );
    let broken = Failure::new(F::Timeout, "late");
    fails(&[&text], End::Broken(broken.clone()), F::Timeout);
    let (found, fault) = read(&[&text, &finish("STOP")], End::Broken(broken));
    assert_eq!(
        (found.last().map(String::as_str), fault),
        (Some("done"), None)
    );
}
