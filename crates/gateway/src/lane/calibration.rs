//! How far the estimate is off, per provider and model, learnt from the usage that upstreams tell.
//!
//! Tokenizers differ by a factor of two between models, and agents decide by these numbers when to compact.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Prompts below this many estimated tokens say more about a template's fixed words than about the tokenizer.
const LEAST_TELLING: u64 = 200;
/// How much the newest observation counts.
const WEIGHT: f64 = 0.3;
/// A ratio beyond these is a mistake in somebody's counting, not a tokenizer.
const PLAUSIBLE: std::ops::RangeInclusive<f64> = 0.2..=5.0;
/// Names may come from clients, so their number is bounded.
const MOST_MODELS: usize = 1024;

/// Ratios of told to estimated input tokens.
#[derive(Debug, Default)]
pub(crate) struct Calibration {
    ratios: Mutex<HashMap<(String, String), f64>>,
}

impl Calibration {
    /// Notes that `estimated` tokens turned out to be `told` ones.
    pub(crate) fn learn(&self, provider: &str, model: &str, estimated: u64, told: u64) {
        #[expect(
            clippy::cast_precision_loss,
            reason = "token counts are far below 2^52"
        )]
        let observed = told as f64 / estimated.max(1) as f64;
        if estimated < LEAST_TELLING || !PLAUSIBLE.contains(&observed) {
            return;
        }
        let mut ratios = self.ratios.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (provider.to_owned(), model.to_owned());
        if ratios.len() >= MOST_MODELS && !ratios.contains_key(&key) {
            ratios.clear();
        }
        ratios
            .entry(key)
            .and_modify(|ratio| *ratio += (observed - *ratio) * WEIGHT)
            .or_insert(observed);
    }

    /// The estimate as it will probably be told.
    pub(crate) fn applied(&self, provider: &str, model: &str, estimated: u64) -> u64 {
        let ratios = self.ratios.lock().unwrap_or_else(PoisonError::into_inner);
        let ratio = ratios
            .get(&(provider.to_owned(), model.to_owned()))
            .copied()
            .unwrap_or(1.0);
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "token counts are far below 2^52, ratios between 0.2 and 5"
        )]
        let tokens = (estimated as f64 * ratio).round() as u64;
        tokens.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn learns_per_model_and_forgets_mistakes() {
        let calibration = Calibration::default();
        assert_eq!(calibration.applied("p", "m", 1_000), 1_000);
        calibration.learn("p", "m", 1_000, 1_300);
        assert_eq!(calibration.applied("p", "m", 1_000), 1_300);
        assert_eq!(calibration.applied("p", "other", 1_000), 1_000);
        for (estimated, told) in [(100, 500), (1_000, 100_000), (1_000, 1)] {
            calibration.learn("p", "m", estimated, told);
            assert_eq!(
                calibration.applied("p", "m", 1_000),
                1_300,
                "{estimated} {told}"
            );
        }
        for _ in 0..20 {
            calibration.learn("p", "m", 1_000, 1_000);
        }
        assert_eq!(calibration.applied("p", "m", 1_000), 1_000, "it follows");
    }

    #[test]
    fn stays_bounded() {
        let calibration = Calibration::default();
        for n in 0..3 * MOST_MODELS {
            calibration.learn("p", &n.to_string(), 1_000, 2_000);
        }
        assert!(calibration.ratios.lock().unwrap().len() <= MOST_MODELS);
    }
}
