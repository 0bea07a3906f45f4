//! What is done about words that a host refuses.
//!
//! Words count where a schema stands, never as names of properties. The walk is bounded: references are put in place a
//! few levels deep, and a schema that grows beyond reason is cut.

use bytestring::ByteString;

use super::super::refs::Context;
use super::super::root;
use super::super::tree::{Json, Members};

/// Places that hold one schema.
const ONE: &[&str] = &[
    "items",
    "additionalProperties",
    "unevaluatedProperties",
    "not",
    "if",
    "then",
    "else",
    "contains",
    "propertyNames",
];
/// Places that hold a list of schemas.
const LIST: &[&str] = &["anyOf", "oneOf", "allOf", "prefixItems", "items"];
/// Places that hold schemas by name.
const NAMED: &[&str] = &[
    "properties",
    "patternProperties",
    "$defs",
    "definitions",
    "dependentSchemas",
];
/// Bounds that a grammar repeats something for.
const BOUNDS: &[&str] = &["minLength", "maxLength", "minItems", "maxItems"];
/// What the top of a schema may not be made of.
const NOT_AT_ROOT: &[&str] = &["anyOf", "oneOf", "allOf", "enum", "const", "not"];

/// A host's rules.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// Words that are left out.
    pub(super) dropped: &'static [&'static str],
    /// Which values of `format` stay.
    pub(super) formats: Formats,
    /// Lengths and counts above this are left out.
    pub(super) largest_bound: Option<u64>,
    /// The root is an object and no union.
    pub(super) has_plain_root: bool,
    /// An array says what it holds.
    pub(super) says_items: bool,
    /// `required` stands only beside `properties`.
    pub(super) has_no_bare_required: bool,
    /// No `default: null`.
    pub(super) has_no_null_default: bool,
    /// Objects that name properties have no others.
    pub(super) has_closed_objects: bool,
    /// References are put in place.
    pub(super) has_inline_refs: bool,
    /// OpenAPI's words for what JSON Schema says otherwise.
    pub(super) is_openapi: bool,
}

/// Which values of `format` stay.
#[derive(Debug, Clone, Copy)]
pub(super) enum Formats {
    All,
    Only(&'static [&'static str]),
}

impl Rules {
    /// Everything is taken.
    pub(super) const NONE: Self = Self {
        dropped: &[],
        formats: Formats::All,
        largest_bound: None,
        has_plain_root: false,
        says_items: false,
        has_no_bare_required: false,
        has_no_null_default: false,
        has_closed_objects: false,
        has_inline_refs: false,
        is_openapi: false,
    };

    /// The schema within the rules; `None` if it is already, or is no JSON object.
    pub(super) fn applied(&self, schema: &ByteString) -> Option<ByteString> {
        let before = Json::parse(schema)?;
        let members = before.as_members()?;
        let mut context = Context::new(members);
        let mut after = self.part(members.clone(), &mut context);
        if self.has_inline_refs {
            after.remove("$defs");
            after.remove("definitions");
        }
        if self.has_plain_root {
            let is_union = NOT_AT_ROOT.iter().any(|word| after.has(word));
            if is_union {
                after = root::united(after, &context);
            }
            after.set("type", Json::word("object"));
            after.set_default("properties", || Json::Object(Members::default()));
        }
        let after = Json::Object(after);
        (after != before).then(|| after.to_text())
    }

    fn schema(&self, schema: &Json, context: &mut Context<'_>) -> Json {
        match schema {
            Json::Object(members) if context.spend() => {
                Json::Object(self.part(members.clone(), context))
            }
            // Nothing is said about what is beyond the bound.
            Json::Object(_) => Json::Object(Members::default()),
            other => other.clone(),
        }
    }

