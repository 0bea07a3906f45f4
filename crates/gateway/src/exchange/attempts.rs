//! The only attempt loop.
//!
//! It knows how to make one attempt after the other and nothing about why: after each, the policies are asked for
//! [`policy::Next`]. A reply that is streamed leaves the loop at its first content; the relay shows it and comes back when
//! it has ended, so that another attempt can continue the message. Every attempt is made anew from the client's request
//! and the plan: lane, body, quirks, ids, names, limits and seals.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use lingate_route::Candidate;
use lingate_wire::bridge::Lane;
use lingate_wire::turn::{Event, Failure, FailureKind, Usage};
use tokio::time::Instant;

use super::answering::thread_refused;
use super::asked::Asked;
use super::attempt::{self, Attempt, Failed, WHOLE_WAIT};
use super::destination::{destination, roomier};
use super::permits::Permits;
use super::policy::failover::{Choice, Failover};
use super::policy::{Demands, Next, Outcome, Patch, Plan, Policies};
use super::upstream::Upstream;
use crate::govern;
use crate::lane::estimate;
use crate::record::{AttemptEnd, Draft};
use crate::relay::answer::{Answer, Whole, WholeBody};
use crate::relay::chain::Tally;
use crate::relay::message::Message;
use crate::relay::stream::{self, Pending, Reached};
use crate::replay::{Script, Step, recorded};
use crate::shared::Shared;

/// Most requests to upstreams in one exchange, whatever the policies would like.
const MOST_ATTEMPTS: u32 = 12;

/// The attempts of one exchange.
pub(crate) struct Attempts {
    shared: Arc<Shared>,
    asked: Asked,
    draft: Arc<Draft>,
    /// In order of preference; never empty.
    candidates: Vec<Candidate>,
    policies: Policies,
    plan: Plan,
    made: u32,
    message: Message,
    /// Not streamed: the message so far, and the last answer it came in.
    events: Vec<Event>,
    answer: Option<Box<Whole>>,
    /// A streamed reply ended before it was shown, and the policies have spoken.
    is_decided: bool,
    permits: Permits,
    /// When nobody waits for the first content any more.
    until: Option<Instant>,
    /// Those for whom the conversation turned out too long.
    refused: Vec<Candidate>,
}

impl Attempts {
    /// Resolves who may serve the request.
    pub(crate) fn new(
        shared: &Arc<Shared>,
        asked: Asked,
        draft: &Arc<Draft>,
    ) -> Result<Self, Failure> {
        let table = shared.routes.table();
        let (config, health) = (&shared.config, &shared.health);
        let found = destination(config, &table, &shared.calibration.bytes, &asked);
        let mut candidates = match (found, &shared.script) {
            (Ok(fitting), _) => {
                draft.routed(&fitting);
                fitting.resolution.candidates
            }
            // Its name led somewhere once.
            (Err(_), Some(script)) if script.step(1).is_some() => Vec::new(),
            (Err(failure), _) => return Err(failure),
        };
        if let Some(script) = &shared.script {
            script.complete(&mut candidates);
        }
        let candidates = govern::affordable(shared, &asked, draft, candidates)?;
        let first = candidates.first().ok_or_else(nothing_serves)?;
        let told = (draft, shared.script.as_ref());
        let failover = Failover::of(config, health, &table, &asked, &candidates, told);
        let policies = Policies::of(Demands::of(config.model_settings(first)), failover);
        Ok(Self {
            shared: Arc::clone(shared),
            asked,
            draft: Arc::clone(draft),
            policies,
            plan: Plan::default(),
            made: 0,
            message: Message::default(),
            events: Vec::new(),
            answer: None,
            is_decided: false,
            permits: Permits::default(),
            until: None,
            refused: Vec::new(),
            candidates,
        })
    }

    /// Makes them up to a whole answer.
    pub(crate) async fn answer(mut self) -> Result<Answer, Failure> {
        self.reach().await
    }

