//! `GET /api/logs/values`: what a field of a filter may be compared with, for suggestions.

use std::sync::Arc;

use http::{Response, StatusCode};
use lingate_store::filter::{Tag, WordField};
use lingate_store::{Reader, Valued};
use schemars::JsonSchema;
use serde::Serialize;

use crate::admin::document;
use crate::admin::parameters::{Asked, Kind, Parameter};
use crate::admin::readers::Pace;
use crate::admin::refusal::Refusal;
use crate::front::respond::Body;
use crate::shared::Process;

/// Fields by the names that filters know them by.
const FIELDS: &[&str] = &[
    "model",
    "upstream",
    "provider",
    "status",
    "end",
    "tool",
    "quirk",
    "key",
    "class",
    "profile",
    "wire",
    "upstream-wire",
    "lane",
    "stop",
];

pub(crate) const PARAMETERS: &[Parameter] = &[Parameter {
    name: "field",
    kind: Kind::Choice(FIELDS),
    about: "The field, as filters name it.",
}];

/// The values of a field.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct FieldValues {
    /// The field.
    pub field: &'static str,
    /// Its different values, sorted, 2000 at most. Of fields without an index those of the newest 20,000 exchanges.
    pub values: Vec<String>,
}

pub(crate) async fn answer(
    process: &Arc<Process>,
    asked: &Asked,
) -> Result<Response<Body>, Refusal> {
    let field = asked.choice("field");
    let valued = valued(field);
    let work = move |reader: &Reader, _: &_| reader.values(valued);
    let values = document::readers(process)?
        .ask(process, Pace::Quick, work)
        .await?;
    Ok(document::json(
        StatusCode::OK,
        &FieldValues { field, values },
    ))
}

fn valued(name: &str) -> Valued {
    let field = match name {
        "status" => return Valued::Status,
        "tool" => return Valued::Tag(Tag::Tool),
        "quirk" => return Valued::Tag(Tag::Quirk),
        "upstream" => WordField::UpstreamModel,
        "provider" => WordField::Provider,
        "end" => WordField::End,
        "key" => WordField::Key,
        "class" => WordField::Class,
        "profile" => WordField::Profile,
        "wire" => WordField::Wire,
        "upstream-wire" => WordField::UpstreamWire,
        "lane" => WordField::Lane,
        "stop" => WordField::Stop,
        _ => WordField::Model,
    };
    Valued::Word(field)
}
