//! `enum`: values of one type that say something.

use super::node;
use super::tree::{Json, Members};

/// What the values of an `enum` come to.
pub(super) enum Settled {
    /// One type and its values; none if they said nothing.
    OneType(&'static str, Vec<Json>),
    /// A branch for each of several types.
    SeveralTypes(Vec<Json>),
}

/// Sorts values by what they are. `null` and the empty string only say that there may be no value.
pub(super) fn settle(values: &[Json], declared: Option<&'static str>) -> Settled {
    let says_something = |value: &&Json| !value.is_null() && value.as_text().as_deref() != Some("");
    let said: Vec<&Json> = values.iter().filter(says_something).collect();
    let of_type = |name: &str| -> Vec<Json> {
        said.iter()
            .copied()
            .filter(|value| node::is_of_type(value, name))
            .cloned()
            .collect()
    };
    if said.is_empty() || declared == Some("null") {
        let is_null_only = !values.is_empty() && values.iter().all(Json::is_null);
        return Settled::OneType(
            declared.unwrap_or(if is_null_only { "null" } else { "string" }),
            Vec::new(),
        );
    }
    if let Some(name) = declared {
        let fit = of_type(name);
        if !fit.is_empty() {
            return Settled::OneType(name, fit);
        }
    }
    // Nothing is declared, or something that no value is.
    match type_names(&said).as_slice() {
        [name] => Settled::OneType(name, of_type(name)),
        several => Settled::SeveralTypes(
            several
                .iter()
                .map(|name| branch(name, of_type(name)))
                .collect(),
        ),
    }
}

/// The types of the values, each once; whole numbers count as numbers beside fractions.
fn type_names(values: &[&Json]) -> Vec<&'static str> {
    let mut names: Vec<&'static str> = Vec::new();
    for value in values {
        let name = value.type_name();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.contains(&"number") {
        names.retain(|name| *name != "integer");
    }
    names
}

fn branch(name: &str, values: Vec<Json>) -> Json {
    Json::Object(Members::from_iter([
        ("type".to_owned(), Json::word(name)),
        ("enum".to_owned(), Json::Array(values)),
    ]))
}
