//! Another key or another target, after failures that those can help with, before anything of the reply was shown.
//!
//! Who is asked is the board's choice (`route::health`); this policy keeps what one exchange has tried, tells the board
//! what became of each attempt, and decides which of several failures the client is told. Targets are bounded by
//! `failover.attempts`, keys by the pool.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use http::header::RETRY_AFTER;
use lingate_config::{Auth, Config};
use lingate_route::health::{Draw, Entrant, Fault, Query, Remedy, Skip, Spent, Tried, fingerprint};
use lingate_route::{Candidate, Return, Strategy, Table};
use lingate_wire::turn::{Block, Failure, FailureKind};

use super::{Next, Outcome, Patch, Policy};
use crate::exchange::asked::Asked;
use crate::exchange::attempt::{Failed, UNREACHABLE};
use crate::record::Draft;
use crate::relay::chain::Tally;
use crate::replay::Script;
use crate::upstream::auth::CREDENTIALS;
use crate::upstream::health::{Health, Lease};
use crate::upstream::limits::whole_seconds;

/// How the connector words that `timeouts.connect` has passed.
const NOT_IN_TIME: &str = "deadline has elapsed";
/// Wait before a key is asked again that hit a rate limit without an end: most such limits are of requests at one time.
const PAUSE: Duration = Duration::from_millis(200);
/// Added by chance, as a share of it, so that a burst does not come back as one.
const PAUSE_JITTER: f64 = 1.0;

/// The failover of one exchange.
pub(crate) struct Failover {
    /// How all of it went when the exchange was recorded: then nothing is asked of the board.
    decided: Option<Decided>,
    health: Arc<Health>,
    draft: Arc<Draft>,
    query: Query,
    tried: Tried,
    draw: Draw,
    /// The attempt in flight.
    lease: Option<Lease>,
    /// Targets that may still be asked.
    targets_left: u32,
    /// Why the target that was tried last is left.
    left_for: &'static str,
    /// Keys that were asked again after a rate limit without an end.
    asked_again: Vec<Choice>,
    /// How long the next attempt waits.
    pause: Option<Duration>,
    /// What the client is told in place of a later failure that says less.
    kept: Option<Failed>,
    /// Part of the answer is out: nobody else may go on with it.
    is_committed: bool,
}

/// Who is asked, by places among the candidates and the provider's keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Choice {
    pub candidate: usize,
    pub key: usize,
}

impl Failover {
    /// For an exchange that these candidates may serve.
    pub(crate) fn of(
        config: &Config,
        health: &Arc<Health>,
        table: &Table,
        asked: &Asked,
        candidates: &[Candidate],
        (draft, script): (&Arc<Draft>, Option<&Arc<Script>>),
    ) -> Self {
        Self {
            decided: script.map(|script| Decided::of(script, candidates)),
            health: Arc::clone(health),
            draft: Arc::clone(draft),
            query: query(config, table, asked, candidates),
            tried: Tried::default(),
            draw: Draw::new(draft.id.as_u64_pair().1),
            lease: None,
            targets_left: config.failover.attempts.max(1),
            left_for: "failed",
            asked_again: Vec::new(),
            pause: None,
            kept: None,
            is_committed: false,
        }
    }

    /// Whom the exchange asks first, and, once it has begun, whom it goes on with.
    ///
    /// # Errors
    /// If every target is limited: when the first of them is free again.
    pub(crate) fn choice(&mut self) -> Result<Choice, Failure> {
        if let Some(decided) = &self.decided {
            return Ok(decided.after(&self.draft).unwrap_or_default());
        }
        if self.lease.is_none() {
            let picked = self.health.pick(&self.query, &self.tried, &mut self.draw);
            let lease = picked.map_err(|spent| self.all_spent(&spent))?;
            self.take(lease);
        }
        let lease = self.lease.as_ref();
        Ok(Choice {
            candidate: lease.map_or(0, Lease::target),
            key: lease.map_or(0, Lease::key),
        })
    }

    /// The attempt has content to show.
    pub(crate) fn served(&mut self) {
        if let Some(lease) = &mut self.lease {
            lease.served();
        }
    }

