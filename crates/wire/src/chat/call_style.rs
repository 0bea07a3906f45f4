//! How a client reads that a tool is called: in `tool_calls`, or in the `function_call` of the time before them.
//!
//! A client that declares `functions` knows the latter only. It has room for one call and no id; of a reply with more
//! calls it gets the first, and the model makes the others when it has seen that one's result.

use crate::json::{Doc, Value};

/// Where a reply holds its calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CallStyle {
    /// `tool_calls`.
    #[default]
    Tools,
    /// `function_call`.
    Function,
}

impl CallStyle {
    /// What the client of this request reads: the old style if it declares `functions` and no `tools`.
    #[must_use]
    pub fn of(request: &Doc) -> Self {
        let declares = |key: &str| {
            let list = request.root().get(key);
            list.is_some_and(|list| Value::items(list).next().is_some())
        };
        if declares("functions") && !declares("tools") {
            Self::Function
        } else {
            Self::Tools
        }
    }

    /// A `finish_reason` as this client knows it.
    pub(super) fn finish(self, word: &'static str) -> &'static str {
        match (self, word) {
            (Self::Function, "tool_calls") => "function_call",
            _ => word,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::CallStyle;
    use crate::json::scan;

    #[test]
    fn the_old_style_is_for_those_who_know_no_other() {
        for (body, style) in [
            (r#"{"functions":[{"name":"f"}]}"#, CallStyle::Function),
            (
                r#"{"functions":[{"name":"f"}],"tools":[]}"#,
                CallStyle::Function,
            ),
            (
                r#"{"functions":[{"name":"f"}],"tools":[{"type":"function"}]}"#,
                CallStyle::Tools,
            ),
            (r#"{"functions":[]}"#, CallStyle::Tools),
            (r#"{"functions":null}"#, CallStyle::Tools),
            ("{}", CallStyle::Tools),
        ] {
            assert_eq!(CallStyle::of(&scan(&body.into()).unwrap()), style, "{body}");
        }
    }
}
