//! What a fit name is, and how a name becomes one.

use std::collections::{HashMap, HashSet};

use lingate_wire::json::Text;
use lingate_wire::turn::{Block, ToolUse};

use crate::checksum::checksum;

/// Letters of the checksum and the `_` before it.
const SUFFIX: usize = 9;

/// What a host takes for a name: `A-Z a-z 0-9 _ -`, and this.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    first: First,
    /// Most characters.
    max: usize,
    /// Whether names that begin with `$` are the host's own.
    keeps_dollar: bool,
}

/// With what a name may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum First {
    Any,
    Letter,
    LetterOrUnderscore,
}

impl Rules {
    pub(super) const KIMI: Self = Self {
        first: First::Letter,
        max: 64,
        keeps_dollar: true,
    };
    pub(super) const OPENAI: Self = Self {
        first: First::Any,
        max: 64,
        keeps_dollar: false,
    };
    pub(super) const GEMINI: Self = Self {
        first: First::LetterOrUnderscore,
        max: 64,
        keeps_dollar: false,
    };
    pub(super) const ANTHROPIC: Self = Self {
        first: First::Any,
        max: 128,
        keeps_dollar: false,
    };

    /// Fit names for those that are not.
    pub(super) fn fit_all(self, names: &[Text]) -> Renamed {
        let misfits: Vec<&Text> = (names.iter())
            .filter(|name| !self.is_fit(&name.decode()))
            .collect();
        if misfits.is_empty() {
            return Renamed::default();
        }
        let mut taken: HashSet<String> = (names.iter())
            .map(|name| name.decode().into_owned())
            .collect();
        let mut renamed = Renamed::default();
        for misfit in misfits {
            if renamed.fitted.contains_key(&*misfit.decode()) {
                continue;
            }
            let name = misfit.decode();
            // The first is free but for a tool that is called just so on purpose.
            let new = (0_u32..).map(|salt| self.fit(&name, salt));
            let Some(new) = new.into_iter().find(|new| taken.insert(new.clone())) else {
                continue;
            };
            renamed.fitted.insert(name.into_owned(), new.clone().into());
            renamed.originals.insert(new, misfit.clone());
        }
        renamed
    }

    /// Nothing can be made of an empty name, so it is left to the host to complain.
    fn is_fit(self, name: &str) -> bool {
        name.is_empty()
            || self.keeps_dollar && name.starts_with('$')
            || name.len() <= self.max && self.begins_well(name) && name.bytes().all(is_plain)
    }

    fn begins_well(self, name: &str) -> bool {
        match (self.first, name.as_bytes().first()) {
            (First::Any, _) => true,
            (First::Letter, first) => first.is_some_and(u8::is_ascii_alphabetic),
            (First::LetterOrUnderscore, first) => {
                first.is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_')
            }
        }
    }

    /// The name with `_` for what it may not hold, cut, and a checksum of the whole behind it: two names stay two.
    fn fit(self, name: &str, salt: u32) -> String {
        let head = if self.begins_well(name) { "" } else { "t_" };
        let plain = name.chars().map(|letter| {
            let is_plain = u8::try_from(letter).is_ok_and(is_plain);
            if is_plain { letter } else { '_' }
        });
        let mut new: String = head
            .chars()
            .chain(plain)
            .take(self.max.saturating_sub(SUFFIX))
            .collect();
        let salted = match salt {
            0 => name.to_owned(),
            salt => format!("{name} {salt}"),
        };
        new.push_str(&format!("_{:08x}", checksum(salted.as_bytes())));
        new
    }
}

const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// The names of one request that the upstream knows by others.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Renamed {
    /// By the client's name: the one that is sent.
    fitted: HashMap<String, Text>,
    /// By the name that is sent: the client's.
    originals: HashMap<String, Text>,
}

impl Renamed {
    /// Whether every name is sent as it is.
    pub(crate) fn is_empty(&self) -> bool {
        self.originals.is_empty()
    }

    /// The client's name of the tool that the upstream knows by this one.
    pub(crate) fn original(&self, sent: &Text) -> Option<&Text> {
        self.originals.get(&*sent.decode())
    }

    /// The name to send instead of this one.
    pub(super) fn fitted(&self, name: &Text) -> Option<Text> {
        self.fitted.get(&*name.decode()).cloned()
    }

