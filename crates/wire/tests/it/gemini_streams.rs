//! The laws of streams on the Gemini wire, over every fixture and vector.

use bytestring::ByteString;
use lingate_wire::gemini::{self, Framing, grammar};
use lingate_wire::turn::{Block, Reply, ToolInput, fold, replay};
use serde_json::Value;

use crate::chat_chain::{
    Read, context, fixtures, lines, read_anthropic, read_chat, through, to_anthropic, to_chat,
};
use crate::gemini_chain::{parts, read_gemini, responses, to_gemini, whole};
use crate::vectors_stream::chat_stream;

fn streams() -> Vec<(String, String)> {
    fixtures("gemini/streams")
}

/// Every reply that other wires' vectors have.
fn vectors() -> Vec<(String, Read)> {
    let stream = lines("vectors/stream.jsonl").into_iter().map(|vector| {
        let text = chat_stream(vector["chunks"].as_array().unwrap());
        (vector["id"].to_string(), read_chat(&[text.as_bytes()]))
    });
    let reverse = lines("vectors/rev.jsonl").into_iter().map(|vector| {
        let event = |event: &Value| {
            format!(
                "event: {}\ndata: {event}\n\n",
                event["type"].as_str().unwrap()
            )
        };
        let text: String = vector["events"]
            .as_array()
            .unwrap()
            .iter()
            .map(event)
            .collect();
        (vector["id"].to_string(), read_anthropic(&text))
    });
    stream.chain(reverse).collect()
}

#[test]
fn streams_read_the_same_however_they_are_cut() {
    for (name, stream) in streams() {
        let bytes = stream.as_bytes();
        let expected = read_gemini(&[bytes]);
        let check = |pieces: &[&[u8]]| {
            let read = read_gemini(pieces);
            assert_eq!(read.events, expected.events, "{name}");
            assert_eq!(read.fault, expected.fault, "{name}");
        };
        for cut in 1..bytes.len() {
            check(&[&bytes[..cut], &bytes[cut..]]);
        }
        for size in [1, 2, 3, 5, 7, 64] {
            check(&bytes.chunks(size).collect::<Vec<_>>());
        }
    }
}

#[test]
fn a_stream_says_what_the_whole_reply_says() {
    for (name, stream) in streams() {
        let read = read_gemini(&[stream.as_bytes()]);
        let chunks: Vec<&str> = stream
            .lines()
            .filter_map(|line| line.strip_prefix("data: "))
            .collect();
        for body in [format!("[{}\n]", chunks.join(",\r\n")), stream.clone()] {
            let decoded = gemini::decode_response(&ByteString::from(body.as_str()));
            match (&read.fault, decoded) {
                (Some(fault), Err(failure)) => assert_eq!(*fault, failure, "{name}"),
                (None, Ok(events)) => assert_eq!(through(events).events, read.events, "{name}"),
                (fault, decoded) => panic!("{name}: {fault:?} {decoded:?}"),
            }
        }
    }
}

#[test]
fn folding_what_is_replayed_gives_the_reply() {
    for (name, stream) in streams() {
        let read = read_gemini(&[stream.as_bytes()]);
        if read.fault.is_none() {
            let reply = whole(&read);
            assert_eq!(fold(replay(&reply)), reply, "{name}");
        }
    }
}

/// What the fixtures mean, for review.
#[test]
fn streams_read_well() {
    let mut out = String::new();
    for (name, stream) in streams() {
        let read = read_gemini(&[stream.as_bytes()]);
        out.push_str(&format!("{name}\n"));
        for event in &read.events {
            out.push_str(&format!("  {event:?}\n"));
        }
        if let Some(fault) = &read.fault {
            out.push_str(&format!("  fault {:?}: {}\n", fault.kind, fault.message));
        }
    }
    insta::assert_snapshot!(out);
}

/// What clients of every wire are sent of a Gemini upstream's streams. The acceptors of those wires judge.
#[test]
fn streams_reach_every_client() {
    for (name, stream) in streams() {
        let read = read_gemini(&[stream.as_bytes()]);
        to_anthropic(&read);
        // The Chat wire's pictures are one provider's addition, which its acceptor does not know.
        if name != "picture.sse" {
            to_chat(&read);
        }
        for framing in [Framing::Sse, Framing::Array] {
            to_gemini(&read, framing, true);
        }
    }
}

/// Text, thoughts and calls of a reply.
fn said(reply: &Reply) -> Vec<String> {
    let mut said: Vec<String> = Vec::new();
    for block in &reply.blocks {
        let (kind, text) = match &**block {
            // Clients of this wire are shown a refusal as text.
            Block::Text { text, .. } | Block::Refusal(text) if !text.is_empty() => {
                ("text", text.to_string())
            }
            Block::Thinking(thinking) if !thinking.is_redacted => {
                ("think", thinking.text.to_string())
            }
            Block::ToolUse(call) => match &call.input {
                ToolInput::Json(input) => {
                    let input: Value = serde_json::from_str(input).unwrap_or(Value::Null);
                    if input.is_null() {
                        continue;
                    }
                    ("call", format!("{} {input}", call.name))
                }
                ToolInput::Freeform(text) => ("call", format!("{} {text}", call.name)),
            },
            _ => continue,
        };
        match said
            .last_mut()
            .filter(|last| last.starts_with(kind) && kind != "call")
        {
            Some(last) => last.push_str(&text),
            None => said.push(format!("{kind} {text}")),
        }
    }
    said
}

