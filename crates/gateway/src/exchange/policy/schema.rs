//! The tools' schemas, compiled, and what they say to a call.
//!
//! A schema is compiled when its tool is first called, once for as long as it stays the same: agents send the same tools
//! with every request. Patterns run on an engine without backtracking, references lead nowhere but into the schema, and
//! what is too large or no schema is not judged.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytestring::ByteString;
use jsonschema::{PatternOptions, Validator};
use lingate_wire::json::{Kind, scan_reply};
use lingate_wire::turn::{Tool, Turn};
use serde_json::Value;

use super::mend;

/// Schemas come from clients, so their number and size are bounded.
const MOST_SCHEMAS: usize = 512;
const MOST_BYTES: usize = 256 * 1024;
/// Most complaints about one call that are told, and most of each.
const MOST_COMPLAINTS: usize = 4;
const COMPLAINT_CHARS: usize = 300;

/// Compiled schemas by their text.
#[derive(Default)]
pub(crate) struct Schemas {
    compiled: Mutex<HashMap<String, Option<Arc<Validator>>>>,
}

impl Schemas {
    fn get(&self, text: &str) -> Option<Arc<Validator>> {
        if text.len() > MOST_BYTES {
            return None;
        }
        let lock = || self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().get(text) {
            return known.clone();
        }
        let compiled = compiled(text).map(Arc::new);
        let mut all = lock();
        if all.len() >= MOST_SCHEMAS {
            all.clear();
        }
        all.insert(text.to_owned(), compiled.clone());
        compiled
    }
}

fn compiled(text: &str) -> Option<Validator> {
    let schema: Value = serde_json::from_str(text).ok()?;
    jsonschema::options()
        .with_pattern_options(PatternOptions::regex())
        .should_validate_formats(false)
        .build(&schema)
        .ok()
}

/// What a tool's schema says to one call.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// It fits.
    Fits,
    /// It fits, spelled like this.
    Mended(String),
    /// It does not, for these reasons.
    Misfits(String),
}

/// The schemas of one request's tools.
pub(crate) struct Judge {
    schemas: Arc<Schemas>,
    tools: HashMap<String, ByteString>,
}

impl Judge {
    /// The judge of a reply to `turn`.
    pub(crate) fn new(schemas: Arc<Schemas>, turn: &Turn) -> Self {
        let tools = turn.tools.iter().filter_map(|tool| match &**tool {
            Tool::Function {
                name,
                input_schema: Some(schema),
                ..
            } => Some((name.decode().into_owned(), schema.clone())),
            Tool::Function { .. } | Tool::Freeform { .. } | Tool::Hosted { .. } => None,
        });
        let tools = tools.collect();
        Self { schemas, tools }
    }

    /// Whether there is a schema for calls of this name.
    pub(crate) fn knows(&self, name: &str) -> bool {
        self.tools.contains_key(name)
    }

    /// Judges a call; `None` if there is nothing to judge it by, or its arguments are no JSON.
    pub(crate) fn judge(&self, name: &str, input: &str) -> Option<Judgement> {
        let validator = self.schemas.get(self.tools.get(name)?)?;
        let value: Value = serde_json::from_str(input).ok()?;
        if validator.is_valid(&value) {
            return Some(Judgement::Fits);
        }
        let mended = (input.len() <= mend::MOST_BYTES && keeps_numbers(input))
            .then(|| mend::mended(&validator, &value))
            .flatten();
        Some(match mended {
            Some(mended) => Judgement::Mended(mended.to_string()),
            None => Judgement::Misfits(complaints(&validator, &value)),
        })
    }
}

/// Whether every number is written again as it came: what is mended is written anew, and a number that no double holds
/// would come out as another.
fn keeps_numbers(input: &str) -> bool {
    fn keeps(value: lingate_wire::json::Value<'_>) -> bool {
        match value.kind() {
            Kind::Number => {
                let again = serde_json::from_str::<Value>(value.raw());
                again.is_ok_and(|again| {
                    let again = again.to_string();
                    again == value.raw()
                })
            }
            Kind::Array => value.items().all(keeps),
            Kind::Object => value.members().all(|(_, member)| keeps(member)),
            Kind::Null | Kind::Bool | Kind::String => true,
        }
    }
    scan_reply(&input.into(), &[]).is_ok_and(|doc| keeps(doc.root()))
}

fn complaints(validator: &Validator, value: &Value) -> String {
    let told = validator.iter_errors(value).take(MOST_COMPLAINTS);
    let told = told.map(|error| {
        let text = match error.instance_path().as_str() {
            "" => error.to_string(),
            path => format!("{path}: {error}"),
        };
        text.chars().take(COMPLAINT_CHARS).collect::<String>()
    });
    told.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(schema: &str, input: &str) -> Option<Judgement> {
        let judge = Judge {
            schemas: Arc::default(),
            tools: HashMap::from([("t".to_owned(), schema.to_owned().into())]),
        };
        judge.judge("t", input)
    }

    #[test]
    fn calls_are_judged_by_the_schema_of_their_tool() {
        let schema = r#"{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}"#;
        let mended = |text: &str| Some(Judgement::Mended(text.to_owned()));
        assert_eq!(judged(schema, r#"{"n":1}"#), Some(Judgement::Fits));
        assert_eq!(judged(schema, r#"{"n":"1"}"#), mended(r#"{"n":1}"#));
        let Some(Judgement::Misfits(_)) =
            judged(schema, r#"{"n":"1","id":12345678901234567890123}"#)
        else {
            panic!("mending would change the number");
        };
        assert_eq!(judged(schema, r#"{"n":"#), None, "no JSON");
        assert_eq!(judged("{\"type\":\"nothing\"}", "{}"), None, "no schema");
        assert_eq!(judged(r##"{"$ref":"https://example.com/x"}"##, "{}"), None);
        let Some(Judgement::Misfits(complaint)) = judged(schema, r#"{"n":"one"}"#) else {
            panic!("it misfits");
        };
        assert_eq!(complaint, r#"/n: "one" is not of type "integer""#);
    }

    #[test]
    fn a_schema_is_compiled_once_and_their_number_is_bounded() {
        let schemas = Schemas::default();
        let first = schemas.get(r#"{"type":"object"}"#).unwrap();
        assert!(Arc::ptr_eq(
            &first,
            &schemas.get(r#"{"type":"object"}"#).unwrap()
        ));
        for n in 0..2 * MOST_SCHEMAS {
            schemas.get(&format!(r#"{{"minProperties":{n}}}"#));
        }
        assert!(schemas.compiled.lock().unwrap().len() <= MOST_SCHEMAS);
    }
}
