//! The filter language of lists and searches: words that must all hold.
//!
//! ```text
//! status:5xx  model:kimi  tool:Bash  session:1f0c  since:2h  cost:>0.1  -is:stream  "said this"
//! ```
//!
//! `field:value` compares a field; `-` in front turns it round. Anything else, in quotes or without a colon, is text that a
//! body must contain. Text values match anywhere and in any case, `*` stands for anything, `=value` is exact; a session is
//! given by the beginning of its id. Numbers take `>`, `>=`, `<`, `<=` and `a..b`.

mod parse;
mod value;

use jiff::Timestamp;

pub use parse::FilterError;

/// What rows must be like. Empty, it matches everything.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Filter {
    /// All of these hold.
    pub terms: Vec<Term>,
}

/// One word of a filter.
#[derive(Debug, Clone, PartialEq)]
pub struct Term {
    /// Whether it must not hold.
    pub negated: bool,
    /// What is asked.
    pub condition: Condition,
}

/// What a word asks.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// A body contains this, in any case.
    Text(String),
    /// One of the fields that lists show contains this, in any case: models, provider, path, wires, method.
    Any(String),
    /// A text field matches.
    Word(WordField, Pattern),
    /// A number lies within, both ends included.
    Number(NumberField, Option<i64>, Option<i64>),
    /// A tool was called, or a quirk changed something.
    Tag(Tag, Pattern),
    /// Accepted then or later.
    Since(Timestamp),
    /// Accepted before then.
    Until(Timestamp),
    /// In this state.
    Is(Is),
}

/// How a text is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pattern {
    /// It is exactly this.
    Exact(String),
    /// It contains this, in any case.
    Contains(String),
    /// It is this, in any case, where `*` is anything.
    Glob(String),
}

impl Pattern {
    /// Whether `text` matches.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        match self {
            Self::Exact(exact) => text == exact,
            Self::Contains(part) => text.to_lowercase().contains(&part.to_lowercase()),
            Self::Glob(glob) => value::glob(&glob.to_lowercase(), &text.to_lowercase()),
        }
    }
}

/// A text field of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WordField {
    /// The model as asked.
    Model,
    /// The model that served.
    UpstreamModel,
    /// The provider that served.
    Provider,
    /// The conversation.
    Session,
    /// How it ended.
    End,
    /// The agent.
    Agent,
    /// The request class.
    Class,
    /// The profile.
    Profile,
    /// The client's key.
    Key,
    /// The client's wire.
    Wire,
    /// The provider's wire.
    UpstreamWire,
    /// The lane.
    Lane,
    /// The path.
    Path,
    /// Why the model stopped.
    Stop,
    /// What went wrong.
    Error,
    /// The beginning of the answer.
    Preview,
}

/// A number of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberField {
    /// The status that was sent.
    Status,
    /// Millionths of a dollar.
    Cost,
    /// Milliseconds to the last byte.
    Duration,
    /// Milliseconds to the first content.
    Ttft,
    /// Tokens in and out.
    Tokens,
    /// Fresh input tokens.
    Input,
    /// Output tokens.
    Output,
    /// Upstream requests.
    Attempts,
    /// Losses of translation.
    Losses,
}

/// A list of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tag {
    /// Tools called.
    Tool,
    /// Quirks that changed something.
    Quirk,
    /// What somebody should look at.
    Warning,
}

/// A state of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Is {
    /// All went well.
    Ok,
    /// Something did not.
    Error,
    /// It has not ended.
    Open,
    /// It was streamed.
    Stream,
    /// Nobody knows its price.
    Unpriced,
}

/// A time as `since:` takes it: so long ago (`2h`, `7d`), a date, or a time (RFC 3339). `now` is what it counts back from.
///
/// # Errors
/// What else would be a time.
pub fn time(given: &str, now: Timestamp) -> Result<Timestamp, String> {
    value::time(given, now).map_err(|value::Bad(problem)| problem)
}

impl Filter {
    /// One more condition that must hold.
    pub fn and(&mut self, condition: Condition) {
        self.terms.push(Term {
            negated: false,
            condition,
        });
    }

    /// The texts that bodies must contain, or must not (`true`).
    pub fn texts(&self) -> impl Iterator<Item = (&str, bool)> {
        self.terms.iter().filter_map(|term| match &term.condition {
            Condition::Text(text) => Some((text.as_str(), term.negated)),
            Condition::Any(_)
            | Condition::Word(..)
            | Condition::Number(..)
            | Condition::Tag(..)
            | Condition::Since(_)
            | Condition::Until(_)
            | Condition::Is(_) => None,
        })
    }
}
