//! Tables of expected results, written as JSON.

use serde_json::{Map, Value};

/// The cases of a table.
pub(crate) fn object(table: Value) -> Map<String, Value> {
    match table {
        Value::Object(cases) => cases,
        _ => panic!("a table of cases is an object"),
    }
}

/// An expected result with further values.
pub(crate) fn merged(base: &Value, more: Value) -> Value {
    let mut values = object(base.clone());
    values.extend(object(more));
    Value::Object(values)
}

/// The same cases under a longer name.
pub(crate) fn prefixed(prefix: &str, table: Value) -> Map<String, Value> {
    let longer = |(case, expected)| (format!("{prefix} {case}"), expected);
    object(table).into_iter().map(longer).collect()
}
