//! What quirks changed in an exchange: in its requests, in its replies, and between two attempts.

use lingate_quirk::{Change, Repair, excerpts};
use lingate_store::{Bodies, Hit};
use lingate_wire::Wire;

use super::gathered::Gathered;
use crate::relay::chain::Tally;

/// Hits of an exchange that are told; the row names every quirk.
const MOST_HITS: usize = 1000;

/// What is told to a record of what stages and quirks do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Telling {
    /// Nothing is recorded.
    #[default]
    Nothing,
    /// Numbers alone: what bodies say stays out of the record.
    Counts,
    /// Texts, too.
    Texts,
}

impl Gathered {
    /// What it wants to be told.
    pub(crate) fn wants(&self) -> Telling {
        if self.keeps_bodies() {
            Telling::Texts
        } else {
            Telling::Counts
        }
    }

    /// An attempt's request is written: the quirks that changed it, and what they told.
    pub(crate) fn translated(&mut self, quirks: &[&'static str], changes: Vec<Change>) {
        let attempt = self.number();
        let silent = quirks.iter().filter(|&&quirk| {
            let is_told = changes.iter().any(|change| change.quirk == quirk);
            !is_told
        });
        let silent: Vec<Hit> = silent.map(|quirk| hit(quirk, attempt)).collect();
        self.hits(silent);
        let told = changes.into_iter().map(|change| Hit {
            place: Some(change.place),
            before: change.before,
            after: change.after,
            ..hit(change.quirk, attempt)
        });
        self.hits(told);
    }

    /// A reply was made of what a failure said.
    pub(crate) fn recovered(&mut self, quirk: &str, words: &str, reply: &str) {
        let (before, after) = excerpts(words, reply);
        let texts = self.wants() == Telling::Texts;
        self.hits([Hit {
            before: texts.then_some(before),
            after: texts.then_some(after),
            ..hit(quirk, self.number())
        }]);
    }

    /// The next attempt does something differently because of these words.
    pub(crate) fn repairs(&mut self, repair: Repair, words: &str) {
        let (before, _) = excerpts(words, "");
        self.hits([Hit {
            before: (self.wants() == Telling::Texts).then_some(before),
            after: Some(repair.done()),
            ..hit(repair.name(), self.number())
        }]);
    }

    /// What a reply amounted to: what stages changed in it, and what the provider said of tokens.
    pub(crate) fn replied(&mut self, tally: &Tally, wire: Option<Wire>) {
        let attempt = self.number();
        let told = tally.changed.iter().map(|change| Hit {
            place: change.at.map(|at| at.to_string()),
            before: Some(change.before.clone()),
            after: Some(change.after.clone()),
            ..hit(change.quirk, attempt)
        });
        for own in told {
            // A reply may be told of once more when it has gone on.
            if !self.details.hits.contains(&own) {
                self.hits([own]);
            }
        }
        for quirk in &tally.hits {
            if !self.has_hit(quirk, attempt) {
                self.hits([hit(quirk, attempt)]);
            }
        }
        if let Some(told) = wire.and_then(|wire| tally.accounts.told(wire)) {
            self.details.usage_raw = Some(told);
        }
    }

    /// Takes out what bodies say, where an exchange that went well keeps none.
    pub(super) fn forget_texts(&mut self, went_well: bool) {
        if went_well && self.bodies_kept() == Bodies::Errors {
            for own in &mut self.details.hits {
                own.before = None;
                own.after = None;
            }
        }
    }

    /// Keeps them, as far as there is room.
    fn hits(&mut self, hits: impl IntoIterator<Item = Hit>) {
        let room = MOST_HITS.saturating_sub(self.details.hits.len());
        self.details.hits.extend(hits.into_iter().take(room));
    }

    fn has_hit(&self, quirk: &str, attempt: u16) -> bool {
        let mut hits = self.details.hits.iter();
        hits.any(|own| own.quirk == quirk && own.attempt == attempt)
    }
}

/// A quirk that changed something in an attempt.
fn hit(quirk: &str, attempt: u16) -> Hit {
    Hit {
        quirk: quirk.to_owned(),
        attempt,
        ..Hit::default()
    }
}
