//! Reading a request off a connection: head, then a body with a length or in chunks.

use std::io;
use std::time::Instant;

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::Received;

/// A request before it has a number.
pub(super) struct Parts {
    method: String,
    target: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Parts {
    pub(super) fn received(self, n: usize, on_connection: usize) -> Received {
        let Parts {
            method,
            target,
            headers,
            body,
        } = self;
        Received {
            n,
            on_connection,
            at: Instant::now(),
            method,
            target,
            headers,
            body,
            ending: watch::Sender::new(None),
        }
    }
}

/// The head of the connection's next request; none when the client is done with it.
pub(super) async fn read_head(
    socket: &mut TcpStream,
    buffer: &mut BytesMut,
) -> io::Result<Option<Parts>> {
    loop {
        if let Some(parts) = parse_head(buffer)? {
            return Ok(Some(parts));
        }
        if socket.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
}

/// The body that belongs to a head.
pub(super) async fn read_body(
    socket: &mut TcpStream,
    buffer: &mut BytesMut,
    parts: &mut Parts,
) -> io::Result<()> {
    if header(&parts.headers, "expect").eq_ignore_ascii_case("100-continue") {
        socket.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
    }
    parts.body = if header(&parts.headers, "transfer-encoding").eq_ignore_ascii_case("chunked") {
        read_chunked(socket, buffer).await?
    } else {
        let length = header(&parts.headers, "content-length")
            .parse()
            .unwrap_or(0);
        take(socket, buffer, length).await?
    };
    Ok(())
}

fn parse_head(buffer: &mut BytesMut) -> io::Result<Option<Parts>> {
    let mut space = [httparse::EMPTY_HEADER; 128];
    let mut request = httparse::Request::new(&mut space);
    let parsed = request
        .parse(buffer)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    let httparse::Status::Complete(length) = parsed else {
        return Ok(None);
    };
    let mut headers = HeaderMap::new();
    for header in request.headers.iter() {
        let name = HeaderName::from_bytes(header.name.as_bytes()).map_err(io::Error::other)?;
        headers.append(
            name,
            HeaderValue::from_bytes(header.value).map_err(io::Error::other)?,
        );
    }
    let method = request.method.unwrap_or_default().to_owned();
    let target = request.path.unwrap_or_default().to_owned();
    buffer.advance(length);
    Ok(Some(Parts {
        method,
        target,
        headers,
        body: Bytes::new(),
    }))
}

async fn read_chunked(socket: &mut TcpStream, buffer: &mut BytesMut) -> io::Result<Bytes> {
    let mut body = BytesMut::new();
    loop {
        let line = loop {
            if let Some(end) = buffer.windows(2).position(|pair| pair == b"\r\n") {
                break buffer.split_to(end + 2);
            }
            fill(socket, buffer).await?;
        };
        let digits = line
            .as_ref()
            .split(|byte: &u8| matches!(byte, b';' | b'\r'))
            .next()
            .unwrap_or_default();
        let size = std::str::from_utf8(digits)
            .ok()
            .and_then(|digits| usize::from_str_radix(digits.trim(), 16).ok());
        let size = size.ok_or(io::ErrorKind::InvalidData)?;
        body.extend_from_slice(&take(socket, buffer, size).await?);
        take(socket, buffer, 2).await?;
        if size == 0 {
            return Ok(body.freeze());
        }
    }
}

async fn take(socket: &mut TcpStream, buffer: &mut BytesMut, length: usize) -> io::Result<Bytes> {
    while buffer.len() < length {
        fill(socket, buffer).await?;
    }
    Ok(buffer.split_to(length).freeze())
}

async fn fill(socket: &mut TcpStream, buffer: &mut BytesMut) -> io::Result<()> {
    match socket.read_buf(buffer).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}
