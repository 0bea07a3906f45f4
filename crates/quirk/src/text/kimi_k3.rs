//! Kimi K3's XTML: channels and calls between `<|open|>` and `<|close|>`, with raw strings and JSON for everything else.
//!
//! ```text
//! <|open|>think<|sep|>..<|close|>think<|sep|><|open|>response<|sep|>..<|close|>response<|sep|>
//! <|open|>tools<|sep|>
//!   <|open|>call tool="NAME" index="1"<|sep|>
//!     <|open|>argument key="KEY" type="string"<|sep|>VALUE<|close|>argument<|sep|>
//!   <|close|>call<|sep|>
//! <|close|>tools<|sep|><|close|>message<|sep|>
//! ```
//!
//! The first opener may have been part of the prompt. In attributes `&quot;` and `&amp;` are escapes, decoded in this
//! order.

use super::calls::Calls;
use super::format::{Format, Step};
use super::mark::{Mark, Role};
use super::names;
use super::output::Kind;
use super::parameters::Parameters;
use super::tag::Head;

const SEP: &str = "<|sep|>";
const THINK: &str = "<|open|>think<|sep|>";
const TOOLS: &str = "<|open|>tools<|sep|>";
const TOOLS_END: &str = "<|close|>tools<|sep|>";
const CALL: &str = "<|open|>call ";
const CALL_END: &str = "<|close|>call<|sep|>";
const ARGUMENT: &str = "<|open|>argument ";
const ARGUMENT_END: &str = "<|close|>argument<|sep|>";
const MESSAGE_END: &str = "<|close|>message<|sep|>";

const PROSE: &[Mark] = &[
    Mark::new(THINK, Role::Header),
    Mark::new("<|close|>think<|sep|>", Role::Header),
    Mark::new("<|open|>response<|sep|>", Role::Header),
    Mark::new("<|close|>response<|sep|>", Role::Header),
    Mark::new(MESSAGE_END, Role::Header),
    Mark::new(TOOLS, Role::Call),
    Mark::new(CALL, Role::Call),
    Mark::new(CALL_END, Role::Stray),
    Mark::new(TOOLS_END, Role::Stray),
];

/// Most bytes of noise before the first call (R14).
const MOST_NOISE: usize = 1024;

/// The format of Kimi K3.
#[derive(Debug, Default)]
pub(crate) struct KimiK3 {
    place: Place,
    is_in_tools: bool,
    has_call: bool,
    head: Head,
    parameters: Parameters,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Among the calls.
    Tools {
        n_noise: usize,
        is_blank: bool,
    },
    CallHead,
    #[default]
    InCall,
    ArgumentHead,
    Value,
}

impl Place {
    const TOOLS: Self = Self::Tools {
        n_noise: 0,
        is_blank: true,
    };
}

impl Format for KimiK3 {
    fn prose(&self) -> &'static [Mark] {
        PROSE
    }

    fn begin(&mut self, mark: &'static str, _calls: &mut Calls) -> Step {
        self.has_call = false;
        self.is_in_tools = mark == TOOLS;
        self.place = match mark {
            TOOLS => Place::TOOLS,
            CALL => Place::CallHead,
            THINK => return Step::Prose(Kind::Thinking),
            _ => return Step::Prose(Kind::Text),
        };
        self.head.begin("");
        Step::More
    }

    fn marks(&self) -> &'static [&'static str] {
        match self.place {
            Place::Tools { .. } => &[CALL, TOOLS_END, MESSAGE_END],
            Place::CallHead | Place::ArgumentHead => &[SEP],
            Place::InCall => &[ARGUMENT, CALL_END, CALL, TOOLS_END, MESSAGE_END],
            Place::Value => &[ARGUMENT_END],
        }
    }

    fn text(&mut self, text: &str, calls: &mut Calls) -> (usize, Step) {
        match &mut self.place {
            Place::Tools { .. } if self.has_call => {}
            Place::Tools { n_noise, is_blank } => {
                for (at, letter) in text.char_indices() {
                    *n_noise += letter.len_utf8();
                    *is_blank &= letter.is_ascii_whitespace();
                    if *n_noise > MOST_NOISE {
                        return (at, Step::Restore);
                    }
                }
            }
            Place::CallHead | Place::ArgumentHead => {
                for (at, letter) in text.char_indices() {
                    if !self.head.text_before_mark(letter.encode_utf8(&mut [0; 4]))
                        && self.place == Place::CallHead
                    {
                        return (at, Step::Restore);
                    }
                }
            }
            Place::InCall => {}
            Place::Value => self.parameters.value(text, calls),
        }
        (text.len(), Step::More)
    }

    fn mark(&mut self, mark: &'static str, calls: &mut Calls) -> Step {
        match (self.place, mark) {
            (Place::CallHead, _) => return self.open(calls),
            (Place::ArgumentHead, _) => {
                let is_string = self.head.attribute("type").map(|kind| kind == "string");
                let key = unescaped(self.head.attribute("key").unwrap_or_default());
                self.parameters.name(&key, is_string, calls);
                self.place = Place::Value;
            }
            (Place::Value, _) => {
                self.parameters.finish_value(calls);
                self.place = Place::InCall;
            }
            (_, ARGUMENT) => {
                self.head.begin("");
                self.place = Place::ArgumentHead;
            }
            (Place::Tools { is_blank, .. }, TOOLS_END | MESSAGE_END) => {
                return if self.has_call || is_blank {
                    Step::Done
                } else {
                    Step::Restore
                };
            }
            (place, mark) => {
                if place == Place::InCall {
                    self.parameters.close(calls);
                }
                self.place = if mark == CALL {
                    self.head.begin("");
                    Place::CallHead
                } else {
                    Place::TOOLS
                };
                if mark != CALL && !(mark == CALL_END && self.is_in_tools) {
                    return Step::Done;
                }
            }
        }
        Step::More
    }

    fn end(&mut self, calls: &mut Calls) -> Step {
        match self.place {
            Place::Tools { .. } if self.has_call => Step::Done,
            Place::Tools { .. } | Place::CallHead => Step::Restore,
            Place::InCall | Place::ArgumentHead | Place::Value => {
                self.parameters.cut(calls);
                Step::Done
            }
        }
    }
}

impl KimiK3 {
    /// The head of a call is complete.
    fn open(&mut self, calls: &mut Calls) -> Step {
        let name = unescaped(self.head.attribute("tool").unwrap_or_default());
        let Some(meant) = names::spoken(&name, calls.asked()) else {
            return Step::Restore;
        };
        let tool = meant.known().to_owned();
        calls.open(meant);
        self.has_call = true;
        self.parameters.begin(&tool, false, calls);
        self.place = Place::InCall;
        Step::More
    }
}

fn unescaped(value: &str) -> String {
    value.replace("&quot;", "\"").replace("&amp;", "&")
}
