//! How many connections are held at a time: more than a host's users need, less than the process may open.
//!
//! Every connection may need a second one to a provider, and running out of file descriptors fails in places that cannot
//! tell anybody. Beyond the limit a few connections still get in, to be told so in their own wire; beyond those the
//! listener's queue waits.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::limits::Limits;

/// File descriptors for everything but connections: files, the log, the runtime.
const OWN_FILES: u64 = 64;
/// Connections that get in to be told that there is no room.
const LOBBY: usize = 64;
/// However many files may be opened.
const MOST: usize = 16 * 1024;
/// However few.
const LEAST: usize = 16;

/// The room for connections.
pub(crate) struct Admission {
    seats: Arc<Semaphore>,
    lobby: Arc<Semaphore>,
}

/// A connection's place, given back when it is dropped.
pub(crate) struct Admitted {
    /// There is no room: whatever it asks is refused for now.
    pub is_full: bool,
    _place: Option<OwnedSemaphorePermit>,
}

impl Admission {
    /// Room for as many as `limits` say, else as the process's limit on open files allows. That limit is raised as far as
    /// an unprivileged process may.
    pub(crate) fn new(limits: &Limits) -> Self {
        let seats = limits
            .connections
            .unwrap_or_else(|| seats(open_files().unwrap_or(1024)));
        Self {
            seats: Arc::new(Semaphore::new(seats)),
            lobby: Arc::new(Semaphore::new(LOBBY)),
        }
    }

    /// Before a connection is accepted: waits only while even those who are to be refused are too many.
    pub(crate) async fn lobby(&self) -> Admitted {
        Admitted {
            is_full: true,
            _place: Arc::clone(&self.lobby).acquire_owned().await.ok(),
        }
    }
}

impl Admitted {
    /// Once it is accepted: a seat, if there is one.
    pub(crate) fn seated(self, admission: &Admission) -> Self {
        match Arc::clone(&admission.seats).try_acquire_owned() {
            Ok(seat) => Self {
                is_full: false,
                _place: Some(seat),
            },
            Err(_) => self,
        }
    }
}

/// Connections for a process that may open so many files.
fn seats(files: u64) -> usize {
    let pairs = files.saturating_sub(OWN_FILES + LOBBY as u64) / 2;
    usize::try_from(pairs)
        .unwrap_or(usize::MAX)
        .clamp(LEAST, MOST)
}

/// Raises the limit on open files as far as it goes; gives what it is then. `None` where there is none.
#[cfg(unix)]
fn open_files() -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    if limit.current != limit.maximum && setrlimit(Resource::Nofile, raised).is_err() {
        return limit.current;
    }
    Some(limit.maximum.unwrap_or(u64::MAX))
}

#[cfg(not(unix))]
fn open_files() -> Option<u64> {
    Some(u64::MAX)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn connections_by_the_number_of_files() {
        for (files, due) in [
            (0, LEAST),
            (128, LEAST),
            (256, 64),
            (1024, 448),
            (20_000, 9936),
            (1 << 20, MOST),
            (u64::MAX, MOST),
        ] {
            assert_eq!(seats(files), due, "{files}");
        }
    }

    #[tokio::test]
    async fn who_comes_too_late_is_told_so_and_a_place_is_given_back() {
        let limits = Limits {
            connections: Some(1),
            ..Limits::default()
        };
        let admission = Admission::new(&limits);
        let first = admission.lobby().await.seated(&admission);
        assert!(!first.is_full);
        let mut lobby = Vec::new();
        for _ in 0..LOBBY {
            lobby.push(admission.lobby().await.seated(&admission));
        }
        assert!(lobby.iter().all(|place| place.is_full));
        let more = admission.lobby();
        tokio::pin!(more);
        assert!((&mut more).now_or_never().is_none());
        drop(lobby);
        let more = more.await;
        drop(first);
        assert!(!more.seated(&admission).is_full, "it has become free");
    }
}