    /// The reply is complete.
    pub(crate) fn completed(&mut self, tally: &Tally) {
        if let (Some(lease), Some(tokens)) = (&self.lease, tally.usage.total_input()) {
            lease.completed(tokens);
        }
    }

    /// The attempt failed, and the policies are asked what follows. What asks the same key again says nothing of it yet.
    pub(super) fn attempt_failed(&mut self, failure: &Failure) {
        if !self.may_ask_again(failure) {
            self.failed(failure);
        }
    }

    /// How long to wait before the next attempt; asked once for each.
    pub(crate) fn take_pause(&mut self) -> Option<Duration> {
        self.pause.take()
    }

    /// The attempt failed, at whatever moment. Gives the class of the failure.
    pub(crate) fn failed(&mut self, failure: &Failure) -> Fault {
        let fault = fault_of(failure);
        let told = failure.retry_after.map(Duration::from_secs);
        if let Some(lease) = &mut self.lease {
            lease.failed(fault, told);
        }
        fault
    }

    /// Something of the reply is out, or is about to be.
    pub(crate) fn commit(&mut self) {
        self.is_committed = true;
    }

    /// Whether the same request may be made again at the same place.
    pub(crate) fn may_repeat(&mut self) -> bool {
        if let Some(decided) = &self.decided {
            let next = decided.after(&self.draft);
            return next.is_some() && next == decided.now(&self.draft);
        }
        self.lease.as_mut().is_none_or(Lease::may_repeat)
    }

    /// A failure that another attempt follows.
    pub(crate) fn keep(&mut self, failed: Failed) {
        let is_better = |kept: &Failed| worth(&failed) >= worth(kept);
        if self.kept.as_ref().is_none_or(is_better) {
            self.kept = Some(failed);
        }
    }

    /// What the client is told when nothing follows: of several failures the one that trying again helps most. If every
    /// target is limited, with the soonest end of all limits, which is what the gateway itself waits for.
    pub(crate) fn told(&mut self, failed: Failed) -> Failed {
        let kept = self.kept.take();
        let mut told = match kept {
            Some(kept) if worth(&kept) > worth(&failed) => kept,
            Some(_) | None => failed,
        };
        if fault_of(&told.failure).is_limit()
            && let Some(seconds) = self.soonest()
        {
            (self.draft).gather(|gathered| gathered.limited(seconds));
            told.failure.retry_after = Some(seconds);
            if let Some(whole) = &mut told.verbatim {
                let value = HeaderValue::from(seconds);
                whole.headers.insert(RETRY_AFTER, value);
            }
        }
        told
    }

    /// Seconds until the first limit is over, if every target is limited.
    fn soonest(&self) -> Option<u64> {
        match &self.decided {
            Some(decided) => decided.script.limited_s(),
            None => self.health.soonest(&self.query).map(whole_seconds),
        }
    }

    fn take(&mut self, lease: Lease) {
        self.targets_left = self.targets_left.saturating_sub(1);
        for skip in lease.skipped() {
            if skip.index < lease.target() {
                self.draft
                    .skipped(&self.name(skip.index), why(skip), skip.wait);
            }
        }
        if lease.is_last_resort() {
            let name = self.name(lease.target());
            self.draft.last_resort(&name);
        }
        if let Some(moved) = lease.moved() {
            let from = moved
                .from
                .map_or_else(|| "elsewhere".to_owned(), |from| self.name(from));
            let skip = lease
                .skipped()
                .iter()
                .find(|skip| Some(skip.index) == moved.from);
            let why = skip.map(why).or_else(|| {
                let was_tried = moved
                    .from
                    .is_some_and(|from| self.tried.targets.contains(&from));
                was_tried.then_some(self.left_for)
            });
            // Its place is none of those who can take this request.
            let why = why.or_else(|| moved.from.is_none().then_some("left out"));
            let to = self.name(lease.target());
            self.draft
                .moved(&from, &to, why.unwrap_or("preferred"), moved.tokens);
        }
        self.lease = Some(lease);
    }

    /// Whether a refusal may be over in a moment: a rate limit whose end nobody told, the first of this key.
    fn may_ask_again(&self, failure: &Failure) -> bool {
        fault_of(failure) == Fault::RateLimit
            && failure.retry_after.unwrap_or(0) == 0
            && !self.is_committed
            && self
                .asking()
                .is_some_and(|choice| !self.asked_again.contains(&choice))
    }

