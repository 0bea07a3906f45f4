//! The tree against the JSON Schema of the types it is read into.
//!
//! Covers what the derived schemas use: references, alternatives, constants, types, bounds, and the named formats
//! of `value`. What does not fit is reported with its line and left out of the tree.

use serde_json::{Map, Value};

use super::{Node, Text, dotted};
use crate::report::{Report, did_you_mean, list};
use crate::value::check_format;

/// Reports what in `node` does not fit `schema` and leaves it out.
pub(crate) fn validate(node: &mut Node, schema: &Value, report: &mut Report) {
    let validator = Validator { root: schema };
    let mut faults = Vec::new();
    validator.check(node, schema, &[], &mut faults);
    for fault in faults {
        let path: Vec<&str> = fault.path.iter().map(String::as_str).collect();
        report.error_in_document(&path, fault.message, fault.hint);
        report.leave_out(&path);
    }
}

struct Fault {
    path: Vec<String>,
    message: String,
    hint: Option<String>,
}

impl Fault {
    fn new(path: &[&str], message: String, hint: Option<String>) -> Self {
        let path = path.iter().map(|&part| part.to_owned()).collect();
        Self {
            path,
            message,
            hint,
        }
    }
}

struct Validator<'s> {
    root: &'s Value,
}

impl<'s> Validator<'s> {
    /// Whether `node` itself stays; its parts that do not fit are taken out of it.
    fn check(
        &self,
        node: &mut Node,
        schema: &'s Value,
        path: &[&str],
        faults: &mut Vec<Fault>,
    ) -> bool {
        if matches!(node, Node::Broken) {
            return false;
        }
        let alternatives = self.alternatives(schema);
        if let [schema] = alternatives.as_slice() {
            return self.check_one(node, schema, path, faults);
        }
        // Constants are one choice, told apart from alternatives of different shapes.
        let fitting: Vec<&Map<String, Value>> = alternatives
            .iter()
            .copied()
            .filter(|schema| fits(schema, node))
            .collect();
        if let (Node::Text(text), false) = (&*node, fitting.is_empty())
            && fitting.iter().all(|schema| !constants(schema).is_empty())
        {
            let allowed: Vec<&str> = fitting
                .iter()
                .flat_map(|schema| constants(schema))
                .collect();
            let other = alternatives.iter().filter(|schema| !fits(schema, node));
            let other: Vec<&str> = other.filter_map(|schema| expected(schema)).collect();
            return check_choice(text, &allowed, &other, path, faults);
        }
        for schema in &fitting {
            let mut tried = node.clone();
            let mut found = Vec::new();
            if self.check_one(&mut tried, schema, path, &mut found) && found.is_empty() {
                return true;
            }
        }
        match fitting.first() {
            Some(schema) => self.check_one(node, schema, path, faults),
            None => {
                let expected: Vec<&str> = alternatives
                    .iter()
                    .filter_map(|schema| expected(schema))
                    .collect();
                faults.push(mismatch(path, &expected.join(" or "), node));
                false
            }
        }
    }

    fn check_one(
        &self,
        node: &mut Node,
        schema: &'s Map<String, Value>,
        path: &[&str],
        faults: &mut Vec<Fault>,
    ) -> bool {
        if !fits(schema, node) {
            faults.push(mismatch(
                path,
                expected(schema).unwrap_or("something else"),
                node,
            ));
            return false;
        }
        match node {
            Node::Table(entries) => self.check_table(entries, schema, path, faults),
            Node::List(nodes) => {
                let Some(items) = schema.get("items") else {
                    return true;
                };
                let mut index = 0..;
                nodes.retain_mut(|node| {
                    let index = index.next().unwrap_or(0_usize).to_string();
                    self.check(node, items, &[path, &[index.as_str()]].concat(), faults)
                });
                true
            }
            Node::Text(text) => {
                let allowed = constants(schema);
                if !allowed.is_empty() {
                    return check_choice(text, &allowed, &[], path, faults);
                }
                let format = schema.get("format").and_then(Value::as_str);
                match format.map_or(Ok(()), |format| check_format(format, &text.expanded)) {
                    Ok(()) => true,
                    Err(error) => {
                        // A secret is not shown even as written: there it may stand in the file itself.
                        let message = match error.shows_value {
                            true => {
                                format!("`{}`: `{}` {}", dotted(path), text.written, error.message)
                            }
                            false => format!("`{}` {}", dotted(path), error.message),
                        };
                        faults.push(Fault::new(path, message, error.hint));
                        false
                    }
                }
            }
            Node::Integer(_) | Node::Float(_) => {
                #[expect(clippy::cast_precision_loss, reason = "bounds of the schema are small")]
                let number = match node {
                    Node::Float(number) => *number,
                    Node::Integer(number) => *number as f64,
                    _ => return true,
                };
                let bound = |key| schema.get(key).and_then(Value::as_f64);
                let is_u32 = schema.get("format").and_then(Value::as_str) == Some("uint32");
                let maximum = bound("maximum").or(is_u32.then_some(f64::from(u32::MAX)));
                let problem = match (bound("minimum"), maximum) {
                    (Some(minimum), _) if number < minimum => format!("must be at least {minimum}"),
                    (_, Some(maximum)) if number > maximum => format!("must be at most {maximum}"),
                    _ => return true,
                };
                faults.push(Fault::new(
                    path,
                    format!("`{}` {problem}", dotted(path)),
                    None,
                ));
                false
            }
            Node::Bool(_) => true,
            Node::Broken => false,
        }
    }

