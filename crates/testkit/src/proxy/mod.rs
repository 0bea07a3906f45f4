//! A proxy before an upstream that damages what comes back, at any byte of it.
//!
//! It knows nothing of HTTP but where a request begins, which arms the fault anew. What it does to the bytes is decided by
//! [`damage`], without a socket; this file carries it out.

mod damage;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::{Upstream, loopback};
use damage::{Damage, Step};

pub use damage::{Fault, Place};

/// A damaging proxy on a loopback port. Dropping it closes its listener and every connection.
pub struct Proxy {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    _server: JoinSet<()>,
}

impl Proxy {
    /// Starts before an upstream. Every answer gets the fault, at its place.
    pub async fn start(upstream: &Upstream, fault: Fault, place: Place) -> Proxy {
        let (listener, address) = loopback::listen().await;
        let connections = Arc::new(AtomicUsize::new(0));
        let mut server = JoinSet::new();
        let accepting = accept(
            listener,
            upstream.address(),
            Damage::new(fault, place),
            Arc::clone(&connections),
        );
        server.spawn(accepting);
        Proxy {
            address,
            connections,
            _server: server,
        }
    }

    /// The base URL without a path: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many connections it was asked for.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

async fn accept(
    listener: TcpListener,
    upstream: SocketAddr,
    damage: Damage,
    count: Arc<AtomicUsize>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((client, _)) = accepted else { continue };
                count.fetch_add(1, Ordering::Relaxed);
                match damage.fault() {
                    Fault::Refuse => drop(client.set_zero_linger()),
                    _ => drop(connections.spawn(serve(client, upstream, damage.clone()))),
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// One connection, until either side ends it or the fault does.
async fn serve(client: TcpStream, upstream: SocketAddr, mut damage: Damage) {
    let Ok(server) = TcpStream::connect(upstream).await else {
        return;
    };
    // Each write of the upstream's, and each of the fault's, is to be one segment.
    let (_, _) = (client.set_nodelay(true), server.set_nodelay(true));
    let ((mut asks, mut hears), (mut says, mut told)) = (client.into_split(), server.into_split());
    let (mut up, mut down) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    loop {
        tokio::select! {
            read = asks.read(&mut up) => match read {
                Ok(0) | Err(_) => return,
                Ok(length) => {
                    damage.arm();
                    if damage.fault() != Fault::BlackHole && told.write_all(&up[..length]).await.is_err() {
                        return;
                    }
                }
            },
            read = says.read(&mut down) => match read {
                Ok(0) | Err(_) => return,
                Ok(length) => {
                    for step in damage.on(&down[..length]) {
                        if carry_out(step, &mut hears).await.is_err() {
                            return;
                        }
                    }
                }
            },
        }
        if damage.is_silent() {
            // The connection stays open until the client gives up on it; until then it is read, so that it is not reset.
            while let Ok(1..) = asks.read(&mut up).await {}
            return;
        }
    }
}

/// Fails where the connection is over.
async fn carry_out(step: Step, client: &mut OwnedWriteHalf) -> Result<(), ()> {
    match step {
        Step::Write(bytes) => {
            client.write_all(&bytes).await.map_err(drop)?;
            // Lets the other side read this piece before the next one is there.
            tokio::task::yield_now().await;
            Ok(())
        }
        Step::Pause(pause) => {
            tokio::time::sleep(pause).await;
            Ok(())
        }
        Step::Shutdown => client.shutdown().await.map_err(drop),
        Step::Close => {
            drop(client.shutdown().await);
            Err(())
        }
        Step::Reset => {
            drop(client.as_ref().set_zero_linger());
            Err(())
        }
    }
}
