//! What a model's name says about a Kimi model.
//!
//! The same model has many names: `kimi-k2.6`, `moonshotai/Kimi-K2-Instruct-0905`,
//! `accounts/fireworks/models/kimi-k2p5`, `kimi-k2:1t-cloud`, `k3`, `kimi-for-coding`.

use crate::quirk::Target;

/// A Kimi model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kimi {
    /// Major and minor version; `None` for names that do not tell (`kimi-latest`).
    version: Option<(u32, u32)>,
    variant: Variant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Variant {
    Plain,
    /// `kimi-k2-thinking`
    Thinking,
    /// `kimi-for-coding`: whatever the coding plan serves now.
    CodingPlan,
}

impl Kimi {
    /// Reads a model's name; `None` if it is not Kimi's.
    pub(crate) fn of(model: &str) -> Option<Self> {
        let model = model.to_ascii_lowercase();
        let name = model.rsplit('/').next().unwrap_or_default();
        let name = name.split([':', '[', '@']).next().unwrap_or_default();
        let rest = match name.strip_prefix("kimi") {
            Some(rest) => rest.trim_start_matches(['-', '_']),
            // Without the family's name only what nobody else uses: LLM360 has a K2 of its own.
            None if is_bare_name(name) => name,
            None => return None,
        };
        let variant = if rest.starts_with("for-coding") {
            Variant::CodingPlan
        } else if rest.contains("thinking") {
            Variant::Thinking
        } else {
            Variant::Plain
        };
        Some(Self {
            version: version(rest),
            variant,
        })
    }

    /// Whether `model` is one for which `is_meant` holds.
    pub(crate) fn matches(model: &str, is_meant: fn(Self) -> bool) -> bool {
        Self::of(model).is_some_and(is_meant)
    }

    /// From K2.5 on the sampling parameters are fixed; other values are an error.
    pub(crate) fn has_fixed_sampling(self) -> bool {
        self.variant == Variant::CodingPlan || self.version >= Some((2, 5))
    }

    /// The first K2 models, which do not think.
    pub(crate) fn is_k2_instruct(self) -> bool {
        self.version == Some((2, 0)) && self.variant == Variant::Plain
    }

    /// K3 and later.
    pub(crate) fn is_k3(self) -> bool {
        self.version >= Some((3, 0))
    }

    /// K2.5 and K2.6: thinking is on by default and can be turned off.
    pub(crate) fn has_thinking_switch(self) -> bool {
        matches!(self.version, Some((2, 5 | 6))) && self.variant == Variant::Plain
    }

    /// Models whose thinking cannot be turned off.
    pub(crate) fn always_thinks(self) -> bool {
        self.variant != Variant::Plain || self.version >= Some((2, 7))
    }
}

/// Whether a group meant for Kimi's models applies.
pub(crate) fn is_kimi(target: &Target<'_>) -> bool {
    Kimi::of(target.model).is_some()
}

/// `k3`, `k3-256k`, `k3.1-pro`, `k2p6`.
fn is_bare_name(name: &str) -> bool {
    let Some((major, minor)) = name.strip_prefix('k').and_then(|_| version(name)) else {
        return false;
    };
    let is_k3 = name
        .strip_prefix("k3")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '.']));
    is_k3 || name == format!("k{major}p{minor}")
}

/// `k2.6-...`, `k2p6`, `2.6`, `k3`; a hyphen begins a date or a variant, not a minor version.
fn version(name: &str) -> Option<(u32, u32)> {
    let name = name.strip_prefix('k').unwrap_or(name);
    let (major, rest) = number(name)?;
    let minor = rest
        .strip_prefix(['.', 'p'])
        .and_then(number)
        .map_or(0, |(minor, _)| minor);
    Some((major, minor))
}

/// A number of one or two digits; more are a date.
fn number(text: &str) -> Option<(u32, &str)> {
    let behind = text
        .find(|letter: char| !letter.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, rest) = text.split_at_checked(behind)?;
    let number = digits.parse().ok().filter(|_| digits.len() <= 2)?;
    Some((number, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(model: &str, expected: Option<(Option<(u32, u32)>, Variant)>) {
        assert_eq!(
            Kimi::of(model),
            expected.map(|(version, variant)| Kimi { version, variant }),
            "{model}"
        );
    }

    #[test]
    fn every_spelling_of_a_version_is_read() {
        use Variant::{CodingPlan, Plain, Thinking};
        check("kimi-k2.6", Some((Some((2, 6)), Plain)));
        check("moonshotai/Kimi-K2.6", Some((Some((2, 6)), Plain)));
        check("nous/moonshotai/kimi-k2.6", Some((Some((2, 6)), Plain)));
        check("kimi-2.6", Some((Some((2, 6)), Plain)));
        check(
            "accounts/fireworks/models/kimi-k2p5",
            Some((Some((2, 5)), Plain)),
        );
        check("k2p6", Some((Some((2, 6)), Plain)));
        check(
            "moonshotai/kimi-k2-instruct-0905",
            Some((Some((2, 0)), Plain)),
        );
        check("kimi-k2-0711-preview", Some((Some((2, 0)), Plain)));
        check("kimi-k2:1t-cloud", Some((Some((2, 0)), Plain)));
        check(
            "moonshotai/kimi-k2-thinking-maas",
            Some((Some((2, 0)), Thinking)),
        );
        check("kimi-k2.7-code-highspeed", Some((Some((2, 7)), Plain)));
        check("kimi-k3", Some((Some((3, 0)), Plain)));
        check("k3", Some((Some((3, 0)), Plain)));
        check("k3-256k", Some((Some((3, 0)), Plain)));
        check("k3.1-pro", Some((Some((3, 1)), Plain)));
        check("anthropic/kimi-k3[1m]", Some((Some((3, 0)), Plain)));
        check("kimi-for-coding", Some((None, CodingPlan)));
        check("kimi-latest", Some((None, Plain)));
        check("kimi", Some((None, Plain)));
    }

    #[test]
    fn other_models_are_not_kimi() {
        for model in [
            "",
            "anthropic/claude-sonnet-4.6",
            "openai/gpt-5.4",
            "google/gemini-3-flash-preview",
            "deepseek-chat",
            "LLM360/K2-Think",
            "k2-v2",
            "k30",
            "kiwi",
        ] {
            check(model, None);
        }
    }

    #[test]
    fn models_are_told_apart_by_what_they_accept() {
        let named = |model| Kimi::of(model).unwrap();
        for (model, fixed, instruct, switch, always) in [
            ("kimi-k2-0905-preview", false, true, false, false),
            ("kimi-k2-thinking", false, false, false, true),
            ("kimi-k2.5", true, false, true, false),
            ("kimi-k2.6", true, false, true, false),
            ("kimi-k2.7-code", true, false, false, true),
            ("kimi-for-coding", true, false, false, true),
            ("kimi-k3", true, false, false, true),
            ("kimi-latest", false, false, false, false),
        ] {
            let kimi = named(model);
            let found = (
                kimi.has_fixed_sampling(),
                kimi.is_k2_instruct(),
                kimi.has_thinking_switch(),
                kimi.always_thinks(),
            );
            assert_eq!(found, (fixed, instruct, switch, always), "{model}");
        }
    }
}
