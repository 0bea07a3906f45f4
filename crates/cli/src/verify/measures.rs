//! From results to numbers. Pure.

use std::collections::BTreeMap;

use serde::Serialize;

use super::record::{Record, Side, Status, View};
use super::reference::Reference;

/// A whole run.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    pub(super) model: String,
    pub(super) cases: usize,
    pub(super) answered: usize,
    pub(super) failed: usize,
    /// Failures by status and kind.
    pub(super) errors: BTreeMap<String, usize>,
    /// What calls were measured against: `reference` or `expectations`.
    pub(super) f1_against: Option<&'static str>,
    /// Replies as the provider sent them.
    pub(super) raw: Measures,
    /// Replies as the gateway makes them.
    pub(super) repaired: Measures,
    pub(super) duration_ms: Option<Spread>,
    /// Streams only.
    pub(super) ttft_ms: Option<Spread>,
    /// Output tokens a second behind the first content; streams only.
    pub(super) tokens_per_second: Option<Spread>,
    /// Replies in which a quirk had something to do, by its name.
    pub(super) quirks: BTreeMap<String, usize>,
}

/// What one view of the replies amounts to.
#[derive(Debug, Default, Serialize, PartialEq)]
pub(super) struct Measures {
    pub(super) call_trigger: Option<Trigger>,
    pub(super) schema: Schema,
    pub(super) schema_streamed: Schema,
    pub(super) schema_whole: Schema,
    /// Replies by their finish reason; `none` for those that never said.
    pub(super) finish: BTreeMap<String, usize>,
    /// Replies with special tokens in text or thinking.
    pub(super) leaking: usize,
    /// The tokens, by the number of replies.
    pub(super) leaked: BTreeMap<String, usize>,
    /// Replies without text and without calls.
    pub(super) empty: usize,
    /// Replies that a client gets an error for.
    pub(super) broken: usize,
}

/// How well the decision to call a tool agrees with the reference.
#[derive(Debug, Default, Clone, Copy, Serialize, PartialEq)]
pub(super) struct Trigger {
    pub(super) true_positives: usize,
    pub(super) false_positives: usize,
    pub(super) false_negatives: usize,
    pub(super) true_negatives: usize,
    /// `None` if no call was made.
    pub(super) precision: Option<f64>,
    /// `None` if no call was due.
    pub(super) recall: Option<f64>,
    /// `None` if neither.
    pub(super) f1: Option<f64>,
}

/// How many replies that want tools to be run can have that.
#[derive(Debug, Default, Clone, Copy, Serialize, PartialEq)]
pub(super) struct Schema {
    pub(super) tool_calls: usize,
    pub(super) valid: usize,
    /// `None` where there is nothing to measure.
    pub(super) accuracy: Option<f64>,
}

/// The middle and the slow end of a measure.
#[derive(Debug, Clone, Copy, Serialize, PartialEq)]
pub(super) struct Spread {
    pub(super) p50: u64,
    pub(super) p95: u64,
}

impl Summary {
    /// The numbers of a run.
    pub(super) fn of(model: &str, records: &[Record], reference: Option<&Reference>) -> Self {
        let answered = records
            .iter()
            .filter(|record| record.status == Status::Success);
        let answered: Vec<&Record> = answered.collect();
        let mut errors = BTreeMap::new();
        for error in records.iter().filter_map(|record| record.error.as_ref()) {
            let label = match error.status {
                Some(status) => format!("{status} {}", error.kind),
                None => error.kind.clone(),
            };
            *errors.entry(label).or_default() += 1;
        }
        let mut quirks = BTreeMap::new();
        for quirk in answered.iter().flat_map(|record| &record.quirks) {
            *quirks.entry(quirk.clone()).or_default() += 1;
        }
        let measures = |side| Measures::of(&answered, side, reference);
        Self {
            model: model.to_owned(),
            cases: records.len(),
            answered: answered.len(),
            failed: records.len() - answered.len(),
            errors,
            f1_against: reference.map(Reference::name),
            raw: measures(Side::Raw),
            repaired: measures(Side::Repaired),
            duration_ms: Spread::of(answered.iter().map(|record| record.duration_ms)),
            ttft_ms: Spread::of(answered.iter().filter_map(|record| record.ttft_ms)),
            tokens_per_second: Spread::of(answered.iter().filter_map(|record| rate(record))),
            quirks,
        }
    }

    /// The measures of a view.
    pub(super) const fn measures(&self, side: Side) -> &Measures {
        match side {
            Side::Raw => &self.raw,
            Side::Repaired => &self.repaired,
        }
    }
}

