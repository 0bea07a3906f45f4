//! Text to filter.

use jiff::Timestamp;

use super::value::{self, Bad};
use super::{Condition, Filter, Is, NumberField, Pattern, Tag, Term, WordField};

/// What is wrong with a filter, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem} (at character {at})")]
pub struct FilterError {
    /// Characters before the word that does not fit.
    pub at: usize,
    /// What is wrong with it and what would do.
    pub problem: String,
}

/// Everything that may stand before a colon.
const FIELDS: &str = "status, model, upstream, provider, session, tool, quirk, warning, wire, upstream-wire, lane, end, class, agent, \
                      key, profile, path, stop, error, preview, cost, tokens, input, output, duration, ttft, attempts, \
                      losses, since, until, any, is";

impl Filter {
    /// Reads a filter. `now` is what `since:2h` counts from.
    ///
    /// # Errors
    /// The first word that is no filter, with what would be one.
    pub fn parse(text: &str, now: Timestamp) -> Result<Self, FilterError> {
        let mut terms = Vec::new();
        let mut words = Words { text, at: 0 };
        while let Some(word) = words.next()? {
            let condition = match &word.field {
                None if word.value.is_empty() => {
                    Err(Bad("an empty text matches everything".to_owned()))
                }
                None => Ok(Condition::Text(word.value.clone())),
                Some(field) => condition(field, &word, now),
            };
            terms.push(Term {
                negated: word.negated,
                condition: condition.map_err(|Bad(problem)| words.error(word.start, problem))?,
            });
        }
        Ok(Self { terms })
    }
}

/// A word as it stands.
struct Word {
    start: usize,
    negated: bool,
    field: Option<String>,
    value: String,
    quoted: bool,
}

struct Words<'a> {
    text: &'a str,
    at: usize,
}

impl Words<'_> {
    fn next(&mut self) -> Result<Option<Word>, FilterError> {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
        let start = self.at;
        let mut rest = self.rest();
        if rest.is_empty() {
            return Ok(None);
        }
        let negated = rest.starts_with('-') && rest.len() > 1;
        if negated {
            self.at += 1;
            rest = self.rest();
        }
        let is_end = |c: char| c.is_whitespace() || c == '"';
        let bare = rest.split(is_end).next().unwrap_or_default();
        let mut field = None;
        if let Some((name, _)) = bare.split_once(':') {
            field = Some(name.to_ascii_lowercase());
            self.at += name.len() + 1;
        }
        let quoted = self.rest().starts_with('"');
        let value = if quoted {
            self.quoted(start)?
        } else {
            self.bare()
        };
        Ok(Some(Word {
            start,
            negated,
            field,
            value,
            quoted,
        }))
    }

    fn bare(&mut self) -> String {
        let word = self
            .rest()
            .split(char::is_whitespace)
            .next()
            .unwrap_or_default()
            .to_owned();
        self.at += word.len();
        word
    }

    /// What is in quotes; `\"` and `\\` stand for themselves.
    fn quoted(&mut self, start: usize) -> Result<String, FilterError> {
        let mut value = String::new();
        let mut characters = self.rest().char_indices().skip(1);
        while let Some((at, character)) = characters.next() {
            match character {
                '"' => {
                    self.at += at + 1;
                    return Ok(value);
                }
                '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
                other => value.push(other),
            }
        }
        Err(self.error(
            start,
            "a quote is not closed: add `\"` at the end".to_owned(),
        ))
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn error(&self, start: usize, problem: String) -> FilterError {
        FilterError {
            at: self.text.get(..start).unwrap_or_default().chars().count(),
            problem,
        }
    }
}

