//! The rules for one part of a schema. Every part has a `type`, or `anyOf`, or `$ref`, and nothing beside the last two.

use super::merge::{merge, required, set_required};
use super::refs::{Context, Target};
use super::tree::{Json, Members};
use super::union;
use super::values::{self, Settled};

/// The types there are.
const TYPES: &[&str] = &[
    "null", "boolean", "object", "array", "number", "integer", "string",
];
/// Words for people and the model, allowed beside `anyOf`.
pub(super) const ANNOTATIONS: &[&str] = &["title", "description"];

/// The part inside the subset.
pub(super) fn sanitise(part: &Json, context: &mut Context<'_>) -> Json {
    // `true`, `{}` and the like mean anything, which cannot be said; text is what a model can always write.
    let Some(members) = part.as_members().filter(|_| context.spend()) else {
        return of_type("string");
    };
    let mut members = members.clone();
    if let Some(reference) = members.remove("$ref") {
        return referred(
            members,
            reference.as_text().as_deref().unwrap_or_default(),
            context,
        );
    }
    if let Some(Json::Array(parts)) = members.remove("allOf") {
        return all_of(members, &parts, context);
    }
    let mut branches = Vec::new();
    for combiner in ["anyOf", "oneOf"] {
        if let Some(Json::Array(found)) = members.remove(combiner) {
            branches.extend(found);
        }
    }
    if branches.is_empty() {
        plain(members, context)
    } else {
        union::any_of(members, &branches, context)
    }
}

/// Applies the rules of one type: which keywords it has, and its parts.
pub(super) fn typed(mut members: Members, name: &str, context: &mut Context<'_>) -> Members {
    match name {
        "object" => object(&mut members, context),
        "array" => array(&mut members, context),
        _ => {}
    }
    let keywords: &[&str] = match name {
        "object" => &["properties", "required", "additionalProperties"],
        "array" => &["items", "minItems", "maxItems"],
        "string" => &["minLength", "maxLength"],
        "number" | "integer" => &["minimum", "maximum"],
        _ => &[],
    };
    let is_fit = |keyword: &str, value: &Json| match keyword {
        "type" | "enum" => true,
        "title" | "description" => value.type_name() == "string",
        "default" => !matches!(name, "object" | "array") && is_of_type(value, name),
        "minItems" | "maxItems" | "minLength" | "maxLength" => value.type_name() == "integer",
        // Numbers with an exponent are refused.
        "minimum" | "maximum" => {
            is_of_type(value, "number") && !value.to_text().contains(['e', 'E'])
        }
        _ => true,
    };
    members.retain(|keyword, value| {
        (matches!(
            keyword,
            "type" | "enum" | "title" | "description" | "default"
        ) || keywords.contains(&keyword))
            && is_fit(keyword, value)
    });
    members
}

/// A part of that type and nothing more.
pub(super) fn of_type(name: &str) -> Json {
    Json::Object(Members::from_iter([("type".to_owned(), Json::word(name))]))
}

/// Whether a value is of the type of that name.
pub(super) fn is_of_type(value: &Json, name: &str) -> bool {
    let found = value.type_name();
    found == name || (name == "number" && found == "integer")
}

fn referred(members: Members, reference: &str, context: &mut Context<'_>) -> Json {
    match context.target(reference) {
        // Words beside a reference conflict with those it leads to.
        Target::Definition(reference) => Json::Object(Members::from_iter([(
            "$ref".to_owned(),
            Json::text(&reference),
        )])),
        Target::Part(part) => {
            let mut merged = members;
            if let Some(part) = part.as_members() {
                merge(&mut merged, part);
            }
            context
                .inside(reference, |context| {
                    sanitise(&Json::Object(merged), context)
                })
                .unwrap_or_else(|| of_type("object"))
        }
        Target::Nothing => {
            let mut members = members;
            members.set_default("type", || Json::word("object"));
            sanitise(&Json::Object(members), context)
        }
    }
}

fn all_of(mut members: Members, parts: &[Json], context: &mut Context<'_>) -> Json {
    let is_annotated_only = members
        .iter()
        .all(|(name, _)| ANNOTATIONS.contains(&name) || name == "default");
    if let ([only], true) = (parts, is_annotated_only)
        && only.as_members().is_some_and(|only| only.has("$ref"))
    {
        return sanitise(only, context);
    }
    let mut names = required(&members);
    for part in parts.iter().filter_map(Json::as_members) {
        let part = match part.get("$ref").and_then(Json::as_text) {
            Some(reference) => context.resolved(&reference),
            None => Some(part),
        };
        if let Some(part) = part {
            names.extend(required(part));
            merge(&mut members, part);
        }
    }
    set_required(&mut members, names);
    sanitise(&Json::Object(members), context)
}

