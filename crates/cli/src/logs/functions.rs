//! `lingate logs functions`: the tools that models called, read out of the answers and of what came of the calls.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use bytestring::ByteString;
use jiff::Timestamp;
use lingate_config::Environment;
use lingate_store::filter::{Condition, Pattern, Term, WordField};
use lingate_store::{BodyKind, Exchange, Filter, MAX_PAGE, Page, Reader, Search};
use lingate_wire::turn::{Block, Role};
use lingate_wire::{Wire, bridge};
use serde_json::{Value, json};

use super::answer;
use super::grid::{Cell, Column, grid};
use super::list::nothing;
use super::screen::{Screen, Tone};
use super::{failed, filter, open, rows};
use crate::args::{FunctionsBy, LogsFunctions};
use crate::failure::Failure;
use crate::output;

const HEAD: [Column; 7] = [
    Column::text("asked of").down_to(12),
    Column::text("tool").down_to(12),
    Column::number("calls"),
    Column::number("failed"),
    Column::number("no object"),
    Column::number("bytes"),
    Column::text("last").spare(1),
];

pub(super) fn run(args: &LogsFunctions, environment: &dyn Environment) -> Result<(), Failure> {
    let filter = filter(&args.filter)?;
    let reader = open(&args.file, environment)?;
    let mut book = Book::new(args);
    book.calls(&reader, filter)?;
    book.results(&reader)?;
    if args.format.json {
        return output::json_lines(book.sums.iter().map(|(key, sums)| sums.as_json(key)));
    }
    if book.sums.is_empty() {
        output::say(match book.exchanges {
            0 => nothing(args.filter.is_empty()),
            _ => "no tool was called",
        });
    } else {
        let screen = Screen::stdout(environment);
        output::write(&book.table(screen))?;
    }
    if let Some(limit) = book.stopped {
        output::say(&format!("looked at {} exchanges: {limit}", book.exchanges));
    }
    Ok(())
}

/// What was asked of, and the tool.
type Key = (String, String);

/// Sums over the calls of a tool.
#[derive(Debug, Clone, Default, PartialEq)]
struct Sums {
    calls: u64,
    /// Calls whose result was an error, as far as the client's wire tells.
    failed: u64,
    /// Calls whose arguments were no JSON object, nor free text that the wire allows.
    invalid: u64,
    /// Bytes of arguments, of the calls whose answer was kept.
    bytes: u64,
    measured: u64,
    last: Timestamp,
}

impl Sums {
    fn average(&self) -> Option<u64> {
        self.bytes.checked_div(self.measured)
    }

    fn as_json(&self, (of, tool): &Key) -> Value {
        json!({
            "of": Some(of).filter(|of| !of.is_empty()),
            "tool": tool,
            "calls": self.calls,
            "failed": self.failed,
            "invalid": self.invalid,
            "average_bytes": self.average(),
            "last": rows::time(self.last),
        })
    }
}

/// What is counted, and how long one may.
struct Book {
    by: FunctionsBy,
    limit: usize,
    until: Box<dyn Fn() -> bool>,
    sums: BTreeMap<Key, Sums>,
    /// Where a call is counted, by its session and id.
    places: HashMap<(String, String), Key>,
    exchanges: usize,
    /// Why not everything was looked at.
    stopped: Option<&'static str>,
}

impl Book {
    fn new(args: &LogsFunctions) -> Self {
        #[expect(clippy::disallowed_methods, reason = "a search has real time")]
        let began = Instant::now();
        let patience = Duration::from_secs(args.timeout);
        Self {
            by: args.by,
            limit: args.limit,
            until: Box::new(move || began.elapsed() > patience),
            sums: BTreeMap::new(),
            places: HashMap::new(),
            exchanges: 0,
            stopped: None,
        }
    }

    /// Counts the calls of all that fits.
    fn calls(&mut self, reader: &Reader, filter: Filter) -> Result<(), Failure> {
        let mut search = Search {
            filter,
            kinds: Vec::new(),
            page: Page::default(),
        };
        loop {
            search.page.limit = MAX_PAGE.min(self.limit - self.exchanges);
            let hits = reader.search(&search, &mut || (self.until)());
            let hits = hits.map_err(|error| failed(&error))?;
            for found in &hits.items {
                self.exchanges += 1;
                self.exchange(reader, &found.exchange)?;
            }
            if hits.next.is_none() {
                return Ok(());
            }
            if hits.truncated || (self.until)() {
                self.stopped = Some("time is up, `--timeout` gives more");
                return Ok(());
            }
            if self.exchanges >= self.limit {
                self.stopped = Some("`--limit` looks at more");
                return Ok(());
            }
            search.page.before = hits.next;
        }
    }

    fn exchange(&mut self, reader: &Reader, exchange: &Exchange) -> Result<(), Failure> {
        if exchange.tools.is_empty() {
            return Ok(());
        }
        let of = match self.by {
            FunctionsBy::Tool => String::new(),
            FunctionsBy::Model => exchange.upstream_model.clone().unwrap_or_default(),
            FunctionsBy::Provider => exchange.provider.clone().unwrap_or_default(),
        };
        let body = reader.body(exchange.id, BodyKind::ClientResponse, None);
        let body = body.map_err(|error| failed(&error))?;
        let (Some(body), Some(wire)) = (body, exchange.client_wire) else {
            for tool in &exchange.tools {
                self.call((of.clone(), tool.clone()), exchange, None);
            }
            return Ok(());
        };
        for call in answer::read(wire, &body.bytes).calls {
            let key = (of.clone(), call.name);
            self.call(key.clone(), exchange, Some(&call.input));
            let session = exchange.session.clone().unwrap_or_default();
            self.places.insert((session, call.id), key);
        }
        Ok(())
    }