fn condition(field: &str, word: &Word, now: Timestamp) -> Result<Condition, Bad> {
    if word.value.is_empty() {
        return Err(Bad(format!("`{field}:` needs a value")));
    }
    let given = word.value.as_str();
    if let Some(field) = word_field(field) {
        return Ok(Condition::Word(field, pattern(word)));
    }
    if let Some(number_field) = number_field(field) {
        let (least, most) = value::range(given, |number| unit(number_field, number))
            .map_err(|Bad(problem)| Bad(format!("`{field}:{given}`: {problem}")))?;
        return Ok(Condition::Number(number_field, least, most));
    }
    match field {
        "tool" => Ok(Condition::Tag(Tag::Tool, pattern(word))),
        "quirk" => Ok(Condition::Tag(Tag::Quirk, pattern(word))),
        "warning" => Ok(Condition::Tag(Tag::Warning, pattern(word))),
        "since" | "after" => value::time(given, now).map(Condition::Since),
        "until" | "before" => value::time(given, now).map(Condition::Until),
        "any" => Ok(Condition::Any(given.to_owned())),
        "is" => is(given).map(Condition::Is),
        _ => Err(Bad(format!(
            "`{field}:` is no field; use one of {FIELDS}, or put the text in quotes"
        ))),
    }
}

fn pattern(word: &Word) -> Pattern {
    let value = &word.value;
    if word.quoted {
        return Pattern::Exact(value.clone());
    }
    match value.strip_prefix('=') {
        Some(exact) => Pattern::Exact(exact.to_owned()),
        None if value.contains('*') => Pattern::Glob(value.clone()),
        None => Pattern::Contains(value.clone()),
    }
}

fn word_field(name: &str) -> Option<WordField> {
    Some(match name {
        "model" => WordField::Model,
        "upstream" | "upstream-model" => WordField::UpstreamModel,
        "provider" => WordField::Provider,
        "session" => WordField::Session,
        "end" => WordField::End,
        "agent" => WordField::Agent,
        "class" => WordField::Class,
        "profile" => WordField::Profile,
        "key" => WordField::Key,
        "wire" | "client-wire" => WordField::Wire,
        "upstream-wire" => WordField::UpstreamWire,
        "lane" => WordField::Lane,
        "path" => WordField::Path,
        "stop" => WordField::Stop,
        "error" => WordField::Error,
        "preview" => WordField::Preview,
        _ => return None,
    })
}

fn number_field(name: &str) -> Option<NumberField> {
    Some(match name {
        "status" => NumberField::Status,
        "cost" => NumberField::Cost,
        "duration" => NumberField::Duration,
        "ttft" => NumberField::Ttft,
        "tokens" => NumberField::Tokens,
        "input" => NumberField::Input,
        "output" => NumberField::Output,
        "attempts" => NumberField::Attempts,
        "losses" => NumberField::Losses,
        _ => return None,
    })
}

/// The range of numbers that a value of this field stands for.
fn unit(field: NumberField, given: &str) -> Result<(i64, i64), Bad> {
    match field {
        NumberField::Status => value::status(given),
        NumberField::Cost => value::dollars(given).map(same),
        NumberField::Duration | NumberField::Ttft => value::milliseconds(given).map(same),
        NumberField::Tokens
        | NumberField::Input
        | NumberField::Output
        | NumberField::Attempts
        | NumberField::Losses => value::count(given).map(same),
    }
}

const fn same(number: i64) -> (i64, i64) {
    (number, number)
}

