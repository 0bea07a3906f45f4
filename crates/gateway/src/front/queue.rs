//! Permits at providers and for client keys that take only so many requests at a time (`concurrency`).
//!
//! Agents send their subagents' requests in bursts, and a provider that is asked for more than it allows refuses them
//! all. So a request waits its turn here: fairly, not for ever, and only as long as its client does. A permit is held
//! until the reply has ended, however it ends. Who waits is [`lingate_route::queue`]'s to say; here is the waiting.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lingate_route::queue::{Entry, Party, Queue, Ticket};
use lingate_wire::turn::{Failure, FailureKind};
use tokio::sync::oneshot;

use crate::clock;
use crate::metrics::{GateLabels, Metrics, RefusalLabels};

/// How many may wait for each permit there is: a burst of twenty subagents fits in front of a few permits.
const WAITING_PER_PERMIT: usize = 4;
/// Fewer never wait.
const LEAST_WAITING: usize = 32;
/// However many permits there are.
const MOST_WAITING: usize = 1024;
/// When a client whose request got no permit should try again, in seconds.
const RETRY_AFTER: u64 = 5;

/// What has only so many permits.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Gate {
    /// `providers.NAME.concurrency`.
    Provider(String),
    /// `keys.NAME.concurrency`.
    Key(String),
}

/// All gates of a process, each made when it is first used.
#[derive(Default)]
pub(crate) struct Queues {
    gates: Mutex<HashMap<Gate, Entrance>>,
}

struct Entrance {
    queue: Queue,
    waiting: HashMap<Ticket, oneshot::Sender<()>>,
}

/// A permit, or one in the queue. Dropping it gives it to who is next.
pub(crate) struct Permit {
    queues: Arc<Queues>,
    metrics: Arc<Metrics>,
    gate: Gate,
    ticket: Ticket,
}

impl Queues {
    /// Waits for one of `capacity` permits, for as long as `patience`. Gives it with the time that took.
    ///
    /// # Errors
    /// A rate limit of ours if too many wait already, or nobody left in that time.
    pub(crate) async fn enter(
        self: &Arc<Self>,
        metrics: &Arc<Metrics>,
        gate: Gate,
        capacity: u32,
        party: Party,
        patience: Duration,
    ) -> Result<(Permit, Duration), Failure> {
        let began = clock::now();
        let (permit, turn) = self.line_up(metrics, gate, capacity, party)?;
        let Some(turn) = turn else {
            return Ok((permit, Duration::ZERO));
        };
        // If the sender is gone the permit is ours: it is only dropped when it has been used.
        let waited = tokio::time::timeout(patience, turn).await;
        let wait = clock::now() - began;
        let labels = permit.gate.labels();
        metrics
            .queue_wait
            .get_or_create(&labels)
            .observe(wait.as_secs_f64());
        if waited.is_err() {
            return Err(self.refused(metrics, &permit.gate, "timeout"));
        }
        Ok((permit, wait))
    }

    /// How every gate that was used stands, by kind and name.
    pub(crate) fn snapshot(&self) -> serde_json::Value {
        let gates = self.gates();
        let mut gates: Vec<_> = gates.iter().collect();
        gates.sort_by(|(one, _), (other, _)| one.names().cmp(&other.names()));
        let of = |(gate, entrance): (&Gate, &Entrance)| {
            let (kind, name) = gate.names();
            let queue = &entrance.queue;
            serde_json::json!({
                "gate": kind,
                "name": name,
                "concurrency": queue.capacity(),
                "inside": queue.n_inside(),
                "waiting": queue.n_waiting(),
            })
        };
        gates.into_iter().map(of).collect()
    }

    /// How many wait, at all gates together.
    pub(crate) fn n_waiting(&self) -> usize {
        let gates = self.gates();
        let waiting = gates.values().map(|entrance| entrance.queue.n_waiting());
        waiting.sum()
    }

    /// A permit, or one in the queue with the word that it is one's turn.
    fn line_up(
        self: &Arc<Self>,
        metrics: &Arc<Metrics>,
        gate: Gate,
        capacity: u32,
        party: Party,
    ) -> Result<(Permit, Option<oneshot::Receiver<()>>), Failure> {
        let capacity = usize::try_from(capacity).unwrap_or(usize::MAX).max(1);
        let most_waiting = capacity
            .saturating_mul(WAITING_PER_PERMIT)
            .clamp(LEAST_WAITING, MOST_WAITING);
        let mut gates = self.gates();
        let entrance = gates.entry(gate.clone()).or_insert_with(|| Entrance {
            queue: Queue::new(capacity, most_waiting),
            waiting: HashMap::new(),
        });
        if entrance.queue.capacity() != capacity {
            // Another configuration is in force.
            for ticket in entrance.queue.resize(capacity, most_waiting) {
                entrance.call(ticket);
            }
        }
        let entry = entrance.queue.enter(party);
        let (ticket, turn) = match entry {
            Entry::Admitted(ticket) => (ticket, None),
            Entry::Waiting(ticket) => {
                let (call, turn) = oneshot::channel();
                entrance.waiting.insert(ticket, call);
                (ticket, Some(turn))
            }
            Entry::Full => {
                drop(gates);
                return Err(self.refused(metrics, &gate, "full"));
            }
        };
        entrance.count(metrics, &gate);
        let permit = Permit {
            queues: Arc::clone(self),
            metrics: Arc::clone(metrics),
            gate,
            ticket,
        };
        Ok((permit, turn))
    }

