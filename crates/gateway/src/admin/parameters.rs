//! The query strings of the API: each endpoint has a table of what it takes, from which requests are read and the
//! document is made.
//!
//! What cannot be meant is refused with what can be: an unknown name, a name twice, a value of another kind. Whole numbers
//! outside of their range count as the nearest within, so that a page is never longer than its cap.

use jiff::Timestamp;
use lingate_store::Filter;
use lingate_store::filter;
use uuid::Uuid;

use super::refusal::Refusal;

/// One parameter.
#[derive(Debug)]
pub(crate) struct Parameter {
    pub name: &'static str,
    pub kind: Kind,
    /// For people.
    pub about: &'static str,
}

/// What lists, sums, searches and listeners are narrowed by alike.
pub(crate) const SEARCH: Parameter = Parameter {
    name: "search",
    kind: Kind::Text,
    about: "A text that one of method, path, models, provider or wires contains, in any case.",
};
pub(crate) const FROM: Parameter = Parameter {
    name: "from",
    kind: Kind::Time,
    about: "Accepted then or later: RFC 3339, a date, or so long ago (`2h`).",
};
pub(crate) const TO: Parameter = Parameter {
    name: "to",
    kind: Kind::Time,
    about: "Accepted then or earlier.",
};

/// What a parameter may be.
#[derive(Debug)]
pub(crate) enum Kind {
    /// A whole number. What is outside of the range counts as the nearest within.
    Integer { least: i64, most: i64, default: i64 },
    /// A whole number that nothing stands for if it is left out.
    Number,
    /// Any text; empty, it is as if it were left out.
    Text,
    /// The language of `lingate_store::filter`.
    Filter,
    /// As filters take it.
    Time,
    /// The id of an exchange.
    Id,
    /// `true` or `false`; `false` if left out.
    Flag,
    /// One of these words; the first if left out.
    Choice(&'static [&'static str]),
    /// Some of these words, with commas between; none if left out.
    Choices(&'static [&'static str]),
}

/// A parameter's value.
#[derive(Debug)]
enum Value {
    Integer(i64),
    Text(String),
    Filter(Filter),
    Time(Timestamp),
    Id(Uuid),
    Flag(bool),
    Words(Vec<&'static str>),
}

/// A query string, read. Asking for another kind than the table says gives what is left out.
#[derive(Debug)]
pub(crate) struct Asked {
    table: &'static [Parameter],
    given: Vec<(&'static str, Value)>,
}

impl Asked {
    /// Reads a query string. `now` is what times count back from.
    pub(crate) fn read(
        query: Option<&str>,
        table: &'static [Parameter],
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        let mut given: Vec<(&'static str, Value)> = Vec::new();
        for pair in query.unwrap_or_default().split('&') {
            if pair.is_empty() {
                continue;
            }
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decoded(name)?, decoded(value)?);
            let Some(parameter) = table.iter().find(|own| own.name == name) else {
                return Err(unknown(&name, table));
            };
            if given.iter().any(|(own, _)| *own == parameter.name) {
                return Err(Refusal::invalid(format!(
                    "`{name}` is given twice: leave one out"
                )));
            }
            let read = parameter
                .kind
                .read(&value, now)
                .map_err(|problem| Refusal::invalid(format!("`{name}`: {problem}")))?;
            given.extend(read.map(|value| (parameter.name, value)));
        }
        Ok(Self { table, given })
    }

    fn value(&self, name: &str) -> Option<&Value> {
        debug_assert!(self.table.iter().any(|own| own.name == name), "{name}");
        let found = self.given.iter().find(|(own, _)| *own == name);
        found.map(|(_, value)| value)
    }

    fn kind(&self, name: &str) -> Option<&'static Kind> {
        let found = self.table.iter().find(|own| own.name == name);
        found.map(|own| &own.kind)
    }

    /// A whole number, or its default.
    pub(crate) fn integer(&self, name: &str) -> i64 {
        match (self.value(name), self.kind(name)) {
            (Some(Value::Integer(number)), _) => *number,
            (_, Some(Kind::Integer { default, .. })) => *default,
            _ => 0,
        }
    }

    /// The same as a size.
    pub(crate) fn size(&self, name: &str) -> usize {
        usize::try_from(self.integer(name)).unwrap_or_default()
    }