    /// Once more with the same key, if the provider's budget of repeats has room.
    fn ask_again(&mut self, failure: &Failure) -> Option<Patch> {
        if !self.may_ask_again(failure) {
            return None;
        }
        if !self.may_repeat() {
            self.failed(failure);
            return None;
        }
        self.asked_again.extend(self.asking());
        self.pause = Some(PAUSE.mul_f64(1.0 + PAUSE_JITTER * self.draw.unit()));
        Some(Patch::Repeat)
    }

    /// Whom the attempt in flight asks.
    fn asking(&self) -> Option<Choice> {
        self.lease.as_ref().map(|lease| Choice {
            candidate: lease.target(),
            key: lease.key(),
        })
    }

    /// The target has no room for the attempt: another one, if there is one.
    pub(crate) fn busy(&mut self) -> Option<Patch> {
        let target = self.lease.as_ref()?.target();
        if self.is_committed || self.targets_left == 0 {
            return None;
        }
        let reason = "busy";
        self.left_for = reason;
        self.tried.targets.push(target);
        let picked = self.health.pick(&self.query, &self.tried, &mut self.draw);
        self.take(picked.ok()?);
        let choice = self.asking()?;
        self.draft.failed_over(reason, &self.name(choice.candidate));
        Some(Patch::Ask { reason, choice })
    }

    /// The next attempt after a failure that something else may help with.
    fn go_on(&mut self, fault: Fault) -> Option<Patch> {
        let lease = self.lease.as_ref()?;
        let (target, key) = (lease.target(), lease.key());
        self.tried.keys.push((target, key));
        let remedy = fault.remedy();
        if remedy == Remedy::Key {
            let rotated = self
                .health
                .rotate(&self.query, &self.tried, target, &mut self.draw);
            if let Some(lease) = rotated {
                self.lease = Some(lease);
                return self.patch(fault);
            }
        }
        if remedy == Remedy::None || self.targets_left == 0 {
            return None;
        }
        self.left_for = "failed";
        self.tried.targets.push(target);
        let picked = self.health.pick(&self.query, &self.tried, &mut self.draw);
        self.take(picked.ok()?);
        self.patch(fault)
    }

    fn patch(&self, fault: Fault) -> Option<Patch> {
        let choice = self.asking()?;
        self.draft
            .failed_over(fault.name(), &self.name(choice.candidate));
        Some(Patch::Ask {
            reason: fault.name(),
            choice,
        })
    }

    fn name(&self, index: usize) -> String {
        let entrant = self.query.entrants.get(index);
        entrant.map_or_else(String::new, |own| format!("{}/{}", own.provider, own.model))
    }

    fn all_spent(&self, spent: &Spent) -> Failure {
        let list: Vec<String> = (spent.skipped.iter())
            .map(|skip| {
                let (name, why) = (self.name(skip.index), why(skip));
                if skip.is_drained {
                    return format!("`{name}` ({why})");
                }
                format!("`{name}` ({why}, {} s)", whole_seconds(skip.wait))
            })
            .collect();
        // Nobody's limit is to be waited for where an operator has taken everything out.
        let kind = match spent.soonest {
            Some(_) => FailureKind::RateLimit,
            None => FailureKind::Overloaded,
        };
        let mut failure = Failure::new(
            kind,
            format!(
                "nothing that serves this model can be asked now: {}",
                list.join(", ")
            ),
        );
        failure.retry_after = spent.soonest.map(whole_seconds);
        failure
    }
}

impl Policy for Failover {
    fn next(&mut self, outcome: &Outcome<'_>) -> Next {
        let Outcome::Failed { failed, .. } = outcome else {
            return Next::Finish;
        };
        if self.is_committed {
            return Next::Finish;
        }
        if let Some(decided) = &self.decided {
            return decided.next(&self.draft);
        }
        let patch = self
            .ask_again(&failed.failure)
            .or_else(|| self.go_on(fault_of(&failed.failure)));
        patch.map_or(Next::Finish, Next::Retry)
    }
}

