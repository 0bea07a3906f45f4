//! The upstream: reads every request to its end and gives the answer of the running case.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::time::{Sleep, sleep};

use crate::answers::Answer;

/// The running upstream. It serves for as long as the process lives.
pub(crate) struct Upstream {
    /// Where it listens.
    pub address: SocketAddr,
    answer: Arc<Mutex<Answer>>,
}

impl Upstream {
    /// Starts it on the current runtime.
    pub(crate) async fn start(answer: Answer) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let answer = Arc::new(Mutex::new(answer));
        let shared = Arc::clone(&answer);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&shared);
                let service = service_fn(move |request| reply(request, Arc::clone(&shared)));
                if stream.set_nodelay(true).is_err() {
                    continue;
                }
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service);
                // A peer that hangs up is no news to it.
                tokio::spawn(async move { drop(connection.await) });
            }
        });
        Ok(Self { address, answer })
    }

    /// What it answers from now on.
    pub(crate) fn set(&self, answer: Answer) {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = answer;
    }
}

async fn reply(
    mut request: Request<Incoming>,
    answer: Arc<Mutex<Answer>>,
) -> Result<Response<Pieces>, Infallible> {
    while let Some(Ok(_)) = request.body_mut().frame().await {}
    let answer = answer
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    let mut response = Response::new(Pieces {
        pieces: answer.pieces,
        next: 0,
        has_paused: true,
        pause: answer.pause,
        sleep: None,
    });
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
    Ok(response)
}

/// A body that lets each piece go out before the next one is there, as a model's stream does.
struct Pieces {
    pieces: Arc<[Bytes]>,
    next: usize,
    has_paused: bool,
    pause: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if !self.has_paused && !self.pause.is_zero() {
            let pause = self.pause;
            let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep(pause)));
            ready!(sleep.as_mut().poll(context));
            self.sleep = None;
        } else if !self.has_paused {
            self.has_paused = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let piece = self.pieces.get(self.next).cloned();
        self.next += 1;
        self.has_paused = self.next >= self.pieces.len();
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.next >= self.pieces.len()
    }

    /// A whole answer has a length, a stream has none.
    fn size_hint(&self) -> SizeHint {
        match &*self.pieces {
            [only] if self.next == 0 => SizeHint::with_exact(only.len() as u64),
            _ => SizeHint::default(),
        }
    }
}
