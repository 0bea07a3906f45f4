//! A client's socket as the server library sees it: framing checked, closed with care.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

use super::framing::{Refusal, Scanner};
use crate::cork::Cork;

/// What an HTTP/2 connection begins with (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Room for the first read: most heads fit.
const FIRST_READ: usize = 4096;
/// No request holds it: the server library answers 400 to what it stands in, and closes.
const POISON: u8 = 0;
/// How long a client may go on sending after our last word. Closing a socket with unread bytes is a reset, which could
/// reach the client before it has read why.
const LINGER: Duration = Duration::from_secs(1);

/// A client's socket, of which a few bytes have been read ahead.
pub(crate) struct Socket {
    stream: TcpStream,
    ahead: BytesMut,
    /// HTTP/1 only: the frames of HTTP/2 leave nothing to guess.
    scanner: Option<Scanner>,
    refused: Option<Refusal>,
    linger: Option<Pin<Box<Sleep>>>,
    /// HTTP/1 only: the library gathers the frames of HTTP/2 itself, and adds none to what could not be written.
    cork: Option<Cork>,
}

impl Socket {
    /// Reads as much as tells HTTP/1 from HTTP/2. `None` if the client leaves before that.
    pub(crate) async fn accept(mut stream: TcpStream) -> Option<Self> {
        let mut ahead = BytesMut::with_capacity(FIRST_READ);
        while is_part_of_preface(&ahead) && ahead.len() < PREFACE.len() {
            if stream.read_buf(&mut ahead).await.ok()? == 0 {
                return None;
            }
        }
        let is_http2 = is_part_of_preface(&ahead);
        Some(Self {
            stream,
            ahead,
            scanner: (!is_http2).then(Scanner::default),
            refused: None,
            linger: None,
            cork: (!is_http2).then(Cork::default),
        })
    }

    /// Whether the client speaks HTTP/2.
    pub(crate) const fn is_http2(&self) -> bool {
        self.scanner.is_none()
    }

    /// Has the scanner read what came from the socket. The bytes before a fault go on as they came: a bad head is then
    /// broken for the library to answer, a bad body ends in an error for whoever reads it.
    fn check(&mut self, buf: &mut ReadBuf<'_>, before: usize) {
        let Some(scanner) = &mut self.scanner else {
            return;
        };
        let came = buf.filled().get(before..).unwrap_or_default();
        let Err(refusal) = scanner.follow(came) else {
            return;
        };
        tracing::warn!("refused a request: {}", refusal.what);
        self.refused = Some(refusal);
        buf.set_filled(before + refusal.at);
        if refusal.is_head {
            buf.put_slice(&[POISON]);
        }
    }
}

impl Refusal {
    /// What comes after it: nothing for a head, which has been answered; an error in a body.
    fn end(self) -> io::Result<()> {
        if self.is_head {
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::InvalidData, self.what))
    }
}

fn is_part_of_preface(bytes: &[u8]) -> bool {
    bytes.iter().zip(PREFACE).all(|(came, due)| came == due)
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(refusal) = self.refused {
            return Poll::Ready(refusal.end());
        }
        let before = buf.filled().len();
        if self.ahead.is_empty() {
            ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        } else {
            let taken = self.ahead.len().min(buf.remaining());
            buf.put_slice(self.ahead.get(..taken).unwrap_or_default());
            self.ahead.advance(taken);
        }
        self.check(buf, before);
        // No bytes would be the end of the connection.
        match self.refused {
            Some(refusal) if buf.filled().len() == before => Poll::Ready(refusal.end()),
            _ => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let stream = Pin::new(&mut this.stream);
        Cork::of(&mut this.cork, buf.len(), cx, |cx| {
            stream.poll_write(cx, buf)
        })
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let stream = Pin::new(&mut this.stream);
        let n_bytes = bufs.iter().map(|buf| buf.len()).sum();
        Cork::of(&mut this.cork, n_bytes, cx, |cx| {
            stream.poll_write_vectored(cx, bufs)
        })
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Says that nothing more comes, then throws away what the client still sends, for a moment.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.linger.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
        }
        let linger = this.linger.get_or_insert_with(|| Box::pin(sleep(LINGER)));
        let mut space = [0; FIRST_READ];
        loop {
            if linger.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Ok(()));
            }
            let mut buf = ReadBuf::new(&mut space);
            let read = ready!(Pin::new(&mut this.stream).poll_read(cx, &mut buf));
            if read.is_err() || buf.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}
