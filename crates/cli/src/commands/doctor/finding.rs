//! One thing the doctor looked at.

use std::fmt;

use serde::Serialize;

/// What was found, and unless it is fine why it is so and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// What was looked at: `port`, `provider moonshot`.
    pub(super) check: String,
    pub(super) level: Level,
    pub(super) message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cause: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fix: Option<String>,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Level {
    /// As it should be.
    Fine,
    /// Works, or will not always.
    Warning,
    /// Does not work.
    Problem,
}

impl Finding {
    pub(super) fn fine(check: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            check: check.into(),
            level: Level::Fine,
            message: message.into(),
            cause: None,
            fix: None,
        }
    }

    pub(super) fn warning(check: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            level: Level::Warning,
            ..Self::fine(check, message)
        }
    }

    pub(super) fn problem(check: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            level: Level::Problem,
            ..Self::fine(check, message)
        }
    }

    /// Why it is so, and what to do.
    pub(super) fn because(mut self, cause: impl Into<String>, fix: impl Into<String>) -> Self {
        self.cause = Some(cause.into());
        self.fix = Some(fix.into());
        self
    }
}

/// `ok`, `look` or `FAIL`, so that a list is read down its first column.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.level {
            Level::Fine => "ok  ",
            Level::Warning => "look",
            Level::Problem => "FAIL",
        };
        write!(f, "{mark}  {}: {}", self.check, self.message)?;
        if let Some(cause) = &self.cause {
            write!(f, "\n        cause: {cause}")?;
        }
        if let Some(fix) = &self.fix {
            write!(f, "\n        fix: {fix}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_reads_down_its_first_column() {
        let finding = Finding::problem("port", "taken").because("a server", "end it");
        assert_eq!(
            finding.to_string(),
            "FAIL  port: taken\n        cause: a server\n        fix: end it"
        );
        assert_eq!(
            Finding::fine("port", "free").to_string(),
            "ok    port: free"
        );
        let object = serde_json::to_value(Finding::warning("disk", "little")).unwrap();
        assert_eq!(
            object,
            serde_json::json!({ "check": "disk", "level": "warning", "message": "little" })
        );
    }
}
