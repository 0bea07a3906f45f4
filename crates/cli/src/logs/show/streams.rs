//! What the provider sent and what the client got, side by side, with the rule that made the difference.

use lingate_store::{BodyKind, Hit, KeptBody, Reader, Record};
use lingate_wire::Wire;

use super::super::answer;
use super::super::failed;
use super::super::screen::{Screen, Tone, columns, cut};
use super::align::{Row, align};
use super::frames::{Event, events};
use super::hits::{change, row_of, unplaced};
use super::wholes::wholes;
use crate::failure::Failure;

/// Where nothing says how wide it is.
const WIDE: usize = 160;
/// Narrower, one stands under the other.
const NARROW: usize = 100;
/// Longer runs of what is the same on both sides are left out but for their ends.
const RUN: usize = 4;
/// The column of times.
const TIME: usize = 9;

/// The section; empty if no answer was kept.
pub(super) fn text(
    reader: &Reader,
    record: &Record,
    is_raw: bool,
    screen: Screen,
) -> Result<String, Failure> {
    let exchange = &record.exchange;
    let body = |kind, attempt| {
        let body = reader.body(exchange.id, kind, attempt);
        body.map_err(|error| failed(&error))
    };
    let client = body(BodyKind::ClientResponse, None)?;
    let mut upstream = Vec::new();
    let attempts = &record.details.attempts;
    for (at, attempt) in attempts.iter().enumerate() {
        // What a failed attempt sent the client has nothing of, unless it was the last.
        if attempt.outcome != "failed" || at + 1 == attempts.len() {
            upstream.extend(body(BodyKind::ProviderResponse, Some(attempt.number))?);
        }
    }
    let (Some(client), false) = (client, upstream.is_empty()) else {
        return Ok(String::new());
    };
    let hits = &record.details.hits;
    let mut out = format!(
        "\n{}\n",
        screen.paint(Tone::Head, "what the provider sent, what the client got")
    );
    let unplaced = unplaced(hits);
    if !unplaced.is_empty() {
        let text = format!("changed by: {}", unplaced.join(", "));
        out.push_str(&format!("  {}\n", screen.paint(Tone::Warning, &text)));
    }
    let is_same = matches!(upstream.as_slice(), [only] if only.bytes == client.bytes);
    if is_same {
        let text = format!("identical bytes, {} of them", client.bytes.len());
        out.push_str(&format!("  {}\n", screen.paint(Tone::Good, &text)));
    }
    let is_stream = |body: &KeptBody| {
        let head = body
            .bytes
            .get(..64.min(body.bytes.len()))
            .unwrap_or_default();
        let head: String = head.utf8_chunks().map(|chunk| chunk.valid()).collect();
        answer::is_stream(&head)
    };
    if upstream.iter().any(is_stream) || is_stream(&client) {
        if !is_same || is_raw {
            let upstream: Vec<_> = upstream
                .iter()
                .flat_map(|body| events(body.info.attempt, &body.bytes, &body.arrivals))
                .collect();
            let client = events(0, &client.bytes, &client.arrivals);
            out.push_str(&streams(&upstream, &client, hits, is_raw, screen));
        }
    } else if !is_same && let Some(last) = upstream.last() {
        let of = |wire: Option<Wire>, body: &KeptBody| {
            answer::read(wire.unwrap_or(Wire::Chat), &body.bytes)
        };
        let own = of(exchange.upstream_wire, last);
        let got = of(exchange.client_wire, &client);
        out.push_str(&wholes(&own, &got, screen));
    }
    Ok(out)
}

fn streams(
    upstream: &[Event],
    client: &[Event],
    hits: &[Hit],
    is_raw: bool,
    screen: Screen,
) -> String {
    let rows = align(upstream, client);
    let hits: Vec<(Option<usize>, &Hit)> = hits
        .iter()
        .map(|hit| (row_of(hit, upstream), hit))
        .collect();
    let fired = |row: &Row| {
        let hits = hits
            .iter()
            .filter(|(at, _)| at.is_some() && *at == row.upstream);
        hits.map(|(_, hit)| *hit).collect::<Vec<_>>()
    };
    let is_quiet = |row: &Row| !is_raw && is_same(row, upstream, client) && fired(row).is_empty();
    let view = View {
        upstream,
        client,
        is_raw,
        screen,
    };
    let mut out = String::new();
    let mut at = 0;
    while let Some(row) = rows.get(at) {
        let run = rows
            .get(at..)
            .unwrap_or_default()
            .iter()
            .take_while(|row| is_quiet(row))
            .count();
        if run > RUN {
            view.row(row, &[], &mut out);
            let text = format!("… {} events more, the same words on both sides", run - 2);
            out.push_str(&format!(
                "{:TIME$}  {}\n",
                "",
                screen.paint(Tone::Faint, &text)
            ));
            if let Some(last) = rows.get(at + run - 1) {
                view.row(last, &[], &mut out);
            }
            at += run;
            continue;
        }
        view.row(row, &fired(row), &mut out);
        at += 1;
    }
    out
}

/// Whether the client got just the provider's words.
fn is_same(row: &Row, upstream: &[Event], client: &[Event]) -> bool {
    let own = row
        .upstream
        .and_then(|at| upstream.get(at))
        .map_or("", |event| &event.said);
    let got: String = row
        .client
        .iter()
        .filter_map(|at| client.get(*at))
        .map(|event| event.said.as_str())
        .collect();
    !own.is_empty() && own.trim() == got.trim()
}

struct View<'e> {
    upstream: &'e [Event],
    client: &'e [Event],
    is_raw: bool,
    screen: Screen,
}

