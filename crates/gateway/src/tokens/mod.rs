//! How many input tokens a request has, as far as that can be known without the model's own tokenizer.
//!
//! Two ways: [`measure::Bytes`], a quarter of the bytes, cheap enough for every request; and [`measure::Pieces`], a real
//! tokenizer's pieces, on the blocking pool and for those who ask. Both are off by what the model's tokenizer and
//! template differ, which `lane/calibration.rs` learns from real usage; [`Counter`] sees to it that there is something to
//! learn from for the models that counts were asked of, and for no others.

mod image;
pub(crate) mod measure;
mod observation;
mod pdf;
mod pieces;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytestring::ByteString;
use lingate_wire::{Wire, bridge};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use crate::lane::calibration::Calibration;
pub(crate) use measure::Size;
pub(crate) use observation::Observation;

/// Requests that are counted at once; clients ask for thirty counts at a time, each some milliseconds of work.
const AT_ONCE: usize = 2;
/// Least time between two requests for a reply that are counted too, of one model.
const OBSERVED_EVERY: Duration = Duration::from_secs(10);
/// The first of them, for which there is no waiting: a few tell a tokenizer from a template.
const OBSERVED_FIRST: u32 = 8;
/// Names may come from clients, so their number is bounded.
const MOST_MODELS: usize = 1024;

/// Counts on the blocking pool, a few at a time.
#[derive(Debug)]
pub(crate) struct Counter {
    room: Arc<Semaphore>,
    /// Models that counts were asked of.
    asked: Mutex<HashMap<(String, String), Observed>>,
}

/// How many of a model's requests were counted, and when the next may be.
#[derive(Debug)]
struct Observed {
    times: u32,
    due: Instant,
}

impl Default for Counter {
    fn default() -> Self {
        Self {
            room: Arc::new(Semaphore::new(AT_ONCE)),
            asked: Mutex::default(),
        }
    }
}

impl Counter {
    /// Counts a request as it goes out on `wire`; `None` if it is none, or the gateway is about to end.
    pub(crate) async fn count(
        &self,
        tasks: &TaskTracker,
        wire: Wire,
        body: ByteString,
    ) -> Option<Size> {
        let room = Arc::clone(&self.room).acquire_owned().await.ok()?;
        let counted = tasks.spawn_blocking(move || {
            // Held by the work and not by who waits for it: a client that leaves makes no room.
            let _room = room;
            pieces_of(wire, &body)
        });
        counted.await.ok().flatten()
    }

    /// From now on some of this model's requests are counted, too.
    pub(crate) fn asked(&self, provider: &str, model: &str, now: Instant) {
        let mut asked = self.models();
        if asked.len() >= MOST_MODELS {
            asked.clear();
        }
        asked
            .entry((provider.to_owned(), model.to_owned()))
            .or_insert(Observed { times: 0, due: now });
    }

    /// Counts a request for a reply while the upstream works on it, if it is its model's turn and there is room. What is
    /// returned is to be told how many tokens it really had.
    pub(crate) fn observe(
        &self,
        tasks: &TaskTracker,
        (provider, model): (&str, &str),
        now: impl FnOnce() -> Instant,
        calibration: &Arc<Calibration>,
        request: impl FnOnce() -> Option<(Wire, ByteString)>,
    ) -> Option<Arc<Observation>> {
        if !self.is_due(provider, model, now) {
            return None;
        }
        let room = Arc::clone(&self.room).try_acquire_owned().ok()?;
        let (wire, body) = request()?;
        let observation = Observation::new(provider, model, Arc::clone(calibration));
        let observed = Arc::new(observation);
        let observation = Arc::clone(&observed);
        tasks.spawn_blocking(move || {
            let _room = room;
            if let Some(pieces) = pieces_of(wire, &body) {
                observation.counted(pieces);
            }
        });
        Some(observed)
    }

    fn is_due(&self, provider: &str, model: &str, now: impl FnOnce() -> Instant) -> bool {
        let mut asked = self.models();
        if asked.is_empty() {
            return false;
        }
        let now = now();
        match asked.get_mut(&(provider.to_owned(), model.to_owned())) {
            Some(observed) if observed.due <= now => {
                observed.times += 1;
                if observed.times >= OBSERVED_FIRST {
                    observed.due = now + OBSERVED_EVERY;
                }
                true
            }
            Some(_) | None => false,
        }
    }

    fn models(&self) -> MutexGuard<'_, HashMap<(String, String), Observed>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn pieces_of(wire: Wire, body: &ByteString) -> Option<Size> {
    let doc = bridge::scan_request(wire, body).ok()?;
    let decoded = bridge::decode_request(wire, &doc).ok()?;
    Some(measure::measure(&decoded, measure::Pieces::default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_models_that_were_asked_for_are_observed_and_not_all_the_time() {
        let counter = Counter::default();
        let start = crate::clock::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        assert!(!counter.is_due("p", "m", || start));
        counter.asked("p", "m", start);
        assert!(!counter.is_due("p", "other", || start));
        for _ in 1..OBSERVED_FIRST {
            assert!(counter.is_due("p", "m", || start));
        }
        let due: Vec<u64> = (0..25)
            .filter(|second| counter.is_due("p", "m", || after(*second)))
            .collect();
        assert_eq!(due, [0, 10, 20]);
        counter.asked("p", "m", after(21));
        assert!(
            !counter.is_due("p", "m", || after(21)),
            "asking again is no reason"
        );
    }

    #[test]
    fn the_number_of_models_is_bounded() {
        let counter = Counter::default();
        let now = crate::clock::now();
        for n in 0..3 * MOST_MODELS {
            counter.asked("p", &n.to_string(), now);
        }
        assert!(counter.models().len() <= MOST_MODELS);
    }

    #[tokio::test]
    async fn a_request_is_counted_and_anything_else_is_not() {
        let counter = Counter::default();
        let tasks = TaskTracker::new();
        let request = r#"{"model":"m","messages":[{"role":"user","content":"hello world"}]}"#;
        for (wire, body, counted) in [
            (Wire::Chat, request, true),
            (Wire::Anthropic, "[]", false),
            (Wire::Chat, "no JSON", false),
        ] {
            let count = counter.count(&tasks, wire, body.into()).await;
            assert_eq!(count.is_some(), counted, "{body}");
        }
    }
}
