//! Recorded streams of real hosts, and the laws that hold for every stream.

use lingate_wire::turn::{Block, fold, replay};

use crate::chat_chain::{
    fixtures, lines, read_chat, through, to_anthropic, to_chat, write_anthropic,
};
use crate::vectors_stream::chat_stream;

/// Characters of every length, in text, reasoning and arguments, and the comments and blank lines hosts keep alive with.
const MANY_BYTES: &str = concat!(
    ": keep-alive\n\ndata: {\"choices\":[{\"delta\":{\"reasoning\":\"é→😀\"}}]}\n\n\n",
    "data:{\"choices\":[{\"delta\":{\"content\":\"é→😀\\ud83d\\ude00\"}}]}\n\n",
    "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":{\"é\":\"😀\"}}}]},\"finish_reason\":\"stop\"}]}\n\n",
    "data:  [DONE] \n\n",
);

/// Every stream fixture: the recorded ones, and those of the vectors.
fn streams() -> Vec<(String, String)> {
    let vectors = lines("vectors/stream.jsonl");
    let vectors = vectors.iter().map(|vector| {
        (
            vector["id"].to_string(),
            chat_stream(vector["chunks"].as_array().unwrap()),
        )
    });
    let own = [("many bytes".to_owned(), MANY_BYTES.to_owned())];
    fixtures("chat/streams")
        .into_iter()
        .chain(vectors)
        .chain(own)
        .collect()
}

#[test]
fn where_a_stream_is_cut_changes_nothing() {
    for (name, stream) in streams() {
        let bytes = stream.as_bytes();
        let whole = to_anthropic(&read_chat(&[bytes]));
        for at in 0..bytes.len() {
            let (head, tail) = bytes.split_at(at);
            assert_eq!(
                write_anthropic(&read_chat(&[head, tail])),
                whole,
                "{name} cut at {at}"
            );
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(
            write_anthropic(&read_chat(&single)),
            whole,
            "{name} in single bytes"
        );
        let windows = stream.replace('\n', "\r\n");
        assert_eq!(
            write_anthropic(&read_chat(&[windows.as_bytes()])),
            whole,
            "{name} with CRLF"
        );
    }
}

#[test]
fn recorded_streams_read_well() {
    let found: Vec<String> = fixtures("chat/streams")
        .iter()
        .map(|(name, stream)| {
            let read = read_chat(&[stream.as_bytes()]);
            drop(to_chat(&read));
            let end = read.fault.as_ref().map(|fault| fault.message.clone());
            let reply = fold(read.events);
            let end = end.unwrap_or_else(|| format!("{:?}", reply.stop.unwrap().reason));
            let blocks: Vec<String> = reply
                .blocks
                .iter()
                .map(|block| match &**block {
                    Block::Text { text, .. } => format!("text {text:?}"),
                    Block::Thinking(thinking) => format!("think {:?}", thinking.text),
                    Block::ToolUse(call) => format!("call {} {:?}", call.name, call.input),
                    other => format!("{other:?}"),
                })
                .collect();
            let usage = reply.usage;
            format!(
                "{name}: {} | {end} | {:?} {:?} {:?}",
                blocks.join(" "),
                usage.input,
                usage.cache_read,
                usage.output
            )
        })
        .collect();
    insta::assert_snapshot!(found.join("\n"));
}

#[test]
fn a_reply_is_the_same_as_a_stream_and_as_a_whole() {
    for (name, stream) in streams() {
        let read = read_chat(&[stream.as_bytes()]);
        if read.fault.is_some() {
            continue;
        }
        let reply = fold(read.events);
        assert_eq!(fold(replay(&reply)), reply, "{name}");
        let whole = lingate_wire::chat::encode_response(
            &reply,
            &crate::chat_chain::context(),
            lingate_wire::chat::CallStyle::Tools,
        );
        let whole = String::from_utf8(whole).unwrap();
        let read = through(
            lingate_wire::chat::decode_response(&whole.as_str().into()).unwrap_or_default(),
        );
        let again = fold(read.events);
        assert_eq!(again.stop, reply.stop, "{name} {whole}");
        assert_eq!(
            again.usage.total_input(),
            reply.usage.total_input().or(Some(0)),
            "{name} {whole}"
        );
        let calls = |reply: &lingate_wire::turn::Reply| -> Vec<String> {
            reply
                .blocks
                .iter()
                .filter(|block| matches!(&***block, Block::ToolUse(_)))
                .map(|block| format!("{:?}", **block))
                .collect()
        };
        if reply
            .stop
            .as_ref()
            .is_some_and(|stop| stop.reason != lingate_wire::turn::StopReason::MaxTokens)
        {
            assert_eq!(calls(&again), calls(&reply), "{name} {whole}");
        }
    }
}

#[test]
fn recorded_errors_read_well() {
    let found: Vec<String> = fixtures("chat/errors")
        .iter()
        .map(|(name, body)| {
            let status = name.split('.').nth(2).unwrap().parse().unwrap();
            let failure = lingate_wire::chat::decode_error(status, body.as_bytes());
            format!("{name}: {:?}: {}", failure.kind, failure.message)
        })
        .collect();
    insta::assert_snapshot!(found.join("\n"));
}
