//! How much of one provider request is the beginning of another: what a provider's prompt cache can use again.
//!
//! A cache knows prompts, not documents: tools first, then the system prompt, then the messages, whatever the order of
//! members. Marks of where to cache (`cache_control`) are no part of it. The later request may go on where the earlier
//! one ends; the first byte of it that reads otherwise is where the cache ends.

use bytestring::ByteString;
use lingate_wire::Wire;
use lingate_wire::json::{Doc, Kind, Value, scan_reply};
use serde::Serialize;

use super::json::member;

/// What two requests have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Prefix {
    /// Bytes of the earlier prompt that the later one begins with.
    pub(super) kept_bytes: usize,
    /// Bytes of the earlier prompt.
    pub(super) bytes: usize,
    /// Where they part; `None` if the later one goes on where the earlier ends, or ends before it does.
    pub(super) parts: Option<Parting>,
    /// Members beside the prompt that differ and that providers keep caches apart by.
    pub(super) also: Vec<&'static str>,
}

/// The first byte that reads otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Parting {
    /// The value it lies in.
    pub(super) path: String,
    /// Its place in the earlier request's body.
    pub(super) before_at: usize,
    /// Its place in the later request's body.
    pub(super) after_at: usize,
    /// What stands around it in the earlier body.
    pub(super) before: String,
    /// What stands around it in the later body.
    pub(super) after: String,
}

/// Bytes shown before and behind the place.
const BEFORE: usize = 24;
const BEHIND: usize = 40;

/// No part of a prompt.
const MARK: &str = "cache_control";

/// Compares two requests to providers of a wire; `None` if one is not JSON.
pub(super) fn prefix(wire: Wire, before: &[u8], after: &[u8]) -> Option<Prefix> {
    let (before, after) = (document(before)?, document(after)?);
    let mut prefix = Prefix {
        kept_bytes: 0,
        bytes: 0,
        parts: None,
        also: beside(wire)
            .iter()
            .copied()
            .filter(|name| raw(&before, name) != raw(&after, name))
            .collect(),
    };
    let (front, conversation) = prompt(wire);
    for name in front.iter().chain([&conversation]) {
        let (one, other) = (before.root().get(name), after.root().get(name));
        let length = one.map_or(0, |value| value.span().len());
        prefix.bytes += length;
        if prefix.parts.is_some() {
            continue;
        }
        match difference(name, *name == conversation, (&before, one), (&after, other)) {
            None => prefix.kept_bytes += length,
            Some((kept, parting)) => {
                prefix.kept_bytes += kept;
                prefix.parts = Some(parting);
            }
        }
    }
    Some(prefix)
}

/// The members of a prompt in the order in which they are read, the conversation last.
const fn prompt(wire: Wire) -> (&'static [&'static str], &'static str) {
    match wire {
        Wire::Anthropic => (&["tools", "system"], "messages"),
        Wire::Chat => (&["tools"], "messages"),
        Wire::Responses => (&["tools", "instructions"], "input"),
        Wire::Gemini => (&["tools", "systemInstruction", "cachedContent"], "contents"),
    }
}

/// Members that are not in the prompt and still decide whether its cache is used.
const fn beside(wire: Wire) -> &'static [&'static str] {
    match wire {
        Wire::Anthropic => &["model", "tool_choice", "thinking", "speed"],
        Wire::Chat => &[
            "model",
            "prompt_cache_key",
            "tool_choice",
            "reasoning_effort",
        ],
        Wire::Responses => &["model", "prompt_cache_key", "tool_choice", "reasoning"],
        Wire::Gemini => &["toolConfig"],
    }
}

fn document(body: &[u8]) -> Option<Doc> {
    let text = std::str::from_utf8(body).ok()?;
    scan_reply(&ByteString::from(text), &[]).ok()
}

fn raw<'d>(doc: &'d Doc, name: &str) -> &'d str {
    doc.root().get(name).map_or("", Value::raw)
}

/// One side of a comparison.
type Side<'d> = (&'d Doc, Option<Value<'d>>);

