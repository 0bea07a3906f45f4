//! `GET /v1/models`: one list whose objects carry both the Anthropic and the `OpenAI` members.

use http::{Response, StatusCode};
use lingate_route::{PublishedModel, published};
use lingate_wire::Wire;
use lingate_wire::turn::{Failure, FailureKind};
use serde_json::{Value, json};

use super::keys::Caller;
use super::respond::{self, Body};
use crate::shared::Shared;

/// The dated facts carry no creation dates, and clients only parse them.
const CREATED: (&str, u64) = ("2026-01-01T00:00:00Z", 1_767_225_600);
/// Marks an id whose window Claude Code takes for a million tokens; no route knows it.
const WINDOW_SUFFIX: &str = "[1m]";

/// The whole list.
pub(crate) fn list(shared: &Shared, profile: Option<&str>, caller: &Caller) -> Response<Body> {
    let models: Vec<Value> = visible(shared, profile, caller)
        .iter()
        .map(|model| object(model, &model.id))
        .collect();
    let id = |model: Option<&Value>| model.map_or(Value::Null, |model| model["id"].clone());
    let body = json!({
        "object": "list",
        "has_more": false,
        "first_id": id(models.first()),
        "last_id": id(models.last()),
        "data": models,
    });
    respond::json(StatusCode::OK, body.to_string())
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
