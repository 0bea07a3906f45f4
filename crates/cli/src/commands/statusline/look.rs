//! What there is to tell: from the record, the configuration and the gateway.

use std::fmt;

use jiff::Timestamp;
use lingate_config::{Budget, Config, Environment as _, SystemEnvironment};
use lingate_price::MicroUsd;
use lingate_store::{Exchange, Filter, GroupBy, Page, Reader, Session, Spent};
use lingate_wire::turn::Usage;
use serde::Serialize;

use super::gateway::{self, State};
use super::told::Told;
use crate::args::Statusline;
use crate::configuration::{Listen, load};

/// So many of a session's newest exchanges are looked at for one that was served.
const NEWEST: usize = 20;

/// What the line tells. Serialised it is what `--json` prints; amounts are in millionths of a dollar.
#[derive(Debug, Default, Serialize, PartialEq, Eq)]
pub(super) struct View {
    /// The session.
    pub session: Option<String>,
    /// The model that served last, as its provider knows it.
    pub model: Option<String>,
    /// The provider that did.
    pub provider: Option<String>,
    /// The model that was asked for.
    pub asked: Option<String>,
    /// The session's list price.
    pub cost_micro_usd: Option<i64>,
    /// What of it is billed.
    pub billed_micro_usd: Option<i64>,
    /// Exchanges of the session that nobody knows the price of.
    pub unpriced: u64,
    /// What today's exchanges of everybody are billed, UTC.
    pub today_micro_usd: Option<i64>,
    /// Input of the last exchange that was read from the provider's cache, in percent.
    pub cache_last_percent: Option<u64>,
    /// The same of the session.
    pub cache_session_percent: Option<u64>,
    /// The budgets that hold for the session.
    pub budgets: Vec<Standing>,
    /// What should be looked at.
    pub warnings: Vec<Warning>,
    /// Why there is nothing to tell.
    pub problem: Option<String>,
}

/// A budget, and what of it is spent.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub(super) struct Standing {
    /// Its key in the configuration.
    pub budget: String,
    /// Spent.
    pub spent_micro_usd: i64,
    /// To be spent.
    pub limit_micro_usd: i64,
    /// The share, rounded down.
    pub percent: i64,
}

/// Something to be looked at.
#[derive(Debug, Clone, Copy, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(super) enum Warning {
    /// The session repeats one tool call with the same result.
    Loop,
    /// The last request was refused: a budget is spent.
    Refused,
    /// The last answer came from another provider or key than the one that was asked first.
    Failover,
    /// The last request failed.
    Failed,
    /// The record cannot be written.
    Record,
    /// No gateway answers where the client sends its requests.
    Gateway,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Loop => "goes in circles",
            Self::Refused => "budget spent",
            Self::Failover => "failing over",
            Self::Failed => "last request failed",
            Self::Record => "record degraded",
            Self::Gateway => "gateway does not answer",
        })
    }
}

/// Looks. What goes wrong is told as the view's problem.
pub(super) fn look(args: &Statusline, told: &Told, environment: &SystemEnvironment) -> View {
    let mut view = View {
        session: told.session.clone(),
        asked: told.model.clone(),
        ..View::default()
    };
    let at = gateway::address(environment);
    let entry = gateway::entry(environment, at);
    let at = at.or_else(|| entry.as_ref().map(|entry| entry.address));
    let state = gateway::state(at);
    match state {
        State::Running(true) => view.warnings.push(Warning::Record),
        State::Silent => view.warnings.push(Warning::Gateway),
        State::Running(false) | State::Elsewhere => {}
    }
    // What the session's own gateway runs on, if it is known.
    let config = args.file.config.clone();
    let config = config.or_else(|| environment.var("LINGATE_CONFIG").map(Into::into));
    let config = config.or_else(|| entry.and_then(|entry| entry.config));
    let read = load(config.as_deref(), Listen::default(), environment);
    let Ok(config) = read.map(|loaded| loaded.config) else {
        view.problem =
            Some("the configuration cannot be read (`lingate check` says why)".to_owned());
        return view;
    };
    let now = Timestamp::now();
    if let Err(problem) = view.read(&config, told, now) {
        let has_session = told.session.is_some();
        view.problem = Some(match state {
            State::Elsewhere if has_session => {
                "this session does not go through lingate (`lingate run -- claude` does)".to_owned()
            }
            State::Elsewhere | State::Running(_) | State::Silent => problem,
        });
    }
    view
}

