//! `GET /api/openapi.json`: the API for programs.
//!
//! Made from what the API itself is made of: schemas from the types that answers are written from, parameters from the
//! tables that requests are read with, operations from one table (`operations.rs`) that a test holds against the routes.

mod documents;
mod operations;

use std::sync::LazyLock;

use bytes::Bytes;
use http::{Response, StatusCode};
use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value, json};

use self::operations::{Answer, OPERATIONS, Operation};
use super::parameters::{Kind, Parameter};
use super::refusal::ErrorDocument;
use crate::front::respond::{self, Body};
use crate::front::route::Access;

/// It is the same until the end of the process.
static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| document().to_string().into());

pub(super) fn answer() -> Response<Body> {
    let mut response = respond::json(StatusCode::OK, DOCUMENT.clone());
    respond::set(
        response.headers_mut(),
        http::header::CACHE_CONTROL,
        "no-store",
    );
    response
}

fn document() -> Value {
    let mut settings = SchemaSettings::draft2020_12().for_serialize();
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    let mut schemas = settings.into_generator();
    let mut paths = Map::new();
    for own in OPERATIONS {
        let described = operation(own, &mut schemas);
        let path = paths.entry(own.path).or_insert_with(|| json!({}));
        if let Some(path) = path.as_object_mut() {
            path.insert(own.method.to_owned(), described);
        }
    }
    let error = schemas.subschema_for::<ErrorDocument<'_>>();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "lingate",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What the gateway recorded, how it is doing, and what an operator may do about it. Members are added, never removed or given another meaning.",
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": {
            "schemas": schemas.take_definitions(true),
            "responses": {
                "Error": {
                    "description": "What was wrong, and how to put it right.",
                    "content": { "application/json": { "schema": error } },
                },
            },
            "securitySchemes": {
                "key": { "type": "apiKey", "in": "header", "name": "x-lingate-key", "description": "A client key that `server.admin_keys` names." },
                "bearer": { "type": "http", "scheme": "bearer", "description": "The same key." },
                "owner": { "type": "apiKey", "in": "header", "name": "x-lingate-instance", "description": "The instance id, which stands in a file that only the gateway's user can read." },
            },
        },
    })
}

fn operation(own: &Operation, schemas: &mut SchemaGenerator) -> Value {
    let mut responses = Map::new();
    responses.insert("200".to_owned(), answered(&own.answer, schemas));
    for (status, about) in own.also {
        let described = match *status {
            304 => json!({ "description": about }),
            _ => failed(about),
        };
        responses.insert(status.to_string(), described);
    }
    if own.access != Access::Open {
        responses.insert("401".to_owned(), failed("No key, or none that is known."));
        responses.insert(
            "403".to_owned(),
            failed("Not with this key, or from a web page."),
        );
    }
    responses.insert(
        "default".to_owned(),
        json!({ "$ref": "#/components/responses/Error" }),
    );
    let in_path = own.in_path.iter().map(|(name, about, schema)| {
        json!({ "name": name, "in": "path", "required": true, "description": about, "schema": schema() })
    });
    let in_query = own.parameters.iter().map(parameter);
    let in_header = own.headers.iter().map(|(name, about)| {
        json!({ "name": name, "in": "header", "required": false, "description": about, "schema": { "type": "string" } })
    });
    let mut described = json!({
        "operationId": own.id,
        "tags": [own.tag],
        "summary": own.summary,
        "parameters": in_path.chain(in_query).chain(in_header).collect::<Vec<_>>(),
        "responses": responses,
        "security": match own.access {
            Access::Open | Access::Client => json!([]),
            Access::Owner => json!([{ "owner": [] }]),
            Access::Admin => json!([{ "key": [] }, { "bearer": [] }, { "owner": [] }]),
        },
    });
    if let (Some(body), Some(members)) = (own.body, described.as_object_mut()) {
        let schema = body(schemas);
        members.insert(
            "requestBody".to_owned(),
            json!({ "required": true, "content": { "application/json": { "schema": schema } } }),
        );
    }
    described
}

fn answered(answer: &Answer, schemas: &mut SchemaGenerator) -> Value {
    match answer {
        Answer::Json(schema) => json!({
            "description": "As asked.",
            "content": { "application/json": { "schema": schema(schemas) } },
        }),
        Answer::Text(content_type, about) => {
            let mut content = Map::new();
            content.insert(
                (*content_type).to_owned(),
                json!({ "schema": { "type": "string" } }),
            );
            json!({ "description": about, "content": content })
        }
        Answer::Empty => json!({ "description": "As asked." }),
        Answer::Blob => json!({
            "description": "The body, byte for byte as it was but for masked secrets. The type is guessed, and is never one that a browser runs.",
            "headers": {
                "ETag": { "description": "Bodies with the same one are equal.", "schema": { "type": "string" } },
            },
            "content": {
                "application/json": { "schema": {} },
                "text/plain": { "schema": { "type": "string" } },
                "application/octet-stream": { "schema": { "type": "string" } },
            },
        }),
    }
}