impl View<'_> {
    fn row(&self, row: &Row, hits: &[&Hit], out: &mut String) {
        let own = row.upstream.and_then(|at| self.upstream.get(at));
        let got: Vec<&Event> = row
            .client
            .iter()
            .filter_map(|at| self.client.get(*at))
            .collect();
        let words: String = got.iter().map(|event| event.said.as_str()).collect();
        let changed = own.map_or("", |event| event.said.trim()) != words.trim();
        let tone = if changed { Tone::Warning } else { Tone::Plain };
        let width = self.screen.width().unwrap_or(WIDE);
        if self.is_raw || width < NARROW {
            self.under(own, &got, tone, out);
        } else {
            self.beside(own, &got, tone, (width - TIME - 6) / 2, out);
        }
        for hit in hits {
            let text = format!("└ {}{}", hit.quirk, change(hit));
            out.push_str(&format!(
                "{:TIME$}  {}\n",
                "",
                self.screen.paint(Tone::Warning, &text)
            ));
        }
    }

    fn beside(
        &self,
        own: Option<&Event>,
        got: &[&Event],
        tone: Tone,
        half: usize,
        out: &mut String,
    ) {
        // The provider's event stands beside the one with its words.
        let words = own
            .map(|event| event.said.trim())
            .filter(|said| !said.is_empty());
        let same = got
            .iter()
            .position(|event| words.is_some_and(|words| holds(words, event.said.trim())));
        let line_of_own = same.unwrap_or(0);
        for line in 0..got.len().max(1) {
            let own = own.filter(|_| line == line_of_own);
            let left = cut(&shown(own, self.is_raw), half);
            let right = got
                .get(line)
                .map(|event| cut(&shown(Some(*event), self.is_raw), half));
            let at = own.or(got.get(line).copied()).and_then(|event| event.at_us);
            let text = format!(
                "{}  {}{}  {}",
                self.screen.paint(Tone::Faint, &time(at)),
                self.screen.paint(Tone::Plain, &left),
                " ".repeat(half.saturating_sub(columns(&left))),
                self.screen.paint(tone, &right.unwrap_or_default()),
            );
            out.push_str(text.trim_end());
            out.push('\n');
        }
    }

    fn under(&self, own: Option<&Event>, got: &[&Event], tone: Tone, out: &mut String) {
        let own = own.map(|event| (event, "<", Tone::Plain));
        let got = got.iter().map(|event| (*event, ">", tone));
        for (event, mark, tone) in own.into_iter().chain(got) {
            let text = shown(Some(event), self.is_raw);
            let room = self.screen.width().filter(|_| !self.is_raw);
            let text = room.map_or(text.clone(), |width| {
                cut(&text, width.saturating_sub(TIME + 3))
            });
            out.push_str(&format!(
                "{} {mark} {}\n",
                self.screen.paint(Tone::Faint, &time(event.at_us)),
                self.screen.paint(tone, &text),
            ));
        }
    }
}

/// Whether some of these words, or all, came through.
fn holds(words: &str, got: &str) -> bool {
    words == got || !got.is_empty() && words.contains(got)
}

/// Harmless, for its width counts.
fn shown(event: Option<&Event>, is_raw: bool) -> String {
    let text = event.map_or("", |event| if is_raw { &event.raw } else { &event.label });
    crate::output::plain(text).into_owned()
}

/// Milliseconds, to the tenth.
fn time(at_us: Option<u64>) -> String {
    let time = at_us.map(|at| format!("{}.{} ms", at / 1000, at % 1000 / 100));
    format!("{:>TIME$}", time.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use lingate_store::Arrival;

    use super::*;

    fn chat(words: &[&str]) -> String {
        let event = |text: &&str| {
            format!("data: {{\"choices\":[{{\"delta\":{{\"content\":{text:?}}}}}]}}\n\n")
        };
        words.iter().map(event).collect()
    }

    fn side(attempt: u16, words: &[&str]) -> Vec<Event> {
        let body = chat(words);
        let arrivals = [Arrival {
            end: body.len() as u64,
            at_us: 1500,
        }];
        events(attempt, body.as_bytes(), &arrivals)
    }

    fn check(width: usize, own: &[&str], got: &[&str], hits: &[Hit], expected: &str) {
        let shown = streams(
            &side(1, own),
            &side(0, got),
            hits,
            false,
            Screen::of(Some(width), false),
        );
        assert_eq!(shown, expected, "{shown}");
    }

    #[test]
    fn side_by_side_with_the_rule_that_fired() {
        let hit = Hit {
            quirk: "think-tags".to_owned(),
            attempt: 1,
            place: Some("60".to_owned()),
            before: Some("<t>".to_owned()),
            after: Some(String::new()),
        };
        let gap = " ".repeat(44);
        check(
            100,
            &["Hi", "<t>so"],
            &["Hi", "so"],
            &[hit],
            &format!(
                "   1.5 ms  \"Hi\"{}\"Hi\"\n   1.5 ms  \"<t>so\"{}\"so\"\n           └ think-tags: \"<t>\" cut\n",
                &gap[..40],
                &gap[..37]
            ),
        );
    }

    #[test]
    fn one_under_the_other_where_it_is_narrow() {
        check(
            40,
            &["Hi", "a text that is longer than that"],
            &["Hi"],
            &[],
            "   1.5 ms < \"Hi\"\n   1.5 ms > \"Hi\"\n   1.5 ms < \"a text that is longer than…\n",
        );
    }

    #[test]
    fn what_is_the_same_is_left_out() {
        let words = ["a", "b", "c", "d", "e", "f"];
        check(
            60,
            &words,
            &words,
            &[],
            "   1.5 ms < \"a\"\n   1.5 ms > \"a\"\n           … 4 events more, the same words on both sides\n   1.5 ms < \"f\"\n   1.5 ms > \"f\"\n",
        );
    }
}
