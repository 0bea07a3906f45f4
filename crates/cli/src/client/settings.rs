//! Claude Code's `--settings`: the only thing that wins over the `env` block of the user's own settings files.
//!
//! It may be given once, so where the user gives one, ours is merged into theirs: their settings stay, and of their
//! variables those that point the client elsewhere give way.

use std::ffi::OsString;
use std::{fmt, io};

use serde_json::{Map, Value as Json};

const FLAG: &str = "--settings";

/// The user's `--settings` cannot be merged.
#[derive(Debug)]
pub(crate) enum SettingsError {
    /// The file it names cannot be read.
    Read {
        /// As given.
        path: String,
        /// Why.
        error: io::Error,
    },
    /// There is nowhere to keep the merged ones.
    Keep(io::Error),
    /// It is no JSON object.
    Parse {
        /// As given, or the file.
        place: String,
        /// Why.
        error: serde_json::Error,
    },
}

/// Puts `env` into the settings of the command line `given`: the settings, and what else there is on it.
pub(super) fn merge(
    given: Vec<OsString>,
    env: Map<String, Json>,
    read: &dyn Fn(&str) -> io::Result<String>,
) -> Result<(String, Vec<OsString>), SettingsError> {
    let (users, rest) = take_settings(given);
    let mut settings = match users {
        None => Map::new(),
        Some(value) => parse(&value, read)?,
    };
    match settings.get_mut("env").and_then(Json::as_object_mut) {
        Some(theirs) => theirs.extend(env),
        None => {
            settings.insert("env".to_owned(), Json::Object(env));
        }
    }
    Ok((Json::Object(settings).to_string(), rest))
}

/// Takes `--settings VALUE` or `--settings=VALUE` out of a command line; the last one given counts, as the client has
/// it. What follows `--` is no option.
fn take_settings(given: Vec<OsString>) -> (Option<String>, Vec<OsString>) {
    let mut users = None;
    let mut rest = Vec::with_capacity(given.len());
    let mut given = given.into_iter();
    while let Some(argument) = given.next() {
        if argument == "--" {
            rest.push(argument);
            rest.extend(given);
            break;
        }
        let text = argument.to_str();
        if text == Some(FLAG) {
            match given.next().map(OsString::into_string) {
                Some(Ok(value)) => users = Some(value),
                // Nothing we could merge with: the client says what is wrong with it.
                Some(Err(value)) => rest.extend([argument, value]),
                None => rest.push(argument),
            }
        } else if let Some(value) = text.and_then(|text| text.strip_prefix("--settings=")) {
            users = Some(value.to_owned());
        } else {
            rest.push(argument);
        }
    }
    (users, rest)
}

/// The client takes a JSON text or the path of a file that holds one.
fn parse(
    value: &str,
    read: &dyn Fn(&str) -> io::Result<String>,
) -> Result<Map<String, Json>, SettingsError> {
    let inline = value.trim_start().starts_with('{');
    let (text, place) = if inline {
        (value.to_owned(), "the settings given".to_owned())
    } else {
        let text = read(value).map_err(|error| SettingsError::Read {
            path: value.to_owned(),
            error,
        })?;
        (text, format!("the settings of `{value}`"))
    };
    serde_json::from_str(&text).map_err(|error| SettingsError::Parse { place, error })
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { path, error } => write!(f, "cannot read the settings `{path}`: {error}"),
            Self::Keep(error) => write!(f, "cannot keep the client's settings: {error}"),
            Self::Parse { place, error } => write!(f, "{place} are no JSON object: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ours() -> Map<String, Json> {
        let mut env = Map::new();
        env.insert("ANTHROPIC_BASE_URL".to_owned(), "ours".into());
        env
    }

    fn read(path: &str) -> io::Result<String> {
        match path {
            "mine.json" => Ok(
                r#"{"env":{"ANTHROPIC_BASE_URL":"theirs","EDITOR":"vi"},"model":"opus"}"#
                    .to_owned(),
            ),
            "broken.json" => Ok("{".to_owned()),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    #[test]
    fn ours_win_and_theirs_stay() {
        let check = |given: &[&str], settings: Json, rest: &[&str]| {
            let given: Vec<OsString> = given.iter().map(OsString::from).collect();
            let (merged, remaining) = merge(given, ours(), &read).unwrap();
            assert_eq!(
                serde_json::from_str::<Json>(&merged).unwrap(),
                settings,
                "{remaining:?}"
            );
            assert_eq!(remaining, rest);
        };
        let alone = json!({"env": {"ANTHROPIC_BASE_URL": "ours"}});
        let merged =
            json!({"env": {"ANTHROPIC_BASE_URL": "ours", "EDITOR": "vi"}, "model": "opus"});
        check(&[], alone.clone(), &[]);
        check(&["-p", "hi"], alone.clone(), &["-p", "hi"]);
        check(&["--settings", "mine.json", "-p"], merged.clone(), &["-p"]);
        check(&["-p", "--settings=mine.json"], merged, &["-p"]);
        check(
            &["--settings", r#" {"model":"haiku"}"#],
            json!({"model": "haiku", "env": {"ANTHROPIC_BASE_URL": "ours"}}),
            &[],
        );
        check(
            &["--", "--settings", "x"],
            alone.clone(),
            &["--", "--settings", "x"],
        );
        check(&["--settings"], alone, &["--settings"]);
    }

    #[test]
    fn what_cannot_be_merged_is_an_error() {
        let check = |value: &str| {
            merge(vec!["--settings".into(), value.into()], ours(), &read).unwrap_err()
        };
        assert!(
            matches!(check("none.json"), SettingsError::Read { path, .. } if path == "none.json")
        );
        assert!(
            matches!(check("broken.json"), SettingsError::Parse { place, .. } if place == "the settings of `broken.json`")
        );
        assert!(
            matches!(check("{"), SettingsError::Parse { place, .. } if place == "the settings given")
        );
    }
}
