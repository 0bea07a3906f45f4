//! `--offline`: the stored replies of providers through today's build and configuration.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;

use lingate_config::SystemEnvironment;
use lingate_gateway::{Change, Place, Recorded, Replay, ReplayOutcome, ReplayReason};
use lingate_store::{Exchange, Reader};
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::damaged::Damaged;
use super::super::{place, rows};
use super::Chosen;
use crate::args::LogsReplay;
use crate::failure::Failure;
use crate::output;
use crate::recording;

pub(super) fn run(args: &LogsReplay, environment: &SystemEnvironment) -> Result<ExitCode, Failure> {
    refuse_what_sends(args)?;
    let reader = super::open(&args.file, environment)?;
    let mut chosen = Chosen::of(args, &reader)?;
    let (config, _) = place(&args.file, environment)?;
    let mask = recording::mask(&config);
    let replay = Replay::new(Arc::new(config), mask);
    let mut counts = Counts::default();
    let damaged = Damaged::default();
    let is_each_told = chosen.is_named;
    while let Some(id) = chosen.next(&reader)? {
        let Some((row, outcome)) = outcome(&replay, &reader, id, &damaged)? else {
            // Deleted meanwhile, or damaged.
            continue;
        };
        counts.add(&outcome);
        if args.format.json {
            output::json_lines([object(id, &outcome)])?;
        } else if is_each_told || matches!(outcome, ReplayOutcome::Changed(_)) {
            output::write(&text(id, row.as_ref(), &outcome))?;
        }
    }
    if !args.format.json {
        output::line(&counts.text())?;
    }
    damaged.end()?;
    Ok(match counts.changed {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

fn refuse_what_sends(args: &LogsReplay) -> Result<(), Failure> {
    let online = [
        (args.to.is_some(), "--to"),
        (args.model.is_some(), "--model"),
        (args.output.is_some(), "--output"),
        (args.dry_run, "--dry-run"),
        (args.as_recorded, "--as-recorded"),
    ];
    match online.iter().find(|(is_given, _)| *is_given) {
        Some((_, name)) => Err(Failure::usage(format!(
            "`{name}` is for what is sent, and `--offline` sends nothing"
        ))),
        None => Ok(()),
    }
}

/// Of one exchange; `None` if it is gone or damaged.
fn outcome(
    replay: &Replay,
    reader: &Reader,
    id: Uuid,
    damaged: &Damaged,
) -> Result<Option<(Option<Exchange>, ReplayOutcome)>, Failure> {
    let recorded = damaged.pass(id, Recorded::read(reader, id))?;
    Ok(recorded.map(|recorded| match recorded {
        Err(reason) => (None, ReplayOutcome::Cannot(reason)),
        Ok(recorded) => {
            let outcome = replay.replay(&recorded).outcome;
            (Some(recorded.exchange().clone()), outcome)
        }
    }))
}

/// How many came to what.
#[derive(Debug, Default)]
struct Counts {
    same: usize,
    changed: usize,
    /// By what is said of them.
    cannot: BTreeMap<String, usize>,
}

impl Counts {
    fn add(&mut self, outcome: &ReplayOutcome) {
        match outcome {
            ReplayOutcome::Same => self.same += 1,
            ReplayOutcome::Changed(_) => self.changed += 1,
            ReplayOutcome::Cannot(reason) => {
                *self.cannot.entry(reason.to_string()).or_default() += 1;
            }
        }
    }

    fn text(&self) -> String {
        let cannot: usize = self.cannot.values().sum();
        let mut text = format!(
            "{} same, {} changed, {cannot} cannot be told",
            self.same, self.changed
        );
        for (why, count) in &self.cannot {
            text.push_str(&format!("\n  {count}: {}", output::plain(why)));
        }
        text
    }
}

fn object(id: Uuid, outcome: &ReplayOutcome) -> Value {
    let (change, cannot) = match outcome {
        ReplayOutcome::Same => (None, None),
        ReplayOutcome::Changed(change) => (Some(change), None),
        ReplayOutcome::Cannot(reason) => (None, Some(reason)),
    };
    let (offset, event) = match change.map(|change| &change.place) {
        Some(Place::Body { offset, event }) => (Some(offset), event.as_ref()),
        _ => (None, None),
    };
    json!({
        "id": id.to_string(),
        "outcome": name(outcome),
        "place": change.map(|change| where_it_is(&change.place)),
        "offset": offset,
        "event": event,
        "recorded": change.map(|change| &change.recorded),
        "now": change.map(|change| change.now.clone()).or_else(|| cannot.map(ToString::to_string)),
        "reason": cannot.map(ReplayReason::name),
    })
}

const fn name(outcome: &ReplayOutcome) -> &'static str {
    match outcome {
        ReplayOutcome::Same => "same",
        ReplayOutcome::Changed(_) => "changed",
        ReplayOutcome::Cannot(_) => "cannot",
    }
}

fn where_it_is(place: &Place) -> String {
    match place {
        Place::Attempts => "attempts".to_owned(),
        Place::Status => "status".to_owned(),
        Place::Header(name) => format!("header {name}"),
        Place::Body { .. } => "body".to_owned(),
    }
}

fn text(id: Uuid, row: Option<&Exchange>, outcome: &ReplayOutcome) -> String {
    let what = row.map_or_else(String::new, |row| {
        let served = rows::served_by(row);
        format!("  {}  {} -> {served}", rows::time(row.time), row.model)
    });
    let mut text = format!("{:<7}  {id}{}", name(outcome), output::plain(&what));
    match outcome {
        ReplayOutcome::Same => {}
        ReplayOutcome::Cannot(reason) => text.push_str(&because(reason)),
        ReplayOutcome::Changed(change) => text.push_str(&difference(change)),
    }
    text.push('\n');
    text
}

fn because(reason: &ReplayReason) -> String {
    format!("\n  {}", output::plain(&reason.to_string()))
}

fn difference(change: &Change) -> String {
    let place = match &change.place {
        Place::Body {
            offset,
            event: Some(event),
        } => format!("body, byte {offset}, in event {event}"),
        Place::Body {
            offset,
            event: None,
        } => format!("body, byte {offset}"),
        place => where_it_is(place),
    };
    let (then, now) = (change.recorded.escape_debug(), change.now.escape_debug());
    format!("\n  {place}\n    then: {then}\n    now:  {now}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(place: Place) -> ReplayOutcome {
        ReplayOutcome::Changed(Change {
            place,
            recorded: "a\n\u{1b}[2J".to_owned(),
            now: "b".to_owned(),
        })
    }

    #[test]
    fn a_difference_is_shown_with_what_stands_around_it() {
        let event = Some(3);
        let shown = text(
            Uuid::nil(),
            None,
            &changed(Place::Body { offset: 7, event }),
        );
        assert_eq!(
            shown,
            "changed  00000000-0000-0000-0000-000000000000\n  body, byte 7, in event 3\n    \
             then: a\\n\\u{1b}[2J\n    now:  b\n"
        );
        let object = object(Uuid::nil(), &changed(Place::Status));
        assert_eq!(object["outcome"], "changed");
        assert_eq!(object["place"], "status");
        assert_eq!(object["offset"], Value::Null);
    }

    #[test]
    fn what_cannot_be_told_is_counted_by_its_reason() {
        let mut counts = Counts::default();
        for reason in [
            ReplayReason::NotKept,
            ReplayReason::Provider("gone".to_owned()),
            ReplayReason::NotKept,
        ] {
            counts.add(&ReplayOutcome::Cannot(reason));
        }
        counts.add(&ReplayOutcome::Same);
        let text = counts.text();
        assert!(
            text.starts_with("1 same, 0 changed, 3 cannot be told\n"),
            "{text}"
        );
        assert!(text.contains("\n  2: its bodies were not kept"), "{text}");
        assert!(
            text.contains("\n  1: provider `gone` is not configured"),
            "{text}"
        );
    }
}