impl View {
    /// Reads the record.
    fn read(&mut self, config: &Config, told: &Told, now: Timestamp) -> Result<(), String> {
        let dir = config.record.dir.as_deref().ok_or("nothing is recorded")?;
        let reader = Reader::open(dir).map_err(|_error| "nothing is recorded yet".to_owned())?;
        let unreadable = |error: lingate_store::Error| format!("the record: {error}");
        let spent = reader.spent(now, 0).map_err(unreadable)?;
        self.today_micro_usd = Some(spent.day.iter().map(|(_, micro)| micro).sum());
        let filter = match &told.session {
            None => Filter::default(),
            Some(session) => {
                let quoted = session.replace('\\', "\\\\").replace('"', "\\\"");
                let filter = Filter::parse(&format!("session:\"{quoted}\""), now);
                filter.map_err(|error| error.to_string())?
            }
        };
        let page = Page {
            limit: NEWEST,
            ..Page::default()
        };
        let newest = reader.list(&filter, page).map_err(unreadable)?.items;
        let session = match &told.session {
            Some(session) => reader.session(session).map_err(unreadable)?,
            None => None,
        };
        let key = newest.iter().find_map(|row| row.key.clone());
        self.budgets = standings(config, key.as_deref(), &spent, session.as_ref());
        self.show(&newest, session.as_ref());
        if told.session.is_some() && session.is_some() {
            let sums = reader.stats(&filter, GroupBy::Session, 0, 1);
            self.cache_session_percent = cached(&sums.map_err(unreadable)?.total.usage);
        }
        if newest.is_empty() {
            return Err("nothing is recorded of this session yet".to_owned());
        }
        Ok(())
    }

    /// Shows a session's newest exchanges and its sums.
    fn show(&mut self, newest: &[Exchange], session: Option<&Session>) {
        if let Some(session) = session {
            self.cost_micro_usd = session.cost_micro_usd;
            self.billed_micro_usd = Some(session.billed_micro_usd);
            self.unpriced = session.unpriced;
        }
        let is_count = |row: &&Exchange| row.path.contains("ount");
        let mut ended = newest
            .iter()
            .filter(|row| row.end.is_some() && !is_count(row));
        if let Some(last) = ended.clone().next() {
            self.warnings.extend(warnings(last));
        }
        let is_of_main =
            |row: &&Exchange| !matches!(row.class.as_deref(), Some("auxiliary" | "subagent"));
        let mut served = ended
            .clone()
            .filter(|row| row.went_well() && row.provider.is_some());
        let last = served.clone().find(is_of_main).or_else(|| served.next());
        if let Some(last) = last.or_else(|| ended.next()) {
            self.model.clone_from(&last.upstream_model);
            self.provider.clone_from(&last.provider);
            self.asked = Some(last.model.clone());
            self.cache_last_percent = cached(&last.usage);
        }
    }
}

/// What is to be looked at in a session's last exchange.
fn warnings(last: &Exchange) -> Vec<Warning> {
    let has = |name: &str| last.warnings.iter().any(|warning| warning == name);
    let mut found = Vec::new();
    if has("loop") {
        found.push(Warning::Loop);
    }
    if has("budget") {
        found.push(Warning::Refused);
    } else if last.error_kind.is_some() {
        found.push(Warning::Failed);
    } else if last.attempts > 1 {
        found.push(Warning::Failover);
    }
    found
}

/// The share of input that came out of a cache; `None` where the provider did not tell.
fn cached(usage: &Usage) -> Option<u64> {
    let total = usage.total_input().filter(|total| *total > 0)?;
    Some(usage.cache_read?.saturating_mul(100) / total)
}

/// The budgets that hold, the one that is spent furthest first.
fn standings(
    config: &Config,
    key: Option<&str>,
    spent: &Spent,
    session: Option<&Session>,
) -> Vec<Standing> {
    let all: i64 = spent.day.iter().map(|(_, micro)| micro).sum();
    let in_session = session.map_or(0, |session| session.billed_micro_usd);
    let mut found = of_budget("budget", &config.budget, all, in_session);
    let own = key.and_then(|name| config.keys.iter().find(|key| key.name == name));
    if let Some(own) = own {
        let mut days = spent.day.iter().filter(|(name, _)| *name == own.name);
        let day = days.next().map_or(0, |(_, micro)| *micro);
        let path = format!("keys.{}.budget", own.name);
        found.extend(of_budget(&path, &own.budget, day, in_session));
    }
    found.sort_by_key(|standing| std::cmp::Reverse(standing.percent));
    found
}

