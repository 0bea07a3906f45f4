//! DeepSeek: V3 and V3.1 with tokens and JSON, V3.2 and V4 with elements ([`invoke`](super::invoke)).
//!
//! ```text
//! V3    <｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>NAME
//!       ```json
//!       {..}
//!       ```<｜tool▁call▁end｜><｜tool▁calls▁end｜>
//! V3.1  <｜tool▁calls▁begin｜><｜tool▁call▁begin｜>NAME<｜tool▁sep｜>{..}<｜tool▁call▁end｜><｜tool▁calls▁end｜>
//! V4    <｜DSML｜tool_calls><｜DSML｜invoke name="NAME"><｜DSML｜parameter name="KEY" string="true">VALUE</｜DSML｜parameter>..
//! ```
//!
//! The bars and blanks are U+FF5C and U+2581. The versions do not overlap, so one format reads them all. An element without
//! its wrapper is read only if it is complete and names a declared tool.

use super::arguments::{JsonArguments, Read};
use super::calls::Calls;
use super::format::{Format, Step};
use super::invoke::{Invoke, Markup};
use super::mark::{Mark, Role};
use super::names;

const SECTION: &str = "<｜tool▁calls▁begin｜>";
const SECTION_END: &str = "<｜tool▁calls▁end｜>";
const CALL: &str = "<｜tool▁call▁begin｜>";
const CALL_END: &str = "<｜tool▁call▁end｜>";
const SEP: &str = "<｜tool▁sep｜>";

const CALLS: &str = "<｜DSML｜tool_calls>";
const CALLS_END: &str = "</｜DSML｜tool_calls>";
const CALLS_V32: &str = "<｜DSML｜function_calls>";
const CALLS_V32_END: &str = "</｜DSML｜function_calls>";
const INVOKE: &str = "<｜DSML｜invoke name=";
const INVOKE_END: &str = "</｜DSML｜invoke>";
const PARAMETER: &str = "<｜DSML｜parameter name=";
const PARAMETER_END: &str = "</｜DSML｜parameter>";

const MARKUP: Markup = Markup {
    prose: &[
        Mark::new(SECTION, Role::Call),
        Mark::new(CALL, Role::Call),
        Mark::new(CALLS, Role::Call),
        Mark::new(CALLS_V32, Role::Call),
        Mark::new(INVOKE, Role::Call),
        Mark::new(SECTION_END, Role::Stray),
        Mark::new(CALL_END, Role::Stray),
        Mark::new(CALLS_END, Role::Stray),
        Mark::new(CALLS_V32_END, Role::Stray),
        Mark::new("<｜end▁of▁sentence｜>", Role::Stray),
        Mark::new("<think>", Role::ThinkOpen),
        Mark::new("</think>", Role::ThinkClose),
    ],
    invoke: INVOKE,
    invoke_end: INVOKE_END,
    parameter: PARAMETER,
    in_wrapper: &[INVOKE, CALLS_END, CALLS_V32_END],
    in_invoke: &[PARAMETER, INVOKE_END, CALLS_END, CALLS_V32_END],
    in_value: &[PARAMETER_END],
    at_end: &[INVOKE_END],
    is_whole_if_bare: true,
};

/// Most bytes of noise before the first call (R14).
const MOST_NOISE: usize = 1024;
/// Most bytes of a header (R14).
const MOST_HEADER: usize = 256;

/// The format of every version.
#[derive(Debug)]
pub(crate) struct DeepSeek {
    tokens: Tokens,
    elements: Invoke,
    has_elements: bool,
}

impl Default for DeepSeek {
    fn default() -> Self {
        Self {
            tokens: Tokens::default(),
            elements: Invoke::new(&MARKUP),
            has_elements: false,
        }
    }
}

impl DeepSeek {
    fn now(&mut self) -> &mut dyn Format {
        if self.has_elements {
            &mut self.elements
        } else {
            &mut self.tokens
        }
    }
}

impl Format for DeepSeek {
    fn prose(&self) -> &'static [Mark] {
        MARKUP.prose
    }

    fn begin(&mut self, mark: &'static str, calls: &mut Calls) -> Step {
        self.has_elements = !matches!(mark, SECTION | CALL);
        self.now().begin(mark, calls)
    }

    fn marks(&self) -> &'static [&'static str] {
        if self.has_elements {
            self.elements.marks()
        } else {
            self.tokens.marks()
        }
    }

    fn text(&mut self, text: &str, calls: &mut Calls) -> (usize, Step) {
        self.now().text(text, calls)
    }

    fn mark(&mut self, mark: &'static str, calls: &mut Calls) -> Step {
        self.now().mark(mark, calls)
    }

    fn end(&mut self, calls: &mut Calls) -> Step {
        self.now().end(calls)
    }
}

/// V3 and V3.1.
#[derive(Debug, Default)]
struct Tokens {
    place: Place,
    is_in_section: bool,
    has_call: bool,
    header: String,
    arguments: JsonArguments,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Among the calls: how much noise came before the first.
    #[default]
    Section,
    Header,
    /// Behind the separator: JSON, or in V3 the name.
    BehindSep,
    /// V3's name, up to the end of its line.
    Name,
    /// Between the name and the arguments.
    Fence,
    Arguments,
    /// Behind complete arguments.
    Behind,
}

