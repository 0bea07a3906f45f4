//! Llama 3: an element that names the tool, around its arguments in JSON.
//!
//! ```text
//! <function=NAME>{..}</function>
//! ```
//!
//! In the field the `>` and the end are missing at times, and a `=` follows the name. Anything may look like this, so the tool must be declared.

use super::arguments::{JsonArguments, Read};
use super::calls::Calls;
use super::format::{Format, Step};
use super::mark::{Mark, Role};
use super::names::{self, Name};

const FUNCTION: &str = "<function=";
const FUNCTION_END: &str = "</function>";

const PROSE: &[Mark] = &[
    Mark::new(FUNCTION, Role::Call),
    Mark::new(FUNCTION_END, Role::Stray),
];

/// Most bytes of a name.
const MOST_NAME: usize = 256;

/// The format of Llama.
#[derive(Debug, Default)]
pub(crate) struct Llama {
    place: Place,
    name: String,
    arguments: JsonArguments,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    #[default]
    Name,
    Arguments,
    /// Behind complete arguments.
    Behind,
}

impl Format for Llama {
    fn prose(&self) -> &'static [Mark] {
        PROSE
    }

    fn begin(&mut self, _mark: &'static str, _calls: &mut Calls) -> Step {
        self.place = Place::Name;
        self.name.clear();
        Step::More
    }

    fn marks(&self) -> &'static [&'static str] {
        match self.place {
            Place::Name => &[],
            Place::Arguments => &[FUNCTION_END],
            Place::Behind => &[FUNCTION_END, FUNCTION],
        }
    }

    fn text(&mut self, text: &str, calls: &mut Calls) -> (usize, Step) {
        match self.place {
            Place::Name => {
                for (at, letter) in text.char_indices() {
                    match letter {
                        '>' => return (at + 1, self.open(calls)),
                        '{' => return (at, self.open(calls)),
                        _ if (names::is_letter(letter) || letter == '=')
                            && self.name.len() < MOST_NAME =>
                        {
                            self.name.push(letter);
                        }
                        _ => return (at, Step::Restore),
                    }
                }
                (text.len(), Step::More)
            }
            Place::Arguments => {
                let (n_taken, read) = self.arguments.text(text, calls);
                (n_taken, self.behind(read))
            }
            Place::Behind => {
                let is_noise = |letter: char| letter.is_ascii_whitespace() || letter == '>';
                match text.find(|letter| !is_noise(letter)) {
                    // The element was not closed.
                    Some(0) => (0, Step::Done),
                    found => (found.unwrap_or(text.len()), Step::More),
                }
            }
        }
    }

    fn mark(&mut self, mark: &'static str, calls: &mut Calls) -> Step {
        if self.place == Place::Arguments {
            return match self.arguments.mark(mark, calls) {
                Read::Ended => Step::Done,
                read => self.behind(read),
            };
        }
        if mark == FUNCTION {
            return self.begin(mark, calls);
        }
        Step::Done
    }

    fn end(&mut self, calls: &mut Calls) -> Step {
        match self.place {
            Place::Name => Step::Restore,
            Place::Arguments => {
                let read = self.arguments.end(calls);
                match self.behind(read) {
                    Step::More => Step::Done,
                    step => step,
                }
            }
            Place::Behind => Step::Done,
        }
    }
}

impl Llama {
    fn open(&mut self, calls: &mut Calls) -> Step {
        let name = self.name.strip_suffix('=').unwrap_or(&self.name);
        let meant = names::spoken(name, calls.asked());
        let is_declared =
            |name: &Name| matches!(name, Name::Known(known) if calls.asked().declares(known));
        let Some(meant) = meant.filter(is_declared) else {
            return Step::Restore;
        };
        calls.open(meant);
        self.arguments.begin();
        self.place = Place::Arguments;
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
}
