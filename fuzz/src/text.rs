//! Calls and thoughts in text: whatever a model writes, each format reads the same of it however it is cut, keeps clean
//! text as it is, and leaves none of its tokens in a reply whose calls it took out.

use std::sync::OnceLock;

use bytestring::ByteString;
use lingate_quirk::{Selection, Settings, State, Target, select};
use lingate_wire::sse::Frame;
use lingate_wire::stage::{End, Note, Sink, Stage};
use lingate_wire::turn::{
    Block, EmptyReply, Event, Failure, SealKey, SealStage, Sequencer, ToolIdStage, fold,
};
use lingate_wire::{Wire, anthropic, chat};
use serde_json::{Value, json};

use crate::stream::{self, Reply};
use crate::{Asked, cut};

/// Reads words, not markers.
const BARE_HEADERS: &str = "harmony-bare-headers";
/// Switches between content and reasoning.
const SWITCH: char = '\u{1}';

/// One input: format, cuts, flags, and the text.
pub fn check(input: &[u8]) {
    let [format, seed, flags, text @ ..] = input else {
        return;
    };
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    let prepared = prepared(*format, flags & 8 != 0);
    let (mut is_content, mut whole) = (flags & 4 == 0, Vec::new());
    for part in text.split(SWITCH) {
        whole.push((is_content, part));
        is_content = !is_content;
    }
    let finish = ["stop", "tool_calls", "length", "content_filter"][usize::from(flags & 3)];
    let has_call = flags & 16 != 0;

    let read = prepared.run(streamed(&whole, has_call, finish), Asked::No);
    let mut pieces = Vec::new();
    for (is_content, part) in &whole {
        pieces.extend(
            cut_letters(part, *seed)
                .into_iter()
                .map(|piece| (*is_content, piece)),
        );
    }
    let cut = prepared.run(streamed(&pieces, has_call, finish), Asked::Yes);
    assert_eq!(
        read.said(),
        cut.said(),
        "{}: cutting changed the reply: {text:?}",
        prepared.quirk
    );
    for client in crate::wires() {
        for outcome in [&read, &cut] {
            let written = stream::written(client, &outcome.reply);
            if let Err(violation) = stream::judged(client, &written) {
                panic!("{} to {client}: {violation}\n{text:?}", prepared.quirk);
            }
        }
    }
    if let [(false, reasoning), (true, content)] | [(true, content), (false, reasoning)] = whole[..]
        && !has_call
        && flags & 4 != 0
    {
        let not_streamed = prepared.run(not_streamed(reasoning, content, finish), Asked::Yes);
        assert_eq!(
            read.said(),
            not_streamed.said(),
            "{}: {text:?}",
            prepared.quirk
        );
    }
    // Markers begin with `<`, filler with a parenthesis.
    if prepared.starts_in_text && !text.contains(['<', '(']) && !has_call {
        assert_eq!(read.hits, [""; 0], "{text:?}");
        let is_blank = whole.iter().all(|(_, part)| part.trim().is_empty());
        let is_one = whole.len() == 1 && !is_blank;
        assert!(
            !is_one || read.prose() == text,
            "clean text changed: {text:?}"
        );
    }
    if prepared.quirk == "kimi-k2-text" && read.has_call() && !has_call {
        leaks_nothing(&read, text);
    }
}

const TOKENS: [&str; 4] = [
    "<|tool_calls_section_begin|>",
    "<|tool_calls_section_end|>",
    "<|tool_call_begin|>",
    "<|tool_call_end|>",
];

/// Where a call was taken out of the text, none of its tokens is left in what is said, unless it was quoted, or prose that
/// only looked like a call, or what stood around another that was taken out.
fn leaks_nothing(read: &Outcome, text: &str) {
    let is_quoted = ["`<", "\"<", "'<"]
        .iter()
        .any(|quoted| text.contains(quoted));
    // What begins like another format's call may turn out to be prose, too.
    let is_prose = read.diags.contains(&"section_restored_as_text") || text.contains("<tool_call>");
    let (said, rest) = (read.stretches(), without_tokens(text));
    for token in TOKENS {
        let is_told = said.iter().any(|(_, stretch)| stretch.contains(token));
        assert!(
            is_quoted || is_prose || rest.contains(token) || !is_told,
            "{token} of {text:?} is in {said:?}"
        );
    }
}

