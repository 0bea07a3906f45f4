//! Whose money an exchange spends, and against which budgets.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use lingate_config::Budget;
use lingate_price::MicroUsd;
use lingate_wire::turn::{Failure, FailureKind};
use uuid::Uuid;

use super::ledger::{Ledger, Which, day, until_next_day};
use crate::exchange::asked::Asked;
use crate::front::keys::Caller;
use crate::metrics::{BudgetLabels, BudgetLevelLabels, Metrics};
use crate::shared::Shared;

/// Percentages of a budget at which somebody is told.
const LEVELS: [u8; 3] = [100, 90, 70];

/// One exchange's account. Holds the budgets that were in force when it began.
pub(crate) struct Account {
    ledger: Arc<Ledger>,
    metrics: Arc<Metrics>,
    /// When it was accepted.
    day: i64,
    everybody: Budget,
    /// The client's key and its own budgets; the empty name stands for no key.
    key: String,
    own: Budget,
    session: Option<String>,
}

/// Measures how far the budgets of a day are spent; sessions are too many to be measured one by one.
pub(crate) fn measure(shared: &Shared, now: Timestamp) {
    let (config, metrics) = (&shared.config, &shared.metrics);
    let keys = config.keys.iter().map(|key| {
        let name = key.name.as_str();
        (Which::KeyDay(name), name, key.budget.day)
    });
    let budgets = std::iter::once((Which::Day, "", config.budget.day)).chain(keys);
    metrics.budget_used.clear();
    for (which, key, limit) in budgets {
        let Some(MicroUsd(limit)) = limit else {
            continue;
        };
        let standing = Standing {
            which,
            key,
            spent: shared.books.ledger.spent(day(now), which),
            limit,
        };
        let labels = BudgetLabels {
            budget: standing.name(),
            key: key.to_owned(),
        };
        let percent = i64::try_from(standing.percent()).unwrap_or(i64::MAX);
        metrics.budget_used.get_or_create(&labels).set(percent);
    }
}

/// A budget and how far it is spent.
struct Standing<'a> {
    which: Which<'a>,
    key: &'a str,
    spent: u64,
    limit: u64,
}

impl Account {
    /// That of a request.
    pub(crate) fn of(shared: &Shared, asked: &Asked, now: Timestamp) -> Self {
        Self {
            ledger: Arc::clone(&shared.books.ledger),
            metrics: Arc::clone(&shared.metrics),
            day: day(now),
            everybody: shared.config.budget,
            key: asked.caller.name().to_owned(),
            own: match &asked.caller {
                Caller::Anybody => Budget::default(),
                Caller::Key(key) => key.budget,
            },
            session: asked.session().map(str::to_owned),
        }
    }

    /// An attempt has ended that cost so much.
    pub(crate) fn charge(&self, cost: MicroUsd) {
        if cost.0 == 0 {
            return;
        }
        let session = self.session.as_deref();
        self.ledger.charge(self.day, &self.key, session, cost.0);
        for standing in self.standings() {
            let Some(level) = standing.level() else {
                continue;
            };
            if let Some(before) = self.ledger.tell(standing.which, standing.limit, level) {
                tracing::warn!(
                    budget = standing.path(),
                    level,
                    session = self.session.as_deref(),
                    "{standing}"
                );
                // One charge may pass several.
                let passed = LEVELS.iter().filter(|&&own| before < own && own <= level);
                for &own in passed {
                    let labels = BudgetLevelLabels {
                        budget: standing.name(),
                        key: standing.key.to_owned(),
                        level: u32::from(own),
                    };
                    self.metrics.budget_warnings.get_or_create(&labels).inc();
                }
            }
        }
    }

    /// Of the budget nearest to its end, if it is past the first level: `key alice day 72%`.
    pub(crate) fn notice(&self) -> Option<String> {
        let worst = self.standings().max_by_key(Standing::percent)?;
        worst.level()?;
        let percent = worst.percent();
        Some(match worst.which {
            Which::Day => format!("day {percent}%"),
            Which::Session(_) => format!("session {percent}%"),
            Which::KeyDay(_) => format!("key {} day {percent}%", worst.key),
            Which::KeySession(..) => format!("key {} session {percent}%", worst.key),
        })
    }

