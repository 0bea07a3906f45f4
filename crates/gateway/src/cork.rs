//! Holds what is to be written over a busy connection back until the tick of the scheduler ends, so that all that comes within
//! it goes out in one write.
//!
//! One read from an upstream brings many events, and the client library hands them on one at a time. Each written by
//! itself is a system call and wakes the client, which together cost more than everything else that is done for it. Requests
//! to upstreams on the same machine wake those, and one of several that go out one after the other is enough: all connections
//! that are busy wait for the end of the same tick. A tick ends
//! when nothing is left that can be done at once: where nothing else is to be done, it ends immediately.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use tokio::time::Instant;

use crate::clock;

/// As much is worth a write of its own.
const ENOUGH: usize = 16 * 1024;
/// What comes so long after what came before is alone, and is not held: most likely nothing comes with it, and to ask for the end
/// of a tick costs as much as a write. Events of a model that writes slower than 500 tokens a second come alone.
const BUSY: Duration = Duration::from_millis(2);

/// Between one connection and what is written to it.
#[derive(Debug, Default)]
pub(crate) struct Cork {
    state: State,
    tick: Arc<Tick>,
    /// When something was last to be written, and nothing waited.
    asked: Option<Instant>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing waits.
    #[default]
    Empty,
    /// What waits does so until the tick ends.
    Held,
    /// What was begun to be written is written as soon as there is room.
    Drawn,
}

impl Cork {
    /// Like [`Self::write`], or at once where there is no cork.
    pub(crate) fn of(
        cork: &mut Option<Self>,
        n_bytes: usize,
        context: &mut Context<'_>,
        write: impl FnOnce(&mut Context<'_>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match cork {
            Some(cork) => cork.write(n_bytes, context, write),
            None => write(context),
        }
    }

    /// Has `write` write what waits, which are `n_bytes`, when the tick ends in which the first of them came, or at once if
    /// they are many or come alone.
    fn write(
        &mut self,
        n_bytes: usize,
        context: &mut Context<'_>,
        write: impl FnOnce(&mut Context<'_>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if n_bytes < ENOUGH {
            match self.state {
                State::Empty => {
                    if self.is_busy() {
                        self.state = State::Held;
                        self.tick.begin(context);
                        return Poll::Pending;
                    }
                }
                State::Held if !self.tick.has_ended(context) => return Poll::Pending,
                State::Held | State::Drawn => {}
            }
        }
        let written = write(context);
        self.state = match written {
            Poll::Ready(Ok(n_written)) if n_written == n_bytes => State::Empty,
            _ => State::Drawn,
        };
        written
    }

    /// Whether something was to be written a moment ago, too.
    fn is_busy(&mut self) -> bool {
        let now = clock::now();
        let last = self.asked.replace(now);
        last.is_some_and(|last| now.saturating_duration_since(last) < BUSY)
    }
}

/// Is woken by the scheduler when all tasks that can go on have done so.
#[derive(Debug, Default)]
struct Tick {
    has_ended: AtomicBool,
    waiting: AtomicWaker,
}

impl Tick {
    fn begin(self: &Arc<Self>, context: &Context<'_>) {
        self.waiting.register(context.waker());
        self.has_ended.store(false, Ordering::Release);
        let end = Waker::from(Arc::clone(self));
        // The scheduler keeps the waker, not this future.
        let _ = pin!(tokio::task::yield_now()).poll(&mut Context::from_waker(&end));
    }

    fn has_ended(&self, context: &Context<'_>) -> bool {
        self.waiting.register(context.waker());
        self.has_ended.load(Ordering::Acquire)
    }
}

