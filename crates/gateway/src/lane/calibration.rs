//! How far the estimate is off, per provider and model, learnt from the usage that upstreams tell.
//!
//! Tokenizers differ by a factor of two between models, and agents decide by these numbers when to compact. Templates
//! differ more: some show a model its tools as they were declared, some shorter, some not at all. So two factors are
//! learnt, one for text and one for tools, as the least squares of what was told, newer exchanges counting more. Where
//! the exchanges so far cannot tell the two apart, both are the overall ratio.

use std::sync::{Mutex, MutexGuard, PoisonError};

use hashbrown::hash_map::EntryRef;
use hashbrown::{Equivalent, HashMap};

use crate::tokens::Size;

/// Prompts below this many estimated tokens say more about a template's fixed words than about the tokenizer.
const LEAST_TELLING: u64 = 200;
/// How much the newest observation counts towards the overall ratio.
const WEIGHT: f64 = 0.3;
/// What an older observation still counts with each new one, towards the two factors.
const MEMORY: f64 = 0.9;
/// How strongly the two factors are held to the overall ratio: by a thousandth of the weight of one exchange, so that
/// exchanges of one kind move both alike, a few of two kinds tell them apart, and chance does not.
const BOND: f64 = 0.001;
/// A ratio beyond these is a mistake in somebody's counting, not a tokenizer.
const PLAUSIBLE: std::ops::RangeInclusive<f64> = 0.05..=5.0;
/// Names may come from clients, so their number is bounded.
const MOST_MODELS: usize = 1024;

/// What was learnt, for either way of estimating.
#[derive(Debug, Default)]
pub(crate) struct Calibration {
    /// Of estimates by bytes, which every translated exchange makes.
    pub bytes: Factors,
    /// Of counts by a tokenizer, which only some do.
    pub pieces: Factors,
}

impl Calibration {
    /// The count as it will probably be told: the tokenizer's, if it is known how far that is off; else the estimate by
    /// bytes, if at least that is; else the tokenizer's as it is.
    pub(crate) fn count(&self, provider: &str, model: &str, bytes: Size, pieces: Size) -> u64 {
        let known = self
            .pieces
            .known(provider, model, pieces)
            .or_else(|| self.bytes.known(provider, model, bytes));
        known.unwrap_or(pieces.total()).max(1)
    }
}

/// Factors from estimated to told input tokens.
#[derive(Debug, Default)]
pub(crate) struct Factors {
    models: Mutex<HashMap<Model, Learnt>>,
}

/// A model at a provider.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Model {
    provider: String,
    model: String,
}

/// The same, borrowed: it hashes alike. Every exchange looks its own up.
#[derive(Hash)]
struct Asked<'a> {
    provider: &'a str,
    model: &'a str,
}

impl Equivalent<Model> for Asked<'_> {
    fn equivalent(&self, known: &Model) -> bool {
        self.provider == known.provider && self.model == known.model
    }
}

impl From<&Asked<'_>> for Model {
    fn from(asked: &Asked<'_>) -> Self {
        Self {
            provider: asked.provider.to_owned(),
            model: asked.model.to_owned(),
        }
    }
}

/// Of one model: the overall ratio, and the sums of the least squares over the shares of text and tools.
#[derive(Debug, Clone, Copy)]
struct Learnt {
    ratio: f64,
    text_text: f64,
    text_tools: f64,
    tools_tools: f64,
    text_told: f64,
    tools_told: f64,
}

impl Factors {
    /// Notes that `estimated` turned out to be `told` tokens.
    pub(crate) fn learn(&self, provider: &str, model: &str, estimated: Size, told: u64) {
        let total = tokens(estimated.total().max(1));
        let observed = tokens(told) / total;
        if estimated.total() < LEAST_TELLING || !PLAUSIBLE.contains(&observed) {
            return;
        }
        let mut models = self.models();
        let asked = Asked { provider, model };
        if models.len() >= MOST_MODELS && !models.contains_key(&asked) {
            models.clear();
        }
        let learnt = match models.entry_ref(&asked) {
            EntryRef::Occupied(entry) => entry.into_mut(),
            EntryRef::Vacant(entry) => {
                entry.insert_with_key((&asked).into(), Learnt::new(observed))
            }
        };
        learnt.add(tokens(estimated.text) / total, observed);
    }

    /// Whatever was learnt, this is the ratio from here on.
    pub(crate) fn set(&self, provider: &str, model: &str, ratio: f64) {
        let asked = Asked { provider, model };
        self.models().insert((&asked).into(), Learnt::new(ratio));
    }

    /// The estimate as it will probably be told, or as it is where nothing was learnt.
    pub(crate) fn applied(&self, provider: &str, model: &str, estimated: Size) -> u64 {
        let known = self.known(provider, model, estimated);
        known.unwrap_or(estimated.total()).max(1)
    }

