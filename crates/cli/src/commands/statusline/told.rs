//! What Claude Code tells its status line, as far as it is used here.

use serde_json::Value;

/// Of the session that the line is for.
#[derive(Debug, PartialEq, Eq, Default)]
pub(super) struct Told {
    /// Its id, which is also on every request.
    pub session: Option<String>,
    /// The model that the client believes to speak to.
    pub model: Option<String>,
}

impl Told {
    /// Reads the object. What is none tells nothing.
    pub(super) fn read(bytes: &[u8]) -> Self {
        let document: Value = serde_json::from_slice(bytes).unwrap_or_default();
        let word = |at: &str| {
            let text = document.pointer(at)?.as_str();
            text.filter(|text| !text.is_empty()).map(str::to_owned)
        };
        Self {
            session: word("/session_id"),
            model: word("/model/id"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_or_broken_tells_nothing() {
        let check = |text: &str, session: Option<&str>, model: Option<&str>| {
            let expected = Told {
                session: session.map(str::to_owned),
                model: model.map(str::to_owned),
            };
            assert_eq!(Told::read(text.as_bytes()), expected, "{text}");
        };
        check(
            r#"{"session_id":"s","model":{"id":"claude-x","display_name":"X"},"cost":{}}"#,
            Some("s"),
            Some("claude-x"),
        );
        for broken in [
            "",
            "null",
            "[]",
            "{",
            "\u{0}",
            "7",
            r#"{"session_id":7}"#,
            r#"{"session_id":""}"#,
        ] {
            check(broken, None, None);
        }
        check(r#"{"session_id":"s","model":"m"}"#, Some("s"), None);
    }
}