impl Wake for Tick {
    fn wake(self: Arc<Self>) {
        self.has_ended.store(true, Ordering::Release);
        self.waiting.wake();
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;
    use tokio_util::task::TaskTracker;

    use super::*;

    /// Asks for `n_bytes` to be written to something that takes `room` of them; how many it took, if it was asked.
    fn write(cork: &mut Cork, n_bytes: usize, room: Poll<usize>) -> Option<Poll<usize>> {
        let mut context = Context::from_waker(Waker::noop());
        let mut written = None;
        let result = cork.write(n_bytes, &mut context, |_| {
            written = Some(room);
            room.map(Ok)
        });
        assert_eq!(result.map(Result::unwrap), written.unwrap_or(Poll::Pending));
        written
    }

    /// The cork of a connection over which something was just written.
    fn busy() -> Cork {
        let mut cork = Cork::default();
        assert_eq!(write(&mut cork, 5, Poll::Ready(5)), Some(Poll::Ready(5)));
        cork
    }

    /// All that can be done has been.
    async fn tick_ends() {
        tokio::task::yield_now().await;
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_alone_is_not_held() {
        let cork = &mut busy();
        tokio::time::advance(BUSY).await;
        assert_eq!(write(cork, 10, Poll::Ready(10)), Some(Poll::Ready(10)));
        tokio::time::advance(BUSY / 2).await;
        assert_eq!(write(cork, 10, Poll::Ready(10)), None);
        tick_ends().await;
        assert_eq!(write(cork, 10, Poll::Ready(10)), Some(Poll::Ready(10)));
        tokio::time::advance(BUSY).await;
        assert_eq!(write(cork, 10, Poll::Ready(10)), Some(Poll::Ready(10)));
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_within_a_tick_is_held_until_it_ends() {
        let cork = &mut busy();
        for _ in 0..2 {
            for n_bytes in [10, 20, 20, 21] {
                assert_eq!(write(cork, n_bytes, Poll::Ready(n_bytes)), None);
            }
            tick_ends().await;
            assert_eq!(write(cork, 21, Poll::Ready(21)), Some(Poll::Ready(21)));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn much_is_not_held() {
        let cork = &mut busy();
        let all = Poll::Ready(ENOUGH);
        assert_eq!(write(cork, ENOUGH, all), Some(all));
        assert_eq!(write(cork, 10, Poll::Ready(10)), None);
        assert_eq!(write(cork, ENOUGH, all), Some(all));
        assert_eq!(write(cork, 10, Poll::Ready(10)), None, "held anew");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_begun_is_not_held_again() {
        let cork = &mut busy();
        assert_eq!(write(cork, 10, Poll::Pending), None);
        tick_ends().await;
        assert_eq!(write(cork, 10, Poll::Pending), Some(Poll::Pending));
        assert_eq!(write(cork, 12, Poll::Ready(4)), Some(Poll::Ready(4)));
        assert_eq!(write(cork, 8, Poll::Ready(8)), Some(Poll::Ready(8)));
        assert_eq!(write(cork, 1, Poll::Ready(1)), None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_of_a_tick_wakes_who_waits_for_it() {
        let mut cork = busy();
        let writing =
            std::future::poll_fn(|context| cork.write(10, context, |_| Poll::Ready(Ok(10))));
        let limit = Duration::from_secs(20);
        let written = tokio::time::timeout(limit, writing).await;
        assert_eq!(written.unwrap().unwrap(), 10);
    }

    /// Where nobody tells of ticks, it is as if each ended at once.
    #[test]
    fn without_a_scheduler_nothing_is_held_for_long() {
        let cork = &mut busy();
        assert_eq!(write(cork, 10, Poll::Ready(10)), None);
        assert_eq!(write(cork, 10, Poll::Ready(10)), Some(Poll::Ready(10)));
    }

    /// Each piece is handed over in a tick of the other task's, as the client library does it.
    async fn pieces_that_are_handed_over_one_at_a_time() {
        let (sender, mut receiver) = mpsc::channel(1);
        let tasks = TaskTracker::new();
        tasks.spawn(async move {
            for piece in 0..20 {
                sender.send(piece).await.unwrap();
            }
        });
        let mut cork = Cork::default();
        let (mut waiting, mut writes) = (0, Vec::new());
        let writing = std::future::poll_fn(move |context| {
            // Woken more often than there is something new.
            context.waker().wake_by_ref();
            let mut is_over = false;
            while let Poll::Ready(piece) = receiver.poll_recv(context) {
                match piece {
                    Some(_) => waiting += 1,
                    None => {
                        is_over = true;
                        break;
                    }
                }
            }
            let n_bytes = waiting;
            let written = |_: &mut Context<'_>| Poll::Ready(Ok(n_bytes));
            if waiting > 0 && cork.write(n_bytes, context, written).is_ready() {
                writes.push(waiting);
                waiting = 0;
            }
            match is_over && waiting == 0 {
                true => Poll::Ready(std::mem::take(&mut writes)),
                false => Poll::Pending,
            }
        });
        let writes = tasks.spawn(writing).await.unwrap();
        assert!(writes.len() <= 3, "{writes:?}");
        assert_eq!(writes.iter().sum::<usize>(), 20);
    }

    #[tokio::test]
    async fn they_go_out_together() {
        pieces_that_are_handed_over_one_at_a_time().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn they_go_out_together_on_the_gateways_runtime() {
        pieces_that_are_handed_over_one_at_a_time().await;
    }
}