impl Measures {
    fn of(answered: &[&Record], side: Side, reference: Option<&Reference>) -> Self {
        let mut measures = Self::default();
        let mut trigger = Trigger::default();
        for record in answered {
            let Some(view) = record.view(side) else {
                continue;
            };
            measures.count(view, record.stream);
            if let Some(is_right) = reference.and_then(|reference| reference.of(record)) {
                trigger.count(view.triggers(), is_right);
            }
        }
        measures.call_trigger = reference.is_some().then(|| trigger.rated());
        measures
    }

    fn count(&mut self, view: &View, is_stream: bool) {
        let finish = view.finish_reason.as_deref().unwrap_or("none");
        *self.finish.entry(finish.to_owned()).or_default() += 1;
        if let Some(is_valid) = view.tool_calls_valid {
            let of_mode = if is_stream {
                &mut self.schema_streamed
            } else {
                &mut self.schema_whole
            };
            of_mode.count(is_valid);
            self.schema.count(is_valid);
        }
        self.leaking += usize::from(!view.leaked.is_empty());
        for token in &view.leaked {
            *self.leaked.entry(token.clone()).or_default() += 1;
        }
        self.empty += usize::from(view.empty);
        self.broken += usize::from(view.broken.is_some());
    }
}

impl Trigger {
    fn count(&mut self, triggers: bool, is_right: bool) {
        let place = match (triggers, is_right) {
            (true, true) => &mut self.true_positives,
            (true, false) => &mut self.false_positives,
            (false, true) => &mut self.false_negatives,
            (false, false) => &mut self.true_negatives,
        };
        *place += 1;
    }

    /// With precision, recall and their harmonic mean.
    fn rated(mut self) -> Self {
        let hits = self.true_positives;
        let (made, due) = (hits + self.false_positives, hits + self.false_negatives);
        self.precision = share(hits, made);
        self.recall = share(hits, due);
        self.f1 = share(2 * hits, made + due);
        self
    }
}

impl Schema {
    fn count(&mut self, is_valid: bool) {
        self.tool_calls += 1;
        self.valid += usize::from(is_valid);
        self.accuracy = share(self.valid, self.tool_calls);
    }
}

impl Spread {
    /// By nearest rank; `None` of nothing.
    fn of(values: impl Iterator<Item = u64>) -> Option<Self> {
        let mut values: Vec<u64> = values.collect();
        values.sort_unstable();
        let at = |percent: usize| {
            let rank = (values.len() * percent).div_ceil(100);
            values.get(rank.saturating_sub(1)).copied()
        };
        Some(Self {
            p50: at(50)?,
            p95: at(95)?,
        })
    }
}

/// Output tokens a second behind the first content.
fn rate(record: &Record) -> Option<u64> {
    let behind_first = record.duration_ms.checked_sub(record.ttft_ms?)?;
    // In less than that a whole reply has been buffered somewhere.
    const TELLING_MS: u64 = 50;
    let tokens = record
        .output_tokens
        .filter(|_| behind_first >= TELLING_MS)?;
    Some(tokens * 1000 / behind_first)
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn share(part: usize, of: usize) -> Option<f64> {
    (of > 0).then(|| part as f64 / of as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_occurred() {
        let check = |values: &[u64], p50, p95| {
            assert_eq!(
                Spread::of(values.iter().copied()),
                Some(Spread { p50, p95 })
            );
        };
        check(&[7], 7, 7);
        check(&[4, 1, 3, 2], 2, 4);
        check(&(1..=100).collect::<Vec<_>>(), 50, 95);
        assert_eq!(Spread::of(std::iter::empty()), None);
    }

    #[test]
    fn f1_is_the_harmonic_mean_of_precision_and_recall() {
        let check = |counts: [usize; 4], precision, recall, f1| {
            let [
                true_positives,
                false_positives,
                false_negatives,
                true_negatives,
            ] = counts;
            let trigger = Trigger {
                true_positives,
                false_positives,
                false_negatives,
                true_negatives,
                ..Trigger::default()
            };
            let rated = trigger.rated();
            let rated = (rated.precision, rated.recall, rated.f1);
            assert_eq!(rated, (precision, recall, f1), "{counts:?}");
        };
        check([3, 1, 1, 0], Some(0.75), Some(0.75), Some(0.75));
        check([1, 0, 1, 5], Some(1.0), Some(0.5), Some(2.0 / 3.0));
        check([0, 2, 3, 0], Some(0.0), Some(0.0), Some(0.0));
        check([0, 0, 3, 0], None, Some(0.0), Some(0.0));
        check([0, 1, 0, 4], Some(0.0), None, Some(0.0));
        check([0, 0, 0, 4], None, None, None);
    }
}
