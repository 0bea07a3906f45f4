//! `lingate logs show`: everything about one exchange.

use lingate_config::Environment;
use lingate_store::{Attempt, BodyKind, Header, Reader, Record};

use super::{failed, named, open, rows};
use crate::args::LogsShow;
use crate::failure::Failure;
use crate::output;

pub(super) fn run(args: &LogsShow, environment: &dyn Environment) -> Result<(), Failure> {
    let reader = open(&args.file, environment)?;
    let id = named(&reader, &args.id)?;
    if let Some(kind) = &args.body {
        return body(&reader, id, kind, args.attempt);
    }
    let record = reader.get(id).map_err(|error| failed(&error))?;
    let Some(record) = record else {
        return Err(Failure::problem(format!("exchange `{id}` is gone")));
    };
    if args.format.json {
        return output::json_lines([&record]);
    }
    output::write(&text(&record))
}

/// A body, byte for byte.
fn body(reader: &Reader, id: uuid::Uuid, kind: &str, attempt: Option<u16>) -> Result<(), Failure> {
    let found = match BodyKind::named(kind) {
        Some(kind) => reader.body(id, kind, attempt),
        None => Ok(None),
    };
    match found.map_err(|error| failed(&error))? {
        Some(body) => output::write_bytes(&body.bytes),
        None => Err(
            Failure::problem(format!("exchange `{id}` has no {kind} that was kept"))
                .hint("`record.bodies` says which are kept, `record.keep_days` for how long"),
        ),
    }
}

fn text(record: &Record) -> String {
    let exchange = &record.exchange;
    let details = &record.details;
    let mut out = Out::default();
    out.field("id", &exchange.id.to_string());
    out.field("time", &rows::time(exchange.time));
    out.field("end", &rows::end(exchange));
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
    out.field("cost", &rows::cost(exchange.cost_micro_usd));
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
        ("error", &exchange.error),
        ("answer", &exchange.preview),
    ] {
        out.field(name, value.as_deref().unwrap_or_default());
    }
    out.field("tools", &exchange.tools.join(", "));
    out.field("quirks", &exchange.quirks.join(", "));
    out.field("noticed", &details.noticed.join(", "));
    out.field("losses", &details.losses.join(", "));
    for attempt in &details.attempts {
        out.attempt(attempt);
    }
    out.headers("request headers", &details.client_request_headers);
    out.headers("answer headers", &details.client_response_headers);
    for mark in &details.timings {
        out.field("", &format!("{:>9} us  {}", mark.at_us, mark.what));
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
    out.0
}

/// Lines of a name and a value.
#[derive(Default)]
struct Out(String);

impl Out {
    /// A line, unless there is nothing to say.
    fn field(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.0
                .push_str(&format!("{name:16}{}\n", output::plain(value)));
        }
    }

    fn attempt(&mut self, attempt: &Attempt) {
        let status = attempt
            .status
            .map_or_else(|| "no answer".to_owned(), |status| status.to_string());
        let key = attempt.key.as_deref().unwrap_or("no key");
        let ended = attempt.ended_us.unwrap_or(attempt.started_us);
        let took = ended.saturating_sub(attempt.started_us) / 1000;
        self.field(
            &format!("attempt {}", attempt.number),
            &format!(
                "{}/{} ({}, {key}): {status}, {} after {took} ms",
                attempt.provider, attempt.model, attempt.wire, attempt.outcome
            ),
        );
        self.field("", &attempt.url);
        self.field("", attempt.error.as_deref().unwrap_or_default());
    }

    fn headers(&mut self, name: &str, headers: &[Header]) {
        for (at, Header(header, value)) in headers.iter().enumerate() {
            let name = if at == 0 { name } else { "" };
            self.field(name, &format!("{header}: {value}"));
        }
    }
}
