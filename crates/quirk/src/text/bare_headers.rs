//! gpt-oss: headers that came without their tokens, given them back for [`harmony`](super::harmony) to read.
//!
//! ```text
//! analysisI look first.assistantcommentary to=functions.NAME json{..}      the host has left the tokens out
//! analysisAll is there.assistantfinalText
//!  to=functions.NAME<|channel|>commentary json<|message|>{..}              the prompt held the first one
//! ```
//!
//! Words are not tokens, so they count only where they cannot be prose: at the head of a reply, and behind it once the head
//! was such a header. `analysis` needs a capital letter behind it and another header in the reply; until that has come
//! the thoughts are kept back. A recipient must be a declared tool.

use std::sync::Arc;

use lingate_wire::json::Text;
use lingate_wire::stage::{End, Note, Sink, Stage};
use lingate_wire::turn::{Delta, Event, Opening, Slot};

use super::Asked;
use super::channel::{is_space, trim_start};
use super::names;

const ANALYSIS: &str = "analysis";
const COMMENTARY: &str = "commentary";
const FINAL: &str = "final";
const ASSISTANT: &str = "assistant";
const TO: &str = "to=functions.";
const CHANNEL: &str = "<|channel|>";

/// Most bytes of a recipient and its format.
const MOST_HEADER: usize = 256;
/// Most bytes of thoughts in which no other header has come.
const MOST_THOUGHTS: usize = 64 * 1024;

/// Puts tokens back into the content of one reply.
#[derive(Debug)]
pub(crate) struct BareHeaders {
    quirk: &'static str,
    asked: Arc<Asked>,
    slot: Option<Slot>,
    place: Place,
    held: String,
    has_thoughts: bool,
}

#[derive(Debug, PartialEq)]
enum Place {
    Head,
    /// Behind a header without tokens: others may follow.
    Bare,
    /// In the arguments of a call, where words are only words.
    Arguments(Nesting),
    /// Nothing more is looked at.
    Through,
}

/// What the head of a reply is.
#[derive(Debug, PartialEq, Eq)]
enum Head {
    Unclear,
    Prose,
    /// A recipient, with its tokens behind it.
    Recipient,
    Bare,
}

/// What follows a channel's name.
enum Header<'t> {
    Unclear,
    /// No recipient.
    Message,
    /// A declared tool; its arguments begin in the second text.
    Call(&'t str, &'t str),
    /// Something else that is sent somewhere.
    Other,
}

impl BareHeaders {
    /// A stage for one reply; `quirk` is the name that its changes are counted under.
    pub(crate) fn new(quirk: &'static str, asked: Arc<Asked>) -> Self {
        Self {
            quirk,
            asked,
            slot: None,
            place: Place::Head,
            held: String::new(),
            has_thoughts: false,
        }
    }

    fn say(&self, text: &str, sink: &mut Sink<Event>) {
        if let (Some(slot), false) = (self.slot, text.is_empty()) {
            let delta = Delta::Text(Text::from(text.to_owned()));
            sink.event(Event::Delta { slot, delta });
        }
    }

    /// Reads what is held; at the end of a block all of it goes.
    fn read(&mut self, is_end: bool, sink: &mut Sink<Event>) {
        let mut held = std::mem::take(&mut self.held);
        while !held.is_empty() {
            let n_taken = match &mut self.place {
                Place::Head => match self.head(&held) {
                    Head::Unclear if !is_end => break,
                    Head::Unclear | Head::Prose => {
                        self.place = Place::Through;
                        0
                    }
                    Head::Recipient => {
                        sink.note(Note::Hit(self.quirk));
                        self.say("<|start|>assistant ", sink);
                        held = trim_start(&held).to_owned();
                        self.place = Place::Through;
                        0
                    }
                    Head::Bare => {
                        sink.note(Note::Hit(self.quirk));
                        self.place = Place::Bare;
                        let header = trim_start(&held);
                        held = match header.strip_prefix(ASSISTANT) {
                            Some(_) => header.to_owned(),
                            None => format!("{ASSISTANT}{header}"),
                        };
                        0
                    }
                },
                Place::Arguments(nesting) => {
                    let (n, is_over) = nesting.read(&held);
                    self.say(held.get(..n).unwrap_or_default(), sink);
                    if is_over {
                        self.place = Place::Bare;
                    }
                    n
                }
                Place::Bare => match self.boundary(&held, is_end, sink) {
                    Some(n) => n,
                    None => break,
                },
                Place::Through => {
                    self.say(&held, sink);
                    held.len()
                }
            };
            held = held.split_off(n_taken.min(held.len()));
        }
        self.held = held;
    }