    /// A block that names a tool, with the name to send.
    pub(super) fn block(&self, block: &Block) -> Option<Block> {
        match block {
            Block::ToolUse(call) => Some(Block::ToolUse(ToolUse {
                name: self.fitted(&call.name)?,
                ..call.clone()
            })),
            Block::ToolReference { name } => Some(Block::ToolReference {
                name: self.fitted(name)?,
            }),
            Block::ToolResult(_)
            | Block::Text { .. }
            | Block::Thinking(_)
            | Block::Image(_)
            | Block::Media(_)
            | Block::Document(_)
            | Block::SearchResult(_)
            | Block::ServerTool(_)
            | Block::Refusal(_)
            | Block::Foreign(_) => None,
        }
    }

    /// Adds what a later rule renamed, which may have been renamed before.
    pub(super) fn extend(&mut self, later: Self) {
        for (sent, name) in later.originals {
            let original = self.original(&name).cloned().unwrap_or(name);
            self.originals.insert(sent, original);
        }
        self.fitted.extend(later.fitted);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(rules: Rules, name: &str, expected: &str) {
        let renamed = rules.fit_all(&[name.into()]);
        let sent = renamed.fitted(&name.into()).unwrap_or(name.into());
        assert_eq!(sent, expected, "{name}");
        assert!(rules.is_fit(&sent.decode()), "{sent}");
        if sent != name {
            assert_eq!(renamed.original(&sent), Some(&name.into()));
        }
    }

    #[test]
    fn names_become_fit_and_fit_ones_stay() {
        for name in ["Bash", "mcp__a-b__c", "a", &"x".repeat(64)] {
            check(Rules::KIMI, name, name);
        }
        check(Rules::KIMI, "$web_search", "$web_search");
        check(Rules::KIMI, "", "");
        check(Rules::OPENAI, "_x", "_x");
        check(Rules::GEMINI, "_x", "_x");
        check(Rules::OPENAI, "2fa", "2fa");
        check(Rules::ANTHROPIC, &"x".repeat(128), &"x".repeat(128));
        for (rules, name, begins) in [
            (Rules::KIMI, "_x", "t__x_"),
            (Rules::KIMI, "2fa", "t_2fa_"),
            (Rules::GEMINI, "-a", "t_-a_"),
            (Rules::OPENAI, "$web_search", "_web_search_"),
            (Rules::KIMI, "ns.read:file", "ns_read_file_"),
            (Rules::OPENAI, "suché", "such__"),
            (Rules::ANTHROPIC, "a b", "a_b_"),
        ] {
            let renamed = rules.fit_all(&[name.into()]);
            let sent = renamed.fitted(&name.into()).unwrap();
            let sent = sent.decode();
            assert!(
                sent.starts_with(begins) && rules.is_fit(&sent),
                "{name}: {sent}"
            );
            assert_eq!(sent.len(), begins.len() + SUFFIX - 1, "{name}: {sent}");
        }
    }

    #[test]
    fn a_name_is_always_fitted_the_same() {
        // Written down: a session outlives the process, and its prompt cache with it.
        check(Rules::OPENAI, "a.b", "a_b_e27bcb35");
    }

    #[test]
    fn long_names_are_cut_and_stay_different() {
        let names = ["a", "b"].map(|end| Text::from(format!("{}{end}", "mcp__x".repeat(20))));
        let renamed = Rules::OPENAI.fit_all(&names);
        let sent = names.each_ref().map(|name| renamed.fitted(name).unwrap());
        assert_ne!(sent[0], sent[1]);
        for (name, sent) in names.iter().zip(&sent) {
            assert_eq!(sent.decode().len(), 64);
            assert_eq!(renamed.original(sent), Some(name));
        }
    }

    #[test]
    fn no_other_tool_changes_a_name_but_one_that_has_it_already() {
        let alone = Rules::OPENAI.fit_all(&["a.b".into()]);
        let sent = alone.fitted(&"a.b".into()).unwrap();
        let among =
            Rules::OPENAI.fit_all(&["z.z".into(), "a.b".into(), "a.b".into(), "a_b".into()]);
        assert_eq!(among.fitted(&"a.b".into()), Some(sent.clone()));
        let taken = Rules::OPENAI.fit_all(&["a.b".into(), sent.clone()]);
        let other = taken.fitted(&"a.b".into()).unwrap();
        assert_ne!(other, sent);
        assert_eq!(taken.original(&other), Some(&"a.b".into()));
        assert_eq!(taken.original(&sent), None);
    }

    #[test]
    fn a_name_that_two_rules_renamed_leads_back_to_the_clients() {
        let mut renamed = Rules::OPENAI.fit_all(&["_a.b".into()]);
        let first = renamed.fitted(&"_a.b".into()).unwrap();
        let later = Rules::KIMI.fit_all(std::slice::from_ref(&first));
        let second = later.fitted(&first).unwrap();
        renamed.extend(later);
        assert_eq!(renamed.original(&second), Some(&"_a.b".into()));
    }
}
