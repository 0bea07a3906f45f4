//! Reasoning that a client cannot carry: kept by the ids of the calls it led to, and put back when they come back.
//!
//! The Chat wire has no place for an upstream's tokens but `reasoning_details`, which many clients drop. Anthropic,
//! Responses and Gemini upstreams want the tokens back while a tool loop runs. An entry is an answer's sealed reasoning
//! under one of its calls: whose client (by its key's name), which upstream, the call's id and its tool. Bounded in bytes and
//! in time ([`super::unused`]), in memory only; what is forgotten is missing as if the client had dropped it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lingate_wire::json::Text;
use lingate_wire::stage::{End, Sink, Stage};
use lingate_wire::turn::{Block, Delta, Event, Message, Opening, Role, Slot, Thinking, Turn};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::upstream::Upstream;
use crate::clock;

/// How long it may take until a conversation goes on: a call may wait for its person over night.
const AGE: Duration = Duration::from_secs(24 * 60 * 60);
/// Most bytes of reasoning, those of an answer with several calls counted for each.
const MOST_BYTES: usize = 32 * 1024 * 1024;
/// What an entry takes besides its reasoning.
const ENTRY_BYTES: usize = 256;

type Key = [u8; 32];

/// All that is kept.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    store: Mutex<Store>,
}

impl Kept {
    /// Forgets what nobody asked for of late.
    pub(crate) fn forget_unused(&self, now: Instant) {
        self.store().forget_unused(now);
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Default)]
struct Store {
    entries: HashMap<Key, Entry>,
    /// As they were written; one that was written again stands here twice and counts at its later place.
    order: VecDeque<(Key, Instant)>,
    n_bytes: usize,
}

#[derive(Debug)]
struct Entry {
    thoughts: Arc<[Thinking]>,
    n_bytes: usize,
    /// When it was written.
    at: Instant,
    used: Instant,
}

impl Store {
    fn put(&mut self, key: Key, thoughts: Arc<[Thinking]>, at: Instant, most: usize) {
        let n_bytes = ENTRY_BYTES + thoughts.iter().map(size).sum::<usize>();
        self.remove(&key);
        self.n_bytes += n_bytes;
        let entry = Entry {
            thoughts,
            n_bytes,
            at,
            used: at,
        };
        self.entries.insert(key, entry);
        self.order.push_back((key, at));
        while let Some((oldest, since)) = self.order.front().copied() {
            let entry = self.entries.get(&oldest);
            let is_current = entry.is_some_and(|entry| entry.at == since);
            if is_current && self.n_bytes <= most {
                break;
            }
            self.order.pop_front();
            if is_current {
                self.remove(&oldest);
            }
        }
    }

    fn get(&mut self, key: &Key, now: Instant) -> Option<Arc<[Thinking]>> {
        let entry = self.entries.get_mut(key)?;
        entry.used = now;
        Some(Arc::clone(&entry.thoughts))
    }

    fn forget_unused(&mut self, now: Instant) {
        let is_unused = |entry: &mut Entry| now.saturating_duration_since(entry.used) > AGE;
        let unused = self.entries.extract_if(|_, entry| is_unused(entry));
        self.n_bytes -= unused.map(|(_, entry)| entry.n_bytes).sum::<usize>();
        let entries = &self.entries;
        let is_current = |key: &Key, at| entries.get(key).is_some_and(|entry| entry.at == at);
        self.order.retain(|(key, at)| is_current(key, *at));
        self.entries.shrink_to_fit();
        self.order.shrink_to_fit();
    }

    fn remove(&mut self, key: &Key) {
        if let Some(entry) = self.entries.remove(key) {
            self.n_bytes -= entry.n_bytes;
        }
    }
}

fn size(thinking: &Thinking) -> usize {
    thinking.text.decode().len() + thinking.signature.as_ref().map_or(0, Text::wire_len)
}

