//! The schema is the parser's own: what it describes is accepted, key by key.

use lingate_config::Config;
use serde_json::{Map, Value, json};

use crate::support::problems;

/// A value the schema accepts, with every key of every table.
fn sample(schema: &Value, root: &Value) -> Value {
    if let Some(target) = schema["$ref"].as_str() {
        let target = root
            .pointer(target.trim_start_matches('#'))
            .expect("a definition");
        return sample(target, root);
    }
    for alternatives in ["anyOf", "oneOf"] {
        if let Some(list) = schema[alternatives].as_array() {
            // The last that is not null: tables stand after texts.
            let mut choices = list.iter().filter(|choice| choice["type"] != "null");
            return sample(choices.next_back().expect("a choice"), root);
        }
    }
    if let Some(constant) = schema.get("const").or_else(|| schema["enum"].get(0)) {
        return constant.clone();
    }
    let kind = schema["type"]
        .as_str()
        .or_else(|| schema["type"][0].as_str());
    match kind.expect("a type") {
        "object" => {
            let properties = schema["properties"]
                .as_object()
                .cloned()
                .unwrap_or_default();
            let mut table: Map<String, Value> = properties
                .iter()
                .map(|(key, schema)| (key.clone(), sample(schema, root)))
                .collect();
            if let Some(additional @ Value::Object(_)) = schema.get("additionalProperties") {
                table.insert("sample".to_owned(), sample(additional, root));
            }
            Value::Object(table)
        }
        "array" => json!([sample(&schema["items"], root)]),
        "integer" | "number" => json!(1),
        "boolean" => json!(true),
        _ => match schema["format"].as_str() {
            Some("lingate-key-hash") => json!(format!("sha256:{}", "0".repeat(64))),
            Some("lingate-url") => json!("https://api.example.com"),
            Some("lingate-address") => json!("127.0.0.1:1"),
            _ => schema["examples"]
                .get(0)
                .cloned()
                .unwrap_or_else(|| json!("sample")),
        },
    }
}

#[test]
fn every_key_is_accepted() {
    let schema = Config::schema();
    let sample = sample(&schema, &schema);
    let text = toml::to_string(&sample).expect("as TOML");
    let shown = problems(&text, &[]);
    for line in shown.lines().filter(|line| !line.starts_with("  hint")) {
        // The sample's names lead nowhere; every other fault would be one of shape.
        let of_names = [
            "no model",
            "no provider",
            "no client key",
            "no profile",
            "no preset",
            "no quirk",
            "no variable",
            "leads back",
        ];
        let of_meaning = [
            "is not `provider/model`",
            "says nothing",
            "is relative",
            "is not a path",
            "is not a URL",
        ];
        let expected = of_names
            .iter()
            .chain(&of_meaning)
            .any(|expected| line.contains(expected));
        assert!(expected, "{line}\n{text}");
    }
}

/// Every table is closed: a key that is not known is a mistake somewhere.
#[test]
fn every_table_is_closed() {
    fn walk(schema: &Value, path: &str, open: &mut Vec<String>) {
        if schema.get("properties").is_some() && schema["additionalProperties"] != false {
            open.push(path.to_owned());
        }
        match schema {
            Value::Object(map) => map
                .iter()
                .for_each(|(key, value)| walk(value, &format!("{path}/{key}"), open)),
            Value::Array(list) => list.iter().for_each(|value| walk(value, path, open)),
            _ => {}
        }
    }
    let mut open = Vec::new();
    walk(&Config::schema(), "", &mut open);
    assert_eq!(open, Vec::<String>::new());
}

/// The page in the repository is the one the schema gives; `LINGATE_UPDATE_DOCS` at compile time writes it anew.
#[test]
fn reference_page_is_current() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/generated/config.md"
    );
    let page = Config::reference();
    if option_env!("LINGATE_UPDATE_DOCS").is_some() {
        std::fs::write(path, &page).expect("docs/generated exists");
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        written == page,
        "docs/generated/config.md is stale: write it anew with LINGATE_UPDATE_DOCS=1"
    );
}
