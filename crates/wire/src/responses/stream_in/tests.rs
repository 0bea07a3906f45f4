use super::*;
use crate::turn::{Block, EmptyReply, Sequencer, ToolInput, fold};

/// What a stream of these events comes to: the blocks in short, then why it ends.
fn read(events: &[&str]) -> Result<Vec<String>, FailureKind> {
    let mut decoder = StreamIn::default();
    let mut sink = Sink::new();
    for event in events {
        let frame = Frame {
            event: None,
            data: (*event).into(),
        };
        decoder.on(frame, &mut sink);
    }
    if !sink.has_fault() {
        decoder.end(End::Clean, &mut sink);
    }
    if let Some(failure) = sink.take_fault() {
        return Err(failure.kind);
    }
    let mut sequencer = Sequencer::new(EmptyReply::Pass);
    let mut out = Sink::new();
    for event in sink.items {
        sequencer.on(event, &mut out);
    }
    if let Some(failure) = out.take_fault() {
        return Err(failure.kind);
    }
    let reply = fold(out.items);
    let mut short: Vec<String> = reply
        .blocks
        .iter()
        .map(|block| match &**block {
            Block::Text {
                text, citations, ..
            } => format!(
                "text {text}{}",
                citations
                    .as_ref()
                    .map_or(String::new(), |cited| format!(" {}", cited.raw))
            ),
            Block::Refusal(text) => format!("refuse {text}"),
            Block::Thinking(thinking) => format!(
                "think {}|{}",
                thinking.text,
                thinking.signature.clone().unwrap_or_default()
            ),
            Block::ToolUse(call) => match &call.input {
                ToolInput::Json(input) => format!("call {} {} {input}", call.id, call.name),
                ToolInput::Freeform(input) => format!("custom {} {} {input}", call.id, call.name),
            },
            Block::Image(_) => "image".to_owned(),
            Block::Foreign(foreign) => foreign.raw.to_string(),
            other => panic!("{other:?}"),
        })
        .collect();
    short.push(format!("{:?}", reply.stop.unwrap().reason));
    Ok(short)
}

#[track_caller]
fn check(events: &[&str], expected: &[&str]) {
    assert_eq!(read(events).unwrap(), expected);
}

const END: &str = r#"{"type":"response.completed","response":{"status":"completed","output":[]}}"#;

#[test]
fn items_that_come_only_when_they_are_done() {
    check(
        &[
            r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"reasoning","id":"rs","summary":[{"type":"summary_text","text":"a"}],"encrypted_content":"E"}}"#,
            r#"{"type":"response.output_item.done","output_index":1,"item":{"type":"message","content":[{"type":"output_text","text":"Hi","annotations":[{"type":"url_citation","url":"u"}]}]}}"#,
            r#"{"type":"response.output_item.done","output_index":2,"item":{"type":"function_call","call_id":"c","name":"f","arguments":"{}"}}"#,
            END,
        ],
        &[
            "think a|E",
            r#"text Hi [{"type":"url_citation","url":"u"}]"#,
            "call c f {}",
            "ToolUse",
        ],
    );
}

#[test]
fn items_that_come_only_in_the_response() {
    check(
        &[
            r#"{"type":"response.created","response":{"id":"r"}}"#,
            r#"{"type":"response.completed","response":{"status":"completed","output":[{"type":"message","id":"m","content":[{"type":"output_text","text":"Hi"}]},{"type":"custom_tool_call","call_id":"c","name":"p","input":"x"}]}}"#,
        ],
        &["text Hi", "custom c p x", "ToolUse"],
    );
}

#[test]
fn nothing_is_told_twice() {
    let text = r#"{"type":"response.output_text.delta","item_id":"m","output_index":0,"content_index":0,"delta":"Hel"}"#;
    check(
        &[
            r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"message","id":"m","content":[]}}"#,
            r#"{"type":"response.content_part.added","item_id":"m","output_index":0,"content_index":0,"part":{"type":"output_text","text":""}}"#,
            text,
            r#"{"type":"response.output_text.done","item_id":"m","output_index":0,"content_index":0,"text":"Hello"}"#,
            r#"{"type":"response.content_part.done","item_id":"m","output_index":0,"content_index":0,"part":{"type":"output_text","text":"Hello"}}"#,
            r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"message","id":"m","content":[{"type":"output_text","text":"Hello"}]}}"#,
            r#"{"type":"response.completed","response":{"status":"completed","output":[{"type":"message","id":"m","content":[{"type":"output_text","text":"Hello"}]}]}}"#,
        ],
        &["text Hello", "EndTurn"],
    );
    check(&[text, END], &["text Hel", "EndTurn"]);
}

