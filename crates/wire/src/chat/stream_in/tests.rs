use crate::turn::{Block, EmptyReply, Sequencer, ToolInput, Usage, fold};

use super::*;

/// What became of a stream: its blocks as words, its stop reason or failure, the cases noticed.
#[derive(Debug, Default)]
struct Outcome {
    blocks: Vec<String>,
    end: String,
    usage: Usage,
    notes: Vec<Note>,
}

/// Runs data lines through the decoder and the sequencer.
fn run(lines: &[&str], end: End) -> Outcome {
    let mut decoder = StreamIn::default();
    let mut decoded = Sink::new();
    for line in lines {
        decoder.on(
            Frame {
                event: None,
                data: (*line).into(),
            },
            &mut decoded,
        );
    }
    if !decoded.has_fault() {
        decoder.end(end, &mut decoded);
    }
    let mut sequencer = Sequencer::new(EmptyReply::Pass);
    let mut sequenced = Sink::new();
    for event in std::mem::take(&mut decoded.items) {
        sequencer.on(event, &mut sequenced);
    }
    let failure = sequenced.take_fault().or_else(|| decoded.take_fault());
    let reply = fold(sequenced.items);
    let end = match (failure, &reply.stop) {
        (Some(failure), _) => format!("{:?}: {}", failure.kind, failure.message),
        (None, Some(stop)) => format!("{:?}", stop.reason),
        (None, None) => "nothing".to_owned(),
    };
    Outcome {
        blocks: reply.blocks.iter().map(|block| words(block)).collect(),
        end,
        usage: reply.usage,
        notes: decoded.notes,
    }
}

fn words(block: &Block) -> String {
    match block {
        Block::Text { text, .. } => format!("text {text}"),
        Block::Refusal(text) => format!("refuse {text}"),
        Block::Thinking(thinking) => match &thinking.signature {
            None => format!("think {}", thinking.text),
            Some(signature) => format!("think {} sealed {signature}", thinking.text),
        },
        Block::ToolUse(call) => match &call.input {
            ToolInput::Json(input) => format!("call {} {} {input}", call.id, call.name),
            ToolInput::Freeform(input) => format!("free {} {} {input}", call.id, call.name),
        },
        other => format!("{other:?}"),
    }
}

