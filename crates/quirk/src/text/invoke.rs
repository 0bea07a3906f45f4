//! Calls as elements with attributes: `<invoke name="..">`, with a `<parameter name="..">` for each argument.
//!
//! ```text
//! <wrapper>
//! <invoke name="NAME">
//! <parameter name="KEY">VALUE</parameter>
//! </invoke>
//! </wrapper>
//! ```
//!
//! MiniMax and DeepSeek spell the tags in their own ways ([`Markup`]). Values are raw text, byte for byte; types come from
//! the tool's schema, or from an attribute `string`. Without its wrapper a call counts only if it names a declared tool.

use super::calls::Calls;
use super::channel::is_space;
use super::format::{Format, Step};
use super::mark::Mark;
use super::names;
use super::parameters::Parameters;
use super::tag::{Head, Read};

/// How a family spells its tags.
#[derive(Debug)]
pub(crate) struct Markup {
    /// The markers of prose.
    pub(crate) prose: &'static [Mark],
    /// Begins a call; its name follows.
    pub(crate) invoke: &'static str,
    /// Ends a call.
    pub(crate) invoke_end: &'static str,
    /// Begins an argument; its name follows.
    pub(crate) parameter: &'static str,
    /// In the wrapper: a call, and the wrapper's ends.
    pub(crate) in_wrapper: &'static [&'static str],
    /// In a call: an argument, and the ends of the call and of the wrapper.
    pub(crate) in_invoke: &'static [&'static str],
    /// In a value: its end.
    pub(crate) in_value: &'static [&'static str],
    /// The end of a call: what is waited for where a call without a wrapper must be whole.
    pub(crate) at_end: &'static [&'static str],
    /// Whether a call without its wrapper is read only once it is complete.
    pub(crate) is_whole_if_bare: bool,
}

/// Most white space in front of a call.
const MOST_SPACE: usize = 64;

/// The format of one family.
#[derive(Debug)]
pub(crate) struct Invoke {
    markup: &'static Markup,
    place: Place,
    is_wrapped: bool,
    head: Head,
    parameters: Parameters,
}

#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// In the wrapper, before a call.
    Before {
        n_spaces: usize,
    },
    /// In the wrapper, behind a call.
    Behind,
    Name,
    /// A call without a wrapper, kept until it is complete.
    Kept(String),
    /// In a call, between its arguments.
    Between,
    ParameterName,
    Value,
}

impl Invoke {
    pub(crate) fn new(markup: &'static Markup) -> Self {
        Self {
            markup,
            place: Place::Behind,
            is_wrapped: false,
            head: Head::default(),
            parameters: Parameters::default(),
        }
    }

    /// The head of a call is complete.
    fn named(&mut self, calls: &mut Calls) -> Step {
        let name = self.head.attribute("name").unwrap_or_default();
        let Some(meant) = names::spoken(name, calls.asked()) else {
            return Step::Restore;
        };
        let is_declared =
            matches!(&meant, names::Name::Known(known) if calls.asked().declares(known));
        if !self.is_wrapped && !is_declared {
            return Step::Restore;
        }
        if !self.is_wrapped && self.markup.is_whole_if_bare {
            self.place = Place::Kept(String::new());
        } else {
            self.open(meant, calls);
        }
        Step::More
    }

    fn open(&mut self, meant: names::Name, calls: &mut Calls) {
        let tool = meant.known().to_owned();
        calls.open(meant);
        self.parameters.begin(&tool, false, calls);
        self.place = Place::Between;
    }

    fn parameter(&mut self, calls: &mut Calls) {
        let name = self.head.attribute("name").unwrap_or_default();
        let is_string = match self.head.attribute("string") {
            Some("true") => Some(true),
            Some("false") => Some(false),
            _ => None,
        };
        self.parameters.name(name, is_string, calls);
        self.place = Place::Value;
    }
}

impl Format for Invoke {
    fn prose(&self) -> &'static [Mark] {
        self.markup.prose
    }

    fn begin(&mut self, mark: &'static str, _calls: &mut Calls) -> Step {
        self.is_wrapped = mark != self.markup.invoke;
        self.head.begin("name=");
        self.place = if self.is_wrapped {
            Place::Before { n_spaces: 0 }
        } else {
            Place::Name
        };
        Step::More
    }

    fn marks(&self) -> &'static [&'static str] {
        match self.place {
            Place::Before { .. } | Place::Behind => self.markup.in_wrapper,
            Place::Name | Place::ParameterName => &[],
            Place::Kept(_) => self.markup.at_end,
            Place::Between => self.markup.in_invoke,
            Place::Value => self.markup.in_value,
        }
    }

    fn text(&mut self, text: &str, calls: &mut Calls) -> (usize, Step) {
        match &mut self.place {
            Place::Before { n_spaces } => {
                for (at, byte) in text.bytes().enumerate() {
                    *n_spaces += 1;
                    if !is_space(byte) || *n_spaces > MOST_SPACE {
                        return (at, Step::Restore);
                    }
                }
                (text.len(), Step::More)
            }
            Place::Behind if text.bytes().all(is_space) => (text.len(), Step::More),
            // The wrapper was not closed.
            Place::Behind => (0, Step::Done),
            Place::Name => match self.head.text(text) {
                (n_taken, Read::More) => (n_taken, Step::More),
                (n_taken, Read::Complete) => (n_taken, self.named(calls)),
                (n_taken, Read::Broken) => (n_taken, Step::Restore),
            },
            Place::Kept(raw) => {
                raw.push_str(text);
                (text.len(), Step::More)
            }
            Place::Between => (text.len(), Step::More),
            Place::ParameterName => match self.head.text(text) {
                (n_taken, Read::More) => (n_taken, Step::More),
                // The call is open, and the value must go somewhere.
                (n_taken, Read::Complete | Read::Broken) => {
                    self.parameter(calls);
                    (n_taken, Step::More)
                }
            },
            Place::Value => {
                self.parameters.value(text, calls);
                (text.len(), Step::More)
            }
        }
    }

    fn mark(&mut self, mark: &'static str, calls: &mut Calls) -> Step {
        let place = std::mem::replace(&mut self.place, Place::Between);
        match place {
            Place::Kept(mut raw) => {
                let name = self.head.attribute("name").unwrap_or_default();
                if let Some(meant) = names::spoken(name, calls.asked()) {
                    self.open(meant, calls);
                }
                raw.push_str(mark);
                return Step::Reread(raw);
            }
            Place::Value => {
                self.parameters.finish_value(calls);
                return Step::More;
            }
            _ if mark == self.markup.parameter => {
                self.head.begin("name=");
                self.place = Place::ParameterName;
                return Step::More;
            }
            _ if mark == self.markup.invoke => {
                self.head.begin("name=");
                self.place = Place::Name;
                return Step::More;
            }
            Place::Before { .. } => return Step::Restore,
            Place::Between => self.parameters.close(calls),
            Place::Behind | Place::Name | Place::ParameterName => {}
        }
        self.place = Place::Behind;
        if mark == self.markup.invoke_end && self.is_wrapped {
            Step::More
        } else {
            Step::Done
        }
    }

    fn end(&mut self, calls: &mut Calls) -> Step {
        match self.place {
            Place::Before { .. } | Place::Name | Place::Kept(_) => Step::Restore,
            Place::Behind => Step::Done,
            Place::Between | Place::ParameterName | Place::Value => {
                self.parameters.cut(calls);
                Step::Done
            }
        }
    }
}