    fn check_table(
        &self,
        entries: &mut Vec<(String, Node)>,
        schema: &'s Map<String, Value>,
        path: &[&str],
        faults: &mut Vec<Fault>,
    ) -> bool {
        let properties = schema.get("properties").and_then(Value::as_object);
        let additional = schema.get("additionalProperties");
        let required: Vec<&str> = strings(schema.get("required")).collect();
        // Looked at before anything is taken out: a wrong value is not a missing one.
        let missing = required
            .iter()
            .filter(|required| !entries.iter().any(|(key, _)| key == **required));
        for missing in missing {
            let place = if path.is_empty() {
                "the file".to_owned()
            } else {
                format!("`{}`", dotted(path))
            };
            faults.push(Fault::new(
                path,
                format!("{place} needs a key `{missing}`"),
                None,
            ));
        }
        entries.retain_mut(|(key, node)| {
            let path = [path, &[key.as_str()]].concat();
            let known = properties.and_then(|properties| properties.get(key));
            match (known, additional) {
                (Some(schema), _) => self.check(node, schema, &path, faults),
                (None, Some(Value::Bool(false))) => {
                    let names = properties
                        .into_iter()
                        .flat_map(Map::keys)
                        .map(String::as_str);
                    faults.push(unknown_key(&path, names.collect()));
                    false
                }
                (None, Some(schema @ Value::Object(_))) => self.check(node, schema, &path, faults),
                (None, _) => true,
            }
        });
        required
            .iter()
            .all(|required| entries.iter().any(|(key, _)| key == required))
    }

    /// The schemas of which one must fit, references followed, `null` left out: TOML has none.
    fn alternatives(&self, schema: &'s Value) -> Vec<&'s Map<String, Value>> {
        let Some(map) = schema.as_object() else {
            return Vec::new();
        };
        if let Some(target) = map.get("$ref").and_then(Value::as_str) {
            let target = target
                .strip_prefix('#')
                .and_then(|pointer| self.root.pointer(pointer));
            return target
                .map(|target| self.alternatives(target))
                .unwrap_or_default();
        }
        let several = ["anyOf", "oneOf"]
            .iter()
            .find_map(|key| map.get(*key)?.as_array());
        match several {
            Some(several) => several
                .iter()
                .flat_map(|schema| self.alternatives(schema))
                .collect(),
            None if map.get("type").and_then(Value::as_str) == Some("null") => Vec::new(),
            None => vec![map],
        }
    }
}

/// Whether the schema is for this kind of value.
fn fits(schema: &Map<String, Value>, node: &Node) -> bool {
    let kinds: &[&str] = match node {
        Node::Text(_) => &["string"],
        Node::Integer(_) => &["integer", "number"],
        Node::Float(_) => &["number"],
        Node::Bool(_) => &["boolean"],
        Node::List(_) => &["array"],
        Node::Table(_) => &["object"],
        Node::Broken => &[],
    };
    let mut types = types(schema).peekable();
    types.peek().is_none() || types.any(|name| kinds.contains(&name))
}

fn types(schema: &Map<String, Value>) -> impl Iterator<Item = &str> {
    let one = schema.get("type").and_then(Value::as_str);
    one.into_iter().chain(strings(schema.get("type")))
}

fn strings(value: Option<&Value>) -> impl Iterator<Item = &str> {
    value
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}

/// The strings a schema of constants allows.
fn constants(schema: &Map<String, Value>) -> Vec<&str> {
    let one = schema.get("const").and_then(Value::as_str);
    one.into_iter().chain(strings(schema.get("enum"))).collect()
}

fn expected(schema: &Map<String, Value>) -> Option<&'static str> {
    types(schema).find_map(|name| match name {
        "string" => Some("a string"),
        "integer" => Some("an integer"),
        "number" => Some("a number"),
        "boolean" => Some("true or false"),
        "array" => Some("a list"),
        "object" => Some("a table"),
        _ => None,
    })
}

/// Whether the text is one of `allowed`; `other` says which other kinds of value would do.
fn check_choice(
    text: &Text,
    allowed: &[&str],
    other: &[&str],
    path: &[&str],
    faults: &mut Vec<Fault>,
) -> bool {
    if allowed.contains(&text.expanded.as_str()) {
        return true;
    }
    let one_of = if allowed.len() > 1 { "one of " } else { "" };
    let nor: String = other.iter().map(|kind| format!(", nor {kind}")).collect();
    let message = format!(
        "`{}`: `{}` is not {one_of}{}{nor}",
        dotted(path),
        text.written,
        list(allowed)
    );
    let hint = did_you_mean(&text.written, allowed.iter().copied());
    faults.push(Fault::new(path, message, hint));
    false
}

fn mismatch(path: &[&str], expected: &str, node: &Node) -> Fault {
    let message = format!("`{}` must be {expected}, not {}", dotted(path), node.kind());
    Fault::new(path, message, None)
}

fn unknown_key(path: &[&str], known: Vec<&str>) -> Fault {
    let (key, parent) = match path.split_last() {
        Some((key, parent)) => (*key, parent),
        None => ("", path),
    };
    let place = if parent.is_empty() {
        String::new()
    } else {
        format!(" in `{}`", dotted(parent))
    };
    let hint = did_you_mean(key, known.iter().copied()).or_else(|| {
        let mut known = known;
        known.sort_unstable();
        (!known.is_empty()).then(|| format!("known keys: {}", known.join(", ")))
    });
    Fault::new(path, format!("unknown key `{key}`{place}"), hint)
}