/// The choices of a recorded exchange.
struct Decided {
    script: Arc<Script>,
    /// By attempt.
    choices: Vec<Choice>,
}

impl Decided {
    fn of(script: &Arc<Script>, candidates: &[Candidate]) -> Self {
        let choices = script.steps().map(|step| Choice {
            candidate: step.place(candidates).unwrap_or_default(),
            key: step.key,
        });
        Self {
            choices: choices.collect(),
            script: Arc::clone(script),
        }
    }

    /// Of the attempt in flight.
    fn now(&self, draft: &Draft) -> Option<Choice> {
        let made = usize::try_from(draft.attempts()).ok()?;
        self.choices.get(made.checked_sub(1)?).copied()
    }

    /// Of the one behind it.
    fn after(&self, draft: &Draft) -> Option<Choice> {
        let made = usize::try_from(draft.attempts()).ok()?;
        self.choices.get(made).copied()
    }

    fn next(&self, draft: &Draft) -> Next {
        let now = self.now(draft);
        match self.after(draft) {
            Some(choice) if now == Some(choice) => Next::Retry(Patch::Repeat),
            Some(choice) => Next::Retry(Patch::Ask {
                reason: "recorded",
                choice,
            }),
            // Somebody else was to be asked, and could not be.
            None if self.script.is_refused() => Next::Retry(Patch::Ask {
                reason: "recorded",
                choice: now.unwrap_or_default(),
            }),
            None => Next::Finish,
        }
    }
}

/// The board is asked this for an exchange that these candidates may serve.
pub(crate) fn query(
    config: &Config,
    table: &Table,
    asked: &Asked,
    candidates: &[Candidate],
) -> Query {
    let model = candidates
        .first()
        .and_then(|first| table.model(first.target.as_ref()?));
    let strategy = model.map_or(Strategy::Ordered, |model| model.strategy);
    let entrants: Vec<Entrant> = candidates
        .iter()
        .map(|candidate| entrant(config, asked, candidate))
        .collect();
    // With one target there is nowhere to be but there.
    let session = (entrants.len() > 1 && !strategy.is_per_request()).then(|| session(asked));
    let session = session.flatten();
    let is_told_apart = session.is_some() || strategy == Strategy::RoundRobin;
    let first = candidates.first().filter(|_| is_told_apart);
    Query {
        route: first.map_or_else(String::new, route),
        strategy,
        return_to: model.map_or(Return::default(), |model| model.return_to),
        session,
        entrants,
    }
}

/// The name under which turns are counted and sessions are told apart.
fn route(first: &Candidate) -> String {
    match &first.target {
        None => [&*first.provider, "/", &first.model].concat(),
        Some(own) => [own.profile.as_deref().unwrap_or_default(), ":", &own.model].concat(),
    }
}

fn entrant(config: &Config, asked: &Asked, candidate: &Candidate) -> Entrant {
    let provider = config.provider(&candidate.provider);
    let is_callers = provider.is_some_and(|provider| provider.auth == Auth::Client);
    let shown = CREDENTIALS
        .iter()
        .filter_map(|name| asked.headers.get(name)?.to_str().ok());
    Entrant {
        provider: candidate.provider.clone(),
        model: candidate.model.clone(),
        weight: candidate.weight,
        pool: provider.map(|provider| provider.pool).unwrap_or_default(),
        keys: provider.map_or_else(Vec::new, |provider| {
            provider.keys.iter().map(|key| key.id).collect()
        }),
        caller: is_callers.then(|| fingerprint(shown)),
    }
}

/// The session as the client names it, else as its first words tell: they stay the same as a conversation grows.
fn session(asked: &Asked) -> Option<u64> {
    if let Some(named) = asked.cache_key() {
        return Some(fingerprint([&*named.decode()]));
    }
    let turn = &asked.decoded().ok()?.turn;
    let blocks = turn
        .messages
        .iter()
        .take(1)
        .flat_map(|message| &message.blocks);
    let words: Vec<String> = blocks
        .filter_map(|block| match &**block {
            Block::Text { text, .. } => Some(text.to_string()),
            _ => None,
        })
        .collect();
    (!words.is_empty()).then(|| fingerprint(words.iter().map(String::as_str)))
}

