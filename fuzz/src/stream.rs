//! Replies: whatever an upstream streams becomes a stream that the client's grammar allows, however it is cut.

use std::collections::HashSet;

use bytes::Bytes;
use bytestring::ByteString;
use lingate_wire::json::{scan, scan_reply};
use lingate_wire::sse::SseParser;
use lingate_wire::stage::{End, Sink, Stage};
use lingate_wire::turn::{
    Delta, EmptyReply, Event, Failure, FailureKind, Opening, SealKey, SealStage, Sequencer,
    ToolIdStage,
};
use lingate_wire::{ReplyContext, StreamEncoder, Wire, anthropic, bridge, chat, gemini, responses};

use crate::{Asked, cut};

const EXCHANGE: &str = "0193a1b2-c3d4-7abc-8def-0123456789ab";

/// Runs one input.
pub fn check(input: &[u8]) {
    let [upstream, seed, ends, stream @ ..] = input else {
        return;
    };
    let upstream = crate::chosen(*upstream);
    let end = if ends & 1 == 0 {
        End::Clean
    } else {
        End::Truncated
    };
    let whole = read(upstream, &[stream], &end, Asked::No);
    let cut = read(upstream, &cut::pieces(stream, *seed), &end, Asked::Yes);
    for client in crate::wires() {
        let written = written(client, &whole);
        assert_eq!(
            String::from_utf8_lossy(&written),
            String::from_utf8_lossy(&self::written(client, &cut)),
            "{upstream} to {client}: cutting changed the reply"
        );
        if !holds_foreign(client, &whole)
            && !(client == Wire::Gemini && has_input_with_repeated_name(&whole))
            && let Err(violation) = judged(client, &written)
        {
            panic!(
                "{upstream} to {client}: {violation}\n{}",
                String::from_utf8_lossy(&written)
            );
        }
    }
}

/// A reply as the relay sees it.
pub(crate) struct Reply {
    pub(crate) events: Vec<Event>,
    pub(crate) fault: Option<Failure>,
}

fn read(upstream: Wire, pieces: &[&[u8]], end: &End, asked: Asked) -> Reply {
    let mut stages: Vec<Box<dyn Stage<In = Event, Out = Event>>> = vec![
        Box::new(ToolIdStage::new(EXCHANGE, Vec::new())),
        Box::new(SealStage::new(SealKey::new(
            "provider",
            "provider#1",
            "model",
        ))),
        Box::new(Sequencer::new(EmptyReply::Fault)),
    ];
    let mut decoder = bridge::stream_decoder(upstream);
    let mut parser = SseParser::new();
    let mut sink = Sink::new();
    let mut frames = Vec::new();
    let mut fault = None;
    for piece in pieces {
        if let Err(error) = parser.push(Bytes::copy_from_slice(piece), &mut frames) {
            fault = Some(Failure::new(FailureKind::Malformed, error.to_string()));
            break;
        }
    }
    if fault.is_none()
        && let Err(error) = parser.finish(&mut frames)
    {
        fault = Some(Failure::new(FailureKind::Malformed, error.to_string()));
    }
    for frame in frames {
        decoder.on(frame, &mut sink);
    }
    if !sink.has_fault() {
        decoder.end(fault.map_or(end.clone(), End::Broken), &mut sink);
    }
    // What was put out before a fault still counts; a stage learns of the end only without one.
    let mut fault = None;
    for stage in &mut stages {
        let mut behind = Sink::new();
        for event in std::mem::take(&mut sink.items) {
            crate::hand(stage.as_mut(), event, &mut behind, asked);
        }
        fault = behind.take_fault().or_else(|| sink.take_fault()).or(fault);
        if fault.is_none() {
            stage.end(end.clone(), &mut behind);
            fault = behind.take_fault();
        }
        sink = behind;
    }
    let events = sink.items;
    Reply { events, fault }
}

/// Whether a reply holds something of the client's own wire that we do not know: it is passed on as it is, and what the
/// wire's grammar says of it is not known either.
fn holds_foreign(client: Wire, reply: &Reply) -> bool {
    reply.events.iter().any(|event| match event {
        Event::Open {
            block: Opening::Foreign(foreign),
            ..
        }
        | Event::Delta {
            delta: Delta::Foreign(foreign),
            ..
        } => foreign.wire == client,
        // Members that we do not know are passed on as they stand, those of one name too (`json::scan_reply`).
        Event::Open {
            block: Opening::ToolUse { extra, .. },
            ..
        } => client == Wire::Anthropic && has_repeated_name(extra),
        Event::Delta {
            delta: Delta::Citation(citation),
            ..
        } => citation.wire == client && scan(&citation.raw).is_err(),
        _ => false,
    })
}

/// Whether an object in a call's input has a name twice. It is the model's own, and is passed on as it stands; where the input is
/// no text, the reply has the name twice.
fn has_input_with_repeated_name(reply: &Reply) -> bool {
    let mut input = String::new();
    reply.events.iter().any(|event| {
        match event {
            Event::Open { .. } => input.clear(),
            Event::Delta {
                delta: Delta::Input(piece),
                ..
            } => input.push_str(&piece.decode()),
            _ => {}
        }
        let input = ByteString::from(input.as_str());
        matches!(event, Event::Close { .. })
            && scan(&input).is_err()
            && scan_reply(&input, &[]).is_ok()
    })
}

/// Whether a name occurs twice among the members, or in one object of their values.
fn has_repeated_name(members: &[(ByteString, ByteString)]) -> bool {
    let names = members.iter().map(|(name, _)| name);
    names.clone().collect::<HashSet<_>>().len() < names.len()
        || members.iter().any(|(_, value)| scan(value).is_err())
}

pub(crate) fn written(client: Wire, reply: &Reply) -> Vec<u8> {
    let mut encoder = encoder(client);
    let mut out = Vec::new();
    for event in &reply.events {
        encoder.event(event, &mut out);
    }
    let is_done = reply.events.iter().any(|event| *event == Event::Done);
    match &reply.fault {
        Some(failure) if !is_done => encoder.fail(failure, &mut out),
        Some(_) => {}
        None => assert!(is_done, "a reply ends in neither way"),
    }
    out
}

fn encoder(client: Wire) -> Box<dyn StreamEncoder> {
    let context = ReplyContext {
        exchange: EXCHANGE.to_owned(),
        model: "asked".into(),
        created: 1,
        input_estimate: 10,
    };
    bridge::stream_encoder(client, context, true)
}

pub(crate) fn judged(client: Wire, stream: &[u8]) -> Result<(), String> {
    match client {
        Wire::Anthropic => {
            let mut acceptor = anthropic::grammar::Acceptor::new();
            acceptor.feed(stream).map_err(|violation| violation.0)?;
            acceptor.finish().map_err(|violation| violation.0)
        }
        Wire::Chat => {
            let mut acceptor = chat::grammar::Acceptor::new();
            acceptor.feed(stream).map_err(|violation| violation.0)?;
            acceptor.finish().map_err(|violation| violation.0)
        }
        Wire::Responses => responses::grammar::check(stream),
        Wire::Gemini => {
            let mut acceptor = gemini::grammar::Acceptor::new(gemini::Framing::Sse);
            acceptor.feed(stream).map_err(|violation| violation.0)?;
            acceptor.finish().map_err(|violation| violation.0)
        }
    }
}
