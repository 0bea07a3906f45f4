//! Reads a request's body: up to a cap, and no longer than it keeps coming.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;
use http_body::Body as _;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use lingate_wire::turn::{Failure, FailureKind};
use tokio::time::timeout;

/// Reads a whole body of at most `cap` bytes as text. A declared length over the cap is refused before a byte is read, and
/// a client that falls silent for `idle` in the middle is not waited for.
pub(crate) async fn read(
    mut body: Incoming,
    cap: u64,
    idle: Duration,
) -> Result<ByteString, Failure> {
    let hint = body.size_hint();
    if hint.lower() > cap {
        return Err(too_large(cap));
    }
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    loop {
        let Ok(frame) = timeout(idle, body.frame()).await else {
            return Err(Failure::new(
                FailureKind::RequestTimeout,
                format!(
                    "the body stopped coming: nothing for {} s; send the request again",
                    idle.as_secs()
                ),
            ));
        };
        let Some(frame) = frame else {
            break;
        };
        let frame = frame.map_err(|error| {
            Failure::new(
                FailureKind::InvalidRequest,
                format!("the body could not be read: {error}"),
            )
        })?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if (first.len() + rest.len() + data.len()) as u64 > cap {
            return Err(too_large(cap));
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
    }
    let whole = if rest.is_empty() {
        first
    } else {
        rest.freeze()
    };
    ByteString::try_from(whole)
        .map_err(|_| Failure::new(FailureKind::InvalidRequest, "the body is not valid UTF-8"))
}

fn too_large(cap: u64) -> Failure {
    Failure::new(
        FailureKind::TooLarge,
        format!("the body is larger than {cap} bytes (`server.max_body`)"),
    )
}
