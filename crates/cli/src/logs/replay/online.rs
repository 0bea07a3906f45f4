//! Recorded requests, sent again.

use std::process::ExitCode;
use std::time::Duration;

use lingate_config::{Environment as _, SystemEnvironment};
use lingate_store::{Exchange, Reader};
use serde_json::json;

use super::super::damaged::Damaged;
use super::super::rows;
use super::Chosen;
use super::request::Request;
use super::sent::{Address, Sent, send};
use super::summary::short;
use crate::args::LogsReplay;
use crate::background::reachable;
use crate::commands::{chosen, state_directory};
use crate::failure::Failure;
use crate::output;

/// The key that a gateway with client keys wants.
const KEY: &str = "LINGATE_KEY";
/// How often, and how far apart, the record is asked for the row of what was just answered.
const LOOKS: (u32, Duration) = (20, Duration::from_millis(50));

/// Where requests go: what somebody said, else the gateway that `status` would show.
pub(super) fn address(
    args: &LogsReplay,
    environment: &SystemEnvironment,
) -> Result<Address, Failure> {
    if let Some(to) = &args.to {
        return Address::read(to);
    }
    let directory = state_directory(environment)?;
    let file = args.file.config.as_deref();
    let entries = chosen::gateways(&directory, file, false, environment)
        .map_err(|failure| failure.hint("`--to http://127.0.0.1:PORT` names one"))?;
    let entry = entries
        .first()
        .ok_or_else(|| Failure::problem("no gateway runs"))?;
    Address::read(&format!("http://{}", reachable(entry.address)))
}

/// Sends them one after the other. 1 if one of them fails now.
pub(super) fn run(
    args: &LogsReplay,
    reader: &Reader,
    mut chosen: Chosen,
    environment: &SystemEnvironment,
) -> Result<ExitCode, Failure> {
    let to = address(args, environment)?;
    let key = environment.var(KEY);
    let damaged = Damaged::default();
    let (mut sent, mut failed) = (0, 0);
    while let Some(id) = chosen.next(reader)? {
        let Some(request) = Request::read(args, reader, id, &damaged)? else {
            continue;
        };
        let answer = send(&to, &request, key.as_deref())
            .map_err(|error| Failure::problem(format!("{to} does not answer: {error}")))?;
        let now = recorded(reader, &answer);
        let told = Told::of(&request, &answer, now.as_ref());
        sent += 1;
        failed += usize::from(!told.works);
        match args.format.json {
            true => output::json_lines([told.object()])?,
            false => output::write(&told.text())?,
        }
    }
    if !args.format.json {
        output::line(&format!("{sent} sent to {to}, {failed} failed"))?;
    }
    damaged.end()?;
    Ok(match failed {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

/// The row of what was just answered, if it lies in the same record.
fn recorded(reader: &Reader, answer: &Sent) -> Option<Exchange> {
    let id = answer.header("x-lingate-id")?.parse().ok()?;
    let (times, pause) = LOOKS;
    for _ in 0..times {
        let found = reader.get(id).ok().flatten().map(|record| record.exchange);
        if let Some(row) = found.filter(|row| row.end.is_some()) {
            return Some(row);
        }
        std::thread::sleep(pause);
    }
    None
}

/// What is said of one.
struct Told<'a> {
    request: &'a Request,
    answer: &'a Sent,
    now: Option<&'a Exchange>,
    works: bool,
}

impl<'a> Told<'a> {
    fn of(request: &'a Request, answer: &'a Sent, now: Option<&'a Exchange>) -> Self {
        Self {
            request,
            answer,
            now,
            works: now.map_or(answer.status < 400, Exchange::went_well),
        }
    }

    /// Compared with then.
    fn verdict(&self) -> &'static str {
        match (self.request.row.went_well(), self.works) {
            (true, true) => "works as before",
            (true, false) => "FAILS, and did not before",
            (false, true) => "works now, and failed before",
            (false, false) => "still fails",
        }
    }

    fn served(&self) -> String {
        let header = |name| self.answer.header(name).map(str::to_owned);
        let told = self.now.map(rows::served_by);
        told.or_else(|| header("x-lingate-provider"))
            .unwrap_or_else(|| "-".to_owned())
    }

    fn preview(&self) -> String {
        let now = self.now;
        let told = now.and_then(|row| row.error.clone().or_else(|| row.preview.clone()));
        told.unwrap_or_else(|| short(&self.answer.body))
    }

    fn text(&self) -> String {
        let usage = self.now.map(|row| row.usage).unwrap_or_default();
        let line = format!(
            "{}  {}  {} -> {}  {} in, {} out, {} ms  {}",
            self.answer.status,
            self.request.id,
            self.request.row.model,
            self.served(),
            rows::tokens(usage.total_input()),
            rows::tokens(usage.output),
            self.answer.took.as_millis(),
            self.verdict(),
        );
        let again = self.answer.header("x-lingate-id").unwrap_or("-");
        format!(
            "{}\n  {}\n  recorded as {}\n",
            output::plain(&line),
            output::plain(&self.preview()),
            output::plain(again)
        )
    }

    fn object(&self) -> serde_json::Value {
        json!({
            "id": self.request.id.to_string(),
            "sent_as": self.answer.header("x-lingate-id"),
            "status": self.answer.status,
            "recorded_status": self.request.row.status,
            "served_by": self.served(),
            "input_tokens": self.now.and_then(|row| row.usage.total_input()),
            "output_tokens": self.now.and_then(|row| row.usage.output),
            "duration_ms": u64::try_from(self.answer.took.as_millis()).unwrap_or(u64::MAX),
            "works": self.works,
            "worked": self.request.row.went_well(),
            "preview": self.preview(),
        })
    }
}
