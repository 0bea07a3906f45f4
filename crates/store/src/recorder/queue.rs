//! The bounded queue between the gateway and the writer, and what is shed when it fills up.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::options::QueueLimits;
use crate::record::{Body, Details, Exchange, Kept};

use super::clock::{Clock, steady};
use super::numbers::Numbers;
use super::state::{Counters, State};

/// Messages of a group, which are about half as many rows: what begins and ends within a group is one.
const GROUP_MESSAGES: usize = 200;

/// Numbers of a group: they are small.
const GROUP_NUMBERS: usize = 1000;

/// How long a group waits for company.
const GROUP_WAIT: Duration = Duration::from_millis(25);

/// How often what came meanwhile is looked at: the memory that bodies lie in is at hand still, and can be used again.
const LOOK_WAIT: Duration = Duration::from_millis(5);

/// How often an idle writer looks whether something is to be tidied.
const IDLE: Duration = Duration::from_secs(1);

/// Of exchanges that went well, one in so many keeps its row while the queue is filling up.
const SAMPLE: u64 = 8;

/// What waits for the writer.
#[derive(Debug)]
pub(crate) enum Message {
    /// An exchange was accepted.
    Open(Box<Exchange>, Vec<Body>, Option<Stored>),
    /// It ended.
    Close(Box<Closed>, Option<Stored>),
}

/// An ended exchange.
#[derive(Debug)]
pub(crate) struct Closed {
    pub exchange: Exchange,
    pub details: Details,
    pub bodies: Vec<Body>,
}

/// Where bodies were put.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub segment: i64,
    /// As [`crate::parts::Manifest`] encodes it.
    pub manifest: Vec<u8>,
}

impl Message {
    fn weight(&self) -> usize {
        match self {
            Self::Open(exchange, bodies, _) => weight(exchange, bodies),
            Self::Close(closed, _) => {
                weight(&closed.exchange, &closed.bodies) + closed.details.weight()
            }
        }
    }
}

fn weight(exchange: &Exchange, bodies: &[Body]) -> usize {
    exchange.weight() + bodies.iter().map(Body::weight).sum::<usize>()
}

/// What is written at once.
#[derive(Default)]
pub(crate) struct Batch {
    pub messages: Vec<Message>,
    pub numbers: Vec<Numbers>,
    /// As counted against the queue's bytes.
    weight: usize,
    /// When it is complete, however many they are.
    due: Option<Instant>,
}

impl Batch {
    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.numbers.is_empty()
    }

    /// How many exchanges it closes.
    pub(crate) fn closes(&self) -> usize {
        let is_close = |message: &&Message| matches!(message, Message::Close(..));
        self.messages.iter().filter(is_close).count() + self.numbers.len()
    }
}

/// The queue. Its lock is held for a push or a take, never for a write.
pub(crate) struct Queue {
    limits: QueueLimits,
    waiting: Mutex<Waiting>,
    /// Something came, or the end.
    came: Condvar,
    /// Everything is written.
    idle: Condvar,
    pub counters: Counters,
    degraded: AtomicBool,
    problem: Mutex<Option<String>>,
    rows: AtomicUsize,
    clock: Mutex<Clock>,
}

#[derive(Default)]
struct Waiting {
    messages: VecDeque<Message>,
    /// Each behind so many messages of all that ever came: what an exchange began with is written before how it ended.
    numbers: VecDeque<(u64, Numbers)>,
    /// Messages that were taken so far.
    taken: u64,
    /// Weight of what waits and of what is being written.
    bytes: usize,
    writing: bool,
    /// Messages of the group at hand, if it is not complete.
    gathered: Option<usize>,
    stopping: bool,
    /// Counts for the sampling.
    went_well: u64,
}

impl Queue {
    pub(crate) fn new(limits: QueueLimits, now: Timestamp, trust_after: Duration) -> Self {
        let clock = Clock::new(now.as_millisecond(), steady(), trust_after);
        Self {
            limits,
            waiting: Mutex::default(),
            came: Condvar::new(),
            idle: Condvar::new(),
            counters: Counters::default(),
            degraded: AtomicBool::new(false),
            problem: Mutex::default(),
            rows: AtomicUsize::new(0),
            clock: Mutex::new(clock),
        }
    }

    /// Whether the bodies are taken.
    pub(crate) fn push_open(&self, exchange: Exchange, mut bodies: Vec<Body>) -> bool {
        self.counters.opened.add(1);
        self.tick(exchange.time);
        let mut waiting = self.waiting();
        if self.is_filling(&waiting) {
            // Its end will say all of it again.
            return false;
        }
        if !self.has_room_for_bodies(&waiting, weight(&exchange, &bodies)) {
            bodies = Vec::new();
        }
        let has_bodies = !bodies.is_empty();
        self.push(
            &mut waiting,
            Message::Open(Box::new(exchange), bodies, None),
        );
        has_bodies
    }

