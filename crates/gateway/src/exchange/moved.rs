//! Conversations that an upstream refused to go on with, because their history holds thinking that another one signed.
//!
//! A passthrough cannot tell whose token it forwards, so the upstream's refusal is how such a history is found out. It is
//! found out once: from then on the conversation's requests to this upstream go through lane 2 without that thinking,
//! which also keeps the bytes of their history the same. What is written there is sealed, so all that bears no seal is
//! older. One entry is a conversation of one agent: a subagent has a history of its own.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest as _, Sha256};

use super::asked::Asked;
use super::upstream::Upstream;

/// Sessions are named by clients, so their number is bounded; one that is forgotten pays for one more refusal.
const MOST: usize = 4096;

type Key = [u8; 32];

/// The conversations, and at which upstream.
#[derive(Debug, Default)]
pub(crate) struct Moved {
    recent: Mutex<Recent>,
}

#[derive(Debug, Default)]
struct Recent {
    known: HashSet<Key>,
    order: VecDeque<Key>,
}

impl Moved {
    /// Notes that `upstream` serves this conversation without foreign thinking.
    pub(crate) fn note(&self, asked: &Asked, upstream: &Upstream<'_>) {
        if let Some(key) = key(asked, upstream) {
            self.recent().insert(key, MOST);
        }
    }

    /// Whether it was noted. Clients that name no session are asked for nothing and remembered for nothing.
    pub(crate) fn holds(&self, asked: &Asked, upstream: &Upstream<'_>) -> bool {
        if self.recent().known.is_empty() {
            return false;
        }
        key(asked, upstream).is_some_and(|key| self.recent().known.contains(&key))
    }

    fn recent(&self) -> std::sync::MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recent {
    fn insert(&mut self, key: Key, most: usize) {
        if !self.known.insert(key) {
            return;
        }
        self.order.push_back(key);
        if self.order.len() > most
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

fn key(asked: &Asked, upstream: &Upstream<'_>) -> Option<Key> {
    let conversation = asked.cache_key()?;
    let mut digest = Sha256::new();
    for part in [
        &*conversation.decode(),
        &upstream.provider.id,
        &upstream.model,
    ] {
        digest.update(part.as_bytes());
        digest.update([0]);
    }
    Some(digest.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_are_forgotten() {
        let mut recent = Recent::default();
        let key = |n: u8| [n; 32];
        for n in [1, 2, 1, 3, 4] {
            recent.insert(key(n), 3);
        }
        let held: Vec<u8> = (1..=4)
            .filter(|n| recent.known.contains(&key(*n)))
            .collect();
        assert_eq!(held, [2, 3, 4]);
        assert_eq!(recent.order.len(), recent.known.len());
    }
}