/// What is left when every whole token is taken out once.
fn without_tokens(text: &str) -> String {
    let mut left = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        match TOKENS.iter().find_map(|token| rest.strip_prefix(token)) {
            Some(behind) => rest = behind,
            None => {
                left.push(letter);
                rest = &rest[letter.len_utf8()..];
            }
        }
    }
    left
}

/// A format's quirk, selected for one request.
struct Prepared {
    quirk: &'static str,
    starts_in_text: bool,
    selection: Selection,
    state: State,
}

/// A format by a byte of the input, with tools that may be called or not.
fn prepared(format: u8, without_calls: bool) -> Prepared {
    static NAMES: OnceLock<Vec<&'static str>> = OnceLock::new();
    let names = NAMES.get_or_init(|| {
        let all = lingate_quirk::all().map(|quirk| quirk.name);
        all.filter(|name| name.ends_with("-text") || *name == BARE_HEADERS)
            .collect()
    });
    let quirk = names[usize::from(format) % names.len()];
    let target = Target {
        provider: "p",
        host: "api.example",
        model: "m",
        wire: Wire::Chat,
    };
    let selection = select(&[quirk.to_owned(), "kimi-call-names".to_owned()], &target);
    let mut state = State::new(&target, Settings::default());
    let text = |name: &str| json!({name: {"type": "string"}});
    let tool = |name: &str, properties: Value, required: Value| {
        let schema = json!({"type": "object", "properties": properties, "required": required});
        json!({"name": name, "input_schema": schema})
    };
    let request = json!({
        "model": "m", "max_tokens": 4096, "messages": [{"role": "user", "content": "Go on."}],
        "tool_choice": {"type": if without_calls { "none" } else { "auto" }},
        "tools": [
            tool("lookup", text("term"), json!(["term"])),
            tool("Bash", json!({"command": {"type": "string"}, "timeout": {"type": "number"}}), json!(["command"])),
            tool("get_weather", json!({"city": {"type": "string"}, "days": {"type": "integer"}}), json!(["city"])),
            tool("list_files", json!({}), json!([])),
        ],
    });
    let doc = anthropic::scan_request(&ByteString::from(request.to_string()));
    let decoded = doc
        .ok()
        .and_then(|doc| anthropic::decode_request(&doc).ok());
    let mut decoded = decoded.expect("our own request can be read");
    selection.apply(&mut decoded.turn, &mut decoded.params, &mut state);
    Prepared {
        quirk,
        starts_in_text: !quirk.contains("implicit") && quirk != BARE_HEADERS,
        selection,
        state,
    }
}

/// What became of a reply.
struct Outcome {
    reply: Reply,
    hits: Vec<&'static str>,
    diags: Vec<&'static str>,
}

impl Prepared {
    fn run(&self, decoded: Sink<Event>, asked: Asked) -> Outcome {
        let exchange = "0193a1b2-c3d4-7abc-8def-0123456789ab";
        let mut stages: Vec<Box<dyn Stage<In = Event, Out = Event>>> =
            self.selection.stages(&self.state);
        stages.push(Box::new(ToolIdStage::new(exchange, Vec::new())));
        stages.push(Box::new(SealStage::new(SealKey::new("p", "p#1", "m"))));
        stages.push(Box::new(Sequencer::new(EmptyReply::Fault)));
        let mut sink = decoded;
        let mut fault: Option<Failure> = None;
        let mut notes = Vec::new();
        for stage in &mut stages {
            let mut behind = Sink::new();
            for event in std::mem::take(&mut sink.items) {
                crate::hand(stage.as_mut(), event, &mut behind, asked);
            }
            fault = behind.take_fault().or_else(|| sink.take_fault()).or(fault);
            if fault.is_none() {
                stage.end(End::Clean, &mut behind);
                fault = behind.take_fault();
            }
            notes.append(&mut sink.notes);
            sink = behind;
        }
        notes.append(&mut sink.notes);
        let (mut hits, mut diags) = (Vec::new(), Vec::new());
        for note in notes {
            match note {
                Note::Hit(name) => hits.push(name),
                Note::Diag(name) => diags.push(name),
                Note::Loss(_) => {}
            }
        }
        Outcome {
            reply: Reply {
                events: sink.items,
                fault,
            },
            hits,
            diags,
        }
    }
}

