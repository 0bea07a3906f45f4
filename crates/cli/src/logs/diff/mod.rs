//! `lingate logs diff`: what is new in a turn, in what went to the provider, what that did to the prompt cache, and how
//! the answers differ.

mod brief;
mod json;
mod marks;
mod prefix;
mod report;
mod sides;

use lingate_config::Environment;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use self::json::Change;
use self::prefix::{Prefix, prefix};
use self::sides::{Side, previous};
use super::screen::Screen;
use super::{named, open};
use crate::args::LogsDiff;
use crate::failure::Failure;
use crate::output;

/// With one id the exchange is compared with the turn before it.
pub(super) fn run(args: &LogsDiff, environment: &dyn Environment) -> Result<(), Failure> {
    let reader = open(&args.file, environment)?;
    let first = named(&reader, &args.first)?;
    let (before, after) = match &args.second {
        Some(second) => (first, named(&reader, second)?),
        None => (previous(&reader, first)?, first),
    };
    let before = Side::read(&reader, before)?;
    let after = Side::read(&reader, after)?;
    let found = Found::between(&before, &after);
    if args.format.json {
        return output::json_lines([found.as_json(&before, &after)]);
    }
    output::write(&report::text(
        &found,
        &before,
        &after,
        Screen::stdout(environment),
    ))
}

/// What differs.
#[derive(Debug, Serialize)]
struct Found {
    before: Uuid,
    after: Uuid,
    /// Milliseconds between the two requests.
    apart_ms: i64,
    /// `None` if a body was not kept or is not JSON.
    client_request: Option<Vec<Change>>,
    provider_request: Option<Vec<Change>>,
    /// What the second went to instead of where the first went.
    moved: Vec<Moved>,
    /// `None` if a body was not kept, or the wires are not the same.
    prefix: Option<Prefix>,
    /// Tokens that the kept part of the prompt has, about.
    kept_tokens: Option<u64>,
}

/// A part of the route.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Moved {
    what: &'static str,
    before: String,
    after: String,
}

impl Found {
    fn between(before: &Side, after: &Side) -> Self {
        let (one, other) = (before.exchange(), after.exchange());
        let prefix = match (before.provider_wire(), after.provider_wire()) {
            (Some(wire), Some(same)) if wire == same => {
                let bodies = before
                    .provider_request
                    .as_ref()
                    .zip(after.provider_request.as_ref());
                bodies.and_then(|(before, after)| prefix(wire, before, after))
            }
            _ => None,
        };
        let kept_tokens = prefix
            .as_ref()
            .map(|prefix| tokens(prefix, one.usage.total_input()));
        Self {
            before: one.id,
            after: other.id,
            apart_ms: other.time.as_millisecond() - one.time.as_millisecond(),
            client_request: changes(
                before.client_request.as_deref(),
                after.client_request.as_deref(),
            ),
            provider_request: changes(
                before.provider_request.as_deref(),
                after.provider_request.as_deref(),
            ),
            moved: moved(before, after),
            prefix,
            kept_tokens,
        }
    }

    fn as_json(&self, before: &Side, after: &Side) -> Value {
        let answer = |side: &Side| {
            let exchange = side.exchange();
            let answer = side.answer.as_ref();
            let calls = answer.map(|answer| {
                let calls = answer.calls.iter();
                calls
                    .map(|call| json!({"name": call.name, "input": call.input}))
                    .collect::<Vec<_>>()
            });
            json!({
                "text": answer.map(|answer| &answer.text),
                "thoughts": answer.map(|answer| &answer.thoughts),
                "calls": calls,
                "stop": exchange.stop,
                "failure": answer.and_then(|answer| answer.failure.as_ref()),
                "exchange": exchange,
            })
        };
        let mut value = serde_json::to_value(self).unwrap_or_default();
        if let Some(members) = value.as_object_mut() {
            members.insert(
                "answers".to_owned(),
                json!({"before": answer(before), "after": answer(after)}),
            );
        }
        value
    }
}

fn changes(before: Option<&[u8]>, after: Option<&[u8]>) -> Option<Vec<Change>> {
    let before = serde_json::from_slice(before?).ok()?;
    let after = serde_json::from_slice(after?).ok()?;
    Some(json::changes(&before, &after))
}

/// About how many tokens are kept: in proportion where the provider told the earlier prompt's, else a quarter of the bytes.
fn tokens(prefix: &Prefix, total: Option<u64>) -> u64 {
    let (kept, bytes) = (prefix.kept_bytes as u64, prefix.bytes as u64);
    let told = total.and_then(|total| total.checked_mul(kept)?.checked_div(bytes));
    told.unwrap_or(kept / 4)
}

/// Where the second went instead of where the first went. A cache is kept by model and account: of another it is empty.
fn moved(before: &Side, after: &Side) -> Vec<Moved> {
    let of = |side: &Side| -> [(&'static str, String); 4] {
        let attempt = side.attempt();
        let exchange = side.exchange();
        let text = |text: Option<&str>| text.unwrap_or("-").to_owned();
        [
            (
                "provider",
                text(
                    exchange
                        .provider
                        .as_deref()
                        .or(attempt.map(|attempt| attempt.provider.as_str())),
                ),
            ),
            (
                "model",
                text(
                    exchange
                        .upstream_model
                        .as_deref()
                        .or(attempt.map(|attempt| attempt.model.as_str())),
                ),
            ),
            (
                "key",
                text(attempt.and_then(|attempt| attempt.key.as_deref())),
            ),
            (
                "wire",
                side.provider_wire()
                    .map_or("-", lingate_wire::Wire::name)
                    .to_owned(),
            ),
        ]
    };
    let pairs = of(before).into_iter().zip(of(after));
    pairs
        .filter(|((_, before), (_, after))| before != after)
        .map(|((what, before), (_, after))| Moved {
            what,
            before,
            after,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_in_proportion_where_they_were_told() {
        let of = |kept_bytes, bytes| Prefix {
            kept_bytes,
            bytes,
            parts: None,
            also: Vec::new(),
        };
        assert_eq!(tokens(&of(500, 1000), Some(300)), 150);
        assert_eq!(tokens(&of(500, 1000), None), 125);
        assert_eq!(tokens(&of(0, 0), Some(300)), 0);
    }
}