/// The members with that type.
pub(super) fn with_type(mut members: Members, name: &str) -> Members {
    members.set("type", Json::word(name));
    members
}

/// A part without combiners.
pub(super) fn plain(mut members: Members, context: &mut Context<'_>) -> Json {
    if let Some(value) = members.remove("const") {
        members.set_default("enum", || Json::Array(vec![value]));
    }
    let name = match (
        declared_type(&members),
        members.get("enum").and_then(Json::as_items),
    ) {
        // Values of compound types are nothing the subset knows, and nothing it refuses.
        (Some(name @ ("object" | "array")), _) | (Some(name), None) => name,
        (None, None) => inferred_type(&members),
        (declared, Some(values)) => match values::settle(values, declared) {
            Settled::OneType(name, values) => {
                if values.is_empty() {
                    members.remove("enum");
                } else {
                    members.set("enum", Json::Array(values));
                }
                name
            }
            Settled::SeveralTypes(branches) => return union::of_branches(members, branches),
        },
    };
    Json::Object(typed(with_type(members, name), name, context))
}

/// The type that is stated; of several the first that is not null.
fn declared_type(members: &Members) -> Option<&'static str> {
    let known = |name: &Json| {
        let name = name.as_text()?;
        TYPES.iter().copied().find(|known| *known == name)
    };
    match members.get("type")? {
        Json::Array(names) => {
            let mut names = names.iter().filter_map(known);
            let first = names.next()?;
            Some(if first == "null" {
                names.next().unwrap_or(first)
            } else {
                first
            })
        }
        name => known(name),
    }
}

/// The type that the keywords of a part without one belong to.
fn inferred_type(members: &Members) -> &'static str {
    const TELLTALE: &[(&str, &[&str])] = &[
        (
            "object",
            &[
                "properties",
                "required",
                "additionalProperties",
                "patternProperties",
            ],
        ),
        (
            "array",
            &[
                "items",
                "prefixItems",
                "minItems",
                "maxItems",
                "uniqueItems",
            ],
        ),
        (
            "number",
            &[
                "minimum",
                "maximum",
                "exclusiveMinimum",
                "exclusiveMaximum",
                "multipleOf",
            ],
        ),
    ];
    let by_keyword = TELLTALE
        .iter()
        .find(|(_, keywords)| keywords.iter().any(|keyword| members.has(keyword)))
        .map(|(name, _)| *name);
    let by_default = members
        .get("default")
        .filter(|value| !value.is_null())
        .map(Json::type_name);
    by_keyword.or(by_default).unwrap_or("string")
}

fn object(members: &mut Members, context: &mut Context<'_>) {
    let properties = match members.get("properties") {
        Some(Json::Object(properties)) => Some(
            properties
                .iter()
                .map(|(name, schema)| (name.to_owned(), sanitise(schema, context)))
                .collect::<Members>(),
        ),
        _ => None,
    };
    let names: Vec<Json> = members
        .get("required")
        .and_then(Json::as_items)
        .unwrap_or_default()
        .iter()
        .filter(|name| {
            let name = name.as_text();
            name.is_some_and(|name| {
                properties
                    .as_ref()
                    .is_some_and(|properties| properties.has(&name))
            })
        })
        .cloned()
        .collect();
    if members
        .get("required")
        .is_some_and(|required| required.as_items().is_some())
    {
        members.set("required", Json::Array(names));
    } else {
        members.remove("required");
    }
    match properties {
        Some(properties) => members.set("properties", Json::Object(properties)),
        None => {
            members.remove("properties");
        }
    }
    match members.get("additionalProperties") {
        Some(Json::Object(schema)) if !schema.is_empty() => {
            let schema = sanitise(&Json::Object(schema.clone()), context);
            members.set("additionalProperties", schema);
        }
        Some(value) if value.type_name() == "boolean" || matches!(value, Json::Object(_)) => {}
        _ => {
            members.remove("additionalProperties");
        }
    }
}

fn array(members: &mut Members, context: &mut Context<'_>) {
    // A tuple: what may stand at any of its places may stand at every one.
    let mut places = Vec::new();
    for keyword in ["prefixItems", "items"] {
        match members.get(keyword) {
            Some(Json::Array(schemas)) => places.extend(schemas.iter().cloned()),
            Some(schema @ Json::Object(members)) if !members.is_empty() => {
                places.push(schema.clone())
            }
            _ => {}
        }
    }
    let items = match places.as_slice() {
        [] => None,
        [only] => Some(sanitise(only, context)),
        several => Some(union::any_of(Members::default(), several, context)),
    };
    match items {
        Some(items) => members.set("items", items),
        None => {
            members.remove("items");
        }
    }
}
