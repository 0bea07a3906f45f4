//! GLM 4.5 and later: an element that begins with the tool's name, and an element each for keys and values.
//!
//! ```text
//! <tool_call>NAME
//! <arg_key>KEY</arg_key>
//! <arg_value>VALUE</arg_value>
//! </tool_call>
//! ```
//!
//! 4.7 and later leave out the newlines. Values are raw text, byte for byte; the tool's schema says what they are. A call
//! without arguments looks like markup of any kind, so its tool must be declared.

use super::calls::Calls;
use super::channel::is_space;
use super::format::{Format, Step};
use super::mark::{Mark, Role};
use super::names::{self, Name};
use super::parameters::Parameters;

const CALL: &str = "<tool_call>";
const CALL_END: &str = "</tool_call>";
const KEY: &str = "<arg_key>";
const KEY_END: &str = "</arg_key>";
const VALUE: &str = "<arg_value>";
const VALUE_END: &str = "</arg_value>";

const PROSE: &[Mark] = &[
    Mark::new(CALL, Role::Call),
    Mark::new(CALL_END, Role::Stray),
    Mark::new("<think>", Role::ThinkOpen),
    Mark::new("</think>", Role::ThinkClose),
];

/// Most bytes of a name, and of a key.
const MOST_NAME: usize = 256;

/// The format of GLM.
#[derive(Debug, Default)]
pub(crate) struct Glm {
    place: Place,
    /// The name, or the key, that is being read.
    name: String,
    parameters: Parameters,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    #[default]
    Name,
    Key,
    /// Behind a key or a value.
    Between,
    Value,
}

impl Format for Glm {
    fn prose(&self) -> &'static [Mark] {
        PROSE
    }

    fn begin(&mut self, _mark: &'static str, _calls: &mut Calls) -> Step {
        self.name.clear();
        self.place = Place::Name;
        Step::More
    }

    fn marks(&self) -> &'static [&'static str] {
        match self.place {
            Place::Name => &[KEY, CALL_END],
            Place::Key => &[KEY_END, VALUE],
            Place::Between => &[KEY, VALUE, CALL_END],
            Place::Value => &[VALUE_END],
        }
    }

    fn text(&mut self, text: &str, calls: &mut Calls) -> (usize, Step) {
        match self.place {
            Place::Name => {
                for (at, letter) in text.char_indices() {
                    let is_behind = self.name.ends_with(['\n', ' ']);
                    match letter {
                        ' ' | '\n' | '\r' | '\t' if self.name.is_empty() || is_behind => {}
                        ' ' | '\n' | '\r' | '\t' => self.name.push('\n'),
                        _ if names::is_letter(letter)
                            && !is_behind
                            && self.name.len() < MOST_NAME =>
                        {
                            self.name.push(letter);
                        }
                        _ => return (at, Step::Restore),
                    }
                }
            }
            Place::Key => {
                let room = MOST_NAME.saturating_sub(self.name.len());
                let piece = text.get(..text.floor_char_boundary(room));
                self.name.push_str(piece.unwrap_or_default());
            }
            Place::Between => {
                if !text.bytes().all(is_space) {
                    calls.diag("noise_in_call_dropped");
                }
            }
            Place::Value => self.parameters.value(text, calls),
        }
        (text.len(), Step::More)
    }

    fn mark(&mut self, mark: &'static str, calls: &mut Calls) -> Step {
        if self.place == Place::Name {
            let is_declared =
                |name: &Name| matches!(name, Name::Known(known) if calls.asked().declares(known));
            let Some(meant) = names::spoken(self.name.trim(), calls.asked())
                .filter(|meant| mark == KEY || is_declared(meant))
            else {
                return Step::Restore;
            };
            let tool = meant.known().to_owned();
            calls.open(meant);
            self.parameters.begin(&tool, false, calls);
        }
        match mark {
            KEY => {
                self.name.clear();
                self.place = Place::Key;
            }
            VALUE => {
                self.parameters.name(self.name.trim(), None, calls);
                self.name.clear();
                self.place = Place::Value;
            }
            CALL_END => {
                self.parameters.close(calls);
                return Step::Done;
            }
            _ => {
                self.parameters.finish_value(calls);
                self.place = Place::Between;
            }
        }
        Step::More
    }

    fn end(&mut self, calls: &mut Calls) -> Step {
        if self.place == Place::Name {
            return Step::Restore;
        }
        self.parameters.cut(calls);
        Step::Done
    }
}
