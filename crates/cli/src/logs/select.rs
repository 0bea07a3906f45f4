//! Which exchanges are meant: the words of a filter, and ids by their beginning.

use jiff::Timestamp;
use lingate_store::{Exchange, Filter, Page, Reader};
use uuid::Uuid;

use super::{failed, rows};
use crate::failure::Failure;

/// Everything that may stand before a colon, for "did you mean".
const FIELDS: [&str; 30] = [
    "status",
    "model",
    "upstream",
    "provider",
    "session",
    "tool",
    "quirk",
    "wire",
    "upstream-wire",
    "lane",
    "end",
    "class",
    "agent",
    "key",
    "profile",
    "path",
    "stop",
    "error",
    "preview",
    "cost",
    "tokens",
    "input",
    "output",
    "duration",
    "ttft",
    "attempts",
    "losses",
    "since",
    "until",
    "is",
];

/// How many of those that an id may mean are named.
const NAMED: usize = 5;

/// The words of a filter, as one.
pub(super) fn filter(words: &[String]) -> Result<Filter, Failure> {
    // A word that the shell gave whole is one text, blanks and all.
    let quoted = words.iter().map(|word| {
        let is_text = word.contains(char::is_whitespace) && !word.contains(['"', ':']);
        match is_text {
            true => format!("\"{word}\""),
            false => word.clone(),
        }
    });
    let text = quoted.collect::<Vec<_>>().join(" ");
    Filter::parse(&text, Timestamp::now()).map_err(|error| {
        let failure = Failure::usage(error.to_string());
        match words.iter().find_map(|word| meant(word)) {
            Some(field) => failure.hint(format!("did you mean `{field}:`?")),
            None => failure,
        }
    })
}

/// The field that a word with an unknown one most likely means.
fn meant(word: &str) -> Option<&'static str> {
    let (field, _) = word.trim_start_matches('-').split_once(':')?;
    let field = field.to_ascii_lowercase();
    if FIELDS.contains(&field.as_str()) {
        return None;
    }
    let likeness = |known: &&str| strsim::jaro_winkler(&field, known);
    FIELDS
        .into_iter()
        .filter(|known| likeness(known) > 0.8)
        .max_by(|one, other| likeness(one).total_cmp(&likeness(other)))
}

/// A filter for what looks at rows alone.
pub(super) fn without_texts(words: &[String], command: &str) -> Result<Filter, Failure> {
    let filter = filter(words)?;
    if filter.texts().next().is_some() {
        return Err(Failure::usage(format!("`{command}` looks at no bodies"))
            .hint("a word without a colon is a text; `model:kimi` is a filter by model")
            .hint("`lingate logs search` finds texts in bodies"));
    }
    Ok(filter)
}

/// The exchange whose id is, or begins with, `id`; `last` is the newest.
pub(super) fn named(reader: &Reader, id: &str) -> Result<Uuid, Failure> {
    if id == "last" {
        let newest = newest(reader, None, 1)?.pop();
        return newest
            .map(|exchange| exchange.id)
            .ok_or_else(|| Failure::problem("nothing has been recorded yet"));
    }
    if let Some(found) = reader.named(id).map_err(|error| failed(&error))? {
        return Ok(found);
    }
    let hint = "`lingate logs list` shows ids, `last` is the newest; a reply's id is in its header `x-lingate-id`";
    let Some(above) = above(id) else {
        return Err(Failure::usage(format!(
            "`{id}` is no id of an exchange, nor the beginning of one: those are hexadecimal"
        ))
        .hint(hint));
    };
    let begins = |exchange: &Exchange| digits(&exchange.id.to_string()).starts_with(&digits(id));
    let mut candidates = newest(reader, above, NAMED)?;
    candidates.retain(begins);
    if candidates.is_empty() {
        return Err(
            Failure::problem(format!("no exchange has an id that begins with `{id}`")).hint(hint),
        );
    }
    let mut failure = Failure::problem(format!(
        "more than one exchange has an id that begins with `{id}`"
    ));
    for exchange in &candidates {
        failure = failure.hint(format!(
            "{}  {}  {}",
            exchange.id,
            rows::time(exchange.time),
            crate::output::plain(&exchange.model)
        ));
    }
    Err(failure)
}

/// The newest exchanges before an id.
fn newest(reader: &Reader, before: Option<Uuid>, limit: usize) -> Result<Vec<Exchange>, Failure> {
    let page = Page {
        before,
        limit,
        skip: 0,
    };
    let listing = reader.list(&Filter::default(), page);
    Ok(listing.map_err(|error| failed(&error))?.items)
}

/// The first id behind all that begin like this; `Some(None)` if there is none, `None` if no id begins so.
fn above(beginning: &str) -> Option<Option<Uuid>> {
    let digits = digits(beginning);
    let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_hex || digits.is_empty() || digits.len() > 32 {
        return None;
    }
    let last = u128::from_str_radix(&format!("{digits:f<32}"), 16).ok()?;
    Some(last.checked_add(1).map(Uuid::from_u128))
}

fn digits(id: &str) -> String {
    let digits = id.chars().filter(|char| *char != '-');
    digits.map(|char| char.to_ascii_lowercase()).collect()
}

/// Whether a word is meant as an id: nothing but at least eight of an id's characters, or `last`.
pub(super) fn is_id(word: &str) -> bool {
    word == "last" || word.len() >= 8 && above(word).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_one_of_the_language() {
        let value = |field: &str| match field {
            "status" => "200",
            "since" | "until" => "2h",
            "duration" | "ttft" => ">1s",
            "is" => "ok",
            _ => "1",
        };
        for field in FIELDS {
            let word = format!("{field}:{}", value(field));
            assert!(filter(std::slice::from_ref(&word)).is_ok(), "{word}");
        }
    }

    #[test]
    fn a_typo_is_answered_with_what_was_meant() {
        for (word, expected) in [
            ("staus:200", Some("status")),
            ("-modle:kimi", Some("model")),
            ("provder:x", Some("provider")),
            ("sesion:1", Some("session")),
            ("http://x", None),
            ("status:often", None),
            ("text", None),
        ] {
            assert_eq!(meant(word), expected, "{word}");
        }
    }

    #[test]
    fn ids_are_told_from_words() {
        for (word, expected) in [
            ("019aa6c5", true),
            ("019AA6C5-12", true),
            ("last", true),
            ("019aa6c", false),
            ("deadbeer", false),
            ("model:kimi", false),
            ("", false),
        ] {
            assert_eq!(is_id(word), expected, "{word}");
        }
        assert_eq!(above("ffffffff"), Some(None));
        assert_eq!(
            above("0199").flatten().map(|id| id.to_string()).as_deref(),
            Some("019a0000-0000-0000-0000-000000000000")
        );
        assert_eq!(above("x"), None);
    }
}
