//! The client's tools that can write a file and read it back, known by their names and schemas.

use serde_json::{Map, Value, json};

/// Names of tools that write a whole file, the surest first; case, `_` and `-` do not count.
const WRITERS: [&str; 8] = [
    "write",
    "writefile",
    "writetofile",
    "create",
    "createfile",
    "savefile",
    "editor",
    "edit",
];
/// Names of tools that read a file.
const READERS: [&str; 6] = ["read", "readfile", "view", "viewfile", "openfile", "cat"];
/// Names of tools that run a shell command: all that some clients have.
const SHELLS: [&str; 5] = [
    "execcommand",
    "runshellcommand",
    "runterminalcommand",
    "bash",
    "shell",
];

const PATHS: [&str; 7] = [
    "file_path",
    "filePath",
    "path",
    "absolute_path",
    "filename",
    "file",
    "target_file",
];
const CONTENTS: [&str; 6] = [
    "content",
    "contents",
    "file_text",
    "text",
    "new_text",
    "file_content",
];
const COMMANDS: [&str; 2] = ["cmd", "command"];
const DESCRIPTIONS: [&str; 1] = ["description"];

/// A tool call to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    /// The tool's name as declared.
    pub(super) name: String,
    /// Its arguments, a JSON object.
    pub(super) arguments: Value,
}

/// The call that writes `content` to `path`, if a tool can.
pub(super) fn write(body: &Value, path: &str, content: &str) -> Option<Call> {
    let own = find(body, &WRITERS, &[(&PATHS, path), (&CONTENTS, content)]);
    own.or_else(|| {
        let command = format!("cat > {} <<'EOF'\n{content}EOF", quoted(path));
        find(
            body,
            &SHELLS,
            &[
                (&COMMANDS, &command),
                (&DESCRIPTIONS, "Write the demo's file"),
            ],
        )
    })
}

/// The call that reads `path`, if a tool can.
pub(super) fn read(body: &Value, path: &str) -> Option<Call> {
    find(body, &READERS, &[(&PATHS, path)]).or_else(|| {
        let command = format!("cat {}", quoted(path));
        find(
            body,
            &SHELLS,
            &[
                (&COMMANDS, &command),
                (&DESCRIPTIONS, "Read the demo's file"),
            ],
        )
    })
}

/// The schema of the parameters of the tool `name`.
pub(super) fn parameters<'a>(body: &'a Value, name: &str) -> Option<&'a Value> {
    functions(body)
        .find(|(own, _)| *own == name)
        .map(|(_, parameters)| parameters)
}

/// Whether the client declares any function.
pub(super) fn any(body: &Value) -> bool {
    functions(body).next().is_some()
}

/// The first of `names` that takes the first of `values`, and needs nothing that is not among them.
fn find(body: &Value, names: &[&str], values: &[(&[&str], &str)]) -> Option<Call> {
    names.iter().find_map(|name| {
        functions(body)
            .filter(|(own, _)| normalised(own) == *name)
            .find_map(|(own, parameters)| {
                Some(Call {
                    name: own.to_owned(),
                    arguments: Value::Object(arguments(parameters, values)?),
                })
            })
    })
}

/// `values` under the names that the schema has for them. A description alone may be missing from the schema.
fn arguments(parameters: &Value, values: &[(&[&str], &str)]) -> Option<Map<String, Value>> {
    let properties = parameters.get("properties")?.as_object()?;
    let mut arguments = Map::new();
    for (keys, value) in values {
        match keys.iter().find(|key| takes_string(properties.get(**key))) {
            Some(key) => {
                arguments.insert((*key).to_owned(), json!(value));
            }
            None if **keys == DESCRIPTIONS => {}
            None => return None,
        }
    }
    let required = parameters.get("required").and_then(Value::as_array);
    let is_complete = required
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .all(|key| arguments.contains_key(key));
    is_complete.then_some(arguments)
}

/// Whether a property takes a string: it says so, or does not say what it takes.
fn takes_string(property: Option<&Value>) -> bool {
    property.is_some_and(|property| match property.get("type") {
        None => true,
        Some(Value::Array(types)) => types.contains(&json!("string")),
        Some(kind) => kind == "string",
    })
}

fn functions(body: &Value) -> impl Iterator<Item = (&str, &Value)> {
    body.get("tools")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|tool| {
            let function = tool.get("function")?;
            let name = function.get("name")?.as_str()?;
            Some((name, function.get("parameters").unwrap_or(&Value::Null)))
        })
}

fn normalised(name: &str) -> String {
    name.chars()
        .filter(|letter| !matches!(letter, '_' | '-'))
        .map(|letter| letter.to_ascii_lowercase())
        .collect()
}

/// A word of a POSIX shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}
