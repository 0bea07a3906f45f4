//! `${VAR}`, `${VAR:-default}` and `${file:PATH}` in strings.

use std::path::PathBuf;

use super::{Origin, Text};
use crate::environment::Environment;

/// A reference that cannot be filled in. Holds names, never values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ExpandError {
    #[error("environment variable `{0}` is not set")]
    Unset(String),
    #[error("cannot read `{path}`: {reason}")]
    File { path: String, reason: String },
    #[error("`${{` without a closing `}}`")]
    Unclosed,
    #[error("`{0}` is not a variable's name")]
    Name(String),
}

impl ExpandError {
    pub(super) fn hint(&self) -> Option<String> {
        match self {
            Self::Unset(name) => Some(format!("set it, or give a default: `${{{name}:-...}}`")),
            Self::File { .. } => None,
            Self::Unclosed => Some("write `$${` for a literal `${`".to_owned()),
            Self::Name(_) => Some(
                "use `${NAME}`, `${NAME:-default}` or `${file:PATH}`; `$${` for a literal `${`"
                    .to_owned(),
            ),
        }
    }
}

/// Fills in every reference of `written`. What comes out of a variable or a file is not expanded again; a default
/// is, so that it may use another variable.
///
/// `found` is told every value and the reference it came from.
pub(super) fn expand(
    written: &str,
    environment: &dyn Environment,
    found: &mut dyn FnMut(&str, &str),
) -> Result<Text, ExpandError> {
    let mut expanded = String::new();
    let mut origin = None;
    let mut rest = written;
    while let Some((before, after)) = rest.split_once("${") {
        if let Some(before) = before.strip_suffix('$') {
            expanded.push_str(before);
            expanded.push_str("${");
            rest = after;
            continue;
        }
        expanded.push_str(before);
        let end = closing(after).ok_or(ExpandError::Unclosed)?;
        let (reference, following) = after.split_at(end);
        rest = following.strip_prefix('}').unwrap_or(following);
        let (value, from) = lookup(reference, environment, found)?;
        if from.is_some() {
            found(&value, &format!("${{{reference}}}"));
        }
        let whole = written.len() == reference.len() + "${}".len();
        origin = from.filter(|_| whole);
        expanded.push_str(&value);
    }
    expanded.push_str(rest);
    Ok(Text {
        written: written.to_owned(),
        expanded,
        origin,
    })
}

/// Where the reference that starts `text` ends; a default may hold references of its own.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => return Some(at),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

fn lookup(
    reference: &str,
    environment: &dyn Environment,
    found: &mut dyn FnMut(&str, &str),
) -> Result<(String, Option<Origin>), ExpandError> {
    if let Some(path) = reference.strip_prefix("file:") {
        let path = home_expanded(path, environment);
        let text = environment.read(&path).map_err(|error| ExpandError::File {
            path: path.display().to_string(),
            reason: error.to_string(),
        })?;
        return Ok((text.trim().to_owned(), Some(Origin::File(path))));
    }
    let (name, default) = match reference.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (reference, None),
    };
    let valid = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(valid) || name.starts_with(|c: char| c.is_ascii_digit())
    {
        return Err(ExpandError::Name(name.to_owned()));
    }
    match (environment.var(name), default) {
        (Some(value), _) => Ok((value, Some(Origin::Variable(name.to_owned())))),
        (None, Some(default)) => Ok((expand(default, environment, found)?.expanded, None)),
        (None, None) => Err(ExpandError::Unset(name.to_owned())),
    }
}

/// The path with a leading `~/` replaced by the home directory.
pub(crate) fn home_expanded(path: &str, environment: &dyn Environment) -> PathBuf {
    let home = path.strip_prefix("~/").zip(environment.home());
    home.map_or_else(|| PathBuf::from(path), |(rest, home)| home.join(rest))
}
