//! `GET /v1/models`: one list whose objects carry both the Anthropic and the `OpenAI` members; in other shapes for Codex
//! and for clients of the Gemini wire.

use std::ops::Range;

use http::header::{ETAG, IF_NONE_MATCH};
use http::{HeaderMap, Response, StatusCode};
use lingate_route::{PublishedModel, published};
use lingate_wire::gemini::ModelEntry;
use lingate_wire::responses::models::CodexModel;
use lingate_wire::turn::{Effort, Failure, FailureKind};
use lingate_wire::{Wire, gemini, responses};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::keys::Caller;
use super::respond::{self, Body};
use super::route::percent_decoded;
use crate::shared::Shared;

/// The dated facts carry no creation dates, and clients only parse them.
const CREATED: (&str, u64) = ("2026-01-01T00:00:00Z", 1_767_225_600);
/// What a model that thinks can be asked for; every wire's encoder brings it to what the upstream knows.
const EFFORTS: &[Effort] = &[Effort::Low, Effort::Medium, Effort::High];
/// Marks an id whose window Claude Code takes for a million tokens; no route knows it.
const WINDOW_SUFFIX: &str = "[1m]";

/// How the list is asked for.
pub(crate) struct Asked<'a> {
    /// The wire of the path.
    pub wire: Wire,
    /// The query, without `?`.
    pub query: &'a str,
    /// The request's headers.
    pub headers: &'a HeaderMap,
}

/// The list in the shape that the client reads, or the page of it that the query asks for.
pub(crate) fn list(
    shared: &Shared,
    profile: Option<&str>,
    caller: &Caller,
    asked: &Asked<'_>,
) -> Response<Body> {
    let visible = visible(shared, profile, caller);
    if asked.wire == Wire::Gemini {
        let entries: Vec<_> = visible.iter().map(gemini_entry).collect();
        return respond::json(StatusCode::OK, gemini::encode_models(&entries));
    }
    // Codex tells its version and reads a shape of its own.
    if pairs(asked.query).any(|(name, _)| name == "client_version") {
        return codex_list(&visible, asked.headers);
    }
    let ids: Vec<&str> = visible.iter().map(|model| model.id.as_str()).collect();
    let Page { range, has_more } = Page::of(&ids, asked.query);
    let models: Vec<Value> = visible
        .get(range)
        .unwrap_or_default()
        .iter()
        .map(|model| object(model, &model.id))
        .collect();
    let id = |model: Option<&Value>| model.map_or(Value::Null, |model| model["id"].clone());
    let body = json!({
        "object": "list",
        "has_more": has_more,
        "first_id": id(models.first()),
        "last_id": id(models.last()),
        "data": models,
    });
    respond::json(StatusCode::OK, body.to_string())
}

/// Codex keeps the list and asks whether it is still the same.
fn codex_list(models: &[PublishedModel], headers: &HeaderMap) -> Response<Body> {
    let entries: Vec<_> = models
        .iter()
        .map(|model| CodexModel {
            id: &model.id,
            name: &model.display_name,
            context: model.context,
            efforts: if model.thinks { EFFORTS } else { &[] },
            has_images: model.has_images,
        })
        .collect();
    let body = responses::models::codex_list(&entries);
    let digest = Sha256::digest(&body);
    let tag: String = digest
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let tag = format!("\"{tag}\"");
    let is_same = headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|known| known.trim().trim_start_matches("W/") == tag);
    let mut response = if is_same {
        respond::empty(StatusCode::NOT_MODIFIED)
    } else {
        respond::json(StatusCode::OK, body)
    };
    respond::set(response.headers_mut(), ETAG, &tag);
    response
}

fn gemini_entry(model: &PublishedModel) -> ModelEntry {
    ModelEntry {
        id: model.id.clone(),
        display_name: model.display_name.clone(),
        input_tokens: model.context,
        output_tokens: model.max_output,
        thinks: model.thinks,
    }
}

