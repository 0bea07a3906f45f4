//! Requests over kept connections.
//!
//! A server may close a connection that nobody uses at the very moment at which a request goes out over it, and the client
//! cannot know whether that was read (RFC 9112, 9.3.1). Then the request goes out once more, over a new connection. It does
//! so only if
//! * an earlier request got its answer over the connection: a server that closes new ones has another reason;
//! * the connection ended, closed or reset, without one byte in answer; or HTTP/2 says that the request was not looked at
//!   (RFC 9113, 8.7);
//! * that was soon. A server that took its time has worked on the request, and a second one would be paid for twice.
//!
//! Whatever becomes of the second one is the end of it.

use std::error::Error as _;
use std::io;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::client::legacy::{Builder, Client, Error};

use super::payload::Payload;
use super::traffic::{Dialer, Traffic};
use crate::clock;

/// A connection that ends later than this after a request went out was not about to be closed.
const SOON: Duration = Duration::from_secs(2);

/// A pooled client.
#[derive(Clone)]
pub(crate) struct HttpClient {
    /// Takes a connection of the pool, if there is one.
    kept: Client<Dialer, Payload>,
    /// Makes a new connection for each request.
    new: Client<Dialer, Payload>,
}

impl HttpClient {
    /// A client that is set up like this. The `builder` is used up: it pools nothing any more.
    pub(super) fn new(builder: &mut Builder, dialer: Dialer) -> Self {
        Self {
            kept: builder.build(dialer.clone()),
            new: builder.pool_max_idle_per_host(0).build(dialer),
        }
    }

    /// Sends a request, again if need be.
    ///
    /// # Errors
    /// If there is no connection, or it ends before the head of an answer.
    pub(crate) async fn request(
        &self,
        request: Request<Payload>,
    ) -> Result<Response<Incoming>, Error> {
        let same = request.clone();
        self.send(request, || Some(same)).await
    }

    /// The same, where `again` makes the request anew when it is to go out once more; so nothing is cloned for what hardly
    /// ever happens.
    ///
    /// # Errors
    /// If there is no connection, or it ends before the head of an answer.
    pub(crate) async fn send(
        &self,
        request: Request<Payload>,
        again: impl FnOnce() -> Option<Request<Payload>>,
    ) -> Result<Response<Incoming>, Error> {
        let began = clock::now();
        let error = match self.kept.request(request).await {
            Ok(response) => {
                if let Some(traffic) = Traffic::of(response.extensions()) {
                    traffic.answered();
                }
                return Ok(response);
            }
            Err(error) => error,
        };
        let waited = clock::now().saturating_duration_since(began);
        let request = is_lost(&error, waited).then(again).flatten();
        match request {
            Some(request) => self.new.request(request).await,
            None => Err(error),
        }
    }
}

/// Whether a request was lost because the connection that it went out over was about to be closed.
fn is_lost(error: &Error, waited: Duration) -> bool {
    let traffic = error.connect_info().and_then(Traffic::at);
    traffic.is_some_and(|traffic| {
        let has_ended = || waited < SOON && traffic.is_silent() && has_ended(error);
        traffic.is_kept() && (is_unseen(error) || has_ended())
    })
}

/// What an error was caused by, and by what that was.
fn causes(error: &Error) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    std::iter::successors(error.source(), |&cause| cause.source())
}

/// Whether the peer says that it has not looked at the request: it refuses the stream, or goes away and names a stream
/// before this one as the last that it has seen.
fn is_unseen(error: &Error) -> bool {
    causes(error).any(|cause| {
        cause.downcast_ref().is_some_and(|cause: &h2::Error| {
            let is_refused = cause.is_reset() && cause.reason() == Some(h2::Reason::REFUSED_STREAM);
            cause.is_remote() && (is_refused || cause.is_go_away())
        })
    })
}

