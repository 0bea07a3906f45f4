//! Answers without a cassette: one sentence, in the wire and the mode that was asked for.

use lingate_wire::bridge::{self, ReplyOptions};
use lingate_wire::gemini::Framing;
use lingate_wire::json::Text;
use lingate_wire::turn::{Block, Failure, Reply, Stop, StopReason, Usage, replay};
use lingate_wire::{ReplyContext, Wire};
use serde_json::json;

use super::answer::Answer;
use super::asked::{Asked, Endpoint};

/// What it says.
const SAID: [&str; 5] = ["This is ", "lingate mock: ", "no model ", "was ", "asked."];

/// An answer that is right.
pub(super) fn answer(asked: &Asked) -> Answer {
    match asked.endpoint {
        Endpoint::Count(wire) => count(wire, asked.body.len()),
        Endpoint::Reply(wire) if asked.streams => stream(wire, asked),
        Endpoint::Reply(wire) => Answer::whole(200, "application/json", whole(wire, asked)),
    }
}

/// The same as one document, whatever was asked for.
pub(super) fn whole(wire: Wire, asked: &Asked) -> Vec<u8> {
    bridge::encode_response_with(
        wire,
        &reply(asked, &SAID.concat()),
        &context(asked),
        &options(asked),
    )
}

/// A wire's own words for a failure, as one event of a stream.
pub(super) fn failed_event(wire: Wire, asked: &Asked, failure: &Failure) -> Vec<u8> {
    let mut out = Vec::new();
    bridge::stream_encoder_with(wire, context(asked), &options(asked)).fail(failure, &mut out);
    out
}

fn stream(wire: Wire, asked: &Asked) -> Answer {
    let mut encoder = bridge::stream_encoder_with(wire, context(asked), &options(asked));
    let mut pieces = Vec::new();
    let mut out = Vec::new();
    encoder.open(&mut out);
    for event in replay(&reply(asked, "")) {
        use lingate_wire::turn::{Delta, Event};
        match event {
            // A text comes in pieces.
            Event::Delta { slot, .. } => {
                for said in SAID {
                    let delta = Delta::Text(said.into());
                    encoder.event(&Event::Delta { slot, delta }, &mut out);
                    pieces.push(std::mem::take(&mut out));
                }
            }
            event => {
                encoder.event(&event, &mut out);
                pieces.push(std::mem::take(&mut out));
            }
        }
    }
    pieces.retain(|piece| !piece.is_empty());
    let answer = Answer::stream(pieces);
    if wire == Wire::Gemini && !asked.is_sse {
        return Answer {
            steps: answer.steps,
            ..Answer::whole(200, "application/json", "")
        };
    }
    answer
}

fn count(wire: Wire, bytes: usize) -> Answer {
    let tokens = bytes / 4;
    let body = match wire {
        Wire::Gemini => json!({"totalTokens": tokens}),
        Wire::Responses => json!({"object": "response.input_tokens", "input_tokens": tokens}),
        Wire::Anthropic | Wire::Chat => json!({"input_tokens": tokens}),
    };
    Answer::whole(200, "application/json", body.to_string())
}

fn reply(asked: &Asked, text: &str) -> Reply {
    let tokens = (asked.body.len() / 4) as u64;
    // An empty text would be left out, and with it the place for its pieces.
    let text = if text.is_empty() { " " } else { text };
    Reply {
        id: Some("mock".into()),
        model: Some(Text::from(asked.model.as_str())),
        blocks: vec![Block::text(text.into()).into()],
        stop: Some(Stop::new(StopReason::EndTurn)),
        usage: Usage {
            input: Some(tokens),
            output: Some(SAID.len() as u64),
            ..Usage::default()
        },
    }
}

fn context(asked: &Asked) -> ReplyContext {
    ReplyContext {
        exchange: "00000000-0000-7000-8000-000000000000".to_owned(),
        model: Text::from(asked.model.as_str()),
        created: 0,
        input_estimate: (asked.body.len() / 4) as u64,
    }
}

fn options(asked: &Asked) -> ReplyOptions {
    ReplyOptions {
        sends_usage: asked.sends_usage,
        framing: if asked.is_sse {
            Framing::Sse
        } else {
            Framing::Array
        },
        ..ReplyOptions::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(path: &str, query: &str, streams: bool) -> Asked {
        let body =
            json!({"model": "any", "stream": streams, "stream_options": {"include_usage": true}});
        Asked::new(path, query, body.to_string().into_bytes()).unwrap()
    }

    #[test]
    fn every_wire_can_be_read_streamed_and_whole() {
        let paths = ["/v1/messages", "/v1/chat/completions", "/v1/responses"];
        let mut all = Vec::new();
        for path in paths {
            all.extend([asked(path, "", false), asked(path, "", true)]);
        }
        all.push(asked("/v1beta/models/any:generateContent", "", false));
        all.push(asked(
            "/v1beta/models/any:streamGenerateContent",
            "alt=sse",
            true,
        ));
        all.push(asked("/v1beta/models/any:streamGenerateContent", "", true));
        for asked in all {
            let body = answer(&asked).body();
            let read = crate::logs::answer::read(asked.endpoint.wire(), &body);
            let text = String::from_utf8(body.clone()).unwrap();
            assert_eq!(
                (&*read.text, read.stop, &read.failure),
                (&*SAID.concat(), Some("end_turn"), &None),
                "{asked:?} {text}"
            );
        }
    }

    #[test]
    fn counts_are_numbers() {
        for (path, member) in [
            ("/v1/messages/count_tokens", "input_tokens"),
            ("/v1/responses/input_tokens", "input_tokens"),
            ("/v1beta/models/any:countTokens", "totalTokens"),
        ] {
            let body: serde_json::Value =
                serde_json::from_slice(&answer(&asked(path, "", false)).body()).unwrap();
            assert!(body[member].as_u64() > Some(0), "{path}: {body}");
        }
    }
}