/// What is kept for one client.
#[derive(Debug, Clone)]
pub(crate) struct Memory {
    kept: Arc<Kept>,
    owner: Text,
}

impl Memory {
    /// `owner`: the name of the client's key, empty where none is asked for.
    pub(crate) fn new(kept: &Arc<Kept>, owner: &str) -> Self {
        Self {
            kept: Arc::clone(kept),
            owner: owner.to_owned().into(),
        }
    }

    /// The same for answers of one upstream.
    pub(crate) fn at(&self, upstream: &Upstream<'_>) -> UpstreamMemory {
        let mut scope = Sha256::new();
        for part in [
            &*self.owner.decode(),
            &upstream.provider.id,
            upstream.account(),
            &upstream.model,
        ] {
            add(&mut scope, part);
        }
        UpstreamMemory {
            kept: Arc::clone(&self.kept),
            scope,
        }
    }
}

/// What is kept for one client of one upstream's answers.
#[derive(Debug, Clone)]
pub(crate) struct UpstreamMemory {
    kept: Arc<Kept>,
    scope: Sha256,
}

impl UpstreamMemory {
    /// Gives answers with calls their reasoning back, if the client did not send it.
    pub(crate) fn restore(&self, turn: &mut Turn) {
        for message in &mut turn.messages {
            if message.role != Role::Assistant || is_sealed(message) {
                continue;
            }
            if let Some(thoughts) = self.of(message) {
                let message = message.edit();
                // Without a token it is a copy of what is put back.
                message
                    .blocks
                    .retain(|block| !matches!(**block, Block::Thinking(_)));
                let thoughts = thoughts.iter().cloned().map(Block::Thinking);
                message.blocks.splice(0..0, thoughts.map(Into::into));
            }
        }
    }

    /// A stage that keeps the reasoning of a reply with calls; it stands behind the one that seals.
    pub(crate) fn stage(self) -> KeepStage {
        KeepStage {
            memory: self,
            open: Vec::new(),
            thoughts: Vec::new(),
            calls: Vec::new(),
        }
    }

    fn of(&self, message: &Message) -> Option<Arc<[Thinking]>> {
        let now = clock::now();
        let mut store = self.kept.store();
        message.blocks.iter().find_map(|block| match &**block {
            Block::ToolUse(call) => store.get(&self.key(&call.id, &call.name), now),
            _ => None,
        })
    }

    fn key(&self, id: &Text, name: &Text) -> Key {
        let mut digest = self.scope.clone();
        add(&mut digest, &id.decode());
        add(&mut digest, &name.decode());
        digest.finalize().into()
    }
}

fn add(digest: &mut Sha256, part: &str) {
    digest.update(part.len().to_le_bytes());
    digest.update(part.as_bytes());
}

/// Whether the client carried the reasoning itself.
fn is_sealed(message: &Message) -> bool {
    message
        .blocks
        .iter()
        .any(|block| matches!(&**block, Block::Thinking(thinking) if thinking.signature.is_some()))
}

/// Keeps a reply's reasoning when it ends; changes nothing.
#[derive(Debug)]
pub(crate) struct KeepStage {
    memory: UpstreamMemory,
    /// Reasoning that is still told, with its place in `thoughts`.
    open: Vec<(Slot, usize, String)>,
    thoughts: Vec<Thinking>,
    calls: Vec<(Text, Text)>,
}

impl KeepStage {
    fn grew(&mut self, slot: Slot, delta: &Delta) {
        let Some((_, at, text)) = self.open.iter_mut().find(|(open, ..)| *open == slot) else {
            return;
        };
        match delta {
            Delta::Thinking(piece) => text.push_str(&piece.decode()),
            Delta::Signature(seal) => {
                if let Some(thinking) = self.thoughts.get_mut(*at) {
                    thinking.signature = Some(seal.clone());
                }
            }
            _ => {}
        }
    }

