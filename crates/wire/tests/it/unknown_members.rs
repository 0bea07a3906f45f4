//! Nothing that a client says is lost in silence: a member nobody knows, planted at every object of requests that hold
//! all there is, and a value of no known kind in every member's place, is sent on, told as a loss, or refused.

use bytestring::ByteString;
use lingate_wire::turn::{Block, Node, SealKey};
use lingate_wire::{Decoded, UpstreamContext, Wire, bridge, chat};
use serde_json::{Map, Value, json};

use crate::chat_chain::lines;

/// A name and a text that stand nowhere else.
const MARK: &str = "zzplanted";

/// What a quirk or policy changed before the request was encoded.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Changed {
    Nothing,
    Messages,
    Everything,
}

fn change(decoded: &mut Decoded, changed: Changed) {
    if changed == Changed::Nothing {
        return;
    }
    let touch = |block: &mut Node<Block>| {
        if changed == Changed::Everything {
            block.edit();
        }
    };
    for message in &mut decoded.turn.messages {
        for block in message.edit().blocks.iter_mut() {
            touch(block);
        }
    }
    if changed == Changed::Everything {
        decoded.turn.system.iter_mut().for_each(touch);
        for tool in decoded.turn.tools.iter_mut() {
            tool.edit();
        }
    }
}

/// What is sent, and what is told as lost; `None` if the request is refused.
fn translated(
    client: Wire,
    upstream: Wire,
    changed: Changed,
    body: &Value,
) -> Option<(String, Vec<String>)> {
    let body = ByteString::from(body.to_string());
    let doc = bridge::scan_request(client, &body).unwrap();
    let mut decoded = bridge::decode_request(client, &doc).ok()?;
    change(&mut decoded, changed);
    let seal = SealKey::new("provider", "provider#1", "model");
    let context = UpstreamContext {
        model: "model",
        seal: &seal,
    };
    let dialect = chat::Dialect::default();
    let encoded = bridge::encode_request(upstream, &decoded, &context, &dialect).ok()?;
    let sent = String::from_utf8(encoded.body).unwrap();
    // What stands twice in an object is one member too many.
    let doc = bridge::scan_request(upstream, &ByteString::from(&*sent));
    assert!(doc.is_ok(), "{sent}: {doc:?}");
    let told = encoded.losses.iter().map(|loss| loss.path.clone());
    Some((sent, told.collect()))
}

/// Why nobody would know of what was planted at this path.
fn silence(
    client: Wire,
    upstream: Wire,
    changed: Changed,
    body: &Value,
    path: &str,
) -> Option<String> {
    let (sent, told) = translated(client, upstream, changed, body)?;
    // Citations have another name on every wire.
    if path.contains(".annotations[") {
        return None;
    }
    let names = names(client, path);
    // Of what holds it, or of what it holds.
    let is_told = |told: &String| {
        let is_about = |name: &String| name.starts_with(told.as_str()) || told.starts_with(name);
        told.contains(MARK) || names.iter().any(is_about)
    };
    let is_known = sent.contains(MARK) || told.iter().any(is_told);
    (!is_known).then(|| format!("{client} on {upstream}, changed {changed:?}: {path}\n"))
}

/// A path as losses have it: the client's, or as the hub names what the wire has its own names for.
fn names(client: Wire, path: &str) -> [String; 2] {
    if client != Wire::Gemini {
        return [path.to_owned(), path.replace(".custom.", ".")];
    }
    // Tools are counted without the groups that they stand in.
    let of_hub = match path.strip_prefix("tools[") {
        Some(rest) if !rest.contains("functionDeclarations[") => "tools[",
        Some(_) => "tools[0",
        None => path,
    };
    let of_hub = of_hub.replace("contents[", "messages[");
    [camel(path), of_hub.replace(".parts[", ".content[")]
}

/// A path in camelCase.
fn camel(path: &str) -> String {
    let mut words = path.split("_");
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| {
        let mut letters = word.chars();
        let head = letters.next().map(|letter| letter.to_ascii_uppercase());
        name + &head.into_iter().chain(letters).collect::<String>()
    })
}

/// Every place of a document: its path and JSON pointer.
fn places(value: &Value, path: &str, pointer: &str, found: &mut Vec<(String, String)>) {
    found.push((path.to_owned(), pointer.to_owned()));
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                let dot = if path.is_empty() { "" } else { "." };
                let escaped = key.replace('~', "~0").replace('/', "~1");
                places(
                    value,
                    &format!("{path}{dot}{key}"),
                    &format!("{pointer}/{escaped}"),
                    found,
                );
            }
        }
        Value::Array(items) => {
            for (at, value) in items.iter().enumerate() {
                places(
                    value,
                    &format!("{path}[{at}]"),
                    &format!("{pointer}/{at}"),
                    found,
                );
            }
        }
        _ => {}
    }
}

fn planted(body: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    places(body, "", "", &mut found);
    let mut all = Vec::new();
    for (path, pointer) in found {
        let mut with = body.clone();
        let place = with.pointer_mut(&pointer).unwrap();
        if let Some(members) = place.as_object_mut() {
            members.insert(MARK.to_owned(), json!(1));
            all.push((format!("{path}.{MARK}"), with));
        }
    }
    all
}