fn is(given: &str) -> Result<Is, Bad> {
    match given {
        "ok" => Ok(Is::Ok),
        "error" => Ok(Is::Error),
        "open" | "running" => Ok(Is::Open),
        "stream" => Ok(Is::Stream),
        "unpriced" => Ok(Is::Unpriced),
        _ => Err(Bad(format!(
            "`is:{given}` is no state; use ok, error, open, stream or unpriced"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn now() -> Timestamp {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    fn check(text: &str, expected: Condition) {
        let negated = text.starts_with('-') && text != "-";
        let terms = vec![Term {
            negated,
            condition: expected,
        }];
        assert_eq!(Filter::parse(text, now()), Ok(Filter { terms }), "{text}");
    }

    fn refused(text: &str, at: usize, part: &str) {
        let error = Filter::parse(text, now()).unwrap_err();
        assert_eq!(error.at, at, "{error}");
        assert!(error.problem.contains(part), "{error}");
    }

    #[test]
    fn every_kind_of_word() {
        use Condition::{Number, Tag as HasTag, Text, Word};
        use Pattern::{Contains, Exact, Glob};
        check(
            "status:5xx",
            Number(NumberField::Status, Some(500), Some(599)),
        );
        check(
            "status:404",
            Number(NumberField::Status, Some(404), Some(404)),
        );
        check("status:>=400", Number(NumberField::Status, Some(400), None));
        check(
            "-status:2xx",
            Number(NumberField::Status, Some(200), Some(299)),
        );
        check(
            "status:4xx..5xx",
            Number(NumberField::Status, Some(400), Some(599)),
        );
        check("cost:>0.1", Number(NumberField::Cost, Some(100_001), None));
        check("cost:<$1", Number(NumberField::Cost, None, Some(999_999)));
        check(
            "duration:>5s",
            Number(NumberField::Duration, Some(5001), None),
        );
        check(
            "ttft:200ms..1.5s",
            Number(NumberField::Ttft, Some(200), Some(1500)),
        );
        check(
            "tokens:>=10k",
            Number(NumberField::Tokens, Some(10_000), None),
        );
        check(
            "model:kimi",
            Word(WordField::Model, Contains("kimi".into())),
        );
        check("Model:Kimi*", Word(WordField::Model, Glob("Kimi*".into())));
        check("model:=kimi", Word(WordField::Model, Exact("kimi".into())));
        check("model:\"a b\"", Word(WordField::Model, Exact("a b".into())));
        check(
            "error:connection",
            Word(WordField::Error, Contains("connection".into())),
        );
        check("tool:Bash", HasTag(Tag::Tool, Contains("Bash".into())));
        check(
            "quirk:=think-tags",
            HasTag(Tag::Quirk, Exact("think-tags".into())),
        );
        check(
            "warning:loop",
            HasTag(Tag::Warning, Contains("loop".into())),
        );
        check(
            "since:2h",
            Condition::Since("2026-11-21T10:00:00Z".parse().unwrap()),
        );
        check(
            "until:2026-11-20",
            Condition::Until("2026-11-20T00:00:00Z".parse().unwrap()),
        );
        check(
            "since:2026-11-20T01:02:03Z",
            Condition::Since("2026-11-20T01:02:03Z".parse().unwrap()),
        );
        check("is:error", Condition::Is(Is::Error));
        check("\"say \\\"hi\\\": x\"", Text("say \"hi\": x".into()));
        check("word", Text("word".into()));
        check("-\"not this\"", Text("not this".into()));
        check("-", Text("-".into()));
    }

    #[test]
    fn words_are_joined() {
        let filter =
            Filter::parse("  status:5xx model:kimi \"a b\" -tool:Bash\tc ", now()).unwrap();
        assert_eq!(filter.terms.len(), 5);
        let texts: Vec<_> = filter.texts().collect();
        assert_eq!(texts, [("a b", false), ("c", false)]);
        assert_eq!(Filter::parse("", now()), Ok(Filter::default()));
    }

    #[test]
    fn what_is_wrong_is_said() {
        refused("colour:red", 0, "is no field; use one of status,");
        refused("ü model:", 2, "`model:` needs a value");
        refused("x \"open", 2, "not closed");
        refused("\"\"", 0, "empty text");
        refused("status:6xx", 0, "status");
        refused("status:abc", 0, "404");
        refused("cost:>cheap", 0, "dollars");
        refused("cost:0.0000001", 0, "millionth");
        refused("duration:5", 0, "unit");
        refused("duration:>1e99s", 0, "number");
        refused("tokens:9..1", 0, "nothing lies");
        refused("since:yesterday", 0, "2h");
        refused("since:99999999999999d", 0, "2h");
        refused("is:late", 0, "use ok, error");
        refused("http://x", 0, "in quotes");
    }

    proptest! {
        #[test]
        fn any_text_is_a_filter_or_an_error_within_it(text in "(?:[a-z]{1,8}:)?[ -~ü\"\\\\:<>.*=0-9a-z]{0,40}") {
            match Filter::parse(&text, now()) {
                Ok(filter) => for term in filter.terms {
                    if let Condition::Number(_, Some(least), Some(most)) = term.condition {
                        prop_assert!(least <= most);
                    }
                },
                Err(error) => prop_assert!(error.at <= text.chars().count()),
            }
        }
    }
}