    /// Why nothing more may be spent, if that is so.
    pub(crate) fn refusal(&self, now: Timestamp) -> Option<Failure> {
        let spent = self.exhausted()?;
        let path = spent.path();
        let ends = match spent.which {
            Which::Day | Which::KeyDay(_) => {
                let minutes = (until_next_day(now) + 59).div_euclid(60);
                let (hours, minutes) = (minutes / 60, minutes % 60);
                format!("It starts anew at 00:00 UTC, in {hours} h {minutes} min")
            }
            Which::Session(_) | Which::KeySession(..) => "A new session starts anew".to_owned(),
        };
        let message = format!(
            "{spent}. {ends}. To go on now, raise `{path}` in lingate's configuration (it holds at once), or ask for a \
             model that costs nothing. Nothing was sent to a provider."
        );
        let mut failure = Failure::new(FailureKind::Budget, message);
        failure.should_retry = Some(false);
        Some(failure)
    }

    /// A request was refused for that.
    pub(crate) fn refused(&self, id: &Uuid) {
        let Some(spent) = self.exhausted() else {
            return;
        };
        let labels = BudgetLabels {
            budget: spent.name(),
            key: spent.key.to_owned(),
        };
        self.metrics.budget_refused.get_or_create(&labels).inc();
        tracing::warn!(exchange.id = %id, budget = spent.path(), "refused: {spent}");
    }

    fn exhausted(&self) -> Option<Standing<'_>> {
        let mut standings = self.standings();
        standings.find(|standing| standing.spent >= standing.limit)
    }

    /// The budgets that are set, those of everybody first.
    fn standings(&self) -> impl Iterator<Item = Standing<'_>> {
        let session = self.session.as_deref();
        let key = self.key.as_str();
        let budgets = [
            (Some(Which::Day), "", self.everybody.day),
            (session.map(Which::Session), "", self.everybody.session),
            (Some(Which::KeyDay(key)), key, self.own.day),
            (
                session.map(|session| Which::KeySession(key, session)),
                key,
                self.own.session,
            ),
        ];
        budgets.into_iter().filter_map(|(which, key, limit)| {
            let (which, limit) = (which?, limit?.0);
            Some(Standing {
                which,
                key,
                spent: self.ledger.spent(self.day, which),
                limit,
            })
        })
    }
}

impl Standing<'_> {
    /// Of the budget, rounded down; one of nothing is spent.
    fn percent(&self) -> u64 {
        let hundred = u128::from(self.spent) * 100;
        let percent = hundred.checked_div(u128::from(self.limit)).unwrap_or(100);
        u64::try_from(percent).unwrap_or(u64::MAX)
    }

    /// The highest level that is reached.
    fn level(&self) -> Option<u8> {
        let percent = self.percent();
        LEVELS
            .into_iter()
            .find(|level| percent >= u64::from(*level))
    }

    /// For labels.
    const fn name(&self) -> &'static str {
        match self.which {
            Which::Day => "day",
            Which::Session(_) => "session",
            Which::KeyDay(_) => "key_day",
            Which::KeySession(..) => "key_session",
        }
    }

    /// Its key in the configuration.
    fn path(&self) -> String {
        match self.which {
            Which::Day => "budget.day".to_owned(),
            Which::Session(_) => "budget.session".to_owned(),
            Which::KeyDay(_) => format!("keys.{}.budget.day", self.key),
            Which::KeySession(..) => format!("keys.{}.budget.session", self.key),
        }
    }
}