    pub(crate) fn push_close(
        &self,
        mut exchange: Exchange,
        details: Details,
        mut bodies: Vec<Body>,
    ) {
        self.counters.closed.add(1);
        self.tick(exchange.ended.unwrap_or(exchange.time));
        let mut waiting = self.waiting();
        let row = weight(&exchange, &[]) + details.weight();
        if waiting.messages.len() >= self.limits.rows || waiting.bytes + row > self.limits.bytes {
            self.push_numbers(&mut waiting, &exchange, &self.counters.rows_reduced);
            return;
        }
        if self.is_filling(&waiting) && exchange.went_well() {
            waiting.went_well += 1;
            if waiting.went_well % SAMPLE != 1 {
                self.push_numbers(&mut waiting, &exchange, &self.counters.rows_sampled);
                return;
            }
        }
        if !bodies.is_empty() && !self.has_room_for_bodies(&waiting, weight(&exchange, &bodies)) {
            self.counters.bodies_shed.add(1);
            exchange.kept = Kept::Row;
            bodies = Vec::new();
        }
        let closed = Closed {
            exchange,
            details,
            bodies,
        };
        self.push(&mut waiting, Message::Close(Box::new(closed), None));
    }

    fn push(&self, waiting: &mut Waiting, message: Message) {
        waiting.bytes += message.weight();
        waiting.messages.push_back(message);
        self.rows.store(waiting.messages.len(), Ordering::Relaxed);
        // The writer waits for the first message, then for a full group.
        let count = waiting.messages.len() + waiting.gathered.unwrap_or_default();
        if count == GROUP_MESSAGES || count == 1 && waiting.gathered.is_none() {
            self.came.notify_one();
        }
    }

    fn push_numbers(
        &self,
        waiting: &mut Waiting,
        exchange: &Exchange,
        counter: &super::state::Counter,
    ) {
        if waiting.numbers.len() >= self.limits.numbers {
            self.counters.lost.add(1);
            return;
        }
        counter.add(1);
        let before = waiting.taken + waiting.messages.len() as u64;
        let numbers = Numbers::from(exchange);
        waiting.numbers.push_back((before, numbers));
        if waiting.numbers.len() == 1 {
            self.came.notify_one();
        }
    }

    /// Whether the queue is half full of rows, or nearly full of bytes.
    fn is_filling(&self, waiting: &Waiting) -> bool {
        waiting.messages.len() >= self.limits.rows / 2 || waiting.bytes >= self.limits.bytes / 8 * 7
    }

    fn has_room_for_bodies(&self, waiting: &Waiting, weight: usize) -> bool {
        waiting.bytes + weight <= self.limits.bytes / 4 * 3
    }

    /// Waits for a group to begin. Comes back empty once in a while, and when the queue is stopped: then `None`, once all is
    /// taken.
    pub(crate) fn take(&self) -> Option<Batch> {
        let waiting = self.waiting();
        let none = |waiting: &mut Waiting| {
            waiting.messages.is_empty() && waiting.numbers.is_empty() && !waiting.stopping
        };
        let (mut waiting, _) = self
            .came
            .wait_timeout_while(waiting, IDLE, none)
            .unwrap_or_else(PoisonError::into_inner);
        let mut batch = Batch::default();
        if waiting.messages.is_empty() && waiting.numbers.is_empty() {
            return (!waiting.stopping).then_some(batch);
        }
        waiting.writing = true;
        batch.due = Some(steady() + GROUP_WAIT);
        self.take_more(&mut waiting, &mut batch);
        Some(batch)
    }

    /// Waits for a moment, and adds to a group what came meanwhile. Whether it is to be asked again: the group is not complete.
    pub(crate) fn go_on(&self, batch: &mut Batch) -> bool {
        let waiting = self.waiting();
        let Some(due) = batch.due else {
            return false;
        };
        let left = due.saturating_duration_since(steady());
        let few = |waiting: &mut Waiting| {
            !waiting.stopping && batch.messages.len() + waiting.messages.len() < GROUP_MESSAGES
        };
        let (mut waiting, _) = self
            .came
            .wait_timeout_while(waiting, LOOK_WAIT.min(left), few)
            .unwrap_or_else(PoisonError::into_inner);
        let is_complete = !few(&mut waiting) || steady() >= due;
        self.take_more(&mut waiting, batch);
        if is_complete {
            batch.due = None;
            waiting.gathered = None;
        }
        !is_complete
    }

