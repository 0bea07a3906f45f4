//! The answers of a cassette, and which of them belongs to a request.
//!
//! Sessions are never the same twice: ids, dates and paths differ. So a request gets, of the answers at its endpoint, the
//! one to exactly these bytes; else the next one to a request at the same place of a conversation; else the next that
//! nobody got; else the last of those once more.

use std::collections::BTreeSet;

use super::answer::Answer;
use super::asked::Asked;
use super::pace::Pace;
use crate::cassette::{Recorded, Sent};

/// The path of what was asked of the built-in demo: it has no address, and speaks Chat.
const DEMO: &str = "/v1/chat/completions";

/// The answers.
#[derive(Debug)]
pub(super) struct Library {
    entries: Vec<Entry>,
    exchanges: usize,
    /// Attempts whose answer was not kept.
    bare: usize,
}

#[derive(Debug)]
struct Entry {
    exchange: String,
    /// From 1.
    attempt: usize,
    asked: Asked,
    sent: Sent,
    /// How often it was given.
    given: usize,
}

/// Why an answer was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// The same bytes were asked.
    Exact,
    /// The same place of a conversation.
    Turn,
    /// The next that nobody got.
    Next,
    /// All were given: once more.
    Again,
}

impl How {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Exact => "same bytes",
            Self::Turn => "same turn",
            Self::Next => "next unused",
            Self::Again => "once more",
        }
    }
}

/// An answer that was chosen.
#[derive(Debug, PartialEq)]
pub(super) struct Chosen {
    pub(super) answer: Answer,
    pub(super) how: How,
    /// The exchange and the attempt, for people.
    pub(super) of: String,
}

