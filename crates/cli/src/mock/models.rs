//! The list of models, in the shape of every wire at once: whoever asks finds what it looks for.

use serde_json::{Value, json};

/// The list at `/v1/models` and `/v1beta/models`.
pub(super) fn list<'m>(models: impl IntoIterator<Item = &'m str>) -> Value {
    let models: Vec<_> = models.into_iter().map(model).collect();
    json!({"object": "list", "data": models, "models": models, "has_more": false, "first_id": null, "last_id": null})
}

/// One of them. Any name is one: a mock answers for all.
pub(super) fn model(id: &str) -> Value {
    json!({
        "id": id,
        "object": "model",
        "type": "model",
        "display_name": id,
        "created": 0,
        "created_at": "1970-01-01T00:00:00Z",
        "owned_by": "mock",
        "name": format!("models/{id}"),
        "supportedGenerationMethods": ["generateContent", "countTokens"],
    })
}