    fn take_more(&self, waiting: &mut Waiting, batch: &mut Batch) {
        let room = GROUP_MESSAGES - batch.messages.len();
        let rows = waiting.messages.len().min(room);
        let from = batch.messages.len();
        batch.messages.extend(waiting.messages.drain(..rows));
        waiting.taken += rows as u64;
        let taken = waiting.taken;
        let numbers = waiting.numbers.iter();
        let numbers = numbers.take(GROUP_NUMBERS.saturating_sub(batch.numbers.len()));
        let numbers = numbers.take_while(|(before, _)| *before <= taken).count();
        let numbers = waiting.numbers.drain(..numbers);
        batch.numbers.extend(numbers.map(|(_, numbers)| numbers));
        let new = batch.messages.get(from..).unwrap_or_default();
        batch.weight += new.iter().map(Message::weight).sum::<usize>();
        waiting.gathered = Some(batch.messages.len());
        self.rows.store(waiting.messages.len(), Ordering::Relaxed);
    }

    /// A group is done with: written, or given up.
    pub(crate) fn done(&self, batch: &Batch) {
        let mut waiting = self.waiting();
        waiting.bytes = waiting.bytes.saturating_sub(batch.weight);
        waiting.writing = false;
        if waiting.messages.is_empty() && waiting.numbers.is_empty() {
            self.idle.notify_all();
        }
    }

    /// Waits before another try; less long if the end comes. Whether it has come.
    pub(crate) fn pause(&self, wait: Duration) -> bool {
        let going = |waiting: &mut Waiting| !waiting.stopping;
        let (waiting, _) = self
            .came
            .wait_timeout_while(self.waiting(), wait, going)
            .unwrap_or_else(PoisonError::into_inner);
        waiting.stopping
    }

    pub(crate) fn flush(&self, limit: Duration) -> bool {
        let busy = |waiting: &mut Waiting| {
            waiting.writing || !waiting.messages.is_empty() || !waiting.numbers.is_empty()
        };
        let (_waiting, timeout) = self
            .idle
            .wait_timeout_while(self.waiting(), limit, busy)
            .unwrap_or_else(PoisonError::into_inner);
        !timeout.timed_out()
    }

    pub(crate) fn stop(&self) {
        self.waiting().stopping = true;
        self.came.notify_all();
    }

    pub(crate) fn tick(&self, now: Timestamp) {
        self.clock().hear(now.as_millisecond(), steady());
    }

    /// When the record was written last, and a question to it: see [`Clock::recall`].
    pub(crate) fn recall<E>(
        &self,
        last_ms: i64,
        has_lasted: impl FnOnce(Range<i64>) -> Result<bool, E>,
    ) -> Result<(), E> {
        self.clock().recall(last_ms, has_lasted)
    }

    /// The time as it is believed, in milliseconds.
    pub(crate) fn now_ms(&self) -> i64 {
        self.clock().now_ms()
    }

    fn clock(&self) -> MutexGuard<'_, Clock> {
        self.clock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The record cannot be written, for this reason, or it can again.
    pub(crate) fn set_problem(&self, problem: Option<String>) {
        let was = self.degraded.swap(problem.is_some(), Ordering::Relaxed);
        match &problem {
            Some(problem) if !was => tracing::error!("the record is degraded: {problem}"),
            None if was => tracing::info!("the record is written again"),
            Some(_) | None => {}
        }
        *self.problem.lock().unwrap_or_else(PoisonError::into_inner) = problem;
    }

    pub(crate) fn is_degraded(&self) -> bool {
        self.degraded.load(Ordering::Relaxed)
    }

    pub(crate) fn is_full(&self) -> bool {
        self.rows.load(Ordering::Relaxed) >= self.limits.rows
    }

    pub(crate) fn state(&self) -> State {
        let problem = self.problem.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = self.waiting();
        State {
            degraded: problem.clone(),
            queued_rows: waiting.messages.len() + waiting.numbers.len(),
            queued_bytes: waiting.bytes,
            counts: self.counters.counts(),
        }
    }

    /// A panic elsewhere leaves the queue as it was: pushes and takes are whole.
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::record::{BodyKind, End};

    const LIMITS: QueueLimits = QueueLimits {
        rows: 100,
        bytes: 1 << 20,
        numbers: 200,
    };

    /// A whole group.
    fn group(queue: &Queue) -> Batch {
        let mut batch = queue.take().unwrap();
        while queue.go_on(&mut batch) {}
        batch
    }

    fn exchange(number: u128, status: u16) -> Exchange {
        Exchange {
            id: Uuid::from_u128(number),
            status: Some(status),
            end: Some(End::Answered),
            cost_micro_usd: Some(7),
            ..Exchange::default()
        }
    }

    fn body(bytes: usize) -> Vec<Body> {
        vec![Body::whole(BodyKind::ClientRequest, 0, vec![0; bytes])]
    }

