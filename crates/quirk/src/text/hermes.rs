//! Hermes, Qwen 2.5 and Qwen 3: a JSON object between tags, with the tool's name and its arguments.
//!
//! ```text
//! <tool_call>
//! {"name": "NAME", "arguments": {..}}
//! </tool_call>
//! ```
//!
//! Once the name is known the arguments stream as they come, byte for byte. In the field they come before the name or as a
//! string, lie in a member `function`, and the closing tag may be missing. What is not JSON of this kind was prose.

mod envelope;

use super::arguments::{JsonArguments, Read};
use super::calls::Calls;
use super::channel::is_space;
use super::format::{Format, Step};
use super::mark::{Mark, Role};
use super::names;
use envelope::{Envelope, Found, Rest};

const CALL: &str = "<tool_call>";
const CALL_END: &str = "</tool_call>";

const PROSE: &[Mark] = &[
    Mark::new(CALL, Role::Call),
    Mark::new(CALL_END, Role::Stray),
    Mark::new("<think>", Role::ThinkOpen),
    Mark::new("</think>", Role::ThinkClose),
];

/// The format of Hermes.
#[derive(Debug, Default)]
pub(crate) struct Hermes {
    place: Place,
    envelope: Envelope,
    arguments: JsonArguments,
}

#[derive(Debug, Default)]
enum Place {
    /// Up to the arguments.
    #[default]
    Head,
    Arguments,
    /// Behind the arguments, in the object.
    Rest(Rest),
    /// Behind the object.
    Behind,
}

impl Format for Hermes {
    fn prose(&self) -> &'static [Mark] {
        PROSE
    }

    fn begin(&mut self, _mark: &'static str, _calls: &mut Calls) -> Step {
        self.begin_call();
        Step::More
    }

    fn marks(&self) -> &'static [&'static str] {
        match &self.place {
            Place::Head => &[],
            Place::Rest(rest) if rest.is_in_string() => &[],
            Place::Arguments => &[CALL_END],
            Place::Rest(_) | Place::Behind => &[CALL_END, CALL],
        }
    }

    fn text(&mut self, text: &str, calls: &mut Calls) -> (usize, Step) {
        match &mut self.place {
            Place::Head => {
                let (n_taken, found) = self.envelope.text(text);
                let step = match found {
                    Found::Nothing => Step::More,
                    Found::Prose => Step::Restore,
                    Found::Arguments => self.open(calls),
                    Found::Kept => self.open_with_kept(calls),
                };
                (n_taken, step)
            }
            Place::Arguments => {
                let (n_taken, read) = self.arguments.text(text, calls);
                (n_taken, self.behind_arguments(read))
            }
            Place::Rest(rest) => {
                let n_taken = rest.text(text);
                if rest.is_over() {
                    self.place = Place::Behind;
                }
                (n_taken, Step::More)
            }
            Place::Behind => {
                let n_noise = text
                    .bytes()
                    .position(|byte| !is_space(byte) && byte != b'}')
                    .unwrap_or(text.len());
                match n_noise {
                    // The element was not closed.
                    0 => (0, Step::Done),
                    some => (some, Step::More),
                }
            }
        }
    }

    fn mark(&mut self, mark: &'static str, calls: &mut Calls) -> Step {
        if matches!(self.place, Place::Arguments) {
            return match self.arguments.mark(mark, calls) {
                Read::Ended => Step::Done,
                read => self.behind_arguments(read),
            };
        }
        if mark == CALL {
            self.begin_call();
            return Step::More;
        }
        Step::Done
    }

    fn end(&mut self, calls: &mut Calls) -> Step {
        match self.place {
            Place::Head => {
                let name = self.envelope.name();
                let meant = name.and_then(|name| names::spoken(name, calls.asked()));
                let Some(meant) = meant else {
                    return Step::Restore;
                };
                calls.open(meant);
                calls.cut();
                Step::Done
            }
            Place::Arguments => match self.arguments.end(calls) {
                Read::Reread(again) => {
                    self.place = Place::Behind;
                    Step::Reread(again)
                }
                Read::More | Read::Complete | Read::Ended => Step::Done,
            },
            Place::Rest(_) | Place::Behind => Step::Done,
        }
    }
}

impl Hermes {
    fn begin_call(&mut self) {
        self.place = Place::Head;
        self.envelope = Envelope::default();
    }

    /// The name is known, and the arguments begin.
    fn open(&mut self, calls: &mut Calls) -> Step {
        let name = self.envelope.name().unwrap_or_default();
        let Some(meant) = names::spoken(name, calls.asked()) else {
            return Step::Restore;
        };
        calls.open(meant);
        self.arguments.begin();
        self.place = Place::Arguments;
        Step::More
    }

    /// The name is known, and the arguments came before it, or there are none.
    fn open_with_kept(&mut self, calls: &mut Calls) -> Step {
        let step = self.open(calls);
        if step == Step::Restore {
            return step;
        }
        let kept = self.envelope.take_kept();
        let (_, read) = self.arguments.text(&kept, calls);
        if read == Read::More {
            // Nothing, `null`, or what is no object.
            self.arguments.mark("", calls);
        }
        self.place = Place::Rest(self.envelope.rest());
        Step::More
    }

    fn behind_arguments(&mut self, read: Read) -> Step {
        match read {
            Read::More => Step::More,
            Read::Complete | Read::Ended => {
                let mut rest = self.envelope.rest();
                if self.arguments.is_encoded() {
                    rest.ends_string();
                }
                self.place = Place::Rest(rest);
                Step::More
            }
            Read::Reread(again) => {
                self.place = Place::Behind;
                Step::Reread(again)
            }
        }
    }
}
