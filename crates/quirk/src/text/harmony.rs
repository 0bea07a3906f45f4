//! gpt-oss: every message has a header that names its channel and, for calls, the recipient.
//!
//! ```text
//! <|channel|>analysis<|message|>thoughts<|end|>
//! <|start|>assistant<|channel|>commentary to=functions.NAME <|constrain|>json<|message|>{..}<|call|>
//! <|start|>assistant<|channel|>final<|message|>text<|return|>
//! ```
//!
//! The recipient may stand before the channel as well. Commentary without a recipient is text for the user. Headers count
//! without tools too, but a message to a tool is then left as it stands.

use super::arguments::{JsonArguments, Read};
use super::calls::Calls;
use super::channel::is_space;
use super::format::{Format, Step};
use super::mark::{Mark, Role};
use super::names;
use super::output::Kind;

const START: &str = "<|start|>";
const CHANNEL: &str = "<|channel|>";
const CONSTRAIN: &str = "<|constrain|>";
const MESSAGE: &str = "<|message|>";
const END: &str = "<|end|>";
const RETURN: &str = "<|return|>";
const CALL: &str = "<|call|>";

const PROSE: &[Mark] = &[
    Mark::new(START, Role::Header),
    Mark::new(CHANNEL, Role::Header),
    Mark::new(MESSAGE, Role::Header),
    Mark::new(END, Role::Header),
    Mark::new(RETURN, Role::Header),
    Mark::new(CALL, Role::Header),
];

/// Most bytes of a header.
const MOST_HEADER: usize = 256;

/// The format of harmony.
#[derive(Debug, Default)]
pub(crate) struct Harmony {
    place: Place,
    header: Header,
    arguments: JsonArguments,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    #[default]
    Header,
    Arguments,
    /// Behind complete arguments.
    Behind,
}

#[derive(Debug, Default)]
struct Header {
    words: String,
    is_behind_channel: bool,
    /// What stands behind the channel's marker.
    channel: String,
}

impl Format for Harmony {
    fn prose(&self) -> &'static [Mark] {
        PROSE
    }

    fn drops_text_behind_calls(&self) -> bool {
        false
    }

    fn begin(&mut self, mark: &'static str, _calls: &mut Calls) -> Step {
        match mark {
            START | CHANNEL => {
                self.begin_header(mark);
                Step::More
            }
            // What ends a message, or begins one without a header.
            _ => Step::Prose(Kind::Text),
        }
    }

    fn marks(&self) -> &'static [&'static str] {
        match self.place {
            Place::Header => &[CHANNEL, CONSTRAIN, MESSAGE],
            Place::Arguments | Place::Behind => &[CALL, END, RETURN, START, CHANNEL],
        }
    }

    fn text(&mut self, text: &str, calls: &mut Calls) -> (usize, Step) {
        match self.place {
            Place::Header => {
                for (at, letter) in text.char_indices() {
                    let is_known = names::is_letter(letter) || matches!(letter, ' ' | '=' | '/');
                    if !is_known || self.header.len() >= MOST_HEADER {
                        return (at, Step::Restore);
                    }
                    self.header.push(letter);
                }
                (text.len(), Step::More)
            }
            Place::Arguments => {
                let (n_taken, read) = self.arguments.text(text, calls);
                (n_taken, self.behind(read))
            }
            Place::Behind => {
                if !text.bytes().all(is_space) {
                    calls.diag("args_trailing_junk");
                }
                (text.len(), Step::More)
            }
        }
    }

    fn mark(&mut self, mark: &'static str, calls: &mut Calls) -> Step {
        match self.place {
            Place::Header => match mark {
                MESSAGE => self.message(calls),
                CHANNEL => {
                    self.header.is_behind_channel = true;
                    Step::More
                }
                _ => {
                    self.header.push(' ');
                    Step::More
                }
            },
            Place::Arguments => match self.arguments.mark(mark, calls) {
                Read::Ended => {
                    self.place = Place::Behind;
                    self.mark(mark, calls)
                }
                read => self.behind(read),
            },
            Place::Behind if matches!(mark, START | CHANNEL) => {
                self.begin_header(mark);
                Step::More
            }
            Place::Behind => Step::Prose(Kind::Text),
        }
    }

    fn end(&mut self, calls: &mut Calls) -> Step {
        match self.place {
            Place::Header => Step::Restore,
            Place::Arguments => match self.arguments.end(calls) {
                Read::Reread(again) => {
                    self.place = Place::Behind;
                    Step::Reread(again)
                }
                Read::More | Read::Complete | Read::Ended => Step::Done,
            },
            Place::Behind => Step::Done,
        }
    }
}

impl Harmony {
    fn begin_header(&mut self, mark: &str) {
        self.place = Place::Header;
        self.header = Header {
            is_behind_channel: mark == CHANNEL,
            ..Header::default()
        };
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

    /// The header is complete.
    fn message(&mut self, calls: &mut Calls) -> Step {
        let Some(recipient) = self.header.recipient() else {
            return Step::Prose(self.header.kind());
        };
        let meant = names::spoken(without_format(recipient, calls), calls.asked());
        let Some(meant) = meant.filter(|_| calls.asked().may_call()) else {
            return Step::Restore;
        };
        calls.open(meant);
        self.arguments.begin();
        self.place = Place::Arguments;
        Step::More
    }
}

/// A recipient without the format that a model may write in one word with it: `functions.NAMEjson`.
fn without_format<'r>(recipient: &'r str, calls: &Calls) -> &'r str {
    let declares = |name: &str| {
        let bare = name.strip_prefix("functions.").unwrap_or(name);
        calls.asked().declares(bare)
    };
    let short = recipient.strip_suffix("json");
    short
        .filter(|short| !declares(recipient) && declares(short))
        .unwrap_or(recipient)
}

impl Header {
    fn len(&self) -> usize {
        self.words.len() + self.channel.len()
    }

    fn push(&mut self, letter: char) {
        if self.is_behind_channel {
            self.channel.push(letter);
        } else {
            self.words.push(letter);
        }
    }

    fn recipient(&self) -> Option<&str> {
        let mut words = self.words.split(' ').chain(self.channel.split(' '));
        words.find_map(|word| word.strip_prefix("to="))
    }

    fn kind(&self) -> Kind {
        match self.channel.split(' ').find(|word| !word.is_empty()) {
            Some("analysis") => Kind::Thinking,
            _ => Kind::Text,
        }
    }
}
