//! Reading the record for the API: a few readers on threads that may block, and nobody waits for them for ever.
//!
//! Quick questions, sums and searches have places of their own, so that none of them keeps another kind waiting. A question whose
//! asker has left, or whose time is up, is interrupted where it is.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lingate_store::{Error, Interrupt, Reader};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::refusal::Refusal;
use crate::clock;
use crate::shared::Process;

/// Questions answered at a time.
const QUICK: usize = 4;
/// Sums taken at a time.
const SUMS: usize = 2;
/// Searches at a time.
const SEARCHES: usize = 2;
/// Readers kept open while nobody asks.
const IDLE: usize = 2;
/// How long a question waits for its turn.
const TURN: Duration = Duration::from_secs(5);
/// How long a quick question may take in all. Each asks for less; this is for a disk that hangs.
const LIMIT: Duration = Duration::from_secs(10);

/// Readers of the record that this process writes.
pub(crate) struct Readers {
    dir: Box<Path>,
    idle: Mutex<Vec<Reader>>,
    quick: Arc<Semaphore>,
    sums: Arc<Semaphore>,
    searches: Arc<Semaphore>,
}

/// How long an answer may be worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// A list or a row.
    Quick,
    /// Sums, for as long as was asked.
    Sums(Duration),
    /// A search, for as long as was asked.
    Search(Duration),
}

/// Tells work when to come to an end by itself.
pub(crate) struct Patience {
    call: Arc<Call>,
    began: Instant,
}

impl Patience {
    /// Whether so much time has passed, or nobody waits any more.
    pub(crate) fn is_over(&self, budget: Duration) -> bool {
        self.call.is_given_up.load(Ordering::Relaxed) || self.began.elapsed() >= budget
    }
}

/// One question under way.
#[derive(Default)]
struct Call {
    is_given_up: AtomicBool,
    /// There only while the reader works for this question.
    interrupt: Mutex<Option<Interrupt>>,
}

impl Call {
    fn interrupt(&self) -> MutexGuard<'_, Option<Interrupt>> {
        self.interrupt
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Interrupts the question when dropped before its end.
struct Asker(Arc<Call>);

impl Drop for Asker {
    fn drop(&mut self) {
        self.0.is_given_up.store(true, Ordering::Relaxed);
        if let Some(interrupt) = self.0.interrupt().as_ref() {
            interrupt.interrupt();
        }
    }
}

impl Readers {
    pub(crate) fn of(dir: &Path) -> Self {
        Self {
            dir: dir.into(),
            idle: Mutex::default(),
            quick: Arc::new(Semaphore::new(QUICK)),
            sums: Arc::new(Semaphore::new(SUMS)),
            searches: Arc::new(Semaphore::new(SEARCHES)),
        }
    }

    /// Has `work` done with a reader, on a thread that may block.
    pub(crate) async fn ask<T: Send + 'static>(
        self: &Arc<Self>,
        process: &Process,
        pace: Pace,
        work: impl FnOnce(&Reader, &Patience) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Refusal> {
        let (places, limit) = match pace {
            Pace::Quick => (&self.quick, LIMIT),
            Pace::Sums(limit) => (&self.sums, limit + LIMIT),
            Pace::Search(limit) => (&self.searches, limit + LIMIT),
        };
        let turn = timeout(TURN, Arc::clone(places).acquire_owned()).await;
        let Ok(Ok(permit)) = turn else {
            return Err(busy("too much is asked of the record at a time"));
        };
        let call = Arc::new(Call::default());
        let asker = Asker(Arc::clone(&call));
        let own = Arc::clone(self);
        let working = process.tasks.spawn_blocking(move || {
            let _permit = permit;
            own.work(call, work)
        });
        let done = tokio::select! {
            done = timeout(limit, working) => done,
            () = process.stopping.cancelled() => return Err(busy("the gateway is ending")),
        };
        drop(asker);
        match done {
            Ok(Ok(Ok(Some(answer)))) => Ok(answer),
            Ok(Ok(Ok(None))) => Err(busy("the question took too long")),
            Ok(Ok(Err(error))) => Err(refused(&error)),
            Ok(Err(panic)) => {
                tracing::error!("a question to the record failed: {panic}");
                Err(Refusal::internal("the question failed; the log says why"))
            }
            Err(_) => Err(busy("the record does not answer in time")),
        }
    }

    /// The answer; `None` if nobody waits for it.
    fn work<T>(
        &self,
        call: Arc<Call>,
        work: impl FnOnce(&Reader, &Patience) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        let spare = self.idle().pop();
        let reader = match spare {
            Some(reader) => reader,
            None => Reader::open(&self.dir)?,
        };
        *call.interrupt() = Some(reader.interrupt());
        // Whoever has left before now has found nothing to interrupt.
        let is_wanted = !call.is_given_up.load(Ordering::Relaxed);
        let patience = Patience {
            call: Arc::clone(&call),
            began: clock::now(),
        };
        let answer = is_wanted.then(|| work(&reader, &patience)).transpose();
        // From here on the reader may be another question's.
        *call.interrupt() = None;
        let mut idle = self.idle();
        if idle.len() < IDLE {
            idle.push(reader);
        }
        answer
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Reader>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn busy(message: &str) -> Refusal {
    Refusal {
        retry_after: Some(1),
        ..Refusal::unavailable(format!("{message}; try again, or ask for less"))
    }
}

/// What a reader says names files: that is for the log only.
fn refused(error: &Error) -> Refusal {
    if error.is_interruption() {
        return busy("the question took too long");
    }
    tracing::error!("the record cannot be read: {error}");
    match error {
        Error::Missing(_) | Error::TooNew { .. } => {
            Refusal::unavailable("there is no record that can be read; the log says why")
        }
        Error::Io { .. } | Error::Database(_) | Error::Damaged { .. } | Error::Row { .. } => {
            Refusal::internal("the record cannot be read; the log says why")
        }
    }
}

#[cfg(test)]
mod tests {
    use lingate_store::{Options, Store};

    use super::*;

    #[test]
    fn a_question_is_not_begun_when_its_asker_has_left() {
        let dir = tempfile::tempdir().unwrap();
        let _store = Store::open(dir.path(), Options::default(), jiff::Timestamp::now()).unwrap();
        let readers = Readers::of(dir.path());
        for (has_left, expected) in [(false, Some(7)), (true, None)] {
            let call = Arc::new(Call::default());
            let asker = Asker(Arc::clone(&call));
            let asker = (!has_left).then_some(asker);
            let answer = readers.work(call, |_, _| Ok(7)).unwrap();
            assert_eq!(answer, expected, "{has_left}");
            drop(asker);
        }
    }
}
