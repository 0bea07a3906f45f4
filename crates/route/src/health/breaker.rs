//! The circuit breaker of one target.
//!
//! Closed until failures in a row, or their share within a window, open it; then left alone for a while that doubles each
//! time; then half open: exactly one request is let through, and what becomes of it decides. A request that ends without
//! a verdict (the client left, a fault of the gateway) gives the place back, so that a breaker never stays half open.

use core::time::Duration;

use super::draw::Draw;

/// Fewer requests within the window have no share worth speaking of.
const LEAST_REQUESTS: u32 = 10;
/// Parts of the window that are forgotten one by one.
const PARTS: u64 = 10;
/// Added by chance to the time it stays open, as a share of it.
const JITTER: f64 = 0.2;
/// How long a target that was open gets less than its share of new sessions.
const SLOW_START: Duration = Duration::from_secs(30);
/// The share it begins with.
const SLOW_START_FROM: f64 = 0.1;

/// When a breaker opens, and for how long.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BreakerSettings {
    /// Failures in a row that open it.
    pub consecutive: u32,
    /// Share of failures within the window that opens it, 0 to 1; counts from ten requests on.
    pub ratio: f64,
    /// The window of the ratio.
    pub window: Duration,
    /// How long it stays open at first.
    pub open: Duration,
    /// How long it stays open at most.
    pub open_max: Duration,
}

/// What an attempt says about its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It serves.
    Success,
    /// It answers, with a refusal: no failure, and no proof that it serves.
    Alive,
    /// It failed, perhaps by chance: counts for the share, not for the row.
    Weak,
    /// It failed.
    Failure,
    /// It failed, and every further request would wait as long for the same: opens at once.
    Gone,
    /// Nothing is known.
    Neutral,
}

/// Whether a target may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Like any other.
    Ready,
    /// Half open, and nobody is trying it.
    Probe,
    /// Open, or somebody is trying it; the time until which it is open.
    Open(Duration),
}

/// One attempt that was let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticket(u64);

#[derive(Debug, Clone, Default)]
pub(super) struct Breaker {
    state: State,
    /// How often it opened in a row.
    opened: u32,
    /// Failures in a row.
    row: u32,
    window: Window,
    last_ticket: u64,
    failed_at: Option<Duration>,
    closed_at: Option<Duration>,
}

#[derive(Debug, Clone, Copy, Default)]
enum State {
    #[default]
    Closed,
    Open {
        until: Duration,
    },
    HalfOpen {
        probe: Option<Ticket>,
    },
}

impl Breaker {
    pub(super) fn standing(&self, now: Duration) -> Standing {
        match self.state {
            State::Closed => Standing::Ready,
            State::Open { until } if now < until => Standing::Open(until),
            State::Open { .. } | State::HalfOpen { probe: None } => Standing::Probe,
            State::HalfOpen { probe: Some(_) } => Standing::Open(now),
        }
    }

    /// As new; attempts under way decide nothing.
    pub(super) fn renewed(&self) -> Self {
        Self {
            last_ticket: self.last_ticket,
            ..Self::default()
        }
    }

    /// Lets an attempt through, whatever the standing: who asks has looked at it. The place of the probe is taken if it is
    /// free, also before its time, for what becomes of the attempt is worth as much then.
    pub(super) fn begin(&mut self) -> Ticket {
        self.last_ticket += 1;
        let ticket = Ticket(self.last_ticket);
        if let State::Open { .. } | State::HalfOpen { probe: None } = self.state {
            self.state = State::HalfOpen {
                probe: Some(ticket),
            };
        }
        ticket
    }

    /// What an attempt came to. More than one verdict may come of one ticket: it serves, and breaks off later.
    pub(super) fn judge(
        &mut self,
        ticket: Ticket,
        verdict: Verdict,
        settings: &BreakerSettings,
        now: Duration,
        draw: &mut Draw,
    ) {
        if let Verdict::Weak | Verdict::Failure | Verdict::Gone = verdict {
            self.failed_at = Some(now);
        }
        match self.state {
            State::Closed => self.judge_closed(verdict, settings, now, draw),
            State::HalfOpen { probe: Some(probe) } if probe == ticket => match verdict {
                Verdict::Success | Verdict::Alive => self.close(now),
                Verdict::Weak | Verdict::Failure | Verdict::Gone => self.open(settings, now, draw),
                Verdict::Neutral => self.state = State::HalfOpen { probe: None },
            },
            // An attempt from before, or beside the probe: it does not decide.
            State::Open { .. } | State::HalfOpen { .. } => {}
        }
    }

    /// The attempt is over, and said nothing more.
    pub(super) fn release(&mut self, ticket: Ticket) {
        if let State::HalfOpen { probe: Some(probe) } = self.state
            && probe == ticket
        {
            self.state = State::HalfOpen { probe: None };
        }
    }

    /// What was seen without a request of a client's; decides nothing while it is open or half open.
    pub(super) fn observe(
        &mut self,
        verdict: Verdict,
        settings: &BreakerSettings,
        now: Duration,
        draw: &mut Draw,
    ) {
        if matches!(self.state, State::Closed) {
            self.judge(Ticket(0), verdict, settings, now, draw);
        }
    }

