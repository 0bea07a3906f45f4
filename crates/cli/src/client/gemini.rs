//! Gemini CLI's way of signing in, which no variable can say.
//!
//! Pointed at another address by `GOOGLE_GEMINI_BASE_URL`, Gemini CLI 0.61 takes that for a kind of sign-in that it then
//! refuses ("Invalid auth method selected"), and what the user's settings select wins over a key in the environment.
//! Settings of the whole system would win over theirs, but must belong to root. So it gets a home of its own, in which
//! `.gemini` is made of links to what the user has there, but for the settings: a copy, with the key selected.

use std::io;
use std::path::PathBuf;

use serde_json::{Map, Value as Json};

use super::Files;
use super::settings::SettingsError;

/// Where Gemini CLI looks for `.gemini` instead of the user's home.
pub(super) const HOME_VARIABLE: &str = "GEMINI_CLI_HOME";

/// The file of which it gets a copy.
const SETTINGS: &str = "settings.json";

/// Makes the home and says where it is.
pub(super) fn home(files: &Files<'_>) -> Result<PathBuf, SettingsError> {
    let folder = files.home.join(".gemini");
    let path = folder.join(SETTINGS).to_string_lossy().into_owned();
    let theirs = match (files.read)(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => "{}".to_owned(),
        Err(error) => return Err(SettingsError::Read { path, error }),
    };
    let settings =
        signing_in(&theirs).map_err(|error| SettingsError::Parse { place: path, error })?;
    (files.mirror)(&folder, SETTINGS, &settings).map_err(SettingsError::Keep)
}

/// The user's settings with the key as the way to sign in.
fn signing_in(settings: &str) -> Result<String, serde_json::Error> {
    let mut settings: Map<String, Json> = serde_json::from_str(&without_comments(settings))?;
    let mut security = member(&settings, "security");
    let mut auth = member(&security, "auth");
    auth.insert("selectedType".to_owned(), "gemini-api-key".into());
    security.insert("auth".to_owned(), Json::Object(auth));
    settings.insert("security".to_owned(), Json::Object(security));
    Ok(Json::Object(settings).to_string())
}

/// A member that has to be an object.
fn member(of: &Map<String, Json>, name: &str) -> Map<String, Json> {
    let inner = of.get(name).and_then(Json::as_object);
    inner.cloned().unwrap_or_default()
}

/// JSON without the comments that Gemini CLI takes in its settings.
fn without_comments(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    let mut is_string = false;
    while let Some(first) = rest.chars().next() {
        let end = match (is_string, first) {
            (false, '/') if rest.starts_with("//") => rest.find('\n'),
            (false, '/') if rest.starts_with("/*") => rest.find("*/").map(|end| end + 2),
            _ => {
                // What follows a backslash ends no string.
                let escape = is_string && first == '\\';
                let length: usize = rest
                    .chars()
                    .take(1 + usize::from(escape))
                    .map(char::len_utf8)
                    .sum();
                is_string ^= first == '"';
                let (piece, after) = rest.split_at(length);
                kept.push_str(piece);
                rest = after;
                continue;
            }
        };
        rest = rest.get(end.unwrap_or(rest.len())..).unwrap_or_default();
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(theirs: &str, expected: &str) {
        assert_eq!(signing_in(theirs).unwrap(), expected, "{theirs}");
    }

    #[test]
    fn the_users_settings_stay() {
        let alone = r#"{"security":{"auth":{"selectedType":"gemini-api-key"}}}"#;
        check("{}", alone);
        check(r#"{"security":1}"#, alone);
        check(
            r#"{"ui":{"theme":"x"},"security":{"auth":{"selectedType":"oauth-personal","useExternal":false},"a":1}}"#,
            r#"{"ui":{"theme":"x"},"security":{"auth":{"selectedType":"gemini-api-key","useExternal":false},"a":1}}"#,
        );
    }

    #[test]
    fn comments_are_taken_as_the_client_does() {
        let check = |text: &str, expected: &str| assert_eq!(without_comments(text), expected);
        check("{ // a \"b\n\"c\": 1 /* d\n */}", "{ \n\"c\": 1 }");
        check(
            r#"{"a": "// no \" /* comment */"}"#,
            r#"{"a": "// no \" /* comment */"}"#,
        );
        check("{} // at the end", "{} ");
        check("{} /* no end", "{} ");
    }

    #[test]
    fn what_is_no_json_is_said() {
        assert!(signing_in("{").is_err());
        assert!(signing_in("[]").is_err());
    }
}