    fn head(&self, held: &str) -> Head {
        let text = trim_start(held);
        if held.len() > text.len() + MOST_HEADER {
            return Head::Prose;
        }
        let begins = |word: &str| word.starts_with(text);
        if text.is_empty()
            || [TO, ANALYSIS, COMMENTARY, "assistantcommentary"]
                .into_iter()
                .any(begins)
        {
            return Head::Unclear;
        }
        if let Some(behind) = text.strip_prefix(TO) {
            return self.recipient_with_tokens(behind);
        }
        if let Some(thoughts) = text.strip_prefix(ANALYSIS).filter(|_| !self.has_thoughts) {
            let is_sentence = thoughts.starts_with(|letter: char| letter.is_ascii_uppercase());
            let has_other = ["assistantfinal", "assistantcommentary", "assistantanalysis"];
            return if !is_sentence || thoughts.len() > MOST_THOUGHTS {
                Head::Prose
            } else if has_other.iter().any(|header| thoughts.contains(header)) {
                Head::Bare
            } else {
                Head::Unclear
            };
        }
        let header = text
            .strip_prefix(ASSISTANT)
            .unwrap_or(text)
            .strip_prefix(COMMENTARY);
        match header.map(|behind| self.header(behind)) {
            Some(Header::Unclear) => Head::Unclear,
            Some(Header::Call(..)) => Head::Bare,
            Some(Header::Message | Header::Other) | None => Head::Prose,
        }
    }

    /// A recipient in front of the channel's token.
    fn recipient_with_tokens(&self, behind: &str) -> Head {
        let end = behind.find(|letter: char| !names::is_letter(letter));
        let Some((name, rest)) = end.and_then(|end| behind.split_at_checked(end)) else {
            return if behind.len() > MOST_HEADER {
                Head::Prose
            } else {
                Head::Unclear
            };
        };
        let rest = rest.trim_start_matches(' ');
        if !self.is_tool(name) || rest.len() < CHANNEL.len() && !CHANNEL.starts_with(rest) {
            Head::Prose
        } else if rest.len() < CHANNEL.len() {
            Head::Unclear
        } else if rest.starts_with(CHANNEL) {
            Head::Recipient
        } else {
            Head::Prose
        }
    }

    /// Whether a call of this tool may be read, whose name may have its format in one word with it.
    fn is_tool(&self, name: &str) -> bool {
        let declares = |name: &str| self.asked.declares(name);
        self.asked.may_call() && (declares(name) || name.strip_suffix("json").is_some_and(declares))
    }

    /// What follows `commentary`.
    fn header<'t>(&self, behind: &'t str) -> Header<'t> {
        let Some(words) = behind.strip_prefix(' ') else {
            return if behind.is_empty() {
                Header::Unclear
            } else {
                Header::Message
            };
        };
        let Some(words) = words.strip_prefix(TO) else {
            return if TO.starts_with(words) {
                Header::Unclear
            } else {
                Header::Message
            };
        };
        let is_known = |letter: char| names::is_letter(letter) || letter == ' ';
        let Some(end) = words.find(|letter: char| !is_known(letter)) else {
            return if words.len() > MOST_HEADER {
                Header::Other
            } else {
                Header::Unclear
            };
        };
        let (recipient, arguments) = words.split_at_checked(end).unwrap_or((words, ""));
        let mut words = recipient.split(' ').filter(|word| !word.is_empty());
        let name = words.next().unwrap_or_default();
        let has_format = words.all(|word| matches!(word, "json" | "code"));
        if arguments.starts_with('{') && has_format && self.is_tool(name) {
            Header::Call(name, arguments)
        } else {
            Header::Other
        }
    }

    /// Says text up to the next header and that header, or as much as cannot be one; how much was read. `None` waits.
    fn boundary(&mut self, held: &str, is_end: bool, sink: &mut Sink<Event>) -> Option<usize> {
        let (at, channel) = match next_header(held) {
            Next::Header(at, channel) => (at, channel),
            Next::Perhaps(at) if at == 0 && !is_end => return None,
            Next::Perhaps(at) if !is_end => {
                self.say(held.get(..at)?, sink);
                return Some(at);
            }
            Next::Perhaps(_) | Next::None => {
                self.say(held, sink);
                return Some(held.len());
            }
        };
        let begin = at + ASSISTANT.len() + channel.len();
        let behind = held.get(begin..)?;
        let header = if channel == COMMENTARY {
            self.header(behind)
        } else {
            Header::Message
        };
        let (words, n_read) = match header {
            Header::Unclear if !is_end => {
                self.say(held.get(..at)?, sink);
                return (at > 0).then_some(at);
            }
            Header::Call(name, arguments) => {
                self.place = Place::Arguments(Nesting::default());
                (
                    format!("{channel} to=functions.{name} <|constrain|>json"),
                    held.len() - arguments.len(),
                )
            }
            Header::Message => (channel.to_owned(), begin),
            Header::Unclear | Header::Other => {
                self.say(held.get(..begin)?, sink);
                return Some(begin);
            }
        };
        self.say(held.get(..at)?, sink);
        self.say(
            &format!("<|start|>assistant<|channel|>{words}<|message|>"),
            sink,
        );
        Some(n_read)
    }
}

