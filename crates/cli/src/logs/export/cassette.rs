//! A cassette out of the record.

use jiff::Timestamp;
use lingate_store::{Attempt, BodyKind, KeptBody, Mark};
use uuid::Uuid;

use super::{Export, Target, Whole};
use crate::cassette::{Client, Content, Label, Recorded, Sent, VERSION};
use crate::failure::Failure;

pub(super) fn write(export: &Export<'_>, ids: &[Uuid], target: &mut Target) -> Result<(), Failure> {
    let label = Label {
        lingate_cassette: VERSION,
        version: crate::commands::VERSION.to_owned(),
        made: format!("{:.0}", Timestamp::now()),
        exchanges: ids.len(),
        redacted_texts: export.is_redacted,
    };
    export.line(&label, target)?;
    for id in ids {
        let n_damaged = export.damaged.count();
        let whole = export.read(*id)?;
        if export.damaged.count() > n_damaged {
            continue;
        }
        let gone = || {
            Failure::problem(format!("exchange `{id}` was deleted meanwhile")).hint("export again")
        };
        export.line(&recorded(export, &whole.ok_or_else(gone)?), target)?;
    }
    Ok(())
}

fn recorded(export: &Export<'_>, whole: &Whole) -> Recorded {
    let exchange = &whole.record.exchange;
    let details = &whole.record.details;
    let content = |kind| Some(export.content(&body(whole, kind, 0)?.bytes));
    let client = Client {
        wire: exchange
            .client_wire
            .map(|wire| wire.name().to_owned())
            .unwrap_or_default(),
        path: exchange.path.clone(),
        model: exchange.model.clone(),
        request_headers: details.client_request_headers.clone(),
        request: content(BodyKind::ClientRequest),
        status: exchange.status,
        response_headers: details.client_response_headers.clone(),
        response: content(BodyKind::ClientResponse),
    };
    let attempts = details.attempts.iter();
    Recorded {
        id: exchange.id.to_string(),
        time: format!("{:.3}", exchange.time),
        session: exchange.session.clone(),
        class: exchange.class.clone(),
        client,
        attempts: attempts
            .map(|attempt| sent(export, whole, attempt))
            .collect(),
    }
}

fn sent(export: &Export<'_>, whole: &Whole, attempt: &Attempt) -> Sent {
    let content = |kind| -> Option<Content> {
        Some(export.content(&body(whole, kind, attempt.number)?.bytes))
    };
    let answer = body(whole, BodyKind::ProviderResponse, attempt.number);
    let since = |at_us: u64| at_us.saturating_sub(attempt.started_us);
    let arrivals = answer.into_iter().flat_map(|answer| &answer.arrivals);
    let arrivals: Vec<_> = arrivals
        .map(|arrival| (arrival.end, since(arrival.at_us)))
        .collect();
    let ended = attempt.ended_us.unwrap_or(u64::MAX);
    let is_head =
        |mark: &&Mark| mark.what == "headers" && (attempt.started_us..=ended).contains(&mark.at_us);
    let head = whole
        .record
        .details
        .timings
        .iter()
        .find(is_head)
        .map(|mark| since(mark.at_us));
    let first = arrivals.first().map(|(_, at)| *at);
    Sent {
        provider: attempt.provider.to_string(),
        model: attempt.model.to_string(),
        wire: attempt.wire.to_string(),
        url: attempt.url.clone(),
        request_headers: attempt.request_headers.clone(),
        request: content(BodyKind::ProviderRequest),
        status: attempt.status,
        response_headers: attempt.response_headers.clone(),
        response: content(BodyKind::ProviderResponse),
        head_us: head.or(first).unwrap_or_default(),
        arrivals,
        is_cut: is_cut(attempt),
    }
}

/// Whether the answer broke off, or nobody waited for its end.
fn is_cut(attempt: &Attempt) -> bool {
    let error = attempt.error.as_deref().unwrap_or_default();
    attempt.outcome == "aborted"
        || attempt.outcome == "failed" && error.contains("connection to the upstream broke")
}

fn body(whole: &Whole, kind: BodyKind, attempt: u16) -> Option<&KeptBody> {
    let mut bodies = whole.bodies.iter();
    bodies.find(|body| body.info.kind == kind && body.info.attempt == attempt)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_answers_break_again() {
        for (outcome, error, expected) in [
            ("served", None, false),
            ("aborted", None, true),
            ("failed", Some("overloaded"), false),
            (
                "failed",
                Some("the connection to the upstream broke: reset"),
                true,
            ),
        ] {
            let attempt = Attempt {
                outcome: outcome.into(),
                error: error.map(str::to_owned),
                ..Attempt::default()
            };
            assert_eq!(is_cut(&attempt), expected, "{outcome} {error:?}");
        }
    }
}
