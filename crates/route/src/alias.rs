//! One alias: a name, or a pattern with one `*`, and what it stands for.

/// `pattern = "to"`; what `*` matched on the left may be used once on the right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    pattern: Pattern,
    to: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Pattern {
    Exact(String),
    Star { before: String, after: String },
}

/// The alias cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AliasError {
    /// More than one `*` on the left.
    #[error("`{0}` has more than one `*`")]
    ManyStars(String),
    /// More than one `*` on the right.
    #[error("`{0}` uses `*` more than once")]
    ManyUses(String),
}

impl Alias {
    /// Reads `pattern = "to"`.
    ///
    /// # Errors
    /// If either side holds more than one `*`.
    pub fn new(pattern: &str, to: &str) -> Result<Self, AliasError> {
        let pattern = match pattern.split_once('*') {
            None => Pattern::Exact(pattern.to_owned()),
            Some((_, after)) if after.contains('*') => {
                return Err(AliasError::ManyStars(pattern.to_owned()));
            }
            Some((before, after)) => Pattern::Star {
                before: before.to_owned(),
                after: after.to_owned(),
            },
        };
        if to.matches('*').count() > 1 {
            return Err(AliasError::ManyUses(to.to_owned()));
        }
        Ok(Self {
            pattern,
            to: to.to_owned(),
        })
    }

    /// The name, if the alias is for one name only.
    #[must_use]
    pub fn literal(&self) -> Option<&str> {
        match &self.pattern {
            Pattern::Exact(name) => Some(name),
            Pattern::Star { .. } => None,
        }
    }

    /// The left side as written.
    #[must_use]
    pub fn pattern(&self) -> String {
        match &self.pattern {
            Pattern::Exact(name) => name.clone(),
            Pattern::Star { before, after } => format!("{before}*{after}"),
        }
    }

    /// The right side as written.
    #[must_use]
    pub fn to(&self) -> &str {
        &self.to
    }

    /// What `name` stands for under this alias. A `provider/*` on the right of an exact name keeps its `*`: there
    /// it means the asked name.
    pub(crate) fn apply(&self, name: &str) -> Option<String> {
        match &self.pattern {
            Pattern::Exact(exact) => (exact == name).then(|| self.to.clone()),
            Pattern::Star { before, after } => {
                let caught = name
                    .strip_prefix(before.as_str())?
                    .strip_suffix(after.as_str())?;
                Some(self.to.replacen('*', caught, 1))
            }
        }
    }

    /// Exact beats longest literal beats `*`: larger is more specific.
    pub(crate) fn specificity(&self) -> (bool, usize) {
        match &self.pattern {
            Pattern::Exact(name) => (true, name.len()),
            Pattern::Star { before, after } => (false, before.len() + after.len()),
        }
    }
}