    /// The estimate as it will probably be told; none where nothing was learnt.
    fn known(&self, provider: &str, model: &str, estimated: Size) -> Option<u64> {
        let (text, tools) = self.models().get(&Asked { provider, model })?.factors();
        let known = tokens(estimated.text) * text + tokens(estimated.tools) * tools;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "token counts are far below 2^52, factors between 0 and a few"
        )]
        let known = known.round() as u64;
        Some(known)
    }

    /// A panic elsewhere leaves them readable: plain data.
    fn models(&self) -> MutexGuard<'_, HashMap<Model, Learnt>> {
        self.models.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Learnt {
    fn new(ratio: f64) -> Self {
        Self {
            ratio,
            text_text: 0.0,
            text_tools: 0.0,
            tools_tools: 0.0,
            text_told: 0.0,
            tools_told: 0.0,
        }
    }

    /// Adds an exchange with this share of text that was told this many times its estimate.
    fn add(&mut self, text: f64, observed: f64) {
        let tools = 1.0 - text;
        let older = |sum: &mut f64, new: f64| *sum = *sum * MEMORY + new;
        self.ratio += (observed - self.ratio) * WEIGHT;
        older(&mut self.text_text, text * text);
        older(&mut self.text_tools, text * tools);
        older(&mut self.tools_tools, tools * tools);
        older(&mut self.text_told, text * observed);
        older(&mut self.tools_told, tools * observed);
    }

    /// The factors of text and tools; no part makes tokens fewer.
    fn factors(&self) -> (f64, f64) {
        let (aa, ab, bb) = (
            self.text_text + BOND,
            self.text_tools,
            self.tools_tools + BOND,
        );
        let (a, b) = (
            self.text_told + BOND * self.ratio,
            self.tools_told + BOND * self.ratio,
        );
        // Never 0: `BOND` is in both.
        let determinant = aa * bb - ab * ab;
        let text = (a * bb - b * ab) / determinant;
        let tools = (b * aa - a * ab) / determinant;
        if tools < 0.0 {
            (a / aa, 0.0)
        } else if text < 0.0 {
            (0.0, b / bb)
        } else {
            (text, tools)
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "token counts are far below 2^52"
)]
fn tokens(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: u64) -> Size {
        Size { text, tools: 0 }
    }

    #[test]
    fn learns_per_model_and_forgets_mistakes() {
        let factors = Factors::default();
        assert_eq!(factors.applied("p", "m", text(1_000)), 1_000);
        factors.learn("p", "m", text(1_000), 1_300);
        assert_eq!(factors.applied("p", "m", text(1_000)), 1_300);
        assert_eq!(factors.applied("p", "other", text(1_000)), 1_000);
        for (estimated, told) in [(100, 500), (1_000, 100_000), (1_000, 1)] {
            factors.learn("p", "m", text(estimated), told);
            let applied = factors.applied("p", "m", text(1_000));
            assert_eq!(applied, 1_300, "{estimated} {told}");
        }
        for _ in 0..60 {
            factors.learn("p", "m", text(1_000), 1_000);
        }
        let applied = factors.applied("p", "m", text(1_000));
        assert!((999..=1_001).contains(&applied), "it follows: {applied}");
    }

    /// A model that makes `hundredths` of text and of tools, after these exchanges.
    fn check(hundredths: (u64, u64), exchanges: &[(u64, u64)], asked: (u64, u64), off: u64) {
        let told = |(text, tools): (u64, u64)| (text * hundredths.0 + tools * hundredths.1) / 100;
        let size = |(text, tools)| Size { text, tools };
        let factors = Factors::default();
        for exchange in exchanges {
            factors.learn("p", "m", size(*exchange), told(*exchange));
        }
        let (applied, expected) = (factors.applied("p", "m", size(asked)), told(asked));
        let allowed = expected * off / 100;
        assert!(
            applied.abs_diff(expected) <= allowed,
            "{hundredths:?} {exchanges:?}: {applied} of {asked:?}, not {expected}"
        );
    }

    #[test]
    fn text_and_tools_are_told_apart_once_their_shares_differ() {
        let session = [
            (4_000, 8_000),
            (5_000, 8_000),
            (7_000, 8_000),
            (9_000, 8_000),
        ];
        // The same again is exact from the first exchange on; another mix needs more than one.
        check((120, 150), &session[..1], (4_000, 8_000), 0);
        check((120, 150), &session, (20_000, 8_000), 1);
        check((120, 150), &session, (1_000, 0), 2);
        // A template that leaves the tools out.
        check((110, 0), &session[..2], (9_000, 8_000), 10);
        check((110, 0), &session, (20_000, 8_000), 2);
        check((110, 0), &session, (500, 8_000), 20);
        // Nothing but text, and nothing but tools.
        check((90, 0), &[(1_000, 0), (3_000, 0)], (2_000, 0), 0);
        check((100, 200), &[(1, 1_000), (1, 3_000)], (1, 2_000), 1);
    }

    #[test]
    fn no_part_makes_tokens_fewer() {
        let factors = Factors::default();
        // Told the same, whatever the tools: some hosts count the conversation only, and more of it than there is.
        for (text, tools, told) in [
            (1_000, 1_000, 1_500),
            (1_000, 4_000, 1_200),
            (1_000, 500, 1_600),
        ] {
            factors.learn("p", "m", Size { text, tools }, told);
        }
        let of = |text, tools| factors.applied("p", "m", Size { text, tools });
        assert!(
            of(1_000, 9_000) >= of(1_000, 0),
            "{} {}",
            of(1_000, 9_000),
            of(1_000, 0)
        );
        assert!(of(0, 1_000) < of(1_000, 0));
    }

    #[test]
    fn the_best_known_way_serves() {
        let calibration = Calibration::default();
        let count = || calibration.count("p", "m", text(1_000), text(800));
        assert_eq!(count(), 800);
        calibration.bytes.learn("p", "m", text(1_000), 1_500);
        assert_eq!(count(), 1_500);
        calibration.pieces.learn("p", "m", text(1_000), 2_000);
        assert_eq!(count(), 1_600);
        assert_eq!(calibration.count("p", "other", text(1_000), text(800)), 800);
        assert_eq!(calibration.count("p", "other", text(0), text(0)), 1);
    }

    #[test]
    fn stays_bounded() {
        let factors = Factors::default();
        for n in 0..3 * MOST_MODELS {
            factors.learn("p", &n.to_string(), text(1_000), 2_000);
        }
        assert!(factors.models.lock().unwrap().len() <= MOST_MODELS);
    }
}
