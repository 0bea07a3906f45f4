//! The file as a tree: TOML parsed with its line numbers, strings expanded, then checked against the schema.
//!
//! The schema comes from the same types that the tree is read into, so what is accepted, what is documented and
//! what is read cannot drift apart. What is wrong is reported and left out; the rest is read on, so that every
//! problem of a file is shown at once.

mod expand;
mod parse;
mod validate;

use std::path::PathBuf;

pub(crate) use expand::home_expanded;
pub(crate) use parse::parse;
pub(crate) use validate::validate;

/// One value of the file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node {
    Text(Text),
    Integer(i64),
    Float(f64),
    Bool(bool),
    List(Vec<Node>),
    Table(Vec<(String, Node)>),
    /// Reported already.
    Broken,
}

/// A string of the file, before and after expansion.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Text {
    /// As it stands in the file: the only form that may be shown.
    pub(crate) written: String,
    /// With variables and files filled in: may be a secret.
    pub(crate) expanded: String,
    /// Where the whole of it comes from, if it is one single reference.
    pub(crate) origin: Option<Origin>,
}

/// Where an expanded string came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    Variable(String),
    File(PathBuf),
}

impl Node {
    /// The tree without what was left out, as JSON.
    pub(crate) fn into_json(self) -> serde_json::Value {
        use serde_json::Value;
        match self {
            Self::Text(text) => Value::String(text.expanded),
            Self::Integer(number) => Value::from(number),
            Self::Float(number) => Value::from(number),
            Self::Bool(value) => Value::Bool(value),
            Self::List(nodes) => nodes.into_iter().map(Self::into_json).collect(),
            Self::Table(entries) => entries
                .into_iter()
                .map(|(key, node)| (key, node.into_json()))
                .collect(),
            Self::Broken => Value::Null,
        }
    }

    /// The node at `path`.
    pub(crate) fn get(&self, path: &[&str]) -> Option<&Self> {
        let Some((first, rest)) = path.split_first() else {
            return Some(self);
        };
        let child = match self {
            Self::Table(entries) => entries
                .iter()
                .find(|(key, _)| key == first)
                .map(|(_, node)| node),
            Self::List(nodes) => nodes.get(first.parse::<usize>().ok()?),
            Self::Text(_) | Self::Integer(_) | Self::Float(_) | Self::Bool(_) | Self::Broken => {
                None
            }
        };
        child?.get(rest)
    }

    /// The string at `path`.
    pub(crate) fn text(&self, path: &[&str]) -> Option<&Text> {
        match self.get(path) {
            Some(Self::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// What kind of value this is, in words.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a string",
            Self::Integer(_) => "an integer",
            Self::Float(_) => "a number",
            Self::Bool(_) => "true or false",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
            Self::Broken => "nothing",
        }
    }
}

/// `providers.local.api_keys[1]`, quoted where TOML needs it.
pub(crate) fn dotted(path: &[&str]) -> String {
    let mut text = String::new();
    for part in path {
        let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if part.parse::<usize>().is_ok() {
            text.push_str(&format!("[{part}]"));
            continue;
        }
        if !text.is_empty() {
            text.push('.');
        }
        if part.chars().all(bare) && !part.is_empty() {
            text.push_str(part);
        } else {
            text.push_str(&format!("\"{part}\""));
        }
    }
    text
}
