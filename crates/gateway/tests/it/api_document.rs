//! `/api/openapi.json` is what the API does: each answer fits the schema that is told of it.

use lingate_store::{Body, BodyKind};
use serde_json::{Value, json};

use crate::api::{CONFIG, Scene, exchange};
use crate::harness::Lingate;

/// What stands for the variable parts of paths.
fn sample(template: &str) -> String {
    template
        .replace("{id}", "1")
        .replace("{kind}", "request")
        .replace("{session}", "s-0")
        .replace("{provider}", "up")
}

/// Fails if a document does not fit a schema of the description.
fn fits(description: &Value, schema: &Value, document: &Value, what: &str) {
    let mut schema = schema.clone();
    schema["components"] = description["components"].clone();
    let validator =
        jsonschema::validator_for(&schema).unwrap_or_else(|error| panic!("{what}: {error}"));
    let errors: Vec<String> = validator
        .iter_errors(document)
        .map(|error| format!("{} at {}", error, error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{what}: {errors:?} in {document}");
}

#[tokio::test]
async fn every_answer_fits_what_is_told_of_it() {
    let scene = Scene::with(20).await;
    scene.put(
        exchange(20),
        vec![Body::whole(BodyKind::ClientRequest, 0, "{}".to_owned())],
    );
    scene.flush().await;
    let description = scene.json("/api/openapi.json").await;
    assert_eq!(description["openapi"], "3.1.0");
    let mut n_checked = 0;
    for (path, operations) in description["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            if matches!(path.as_str(), "/api/tail" | "/api/lease" | "/api/stop") {
                continue;
            }
            let what = format!("{method} {path}");
            let path = sample(path);
            let request = match method.as_str() {
                "get" => scene.lingate.get(&path),
                _ => scene.lingate.post(&path, &json!({"model": null})),
            };
            let response = request
                .header("x-lingate-instance", &scene.lingate.instance)
                .send()
                .await;
            let status = response.status.to_string();
            let told = &operation["responses"][&status];
            assert!(told.is_object(), "{what}: {status} is not told");
            if path.contains("/blobs/") {
                continue;
            }
            let schema = match told["content"]["application/json"]["schema"].clone() {
                Value::Null => continue,
                schema => schema,
            };
            // A reload that is refused says what is in force.
            let schema = match status.as_str() {
                "422" => {
                    operation["responses"]["200"]["content"]["application/json"]["schema"].clone()
                }
                _ => schema,
            };
            fits(&description, &schema, &response.json().await, &what);
            n_checked += 1;
        }
    }
    assert!(n_checked >= 18, "{n_checked}");
    for (path, status) in [
        ("/api/logs/99", 404),
        ("/api/logs?page=x", 400),
        ("/api/sessions/none", 404),
    ] {
        let response = scene.get(path).await;
        assert_eq!(response.status, status);
        let schema = json!({"$ref": "#/components/schemas/Error"});
        fits(&description, &schema, &response.json().await, path);
    }
    let listed = scene.json("/api/logs/search?q=status:200&items=true").await;
    let schema = json!({"$ref": "#/components/schemas/SearchResult"});
    fits(&description, &schema, &listed, "a search with items");
}

/// A schema that everything fits would make the test above empty.
#[tokio::test]
async fn the_schemas_refuse_what_is_no_answer() {
    let scene = Scene::with(1).await;
    let description = scene.json("/api/openapi.json").await;
    let page = scene.json("/api/logs").await;
    for (pointer, wrong) in [
        ("/items/0/id", json!(1)),
        ("/items/0/usage/input", json!("many")),
        ("/items/0/end", json!("somehow")),
        ("/items/0/status_code", json!("200")),
        ("/total", json!(null)),
        ("/items", json!({})),
    ] {
        let mut page = page.clone();
        *page.pointer_mut(pointer).unwrap() = wrong;
        let mut schema = json!({"$ref": "#/components/schemas/LogPage"});
        schema["components"] = description["components"].clone();
        let validator = jsonschema::validator_for(&schema).unwrap();
        assert!(!validator.is_valid(&page), "{pointer}");
    }
}

/// The document says nothing of this gateway: it is the same everywhere.
#[tokio::test]
async fn it_is_the_same_whatever_is_recorded() {
    let scene = Scene::start(CONFIG).await;
    let other = Lingate::start(CONFIG).await;
    let told = other.get("/api/openapi.json").send().await.json().await;
    assert_eq!(told, scene.json("/api/openapi.json").await);
    assert!(!told.to_string().contains("sk-upstream"));
}