/// Every vector of every wire reaches a Gemini client in both framings, streamed or not, and says the same.
#[test]
fn every_vector_reaches_a_gemini_client() {
    for (id, read) in vectors() {
        for framing in [Framing::Sse, Framing::Array] {
            let stream = to_gemini(&read, framing, true);
            if read.fault.is_some() {
                assert!(
                    responses(&stream).last().unwrap().get("error").is_some(),
                    "{id}"
                );
                continue;
            }
            let reply = whole(&read);
            let chunks = Value::Array(responses(&stream)).to_string();
            let events = gemini::decode_response(&chunks.into()).unwrap();
            assert_eq!(said(&fold(events)), said(&reply), "{id}");

            let body = gemini::encode_response(&reply, &context(), true);
            assert_eq!(grammar::accept_response(&body), Ok(()), "{id}");
            let events = gemini::decode_response(&ByteString::try_from(body).unwrap()).unwrap();
            assert_eq!(said(&fold(events)), said(&reply), "{id}");
        }
    }
}

#[test]
fn thoughts_are_shown_to_whom_they_are_shown() {
    let (_, stream) = streams()
        .into_iter()
        .find(|(name, _)| name == "thinking_and_calls.sse")
        .unwrap();
    let read = read_gemini(&[stream.as_bytes()]);
    for (shows, expected) in [(true, 2), (false, 0)] {
        let parts = parts(&to_gemini(&read, Framing::Sse, shows));
        let thoughts = parts.iter().filter(|part| part["thought"] == true).count();
        assert_eq!(thoughts, expected);
    }
}

/// What Google's own clients wait behind forever, or take for the end.
#[test]
fn nothing_but_white_space_keeps_a_stream_alive() {
    use lingate_wire::StreamEncoder as _;
    for framing in [Framing::Sse, Framing::Array] {
        let mut encoder = gemini::StreamOut::new(context(), framing, true);
        let mut out = Vec::new();
        encoder.open(&mut out);
        encoder.keep_alive(&mut out);
        assert!(
            !out.is_empty() && out.iter().all(u8::is_ascii_whitespace),
            "{framing:?}"
        );
        encoder.nudge(&mut out);
        assert_eq!(
            parts(&format!(
                "{}{}",
                String::from_utf8(out).unwrap(),
                if framing == Framing::Array { "]" } else { "" }
            ))
            .len(),
            1
        );
    }
}

/// What the acceptor must not let through.
#[test]
fn the_acceptor_refuses() {
    let response = |parts: &str, rest: &str| {
        format!(
            r#"{{"candidates":[{{"content":{{"parts":[{parts}],"role":"model"}}{rest}}}],"modelVersion":"m","responseId":"r"}}"#
        )
    };
    let end = r#"{"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":1,"totalTokenCount":2},"modelVersion":"m","responseId":"r"}"#;
    let check = |chunks: &[&str], complaint: &str| {
        let stream: String = chunks
            .iter()
            .map(|chunk| format!("data: {chunk}\n\n"))
            .collect();
        let mut acceptor = grammar::Acceptor::new(Framing::Sse);
        let found = acceptor
            .feed(stream.as_bytes())
            .and_then(|()| acceptor.finish());
        match found {
            Ok(()) => assert_eq!(complaint, "", "{stream}"),
            Err(violation) => assert!(
                violation.0.contains(complaint) && !complaint.is_empty(),
                "{violation}"
            ),
        }
    };
    let text = response(r#"{"text":"x"}"#, "");
    check(&[&text, end], "");
    check(&[&text], "without a finish reason");
    check(&[end, &text], "follows the end");
    check(&[&response("", ""), end], "no parts");
    check(
        &[&response(r#"{"text":"x","inlineData":{}}"#, ""), end],
        "one kind",
    );
    check(
        &[
            &response(r#"{"functionCall":{"id":"a","name":"f","args":"{}"}}"#, ""),
            end,
        ],
        "not an object",
    );
    check(
        &[
            &response(r#"{"functionCall":{"name":"f","args":{}}}"#, ""),
            end,
        ],
        "id is empty",
    );
    check(
        &[
            &response(r#"{"text":"x","thoughtSignature":"lg1.a"}"#, ""),
            end,
        ],
        "not base64",
    );
    check(
        &[&response(r#"{"text":"x"}"#, r#","finishReason":"DONE""#)],
        "unknown",
    );
    check(&[&text.replace(r#""r""#, r#""other""#), end], "changes");
    check(&[r#"{"error":{"code":500,"message":"m"}}"#], "lacks code");
    let mut acceptor = grammar::Acceptor::new(Framing::Sse);
    assert!(acceptor.feed(b"\n: keep-alive\n\n").is_err());
}