    /// Up to a reply to show, or the last failure, within the deadline for the first content.
    async fn reach(&mut self) -> Result<Answer, Failure> {
        let shared = Arc::clone(&self.shared);
        let (asked, draft) = (&self.asked, &self.draft);
        let permit = self.permits.for_client(&shared, asked, draft).await;
        permit.inspect_err(|failure| {
            draft.gather(|gathered| gathered.refused(failure));
        })?;
        let choice = self.policies.failover.choice();
        self.plan.ask(choice.inspect_err(|failure| {
            draft.gather(|gathered| gathered.refused(failure));
        })?);
        let deadline = self.deadline();
        self.until = deadline.map(|deadline| self.draft.accepted + deadline);
        let reached = match deadline.zip(self.until) {
            None => self.attempts(&shared).await,
            Some((deadline, at)) => {
                let in_time = {
                    let attempts = pin!(self.attempts(&shared));
                    tokio::time::timeout_at(at, attempts).await
                };
                in_time.unwrap_or_else(|_elapsed| Err(self.too_late(deadline)))
            }
        };
        reached.or_else(|failure| self.settled(failure))
    }

    async fn attempts(&mut self, shared: &Shared) -> Result<Answer, Failure> {
        loop {
            let upstream = self.upstream(shared)?;
            if self.asked.is_thread() && upstream.lane(&self.asked) == Lane::Translate {
                return Ok(thread_refused(&self.draft));
            }
            let (asked, draft, has_others) = (&self.asked, &self.draft, self.candidates.len() > 1);
            let permit =
                (self.permits).at_provider(shared, asked, draft, upstream.provider, has_others);
            if let Err(failure) = permit.await {
                let Some(patch) = self.policies.failover.busy() else {
                    draft.gather(|gathered| gathered.refused(&failure));
                    return self.policies.failover.told(failure.into()).into_answer();
                };
                self.policies.failover.keep(failure.into());
                self.draft.because(patch.reason());
                self.plan.apply(patch);
                continue;
            }
            let step = match &shared.script {
                None => None,
                Some(script) => Some(self.step(script).await),
            };
            let repairs = match step {
                None => shared.learnt.repairs(&upstream),
                Some(Ok(step)) => {
                    let provider = &upstream.provider.id;
                    step.teach(&shared.calibration, provider, &upstream.model);
                    step.repairs.clone()
                }
                Some(Err(failure)) => {
                    return self.policies.failover.told(failure.into()).into_answer();
                }
            };
            let settings = self.plan.settings(upstream.settings_with(&repairs));
            if let Some(candidate) = self.candidate() {
                draft.gather(|gathered| {
                    let repairs = repairs.iter().map(|own| recorded::named(*own)).collect();
                    let moved = upstream.refuses_foreign_thinking;
                    gathered.goes_to(candidate, &upstream, repairs, moved);
                });
                let priced = shared.books.price(&shared.config, candidate, &upstream);
                let billing = govern::billing(&self.asked, &upstream);
                self.draft.priced(priced, billing);
            }
            self.made += 1;
            let telling = self.draft.telling();
            let attempt = Attempt {
                asked: &self.asked,
                upstream: &upstream,
                settings: &settings,
                plan: &self.plan,
                schemas: &shared.schemas,
                telling,
            };
            // On the heap: a future is moved whole, together with everything that awaits it.
            let attempt = attempt::run(shared, &attempt, &self.draft, self.until);
            let attempted = Box::pin(attempt).await;
            let patch = match attempted {
                Err(failed) => {
                    let patch = self.after_failure(&failed, &upstream);
                    let Some(patch) = patch else {
                        match self.overflow(shared, failed) {
                            Ok(()) => continue,
                            Err(failed) => {
                                return self.policies.failover.told(failed).into_answer();
                            }
                        }
                    };
                    if let Patch::Ask { .. } = patch {
                        self.policies.failover.keep(failed);
                    }
                    patch
                }
                Ok(answer) => {
                    let repairs = &self.plan.repairs;
                    shared.learnt.keep(&self.asked, &upstream, repairs);
                    self.policies.failover.served();
                    match self.after_answer(answer)? {
                        Reach::Answer(answer) => return Ok(answer),
                        Reach::Again(patch) => patch,
                    }
                }
            };
            self.plan.apply(patch);
            if let Some(pause) = self.policies.failover.take_pause() {
                tokio::time::sleep(pause).await;
            }
        }
    }