/// Bytes of a member that are the same, and where it reads otherwise.
fn difference(
    name: &str,
    may_go_on: bool,
    (before, one): Side<'_>,
    (after, other): Side<'_>,
) -> Option<(usize, Parting)> {
    let (path, at, to) = match (one, other) {
        (None, None) => return None,
        (Some(one), Some(other)) => walk(name, may_go_on, one, other)?,
        (Some(one), None) => (name.to_owned(), one.span().start, last(after.root())),
        (None, Some(other)) => (name.to_owned(), last(before.root()), other.span().start),
    };
    let kept = one.map_or(0, |one| at.saturating_sub(one.span().start));
    let parting = Parting {
        path,
        before_at: at,
        after_at: to,
        before: around(before.text(), at),
        after: around(after.text(), to),
    };
    Some((kept, parting))
}

/// The path and the places of the first byte that reads otherwise.
fn walk(
    path: &str,
    may_go_on: bool,
    before: Value<'_>,
    after: Value<'_>,
) -> Option<(String, usize, usize)> {
    let here = || Some((path.to_owned(), before.span().start, after.span().start));
    if before.raw() == after.raw() {
        return None;
    }
    match (before.kind(), after.kind()) {
        (Kind::Object, Kind::Object) => objects(path, before, after),
        (Kind::Array, Kind::Array) => {
            let mut others = after.items();
            for (at, one) in before.items().enumerate() {
                let path = format!("{path}[{at}]");
                let Some(other) = others.next() else {
                    // What ends early lies whole in the cache.
                    return match may_go_on {
                        true => None,
                        false => Some((path, one.span().start, last(after))),
                    };
                };
                if let found @ Some(_) = walk(&path, false, one, other) {
                    return found;
                }
            }
            let more = others.next().filter(|_| !may_go_on)?;
            let at = before.items().count();
            Some((format!("{path}[{at}]"), last(before), more.span().start))
        }
        (Kind::String, Kind::String) => {
            let pairs = before.raw().bytes().zip(after.raw().bytes());
            let same = pairs.take_while(|(one, other)| one == other).count();
            Some((
                path.to_owned(),
                before.span().start + same,
                after.span().start + same,
            ))
        }
        (Kind::Array, Kind::String) if only_text(before).is_some() => {
            walk(path, false, only_text(before)?, after)
        }
        (Kind::String, Kind::Array) if only_text(after).is_some() => {
            walk(path, false, before, only_text(after)?)
        }
        _ => here(),
    }
}

fn objects(path: &str, before: Value<'_>, after: Value<'_>) -> Option<(String, usize, usize)> {
    let is_prompt = |(name, _): &(std::borrow::Cow<'_, str>, Value<'_>)| name != MARK;
    let mut others = after.members().filter(is_prompt);
    for (name, one) in before.members().filter(is_prompt) {
        let path = member(path, &name);
        match others.next() {
            Some((other_name, other)) if other_name == name => {
                if let found @ Some(_) = walk(&path, false, one, other) {
                    return found;
                }
            }
            Some((_, other)) => return Some((path, one.span().start, other.span().start)),
            None => return Some((path, one.span().start, last(after))),
        }
    }
    let (name, more) = others.next()?;
    Some((member(path, &name), last(before), more.span().start))
}

