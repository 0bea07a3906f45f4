//! How often an upstream's tool calls fit the tools' schemas, per provider and model.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use crate::relay::policing::JudgedCall;

/// Model names may come from clients, so their number is bounded.
const MOST_MODELS: usize = 1024;
/// Fewer calls say nothing.
const LEAST_TELLING: u64 = 10;

/// Calls that were judged, and those that fitted as they came.
#[derive(Debug, Default)]
pub(crate) struct Accuracy {
    counts: Mutex<HashMap<(String, String), Counts>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    calls: u64,
    valid: u64,
}

impl Counts {
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    fn share(self) -> f64 {
        self.valid as f64 / self.calls.max(1) as f64
    }
}

impl Accuracy {
    /// Notes the calls of one reply.
    pub(crate) fn note(&self, provider: &str, model: &str, calls: &[JudgedCall]) {
        if calls.is_empty() {
            return;
        }
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (provider.to_owned(), model.to_owned());
        if counts.len() >= MOST_MODELS && !counts.contains_key(&key) {
            counts.clear();
        }
        let own = counts.entry(key).or_default();
        own.calls += calls.len() as u64;
        own.valid += calls.iter().filter(|call| !call.was_invalid).count() as u64;
    }

    /// The share of calls that fitted as they came, 0 to 1; `None` until enough were seen. Routing may take it for a
    /// penalty.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "asked by routing over several targets")
    )]
    pub(crate) fn schema_accuracy(&self, provider: &str, model: &str) -> Option<f64> {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = counts.get(&(provider.to_owned(), model.to_owned()))?;
        (counts.calls >= LEAST_TELLING).then(|| counts.share())
    }

    /// Everything that was seen, in order of the names, for people.
    pub(crate) fn snapshot(&self) -> Value {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let mut rows: Vec<_> = counts.iter().collect();
        rows.sort_by_key(|(key, _)| *key);
        let rows = rows.into_iter().map(|((provider, model), counts)| {
            json!({
                "provider": provider,
                "model": model,
                "tool_calls": counts.calls,
                "schema_accuracy": counts.share(),
            })
        });
        rows.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_per_provider_and_model_and_stays_bounded() {
        let accuracy = Accuracy::default();
        let call = |was_invalid| JudgedCall {
            name: "Read".to_owned(),
            complaint: None,
            was_invalid,
        };
        for n in 0..12 {
            accuracy.note("p", "m", &[call(n % 4 == 0)]);
        }
        accuracy.note("p", "few", &[call(true)]);
        assert_eq!(accuracy.schema_accuracy("p", "m"), Some(0.75));
        assert_eq!(accuracy.schema_accuracy("p", "few"), None);
        assert_eq!(accuracy.schema_accuracy("p", "other"), None);
        let snapshot = accuracy.snapshot();
        assert_eq!(snapshot[0]["model"], "few");
        assert_eq!(snapshot[1]["tool_calls"], 12);
        for n in 0..3 * MOST_MODELS {
            accuracy.note("p", &n.to_string(), &[call(false)]);
        }
        assert!(accuracy.counts.lock().unwrap().len() <= MOST_MODELS);
    }
}