    fn part(&self, mut part: Members, context: &mut Context<'_>) -> Members {
        if self.has_inline_refs
            && let Some(reference) = part.remove("$ref").and_then(|value| value.as_text())
        {
            return self.in_place(part, &reference, context);
        }
        if self.is_openapi {
            openapi(&mut part);
        }
        part.retain(|word, value| !self.drops(word, value));
        if self.has_no_bare_required && !part.has("properties") {
            part.remove("required");
        }
        for place in ONE {
            if let Some(schema @ Json::Object(_)) = part.get(place) {
                let schema = self.schema(schema, context);
                part.set(place, schema);
            }
        }
        for place in LIST {
            let Some(Json::Array(schemas)) = part.get(place) else {
                continue;
            };
            let schemas: Vec<Json> = schemas
                .iter()
                .map(|schema| self.schema(schema, context))
                .filter(|schema| !self.says_nothing(schema))
                .collect();
            if schemas.is_empty() {
                part.remove(place);
            } else {
                part.set(place, Json::Array(schemas));
            }
        }
        for place in NAMED {
            let Some(Json::Object(schemas)) = part.get(place) else {
                continue;
            };
            let schemas = schemas
                .iter()
                .map(|(name, schema)| (name.to_owned(), self.schema(schema, context)))
                .collect();
            part.set(place, Json::Object(schemas));
        }
        self.complete(&mut part);
        part
    }

    /// Puts what a reference leads to in its place, and what stands beside it on top.
    fn in_place(&self, beside: Members, reference: &str, context: &mut Context<'_>) -> Members {
        let target = context.resolved(reference).cloned();
        let mut found = target
            .and_then(|target| context.inside(reference, |context| self.part(target, context)))
            // A schema inside itself ends somewhere.
            .unwrap_or_else(|| Members::from_iter([("type".to_owned(), Json::word("object"))]));
        for (word, value) in self.part(beside, context).iter() {
            found.set(word, value.clone());
        }
        found
    }

    fn drops(&self, word: &str, value: &Json) -> bool {
        if self.dropped.contains(&word) {
            return true;
        }
        match word {
            "format" => match self.formats {
                Formats::All => false,
                Formats::Only(kept) => value
                    .as_text()
                    .is_none_or(|format| !kept.contains(&format.as_str())),
            },
            "default" => self.has_no_null_default && value.is_null(),
            word if BOUNDS.contains(&word) => self.largest_bound.is_some_and(|largest| {
                let Json::Scalar(raw) = value else {
                    return true;
                };
                raw.parse::<u64>().map_or(true, |bound| bound > largest)
            }),
            _ => false,
        }
    }

    /// Whether nothing is left of an alternative, so that it would stand for anything.
    fn says_nothing(&self, schema: &Json) -> bool {
        self.has_no_bare_required && schema.as_members().is_some_and(Members::is_empty)
    }

    fn complete(&self, part: &mut Members) {
        let is = |part: &Members, name: &str| {
            part.get("type")
                .and_then(Json::as_text)
                .is_some_and(|found| found == name)
        };
        if self.says_items && is(part, "array") {
            part.set_default("items", || Json::Object(Members::default()));
        }
        if self.has_closed_objects && part.has("properties") {
            part.set_default("additionalProperties", || Json::Scalar("false".to_owned()));
        }
    }
}

/// Says in OpenAPI's words what has a word there.
fn openapi(part: &mut Members) {
    if let Some(value) = part.remove("const") {
        part.set("enum", Json::Array(vec![value]));
    }
    if let Some(alternatives) = part.remove("oneOf") {
        part.set_default("anyOf", || alternatives);
    }
    for (exclusive, plain) in [
        ("exclusiveMinimum", "minimum"),
        ("exclusiveMaximum", "maximum"),
    ] {
        if let Some(bound) = part.remove(exclusive)
            && matches!(bound.type_name(), "integer" | "number")
        {
            part.set_default(plain, || bound);
        }
    }
    // `"type": ["string", "null"]` is a nullable string.
    if let Some(Json::Array(types)) = part.get("type") {
        let is_null = |name: &&Json| name.as_text().as_deref() == Some("null");
        let is_nullable = types.iter().any(|name| is_null(&name));
        let first = types.iter().find(|name| !is_null(name)).cloned();
        match first {
            Some(first) => part.set("type", first),
            None => drop(part.remove("type")),
        }
        if is_nullable {
            part.set("nullable", Json::Scalar("true".to_owned()));
        }
    }
    // Only strings have an `enum` there.
    let is_text = part
        .get("enum")
        .and_then(Json::as_items)
        .is_none_or(|values| values.iter().all(|value| value.type_name() == "string"));
    if !is_text {
        part.remove("enum");
    }
    if let Some(Json::Array(parts)) = part.remove("allOf") {
        for other in parts.iter().filter_map(Json::as_members) {
            super::super::merge::merge(part, other);
        }
    }
}

#[cfg(test)]
mod tests;