/// How much a failure is worth telling: more for what the client's own retry may find gone.
fn worth(failed: &Failed) -> u8 {
    match fault_of(&failed.failure) {
        // The last word, whatever came before.
        Fault::Request | Fault::Ours => 3,
        Fault::Unreachable
        | Fault::Unanswered
        | Fault::Server
        | Fault::Overloaded
        | Fault::Timeout
        | Fault::Malformed
        | Fault::Cut
        | Fault::Empty
        | Fault::BrokenCall
        | Fault::Contention => 2,
        Fault::RateLimit | Fault::Quota => 1,
        Fault::Credential | Fault::Forbidden | Fault::Missing => 0,
    }
}

/// The class of a failure.
fn fault_of(failure: &Failure) -> Fault {
    let status = failure.upstream_status;
    if let Some(408 | 409) = status {
        return Fault::Contention;
    }
    match failure.kind {
        // Without a status the upstream was never asked: a request that cannot be carried to it.
        FailureKind::InvalidRequest if status.is_none() => Fault::Ours,
        FailureKind::Budget | FailureKind::Loop => Fault::Ours,
        FailureKind::InvalidRequest
        | FailureKind::UnsupportedMediaType
        | FailureKind::MisdirectedRequest
        | FailureKind::RequestTimeout
        | FailureKind::TooLarge
        | FailureKind::HeadTooLarge
        | FailureKind::ContextOverflow { .. }
        // The caller's own credential: it may log in.
        | FailureKind::Authentication
        | FailureKind::Permission => Fault::Request,
        FailureKind::UpstreamCredential if status == Some(403) => Fault::Forbidden,
        FailureKind::UpstreamCredential => Fault::Credential,
        FailureKind::Billing => Fault::Quota,
        FailureKind::NotFound | FailureKind::UnknownPath | FailureKind::MethodNotAllowed => {
            Fault::Missing
        }
        FailureKind::Conflict => Fault::Contention,
        FailureKind::RateLimit => Fault::RateLimit,
        FailureKind::Overloaded => Fault::Overloaded,
        FailureKind::Timeout => Fault::Timeout,
        FailureKind::Server if failure.message.contains(UNREACHABLE) => {
            match failure.message.ends_with(NOT_IN_TIME) {
                true => Fault::Unanswered,
                false => Fault::Unreachable,
            }
        }
        FailureKind::Server => Fault::Server,
        FailureKind::Truncated => Fault::Cut,
        FailureKind::Malformed => Fault::Malformed,
        FailureKind::EmptyReply => Fault::Empty,
        FailureKind::BrokenToolCall => Fault::BrokenCall,
    }
}

fn why(skip: &Skip) -> &'static str {
    skip.reason()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes() {
        let check = |kind: FailureKind, status: Option<u16>, expected: Fault| {
            let mut failure = Failure::new(kind, "");
            failure.upstream_status = status;
            assert_eq!(fault_of(&failure), expected, "{kind:?} {status:?}");
        };
        use FailureKind as K;
        check(K::InvalidRequest, Some(400), Fault::Request);
        check(K::InvalidRequest, None, Fault::Ours);
        check(K::TooLarge, Some(413), Fault::Request);
        check(K::Authentication, Some(401), Fault::Request);
        check(K::UpstreamCredential, Some(401), Fault::Credential);
        check(K::UpstreamCredential, Some(403), Fault::Forbidden);
        check(K::Billing, Some(402), Fault::Quota);
        check(K::Billing, Some(403), Fault::Quota);
        check(K::NotFound, Some(404), Fault::Missing);
        check(K::Timeout, Some(408), Fault::Contention);
        check(K::Conflict, Some(409), Fault::Contention);
        check(K::RateLimit, Some(429), Fault::RateLimit);
        check(K::Overloaded, Some(529), Fault::Overloaded);
        check(K::Server, Some(500), Fault::Server);
        check(K::Server, None, Fault::Server);
        check(K::Timeout, None, Fault::Timeout);
        check(K::Malformed, Some(200), Fault::Malformed);
        check(K::EmptyReply, None, Fault::Empty);
    }
}
