//! `GET /api/logs/{id}/blobs/{kind}`: a body, byte for byte as it was, but for masked secrets.
//!
//! What models and providers wrote is nobody's page: it is sent as something to be saved, in a type that no browser runs.
//! Large bodies are read in parts as the client takes them, so that none is ever held whole.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
    ETAG, IF_NONE_MATCH,
};
use http::{HeaderMap, HeaderName, Response, StatusCode};
use http_body_util::{BodyExt as _, Either, Full, StreamBody};
use hyper::body::Frame;
use lingate_store::{BodyKind, BodyPlace, Reader};
use serde::de::IgnoredAny;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::one;
use crate::admin::document;
use crate::admin::parameters::{Asked, Kind, Parameter};
use crate::admin::readers::{Pace, Readers};
use crate::admin::refusal::Refusal;
use crate::front::respond::{self, Body};
use crate::shared::Process;

/// Bytes read at a time.
const PART: usize = 256 << 10;
/// How often a part is asked for while the record is busy, a second after another.
const TRIES: u8 = 20;

pub(crate) const PARAMETERS: &[Parameter] = &[Parameter {
    name: "attempt",
    kind: Kind::Number,
    about: "Which attempt's, from 1; the last one's if left out. The client's bodies belong to none.",
}];

pub(crate) async fn answer(
    process: &Arc<Process>,
    id: String,
    kind: BodyKind,
    asked: &Asked,
    headers: &HeaderMap,
) -> Result<Response<Body>, Refusal> {
    let attempt = match (asked.number("attempt"), kind) {
        (None, _) | (Some(_), BodyKind::ClientRequest | BodyKind::ClientResponse) => None,
        (Some(number), BodyKind::ProviderRequest | BodyKind::ProviderResponse) => {
            Some(u16::try_from(number).unwrap_or(u16::MAX))
        }
    };
    let readers = document::readers(process)?;
    let work = move |reader: &Reader, _: &_| {
        let Some(id) = one::find(reader, &id)? else {
            return Ok(None);
        };
        let is_there = reader.exchange(id)?.is_some();
        let place = reader.body_place(id, kind, attempt)?;
        Ok(is_there.then_some((id, place)))
    };
    let found = readers.ask(process, Pace::Quick, work).await?;
    let (id, place) = found.ok_or_else(one::missing)?;
    let place = Arc::new(place.ok_or_else(missing)?);
    let etag = format!("\"{}\"", place.info.etag);
    let mut response = if place.info.available && is_known(headers, &etag) {
        respond::empty(StatusCode::NOT_MODIFIED)
    } else {
        let first = part(readers, process, &place, 0)
            .await?
            .ok_or_else(missing)?;
        let content_type = content_type(&first, place.info.bytes);
        let mut response = whole_or_parts(readers, process, &place, first);
        respond::set(response.headers_mut(), CONTENT_TYPE, content_type);
        response
    };
    let headers = response.headers_mut();
    let name = format!("attachment; filename=\"{id}-{}\"", kind.name());
    for (header, value) in [
        (ETAG, etag.as_str()),
        (CACHE_CONTROL, "private, max-age=3600"),
        (CONTENT_DISPOSITION, &name),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"),
        (HeaderName::from_static("x-content-type-options"), "nosniff"),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ] {
        respond::set(headers, header, value);
    }
    Ok(response)
}

fn whole_or_parts(
    readers: &Arc<Readers>,
    process: &Arc<Process>,
    place: &Arc<BodyPlace>,
    first: Vec<u8>,
) -> Response<Body> {
    let length = place.info.bytes;
    if first.len() as u64 >= length {
        return Response::new(Either::Left(Full::new(first.into())));
    }
    let begin = (
        Arc::clone(readers),
        Arc::clone(process),
        Arc::clone(place),
        Some(first),
        0,
    );
    let parts =
        futures_util::stream::unfold(begin, |(readers, process, place, first, from)| async move {
            let bytes = match first {
                Some(bytes) => bytes,
                // A body that ends early breaks the connection, which says that it is not whole.
                None => {
                    let ask = || part(&readers, &process, &place, from);
                    patiently(&process.stopping, ask).await.ok()??
                }
            };
            let next = from + bytes.len() as u64;
            let frame = Ok::<_, Infallible>(Frame::data(Bytes::from(bytes)));
            (next > from).then_some((frame, (readers, process, place, None, next)))
        });
    let mut response = Response::new(Either::Right(StreamBody::new(parts).boxed_unsync()));
    respond::set(response.headers_mut(), CONTENT_LENGTH, &length.to_string());
    response
}

/// About so much of a body; `None` if it is no longer there.
async fn part(
    readers: &Arc<Readers>,
    process: &Process,
    place: &Arc<BodyPlace>,
    from: u64,
) -> Result<Option<Vec<u8>>, Refusal> {
    let place = Arc::clone(place);
    let work = move |reader: &Reader, _: &_| reader.body_part(&place, from, PART);
    readers.ask(process, Pace::Quick, work).await
}

