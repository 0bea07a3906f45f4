//! Several nodes that one item or declaration became: copied as one, if none of them was changed.

use bytestring::ByteString;

use crate::Wire;
use crate::json::{Value, scan_reply};
use crate::turn::Node;

/// The received bytes that stand for the nodes from `at` on, and for how many of them; `None` if the node there has to be
/// written from its value. Empty bytes stand for something that another item brings.
pub(super) fn received<T>(nodes: &[Node<T>], at: usize) -> Option<(&ByteString, usize)> {
    let raw = nodes.get(at)?.raw(Wire::Responses)?;
    if raw.is_empty() {
        return None;
    }
    let rest = nodes.iter().skip(at + 1);
    let followers = rest
        .take_while(|node| node.raw(Wire::Responses).is_some_and(|raw| raw.is_empty()))
        .count();
    if followers == 0 && !may_be_many(raw) {
        return Some((raw, 1));
    }
    (nodes_of(raw) == followers + 1).then_some((raw, followers + 1))
}

/// Whether a node is part of something that an earlier node, or another item, brings whole.
pub(super) fn is_brought<T>(node: &Node<T>) -> bool {
    node.raw(Wire::Responses).is_some_and(|raw| raw.is_empty())
}

/// A glance that spares most items the scan.
fn may_be_many(raw: &ByteString) -> bool {
    let has = |needle: &str| memchr::memmem::find(raw.as_bytes(), needle.as_bytes()).is_some();
    has("\"message\"") || has("\"namespace\"") || has("\"role\"")
}

/// How many nodes an item or declaration is decoded into.
fn nodes_of(raw: &ByteString) -> usize {
    let Ok(doc) = scan_reply(raw, &["parameters"]) else {
        return 1;
    };
    let root = doc.root();
    let kind = root.get("type").and_then(Value::str);
    let list = match kind.as_deref() {
        Some("namespace") => root.get("tools"),
        Some("message") | None => root.get("content"),
        Some(_) => None,
    };
    let count = list.map_or(0, |list| {
        list.items().filter(|item| !item.is_null()).count()
    });
    count.max(1)
}