    #[test]
    fn bodies_go_first() {
        let queue = Queue::new(LIMITS, Timestamp::UNIX_EPOCH, Duration::ZERO);
        for number in 0..20 {
            queue.push_close(exchange(number, 200), Details::default(), body(100_000));
        }
        let state = queue.state();
        assert_eq!(
            state.counts.bodies_shed, 13,
            "seven of them fit into three quarters"
        );
        assert_eq!(state.queued_rows, 20);
        assert!(state.queued_bytes <= LIMITS.bytes);
        assert_eq!(state.counts.rows_reduced + state.counts.rows_sampled, 0);
    }

    #[test]
    fn details_weigh_what_they_hold() {
        let queue = Queue::new(LIMITS, Timestamp::UNIX_EPOCH, Duration::ZERO);
        let details = |bytes| Details {
            losses: vec!["x".repeat(bytes)],
            ..Details::default()
        };
        queue.push_close(exchange(1, 500), details(LIMITS.bytes), Vec::new());
        assert_eq!(
            queue.state().counts.rows_reduced,
            1,
            "there is no room for it"
        );
        queue.push_close(exchange(2, 500), details(100_000), Vec::new());
        assert!(queue.state().queued_bytes > 100_000);
        queue.done(&group(&queue));
        assert_eq!(queue.state().queued_bytes, 0);
    }

    #[test]
    fn then_successes_are_sampled_and_errors_stay() {
        let queue = Queue::new(LIMITS, Timestamp::UNIX_EPOCH, Duration::ZERO);
        for number in 0..90 {
            let status = if number >= 50 && number % 2 == 0 {
                500
            } else {
                200
            };
            queue.push_close(exchange(number, status), Details::default(), Vec::new());
        }
        let counts = queue.state().counts;
        assert_eq!(
            counts.rows_sampled, 17,
            "of twenty that came late, three stay"
        );
        assert_eq!(counts.rows_reduced, 0);
        let waiting = queue.waiting();
        let is_error = |message: &&Message| match message {
            Message::Close(closed, _) => closed.exchange.status == Some(500),
            Message::Open(..) => false,
        };
        assert_eq!(waiting.messages.iter().filter(is_error).count(), 20);
    }

    #[test]
    fn numbers_are_last_and_every_loss_is_counted() {
        let queue = Queue::new(LIMITS, Timestamp::UNIX_EPOCH, Duration::ZERO);
        for number in 0..400 {
            queue.push_close(exchange(number, 500), Details::default(), Vec::new());
        }
        let state = queue.state();
        assert_eq!(state.counts.closed, 400);
        assert_eq!(state.counts.rows_reduced, 200);
        assert_eq!(state.counts.lost, 100);
        assert_eq!(state.queued_rows, 300);
        let mut taken = 0;
        while taken < 300 {
            let batch = group(&queue);
            taken += batch.closes();
            assert!(
                batch
                    .numbers
                    .iter()
                    .all(|numbers| numbers.cost_micro_usd == Some(7))
            );
            queue.done(&batch);
        }
        assert_eq!(queue.state().queued_bytes, 0, "all of it is given back");
        assert!(queue.flush(Duration::ZERO));
    }

    #[test]
    fn numbers_wait_for_what_came_before_them() {
        let limits = QueueLimits {
            rows: 600,
            ..LIMITS
        };
        let queue = Queue::new(limits, Timestamp::UNIX_EPOCH, Duration::ZERO);
        for number in 0..300 {
            queue.push_open(exchange(number, 200), Vec::new());
        }
        for number in [0, 299] {
            queue.push_close(exchange(number, 200), Details::default(), Vec::new());
        }
        let taken = || {
            let batch = group(&queue);
            queue.done(&batch);
            (batch.messages.len(), batch.numbers.len())
        };
        assert_eq!([taken(), taken()], [(200, 0), (101, 1)]);
    }

    #[test]
    fn what_is_being_written_counts() {
        let queue = Queue::new(LIMITS, Timestamp::UNIX_EPOCH, Duration::ZERO);
        queue.push_close(exchange(1, 200), Details::default(), body(700_000));
        let batch = group(&queue);
        queue.push_close(exchange(2, 200), Details::default(), body(700_000));
        assert_eq!(queue.state().counts.bodies_shed, 1);
        assert!(!queue.flush(Duration::ZERO));
        queue.done(&batch);
        queue.push_close(exchange(3, 200), Details::default(), body(700_000));
        assert_eq!(queue.state().counts.bodies_shed, 1);
    }

    #[test]
    fn an_accepted_request_does_not_take_the_room_of_an_ended_one() {
        let queue = Queue::new(LIMITS, Timestamp::UNIX_EPOCH, Duration::ZERO);
        for number in 0..200 {
            queue.push_open(exchange(number, 200), body(100_000));
        }
        let state = queue.state();
        assert_eq!(state.counts.opened, 200);
        assert_eq!(state.queued_rows, LIMITS.rows / 2);
    }
}
