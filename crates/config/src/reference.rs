//! The reference page of the configuration, written from the schema.

use serde_json::{Map, Value};

/// `docs/generated/config.md`: every key with what it takes and what it means.
pub(crate) fn reference(schema: &Value) -> String {
    let mut page = String::from(
        "# Configuration\n\n\
         Every key of the configuration file, written from its schema (`lingate config schema`). `NAME` stands for a \
         name of your own. Strings take `${VAR}`, `${VAR:-default}` and `${file:PATH}`; paths may start with `~/`.\n\n\
         | key | takes | meaning |\n|---|---|---|\n",
    );
    rows(schema, schema, "", &mut page);
    page
}

fn rows(schema: &Value, root: &Value, path: &str, page: &mut String) {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return;
    };
    for (key, property) in properties {
        let path = if path.is_empty() {
            key.clone()
        } else {
            format!("{path}.{key}")
        };
        row(property, root, &path, page);
    }
}

/// One line for the key, then the lines of what stands below it.
fn row(schema: &Value, root: &Value, path: &str, page: &mut String) {
    let shapes = shapes(schema, root);
    let takes: Vec<String> = shapes
        .iter()
        .filter_map(|shape| takes(shape, root))
        .collect();
    let description = [Some(schema), shapes.first().copied()]
        .into_iter()
        .flatten()
        .find_map(|schema| schema.get("description")?.as_str())
        .unwrap_or_default();
    let cell = |text: &str| text.replace('\n', " ").replace('|', "\\|");
    page.push_str(&format!(
        "| `{path}` | {} | {} |\n",
        cell(&takes.join(" or ")),
        cell(description)
    ));
    for shape in shapes {
        rows(shape, root, path, page);
        if let Some(named) = shape
            .get("additionalProperties")
            .filter(|named| named.is_object())
        {
            for shape in self::shapes(named, root) {
                rows(shape, root, &format!("{path}.NAME"), page);
            }
        }
        if let Some(items) = shape.get("items") {
            for shape in self::shapes(items, root) {
                rows(shape, root, &format!("{path}[]"), page);
            }
        }
    }
}

/// What one alternative takes, in a few words.
fn takes(shape: &Value, root: &Value) -> Option<String> {
    let constants: Vec<String> = shape
        .get("enum")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .chain(shape.get("const"))
        .filter_map(|constant| Some(format!("`{}`", constant.as_str()?)))
        .collect();
    if !constants.is_empty() {
        return Some(constants.join(" or "));
    }
    if let Some(example) = shape
        .get("examples")
        .and_then(|examples| examples.get(0)?.as_str())
    {
        return Some(format!("text like `{example}`"));
    }
    let named = shape.get("type")?;
    let name = named.as_str().or_else(|| named.get(0)?.as_str())?;
    Some(match name {
        "string" => "text".to_owned(),
        "boolean" => "`true` or `false`".to_owned(),
        "array" => {
            let shapes = shape
                .get("items")
                .map(|items| shapes(items, root))
                .unwrap_or_default();
            let items: Vec<String> = shapes
                .iter()
                .filter_map(|shape| takes(shape, root))
                .collect();
            format!("list of {}", items.join(" or "))
        }
        "object" => "table".to_owned(),
        other => other.to_owned(),
    })
}

/// The alternatives of a schema, references followed, `null` left out.
fn shapes<'s>(schema: &'s Value, root: &'s Value) -> Vec<&'s Value> {
    if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
        let target = root.pointer(target.trim_start_matches('#'));
        return target
            .map(|target| shapes(target, root))
            .unwrap_or_default();
    }
    let null = |schema: &&Value| schema.get("type").and_then(Value::as_str) != Some("null");
    let map: Option<&Map<String, Value>> = schema.as_object();
    let several = map.and_then(|map| {
        ["anyOf", "oneOf"]
            .iter()
            .find_map(|key| map.get(*key)?.as_array())
    });
    match several {
        Some(several) => several
            .iter()
            .filter(null)
            .flat_map(|schema| shapes(schema, root))
            .collect(),
        None => vec![schema],
    }
}
