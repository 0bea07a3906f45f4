//! The settings in force, shared by those who record and the one that writes.

use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;

use crate::options::Settings;

/// Settings, and what was before them.
#[derive(Debug)]
pub(crate) struct Current {
    pub settings: Settings,
    /// Since when nothing is recorded: what was accepted earlier still ends in its row.
    pub off_since: Option<Timestamp>,
}

/// Replaced as a whole; who took one keeps it until done.
#[derive(Debug)]
pub(crate) struct InForce(RwLock<Arc<Current>>);

impl InForce {
    pub(crate) fn new(settings: Settings) -> Self {
        let current = Current {
            settings,
            off_since: None,
        };
        Self(RwLock::new(Arc::new(current)))
    }

    pub(crate) fn get(&self) -> Arc<Current> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn change(&self, settings: Settings, now: Timestamp) {
        let mut current = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let off_since = match settings.bodies {
            Some(_) => None,
            None => current.off_since.or(Some(now)),
        };
        *current = Arc::new(Current {
            settings,
            off_since,
        });
    }
}