    fn refused(&self, metrics: &Metrics, gate: &Gate, reason: &'static str) -> Failure {
        let (kind, name) = gate.names();
        let labels = RefusalLabels {
            gate: kind,
            name: name.to_owned(),
            reason,
        };
        metrics.queue_refused.get_or_create(&labels).inc();
        let gates = self.gates();
        let queue = gates.get(gate).map(|entrance| &entrance.queue);
        let inside = queue.map_or(0, Queue::n_inside);
        let waiting = queue.map_or(0, Queue::n_waiting);
        let mut failure = Failure::new(
            FailureKind::RateLimit,
            format!(
                "{kind} `{name}` has {inside} requests under way and {waiting} waiting; wait, or raise `{kind}s.{name}.concurrency`"
            ),
        );
        failure.retry_after = Some(RETRY_AFTER);
        failure
    }

    /// A panic elsewhere leaves the gates as they are: plain data.
    fn gates(&self) -> MutexGuard<'_, HashMap<Gate, Entrance>> {
        self.gates.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entrance {
    /// Says that it is one's turn. Who does not hear it any more is about to leave, and hands the permit on.
    fn call(&mut self, ticket: Ticket) {
        if let Some(call) = self.waiting.remove(&ticket) {
            let _is_heard = call.send(());
        }
    }

    fn count(&self, metrics: &Metrics, gate: &Gate) {
        let labels = gate.labels();
        let gauge = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        let inside = metrics.queue_inside.get_or_create(&labels);
        inside.set(gauge(self.queue.n_inside()));
        drop(inside);
        let waiting = metrics.queue_waiting.get_or_create(&labels);
        waiting.set(gauge(self.queue.n_waiting()));
    }
}

impl Permit {
    /// Whether it is one of this gate's.
    pub(crate) fn is_of(&self, gate: &Gate) -> bool {
        self.gate == *gate
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut gates = self.queues.gates();
        let Some(entrance) = gates.get_mut(&self.gate) else {
            return;
        };
        entrance.waiting.remove(&self.ticket);
        if let Some(next) = entrance.queue.leave(self.ticket) {
            entrance.call(next);
        }
        entrance.count(&self.metrics, &self.gate);
    }
}

impl Gate {
    /// Its kind and its name.
    pub(crate) fn names(&self) -> (&'static str, &str) {
        match self {
            Self::Provider(name) => ("provider", name),
            Self::Key(name) => ("key", name),
        }
    }

    fn labels(&self) -> GateLabels {
        let (gate, name) = self.names();
        GateLabels {
            gate,
            name: name.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use lingate_route::Class;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    struct Scene {
        queues: Arc<Queues>,
        metrics: Arc<Metrics>,
    }

    impl Scene {
        fn new() -> Self {
            Self {
                queues: Arc::default(),
                metrics: Arc::new(Metrics::new()),
            }
        }

        async fn enter(&self, capacity: u32) -> Result<(Permit, Duration), Failure> {
            let party = Party {
                caller: 1,
                session: 1,
                class: Class::Main,
            };
            let gate = Gate::Provider("up".to_owned());
            self.queues
                .enter(&self.metrics, gate, capacity, party, PATIENCE)
                .await
        }

        fn crowd(&self) -> (u64, u64) {
            let gates = self.queues.snapshot();
            let number = |name: &str| gates[0][name].as_u64().unwrap();
            (number("inside"), number("waiting"))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_goes_from_hand_to_hand_whoever_gives_up() {
        let scene = Scene::new();
        let (first, wait) = scene.enter(1).await.unwrap();
        assert_eq!(wait, Duration::ZERO);
        let mut second = Box::pin(scene.enter(1));
        let mut third = Box::pin(scene.enter(1));
        assert!((&mut second).now_or_never().is_none());
        assert!((&mut third).now_or_never().is_none());
        assert_eq!(scene.crowd(), (1, 2));
        // It is the second's turn, who is gone before it hears of it.
        drop(first);
        drop(second);
        let (permit, _) = third.await.unwrap();
        assert_eq!(scene.crowd(), (1, 0));
        drop(permit);
        assert_eq!(scene.crowd(), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_too_long_is_told_when_to_come_again() {
        let scene = Scene::new();
        let (permit, _) = scene.enter(1).await.unwrap();
        let Err(failure) = scene.enter(1).await else {
            panic!("a permit at a gate that is full")
        };
        assert_eq!(failure.kind, FailureKind::RateLimit);
        assert_eq!(failure.retry_after, Some(RETRY_AFTER));
        assert!(failure.message.contains("providers.up.concurrency"));
        assert_eq!(scene.crowd(), (1, 0));
        drop(permit);
        let text = scene.metrics.text();
        for line in [
            "lingate_queue_refused_total{gate=\"provider\",name=\"up\",reason=\"timeout\"} 1",
            "lingate_queue_inside{gate=\"provider\",name=\"up\"} 0",
            "lingate_queue_wait_seconds_count{gate=\"provider\",name=\"up\"} 1",
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_queue_is_bounded_and_a_larger_gate_lets_more_in() {
        let scene = Scene::new();
        let held = scene.enter(1).await.unwrap();
        let mut waiting = Vec::new();
        for _ in 0..LEAST_WAITING {
            let mut one = Box::pin(scene.enter(1));
            assert!((&mut one).now_or_never().is_none());
            waiting.push(one);
        }
        assert!(scene.enter(1).await.is_err(), "the queue is full");
        let more = Box::pin(scene.enter(3));
        let mut first_two = waiting.drain(..2);
        let (one, two) = (first_two.next().unwrap(), first_two.next().unwrap());
        drop(first_two);
        let mut more = more;
        assert!((&mut more).now_or_never().is_none(), "behind the others");
        let permits = (one.await.unwrap(), two.await.unwrap());
        assert_eq!(scene.crowd(), (3, LEAST_WAITING as u64 - 1));
        drop((held, permits, waiting, more));
        assert_eq!(scene.crowd(), (0, 0));
    }
}