fn failed(about: &str) -> Value {
    json!({
        "description": about,
        "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Error" } } },
    })
}

fn parameter(own: &Parameter) -> Value {
    let schema = match &own.kind {
        // Without the range: what is outside of it is no error.
        Kind::Integer { default, .. } => json!({ "type": "integer", "default": default }),
        Kind::Number => json!({ "type": "integer" }),
        Kind::Text | Kind::Filter => json!({ "type": "string" }),
        Kind::Time => json!({ "type": "string", "format": "date-time" }),
        Kind::Id => json!({ "type": "string", "format": "uuid" }),
        Kind::Flag => json!({ "type": "boolean", "default": false }),
        Kind::Choice(words) => json!({ "type": "string", "enum": words, "default": words.first() }),
        Kind::Choices(words) => {
            json!({ "type": "array", "items": { "type": "string", "enum": words } })
        }
    };
    let mut described = json!({
        "name": own.name,
        "in": "query",
        "required": false,
        "description": own.about,
        "schema": schema,
    });
    if let (Kind::Choices(_), Some(members)) = (&own.kind, described.as_object_mut()) {
        members.insert("style".to_owned(), json!("form"));
        members.insert("explode".to_owned(), json!(false));
    }
    described
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::ask::Ask;
    use crate::front::route::{Route, matched};

    /// A path of this template.
    fn sample(template: &str) -> String {
        template
            .replace("{id}", "019aa6c5-0000-7000-8000-000000000001")
            .replace("{kind}", "request")
            .replace("{session}", "s-1")
            .replace("{provider}", "up")
    }

    /// Everything that is described is served, to the same people and by the same methods.
    #[test]
    fn what_is_described_is_served() {
        for own in OPERATIONS {
            let route = matched(&sample(own.path), |_| false).route;
            let route = route.unwrap_or_else(|| panic!("{} leads nowhere", own.path));
            let is_served = route
                .methods()
                .iter()
                .any(|method| method.as_str().eq_ignore_ascii_case(own.method));
            assert!(is_served, "{} {}", own.method, own.path);
            assert_eq!(route.access(), own.access, "{}", own.path);
            let parameters = match &route {
                Route::Api(ask) => ask.parameters(),
                _ => &[],
            };
            let names = |all: &[Parameter]| all.iter().map(|own| own.name).collect::<Vec<_>>();
            assert_eq!(names(parameters), names(own.parameters), "{}", own.path);
            for (name, ..) in own.in_path {
                assert!(
                    own.path.contains(&format!("{{{name}}}")),
                    "{} {name}",
                    own.path
                );
            }
            assert_eq!(
                own.path.matches('{').count(),
                own.in_path.len(),
                "{}",
                own.path
            );
        }
    }

    /// Everything of the route table below `/api` is described; `front/route.rs` holds every variant to a path.
    #[test]
    fn what_is_served_is_described() {
        for route in Route::every_kind() {
            let is_api = OPERATIONS.iter().any(|own| {
                matched(&sample(own.path), |_| false)
                    .route
                    .as_ref()
                    .is_some_and(|found| same_kind(found, &route))
            });
            let is_expected = matches!(
                &route,
                Route::Api(_)
                    | Route::Stop
                    | Route::Lease
                    | Route::Default
                    | Route::Reload
                    | Route::Providers
                    | Route::Provider(..)
                    | Route::EventLogging
                    | Route::Probe
            );
            assert_eq!(is_api, is_expected, "{route:?}");
        }
    }

    fn same_kind(one: &Route, other: &Route) -> bool {
        match (one, other) {
            (Route::Api(one), Route::Api(other)) => {
                std::mem::discriminant::<Ask>(one) == std::mem::discriminant(other)
            }
            (Route::Provider(_, one), Route::Provider(_, other)) => one == other,
            _ => std::mem::discriminant(one) == std::mem::discriminant(other),
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document = document();
        let text = document.to_string();
        for rest in text.split("\"$ref\":\"#").skip(1) {
            let pointer = rest.split('"').next().unwrap_or_default();
            assert!(document.pointer(pointer).is_some(), "{pointer}");
        }
        let mut ids: Vec<&str> = OPERATIONS.iter().map(|own| own.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), OPERATIONS.len(), "an id is given twice");
        assert!(document.pointer("/components/schemas/Error").is_some());
    }
}