impl Format for Tokens {
    fn prose(&self) -> &'static [Mark] {
        MARKUP.prose
    }

    fn begin(&mut self, mark: &'static str, _calls: &mut Calls) -> Step {
        self.is_in_section = mark == SECTION;
        self.has_call = false;
        self.header.clear();
        self.place = if self.is_in_section {
            Place::Section
        } else {
            Place::Header
        };
        Step::More
    }

    fn marks(&self) -> &'static [&'static str] {
        match self.place {
            Place::Section => &[CALL, SECTION_END],
            Place::Header => &[SEP, CALL, CALL_END, SECTION_END],
            Place::BehindSep | Place::Name | Place::Fence | Place::Arguments | Place::Behind => {
                &[CALL, CALL_END, SECTION_END]
            }
        }
    }

    fn text(&mut self, text: &str, calls: &mut Calls) -> (usize, Step) {
        for (at, letter) in text.char_indices() {
            let is_space = matches!(letter, ' ' | '\n' | '\r' | '\t');
            match self.place {
                Place::Section if self.has_call => return (text.len(), Step::More),
                Place::Section if self.header.len() < MOST_NOISE => self.header.push(letter),
                Place::Section => return (at, Step::Restore),
                Place::Behind => return (text.len(), Step::More),
                Place::BehindSep if is_space => {}
                // V3 writes what kind of call it is where V3.1 has the name.
                Place::BehindSep if letter != '{' && self.header.trim() == "function" => {
                    self.header.clear();
                    self.header.push(letter);
                    self.place = Place::Name;
                }
                Place::BehindSep => {
                    self.place = Place::Fence;
                    return (at, self.open(calls));
                }
                Place::Name if letter == '\n' => {
                    self.place = Place::Fence;
                    return (at + 1, self.open(calls));
                }
                Place::Header | Place::Name
                    if !matches!(letter, '<' | '`' | '{' | '"')
                        && self.header.len() < MOST_HEADER =>
                {
                    self.header.push(letter);
                }
                Place::Header | Place::Name => return (at, Step::Restore),
                Place::Fence if is_space || matches!(letter, '`' | 'j' | 's' | 'o' | 'n') => {}
                Place::Fence => {
                    self.place = Place::Arguments;
                    return (at, Step::More);
                }
                Place::Arguments => {
                    let rest = text.get(at..).unwrap_or_default();
                    let (n_taken, read) = self.arguments.text(rest, calls);
                    return (at + n_taken, self.behind(read));
                }
            }
        }
        (text.len(), Step::More)
    }

    fn mark(&mut self, mark: &'static str, calls: &mut Calls) -> Step {
        match self.place {
            Place::Section if mark == CALL => {}
            Place::Section => {
                let is_call_free = !self.has_call && !self.header.trim().is_empty();
                return if is_call_free {
                    Step::Restore
                } else {
                    Step::Done
                };
            }
            Place::Header if mark == SEP => {
                self.place = Place::BehindSep;
                return Step::More;
            }
            Place::Header if !self.has_call => return Step::Restore,
            Place::Header | Place::Behind => {}
            Place::BehindSep | Place::Name | Place::Fence => {
                if self.place != Place::Fence && self.open(calls) == Step::Restore {
                    return Step::Restore;
                }
                self.arguments.mark("", calls);
            }
            Place::Arguments => match self.arguments.mark(mark, calls) {
                Read::Ended => {}
                read => return self.behind(read),
            },
        }
        self.behind_call(mark)
    }

    fn end(&mut self, calls: &mut Calls) -> Step {
        match self.place {
            Place::Section | Place::Header | Place::Name if !self.has_call => Step::Restore,
            Place::BehindSep | Place::Fence => {
                if self.place == Place::BehindSep && self.open(calls) == Step::Restore {
                    return Step::Restore;
                }
                calls.cut();
                Step::Done
            }
            Place::Section | Place::Header | Place::Name | Place::Behind => Step::Done,
            Place::Arguments => match self.arguments.end(calls) {
                Read::Reread(again) => {
                    self.place = Place::Behind;
                    Step::Reread(again)
                }
                Read::More | Read::Complete | Read::Ended => Step::Done,
            },
        }
    }
}

impl Tokens {
    /// The name is complete.
    fn open(&mut self, calls: &mut Calls) -> Step {
        let Some(meant) = names::spoken(self.header.trim(), calls.asked()) else {
            return Step::Restore;
        };
        calls.open(meant);
        self.has_call = true;
        self.arguments.begin();
        Step::More
    }

    fn behind(&mut self, read: Read) -> Step {
        match read {
            Read::More => return Step::More,
            Read::Complete | Read::Ended => self.place = Place::Behind,
            Read::Reread(again) => {
                self.place = Place::Behind;
                return Step::Reread(again);
            }
        }
        Step::More
    }

    /// A marker behind a call.
    fn behind_call(&mut self, mark: &'static str) -> Step {
        self.header.clear();
        self.place = if mark == CALL {
            Place::Header
        } else {
            Place::Section
        };
        if mark == CALL || mark == CALL_END && self.is_in_section {
            Step::More
        } else {
            Step::Done
        }
    }
}
