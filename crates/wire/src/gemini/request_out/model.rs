//! What models of one generation take, read off the model's name (facts of 2026-11).

/// How a model is told to think, and where pictures of a tool's result go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Generation {
    /// How thinking is worded.
    pub(super) thinking: Thinking,
    /// Media stand inside a function response; before, they had to follow it.
    pub(super) has_response_parts: bool,
    /// A JSON reply may be asked for beside tools.
    pub(super) has_format_with_tools: bool,
}

/// How a model is told to think.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Thinking {
    /// Not at all.
    None,
    /// By a number of tokens (2.5): from the least to the most, `least` being 0 where thinking can be turned off.
    Budget { least: u64, most: u64 },
    /// By a level (3 and later); it cannot be turned off.
    Level { lowest: Level, has_medium: bool },
}

/// A level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Minimal,
    Low,
    Medium,
    High,
}

impl Level {
    /// The wire's word for it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Minimal => "MINIMAL",
            Self::Low => "LOW",
            Self::Medium => "MEDIUM",
            Self::High => "HIGH",
        }
    }
}

impl Generation {
    /// What is known of a model by its name; one without a version is taken for one of the newest.
    pub(super) fn of(model: &str) -> Self {
        let name = model.rsplit('/').next().unwrap_or(model);
        let is = |word: &str| name.contains(word);
        let (major, minor) = version(name).unwrap_or((3, 5));
        let is_level = major >= 3;
        let thinking = if is_level {
            let is_pro = is("pro");
            Thinking::Level {
                lowest: if is_pro { Level::Low } else { Level::Minimal },
                // The first of them knows two levels only.
                has_medium: !(is_pro && (major, minor) == (3, 0)),
            }
        } else if (major, minor) < (2, 5) {
            Thinking::None
        } else if is("pro") {
            Thinking::Budget {
                least: 128,
                most: 32_768,
            }
        } else {
            Thinking::Budget {
                least: 0,
                most: 24_576,
            }
        };
        Self {
            thinking,
            has_response_parts: is_level,
            has_format_with_tools: is_level,
        }
    }
}

/// Major and minor version behind the family's name: `gemini-2.5-pro`, `gemini-3-flash-preview`.
fn version(name: &str) -> Option<(u32, u32)> {
    let mut words = name.split('-').skip(1);
    let word = words.find(|word| word.starts_with(|first: char| first.is_ascii_digit()))?;
    let mut numbers = word.split('.');
    let major = numbers.next()?.parse().ok()?;
    let minor = numbers.next().and_then(|minor| minor.parse().ok());
    Some((major, minor.unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generations_by_name() {
        let level = |lowest, has_medium| Thinking::Level { lowest, has_medium };
        let budget = |least, most| Thinking::Budget { least, most };
        for (model, thinking) in [
            ("gemini-1.5-pro", Thinking::None),
            ("gemini-2.0-flash-001", Thinking::None),
            ("gemini-2.5-flash-lite", budget(0, 24_576)),
            ("models/gemini-2.5-flash", budget(0, 24_576)),
            ("gemini-2.5-pro", budget(128, 32_768)),
            ("gemini-3-pro-preview", level(Level::Low, false)),
            ("gemini-3.1-pro-preview", level(Level::Low, true)),
            ("gemini-3-flash-preview", level(Level::Minimal, true)),
            ("gemini-flash-latest", level(Level::Minimal, true)),
            ("some-model", level(Level::Minimal, true)),
        ] {
            let generation = Generation::of(model);
            assert_eq!(generation.thinking, thinking, "{model}");
            let is_level = matches!(thinking, Thinking::Level { .. });
            assert_eq!(generation.has_response_parts, is_level, "{model}");
        }
    }
}
