//! Holds what is to be written back until the turn of the scheduler ends, so that all that comes within it goes out in one
//! write.
//!
//! One read from an upstream brings many events, and the client library hands them on one at a time. Each written by
//! itself is a system call and wakes the client, which together cost more than everything else that is done for it. A
//! turn ends when nothing is left that can be done at once: where nothing else is to be done, it ends immediately.

use std::io;
use std::pin::pin;
use std::task::{Context, Poll};

/// As much is worth a write of its own.
const ENOUGH: usize = 16 * 1024;

/// What is held back of one connection.
#[derive(Debug, Default)]
pub(super) enum Cork {
    /// Nothing.
    #[default]
    Empty,
    /// So many bytes, until the turn ends that began with the last of them.
    Held(usize),
    /// Nothing either: what was begun to be written is written as soon as there is room.
    Drawn,
}

impl Cork {
    /// Has `write` write `n_bytes` once nothing has been added to them for a turn.
    pub(super) fn write(
        &mut self,
        n_bytes: usize,
        context: &mut Context<'_>,
        write: impl FnOnce(&mut Context<'_>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let held = match *self {
            Self::Empty => Some(0),
            Self::Held(held) => Some(held),
            Self::Drawn => None,
        };
        if n_bytes < ENOUGH && held.is_some_and(|held| held < n_bytes) {
            *self = Self::Held(n_bytes);
            wake_after_turn(context);
            return Poll::Pending;
        }
        let written = write(context);
        *self = match written {
            Poll::Ready(Ok(n_written)) if n_written == n_bytes => Self::Empty,
            _ => Self::Drawn,
        };
        written
    }
}

/// Wakes the task when all others that can go on have done so.
fn wake_after_turn(context: &mut Context<'_>) {
    // The waker is kept by the scheduler, not by this future.
    let _ = pin!(tokio::task::yield_now()).poll(context);
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

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

    #[test]
    fn what_grows_is_held_until_it_does_not() {
        let cork = &mut Cork::default();
        for n_bytes in [10, 20, 21] {
            assert_eq!(write(cork, n_bytes, Poll::Ready(n_bytes)), None);
        }
        assert_eq!(write(cork, 21, Poll::Ready(21)), Some(Poll::Ready(21)));
        // The next begins anew.
        assert_eq!(write(cork, 5, Poll::Ready(5)), None);
        assert_eq!(write(cork, 5, Poll::Ready(5)), Some(Poll::Ready(5)));
    }

    #[test]
    fn much_is_not_held() {
        let cork = &mut Cork::default();
        assert_eq!(
            write(cork, ENOUGH, Poll::Ready(ENOUGH)),
            Some(Poll::Ready(ENOUGH))
        );
        assert_eq!(write(cork, 10, Poll::Ready(10)), None);
        assert!(write(cork, ENOUGH, Poll::Ready(ENOUGH)).is_some());
    }

    #[test]
    fn what_is_begun_is_not_held_again() {
        let cork = &mut Cork::default();
        assert_eq!(write(cork, 10, Poll::Pending), None);
        assert_eq!(write(cork, 10, Poll::Pending), Some(Poll::Pending));
        assert_eq!(write(cork, 12, Poll::Ready(4)), Some(Poll::Ready(4)));
        assert_eq!(write(cork, 8, Poll::Ready(8)), Some(Poll::Ready(8)));
        assert_eq!(write(cork, 1, Poll::Ready(1)), None);
    }

    /// Others that can go on do so first.
    #[tokio::test]
    async fn a_turn_is_as_long_as_there_is_something_to_do() {
        let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
        let other = tokio::spawn(async move {
            for piece in 0..20 {
                sender.send(piece).await.unwrap();
            }
        });
        let mut cork = Cork::default();
        let (mut n_bytes, mut writes) = (0, Vec::new());
        std::future::poll_fn(|context| {
            let mut is_over = false;
            loop {
                match receiver.poll_recv(context) {
                    Poll::Ready(Some(_)) => n_bytes += 1,
                    Poll::Ready(None) => break is_over = true,
                    Poll::Pending => break,
                }
            }
            let waiting = n_bytes;
            if waiting > 0
                && cork
                    .write(waiting, context, |_| Poll::Ready(Ok(waiting)))
                    .is_ready()
            {
                writes.push(waiting);
                n_bytes = 0;
            }
            match is_over && n_bytes == 0 {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
        other.await.unwrap();
        assert_eq!(writes, [20]);
    }
}