#[test]
fn items_may_grow_at_once_and_lack_their_marks() {
    check(
        &[
            r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"function_call","id":"a","call_id":"c0","name":"f","arguments":""}}"#,
            r#"{"type":"response.output_item.added","output_index":1,"item":{"type":"function_call","id":"b","call_id":"c1","name":"g","arguments":""}}"#,
            r#"{"type":"response.function_call_arguments.delta","item_id":"b","output_index":1,"delta":"{\"y\""}"#,
            r#"{"type":"response.function_call_arguments.delta","item_id":"a","delta":"{\"x\":1}"}"#,
            r#"{"type":"response.function_call_arguments.delta","item_id":"b","delta":":2}"}"#,
            END,
        ],
        &[r#"call c0 f {"x":1}"#, r#"call c1 g {"y":2}"#, "ToolUse"],
    );
    // No indexes and ids at all: an event is about the item that is open.
    check(
        &[
            r#"{"type":"response.output_item.added","item":{"type":"custom_tool_call","call_id":"c","name":"p"}}"#,
            r#"{"type":"response.custom_tool_call_input.delta","delta":"a\n"}"#,
            r#"{"type":"response.output_item.done","item":{"type":"custom_tool_call","call_id":"c","name":"p","input":"a\nb"}}"#,
            r#"{"type":"response.output_text.delta","delta":"Hi"}"#,
            END,
        ],
        &["custom c p a\nb", "text Hi", "ToolUse"],
    );
}

#[test]
fn reasoning_has_one_source_and_one_token() {
    check(
        &[
            r#"{"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":0,"delta":"a"}"#,
            r#"{"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":1,"delta":"b"}"#,
            r#"{"type":"response.reasoning_text.delta","output_index":0,"content_index":0,"delta":"raw"}"#,
            r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"reasoning","summary":[{"text":"a"},{"text":"b"}],"content":[{"text":"raw"}],"encrypted_content":"E"}}"#,
            r#"{"type":"response.reasoning_text.delta","output_index":1,"content_index":0,"delta":"open"}"#,
            r#"{"type":"response.output_item.done","output_index":2,"item":{"type":"reasoning","summary":[],"encrypted_content":"H"}}"#,
            END,
        ],
        &["think a\n\nb|E", "think open|", "think |H", "EndTurn"],
    );
}

#[test]
fn hosted_steps_and_pictures_are_items_of_their_own() {
    check(
        &[
            r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"web_search_call","id":"w","status":"in_progress"}}"#,
            r#"{"type":"response.web_search_call.searching","output_index":0,"item_id":"w"}"#,
            r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"web_search_call","id":"w","status":"completed"}}"#,
            r#"{"type":"response.output_item.done","output_index":1,"item":{"type":"image_generation_call","id":"i","result":"aGk="}}"#,
            END,
        ],
        &[
            r#"{"type":"web_search_call","id":"w","status":"completed"}"#,
            "image",
            "EndTurn",
        ],
    );
}