    /// What of it outlives the process: how often it opened in a row, and until when it is open.
    pub(super) fn kept(&self, now: Duration) -> Option<(u32, Option<Duration>)> {
        let until = match self.state {
            State::Closed => None,
            State::Open { until } => Some(until.max(now)),
            State::HalfOpen { .. } => Some(now),
        };
        (self.opened > 0).then_some((self.opened, until))
    }

    /// As it was kept.
    pub(super) fn restored(opened: u32, until: Option<Duration>) -> Self {
        Self {
            state: until.map_or(State::Closed, |until| State::Open { until }),
            opened,
            ..Self::default()
        }
    }

    /// Its share of new sessions, up to 1: rises for half a minute after it closed.
    pub(super) fn share(&self, now: Duration) -> f64 {
        self.closed_at.map_or(1.0, |closed| {
            let ramp = now.saturating_sub(closed).as_secs_f64() / SLOW_START.as_secs_f64();
            ramp.clamp(SLOW_START_FROM, 1.0)
        })
    }

    /// When it last failed.
    pub(super) const fn failed_at(&self) -> Option<Duration> {
        self.failed_at
    }

    /// Whether forgetting it loses nothing.
    pub(super) const fn is_new(&self) -> bool {
        matches!(self.state, State::Closed) && self.row == 0
    }

    fn judge_closed(
        &mut self,
        verdict: Verdict,
        settings: &BreakerSettings,
        now: Duration,
        draw: &mut Draw,
    ) {
        match verdict {
            Verdict::Success => {
                self.row = 0;
                self.window.count(false, settings.window, now);
            }
            Verdict::Weak => self.window.count(true, settings.window, now),
            Verdict::Failure => {
                self.row = self.row.saturating_add(1);
                self.window.count(true, settings.window, now);
            }
            Verdict::Gone => {
                self.row = u32::MAX;
                self.window.count(true, settings.window, now);
            }
            Verdict::Alive | Verdict::Neutral => return,
        }
        let (good, bad) = self.window.sums(settings.window, now);
        let is_mostly_bad = good + bad >= LEAST_REQUESTS
            && f64::from(bad) >= f64::from(good + bad) * settings.ratio;
        let is_bad = verdict != Verdict::Success && bad > 0;
        if self.row >= settings.consecutive.max(1) || (is_bad && is_mostly_bad) {
            let served_since = self.closed_at.map(|closed| now.saturating_sub(closed));
            if served_since.is_some_and(|served| served > settings.open_max) {
                self.opened = 0;
            }
            self.open(settings, now, draw);
        }
    }

    fn open(&mut self, settings: &BreakerSettings, now: Duration, draw: &mut Draw) {
        let grown = settings.open.saturating_mul(1 << self.opened.min(20));
        let lasts = grown.min(settings.open_max.max(settings.open));
        self.state = State::Open {
            until: now + lasts.mul_f64(1.0 + JITTER * draw.unit()),
        };
        self.opened = self.opened.saturating_add(1);
        self.row = 0;
        self.window = Window::default();
    }

    fn close(&mut self, now: Duration) {
        self.state = State::Closed;
        // It starts small again only after a while of service: a target that flaps is left alone for longer.
        self.opened = self.opened.saturating_sub(1);
        self.row = 0;
        self.closed_at = Some(now);
    }
}

/// Requests of the last while.
#[derive(Debug, Clone, Default)]
struct Window {
    /// Number of the part, good and bad ones in it; the oldest first.
    parts: Vec<(u64, u32, u32)>,
}

impl Window {
    fn count(&mut self, is_bad: bool, window: Duration, now: Duration) {
        let number = part_of(window, now);
        self.parts.retain(|(part, ..)| part + PARTS > number);
        if self.parts.last().is_none_or(|(part, ..)| *part != number) {
            self.parts.push((number, 0, 0));
        }
        if let Some((_, good, bad)) = self.parts.last_mut() {
            let counter = if is_bad { bad } else { good };
            *counter = counter.saturating_add(1);
        }
    }

    fn sums(&self, window: Duration, now: Duration) -> (u32, u32) {
        let number = part_of(window, now);
        let recent = self.parts.iter().filter(|(part, ..)| part + PARTS > number);
        recent.fold((0_u32, 0_u32), |(good, bad), (_, more_good, more_bad)| {
            (
                good.saturating_add(*more_good),
                bad.saturating_add(*more_bad),
            )
        })
    }
}