fn of_budget(path: &str, budget: &Budget, day: i64, session: i64) -> Vec<Standing> {
    let standing = |name: &str, limit: Option<MicroUsd>, spent: i64| {
        let limit = i64::try_from(limit?.0).unwrap_or(i64::MAX);
        Some(Standing {
            budget: format!("{path}.{name}"),
            spent_micro_usd: spent,
            limit_micro_usd: limit,
            percent: spent.saturating_mul(100).checked_div(limit).unwrap_or(100),
        })
    };
    [
        standing("day", budget.day, day),
        standing("session", budget.session, session),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[cfg(test)]
mod tests {
    use lingate_store::End;

    use super::*;

    fn row(class: &str, attempts: u16) -> Exchange {
        Exchange {
            end: Some(End::Answered),
            status: Some(200),
            attempts,
            model: "claude-opus-5-5".to_owned(),
            upstream_model: Some(format!("{class}-model")),
            provider: Some("up".to_owned()),
            class: Some(class.to_owned()),
            path: "/v1/messages".to_owned(),
            usage: Usage {
                input: Some(20),
                cache_read: Some(80),
                ..Usage::default()
            },
            ..Exchange::default()
        }
    }

    fn shown(rows: &[Exchange]) -> View {
        let mut view = View::default();
        view.show(rows, None);
        view
    }

    #[test]
    fn the_main_conversation_is_shown() {
        let open = Exchange {
            end: None,
            ..row("main", 1)
        };
        let count = Exchange {
            path: "/v1/messages/count_tokens".to_owned(),
            ..row("main", 9)
        };
        let view = shown(&[open, count, row("auxiliary", 1), row("main", 1)]);
        assert_eq!(view.model.as_deref(), Some("main-model"));
        assert_eq!(
            (view.cache_last_percent, view.warnings.len()),
            (Some(80), 0)
        );
        let view = shown(&[row("auxiliary", 1)]);
        assert_eq!(view.model.as_deref(), Some("auxiliary-model"));
        assert_eq!(shown(&[]), View::default());
    }

    #[test]
    fn what_a_cache_gave_is_told_where_a_provider_tells_it() {
        for (input, cache_read, expected) in [
            (Some(20), Some(80), Some(80)),
            (Some(20), Some(0), Some(0)),
            (Some(20), None, None),
            (None, Some(80), None),
            (None, None, None),
        ] {
            let usage = Usage {
                input,
                cache_read,
                ..Usage::default()
            };
            assert_eq!(cached(&usage), expected, "{input:?} {cache_read:?}");
        }
    }

    #[test]
    fn the_last_exchange_warns() {
        let check = |last: Exchange, expected: &[Warning]| {
            assert_eq!(shown(&[last, row("main", 1)]).warnings, expected);
        };
        let warned = |warnings: &[&str], kind: Option<&str>| Exchange {
            warnings: warnings.iter().map(|&warning| warning.to_owned()).collect(),
            error_kind: kind.map(str::to_owned),
            ..row("main", 1)
        };
        check(row("main", 2), &[Warning::Failover]);
        check(warned(&["loop"], None), &[Warning::Loop]);
        check(warned(&["budget"], Some("budget")), &[Warning::Refused]);
        check(warned(&[], Some("overloaded")), &[Warning::Failed]);
        check(
            warned(&["loop", "budget"], Some("budget")),
            &[Warning::Loop, Warning::Refused],
        );
    }

    #[test]
    fn budgets_are_those_that_hold() {
        let limits = |day: Option<u64>, session: Option<u64>| Budget {
            day: day.map(MicroUsd),
            session: session.map(MicroUsd),
        };
        let check = |budget: &Budget, day: i64, session: i64, expected: &[(&str, i64)]| {
            let found = of_budget("budget", budget, day, session);
            let found: Vec<_> = found
                .iter()
                .map(|own| (own.budget.as_str(), own.percent))
                .collect();
            assert_eq!(found, expected);
        };
        check(&limits(None, None), 1, 1, &[]);
        check(&limits(Some(200), None), 145, 1, &[("budget.day", 72)]);
        check(
            &limits(Some(0), Some(3)),
            0,
            3,
            &[("budget.day", 100), ("budget.session", 100)],
        );
    }
}