/// Whether the connection was closed or reset, and not given up for anything that the peer did over it.
fn has_ended(error: &Error) -> bool {
    causes(error).any(|cause| {
        if let Some(cause) = cause.downcast_ref::<hyper::Error>() {
            return cause.is_incomplete_message() || cause.is_closed();
        }
        cause.downcast_ref().is_some_and(|cause: &io::Error| {
            matches!(
                cause.kind(),
                io::ErrorKind::BrokenPipe
                    | io::ErrorKind::ConnectionAborted
                    | io::ErrorKind::ConnectionReset
                    | io::ErrorKind::NotConnected
                    | io::ErrorKind::UnexpectedEof
            )
        })
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use h2::{Reason, server};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::task::JoinSet;

    use super::*;
    use crate::upstream::client::{Way, builder, dialer};

    /// What an HTTP/2 server does to the second request of its first connection.
    #[derive(Debug, Clone, Copy, PartialEq)]
    enum Does {
        Refuses,
        GoesAway,
        /// Resets it for another reason.
        Fails,
        Closes,
    }

    /// Answers every request, until it `does` something to the second one.
    async fn serve(socket: TcpStream, does: Option<Does>) {
        if does == Some(Does::GoesAway) {
            return goes_away(socket).await;
        }
        let mut connection = server::handshake(socket).await.unwrap();
        let mut seen = 0;
        while let Some(Ok((_request, mut respond))) = connection.accept().await {
            seen += 1;
            match does.filter(|_| seen == 2) {
                Some(Does::Refuses) => respond.send_reset(Reason::REFUSED_STREAM),
                Some(Does::Fails) => respond.send_reset(Reason::INTERNAL_ERROR),
                Some(Does::Closes | Does::GoesAway) => return,
                None => drop(respond.send_response(Response::new(()), true).unwrap()),
            }
        }
    }

    /// Answers one request by hand, and the second with a GOAWAY that names the first as the last.
    async fn goes_away(mut socket: TcpStream) {
        let mut read = [0; 24];
        socket.read_exact(&mut read).await.unwrap();
        socket
            .write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0])
            .await
            .unwrap();
        let mut requests = 0;
        loop {
            let kind = frame(&mut socket).await;
            requests += usize::from(kind == 1);
            // HEADERS with `:status: 200`, all of the answer; GOAWAY without an error.
            let answer: &[u8] = match (kind, requests) {
                (1, 1) => &[0, 0, 1, 1, 5, 0, 0, 0, 1, 0x88],
                (1, _) => &[0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0],
                _ => continue,
            };
            socket.write_all(answer).await.unwrap();
            if requests == 2 {
                return;
            }
        }
    }

    /// Reads a frame; gives its kind.
    async fn frame(socket: &mut TcpStream) -> u8 {
        let mut head = [0; 9];
        socket.read_exact(&mut head).await.unwrap();
        let mut rest = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
        socket.read_exact(&mut rest).await.unwrap();
        head[3]
    }

    fn over_http2() -> HttpClient {
        let dialer = dialer(&Way::plain(None), None).unwrap();
        HttpClient::new(builder().http2_only(true), dialer)
    }

    /// Two requests one after the other; gives whether the second was sent again and what became of it.
    async fn ask(does: Does) -> (bool, Result<(), Error>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let client = over_http2();
        let request = || {
            let mut request = Request::new(Payload::from(Bytes::from_static(b"{}")));
            *request.uri_mut() = url.parse().unwrap();
            request
        };
        let server = async {
            let mut served = JoinSet::new();
            for does in std::iter::once(Some(does)).chain(std::iter::repeat(None)) {
                let (socket, _) = listener.accept().await.unwrap();
                served.spawn(serve(socket, does));
            }
        };
        let asking = async {
            client.send(request(), || None).await.unwrap();
            let mut is_again = false;
            let asked = client.send(request(), || {
                is_again = true;
                Some(request())
            });
            let asked = asked.await.map(drop);
            (is_again, asked)
        };
        tokio::select! {
            asked = asking => asked,
            () = server => unreachable!("it serves for ever"),
        }
    }

    #[tokio::test]
    async fn over_http2_what_nobody_looked_at_goes_out_again() {
        for (does, is_due) in [
            (Does::Refuses, true),
            (Does::GoesAway, true),
            (Does::Closes, true),
            (Does::Fails, false),
        ] {
            let asked = tokio::time::timeout(Duration::from_secs(20), ask(does)).await;
            let (is_again, end) = asked.expect("it ends");
            assert_eq!(
                (is_again, end.is_ok()),
                (is_due, is_due),
                "{does:?}: {end:?}"
            );
        }
    }
}
