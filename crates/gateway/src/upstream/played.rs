//! A recorded reply's body, given out as it came.

use std::collections::VecDeque;
use std::pin::Pin;

use bytes::Bytes;
use lingate_wire::turn::Failure;
use tokio::time::{Instant, Sleep, sleep_until};

/// The pieces of a body, each at its time.
pub(crate) struct PlayedBody {
    pieces: VecDeque<(Instant, Bytes)>,
    end: PlayedEnd,
    pause: Option<Pin<Box<Sleep>>>,
}

/// How a recorded body goes on behind its last piece.
#[derive(Debug, Clone)]
pub(crate) enum PlayedEnd {
    /// It ends.
    Whole(Instant),
    /// It breaks off.
    Broken(Instant, Failure),
    /// Nobody waited for its end: nothing ever comes.
    Unseen,
}

impl PlayedBody {
    /// `pieces` in order of their times.
    pub(crate) fn new(pieces: VecDeque<(Instant, Bytes)>, end: PlayedEnd) -> Self {
        Self {
            pieces,
            end,
            pause: None,
        }
    }

    /// The next piece. Cancel safe: a pause that was begun goes on at the next call.
    pub(crate) async fn chunk(&mut self) -> Option<Result<Bytes, Failure>> {
        let due = match (self.pieces.front(), &self.end) {
            (Some((at, _)), _) => *at,
            (None, PlayedEnd::Whole(at) | PlayedEnd::Broken(at, _)) => *at,
            (None, PlayedEnd::Unseen) => std::future::pending().await,
        };
        self.pause
            .get_or_insert_with(|| Box::pin(sleep_until(due)))
            .await;
        self.pause = None;
        if let Some((_, bytes)) = self.pieces.pop_front() {
            return Some(Ok(bytes));
        }
        match std::mem::replace(&mut self.end, PlayedEnd::Whole(due)) {
            PlayedEnd::Broken(_, failure) => Some(Err(failure)),
            PlayedEnd::Whole(_) | PlayedEnd::Unseen => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use lingate_wire::turn::FailureKind;

    use super::*;

    /// Everything a body gives, with the milliseconds at which it does.
    async fn given(end: PlayedEnd, start: Instant) -> Vec<(u128, String)> {
        let piece = |ms, text: &'static str| {
            let at = start + Duration::from_millis(ms);
            (at, Bytes::from_static(text.as_bytes()))
        };
        let pieces = [piece(5, "a"), piece(5, "b"), piece(40_000, "c")];
        let mut body = PlayedBody::new(pieces.into(), end);
        let mut all = Vec::new();
        let patience = Duration::from_secs(3600);
        while let Ok(next) = tokio::time::timeout(patience, body.chunk()).await {
            let at = start.elapsed().as_millis();
            match next {
                Some(Ok(bytes)) => all.push((at, String::from_utf8(bytes.to_vec()).unwrap())),
                Some(Err(failure)) => all.push((at, failure.message)),
                None => {
                    all.push((at, "end".to_owned()));
                    return all;
                }
            }
        }
        all
    }

    #[tokio::test(start_paused = true)]
    async fn every_piece_and_the_end_come_at_their_time() {
        let check = async |end: fn(Instant) -> PlayedEnd, expected: &[(u128, &str)]| {
            let start = crate::clock::now();
            let given = given(end(start + Duration::from_secs(60)), start).await;
            let given: Vec<(u128, &str)> = given.iter().map(|(at, text)| (*at, &**text)).collect();
            let mut all = vec![(5, "a"), (5, "b"), (40_000, "c")];
            all.extend(expected);
            assert_eq!(given, all);
        };
        check(PlayedEnd::Whole, &[(60_000, "end")]).await;
        let broken = |at| PlayedEnd::Broken(at, Failure::new(FailureKind::Truncated, "cut"));
        check(broken, &[(60_000, "cut"), (60_000, "end")]).await;
        check(|_| PlayedEnd::Unseen, &[]).await;
    }
}