#[test]
fn why_it_ends() {
    let text = r#"{"type":"response.output_text.delta","output_index":0,"delta":"x"}"#;
    for (response, reason) in [
        (
            r#"{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"}}"#,
            "MaxTokens",
        ),
        (
            r#"{"status":"incomplete","incomplete_details":{"reason":"content_filter"}}"#,
            "Refusal",
        ),
        (r#"{"status":"incomplete"}"#, "MaxTokens"),
        (
            r#"{"status":"completed","incomplete_details":null}"#,
            "EndTurn",
        ),
        ("{}", "EndTurn"),
    ] {
        let end = format!(r#"{{"type":"response.completed","response":{response}}}"#);
        check(&[text, &end], &["text x", reason]);
    }
    check(
        &[
            r#"{"type":"response.refusal.delta","output_index":0,"content_index":0,"delta":"no"}"#,
            END,
        ],
        &["refuse no", "Refusal"],
    );
}

#[test]
fn what_is_no_end_is_a_fault() {
    let text = r#"{"type":"response.output_text.delta","output_index":0,"delta":"x"}"#;
    let half = r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"function_call","call_id":"c","name":"f","arguments":"{\"a\":"}}"#;
    for (events, kind) in [
        (vec![text], FailureKind::Truncated),
        (vec!["<html>"], FailureKind::Malformed),
        (vec![text, "[DONE]"], FailureKind::Truncated),
        (
            vec![
                text,
                r#"{"type":"error","code":"rate_limit_exceeded","message":"m"}"#,
            ],
            FailureKind::RateLimit,
        ),
        (
            vec![r#"{"type":"error","error":{"code":"server_error","message":"m"}}"#],
            FailureKind::Server,
        ),
        (
            vec![r#"{"error":{"code":"insufficient_quota","message":"m"}}"#],
            FailureKind::Billing,
        ),
        (
            vec![
                text,
                r#"{"type":"response.failed","response":{"status":"failed","error":{"code":"context_length_exceeded","message":"m"}}}"#,
            ],
            FailureKind::ContextOverflow {
                tokens: None,
                maximum: None,
            },
        ),
        (
            vec![
                text,
                r#"{"type":"response.cancelled","response":{"status":"cancelled"}}"#,
            ],
            FailureKind::Truncated,
        ),
        (vec![half, END], FailureKind::BrokenToolCall),
    ] {
        assert_eq!(read(&events).unwrap_err(), kind, "{events:?}");
    }
    let cut = r#"{"type":"response.incomplete","response":{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"}}}"#;
    check(&[half, cut], &[r#"call c f {"a":"#, "MaxTokens"]);
}

#[test]
fn usage_and_names_are_told() {
    let mut decoder = StreamIn::default();
    let mut sink = Sink::new();
    for data in [
        r#"{"type":"response.created","response":{"id":"r","model":"m"}}"#,
        r#"{"type":"response.in_progress","response":{"id":"r"}}"#,
        r#"{"type":"response.completed","response":{"usage":{"input_tokens":3,"output_tokens":2}}}"#,
    ] {
        let frame = Frame {
            event: None,
            data: data.into(),
        };
        decoder.on(frame, &mut sink);
    }
    let Event::Start(start) = &sink.items[0] else {
        panic!("{:?}", sink.items);
    };
    assert_eq!(start.id.clone().unwrap(), "r");
    assert_eq!(start.model.clone().unwrap(), "m");
    assert_eq!(sink.items[1], Event::Ping);
    let Event::Usage(usage) = &sink.items[2] else {
        panic!("{:?}", sink.items);
    };
    assert_eq!((usage.input, usage.output), (Some(3), Some(2)));
    assert!(decoder.stopped().is_some());
}

/// What was passed on stays; that a later telling was another is noted, once for each text.
#[test]
fn a_later_telling_that_is_another_is_noted() {
    let check = |events: &[&str], expected: &[&str], n_notes: usize| {
        let mut decoder = StreamIn::default();
        let mut sink = Sink::new();
        for event in events {
            let frame = Frame {
                event: None,
                data: (*event).into(),
            };
            decoder.on(frame, &mut sink);
        }
        let noted = |note: &&Note| matches!(note, Note::Diag("told_differently"));
        assert_eq!(
            sink.notes.iter().filter(noted).count(),
            n_notes,
            "{events:?}"
        );
        let due: Vec<String> = expected.iter().map(|text| (*text).to_owned()).collect();
        assert_eq!(read(events).unwrap(), due, "{events:?}");
    };
    let text = |whole: &str| {
        let done = format!(
            r#"{{"type":"response.output_text.done","output_index":0,"content_index":0,"text":"{whole}"}}"#
        );
        let item = format!(
            r#"{{"type":"response.output_item.done","output_index":0,"item":{{"type":"message","content":[{{"type":"output_text","text":"{whole}"}}]}}}}"#
        );
        [r#"{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"Hello"}"#.to_owned(), done, item,
         r#"{"type":"response.completed","response":{}}"#.to_owned()]
    };
    let call = |arguments: &str| {
        [r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"function_call","call_id":"c","name":"f"}}"#.to_owned(),
         r#"{"type":"response.function_call_arguments.delta","output_index":0,"delta":"{\"a\":1}"}"#.to_owned(),
         format!(r#"{{"type":"response.output_item.done","output_index":0,"item":{{"type":"function_call","call_id":"c","name":"f","arguments":"{arguments}"}}}}"#),
         r#"{"type":"response.completed","response":{}}"#.to_owned()]
    };
    for (events, expected, n_notes) in [
        (text("Hello"), ["text Hello", "EndTurn"], 0),
        (text("Hello, you"), ["text Hello, you", "EndTurn"], 0),
        (text("Goodbye"), ["text Hello", "EndTurn"], 1),
        (call(r#"{\"a\":1}"#), [r#"call c f {"a":1}"#, "ToolUse"], 0),
        (call(r#"{\"a\":2}"#), [r#"call c f {"a":1}"#, "ToolUse"], 1),
    ] {
        let events: Vec<&str> = events.iter().map(String::as_str).collect();
        check(&events, &expected, n_notes);
    }
}

/// Items are found by place, by id and as the newest that is open, also where a host counts from another number at the end.
#[test]
fn items_are_found_however_they_are_named() {
    let events = [
        r#"{"type":"response.output_item.added","output_index":3,"item":{"id":"a","type":"message"}}"#,
        r#"{"type":"response.output_text.delta","item_id":"a","delta":"one"}"#,
        r#"{"type":"response.output_item.added","output_index":4,"item":{"id":"b","type":"message"}}"#,
        r#"{"type":"response.output_text.delta","delta":" two"}"#,
        r#"{"type":"response.output_item.done","output_index":4,"item":{"id":"b","type":"message"}}"#,
        r#"{"type":"response.output_text.delta","delta":" three"}"#,
        r#"{"type":"response.completed","response":{"output":[
            {"id":"a","type":"message","content":[{"type":"output_text","text":"one three"}]},
            {"id":"b","type":"message","content":[{"type":"output_text","text":" two"}]},
            {"id":"c","type":"message","content":[{"type":"output_text","text":"four"}]}]}}"#,
    ];
    let expected = ["text one three", "text  two", "text four", "EndTurn"];
    assert_eq!(read(&events).unwrap(), expected);
}
