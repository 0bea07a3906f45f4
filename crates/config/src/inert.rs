//! Keys that parse and validate but have no effect yet. Each change that gives one its effect deletes its line.

use crate::document::{Node, dotted};
use crate::problem::Problem;
use crate::report::Report;

/// A key by its path, `*` for any name; and the value with which it asks for nothing.
const INERT: &[(&[&str], Option<&str>)] = &[(&["providers", "*", "proxy"], Some(""))];

/// The keys of the document that have no effect yet, with their lines.
pub(crate) fn inert_keys(document: &Node, report: &Report) -> Vec<Problem> {
    let mut found = Vec::new();
    for (pattern, unless) in INERT {
        let profile = [&["profiles", "*"], *pattern].concat();
        for pattern in [pattern.to_vec(), profile] {
            collect(document, &pattern, &mut Vec::new(), &mut |path, node| {
                if unless.is_none_or(|value| shown(node) != value) {
                    let mut problem =
                        Problem::new(format!("`{}` has no effect yet", dotted(path)), None);
                    problem.place = report.place(path);
                    found.push(problem);
                }
            });
        }
    }
    found.sort_by_key(|problem| problem.place.as_ref().map(|place| place.line));
    found
}

fn collect<'n>(
    node: &'n Node,
    pattern: &[&str],
    path: &mut Vec<&'n str>,
    found: &mut dyn FnMut(&[&str], &Node),
) {
    let Some((first, rest)) = pattern.split_first() else {
        found(path, node);
        return;
    };
    let Node::Table(entries) = node else { return };
    for (key, child) in entries {
        if *first == "*" || first == key {
            path.push(key);
            collect(child, rest, path, found);
            path.pop();
        }
    }
}

fn shown(node: &Node) -> String {
    match node {
        Node::Text(text) => text.expanded.clone(),
        Node::Integer(number) => number.to_string(),
        Node::Float(number) => number.to_string(),
        Node::Bool(value) => value.to_string(),
        Node::List(nodes) => nodes.iter().map(shown).collect::<Vec<_>>().join(", "),
        Node::Table(_) | Node::Broken => "...".to_owned(),
    }
}