fn pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// One model of the list; the id may carry `[1m]`.
pub(crate) fn one(
    shared: &Shared,
    profile: Option<&str>,
    caller: &Caller,
    id: &str,
    wire: Wire,
    request_id: &str,
) -> Response<Body> {
    let models = visible(shared, profile, caller);
    let name = id.strip_suffix(WINDOW_SUFFIX).unwrap_or(id);
    let found = models
        .iter()
        .find(|model| model.id == id)
        .or_else(|| models.iter().find(|model| model.id == name));
    match found {
        Some(model) if wire == Wire::Gemini => {
            let body = gemini::encode_model(&gemini_entry(model));
            respond::json(StatusCode::OK, body)
        }
        Some(model) => respond::json(StatusCode::OK, object(model, id).to_string()),
        None => {
            let failure = Failure::new(
                FailureKind::NotFound,
                format!("model: {id} is not served here (`lingate models` lists what is)"),
            );
            respond::failure(&failure, wire, request_id)
        }
    }
}

/// A piece of the list.
#[derive(Debug, PartialEq, Eq)]
struct Page {
    range: Range<usize>,
    /// Whether the list goes on in the direction of paging.
    has_more: bool,
}

impl Page {
    /// Pages as on the Anthropic wire: `limit`, behind `after_id` or before `before_id`. Without `limit` there is one page,
    /// as on the `OpenAI` wire. A cursor that is not in the list leads to an empty page: nobody goes in circles.
    fn of(ids: &[&str], query: &str) -> Self {
        let asked = |name: &str| {
            pairs(query)
                .find(|(own, _)| *own == name)
                .map(|(_, value)| percent_decoded(value))
        };
        let limit = asked("limit").and_then(|limit| limit.parse::<usize>().ok());
        let limit = limit.unwrap_or(usize::MAX).max(1);
        let place = |id: String| ids.iter().position(|own| *own == id);
        if let Some(before) = asked("before_id") {
            let end = place(before).unwrap_or(0);
            let start = end.saturating_sub(limit);
            return Self {
                range: start..end,
                has_more: start > 0,
            };
        }
        let start = asked("after_id").map_or(0, |id| place(id).map_or(ids.len(), |at| at + 1));
        let end = start.saturating_add(limit).min(ids.len());
        Self {
            range: start..end,
            has_more: end < ids.len(),
        }
    }
}

fn visible(shared: &Shared, profile: Option<&str>, caller: &Caller) -> Vec<PublishedModel> {
    let mut models = published(&shared.routes.table(), profile);
    models.retain(|model| caller.may_ask(&model.id).is_ok());
    models
}

/// A model under the id it was asked for.
fn object(model: &PublishedModel, id: &str) -> Value {
    json!({
        "type": "model",
        "id": id,
        "display_name": model.display_name,
        "created_at": CREATED.0,
        "max_input_tokens": model.context,
        "max_tokens": model.max_output,
        "object": "model",
        "created": CREATED.1,
        "owned_by": "lingate",
        "name": model.display_name,
        "context_length": model.context,
        "context_window": model.context,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages() {
        let ids = ["a", "b/c", "d", "e"];
        for (query, range, has_more) in [
            ("", 0..4, false),
            ("beta=true", 0..4, false),
            ("limit=1000", 0..4, false),
            ("limit=2", 0..2, true),
            ("limit=0", 0..1, true),
            ("limit=many", 0..4, false),
            ("limit=2&after_id=a", 1..3, true),
            ("limit=2&after_id=b%2Fc", 2..4, false),
            ("after_id=e", 4..4, false),
            ("after_id=nobody", 4..4, false),
            ("limit=1&before_id=d", 1..2, true),
            ("limit=2&before_id=d", 0..2, false),
            ("before_id=a", 0..0, false),
            ("before_id=nobody", 0..0, false),
        ] {
            assert_eq!(Page::of(&ids, query), Page { range, has_more }, "{query}");
        }
    }
}