impl Library {
    pub(super) fn of(exchanges: &[Recorded]) -> Self {
        let mut library = Self {
            entries: Vec::new(),
            exchanges: exchanges.len(),
            bare: 0,
        };
        for exchange in exchanges {
            for (at, sent) in exchange.attempts.iter().enumerate() {
                match entry(exchange, at + 1, sent) {
                    Some(entry) => library.entries.push(entry),
                    None => library.bare += 1,
                }
            }
        }
        library
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The models that were asked for.
    pub(super) fn models(&self) -> BTreeSet<&str> {
        let models = self.entries.iter().map(|entry| entry.asked.model.as_str());
        models.filter(|model| !model.is_empty()).collect()
    }

    /// In a few words.
    pub(super) fn summary(&self) -> String {
        let models: Vec<_> = self.models().into_iter().collect();
        let bare = match self.bare {
            0 => String::new(),
            bare => format!(", {bare} more were not kept"),
        };
        format!(
            "{} answers of {} exchanges ({}){bare}",
            self.entries.len(),
            self.exchanges,
            models.join(", ")
        )
    }

    /// How many answers nobody got.
    pub(super) fn unused(&self) -> usize {
        self.entries.iter().filter(|entry| entry.given == 0).count()
    }

    /// The answer that belongs to a request; `None` if none was recorded at its endpoint.
    pub(super) fn choose(&mut self, asked: &Asked, pace: Pace) -> Option<Chosen> {
        let (at, how) = self.find(asked)?;
        let entry = self.entries.get_mut(at)?;
        entry.given += 1;
        Some(Chosen {
            answer: Answer::recorded(&entry.sent, pace)?,
            how,
            of: format!("{} attempt {}", entry.exchange, entry.attempt),
        })
    }

    fn find(&self, asked: &Asked) -> Option<(usize, How)> {
        let entries = || {
            let entries = self.entries.iter().enumerate();
            let fits = |own: &Asked| own.endpoint == asked.endpoint && own.streams == asked.streams;
            entries.filter(move |(_, entry)| fits(&entry.asked))
        };
        let unused = || entries().filter(|(_, entry)| entry.given == 0);
        let is_same = |entry: &Entry| entry.asked.body == asked.body;
        let is_turn = |entry: &Entry| {
            entry.asked.messages == asked.messages && (entry.asked.tools == 0) == (asked.tools == 0)
        };
        let of_model = |entry: &Entry| entry.asked.model == asked.model;
        let exact = unused().find(|(_, entry)| is_same(entry));
        let exact = exact.or_else(|| entries().rfind(|(_, entry)| is_same(entry)));
        if let Some((at, _)) = exact {
            return Some((at, How::Exact));
        }
        let turn = unused().find(|(_, entry)| is_turn(entry) && of_model(entry));
        if let Some((at, _)) = turn.or_else(|| unused().find(|(_, entry)| is_turn(entry))) {
            return Some((at, How::Turn));
        }
        let next = unused().find(|(_, entry)| of_model(entry));
        if let Some((at, _)) = next.or_else(|| unused().next()) {
            return Some((at, How::Next));
        }
        let again = entries().rfind(|(_, entry)| is_turn(entry));
        again
            .or_else(|| entries().next_back())
            .map(|(at, _)| (at, How::Again))
    }
}

fn entry(exchange: &Recorded, attempt: usize, sent: &Sent) -> Option<Entry> {
    let path = match sent.url.split_once("://") {
        Some((_, rest)) => rest.find('/').and_then(|at| rest.get(at..))?,
        None if sent.url.is_empty() => DEMO,
        None => return None,
    };
    let body = match &sent.request {
        Some(body) => body.bytes()?,
        None => Vec::new(),
    };
    // What cannot be played is none.
    Answer::recorded(sent, Pace::Max)?;
    Some(Entry {
        exchange: exchange.id.clone(),
        attempt,
        asked: Asked::new(path, "", body)?,
        sent: sent.clone(),
        given: 0,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cassette::Content;

    fn request(model: &str, messages: &[&str], tools: usize) -> String {
        let tools: Vec<_> = (0..tools).map(|n| json!({"name": n.to_string()})).collect();
        json!({"model": model, "messages": messages, "tools": tools}).to_string()
    }

    fn sent(request: &str, status: Option<u16>, response: &str) -> Sent {
        Sent {
            url: "POST https://host.example/api/v1/chat/completions".to_owned(),
            request: Some(Content::of(request.as_bytes().to_vec())),
            status,
            response: Some(Content::of(response.as_bytes().to_vec())),
            ..Sent::default()
        }
    }

    fn recorded(id: &str, attempts: Vec<Sent>) -> Recorded {
        Recorded {
            id: id.to_owned(),
            attempts,
            ..Recorded::default()
        }
    }

    /// Asks one after the other; what each gets.
    fn check(library: &mut Library, asked: &[(String, How, &str)]) {
        for (body, how, expected) in asked {
            let asked = Asked::new("/v1/chat/completions", "", body.clone().into_bytes()).unwrap();
            let chosen = library.choose(&asked, Pace::Max).unwrap();
            assert_eq!(
                (
                    chosen.how,
                    &*String::from_utf8(chosen.answer.body()).unwrap()
                ),
                (*how, *expected),
                "{body}"
            );
        }
    }

    #[test]
    fn what_the_demo_answered_is_played_too() {
        let asked = request("demo", &["one"], 0);
        let demo = Sent {
            url: String::new(),
            ..sent(&asked, Some(200), "A")
        };
        let mut library = Library::of(&[recorded("1", vec![demo])]);
        assert_eq!(library.summary(), "1 answers of 1 exchanges (demo)");
        check(&mut library, &[(asked, How::Exact, "A")]);
    }

    #[test]
    fn the_same_session_again() {
        let title = request("m", &["title"], 0);
        let first = request("m", &["one"], 2);
        let second = request("m", &["one", "a", "two"], 2);
        let exchanges = [
            recorded(
                "1",
                vec![
                    sent(&first, Some(529), "busy"),
                    sent(&first, Some(200), "A"),
                ],
            ),
            recorded("2", vec![sent(&title, Some(200), "T")]),
            recorded("3", vec![sent(&second, Some(200), "B")]),
        ];
        let mut library = Library::of(&exchanges);
        assert_eq!(library.summary(), "4 answers of 3 exchanges (m)");
        check(
            &mut library,
            &[
                (request("m", &["another title"], 0), How::Turn, "T"),
                (first.clone(), How::Exact, "busy"),
                (request("m", &["one, at another date"], 2), How::Turn, "A"),
                (request("other", &["uno", "a", "dos"], 2), How::Turn, "B"),
            ],
        );
        assert_eq!(library.unused(), 0);
        check(
            &mut library,
            &[
                (second, How::Exact, "B"),
                (request("m", &["x"; 9], 2), How::Again, "B"),
            ],
        );
    }

    #[test]
    fn the_next_where_nothing_is_alike() {
        let exchanges = [recorded(
            "1",
            vec![
                sent(&request("m", &["a"; 3], 1), Some(200), "A"),
                sent(&request("n", &["a"; 3], 1), Some(200), "B"),
            ],
        )];
        let mut library = Library::of(&exchanges);
        check(
            &mut library,
            &[
                (request("n", &["a"; 7], 1), How::Next, "B"),
                (request("n", &["a"; 8], 1), How::Next, "A"),
                (request("n", &["a"; 9], 1), How::Again, "B"),
            ],
        );
        let other = Asked::new("/v1/messages", "", b"{}".to_vec()).unwrap();
        assert_eq!(library.choose(&other, Pace::Max), None);
    }

    #[test]
    fn what_was_not_kept_is_counted() {
        let bare = Sent {
            response: None,
            ..sent("{}", Some(200), "")
        };
        let library = Library::of(&[recorded("1", vec![bare, sent("{}", None, "")])]);
        assert_eq!(
            library.summary(),
            "1 answers of 1 exchanges (), 1 more were not kept"
        );
    }
}