    fn closed(&mut self, slot: Slot) {
        if let Some(place) = self.open.iter().position(|(open, ..)| *open == slot) {
            let (_, at, text) = self.open.remove(place);
            if let Some(thinking) = self.thoughts.get_mut(at) {
                thinking.text = text.into();
            }
        }
    }

    fn keep(&mut self) {
        let mut thoughts = std::mem::take(&mut self.thoughts);
        thoughts.retain(|thinking| thinking.signature.is_some());
        let calls = std::mem::take(&mut self.calls);
        if thoughts.is_empty() {
            return;
        }
        let thoughts: Arc<[Thinking]> = thoughts.into();
        let at = clock::now();
        for (id, name) in &calls {
            let key = self.memory.key(id, name);
            self.memory
                .kept
                .store()
                .put(key, Arc::clone(&thoughts), at, MOST_BYTES);
        }
    }
}

impl Stage for KeepStage {
    type In = Event;
    type Out = Event;

    fn on(&mut self, event: Event, sink: &mut Sink<Event>) {
        match &event {
            Event::Open { slot, block } => match block {
                Opening::Thinking => {
                    self.open.push((*slot, self.thoughts.len(), String::new()));
                    self.thoughts.push(Thinking::default());
                }
                Opening::RedactedThinking { data } => self.thoughts.push(Thinking {
                    signature: Some(data.clone()),
                    is_redacted: true,
                    ..Thinking::default()
                }),
                Opening::ToolUse { id, name, .. } => self.calls.push((id.clone(), name.clone())),
                _ => {}
            },
            Event::Delta { slot, delta } => self.grew(*slot, delta),
            Event::Close { slot } => self.closed(*slot),
            Event::Done => self.keep(),
            _ => {}
        }
        sink.event(event);
    }

    fn end(&mut self, _end: End, _sink: &mut Sink<Event>) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thoughts(n_bytes: usize) -> Arc<[Thinking]> {
        let text = "x".repeat(n_bytes).into();
        [Thinking {
            text,
            ..Thinking::default()
        }]
        .into()
    }

    #[test]
    fn it_is_bounded_in_bytes_and_in_time() {
        let mut store = Store::default();
        let start = clock::now();
        let most = 3 * (ENTRY_BYTES + 10);
        let held = |store: &Store| -> Vec<u8> {
            let is_held = |n: &u8| store.entries.contains_key(&[*n; 32]);
            (0..8).filter(is_held).collect()
        };
        for (n, seconds, expected) in [
            (0, 0, vec![0]),
            (1, 1, vec![0, 1]),
            (2, 2, vec![0, 1, 2]),
            // Written again, it is the newest.
            (0, 3, vec![0, 1, 2]),
            (3, 4, vec![0, 2, 3]),
            (4, 5, vec![0, 3, 4]),
            (5, 3000, vec![3, 4, 5]),
        ] {
            let now = start + Duration::from_secs(seconds);
            store.put([n; 32], thoughts(10), now, most);
            assert_eq!(held(&store), expected, "{n} at {seconds}");
            assert_eq!(store.n_bytes, store.entries.len() * (ENTRY_BYTES + 10));
        }
        assert!(
            store
                .get(&[4; 32], start + Duration::from_secs(3500))
                .is_some()
        );
        for (seconds, expected) in [
            (86_400, vec![3, 4, 5]),
            // Written a day and a second ago, and asked for since, and written later.
            (86_405, vec![4, 5]),
            (89_401, vec![4]),
            (89_901, vec![]),
        ] {
            store.forget_unused(start + Duration::from_secs(seconds));
            assert_eq!(held(&store), expected, "after {seconds} s");
            assert_eq!(store.n_bytes, store.entries.len() * (ENTRY_BYTES + 10));
            assert_eq!(store.order.len(), expected.len());
        }
        store.put([6; 32], thoughts(1000), start, most);
        let none: [u8; 0] = [];
        assert_eq!(
            held(&store),
            none,
            "what is larger than all room is not kept"
        );
    }
}
