//! What upstreams turned out to need.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use lingate_quirk::{Repair, Settings};

use super::asked::Asked;
use super::kept::Kept;
use super::moved::Moved;
use super::upstream::Upstream;

/// Model names may come from clients, so their number is bounded.
const MOST_LEARNT: usize = 1024;

/// Repairs that an upstream turned out to need, so that not every request of a session pays for a refusal first, and the
/// history keeps its bytes.
#[derive(Debug, Default)]
pub(crate) struct Learnt {
    /// Conversations that go on here without the thinking of another upstream.
    pub moved: Moved,
    /// Reasoning of answers whose clients cannot carry it.
    pub kept: Arc<Kept>,
    repairs: Mutex<HashMap<(String, String), Vec<Repair>>>,
}

impl Learnt {
    /// The settings for an upstream, with what was learnt of it.
    pub(crate) fn settings(&self, upstream: &Upstream<'_>) -> Settings {
        upstream.settings_with(&self.repairs(upstream))
    }

    /// The repairs that an upstream is known to need.
    pub(crate) fn repairs(&self, upstream: &Upstream<'_>) -> Vec<Repair> {
        let learnt = self.repairs.lock().unwrap_or_else(PoisonError::into_inner);
        if learnt.is_empty() {
            return Vec::new();
        }
        learnt.get(&key(upstream)).cloned().unwrap_or_default()
    }

    /// An attempt succeeded after these repairs.
    pub(crate) fn keep(&self, asked: &Asked, upstream: &Upstream<'_>, repairs: &[Repair]) {
        if upstream.refuses_foreign_thinking {
            self.moved.note(asked, upstream);
        }
        let mut lasting = repairs.iter().copied().filter(|repair| is_lasting(*repair));
        let Some(first) = lasting.next() else {
            return;
        };
        let mut learnt = self.repairs.lock().unwrap_or_else(PoisonError::into_inner);
        if learnt.len() >= MOST_LEARNT {
            learnt.clear();
        }
        let known = learnt.entry(key(upstream)).or_default();
        for repair in std::iter::once(first).chain(lasting) {
            if !known.contains(&repair) {
                known.push(repair);
            }
        }
    }
}

/// Whether a repair is about the upstream, not about the one request.
const fn is_lasting(repair: Repair) -> bool {
    match repair {
        Repair::ReasoningPlaceholder | Repair::Thinking | Repair::ModelOutputLimit(_) => true,
        // How much room there is differs from request to request, and a forced call is the wish of one.
        Repair::OutputLimit(_) | Repair::NoThinking => false,
    }
}

fn key(upstream: &Upstream<'_>) -> (String, String) {
    (upstream.provider.id.clone(), upstream.model.clone())
}
