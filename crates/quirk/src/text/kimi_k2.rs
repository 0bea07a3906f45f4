//! Kimi K2, K2 Thinking, K2.5 to K2.7: a section of calls, each with the id `functions.NAME:INDEX` and JSON.
//!
//! ```text
//! <|tool_calls_section_begin|>
//!   <|tool_call_begin|>functions.ls:0<|tool_call_argument_begin|>{"path": "."}<|tool_call_end|>
//! <|tool_calls_section_end|>
//! ```
//!
//! In the field the section's markers may be missing or singular, the end of a call may be missing or be another
//! beginning, and the marker before the arguments may be missing.

use super::arguments::{JsonArguments, Read};
use super::calls::Calls;
use super::channel::is_space;
use super::format::{Format, Step};
use super::mark::{Mark, Role};
use super::names;

const SECTION_BEGIN: &str = "<|tool_calls_section_begin|>";
const SECTION_BEGIN_2: &str = "<|tool_call_section_begin|>";
const SECTION_END: &str = "<|tool_calls_section_end|>";
const SECTION_END_2: &str = "<|tool_call_section_end|>";
const CALL_BEGIN: &str = "<|tool_call_begin|>";
const ARGUMENTS_BEGIN: &str = "<|tool_call_argument_begin|>";
const CALL_END: &str = "<|tool_call_end|>";
/// The end of the model's turn, where a host does not cut it off.
const TURN_END: &str = "<|im_end|>";
/// What is left of calls in yet another format that the model mixes in, without arguments.
const DEBRIS: &str = "<tool_call>";

const fn mark(text: &'static str, role: Role) -> Mark {
    Mark { text, role }
}

const PROSE: &[Mark] = &[
    mark(SECTION_BEGIN, Role::Call),
    mark(SECTION_BEGIN_2, Role::Call),
    mark(CALL_BEGIN, Role::Call),
    mark(DEBRIS, Role::Call),
    mark(TURN_END, Role::Header),
    mark(ARGUMENTS_BEGIN, Role::Stray),
    mark(CALL_END, Role::Stray),
    mark(SECTION_END, Role::Stray),
    mark(SECTION_END_2, Role::Stray),
    mark("<think>", Role::ThinkOpen),
    mark("<thinking>", Role::ThinkOpen),
    mark("</think>", Role::ThinkClose),
    mark("</thinking>", Role::ThinkClose),
    mark("(no content)", Role::Filler),
];

/// Most characters between a section's beginning and its first call (R14).
const MOST_NOISE: usize = 1024;
/// Most characters of a call's header (R14).
const MOST_HEADER: usize = 256;

/// The format of Kimi's models before K3.
#[derive(Debug, Default)]
pub(crate) struct KimiK2 {
    place: Place,
    is_in_section: bool,
    /// A call has been read in this section.
    has_call: bool,
    arguments: JsonArguments,
}

#[derive(Debug, Default)]
enum Place {
    /// Between a section's beginning, its calls and its end.
    #[default]
    Between,
    /// As `Between`, before the first call: how much noise has come, and whether it is only white space.
    BeforeFirst {
        n_letters: usize,
        is_blank: bool,
    },
    Header {
        id: String,
        has_ended: bool,
    },
    Arguments,
    /// Behind complete arguments.
    BehindArguments,
    /// Behind a marker that counts only if nothing but a name and white space follows it.
    AtEnd {
        may_name: bool,
        n_letters: usize,
    },
}