    /// A whole number that may be left out.
    pub(crate) fn number(&self, name: &str) -> Option<i64> {
        match self.value(name)? {
            Value::Integer(number) => Some(*number),
            _ => None,
        }
    }

    /// A text.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        match self.value(name)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A filter; empty if it was left out.
    pub(crate) fn filter(&self, name: &str) -> Filter {
        match self.value(name) {
            Some(Value::Filter(filter)) => filter.clone(),
            _ => Filter::default(),
        }
    }

    /// A time.
    pub(crate) fn time(&self, name: &str) -> Option<Timestamp> {
        match self.value(name)? {
            Value::Time(time) => Some(*time),
            _ => None,
        }
    }

    /// The id of an exchange.
    pub(crate) fn id(&self, name: &str) -> Option<Uuid> {
        match self.value(name)? {
            Value::Id(id) => Some(*id),
            _ => None,
        }
    }

    /// Whether it was said.
    pub(crate) fn flag(&self, name: &str) -> bool {
        matches!(self.value(name), Some(Value::Flag(true)))
    }

    /// One of the words of the table.
    pub(crate) fn choice(&self, name: &str) -> &'static str {
        match (self.value(name), self.kind(name)) {
            (Some(Value::Words(words)), _) => words.first().copied().unwrap_or_default(),
            (_, Some(Kind::Choice(words))) => words.first().copied().unwrap_or_default(),
            _ => "",
        }
    }

    /// Words of the table.
    pub(crate) fn choices(&self, name: &str) -> &[&'static str] {
        match self.value(name) {
            Some(Value::Words(words)) => words,
            _ => &[],
        }
    }
}

impl Kind {
    /// Reads a value; `None` if it is as if it were left out.
    fn read(&self, given: &str, now: Timestamp) -> Result<Option<Value>, String> {
        let word = |words: &'static [&'static str], given: &str| {
            let found = words.iter().find(|word| **word == given);
            found
                .copied()
                .ok_or_else(|| format!("`{given}` is none of {}", words.join(", ")))
        };
        Ok(Some(match self {
            Self::Integer { least, most, .. } => Value::Integer(whole(given)?.clamp(*least, *most)),
            Self::Number => Value::Integer(whole(given)?),
            Self::Text if given.is_empty() => return Ok(None),
            Self::Text => Value::Text(given.to_owned()),
            Self::Filter => {
                Value::Filter(Filter::parse(given, now).map_err(|error| error.to_string())?)
            }
            Self::Time => Value::Time(time(given, now)?),
            Self::Id => Value::Id(Uuid::parse_str(given).map_err(|_| {
                format!("`{given}` is no id: an exchange's is a UUID, as the lists show it")
            })?),
            Self::Flag => match given {
                "true" | "1" => Value::Flag(true),
                "false" | "0" => Value::Flag(false),
                _ => return Err(format!("`{given}` is neither `true` nor `false`")),
            },
            Self::Choice(words) => Value::Words(vec![word(words, given)?]),
            Self::Choices(words) => {
                let parts = given
                    .split(',')
                    .map(str::trim)
                    .filter(|part| !part.is_empty());
                let words: Result<_, _> = parts.map(|part| word(words, part)).collect();
                Value::Words(words?)
            }
        }))
    }
}

/// A whole number, however long.
fn whole(given: &str) -> Result<i64, String> {
    let digits = given.strip_prefix(['-', '+']).unwrap_or(given);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!("`{given}` is no whole number"));
    }
    let edge = if given.starts_with('-') {
        i64::MIN
    } else {
        i64::MAX
    };
    Ok(given.parse().unwrap_or(edge))
}

/// A time. In a query string a bare `+` is a blank, also the one of `+02:00`.
fn time(given: &str, now: Timestamp) -> Result<Timestamp, String> {
    if given.contains('T') && given.contains(' ') {
        return filter::time(&given.replace(' ', "+"), now);
    }
    filter::time(given, now)
}

fn unknown(name: &str, table: &[Parameter]) -> Refusal {
    let names: Vec<&str> = table.iter().map(|own| own.name).collect();
    Refusal::invalid(if names.is_empty() {
        format!("there is no parameter `{name}`, nor any other here")
    } else {
        format!(
            "there is no parameter `{name}`; there are {}",
            names.join(", ")
        )
    })
}