/// As it is told: `the budget of key alice for a day (keys.alice.budget.day) is spent to 72 %: 14.40 of 20.00 USD`.
impl fmt::Display for Standing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whose = match self.which {
            Which::Day => "today's budget".to_owned(),
            Which::Session(_) => "this session's budget".to_owned(),
            Which::KeyDay(_) => format!("today's budget of key `{}`", self.key),
            Which::KeySession(..) => format!("the budget of key `{}` for this session", self.key),
        };
        let (spent, limit) = (MicroUsd(self.spent).decimal(), MicroUsd(self.limit));
        let percent = self.percent();
        write!(f, "{whose} is spent to {percent} %: {spent} of {limit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(everybody: [Option<u64>; 2], own: [Option<u64>; 2]) -> Account {
        let budget = |[day, session]: [Option<u64>; 2]| Budget {
            day: day.map(MicroUsd),
            session: session.map(MicroUsd),
        };
        Account {
            ledger: Arc::default(),
            metrics: Arc::new(Metrics::new()),
            day: 0,
            everybody: budget(everybody),
            key: "alice".to_owned(),
            own: budget(own),
            session: Some("s".to_owned()),
        }
    }

    /// What is told after so much was spent.
    #[track_caller]
    fn check(account: &Account, spend: u64, notice: Option<&str>, refused: Option<&str>) {
        account.charge(MicroUsd(spend));
        assert_eq!(account.notice().as_deref(), notice);
        let refusal = account.refusal(Timestamp::UNIX_EPOCH);
        let message = refusal.as_ref().map(|failure| failure.message.as_str());
        match refused {
            None => assert_eq!(message, None),
            Some(part) => assert!(message.unwrap().contains(part), "{message:?}"),
        }
    }

    #[test]
    fn levels_come_one_after_the_other() {
        let account = account([Some(1_000_000), None], [None, None]);
        check(&account, 0, None, None);
        check(&account, 699_999, None, None);
        check(&account, 1, Some("day 70%"), None);
        check(&account, 200_000, Some("day 90%"), None);
        check(&account, 99_999, Some("day 99%"), None);
        let said = "today's budget is spent to 100 %: 1.00 of 1.00 USD. It starts anew at 00:00 UTC, in 24 h 0 min. To go on \
                    now, raise `budget.day`";
        check(&account, 1, Some("day 100%"), Some(said));
        let text = account.metrics.text();
        for level in [70, 90, 100] {
            let line = format!(
                "lingate_budget_warnings_total{{budget=\"day\",key=\"\",level=\"{level}\"}} 1"
            );
            assert!(text.contains(&line), "{text}");
        }
    }

    #[test]
    fn levels_passed_over_count() {
        let account = account([Some(1_000_000), None], [None, None]);
        account.charge(MicroUsd(700_000));
        account.charge(MicroUsd(300_000));
        let text = account.metrics.text();
        for level in [70, 90, 100] {
            let line = format!("_warnings_total{{budget=\"day\",key=\"\",level=\"{level}\"}} 1");
            assert!(text.contains(&line), "{text}");
        }
    }

    #[test]
    fn a_key_pays_for_itself_alone() {
        let alice = account([None, None], [None, Some(10)]);
        let bob = Account {
            key: "bob".to_owned(),
            ledger: Arc::clone(&alice.ledger),
            ..account([None, None], [None, Some(10)])
        };
        alice.charge(MicroUsd(10));
        assert!(alice.refusal(Timestamp::UNIX_EPOCH).is_some());
        assert!(bob.refusal(Timestamp::UNIX_EPOCH).is_none());
        assert_eq!(bob.notice(), None);
    }

    #[test]
    fn the_budget_that_is_spent_is_named() {
        let refused = |everybody, own, path: &str| {
            let account = account(everybody, own);
            account.charge(MicroUsd(10));
            let failure = account.refusal(Timestamp::UNIX_EPOCH).unwrap();
            assert_eq!(failure.kind, FailureKind::Budget);
            assert_eq!(failure.should_retry, Some(false));
            assert!(
                failure.message.contains(&format!("raise `{path}`")),
                "{}",
                failure.message
            );
        };
        refused([Some(10), None], [None, None], "budget.day");
        refused([Some(11), Some(10)], [None, None], "budget.session");
        refused([Some(11), None], [Some(10), None], "keys.alice.budget.day");
        refused(
            [None, None],
            [Some(11), Some(9)],
            "keys.alice.budget.session",
        );
        refused([Some(0), None], [None, None], "budget.day");
    }

    #[test]
    fn without_a_budget_nothing_is_said() {
        let account = account([None, None], [None, None]);
        check(&account, u64::MAX, None, None);
        check(&account, 1, None, None);
    }
}