    fn call(&mut self, key: Key, exchange: &Exchange, input: Option<&str>) {
        let sums = self.sums.entry(key).or_default();
        sums.calls += 1;
        sums.last = sums.last.max(exchange.time);
        if let Some(input) = input {
            sums.measured += 1;
            sums.bytes += input.len() as u64;
            sums.invalid += u64::from(is_broken(input));
        }
    }

    /// Looks up what came of the calls: it stands in the requests that followed in the same sessions.
    fn results(&mut self, reader: &Reader) -> Result<(), Failure> {
        let sessions: BTreeSet<String> = self
            .places
            .keys()
            .map(|(session, _)| session.clone())
            .collect();
        for session in sessions.iter().filter(|session| !session.is_empty()) {
            let filter = Filter {
                terms: vec![Term {
                    negated: false,
                    condition: Condition::Word(WordField::Session, Pattern::Exact(session.clone())),
                }],
            };
            let page = Page {
                limit: MAX_PAGE,
                ..Page::default()
            };
            let listing = reader.list(&filter, page).map_err(|error| failed(&error))?;
            for exchange in &listing.items {
                if (self.until)() {
                    self.stopped = Some("time is up, `--timeout` gives more");
                    return Ok(());
                }
                let body = reader.body(exchange.id, BodyKind::ClientRequest, None);
                let body = body.map_err(|error| failed(&error))?;
                if let (Some(body), Some(wire)) = (body, exchange.client_wire) {
                    for id in failed_calls(wire, &body.bytes) {
                        self.failed(session, id);
                    }
                }
            }
        }
        Ok(())
    }

    /// A call failed; each counts once, however often the conversation is sent again.
    fn failed(&mut self, session: &str, id: String) {
        if let Some(key) = self.places.remove(&(session.to_owned(), id))
            && let Some(sums) = self.sums.get_mut(&key)
        {
            sums.failed += 1;
        }
    }

    fn table(&self, screen: Screen) -> String {
        let mut sums: Vec<_> = self.sums.iter().collect();
        sums.sort_by_key(|(key, sums)| (std::cmp::Reverse(sums.calls), *key));
        let count = |count: u64| match count {
            0 => Cell::new(Tone::Faint, "0"),
            _ => Cell::new(Tone::Bad, count.to_string()),
        };
        let rows: Vec<_> = sums
            .iter()
            .map(|((of, tool), sums)| {
                [
                    Cell::plain(of),
                    Cell::plain(tool),
                    Cell::plain(sums.calls.to_string()),
                    count(sums.failed),
                    count(sums.invalid),
                    Cell::plain(rows::tokens(sums.average())),
                    Cell::new(Tone::Faint, rows::time(sums.last)),
                ]
            })
            .collect();
        if !matches!(self.by, FunctionsBy::Tool) {
            return grid(screen, &HEAD, &rows);
        }
        let [_, head @ ..] = HEAD;
        let rows: Vec<_> = rows.into_iter().map(|[_, cells @ ..]| cells).collect();
        grid(screen, &head, &rows)
    }
}

/// Whether a call's arguments look like JSON and are no object. Free text is what some tools take.
fn is_broken(input: &str) -> bool {
    let begins = input.trim_start().starts_with(['{', '[', '"']);
    begins && !serde_json::from_str::<Value>(input).is_ok_and(|value| value.is_object())
}

/// The calls that a request tells the failure of, since the model spoke last.
fn failed_calls(wire: Wire, body: &[u8]) -> Vec<String> {
    let Ok(text) = std::str::from_utf8(body) else {
        return Vec::new();
    };
    let doc = bridge::scan_request(wire, &ByteString::from(text)).ok();
    let Some(decoded) = doc.and_then(|doc| bridge::decode_request(wire, &doc).ok()) else {
        return Vec::new();
    };
    let messages = decoded.turn.messages.iter().rev();
    let fresh = messages.take_while(|message| message.role != Role::Assistant);
    let blocks = fresh.flat_map(|message| message.blocks.iter());
    blocks
        .filter_map(|block| match &**block {
            Block::ToolResult(result) if result.is_error => {
                Some(result.tool_use_id.decode().into_owned())
            }
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_that_are_no_object() {
        for (input, expected) in [
            ("{}", false),
            ("{\"a\":1}", false),
            ("{\"a\":", true),
            ("[1]", true),
            ("\"text\"", true),
            ("*** Begin Patch", false),
            ("", false),
        ] {
            assert_eq!(is_broken(input), expected, "{input}");
        }
    }

    #[test]
    fn only_new_failures_of_a_request_count() {
        let body = br#"{"model":"m","max_tokens":1,"messages":[
            {"role":"user","content":[{"type":"tool_result","tool_use_id":"old","is_error":true,"content":"x"}]},
            {"role":"assistant","content":[{"type":"tool_use","id":"a","name":"T","input":{}},{"type":"tool_use","id":"b","name":"T","input":{}}]},
            {"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":"fine"},
                {"type":"tool_result","tool_use_id":"b","is_error":true,"content":"bad"}]}]}"#;
        assert_eq!(failed_calls(Wire::Anthropic, body), ["b"]);
        assert!(failed_calls(Wire::Anthropic, b"no json").is_empty());
    }
}
