//! What is known of an exchange, as names and values.

use lingate_store::{Attempt, Header, Record};

use super::super::rows;
use super::super::screen::{Screen, Tone};

/// How wide the names are.
const NAME: usize = 16;

/// All of it.
pub(super) fn text(record: &Record, screen: Screen) -> String {
    let exchange = &record.exchange;
    let details = &record.details;
    let mut out = Out {
        text: String::new(),
        screen,
    };
    out.field("id", &exchange.id.to_string());
    out.field("time", &rows::time(exchange.time));
    out.toned("end", rows::tone(exchange), &rows::end(exchange));
    out.field("asked", &format!("{} {}", exchange.path, exchange.model));
    out.field("served by", &rows::served_by(exchange));
    out.field("lane", exchange.lane.as_deref().unwrap_or("-"));
    let usage = &exchange.usage;
    let counts = [
        ("input", usage.input),
        ("cache read", usage.cache_read),
        ("cache write 5m", usage.cache_write_5m),
        ("cache write 1h", usage.cache_write_1h),
        ("output", usage.output),
        ("reasoning", usage.reasoning),
    ];
    let counts = counts
        .iter()
        .filter_map(|(name, count)| Some(format!("{name} {}", (*count)?)));
    out.field("tokens", &counts.collect::<Vec<_>>().join(", "));
    out.toned(
        "usage as told",
        Tone::Faint,
        details.usage_raw.as_deref().unwrap_or_default(),
    );
    let tone = rows::cost_tone(exchange.cost_micro_usd);
    out.toned("cost", tone, &rows::paid(exchange));
    let times = [
        ("first content", exchange.ttft_ms),
        ("last byte", exchange.duration_ms),
    ];
    let times = times
        .iter()
        .filter_map(|(name, time)| Some(format!("{name} {} ms", (*time)?)));
    out.field("times", &times.collect::<Vec<_>>().join(", "));
    for (name, value) in [
        ("session", &exchange.session),
        ("agent", &exchange.agent),
        ("class", &exchange.class),
        ("profile", &exchange.profile),
        ("key", &exchange.key),
        ("stop", &exchange.stop),
    ] {
        out.field(name, value.as_deref().unwrap_or_default());
    }
    out.toned(
        "error",
        Tone::Bad,
        exchange.error.as_deref().unwrap_or_default(),
    );
    out.field("answer", exchange.preview.as_deref().unwrap_or_default());
    out.field("tools", &exchange.tools.join(", "));
    out.toned("quirks", Tone::Warning, &exchange.quirks.join(", "));
    out.toned("warnings", Tone::Warning, &exchange.warnings.join(", "));
    out.field("noticed", &details.noticed.join(", "));
    out.toned("losses", Tone::Warning, &details.losses.join(", "));
    for attempt in &details.attempts {
        out.attempt(attempt);
    }
    out.headers("request headers", &details.client_request_headers);
    out.headers("answer headers", &details.client_response_headers);
    for mark in &details.timings {
        out.toned(
            "",
            Tone::Faint,
            &format!("{:>9} us  {}", mark.at_us, mark.what),
        );
    }
    for body in &record.bodies {
        let of = match body.attempt {
            0 => String::new(),
            attempt => format!(" of attempt {attempt}"),
        };
        let state = if body.available { "" } else { ", deleted" };
        let name = body.kind.name();
        out.field("body", &format!("{name}{of}: {} bytes{state}", body.bytes));
    }
    out.text
}

/// Lines of a name and a value.
struct Out {
    text: String,
    screen: Screen,
}

impl Out {
    /// A line, unless there is nothing to say.
    fn field(&mut self, name: &str, value: &str) {
        self.toned(name, Tone::Plain, value);
    }

    fn toned(&mut self, name: &str, tone: Tone, value: &str) {
        if !value.is_empty() {
            let blanks = " ".repeat(NAME.saturating_sub(name.len()));
            let name = self.screen.paint(Tone::Head, name);
            let value = self.screen.paint(tone, value);
            self.text.push_str(&format!("{name}{blanks}{value}\n"));
        }
    }

    fn attempt(&mut self, attempt: &Attempt) {
        let status = attempt
            .status
            .map_or_else(|| "no answer".to_owned(), |status| status.to_string());
        let key = attempt.key.as_deref().unwrap_or("no key");
        let ended = attempt.ended_us.unwrap_or(attempt.started_us);
        let took = ended.saturating_sub(attempt.started_us) / 1000;
        let tone = match attempt.outcome.as_str() {
            "failed" => Tone::Bad,
            _ => Tone::Plain,
        };
        self.toned(
            &format!("attempt {}", attempt.number),
            tone,
            &format!(
                "{}/{} ({}, {key}): {status}, {} after {took} ms",
                attempt.provider, attempt.model, attempt.wire, attempt.outcome
            ),
        );
        self.field("", &attempt.url);
        self.toned("", Tone::Bad, attempt.error.as_deref().unwrap_or_default());
    }

    fn headers(&mut self, name: &str, headers: &[Header]) {
        for (at, Header(header, value)) in headers.iter().enumerate() {
            let name = if at == 0 { name } else { "" };
            self.field(name, &format!("{header}: {value}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use lingate_store::{Details, End, Exchange};

    use super::*;

    #[test]
    fn failures_stand_out_and_nothing_recorded_is_obeyed() {
        let record = Record {
            exchange: Exchange {
                end: Some(End::Answered),
                status: Some(529),
                error: Some("busy\u{1b}[2J".to_owned()),
                model: "m\u{7}\nid  fake".to_owned(),
                ..Exchange::default()
            },
            details: Details {
                client_request_headers: vec![Header("user-agent".into(), "a\u{9b}2J".into())],
                ..Details::default()
            },
            bodies: Vec::new(),
        };
        let shown = text(&record, Screen::of(None, true));
        for part in [
            "\u{1b}[31m529\u{1b}[0m",
            "\u{1b}[31mbusy [2J\u{1b}[0m",
            "m  id  fake",
            "a 2J",
        ] {
            assert!(shown.contains(part), "{part:?} in {shown:?}");
        }
        let plain = text(&record, Screen::of(None, false));
        assert!(!plain.contains(['\u{1b}', '\u{7}', '\u{9b}']), "{plain:?}");
        assert!(plain.contains("error           busy [2J\n"), "{plain}");
    }
}