    /// The upstream of the next attempt.
    fn upstream<'s>(&self, shared: &'s Shared) -> Result<Upstream<'s>, Failure> {
        let candidate = self.candidate().ok_or_else(nothing_serves)?;
        let (config, upstreams) = (&shared.config, &shared.upstreams);
        let mut upstream = Upstream::known(config, candidate, self.asked.wire, upstreams)?;
        upstream.key = upstream.provider.keys.get(self.plan.choice.key);
        let number = self.draft.attempts() + 1;
        let has_moved = match &shared.script {
            Some(script) => script.step(number).is_some_and(|step| step.is_moved),
            None => shared.learnt.moved.holds(&self.asked, &upstream),
        };
        upstream.refuses_foreign_thinking = self.plan.leaves_out_foreign_thinking || has_moved;
        Ok(upstream)
    }

    /// The attempt as it was made when the exchange was recorded, at the time when it was.
    async fn step<'s>(&self, script: &'s Script) -> Result<&'s Step, Failure> {
        let asks = self
            .candidate()
            .map_or_else(String::new, |own| format!("{}/{}", own.provider, own.model));
        let number = self.draft.attempts() + 1;
        let step = script.begin(number, &asks).await?;
        let choice = Choice {
            candidate: step.place(&self.candidates).unwrap_or_default(),
            key: step.key,
        };
        if choice == self.plan.choice {
            return Ok(step);
        }
        let Candidate {
            provider, model, ..
        } = &step.candidate;
        Err(script.departs(format!(
            "attempt {number} asks {asks} (key {}), and asked {provider}/{model} (key {})",
            self.plan.choice.key + 1,
            step.key + 1,
        )))
    }

    fn after_failure(&mut self, failed: &Failed, upstream: &Upstream<'_>) -> Option<Patch> {
        let failure = Some(&failed.failure);
        self.draft.attempt_ended(AttemptEnd::Failed, failure);
        if self.message.has_content() {
            self.policies.failover.commit();
        }
        let outcome = Outcome::Failed {
            failed,
            asked: &self.asked,
            upstream,
        };
        match self.policies.next(&outcome) {
            Next::Retry(patch) | Next::Continue(patch) if self.made < MOST_ATTEMPTS => {
                self.draft.because(patch.reason());
                if let Patch::Repair(repair) = &patch {
                    self.draft
                        .gather(|gathered| gathered.repairs(*repair, &failed.failure.message));
                }
                Some(patch)
            }
            Next::Retry(_) | Next::Continue(_) | Next::Finish => None,
        }
    }

    /// The conversation turned out too long: on to who has room for it. Its own refusal stays what the client is told if
    /// that fails, because clients make a conversation shorter then.
    ///
    /// # Errors
    /// Gives the failure back if it is another, or nobody has room.
    fn overflow(&mut self, shared: &Shared, failed: Failed) -> Result<(), Failed> {
        let FailureKind::ContextOverflow { tokens, .. } = failed.failure.kind else {
            return Err(failed);
        };
        let number = self.draft.attempts() + 1;
        if (shared.script.as_ref()).is_some_and(|script| script.step(number).is_none()) {
            return Err(failed);
        }
        let has_begun = self.message.has_content() || self.made >= MOST_ATTEMPTS;
        let Some(refused) = self.candidate().filter(|_| !has_begun).cloned() else {
            return Err(failed);
        };
        let learnt = &shared.calibration.bytes;
        if let (Some(tokens), Ok(decoded)) = (tokens, self.asked.decoded()) {
            let size = estimate::size(decoded);
            learnt.learn(&refused.provider, &refused.model, size, tokens);
        }
        self.refused.push(refused);
        let refused = &self.refused;
        let (config, table) = (&shared.config, shared.routes.table());
        let choices = &self.candidates;
        let (asked, failure) = (&self.asked, &failed.failure);
        let found = roomier(config, &table, learnt, asked, choices, refused, failure);
        let Some(fitting) = found else {
            return Err(failed);
        };
        self.draft.routed(&fitting);
        let mut candidates = fitting.resolution.candidates;
        if let Some(script) = &shared.script {
            script.complete(&mut candidates);
        }
        let Ok(candidates) = govern::affordable(shared, asked, &self.draft, candidates) else {
            return Err(failed);
        };
        let health = &shared.health;
        let told = (&self.draft, shared.script.as_ref());
        let mut failover = Failover::of(config, health, &table, asked, &candidates, told);
        let Ok(choice) = failover.choice() else {
            return Err(failed);
        };
        if let Some(next) = candidates.get(choice.candidate) {
            let to = format!("{}/{}", next.provider, next.model);
            self.draft.failed_over("context_overflow", &to);
        }
        failover.keep(failed);
        let first = candidates
            .first()
            .and_then(|own| config.model_settings(own));
        self.policies = Policies::of(Demands::of(first), failover);
        self.candidates = candidates;
        self.plan = Plan {
            appended: std::mem::take(&mut self.plan.appended),
            ..Plan::default()
        };
        self.plan.ask(choice);
        Ok(())
    }

    /// A stream with content is shown; any other reply is complete, and the policies are asked at once.
    fn after_answer(&mut self, answer: Answer) -> Result<Reach, Failure> {
        match answer {
            Answer::Live(mut live) => {
                self.message.begin(live.tally().holding);
                if live.is_shown() || !self.message.is_held() {
                    return Ok(Reach::Answer(Answer::Live(live)));
                }
                live.with_events(|events| self.message.pass(events));
                if let Some(patch) = self.after_end(live.tally()) {
                    self.note_calls(live.tally());
                    return Ok(Reach::Again(patch));
                }
                self.is_decided = true;
                self.check_content(live.tally())?;
                Ok(Reach::Answer(Answer::Live(live)))
            }
            Answer::Whole(mut whole) => {
                self.note_calls(&whole.tally);
                self.policies.failover.completed(&whole.tally);
                self.message.begin(whole.tally.holding);
                if !self.message.is_held() {
                    self.draft.attempt_ended(AttemptEnd::Served, None);
                    return Ok(Reach::Answer(Answer::Whole(whole)));
                }
                let WholeBody::Events(mut events) = std::mem::take(&mut whole.body) else {
                    return Ok(Reach::Answer(Answer::Whole(whole)));
                };
                self.message.pass(&mut events);
                self.events.append(&mut events);
                let patch = self.after_end(&whole.tally);
                if let Some(patch) = patch {
                    self.answer = Some(whole);
                    return Ok(Reach::Again(patch));
                }
                self.check_content(&whole.tally)?;
                self.message.finish(&mut self.events);
                whole.body = WholeBody::Events(std::mem::take(&mut self.events));
                Ok(Reach::Answer(Answer::Whole(whole)))
            }
            refused @ Answer::Refused(..) => Ok(Reach::Answer(refused)),
        }
    }

    /// A reply is complete: what the next attempt does differently, if there is one.
    fn after_end(&mut self, tally: &Tally) -> Option<Patch> {
        let next = if self.message.may_go_on() && self.made < MOST_ATTEMPTS {
            let reply = self.message.said();
            self.policies.next(&Outcome::Ended {
                reply: &reply,
                tally,
            })
        } else {
            Next::Finish
        };
        match next {
            Next::Finish => {
                self.draft.attempt_ended(AttemptEnd::Served, None);
                None
            }
            Next::Retry(patch) | Next::Continue(patch) => {
                self.draft.attempt_went_on(patch.reason(), tally);
                self.message.go_on();
                Some(patch)
            }
        }
    }

    /// A reply is complete: how its calls fitted.
    fn note_calls(&self, tally: &Tally) {
        let calls = &tally.findings.calls;
        if let Some(candidate) = self.candidate() {
            let accuracy = &self.shared.accuracy;
            accuracy.note(&candidate.provider, &candidate.model, calls);
        }
        self.draft.judged_calls(calls);
    }

    /// Agents stop or hang on an end of turn without a word, unless the model said in its own way that it is done.
    fn check_content(&self, tally: &Tally) -> Result<(), Failure> {
        let is_done = tally
            .findings
            .finish
            .as_ref()
            .is_some_and(|finish| finish.done.is_some());
        if self.message.has_content() || is_done {
            return Ok(());
        }
        Err(Failure::new(
            FailureKind::EmptyReply,
            "the upstream's reply has no content",
        ))
    }

    /// Not streamed: what there is of the message when an attempt that was to continue it fails.
    fn settled(&mut self, failure: Failure) -> Result<Answer, Failure> {
        if self.asked.peek.stream || !self.message.cut(&mut self.events) {
            return Err(failure);
        }
        let mut whole = self.answer.take().ok_or(failure)?;
        whole.body = WholeBody::Events(std::mem::take(&mut self.events));
        // What it used was counted when it went on.
        whole.tally.usage = Usage::default();
        Ok(Answer::Whole(whole))
    }

    /// How long the first content may take, all attempts together; what continues a message is no longer waited for.
    fn deadline(&self) -> Option<Duration> {
        let config = &self.shared.config;
        let candidate = self.candidate()?;
        let provider = config.provider(&candidate.provider)?;
        let deadline = config.failover.deadline.filter(|_| provider.has_deadline)?;
        if self.message.has_content() {
            None
        } else if self.asked.peek.stream {
            Some(deadline)
        } else {
            Some(deadline.max(WHOLE_WAIT))
        }
    }

    fn too_late(&mut self, deadline: Duration) -> Failure {
        let failure = Failure::new(
            FailureKind::Timeout,
            format!(
                "provider `{}` gave no content within {} s (`failover.deadline`)",
                self.draft.provider(),
                deadline.as_secs()
            ),
        );
        if !self.permits.is_waiting {
            self.policies.failover.failed(&failure);
            self.draft.attempt_ended(AttemptEnd::Failed, Some(&failure));
        }
        failure
    }

    /// Whom the attempt in flight asks.
    fn candidate(&self) -> Option<&Candidate> {
        self.candidates.get(self.plan.choice.candidate)
    }
}

impl stream::Attempts for Attempts {
    fn message(&mut self) -> &mut Message {
        &mut self.message
    }

    fn goes_on(&mut self, tally: &Tally) -> bool {
        self.note_calls(tally);
        self.policies.failover.completed(tally);
        if !self.message.is_held() {
            self.draft.attempt_ended(AttemptEnd::Served, None);
            return false;
        }
        if self.is_decided {
            return false;
        }
        match self.after_end(tally) {
            Some(patch) => {
                self.plan.apply(patch);
                true
            }
            None => false,
        }
    }

    fn broke(&mut self, failure: &Failure) {
        self.policies.failover.failed(failure);
        if !self.is_decided {
            self.draft.attempt_ended(AttemptEnd::Failed, Some(failure));
        }
    }

    fn run(mut self: Box<Self>) -> Pending {
        Box::pin(async move {
            let result = self.reach().await;
            Reached {
                attempts: self,
                result,
            }
        })
    }
}

/// What an answer of an upstream leads to.
enum Reach {
    Answer(Answer),
    Again(Patch),
}

fn nothing_serves() -> Failure {
    Failure::new(FailureKind::NotFound, "nothing serves this model")
}