/// Asks again while the record is only busy: what has begun to be sent is not given up at once.
async fn patiently<T, F: Future<Output = Result<T, Refusal>>>(
    stopping: &CancellationToken,
    mut ask: impl FnMut() -> F,
) -> Result<T, Refusal> {
    let mut left = TRIES;
    loop {
        let refusal = match ask().await {
            Ok(answer) => return Ok(answer),
            Err(refusal) => refusal,
        };
        left -= 1;
        let wait = refusal.retry_after.filter(|_| left > 0);
        let Some(wait) = wait.filter(|_| !stopping.is_cancelled()) else {
            return Err(refusal);
        };
        sleep(Duration::from_secs(wait.into())).await;
    }
}

fn missing() -> Refusal {
    Refusal::missing(
        "Blob not found",
        "this body was not kept (`record.bodies`), was shed, or is too old; `bodies` of /api/logs/{id} says what there is",
    )
}

/// Whether the client has what it would be sent.
fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let shown = headers.get_all(IF_NONE_MATCH).iter();
    shown
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|shown| shown == "*" || shown.strip_prefix("W/").unwrap_or(shown) == etag)
}

/// The type of a body, by how it begins.
fn content_type(first: &[u8], length: u64) -> &'static str {
    let is_whole = first.len() as u64 >= length;
    let start = first.trim_ascii_start().first();
    let is_text = match std::str::from_utf8(first) {
        Ok(_) => true,
        // A character that is cut by the end of the part is no mistake.
        Err(error) => !is_whole && error.error_len().is_none(),
    };
    let is_json = matches!(start, Some(b'{' | b'['))
        && (!is_whole || serde_json::from_slice::<IgnoredAny>(first).is_ok());
    match (is_text, is_json) {
        (true, true) => "application/json",
        (true, false) => "text/plain; charset=utf-8",
        (false, _) => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_what_no_browser_runs() {
        for (first, length, expected) in [
            ("{\"a\":1}", 7, "application/json"),
            (" [1]", 4, "application/json"),
            ("{\"a\":", 5, "text/plain; charset=utf-8"),
            ("{\"a\":", 9, "application/json"),
            ("event: x\ndata: {}\n\n", 19, "text/plain; charset=utf-8"),
            ("<script>alert(1)</script>", 25, "text/plain; charset=utf-8"),
            ("", 0, "text/plain; charset=utf-8"),
        ] {
            assert_eq!(content_type(first.as_bytes(), length), expected, "{first}");
        }
        assert_eq!(content_type(b"\xff\xfe", 2), "application/octet-stream");
        assert_eq!(
            content_type("aü".as_bytes().get(..2).unwrap(), 3),
            "text/plain; charset=utf-8"
        );
        assert_eq!(
            content_type("aü".as_bytes().get(..2).unwrap(), 2),
            "application/octet-stream"
        );
    }

    #[test]
    fn tags_are_compared_as_caches_send_them() {
        for (shown, expected) in [
            ("\"abc\"", true),
            ("W/\"abc\"", true),
            ("\"x\", \"abc\"", true),
            ("*", true),
            ("\"ab\"", false),
            ("abc", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(IF_NONE_MATCH, shown.parse().unwrap())]);
            assert_eq!(is_known(&headers, "\"abc\""), expected, "{shown}");
        }
        assert!(!is_known(&HeaderMap::new(), "\"abc\""));
    }

    /// How often a part was asked for, and whether it came, where so many questions are refused first.
    async fn asked(n_refused: u32, retry_after: Option<u16>, is_stopping: bool) -> (u32, bool) {
        let stopping = CancellationToken::new();
        if is_stopping {
            stopping.cancel();
        }
        let mut n_asked = 0;
        let got = patiently(&stopping, || {
            n_asked += 1;
            let refusal = Refusal {
                retry_after,
                ..Refusal::unavailable("busy")
            };
            std::future::ready((n_asked > n_refused).then_some(()).ok_or(refusal))
        })
        .await;
        (n_asked, got.is_ok())
    }

    #[tokio::test(start_paused = true)]
    async fn a_busy_record_is_asked_again() {
        for (n_refused, retry_after, is_stopping, expected) in [
            (0, Some(1), false, (1, true)),
            (5, Some(1), false, (6, true)),
            (1000, Some(1), false, (20, false)),
            (1, None, false, (1, false)),
            (1, Some(1), true, (1, false)),
        ] {
            assert_eq!(
                asked(n_refused, retry_after, is_stopping).await,
                expected,
                "{n_refused} {retry_after:?} {is_stopping}"
            );
        }
    }
}
