//! An answer with something wrong.

use std::io::Write as _;
use std::time::Duration;

use http::header::{CONTENT_ENCODING, HeaderValue, RETRY_AFTER};
use lingate_store::Bytes;
use lingate_wire::bridge;
use lingate_wire::turn::{Failure, FailureKind};

use super::answer::{Answer, End, Step};
use super::asked::{Asked, Endpoint};
use super::fault::Kind;
use super::scripted;

/// Seconds after which an overloaded provider says one may try again.
const RETRY: u64 = 1;

/// The answer as a provider gives it that gets this wrong.
pub(super) fn faulty(kind: Kind, mut answer: Answer, asked: &Asked) -> Answer {
    let wire = asked.endpoint.wire();
    match kind {
        Kind::Status(code) => {
            let retry = matches!(code, 429 | 529).then_some(RETRY);
            error(asked, code, retry, of_status(code))
        }
        Kind::RateLimit(seconds) => error(asked, 429, Some(seconds), of_status(429)),
        Kind::TooLong => {
            let failure = FailureKind::ContextOverflow {
                tokens: Some(250_000),
                maximum: Some(200_000),
            };
            let words = "prompt is too long: 250000 tokens > 200000 maximum";
            error(asked, 400, None, Failure::new(failure, words))
        }
        Kind::Html => Answer::whole(
            200,
            "text/html; charset=utf-8",
            "<!doctype html><title>Sign in</title><p>Welcome to the network.",
        ),
        Kind::Empty => Answer {
            steps: Vec::new(),
            ..answer
        },
        Kind::Json => match asked.endpoint {
            Endpoint::Reply(wire) => {
                Answer::whole(200, "application/json", scripted::whole(wire, asked))
            }
            Endpoint::Count(_) => answer,
        },
        Kind::ErrorAfter(_) if !asked.streams => error(asked, 500, None, died()),
        Kind::ErrorAfter(events) => {
            answer = shortened(answer, events, asked, End::Whole);
            let event = scripted::failed_event(wire, asked, &died());
            answer.steps.push(Step::now(event));
            answer
        }
        Kind::CutAfter(events) => shortened(answer, events, asked, End::Cut),
        Kind::ResetAfter(events) => shortened(answer, events, asked, End::Reset),
        Kind::StallAfter(events) => shortened(answer, events, asked, End::Stall),
        Kind::Silence => Answer {
            end: End::Silence,
            ..answer
        },
        Kind::Reset => Answer {
            end: End::Refused,
            ..answer
        },
        Kind::Slow(time) => Answer {
            pause: answer.pause + time,
            ..answer
        },
        Kind::Drip => dripping(answer),
        Kind::Gzip => packed(answer),
    }
}

fn died() -> Failure {
    Failure::new(FailureKind::Server, "The engine died")
}

fn of_status(code: u16) -> Failure {
    let (kind, words) = match code {
        401 => (FailureKind::Authentication, "Invalid Authentication"),
        402 => (FailureKind::Billing, "Insufficient balance"),
        403 => (FailureKind::Permission, "Not allowed"),
        404 => (FailureKind::NotFound, "No such model"),
        413 => (FailureKind::TooLarge, "The request is too large"),
        429 => (
            FailureKind::RateLimit,
            "Your account reached its limit of requests, please try again later",
        ),
        503 | 529 => (
            FailureKind::Overloaded,
            "The engine is currently overloaded, please try again later",
        ),
        400..=499 => (FailureKind::InvalidRequest, "Invalid request"),
        _ => (FailureKind::Server, "The engine died"),
    };
    Failure::new(kind, words)
}

/// The wire's words, whatever status that wire would give them.
fn error(asked: &Asked, status: u16, retry: Option<u64>, failure: Failure) -> Answer {
    let (_, body) = bridge::encode_error(asked.endpoint.wire(), &failure, "mock");
    let mut answer = Answer::whole(status, "application/json", body);
    answer
        .headers
        .extend(retry.map(|seconds| (RETRY_AFTER, HeaderValue::from(seconds))));
    answer
}

/// Only so many events of a stream, or half of another body.
fn shortened(mut answer: Answer, events: usize, asked: &Asked, end: End) -> Answer {
    let body = answer.body();
    let most = match asked.streams {
        true => behind(&body, events),
        false => body.len() / 2,
    };
    let mut left = most;
    for step in &mut answer.steps {
        let length = step.bytes.len().min(left);
        step.bytes.truncate(length);
        left -= length;
    }
    answer.steps.retain(|step| !step.bytes.is_empty());
    Answer { end, ..answer }
}

