//! A scripted provider: records every request and answers as its script says.
//!
//! It writes HTTP/1.1 by hand over the socket, because a server library refuses to do most of what must be tested:
//! unfinished bodies, resets, one byte a write. Dropping an [`Upstream`] closes its listener and every connection.

mod answer;
mod connection;
mod received;
mod request;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::loopback;

pub use answer::Answer;
pub(crate) use answer::{Act, Head};
pub use received::{Ending, Received};

/// Decides what an [`Upstream`] answers. Closures, one fixed [`Answer`] and lists of answers are scripts too.
pub trait Script: Send + Sync + 'static {
    /// The answer to one request; `request.n` counts from 0.
    fn answer(&self, request: &Received) -> Answer;

    /// What is done to the nth request of a connection, from 0, as soon as its head is here, so that its body is never read;
    /// none: the body is read, and [`Script::answer`] is asked.
    fn answer_to_head(&self, _on_connection: usize) -> Option<Answer> {
        None
    }
}

impl<F: Fn(&Received) -> Answer + Send + Sync + 'static> Script for F {
    fn answer(&self, request: &Received) -> Answer {
        self(request)
    }
}

impl Script for Answer {
    fn answer(&self, _: &Received) -> Answer {
        self.clone()
    }
}

/// The nth answer to the nth request; the last one repeats.
impl Script for Vec<Answer> {
    fn answer(&self, request: &Received) -> Answer {
        let last = self
            .len()
            .checked_sub(1)
            .expect("a list of answers holds at least one");
        self[request.n.min(last)].clone()
    }
}

impl Script for Arc<dyn Script> {
    fn answer(&self, request: &Received) -> Answer {
        self.as_ref().answer(request)
    }

    fn answer_to_head(&self, on_connection: usize) -> Option<Answer> {
        self.as_ref().answer_to_head(on_connection)
    }
}

/// A provider on a loopback port.
pub struct Upstream {
    address: SocketAddr,
    log: Log,
    _server: JoinSet<()>,
}

/// What was received so far, with a counter that wakes who waits for more.
#[derive(Clone)]
pub(crate) struct Log {
    requests: Arc<Mutex<Vec<Received>>>,
    count: watch::Sender<usize>,
}

impl Upstream {
    /// Starts a provider that answers as `script` says.
    pub async fn start(script: impl Script) -> Upstream {
        let (listener, address) = loopback::listen().await;
        let log = Log {
            requests: Arc::default(),
            count: watch::Sender::new(0),
        };
        let script: Arc<dyn Script> = Arc::new(script);
        let mut server = JoinSet::new();
        server.spawn(accept(listener, script, log.clone()));
        Upstream {
            address,
            log,
            _server: server,
        }
    }

    /// The base URL without a path: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Every request so far, in order of arrival.
    pub fn requests(&self) -> Vec<Received> {
        self.log
            .requests
            .lock()
            .expect("no recorder panicked")
            .clone()
    }

    /// Lets go of them: a test of minutes has no use for what it has asked so far. They are counted anew.
    pub fn forget(&self) {
        let mut requests = self.log.requests.lock().expect("no recorder panicked");
        requests.clear();
    }

    /// Waits until at least `n` requests have arrived and returns all of them.
    ///
    /// # Panics
    /// When they have not arrived within `limit`.
    pub async fn wait_for(&self, n: usize, limit: Duration) -> Vec<Received> {
        let mut count = self.log.count.subscribe();
        let waited = tokio::time::timeout(limit, count.wait_for(|count| *count >= n)).await;
        let requests = self.requests();
        assert!(
            waited.is_ok(),
            "{} of {n} requests arrived within {limit:?}",
            requests.len()
        );
        requests
    }
}

impl Log {
    pub(crate) fn add(&self, request: impl FnOnce(usize) -> Received) -> Received {
        let mut requests = self.requests.lock().expect("no recorder panicked");
        let request = request(requests.len());
        requests.push(request.clone());
        self.count.send_replace(requests.len());
        request
    }
}

async fn accept(listener: TcpListener, script: Arc<dyn Script>, log: Log) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((socket, _)) = accepted else { continue };
                connections.spawn(connection::serve(socket, script.clone(), log.clone()));
            }
            Some(ended) = connections.join_next() => {
                // A script that panics is a mistake in the test: say so instead of looking like a dead provider.
                if let Err(error) = ended && error.is_panic() {
                    eprintln!("the upstream's script panicked: {error}");
                }
            }
        }
    }
}