fn part_of(window: Duration, now: Duration) -> u64 {
    let part = (window.as_millis() / u128::from(PARTS)).max(1);
    u64::try_from(now.as_millis() / part).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: BreakerSettings = BreakerSettings {
        consecutive: 5,
        ratio: 0.5,
        window: Duration::from_secs(30),
        open: Duration::from_secs(15),
        open_max: Duration::from_secs(300),
    };

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// One word a step: `f`ailure, `g`one, `s`uccess, `w`eak, `a`live, `n`eutral, `+20` seconds, `(` begins a probe that the next
    /// letter judges, `)` lets it go. Gives the standing at the end.
    fn play(script: &str) -> String {
        let (mut breaker, mut now, mut draw) = (Breaker::default(), at(100), Draw::new(3));
        let mut open = None;
        for word in script.split_whitespace() {
            if let Some(seconds) = word.strip_prefix('+') {
                now += at(seconds.parse().unwrap());
                continue;
            }
            let verdict = match word {
                "f" => Verdict::Failure,
                "g" => Verdict::Gone,
                "s" => Verdict::Success,
                "w" => Verdict::Weak,
                "a" => Verdict::Alive,
                "n" => Verdict::Neutral,
                "(" => {
                    open = Some(breaker.begin());
                    continue;
                }
                ")" => {
                    breaker.release(open.take().unwrap());
                    continue;
                }
                _ => panic!("{word}"),
            };
            let ticket = open.take().unwrap_or_else(|| breaker.begin());
            breaker.judge(ticket, verdict, &SETTINGS, now, &mut draw);
            breaker.release(ticket);
        }
        match breaker.standing(now) {
            Standing::Ready => "ready".to_owned(),
            Standing::Probe => "probe".to_owned(),
            Standing::Open(until) => format!("open {}", (until - now).as_secs()),
        }
    }

    #[track_caller]
    fn check(script: &str, expected: &str) {
        let got = play(script);
        // With its jitter of a fifth.
        let is_met = match (got.strip_prefix("open "), expected.strip_prefix("open ")) {
            (Some(got), Some(expected)) => {
                let (got, expected): (u64, u64) = (got.parse().unwrap(), expected.parse().unwrap());
                (expected..=expected + expected / 5).contains(&got)
            }
            _ => got == expected,
        };
        assert!(is_met, "{script}: {got}");
    }

    #[test]
    fn failures_in_a_row_open_it() {
        check("", "ready");
        check("g", "open 15");
        check("g +20 ( g", "open 30");
        check("s s s g +20 ( s", "ready");
        check("f f f f", "ready");
        check("f f f f f", "open 15");
        check("f f f f s f f f f", "ready");
        check("f f f f a f", "open 15");
        check("f f f f n f", "open 15");
        check("w w w w w w", "ready");
        check("a a a a a a a a a a a a", "ready");
    }

    #[test]
    fn a_share_of_failures_opens_it() {
        check("s f s f s f s f s f", "open 15");
        check("s w s w s w s w s w", "open 15");
        check("s s s s s s s f f f f", "ready");
        check("s f s f s f s f s", "ready");
        check("s f s f +40 s f s f s f", "ready");
    }

    #[test]
    fn half_open_is_one_probe_that_decides() {
        check("f f f f f +14", "open 1");
        check("f f f f f +19", "probe");
        check("f f f f f +19 (", "open 0");
        check("f f f f f +19 ( )", "probe");
        check("f f f f f +19 ( n", "probe");
        check("f f f f f +19 ( s", "ready");
        check("f f f f f +19 ( a", "ready");
        check("f f f f f +19 ( f", "open 30");
        check("f f f f f +19 ( w", "open 30");
        check("f f f f f +19 f +40 f +80 f", "open 120");
        check(
            "f f f f f +19 f +40 f +80 f +150 f +300 f +400 f",
            "open 300",
        );
    }

    #[test]
    fn who_came_before_does_not_decide() {
        let (mut breaker, mut draw) = (Breaker::default(), Draw::new(3));
        let old = breaker.begin();
        for _ in 0..5 {
            let ticket = breaker.begin();
            breaker.judge(ticket, Verdict::Failure, &SETTINGS, at(1), &mut draw);
        }
        breaker.judge(old, Verdict::Success, &SETTINGS, at(2), &mut draw);
        assert!(matches!(breaker.standing(at(2)), Standing::Open(_)));
        let probe = breaker.begin();
        breaker.judge(old, Verdict::Success, &SETTINGS, at(30), &mut draw);
        breaker.release(old);
        assert_eq!(breaker.standing(at(30)), Standing::Open(at(30)));
        breaker.judge(probe, Verdict::Success, &SETTINGS, at(30), &mut draw);
        assert_eq!(breaker.standing(at(30)), Standing::Ready);
        breaker.release(probe);
        assert_eq!(breaker.standing(at(30)), Standing::Ready);
    }

    #[test]
    fn what_was_open_starts_slowly() {
        let (mut breaker, mut draw) = (Breaker::default(), Draw::new(3));
        assert!(breaker.share(at(0)) >= 1.0);
        for _ in 0..5 {
            let ticket = breaker.begin();
            breaker.judge(ticket, Verdict::Failure, &SETTINGS, at(0), &mut draw);
        }
        let probe = breaker.begin();
        breaker.judge(probe, Verdict::Success, &SETTINGS, at(100), &mut draw);
        let shares = [100, 115, 130, 900].map(|second| (breaker.share(at(second)) * 10.0).round());
        assert_eq!(shares, [1.0, 5.0, 10.0, 10.0]);
    }
}
