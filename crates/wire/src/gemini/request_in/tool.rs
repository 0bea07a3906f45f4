//! Tool declarations.

use super::schema::json_schema;
use crate::Wire;
use crate::gemini::member;
use crate::gemini::peek::invalid;
use crate::json::{Kind, Value, Writer};
use crate::turn::{Failure, Foreign, Node, Tool};

/// Decodes `tools`: each holds functions, or tools that the provider runs, under their names.
pub(super) fn decode(value: Value<'_>) -> Result<Vec<Node<Tool>>, Failure> {
    let groups: Vec<Value<'_>> = match value.kind() {
        Kind::Array => value.items().collect(),
        Kind::Object => vec![value],
        Kind::Null | Kind::Bool | Kind::Number | Kind::String => {
            return Err(invalid("tools: expected an array of tools"));
        }
    };
    let mut tools = Vec::new();
    if let Some(nth) = groups.iter().position(|group| group.kind() != Kind::Object) {
        return Err(invalid(format!(
            "tools[{nth}]: expected a tool, as an object"
        )));
    }
    for (key, member) in groups.into_iter().flat_map(Value::members) {
        match &*member::camel(&key) {
            _ if member.is_null() => {}
            "functionDeclarations" if member.kind() != Kind::Array => {
                return Err(invalid(
                    "tools.functionDeclarations: expected an array of functions",
                ));
            }
            "functionDeclarations" => {
                for item in member.items() {
                    member::distinct(item, "tools.functionDeclarations.")?;
                    tools.push(Node::received(function(item), Wire::Gemini, item.to_raw()));
                }
            }
            kind => {
                let mut json = Writer::default();
                json.begin_object()
                    .member(kind)
                    .raw(member.raw())
                    .end_object();
                tools.push(Node::new(Tool::Hosted {
                    kind: kind.into(),
                    name: None,
                    declaration: Foreign {
                        wire: Wire::Gemini,
                        raw: String::from_utf8(json.into_bytes())
                            .unwrap_or_default()
                            .into(),
                    },
                }));
            }
        }
    }
    Ok(tools)
}

fn function(value: Value<'_>) -> Tool {
    let schema = member::get(value, "parametersJsonSchema")
        .map(Value::to_raw)
        .or_else(|| Some(json_schema(member::get(value, "parameters")?).into()));
    Tool::Function {
        name: member::text(value, "name").unwrap_or_default(),
        namespace: None,
        description: member::text(value, "description"),
        input_schema: schema,
        strict: None,
        deferred: false,
        cache: None,
        extra: member::others(
            value,
            &["name", "description", "parameters", "parametersJsonSchema"],
        ),
    }
}