/// The text of a list of one text, which wires take for the same as the text itself.
fn only_text(list: Value<'_>) -> Option<Value<'_>> {
    let mut items = list.items();
    let only = items.next().filter(|_| items.next().is_none())?;
    only.get("text").filter(|text| text.kind() == Kind::String)
}

/// The bracket that ends a list or an object.
fn last(value: Value<'_>) -> usize {
    value.span().end.saturating_sub(1)
}

/// What stands around a place, to whole characters.
fn around(body: &str, at: usize) -> String {
    let begin = (at.saturating_sub(BEFORE)..=at).find(|at| body.is_char_boundary(*at));
    let end = (at..=(at + BEHIND).min(body.len())).rfind(|at| body.is_char_boundary(*at));
    let text = body.get(begin.unwrap_or(at)..end.unwrap_or(at));
    text.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(wire: Wire, before: &str, after: &str, expected: Option<(&str, &str)>) -> Prefix {
        let prefix = prefix(wire, before.as_bytes(), after.as_bytes()).unwrap();
        let found = prefix.parts.as_ref().map(|parting| {
            let rest = after.get(parting.after_at..).unwrap_or_default();
            (parting.path.as_str(), rest.get(..1).unwrap_or_default())
        });
        assert_eq!(found, expected, "{before} -> {after}: {prefix:?}");
        assert!(prefix.kept_bytes <= prefix.bytes, "{prefix:?}");
        prefix
    }

    #[test]
    fn a_further_turn_keeps_everything() {
        let before =
            r#"{"model":"m","messages":[{"role":"user","content":"a"}],"tools":[{"name":"T"}]}"#;
        let after = r#"{"model":"m","messages":[{"role":"user","content":"a"},{"role":"assistant"}],"tools":[{"name":"T"}]}"#;
        let kept = check(Wire::Chat, before, after, None);
        assert_eq!(kept.kept_bytes, kept.bytes);
        check(Wire::Chat, after, before, None);
        check(Wire::Chat, before, before, None);
    }

    #[test]
    fn the_first_byte_that_reads_otherwise() {
        let body = |system: &str, text: &str, tool: &str| {
            format!(
                r#"{{"system":[{{"type":"text","text":"{system}"}}],"messages":[{{"role":"user","content":"{text}"}}],"tools":[{{"name":"{tool}"}}]}}"#
            )
        };
        let before = body("You help.", "one", "Read");
        for (after, expected) in [
            (
                body("You help.", "onX", "Read"),
                ("messages[0].content", "X"),
            ),
            (body("You yelp.", "onX", "Read"), ("system[0].text", "y")),
            (body("You yelp.", "onX", "Real"), ("tools[0].name", "l")),
            (
                body("You help.", "one, too", "Read"),
                ("messages[0].content", ","),
            ),
        ] {
            check(Wire::Anthropic, &before, &after, Some(expected));
        }
        let tools = before.replace(r#","tools":[{"name":"Read"}]"#, "");
        let none = check(Wire::Anthropic, &tools, &before, Some(("tools", "[")));
        assert_eq!(none.kept_bytes, 0, "tools come first");
    }

    #[test]
    fn marks_of_where_to_cache_are_no_part_of_the_prompt() {
        let before = r#"{"messages":[{"role":"user","content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}]}]}"#;
        let after = r#"{"messages":[{"role":"user","content":[{"type":"text","text":"a"}]},{"role":"assistant","content":[]}]}"#;
        check(Wire::Anthropic, before, after, None);
    }

    #[test]
    fn a_text_is_the_same_prompt_however_it_is_spelled() {
        let body =
            |content: &str| format!(r#"{{"messages":[{{"role":"user","content":{content}}}]}}"#);
        let list = |text: &str| {
            body(&format!(
                r#"[{{"type":"text","text":"{text}","cache_control":{{"type":"ephemeral"}}}}]"#
            ))
        };
        check(Wire::Anthropic, &list("one"), &body("\"one\""), None);
        check(Wire::Anthropic, &body("\"one\""), &list("one"), None);
        let other = Some(("messages[0].content", "X"));
        check(Wire::Anthropic, &list("one"), &body("\"onX\""), other);
    }

    #[test]
    fn what_lies_beside_the_prompt_is_named() {
        let before = r#"{"model":"a","prompt_cache_key":"1","input":"x"}"#;
        let after = r#"{"model":"b","prompt_cache_key":"1","input":"x"}"#;
        let same = check(Wire::Responses, before, after, None);
        assert_eq!(same.also, ["model"]);
        assert_eq!(prefix(Wire::Chat, b"{", b"{}"), None);
    }

    #[test]
    fn lists_other_than_the_conversation_must_end_alike() {
        let before = r#"{"tools":[{"name":"a"}],"messages":[]}"#;
        let after = r#"{"tools":[{"name":"a"},{"name":"b"}],"messages":[]}"#;
        check(Wire::Chat, before, after, Some(("tools[1]", "{")));
        check(Wire::Chat, after, before, Some(("tools[1]", "]")));
        let nested = r#"{"messages":[{"role":"user","content":[1,2]}]}"#;
        let shorter = r#"{"messages":[{"role":"user","content":[1]}]}"#;
        check(
            Wire::Chat,
            shorter,
            nested,
            Some(("messages[0].content[1]", "2")),
        );
    }
}