/// What forms and browsers encode: `+` is a blank, `%41` a byte.
fn decoded(text: &str) -> Result<String, Refusal> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                let pair = digit(rest.next()).zip(digit(rest.next()));
                let byte = pair.and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
                byte.ok_or_else(|| Refusal::invalid("a `%` in the query has no two hexadecimal digits behind it: write `%25` for the sign itself"))?
            }
            other => other,
        });
    }
    String::from_utf8(bytes)
        .map_err(|_| Refusal::invalid("the query is not UTF-8 once it is decoded"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[Parameter] = &[
        parameter(
            "limit",
            Kind::Integer {
                least: 1,
                most: 9,
                default: 5,
            },
        ),
        parameter("attempt", Kind::Number),
        parameter("search", Kind::Text),
        parameter("q", Kind::Filter),
        parameter("from", Kind::Time),
        parameter("before", Kind::Id),
        parameter("items", Kind::Flag),
        parameter("by", Kind::Choice(&["model", "day"])),
        parameter("kinds", Kind::Choices(&["request", "response"])),
    ];

    const fn parameter(name: &'static str, kind: Kind) -> Parameter {
        Parameter {
            name,
            kind,
            about: "",
        }
    }

    fn now() -> Timestamp {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    fn read(query: &str) -> Asked {
        Asked::read(Some(query), TABLE, now()).unwrap_or_else(|refusal| panic!("{refusal:?}"))
    }

    fn refused(query: &str, part: &str) {
        let refusal = Asked::read(Some(query), TABLE, now()).unwrap_err();
        assert!(
            refusal.message.contains(part),
            "{query}: {}",
            refusal.message
        );
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        for asked in [
            read(""),
            read("&&"),
            Asked::read(None, TABLE, now()).unwrap(),
        ] {
            assert_eq!((asked.integer("limit"), asked.size("limit")), (5, 5));
            assert_eq!(
                (asked.number("attempt"), asked.text("search")),
                (None, None)
            );
            assert_eq!(asked.filter("q"), Filter::default());
            assert_eq!((asked.time("from"), asked.id("before")), (None, None));
            assert_eq!((asked.flag("items"), asked.choice("by")), (false, "model"));
            assert!(asked.choices("kinds").is_empty());
        }
    }

    #[test]
    fn numbers_stay_within() {
        for (given, expected) in [
            ("1", 1),
            ("9", 9),
            ("10", 9),
            ("0", 1),
            ("-3", 1),
            ("99999999999999999999", 9),
        ] {
            assert_eq!(
                read(&format!("limit={given}")).integer("limit"),
                expected,
                "{given}"
            );
        }
        assert_eq!(read("attempt=-3").number("attempt"), Some(-3));
        for given in ["", "x", "1.5", "1e3", "0x1", "null", "true", "-", "1,2"] {
            refused(&format!("limit={given}"), "whole number");
        }
    }

    #[test]
    fn texts_are_decoded() {
        for (given, expected) in [
            ("a+b", "a b"),
            ("a%2Bb", "a+b"),
            ("%c3%bc", "ü"),
            ("a%26b%3D", "a&b="),
        ] {
            assert_eq!(
                read(&format!("search={given}")).text("search"),
                Some(expected)
            );
        }
        assert_eq!(read("search=").text("search"), None);
        refused("search=%", "%25");
        refused("search=%zz", "%25");
        refused("search=%ff", "UTF-8");
        assert_eq!(read("q=status:5xx+%22a%22").filter("q").terms.len(), 2);
        refused("q=staus:5xx", "is no field");
    }

    #[test]
    fn times_are_those_of_filters() {
        let noon = now();
        for given in [
            "2026-11-21T12:00:00Z",
            "2026-11-21T14:00:00+02:00",
            "2026-11-21T14:00:00%2B02:00",
            "0s",
        ] {
            assert_eq!(
                read(&format!("from={given}")).time("from"),
                Some(noon),
                "{given}"
            );
        }
        refused("from=yesterday", "is no time");
    }

    #[test]
    fn words_are_those_of_the_table() {
        assert_eq!(read("by=day").choice("by"), "day");
        assert_eq!(
            read("kinds=response,,request").choices("kinds"),
            ["response", "request"]
        );
        refused("by=week", "model, day");
        refused("kinds=request,all", "request, response");
        assert!(read("items=true").flag("items") && !read("items=false").flag("items"));
        refused("items=yes", "neither");
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        refused("limits=3", "limit, attempt");
        refused("limit=3&limit=3", "twice");
        refused("before=12", "UUID");
    }
}