fn delta(delta: &str) -> String {
    format!(r#"{{"id":"c","choices":[{{"index":0,"delta":{delta},"finish_reason":null}}]}}"#)
}

/// A stream of these deltas that ends by the book gives these blocks.
#[track_caller]
fn check(deltas: &[&str], blocks: &[&str]) {
    let mut lines: Vec<String> = deltas.iter().map(|text| delta(text)).collect();
    lines.push(r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#.to_owned());
    lines.push("[DONE]".to_owned());
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    assert_eq!(run(&lines, End::Clean).blocks, blocks, "{deltas:?}");
}

/// The same for the entries of `tool_calls` of each delta.
#[track_caller]
fn check_calls(entries: &[&str], blocks: &[&str]) {
    let deltas: Vec<String> = entries
        .iter()
        .map(|list| format!(r#"{{"tool_calls":[{list}]}}"#))
        .collect();
    let deltas: Vec<&str> = deltas.iter().map(String::as_str).collect();
    check(&deltas, blocks);
}

#[test]
fn text_reasoning_and_refusals() {
    check(
        &[
            r#"{"role":"assistant","content":null}"#,
            r#"{"content":"Hi"}"#,
        ],
        &["text Hi"],
    );
    check(
        &[
            r#"{"reasoning":"a"}"#,
            r#"{"content":"","reasoning":"b"}"#,
            r#"{"content":"c"}"#,
        ],
        &["think ab", "text c"],
    );
    check(
        &[r#"{"reasoning_content":"a","content":"b"}"#],
        &["think a", "text b"],
    );
    check(
        &[r#"{"content":"a"}"#, r#"{"refusal":"no"}"#],
        &["text a", "refuse no"],
    );
    check(
        &[
            r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"a"}]},{"type":"text","text":"b"}]}"#,
        ],
        &["think a", "text b"],
    );
    check(
        &[r#"{"content":[{"type":"thinking","thinking":"a"}]}"#],
        &["think a"],
    );
}

#[test]
fn reasoning_said_twice_is_heard_once() {
    let both =
        r#"{"reasoning":"a","reasoning_details":[{"type":"reasoning.text","text":"a","index":0}]}"#;
    check(
        &[both, both],
        &[r#"think aa sealed [{"type":"reasoning.text","text":"aa","index":0}]"#],
    );
    check(
        &[
            r#"{"reasoning_content":"a","reasoning":"a"}"#,
            r#"{"reasoning":"b"}"#,
        ],
        &["think a"],
    );
    check(
        &[r#"{"reasoning_details":[{"type":"reasoning.text","text":"a"}]}"#],
        &["think a"],
    );
}

#[test]
fn what_details_hold_beyond_text_is_kept() {
    check(
        &[
            r#"{"reasoning":"a","reasoning_details":[{"type":"reasoning.text","text":"a","index":0}]}"#,
            r#"{"reasoning_details":[{"type":"reasoning.text","signature":"S","index":0}]}"#,
            r#"{"content":"b"}"#,
        ],
        &[
            r#"think a sealed [{"type":"reasoning.text","text":"a","index":0,"signature":"S"}]"#,
            "text b",
        ],
    );
    check(
        &[
            r#"{"content":"b"}"#,
            r#"{"reasoning_details":[{"type":"reasoning.encrypted","data":"D"}]}"#,
        ],
        &[
            "text b",
            r#"think  sealed [{"type":"reasoning.encrypted","data":"D"}]"#,
        ],
    );
    // The signature comes behind the text: the whole item once more.
    check(
        &[
            r#"{"reasoning_details":[{"type":"reasoning.text","text":"a","index":0}]}"#,
            r#"{"content":"b"}"#,
            r#"{"reasoning_details":[{"type":"reasoning.text","signature":"S","index":0}]}"#,
        ],
        &[
            r#"think a sealed [{"type":"reasoning.text","text":"a","index":0}]"#,
            "text b",
            r#"think  sealed [{"type":"reasoning.text","text":"a","index":0,"signature":"S"}]"#,
        ],
    );
}

#[test]
fn calls_by_the_book() {
    check_calls(
        &[
            r#"{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}},{"index":1,"id":"b","function":{"name":"g","arguments":""}}"#,
            r#"{"index":1,"function":{"arguments":"{\"y\":"}}"#,
            r#"{"index":0,"function":{"arguments":"{}"}}"#,
            r#"{"index":1,"function":{"arguments":"2}"}}"#,
        ],
        &["call a f {}", r#"call b g {"y":2}"#],
    );
}

#[test]
fn calls_without_index_or_with_one_index_for_two() {
    let two = [
        r#"{"id":"a","function":{"name":"f","arguments":"{}"}}"#,
        r#"{"id":"b","function":{"name":"g","arguments":"{}"}}"#,
    ];
    check_calls(&two, &["call a f {}", "call b g {}"]);
    check_calls(&[&two.join(",")], &["call a f {}", "call b g {}"]);
    check_calls(
        &[
            r#"{"function":{"name":"f","arguments":"{}"}},{"function":{"name":"g","arguments":"{}"}}"#,
        ],
        &["call  f {}", "call  g {}"],
    );
    check_calls(
        &[
            r#"{"function":{"name":"f","arguments":"{\"x\":"}}"#,
            r#"{"function":{"arguments":"1}"}}"#,
            r#"{"function":{"name":"g","arguments":"{}"}}"#,
        ],
        &[r#"call  f {"x":1}"#, "call  g {}"],
    );
    let same_index = two.map(|entry| entry.replace("{\"id\"", "{\"index\":0,\"id\""));
    check_calls(
        &[&same_index[0], &same_index[1]],
        &["call a f {}", "call b g {}"],
    );
    check_calls(
        &[
            r#"{"index":0,"id":"a","function":{"name":"f","arguments":""}}"#,
            r#"{"index":0,"id":"b","function":{"name":"g","arguments":""}}"#,
        ],
        &["call a f {}", "call b g {}"],
    );
}

#[test]
fn one_index_for_two_calls_without_ids() {
    let entry = |id: &str, name: &str, arguments: &str| {
        format!(r#"{{"index":0{id},"function":{{"name":"{name}","arguments":"{arguments}"}}}}"#)
    };
    for id in ["", r#","id":"""#] {
        for name in ["f", "g"] {
            for arguments in ["{}", r#"{\"x\":1}"#] {
                let two = [entry(id, "f", arguments), entry(id, name, arguments)];
                let arguments = arguments.replace('\\', "");
                let calls = [
                    format!("call  f {arguments}"),
                    format!("call  {name} {arguments}"),
                ];
                let calls = calls.each_ref().map(String::as_str);
                check_calls(&[&two[0], &two[1]], &calls);
                check_calls(&[&two.join(",")], &calls);
            }
        }
    }
    let behind = r#"{"index":0,"function":{"arguments":"{\"y\":2}"}}"#;
    let whole = entry("", "f", r#"{\"x\":1}"#);
    check_calls(
        &[&whole, &entry("", "g", ""), behind],
        &[r#"call  f {"x":1}"#, r#"call  g {"y":2}"#],
    );
    check_calls(
        &[&[entry("", "f", ""), entry("", "g", "")].join(","), behind],
        &["call  f {}", r#"call  g {"y":2}"#],
    );
    check_calls(&[&whole, &entry("", "f", "")], &[r#"call  f {"x":1}"#]);
}

#[test]
fn an_id_for_every_piece() {
    let piece = |id: &str, name: &str, arguments: &str| {
        format!(
            r#"{{"index":0,"id":"{id}","function":{{"name":"{name}","arguments":"{arguments}"}}}}"#
        )
    };
    check_calls(
        &[
            &piece("a", "f", ""),
            &piece("b", "f", r#"{\"x\":"#),
            &piece("c", "f", "1}"),
            &piece("d", "f", ""),
        ],
        &[r#"call a f {"x":1}"#],
    );
    check_calls(
        &[
            &piece("a", "f", r#"{\"x\":"#),
            &piece("b", "f", "1}"),
            &piece("c", "g", "{}"),
        ],
        &[r#"call a f {"x":1}"#, "call c g {}"],
    );
}

#[test]
fn ids_and_names_repeated_or_in_pieces() {
    let repeated = |piece: &str| {
        format!(r#"{{"index":0,"id":"a","function":{{"name":"f","arguments":"{piece}"}}}}"#)
    };
    check_calls(
        &[&repeated(""), &repeated("{"), &repeated("}")],
        &["call a f {}"],
    );
    check_calls(
        &[
            r#"{"index":0,"id":"a","function":{"name":"get_"}}"#,
            r#"{"index":0,"function":{"name":"weather"}}"#,
            r#"{"index":0,"function":{"arguments":"{}"}}"#,
        ],
        &["call a get_weather {}"],
    );
    check_calls(
        &[
            r#"{"index":0,"id":"a","function":{"name":"get_"}}"#,
            r#"{"index":0,"id":"a","function":{"name":"get_weather","arguments":"{}"}}"#,
        ],
        &["call a get_weather {}"],
    );
    check_calls(
        &[r#"{"index":0,"id":7,"function":{"name":15,"arguments":"{}"}}"#],
        &["call 7 15 {}"],
    );
}

#[test]
fn arguments_before_the_name_as_an_object_or_behind_a_placeholder() {
    check_calls(
        &[
            r#"{"index":0,"id":"a","function":{"arguments":"{\"x\":"}}"#,
            r#"{"index":0,"function":{"name":"f","arguments":"1}"}}"#,
        ],
        &[r#"call a f {"x":1}"#],
    );
    check_calls(
        &[r#"{"id":"a","function":{"name":"f","arguments":{"x": 1.50}}}"#],
        &[r#"call a f {"x": 1.50}"#],
    );
    let placeholder = |first: &str| {
        format!(r#"{{"index":0,"id":"a","function":{{"name":"f","arguments":{first}}}}}"#)
    };
    let real = r#"{"index":0,"function":{"arguments":"{\"x\":1}"}}"#;
    check_calls(&[&placeholder("\"{}\""), real], &[r#"call a f {"x":1}"#]);
    check_calls(&[&placeholder("{}"), real], &[r#"call a f {"x":1}"#]);
    check_calls(&[&placeholder("\"{}\"")], &["call a f {}"]);
    check_calls(&[&placeholder("null")], &["call a f {}"]);
}

#[test]
fn names_that_occur_twice_are_passed_on() {
    let twice = r#"{"content":"a","role":"assistant","role":"assistant"}"#;
    check(&[twice], &["text a"]);
    check_calls(
        &[r#"{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":1,\"x\":2}"}}"#],
        &[r#"call a f {"x":1,"x":2}"#],
    );
}

#[test]
fn legacy_and_free_text_calls() {
    let old = r#"{"function_call":{"name":"f","arguments":"{\"x\":"}}"#;
    check(
        &[old, r#"{"function_call":{"arguments":"1}"}}"#],
        &[r#"call  f {"x":1}"#],
    );
    let both = |piece: &str| {
        format!(
            r#"{{"function_call":{{"name":"f","arguments":"{piece}"}},"tool_calls":[{{"index":0,"id":"a","function":{{"name":"f","arguments":"{piece}"}}}}]}}"#
        )
    };
    check(&[&both("{"), &both("}")], &["call a f {}"]);
    check_calls(
        &[r#"{"index":0,"id":"a","type":"custom","custom":{"name":"p","input":"*** x"}}"#],
        &["free a p *** x"],
    );
}

#[test]
fn blocks_keep_the_order_they_began_in() {
    check(
        &[
            r#"{"content":"a"}"#,
            r#"{"tool_calls":[{"index":0,"id":"x","function":{"name":"f","arguments":""}}]}"#,
            r#"{"content":"b"}"#,
            r#"{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]}"#,
        ],
        &["text a", "call x f {}", "text b"],
    );
}

#[test]
fn every_way_to_end() {
    let text = delta(r#"{"content":"x"}"#);
    let stop = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
    let broken = || End::Broken(Failure::new(FailureKind::Server, "reset"));
    let cases: [(&[&str], End, &str); 11] = [
        (&[&text, stop, "[DONE]"], End::Clean, "EndTurn"),
        (&[&text, stop, " [DONE] ", "[DONE]"], End::Clean, "EndTurn"),
        (&[&text, stop], End::Clean, "EndTurn"),
        (&[&text, stop], End::Truncated, "EndTurn"),
        (&[&text, stop], broken(), "EndTurn"),
        (&[&text, "[DONE]"], End::Clean, "EndTurn"),
        (
            &[&text],
            End::Clean,
            "Truncated: the upstream's stream ended early",
        ),
        (
            &[],
            End::Clean,
            "Truncated: the upstream's stream ended early",
        ),
        (&[&text], broken(), "Server: reset"),
        (
            &["<html>"],
            End::Clean,
            "Malformed: the upstream's stream is not one of chat completion chunks",
        ),
        (&["broken", &text, stop], End::Clean, "EndTurn"),
    ];
    for (lines, end, expected) in cases {
        assert_eq!(run(lines, end).end, expected, "{lines:?}");
    }
}

#[test]
fn errors_inside_a_stream() {
    let text = delta(r#"{"content":"partial"}"#);
    let cases = [
        (
            r#"{"error":{"code":502,"message":"Provider disconnected"},"choices":[{"delta":{"content":""},"finish_reason":"error"}]}"#,
            "Server: Provider disconnected",
        ),
        (
            r#"{"choices":[{"delta":{},"finish_reason":"error"}]}"#,
            "Server: the upstream failed while it was answering",
        ),
        (
            r#"{"error":{"message":"slow down","type":"rate_limit_error"}}"#,
            "RateLimit: slow down",
        ),
        (
            r#"{"base_resp":{"status_code":1008,"status_msg":"insufficient balance"}}"#,
            "Billing: insufficient balance",
        ),
        (
            r#"{"error":{"message":"Failed to call a function.","type":"invalid_request_error","code":"tool_use_failed","failed_generation":"<f>"}}"#,
            "BrokenToolCall: Failed to call a function.",
        ),
    ];
    for (chunk, end) in cases {
        let outcome = run(&[&text, chunk, "[DONE]"], End::Clean);
        assert_eq!(
            (outcome.end.as_str(), outcome.blocks.len()),
            (end, 0),
            "the text block did not close"
        );
    }
}

#[test]
fn an_event_named_error_and_a_call_without_a_name() {
    let mut decoder = StreamIn::default();
    let mut sink = Sink::new();
    let frame = Frame {
        event: Some("error".into()),
        data: r#"{"message":"boom","code":503}"#.into(),
    };
    decoder.on(frame, &mut sink);
    let failure = sink.take_fault().unwrap();
    assert_eq!(
        (failure.kind, failure.message.as_str()),
        (FailureKind::Overloaded, "boom")
    );
    let frame = Frame {
        event: Some("error".into()),
        data: "upstream connect error".into(),
    };
    StreamIn::default().on(frame, &mut sink);
    assert_eq!(sink.take_fault().unwrap().message, "upstream connect error");
    let nameless = delta(r#"{"tool_calls":[{"index":0,"id":"a","function":{"arguments":"{}"}}]}"#);
    assert_eq!(
        run(&[&nameless, "[DONE]"], End::Clean).end,
        "BrokenToolCall: upstream tool call has no name"
    );
}

#[test]
fn usage_wherever_it_stands() {
    let stop = r#"{"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":"stop"}]}"#;
    let count = r#"{"prompt_tokens":100,"completion_tokens":7,"prompt_tokens_details":{"cached_tokens":60}}"#;
    let early = r#"{"choices":[],"usage":{"prompt_tokens":100,"completion_tokens":1}}"#;
    let cases = [
        vec![
            stop.to_owned(),
            format!(r#"{{"choices":[],"usage":{count}}}"#),
        ],
        vec![stop.replace("\"stop\"}", &format!("\"stop\",\"usage\":{count}}}"))],
        vec![
            early.to_owned(),
            stop.replace("]}", &format!("],\"usage\":{count}}}")),
        ],
        vec![stop.replace(
            "]}",
            &format!("],\"x_host\":{{\"id\":\"r\",\"usage\":{count}}}}}"),
        )],
        vec![stop.replace(
            "]}",
            &format!("],\"usage\":null,\"x_host\":{{\"usage\":{count}}}}}"),
        )],
    ];
    for lines in cases {
        let lines: Vec<&str> = lines.iter().map(String::as_str).chain(["[DONE]"]).collect();
        let usage = run(&lines, End::Clean).usage;
        assert_eq!(
            (usage.input, usage.cache_read, usage.output),
            (Some(40), Some(60), Some(7)),
            "{lines:?}"
        );
    }
}

#[test]
fn a_message_instead_of_deltas_or_behind_them() {
    let message = r#"{"choices":[{"message":{"content":"x"},"finish_reason":"stop"}]}"#;
    assert_eq!(run(&[message, "[DONE]"], End::Clean).blocks, ["text x"]);
    let text = delta(r#"{"content":"x"}"#);
    assert_eq!(
        run(&[&text, message, "[DONE]"], End::Clean).blocks,
        ["text x"]
    );
}

#[test]
fn a_broken_chunk_in_mid_stream_is_no_reply() {
    let text = delta(r#"{"content":"x"}"#);
    let finish = r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#;
    let broken = r#"{"choices":[{"delta":{"content":"lo"#;
    let check = |chunks: &[&str], expected: &str| {
        let end = run(chunks, End::Clean).end;
        assert!(end.contains(expected), "{chunks:?}: {end}");
    };
    check(&[&text, broken, finish], "Malformed");
    // Cut off with the stream, or behind the end: nothing is lost that was not told.
    check(&[&text, broken], "Truncated");
    check(&[&text, finish, broken], "EndTurn");
    check(&[&text, finish, broken, "[DONE]"], "EndTurn");
    // Some hosts say other things between the chunks.
    check(&[&text, "keep-alive", finish], "EndTurn");
}

#[test]
fn oddities_are_noted() {
    let notes = |chunk: &str| run(&[chunk, "[DONE]"], End::Clean).notes;
    let diag = |name| vec![Note::Diag(name), Note::Diag("no_finish_reason")];
    assert_eq!(notes("not json"), diag("malformed_chunk"));
    assert_eq!(
        notes(r#"{"choices":[{"delta":{},"finish_reason":"new_word"}]}"#),
        [Note::Diag("unknown_finish_reason")]
    );
    let lost = notes(
        r#"{"choices":[{"delta":{"annotations":[{"type":"url_citation"}]},"finish_reason":"stop"}]}"#,
    );
    assert_eq!(
        lost,
        [Note::Loss(Loss {
            path: "choices[0].annotations".into()
        })]
    );
    assert_eq!(
        notes(r#"{"choices":[{"index":1,"delta":{"content":"x"},"finish_reason":"stop"}]}"#).len(),
        1,
        "other choices are not read"
    );
}
