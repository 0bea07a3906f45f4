//! `/api/default`: which model serves names that nothing else does, and its switch.

use http::{Response, StatusCode};
use hyper::body::Incoming;
use lingate_wire::turn::{Failure, FailureKind};
use serde_json::{Map, Value, json};

use super::body;
use super::respond::{self, Body};
use crate::generations::Generations;
use crate::shared::Shared;

/// Far more than a model's name.
const MAX_BODY: u64 = 4 * 1024;

/// `GET /api/default`
pub(crate) fn get(shared: &Shared) -> Response<Body> {
    let body = json!({
        "default": shared.routes.table().global.default,
        "configured": shared.config.routes.global.default,
        "switched": shared.routes.switched().is_some(),
    });
    respond::json(StatusCode::OK, body.to_string())
}

/// `POST /api/default` with `{"model": NAME}`, or null to go back to the configured one.
pub(crate) async fn set(
    generations: &Generations,
    body: Incoming,
) -> Result<Response<Body>, Failure> {
    let limits = &generations.process.limits;
    let text = body::text(body::read(body, MAX_BODY, limits).await?)?;
    let wish: Map<String, Value> = serde_json::from_str(&text).unwrap_or_default();
    let model = match (wish.len(), wish.get("model")) {
        (1, Some(Value::String(name))) => Some(name.as_str()),
        (1, Some(Value::Null)) => None,
        _ => {
            return Err(Failure::new(
                FailureKind::InvalidRequest,
                "the body is not `{\"model\": NAME}`, or `{\"model\": null}` for the configured default",
            ));
        }
    };
    let shared = generations.switch_default(model).map_err(|error| {
        Failure::new(
            FailureKind::NotFound,
            format!("{error} (`lingate models` lists what there is)"),
        )
    })?;
    tracing::info!(
        model.default = model.unwrap_or("as configured"),
        "the default model was switched"
    );
    Ok(get(&shared))
}