impl Format for KimiK2 {
    fn prose(&self) -> &'static [Mark] {
        PROSE
    }

    fn begin(&mut self, mark: &'static str, _calls: &mut Calls) -> Step {
        self.is_in_section = matches!(mark, SECTION_BEGIN | SECTION_BEGIN_2);
        self.has_call = false;
        self.place = match mark {
            CALL_BEGIN => Place::header(),
            DEBRIS | TURN_END => Place::AtEnd {
                may_name: mark == DEBRIS,
                n_letters: 0,
            },
            _ => Place::BeforeFirst {
                n_letters: 0,
                is_blank: true,
            },
        };
        Step::More
    }

    fn marks(&self) -> &'static [&'static str] {
        match self.place {
            Place::Between | Place::BeforeFirst { .. } => &[CALL_BEGIN, SECTION_END, SECTION_END_2],
            Place::Header { .. } => &[
                ARGUMENTS_BEGIN,
                CALL_BEGIN,
                CALL_END,
                SECTION_END,
                SECTION_END_2,
            ],
            Place::Arguments | Place::BehindArguments => {
                &[CALL_BEGIN, CALL_END, SECTION_END, SECTION_END_2]
            }
            Place::AtEnd { .. } => &[DEBRIS, TURN_END],
        }
    }

    fn text(&mut self, text: &str, calls: &mut Calls) -> (usize, Step) {
        match &mut self.place {
            Place::Between => (text.len(), Step::More),
            Place::BeforeFirst {
                n_letters,
                is_blank,
            } => {
                for (at, letter) in text.char_indices() {
                    *n_letters += 1;
                    if *n_letters > MOST_NOISE {
                        calls.diag("section_restored_as_text");
                        return (at, Step::Restore);
                    }
                    *is_blank &= letter.is_ascii_whitespace();
                }
                (text.len(), Step::More)
            }
            Place::Header { .. } => self.header(text, calls),
            Place::Arguments => match self.arguments.text(text, calls) {
                (n_taken, Read::More) => (n_taken, Step::More),
                (n_taken, Read::Complete | Read::Ended) => {
                    self.has_call = true;
                    self.place = Place::BehindArguments;
                    (n_taken, Step::More)
                }
                (n_taken, Read::Reread(again)) => {
                    self.has_call = true;
                    self.place = Place::BehindArguments;
                    (n_taken, Step::Reread(again))
                }
            },
            Place::BehindArguments => {
                if !text.bytes().all(is_space) {
                    calls.diag("args_trailing_junk");
                }
                (text.len(), Step::More)
            }
            Place::AtEnd {
                may_name,
                n_letters,
            } => {
                for (at, byte) in text.bytes().enumerate() {
                    *may_name &= is_id(byte);
                    *n_letters += 1;
                    if *n_letters > MOST_HEADER || !*may_name && !is_space(byte) {
                        return (at, Step::Restore);
                    }
                }
                (text.len(), Step::More)
            }
        }
    }

    fn mark(&mut self, mark: &'static str, calls: &mut Calls) -> Step {
        match &self.place {
            Place::Between | Place::BehindArguments => self.behind_call(mark),
            Place::BeforeFirst { is_blank, .. } => match mark {
                CALL_BEGIN => {
                    self.place = Place::header();
                    Step::More
                }
                _ if *is_blank => {
                    calls.diag("empty_section");
                    Step::Done
                }
                _ => {
                    calls.diag("section_restored_as_text");
                    Step::Restore
                }
            },
            Place::Header { .. } if mark == ARGUMENTS_BEGIN => self.open(calls),
            Place::Header { id, .. } if id.is_empty() => {
                calls.diag("dangling_begin_dropped");
                self.behind_call(mark)
            }
            Place::Header { .. } => {
                self.open(calls);
                self.arguments.mark(mark, calls);
                self.behind_call(mark)
            }
            Place::Arguments => match self.arguments.mark(mark, calls) {
                Read::More => Step::More,
                Read::Ended => self.behind_call(mark),
                Read::Complete => {
                    self.has_call = true;
                    self.place = Place::BehindArguments;
                    Step::More
                }
                Read::Reread(again) => {
                    self.has_call = true;
                    self.place = Place::BehindArguments;
                    Step::Reread(again)
                }
            },
            Place::AtEnd { .. } => {
                self.place = Place::AtEnd {
                    may_name: mark == DEBRIS,
                    n_letters: 0,
                };
                Step::More
            }
        }
    }

    fn end(&mut self, calls: &mut Calls) -> Step {
        match &self.place {
            Place::Between | Place::BehindArguments => Step::Done,
            Place::BeforeFirst { .. } | Place::Header { .. } => {
                if !self.has_call {
                    calls.diag("section_restored_as_text");
                    return Step::Restore;
                }
                calls.diag("dangling_begin_dropped");
                Step::Done
            }
            Place::Arguments => {
                self.has_call = true;
                self.place = Place::BehindArguments;
                match self.arguments.end(calls) {
                    Read::Reread(again) => Step::Reread(again),
                    Read::More | Read::Complete | Read::Ended => Step::Done,
                }
            }
            Place::AtEnd { .. } => {
                calls.diag("stray_marker_dropped");
                Step::Done
            }
        }
    }

    fn is_noise(&self) -> bool {
        match self.place {
            Place::Between | Place::BeforeFirst { .. } | Place::AtEnd { .. } => true,
            Place::Header { .. } | Place::Arguments | Place::BehindArguments => false,
        }
    }
}

impl KimiK2 {
    /// Reads on in a header; the first letter that no id has proves that it was prose.
    fn header(&mut self, text: &str, calls: &mut Calls) -> (usize, Step) {
        let Place::Header { id, has_ended } = &mut self.place else {
            return (0, Step::More);
        };
        for (at, letter) in text.char_indices() {
            match letter {
                ' ' | '\n' | '\r' | '\t' => *has_ended = !id.is_empty(),
                '{' if !id.is_empty() => {
                    calls.diag("missing_argument_begin");
                    return (at, self.open(calls));
                }
                _ if letter.is_ascii()
                    && is_id(letter as u8)
                    && !*has_ended
                    && id.len() < MOST_HEADER =>
                {
                    id.push(letter);
                }
                _ => {
                    calls.diag("section_restored_as_text");
                    return (at, Step::Restore);
                }
            }
        }
        (text.len(), Step::More)
    }

    /// The header is complete.
    fn open(&mut self, calls: &mut Calls) -> Step {
        if let Place::Header { id, .. } = &self.place {
            let name = names::resolve(id, calls.asked());
            calls.open(name);
        }
        self.arguments.begin();
        self.place = Place::Arguments;
        Step::More
    }

    /// A marker behind a call's arguments, or between calls.
    fn behind_call(&mut self, mark: &'static str) -> Step {
        self.has_call = true;
        match mark {
            CALL_BEGIN => {
                self.place = Place::header();
                Step::More
            }
            CALL_END if self.is_in_section => {
                self.place = Place::Between;
                Step::More
            }
            _ => Step::Done,
        }
    }
}

impl Place {
    fn header() -> Self {
        Self::Header {
            id: String::new(),
            has_ended: false,
        }
    }
}

/// A letter of a call's id, or of what stands for one.
fn is_id(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':' | b'/' | b'-')
}
