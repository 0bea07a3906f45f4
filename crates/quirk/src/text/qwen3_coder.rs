//! Qwen3-Coder, and `tool_format = "xml"`: a call is an element, and so is each of its parameters.
//!
//! ```text
//! <tool_call>
//! <function=NAME>
//! <parameter=KEY>
//! VALUE
//! </parameter>
//! </function>
//! </tool_call>
//! ```
//!
//! Values are raw text; one newline on each side is markup, and the tool's schema says what they are. In the field the
//! outer element and `</parameter>` may be missing.

use super::calls::Calls;
use super::channel::is_space;
use super::format::{Format, Step};
use super::mark::{Mark, Role};
use super::names::Name;
use super::parameters::Parameters;

const CALL: &str = "<tool_call>";
const CALL_END: &str = "</tool_call>";
const FUNCTION: &str = "<function=";
const FUNCTION_END: &str = "</function>";
const PARAMETER: &str = "<parameter=";
const PARAMETER_END: &str = "</parameter>";

const PROSE: &[Mark] = &[
    mark(CALL, Role::Call),
    mark(FUNCTION, Role::Call),
    mark(CALL_END, Role::Stray),
    mark("<think>", Role::ThinkOpen),
    mark("</think>", Role::ThinkClose),
];

const fn mark(text: &'static str, role: Role) -> Mark {
    Mark { text, role }
}

/// Most letters of a name.
const MOST_NAME: usize = 256;
/// Most white space in front of a function.
const MOST_SPACE: usize = 64;

/// The format of Qwen3-Coder.
#[derive(Debug, Default)]
pub(crate) struct Qwen3Coder {
    place: Place,
    /// The outer element is open.
    is_wrapped: bool,
    /// The name that is being read.
    name: String,
    parameters: Parameters,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In the outer element, before a function.
    BeforeFunction {
        n_spaces: usize,
    },
    FunctionName,
    /// In a function, between its parameters.
    #[default]
    Between,
    ParameterName,
    Value,
    /// Behind a function, in the outer element.
    BehindFunction,
}

impl Format for Qwen3Coder {
    fn prose(&self) -> &'static [Mark] {
        PROSE
    }

    fn drops_text_behind_calls(&self) -> bool {
        false
    }

    fn begin(&mut self, mark: &'static str, _calls: &mut Calls) -> Step {
        self.is_wrapped = mark == CALL;
        self.name.clear();
        self.place = if self.is_wrapped {
            Place::BeforeFunction { n_spaces: 0 }
        } else {
            Place::FunctionName
        };
        Step::More
    }

    fn marks(&self) -> &'static [&'static str] {
        match self.place {
            Place::BeforeFunction { .. } => &[FUNCTION],
            Place::FunctionName | Place::ParameterName => &[],
            Place::Between => &[PARAMETER, FUNCTION_END, CALL_END],
            Place::Value => &[PARAMETER_END, PARAMETER, FUNCTION_END],
            Place::BehindFunction => &[FUNCTION, CALL_END],
        }
    }

    fn text(&mut self, text: &str, calls: &mut Calls) -> (usize, Step) {
        match &mut self.place {
            Place::BeforeFunction { n_spaces } => {
                for (at, byte) in text.bytes().enumerate() {
                    *n_spaces += 1;
                    if !is_space(byte) || *n_spaces > MOST_SPACE {
                        return (at, Step::Restore);
                    }
                }
                (text.len(), Step::More)
            }
            Place::FunctionName => match self.read_name(text) {
                (n_taken, Ok(false)) => (n_taken, Step::More),
                (n_taken, Ok(true)) => {
                    self.open(calls);
                    (n_taken, Step::More)
                }
                (n_taken, Err(())) => (n_taken, Step::Restore),
            },
            Place::ParameterName => match self.read_name(text) {
                (n_taken, Ok(false)) => (n_taken, Step::More),
                // What no name holds ends it as well as `>` does: the call is open, and the value must go somewhere.
                (n_taken, Ok(true) | Err(())) => {
                    self.parameters.name(&self.name, None, calls);
                    self.place = Place::Value;
                    (n_taken, Step::More)
                }
            },
            Place::Value => {
                self.parameters.value(text, calls);
                (text.len(), Step::More)
            }
            Place::Between => (text.len(), Step::More),
            Place::BehindFunction if text.bytes().all(is_space) => (text.len(), Step::More),
            // The outer element was not closed.
            Place::BehindFunction => (0, Step::Done),
        }
    }

    fn mark(&mut self, mark: &'static str, calls: &mut Calls) -> Step {
        match mark {
            FUNCTION => {
                self.name.clear();
                self.place = Place::FunctionName;
            }
            PARAMETER => {
                self.parameters.finish_value(calls);
                self.name.clear();
                self.place = Place::ParameterName;
            }
            PARAMETER_END => {
                self.parameters.finish_value(calls);
                self.place = Place::Between;
            }
            _ => {
                if self.place != Place::BehindFunction {
                    self.parameters.close(calls);
                }
                self.place = Place::BehindFunction;
                if mark == CALL_END || !self.is_wrapped {
                    return Step::Done;
                }
            }
        }
        Step::More
    }

    fn end(&mut self, calls: &mut Calls) -> Step {
        match self.place {
            Place::BeforeFunction { .. } | Place::FunctionName => Step::Restore,
            Place::BehindFunction => Step::Done,
            Place::Between | Place::ParameterName | Place::Value => {
                self.parameters.cut(calls);
                Step::Done
            }
        }
    }
}

impl Qwen3Coder {
    /// Reads on in a name up to `>`: how much was taken, and whether it is complete. Errs where it cannot be a name.
    fn read_name(&mut self, text: &str) -> (usize, Result<bool, ()>) {
        for (at, letter) in text.char_indices() {
            match letter {
                '>' => {
                    return (
                        at + 1,
                        if self.name.is_empty() {
                            Err(())
                        } else {
                            Ok(true)
                        },
                    );
                }
                '<' | '\n' | '"' | '`' => return (at, Err(())),
                _ if self.name.len() >= MOST_NAME => return (at, Err(())),
                _ => self.name.push(letter),
            }
        }
        (text.len(), Ok(false))
    }

    fn open(&mut self, calls: &mut Calls) {
        let name = self.name.trim();
        calls.open(Name::Known(name.to_owned()));
        self.parameters.begin(name, true, calls);
        self.place = Place::Between;
    }
}
