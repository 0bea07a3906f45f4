//! The listener: connections in, requests out, and the end of both.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::admission::Admitted;
use super::limits::{HEAD_BYTES, HEAD_LINES, READ_BYTES, SEND_BYTES, UNSENT_BYTES};
use super::service::serve;
use super::socket::Socket;
use crate::generations::Generations;

/// Requests at a time on one HTTP/2 connection.
const STREAMS: u32 = 100;
/// When a silent HTTP/2 connection is asked for a sign of life, and how long that may take.
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_LIMIT: Duration = Duration::from_secs(10);
/// Pause after a failed accept (no more file descriptors), so that it does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long a connection for which there is no room may take to be told so.
const LOBBY_STAY: Duration = Duration::from_secs(5);

/// Accepts until the gateway is stopping.
pub(crate) async fn accept(listener: &TcpListener, generations: &Arc<Generations>) {
    let process = &generations.process;
    loop {
        // What is not accepted waits in the listener's queue.
        let place_and_stream = async {
            let place = process.admission.lobby().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            biased;
            () = process.stopping.cancelled() => return,
            accepted = place_and_stream => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let admitted = place.seated(&process.admission);
                let generations = Arc::clone(generations);
                let ending = process.books.ending.clone();
                process
                    .tasks
                    .spawn(ending.run_until_cancelled_owned(async move {
                        if !admitted.is_full {
                            return connection(generations, stream, peer, &admitted).await;
                        }
                        tracing::warn!(%peer, "no room for another connection");
                        let told = connection(generations, stream, peer, &admitted);
                        let _ = timeout(LOBBY_STAY, told).await;
                    }));
            }
            Err(error) => {
                tracing::warn!("cannot accept a connection: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(
    generations: Arc<Generations>,
    stream: TcpStream,
    peer: SocketAddr,
    admitted: &Admitted,
) {
    let process = Arc::clone(&generations.process);
    if stream.set_nodelay(true).is_err() || bound_queue(&stream).is_err() {
        return;
    }
    let Ok(Some(socket)) = timeout(process.limits.head, Socket::accept(stream)).await else {
        return;
    };
    let builder = auto::Builder::new(TokioExecutor::new());
    let mut builder = if socket.is_http2() {
        builder.http2_only()
    } else {
        builder.http1_only()
    };
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(process.limits.head)
        .max_buf_size(READ_BYTES)
        .max_headers(HEAD_LINES)
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_send_buf_size(SEND_BYTES)
        .max_header_list_size(u32::try_from(HEAD_BYTES).unwrap_or(u32::MAX))
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_LIMIT)
        .max_pending_accept_reset_streams(20);
    let is_full = admitted.is_full;
    let service =
        service_fn(move |request| serve(Arc::clone(&generations), request, peer, is_full));
    let connection = builder.serve_connection(TokioIo::new(socket), service);
    tokio::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = process.stopping.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%peer, "connection ended: {error}");
    }
}

/// Has the system take no more for a client than it has room for, and a little. It otherwise queues megabytes, all of
/// which the upstream has then written for nobody.
#[cfg(target_os = "linux")]
fn bound_queue(stream: &TcpStream) -> io::Result<()> {
    SockRef::from(stream).set_tcp_notsent_lowat(UNSENT_BYTES)
}

/// Where the system cannot tell sent from unsent, the whole queue is bounded.
#[cfg(not(target_os = "linux"))]
fn bound_queue(stream: &TcpStream) -> io::Result<()> {
    let bytes = usize::try_from(2 * UNSENT_BYTES).unwrap_or(usize::MAX);
    SockRef::from(stream).set_send_buffer_size(bytes)
}
