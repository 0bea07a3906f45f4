//! Reads a request's body: up to a cap, no longer than it keeps coming, and free of content codings.

use std::error::Error as _;
use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;
use http_body::Body as _;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use lingate_wire::turn::{Failure, FailureKind};
use tokio::time::timeout_at;

use super::encoding::{self, Coding};
use super::limits::Limits;
use crate::clock;
use crate::shared::Shared;

/// Why there is no body.
#[derive(Debug)]
pub(crate) enum Unread {
    /// The client left in the middle of it.
    Left,
    /// It is not taken.
    Refused(Failure),
}

impl From<Failure> for Unread {
    fn from(failure: Failure) -> Self {
        Self::Refused(failure)
    }
}

impl From<Unread> for Failure {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::Left => Self::new(
                FailureKind::InvalidRequest,
                "the connection ended before the body was whole; send the request again",
            ),
            Unread::Refused(failure) => failure,
        }
    }
}

/// Reads a whole body and undoes its content codings. `server.max_body` is the cap before and after that.
pub(crate) async fn received(
    shared: &Shared,
    body: Incoming,
    codings: Vec<Coding>,
) -> Result<Bytes, Unread> {
    let cap = shared.config.server.max_body;
    let bytes = read(body, cap, &shared.limits).await?;
    if codings.is_empty() {
        return Ok(bytes);
    }
    let work = move || encoding::decoded(&bytes, &codings, cap);
    let decoded = shared.tasks.spawn_blocking(work).await;
    Ok(decoded.map_err(|_panic| {
        Failure::new(
            FailureKind::InvalidRequest,
            "the body's `content-encoding` cannot be undone",
        )
    })??)
}

/// A body as text.
pub(crate) fn text(bytes: Bytes) -> Result<ByteString, Failure> {
    ByteString::try_from(bytes)
        .map_err(|_| Failure::new(FailureKind::InvalidRequest, "the body is not valid UTF-8"))
}

/// Reads a whole body of at most `cap` bytes as it comes. A declared length over the cap is refused before a byte is read;
/// a client that falls silent in the middle, or drips, is not waited for.
pub(crate) async fn read(mut body: Incoming, cap: u64, limits: &Limits) -> Result<Bytes, Unread> {
    let hint = body.size_hint();
    if hint.lower() > cap {
        return Err(too_large(cap).into());
    }
    let began = clock::now();
    let mut now = began;
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    // A body whose length is known has no end to wait for.
    while !body.is_end_stream() {
        let came = (first.len() + rest.len()) as u64;
        let earned = Duration::from_secs(came / u64::from(limits.body_rate.max(1)));
        let next = (now + limits.body_idle).min(began + limits.body_idle + earned);
        let Ok(frame) = timeout_at(next, body.frame()).await else {
            return Err(too_slow(limits).into());
        };
        let Some(frame) = frame else {
            break;
        };
        let frame = frame.map_err(|error| broken(&error))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if (first.len() + rest.len() + data.len()) as u64 > cap {
            return Err(too_large(cap).into());
        }
        // Most small bodies come in one piece, which then is the body without a copy.
        if first.is_empty() && rest.is_empty() {
            first = data;
        } else {
            if rest.is_empty() {
                let expected = usize::try_from(hint.exact().unwrap_or(0)).unwrap_or(0);
                rest.reserve(expected.max(first.len() + data.len()));
                rest.extend_from_slice(&std::mem::take(&mut first));
            }
            rest.extend_from_slice(&data);
        }
        now = clock::now();
    }
    Ok(if rest.is_empty() {
        first
    } else {
        rest.freeze()
    })
}

/// A body that does not go on. Whoever sends what is no chunk still listens; every other end of it is the connection's or,
/// over HTTP/2, the stream's.
fn broken(error: &hyper::Error) -> Unread {
    let cause = error.source().and_then(|cause| cause.downcast_ref());
    let is_malformed = |cause: &io::Error| {
        use io::ErrorKind::{InvalidData, InvalidInput};
        matches!(cause.kind(), InvalidData | InvalidInput)
    };
    if !cause.is_some_and(is_malformed) {
        return Unread::Left;
    }
    Unread::Refused(Failure::new(
        FailureKind::InvalidRequest,
        format!("the body could not be read: {error}"),
    ))
}

fn too_slow(limits: &Limits) -> Failure {
    Failure::new(
        FailureKind::RequestTimeout,
        format!(
            "the body stopped coming: nothing for {} s, or fewer than {} bytes a second; send the request again",
            limits.body_idle.as_secs(),
            limits.body_rate,
        ),
    )
}

fn too_large(cap: u64) -> Failure {
    Failure::new(
        FailureKind::TooLarge,
        format!("the body is larger than {cap} bytes (`server.max_body`)"),
    )
}