/// The next header of a text.
enum Next {
    None,
    /// All from here on may become one.
    Perhaps(usize),
    /// Where it begins, and its channel.
    Header(usize, &'static str),
}

fn next_header(text: &str) -> Next {
    for (at, _) in text.match_indices(ASSISTANT) {
        let behind = text.get(at + ASSISTANT.len()..).unwrap_or_default();
        for channel in [ANALYSIS, COMMENTARY, FINAL] {
            if behind.starts_with(channel) {
                return Next::Header(at, channel);
            }
            if channel.starts_with(behind) {
                return Next::Perhaps(at);
            }
        }
    }
    let from = text.len().saturating_sub(ASSISTANT.len() - 1);
    let tails = text
        .char_indices()
        .map(|(at, _)| at)
        .filter(|at| *at >= from);
    let mut begins = tails.filter(|at| {
        text.get(*at..)
            .is_some_and(|tail| ASSISTANT.starts_with(tail))
    });
    begins.next().map_or(Next::None, Next::Perhaps)
}

/// How deep in a JSON value the text is.
#[derive(Debug, Default, PartialEq)]
struct Nesting {
    depth: usize,
    is_in_string: bool,
    is_escaped: bool,
}

impl Nesting {
    /// How much of the text belongs to the value, and whether it is over.
    fn read(&mut self, text: &str) -> (usize, bool) {
        for (at, byte) in text.bytes().enumerate() {
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' if self.is_in_string => self.is_escaped = true,
                b'"' => self.is_in_string = !self.is_in_string,
                _ if self.is_in_string => {}
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return (at + 1, true);
                    }
                }
                _ => {}
            }
        }
        (text.len(), false)
    }
}

impl Stage for BareHeaders {
    type In = Event;
    type Out = Event;

    fn on(&mut self, event: Event, sink: &mut Sink<Event>) {
        if self.place == Place::Through {
            return sink.event(event);
        }
        match &event {
            Event::Delta {
                slot,
                delta: Delta::Text(text),
            } if self.slot == Some(*slot) => {
                self.held.push_str(&text.decode());
                return self.read(false, sink);
            }
            Event::Open {
                slot,
                block: Opening::Text,
            } => self.slot = Some(*slot),
            Event::Open {
                block: Opening::Thinking,
                ..
            } => self.has_thoughts = true,
            Event::Close { slot } if self.slot == Some(*slot) => {
                let is_blank = self.held.bytes().all(is_space);
                let was_head = self.place == Place::Head;
                self.read(true, sink);
                if is_blank && was_head {
                    self.place = Place::Head;
                }
                self.slot = None;
            }
            Event::Stop(_) => self.read(true, sink),
            Event::Start(_)
            | Event::Open { .. }
            | Event::Delta { .. }
            | Event::Close { .. }
            | Event::Usage(_)
            | Event::Done
            | Event::Ping => {}
        }
        sink.event(event);
    }

    fn end(&mut self, _end: End, _sink: &mut Sink<Event>) {}

    fn passes(&mut self, _event: &Event) -> bool {
        self.place == Place::Through
    }

    fn holding(&self) -> bool {
        !self.held.is_empty()
    }
}