impl Outcome {
    /// The blocks and how it ends, however many events tell it.
    fn said(&self) -> String {
        let reply = fold(self.reply.events.iter().cloned());
        let blocks: Vec<&Block> = reply.blocks.iter().map(|block| &**block).collect();
        let fault = self.reply.fault.as_ref().map(|fault| fault.kind);
        format!("{blocks:?} {:?} {fault:?}", reply.stop)
    }

    /// Text and thoughts.
    fn prose(&self) -> String {
        self.stretches().into_iter().map(|(_, said)| said).collect()
    }

    /// The same as it is read: text (`true`) and thoughts take turns, and a token of which each has a half is none. Blocks of
    /// one kind with nothing between that is read, or only calls, are one.
    fn stretches(&self) -> Vec<(bool, String)> {
        let reply = fold(self.reply.events.iter().cloned());
        let mut stretches: Vec<(bool, String)> = Vec::new();
        for block in &reply.blocks {
            let (is_text, said) = match &**block {
                Block::Text { text, .. } => (true, text.decode()),
                Block::Thinking(thinking) => (false, thinking.text.decode()),
                _ => continue,
            };
            match stretches.last_mut() {
                _ if said.is_empty() => {}
                Some((last, stretch)) if *last == is_text => stretch.push_str(&said),
                _ => stretches.push((is_text, said.into_owned())),
            }
        }
        stretches
    }

    fn has_call(&self) -> bool {
        let reply = fold(self.reply.events.iter().cloned());
        reply
            .blocks
            .iter()
            .any(|block| matches!(**block, Block::ToolUse(_)))
    }
}

/// The events of a host's stream.
fn streamed(pieces: &[(bool, &str)], has_call: bool, finish: &str) -> Sink<Event> {
    let mut decoder = chat::StreamIn::default();
    let mut sink = Sink::new();
    let mut chunk = |delta: Value, finish: Value| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
        let data = json!({"id": "c", "choices": [choice]}).to_string();
        decoder.on(
            Frame {
                event: None,
                data: data.into(),
            },
            &mut sink,
        );
    };
    for (is_content, piece) in pieces {
        let member = if *is_content {
            "content"
        } else {
            "reasoning_content"
        };
        chunk(json!({member: piece}), Value::Null);
    }
    if has_call {
        let function = json!({"name": "lookup", "arguments": "{\"term\":\"a\"}"});
        chunk(
            json!({"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": function}]}),
            Value::Null,
        );
    }
    chunk(json!({}), json!(finish));
    decoder.on(
        Frame {
            event: None,
            data: "[DONE]".into(),
        },
        &mut sink,
    );
    if !sink.has_fault() {
        decoder.end(End::Clean, &mut sink);
    }
    sink
}

/// The events of the same reply, not streamed.
fn not_streamed(reasoning: &str, content: &str, finish: &str) -> Sink<Event> {
    let message = json!({"role": "assistant", "reasoning_content": reasoning, "content": content});
    let choice = json!({"index": 0, "message": message, "finish_reason": finish});
    let body = json!({"id": "c", "choices": [choice]}).to_string();
    let mut sink = Sink::new();
    match chat::decode_response(&body.into()) {
        Ok(events) => sink.items = events,
        Err(failure) => sink.fault(failure),
    }
    sink
}

/// The pieces of [`cut::pieces`], moved to whole letters.
fn cut_letters(text: &str, seed: u8) -> Vec<&str> {
    let (mut pieces, mut begin, mut end) = (Vec::new(), 0, 0);
    for piece in cut::pieces(text.as_bytes(), seed) {
        end += piece.len();
        if text.is_char_boundary(end) {
            pieces.push(&text[begin..end]);
            begin = end;
        }
    }
    pieces
}