/// Where so many events of a stream end.
fn behind(body: &[u8], events: usize) -> usize {
    let mut seen = 0;
    let mut at = 0;
    while seen < events {
        let rest = body.get(at..).unwrap_or_default();
        let end = |blank: &[u8]| {
            let found = rest.windows(blank.len()).position(|window| window == blank);
            found.map(|found| found + blank.len())
        };
        let ends = [end(b"\n\n"), end(b"\r\n\r\n")];
        match ends.into_iter().flatten().min() {
            Some(end) => at += end,
            None => return body.len(),
        }
        seen += 1;
    }
    at
}

fn dripping(answer: Answer) -> Answer {
    let steps = answer.steps.iter().flat_map(|step| {
        let pauses = [step.pause]
            .into_iter()
            .chain(std::iter::repeat(Duration::ZERO));
        let bytes = (0..step.bytes.len()).map(|at| step.bytes.slice(at..=at));
        bytes
            .zip(pauses)
            .map(|(bytes, pause)| Step { pause, bytes })
    });
    Answer {
        steps: steps.collect(),
        ..answer
    }
}

fn packed(mut answer: Answer) -> Answer {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let packed = encoder
        .write_all(&answer.body())
        .and_then(|()| encoder.finish());
    let Ok(packed) = packed else {
        return answer;
    };
    answer
        .headers
        .push((CONTENT_ENCODING, HeaderValue::from_static("gzip")));
    Answer {
        steps: vec![Step::now(Bytes::from(packed))],
        ..answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mock::fault::Fault;

    fn asked(streams: bool) -> Asked {
        let body = format!("{{\"model\":\"m\",\"stream\":{streams}}}");
        Asked::new("/v1/chat/completions", "", body.into_bytes()).unwrap()
    }

    fn made(spec: &str, streams: bool) -> (Answer, String) {
        let asked = asked(streams);
        let fault: Fault = spec.parse().unwrap();
        let answer = faulty(fault.kind, scripted::answer(&asked), &asked);
        let body = String::from_utf8(answer.body()).unwrap_or_default();
        (answer, body)
    }

    /// Status, end, what the body holds and what it does not.
    fn check(spec: &str, streams: bool, status: u16, end: End, has: &str, has_not: &str) {
        let (answer, body) = made(spec, streams);
        assert_eq!((answer.status, answer.end), (status, end), "{spec} {body}");
        assert!(body.contains(has), "{spec}: {body}");
        assert!(
            has_not.is_empty() || !body.contains(has_not),
            "{spec}: {body}"
        );
    }

    #[test]
    fn each_is_wrong_in_its_way() {
        check("status=529", true, 529, End::Whole, "overloaded", "mock:");
        check("status=418", false, 418, End::Whole, "Invalid request", "");
        check("rate-limit=20", true, 429, End::Whole, "limit", "");
        check("too-long", true, 400, End::Whole, "prompt is too long", "");
        check("html", true, 200, End::Whole, "<!doctype", "");
        check("empty", true, 200, End::Whole, "", "data");
        check(
            "json",
            true,
            200,
            End::Whole,
            "lingate mock: no model",
            "data:",
        );
        check("error", true, 200, End::Whole, "The engine died", "lingate");
        check("error-after=3", true, 200, End::Whole, "This is", "asked.");
        check("error", false, 500, End::Whole, "The engine died", "");
        check("cut-after=3", true, 200, End::Cut, "This is", "asked.");
        check("cut-after=0", true, 200, End::Cut, "", "data");
        check("cut-after=1", false, 200, End::Cut, "{", "stop");
        check("reset-after=99", true, 200, End::Reset, "[DONE]", "");
        check("stall-after=3", true, 200, End::Stall, "This is", "asked.");
        check("silence", true, 200, End::Silence, "", "");
        check("reset", true, 200, End::Refused, "", "");
        assert_eq!(made("slow=10s", true).0.pause, Duration::from_secs(10));
        let (rate, _) = made("rate-limit=20", true);
        assert!(rate.headers.contains(&(RETRY_AFTER, HeaderValue::from(20))));
    }

    #[test]
    fn the_same_bytes_arrive_otherwise() {
        let right = scripted::answer(&asked(true));
        let (dripping, _) = made("drip", true);
        assert_eq!(dripping.body(), right.body());
        assert!(dripping.steps.iter().all(|step| step.bytes.len() == 1));
        let (packed, _) = made("gzip", true);
        let mut body = Vec::new();
        std::io::Read::read_to_end(
            &mut flate2::read::GzDecoder::new(&*packed.body()),
            &mut body,
        )
        .unwrap();
        assert_eq!(body, right.body());
    }
}
