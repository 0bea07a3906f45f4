//! Who goes next where only so many may be at a time.
//!
//! A pure model: tickets in, tickets out. Of those that wait, the user's conversation goes before subagents, and those
//! before background work; within a class callers take turns, within a caller its sessions do, and a session's own
//! requests go in the order in which they came. A place that becomes free is handed on by whoever leaves it, so that no
//! wake-up can be lost and nobody who comes later takes it.

use std::collections::{BTreeSet, VecDeque};

use crate::ask::Class;

/// One request's entry. Never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(u64);

/// Whose request it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Party {
    /// The caller, by a fingerprint.
    pub caller: u64,
    /// The caller's session, by a fingerprint.
    pub session: u64,
    /// What the request is for.
    pub class: Class,
}

/// What became of who came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// In: it may go on at once.
    Admitted(Ticket),
    /// It waits until a [`Queue::leave`] or [`Queue::resize`] hands its ticket out.
    Waiting(Ticket),
    /// Too many wait already.
    Full,
}

/// A gate with a fair queue.
#[derive(Debug)]
pub struct Queue {
    capacity: usize,
    most_waiting: usize,
    last: u64,
    inside: BTreeSet<Ticket>,
    /// By class, the first to be served in front.
    waiting: [Line; 3],
}

/// Those of one class that wait.
#[derive(Debug, Default)]
struct Line {
    /// Callers, the one whose turn it is in front.
    callers: VecDeque<Turns>,
}

/// Those of one caller that wait; its sessions take turns, too.
#[derive(Debug)]
struct Turns {
    caller: u64,
    /// Sessions with their tickets, oldest first; the session whose turn it is in front. Never empty.
    sessions: VecDeque<(u64, VecDeque<Ticket>)>,
}

impl Queue {
    /// A gate that lets `capacity` in at a time, at least one, and has room for `most_waiting` in front of it.
    #[must_use]
    pub fn new(capacity: usize, most_waiting: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            most_waiting,
            last: 0,
            inside: BTreeSet::new(),
            waiting: Default::default(),
        }
    }

    /// Somebody comes.
    pub fn enter(&mut self, party: Party) -> Entry {
        let is_free = self.inside.len() < self.capacity;
        if !is_free && self.n_waiting() >= self.most_waiting {
            return Entry::Full;
        }
        self.last += 1;
        let ticket = Ticket(self.last);
        // A free place has nobody waiting for it: it would have been handed on.
        if is_free {
            self.inside.insert(ticket);
            return Entry::Admitted(ticket);
        }
        self.line(party.class).add(party, ticket);
        Entry::Waiting(ticket)
    }

    /// Somebody leaves, from inside or out of the queue. Gives who is in instead, if somebody is.
    pub fn leave(&mut self, ticket: Ticket) -> Option<Ticket> {
        if self.inside.remove(&ticket) {
            return self.admit();
        }
        for line in &mut self.waiting {
            if line.remove(ticket) {
                break;
            }
        }
        None
    }

    /// The gate lets another number in from now on. Gives who is in for it.
    pub fn resize(&mut self, capacity: usize, most_waiting: usize) -> Vec<Ticket> {
        self.capacity = capacity.max(1);
        self.most_waiting = most_waiting;
        std::iter::from_fn(|| self.admit()).collect()
    }

    /// How many may be in at a time.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.capacity
    }

    /// How many are in.
    #[must_use]
    pub fn n_inside(&self) -> usize {
        self.inside.len()
    }

    /// How many wait.
    #[must_use]
    pub fn n_waiting(&self) -> usize {
        self.waiting.iter().map(Line::len).sum()
    }

    fn admit(&mut self) -> Option<Ticket> {
        if self.inside.len() >= self.capacity {
            return None;
        }
        let next = self.waiting.iter_mut().find_map(Line::next)?;
        self.inside.insert(next);
        Some(next)
    }

    fn line(&mut self, class: Class) -> &mut Line {
        let [main, subagents, background] = &mut self.waiting;
        match class {
            Class::Main => main,
            Class::Subagent => subagents,
            Class::Auxiliary => background,
        }
    }
}

impl Line {
    fn add(&mut self, party: Party, ticket: Ticket) {
        let own = |turns: &&mut Turns| turns.caller == party.caller;
        let Some(turns) = self.callers.iter_mut().find(own) else {
            self.callers.push_back(Turns {
                caller: party.caller,
                sessions: VecDeque::from([(party.session, VecDeque::from([ticket]))]),
            });
            return;
        };
        let mut sessions = turns.sessions.iter_mut();
        match sessions.find(|(session, _)| *session == party.session) {
            Some((_, tickets)) => tickets.push_back(ticket),
            None => {
                let tickets = VecDeque::from([ticket]);
                turns.sessions.push_back((party.session, tickets));
            }
        }
    }

    /// The next one, whose caller and session then have to wait for the others.
    fn next(&mut self) -> Option<Ticket> {
        let mut turns = self.callers.pop_front()?;
        let (session, mut tickets) = turns.sessions.pop_front()?;
        let ticket = tickets.pop_front();
        if !tickets.is_empty() {
            turns.sessions.push_back((session, tickets));
        }
        if !turns.sessions.is_empty() {
            self.callers.push_back(turns);
        }
        ticket
    }

    fn remove(&mut self, ticket: Ticket) -> bool {
        let before = self.len();
        for turns in &mut self.callers {
            for (_, tickets) in &mut turns.sessions {
                tickets.retain(|own| *own != ticket);
            }
            turns.sessions.retain(|(_, tickets)| !tickets.is_empty());
        }
        self.callers.retain(|turns| !turns.sessions.is_empty());
        self.len() < before
    }

    fn len(&self) -> usize {
        let sessions = self.callers.iter().flat_map(|turns| &turns.sessions);
        sessions.map(|(_, tickets)| tickets.len()).sum()
    }
}
