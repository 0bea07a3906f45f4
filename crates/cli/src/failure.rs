//! What a command that did not succeed says and with which code the program ends.
//!
//! Codes are part of the contract: 1 for a problem that was found, 2 for wrong usage or configuration. `run`
//! alone has others: the client's own, and 127 where there is no client, as shells have it.

use std::fmt;
use std::process::ExitCode;

/// Why a command ends without success.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    code: u8,
    message: String,
    hints: Vec<String>,
}

impl Failure {
    /// Something is wrong with the world: a busy port, a gateway that does not answer.
    pub(crate) fn problem(message: impl Into<String>) -> Self {
        Self::with_code(1, message)
    }

    /// Something is wrong with the arguments or the configuration.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::with_code(2, message)
    }

    /// There is no such command to run.
    pub(crate) fn no_command(message: impl Into<String>) -> Self {
        Self::with_code(127, message)
    }

    /// Adds a line that says how to mend it.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The code the program ends with.
    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }

    fn with_code(code: u8, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hints: Vec::new(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        for hint in &self.hints {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_follow_the_message() {
        let failure = Failure::problem("port 1 is taken")
            .hint("try another")
            .hint("or wait");
        assert_eq!(
            failure.to_string(),
            "port 1 is taken\n  hint: try another\n  hint: or wait"
        );
        assert_eq!(failure.code(), ExitCode::from(1));
        assert_eq!(Failure::usage("").code(), ExitCode::from(2));
    }
}