/// With another value in the place of every one.
fn misplaced(body: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    places(body, "", "", &mut found);
    let mut all = Vec::new();
    // The model asked for is never sent on.
    found.retain(|(path, _)| !path.is_empty() && path != "model");
    for (path, pointer) in found {
        let object = Value::Object(Map::from_iter([(MARK.to_owned(), json!(1))]));
        for wrong in [object, json!([MARK]), json!(MARK)] {
            let mut with = body.clone();
            *with.pointer_mut(&pointer).unwrap() = wrong;
            all.push((path.clone(), with));
        }
    }
    all
}

fn holes(
    make: fn(&Value) -> Vec<(String, Value)>,
    is_own: bool,
    all_changes: &[Changed],
) -> String {
    let mut found = Vec::new();
    let both = Wire::ALL
        .iter()
        .flat_map(|client| all_changes.iter().map(move |changed| (*client, *changed)));
    for (client, changed) in both {
        for body in lines(&format!("full/{client}.jsonl")) {
            for (path, body) in make(&body) {
                for upstream in Wire::ALL {
                    if (client == upstream) == is_own {
                        found.extend(silence(client, upstream, changed, &body, &path));
                    }
                }
            }
        }
    }
    found.dedup();
    found.concat()
}

#[test]
fn members_on_the_own_wire() {
    let holes = holes(
        planted,
        true,
        &[Changed::Nothing, Changed::Messages, Changed::Everything],
    );
    assert!(holes.is_empty(), "{holes}");
}

#[test]
fn members_on_other_wires() {
    let holes = holes(planted, false, &[Changed::Nothing]);
    assert!(holes.is_empty(), "{holes}");
}

/// What a wrong value is worth on another wire is that wire's matter: there only what is copied can be told apart.
#[test]
fn values_on_the_own_wire() {
    let holes = holes(misplaced, true, &[Changed::Nothing]);
    assert!(holes.is_empty(), "{holes}");
}

/// What the own wire keeps, of what no other has a place for.
#[test]
fn what_is_kept() {
    let schema = json!({"type": "object"});
    let kept = json!({"type": "json_schema", "name": "n", "schema": schema, "x": 1});
    let flat = json!({"type": "json_schema", "name": "n", "schema": schema, "description": "d"});
    let nested = json!({"type": "json_schema", "x": 1, "json_schema":
        {"name": "n", "schema": schema, "description": "d"}});
    let config = json!({"thinkingConfig": {"thinkingBudget": 9, "thinkingLevel": "low"}});
    for (wire, member, value) in [
        (Wire::Anthropic, "output_format", &kept),
        (
            Wire::Anthropic,
            "thinking",
            &json!({"type": "enabled", "budget_tokens": "x"}),
        ),
        (Wire::Chat, "response_format", &nested),
        (
            Wire::Chat,
            "response_format",
            &json!({"type": "grammar", "grammar": "g"}),
        ),
        (Wire::Responses, "text", &json!({"format": flat})),
        (Wire::Gemini, "generationConfig", &config),
        (
            Wire::Gemini,
            "systemInstruction",
            &json!({"parts": [{"text": "s"}], "role": "user", "x": 1}),
        ),
    ] {
        let mut body = json!({"model": "m"});
        if wire == Wire::Anthropic {
            body["max_tokens"] = json!(9000);
        }
        let conversation = match wire {
            Wire::Anthropic | Wire::Chat => "messages",
            Wire::Responses => "input",
            Wire::Gemini => "contents",
        };
        body[conversation] = json!([]);
        body[member] = value.clone();
        let (sent, told) = translated(wire, wire, Changed::Nothing, &body).unwrap();
        let sent: Value = serde_json::from_str(&sent).unwrap();
        // The older name of the two.
        let at = match member {
            "output_format" => "output_config/format",
            member => member,
        };
        assert_eq!(
            sent.pointer(&format!("/{at}")),
            Some(value),
            "{wire} {body}"
        );
        assert_eq!(told, Vec::<String>::new(), "{wire} {body}");
    }
}

/// Values of a wrong kind where settings and quirks have a say are told and not sent: they would stand beside theirs.
#[test]
fn what_others_may_say_is_said_once() {
    for (wire, member, value) in [
        (Wire::Chat, "seed", json!("x")),
        (Wire::Chat, "max_tokens", json!(-1)),
        (Wire::Chat, "max_completion_tokens", json!(-1)),
        (Wire::Chat, "stream", json!("true")),
        (Wire::Responses, "text", json!("x")),
        (Wire::Responses, "reasoning", json!("x")),
        (Wire::Responses, "temperature", json!("x")),
    ] {
        let conversation = if wire == Wire::Chat {
            "messages"
        } else {
            "input"
        };
        let body = json!({"model": "m", conversation: [], member: value});
        let (sent, told) = translated(wire, wire, Changed::Nothing, &body).unwrap();
        assert!(!sent.contains(member), "{wire} {sent}");
        assert_eq!(told, [member], "{wire} {body}");
    }
    // One wish for a summary is not joined by another.
    let body = json!({"model": "m", "input": [], "reasoning": {"generate_summary": "concise"}});
    let (sent, _) = translated(Wire::Responses, Wire::Responses, Changed::Nothing, &body).unwrap();
    assert!(!sent.contains("\"summary\""), "{sent}");
}
