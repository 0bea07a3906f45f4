//! What has passed over each connection to a provider, as far as it tells whether a request that was lost together with its
//! connection may be sent again ([`super::pooled`]).
//!
//! It is watched above TLS, where the words of a peer that says goodbye are no bytes of an answer.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use http::uri::Scheme;
use http::{Extensions, Uri};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::error::Elapsed;
use tower_service::Service;

use super::proxy::Transport;
use crate::cork::Cork;

/// What has passed over one connection. It is found in the extensions of every response that came over it.
#[derive(Debug, Clone, Default)]
pub(super) struct Traffic(Arc<Passed>);

/// Whoever asks was told by the connection's task that it is over; that orders what was stored before.
#[derive(Debug, Default)]
struct Passed {
    is_kept: AtomicBool,
    is_silent: AtomicBool,
}

impl Traffic {
    /// That of the connection that a response came over.
    pub(super) fn of(response: &Extensions) -> Option<&Self> {
        response.get()
    }

    /// That of the connection with which a request was lost.
    pub(super) fn at(lost: &Connected) -> Option<Self> {
        let mut told = Extensions::new();
        lost.get_extras(&mut told);
        told.remove()
    }

    /// A request got its answer: from now on the connection is one that was kept.
    pub(super) fn answered(&self) {
        self.0.is_kept.store(true, Ordering::Relaxed);
    }

    /// Whether an earlier request got its answer over it.
    pub(super) fn is_kept(&self) -> bool {
        self.0.is_kept.load(Ordering::Relaxed)
    }

    /// Whether nothing has come since something went out, or was to go out.
    pub(super) fn is_silent(&self) -> bool {
        self.0.is_silent.load(Ordering::Relaxed)
    }

    fn sends(&self) {
        self.0.is_silent.store(true, Ordering::Relaxed);
    }

    fn hears(&self) {
        self.0.is_silent.store(false, Ordering::Relaxed);
    }
}

/// Makes connections whose traffic is watched. The library copies it for every request, whether that needs a connection or
/// not: what it is made of is shared.
#[derive(Clone)]
pub(super) struct Dialer(Arc<Dialing>);

struct Dialing {
    connector: HttpsConnector<Transport>,
    /// Longest time until a connection stands, whoever stands between and TLS included.
    limit: Duration,
}

impl Dialer {
    /// Connects like this, and gives up after `limit`.
    pub(super) fn new(connector: HttpsConnector<Transport>, limit: Duration) -> Self {
        Self(Arc::new(Dialing { connector, limit }))
    }
}

/// A connection did not stand in time.
#[derive(Debug, thiserror::Error)]
#[error("no connection within {} s (`timeouts.connect`)", .limit.as_secs_f64())]
struct TooLate {
    limit: Duration,
    source: Elapsed,
}

/// What the dialer's own connector makes.
type Stream = <HttpsConnector<Transport> as Service<Uri>>::Response;
type DialError = <HttpsConnector<Transport> as Service<Uri>>::Error;

impl Service<Uri> for Dialer {
    type Response = TokioIo<Watched<Stream>>;
    type Error = DialError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, DialError>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), DialError>> {
        // Each call has a connector of its own, which is asked then.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        // In plain text it is HTTP/1, and often a host on the same machine: under load its requests go out one behind the other,
        // and wake it once. Hosts elsewhere are not woken by us.
        let is_plain = to.scheme() == Some(&Scheme::HTTP);
        let cork = is_plain.then(Cork::default);
        let limit = self.0.limit;
        let mut connector = self.0.connector.clone();
        let dialing = tokio::time::timeout(limit, async move {
            poll_fn(|context| connector.poll_ready(context)).await?;
            connector.call(to).await
        });
        Box::pin(async move {
            let stream = dialing
                .await
                .map_err(|source| TooLate { limit, source })??;
            Ok(TokioIo::new(Watched::new(stream, cork)))
        })
    }
}

/// A connection whose traffic is watched.
pub(super) struct Watched<S> {
    stream: TokioIo<S>,
    traffic: Traffic,
    cork: Option<Cork>,
}

impl<S> Watched<S> {
    fn new(stream: S, cork: Option<Cork>) -> Self {
        Self {
            stream: TokioIo::new(stream),
            traffic: Traffic::default(),
            cork,
        }
    }
}

impl<S: Connection> Connection for Watched<S> {
    fn connected(&self) -> Connected {
        let told = self.stream.inner().connected();
        // Nobody asks for the addresses that would be told along.
        let own = Connected::new()
            .proxy(told.is_proxied())
            .extra(self.traffic.clone());
        if told.is_negotiated_h2() {
            own.negotiated_h2()
        } else {
            own
        }
    }
}

impl<S: hyper::rt::Read + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.traffic.hears();
        }
        read
    }
}

impl<S: hyper::rt::Write + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.traffic.sends();
        let this = &mut *self;
        let stream = Pin::new(&mut this.stream);
        Cork::of(&mut this.cork, bytes.len(), context, |context| {
            stream.poll_write(context, bytes)
        })
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.traffic.sends();
        let this = &mut *self;
        let stream = Pin::new(&mut this.stream);
        let n_bytes = pieces.iter().map(|piece| piece.len()).sum();
        Cork::of(&mut this.cork, n_bytes, context, |context| {
            stream.poll_write_vectored(context, pieces)
        })
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
