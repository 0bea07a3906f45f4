//! Two states of a request, member by member.

use std::collections::HashMap;
use std::fmt::Debug;

use bytestring::ByteString;
use lingate_wire::json::Text;
use lingate_wire::turn::{Block, Message, Node, Params, Tool, Turn};

use super::Change;
use super::excerpt::excerpts;
use super::render;

/// A member by name, and its value as received.
type Extra = (ByteString, ByteString);

/// What differs, up to so many places.
pub(super) struct Comparison {
    quirk: &'static str,
    most: usize,
    changes: Vec<Change>,
    n_more: usize,
}

impl Comparison {
    pub(super) const fn new(quirk: &'static str, most: usize) -> Self {
        Self {
            quirk,
            most,
            changes: Vec::new(),
            n_more: 0,
        }
    }

    /// The differences; the last one says how many are not told.
    pub(super) fn told(mut self) -> Vec<Change> {
        if self.n_more > 0 {
            self.changes.push(Change {
                quirk: self.quirk,
                place: format!("{} more places", self.n_more),
                ..Change::default()
            });
        }
        self.changes
    }

    pub(super) fn turns(&mut self, before: &Turn, after: &Turn) {
        self.blocks("system", &before.system, &after.system);
        let (old, new) = (&before.messages, &after.messages);
        self.list("messages", old, new, &render::message, &mut Self::message);
        let (old, new) = (&before.tools, &after.tools);
        self.list("tools", old, new, &render::tool, &mut Self::tool);
        self.member("cache_control", &before.cache, &after.cache);
    }

    pub(super) fn params(&mut self, before: &Params, after: &Params) {
        self.member("max_tokens", &before.max_tokens, &after.max_tokens);
        self.json("temperature", &before.temperature, &after.temperature);
        self.json("top_p", &before.top_p, &after.top_p);
        self.json("top_k", &before.top_k, &after.top_k);
        self.json("seed", &before.seed, &after.seed);
        self.member("stop_sequences", &before.stop, &after.stop);
        self.member("thinking", &before.thinking, &after.thinking);
        self.member("thinking.display", &before.thoughts, &after.thoughts);
        self.member("effort", &before.effort, &after.effort);
        self.member("output_format", &before.format, &after.format);
        self.member("tool_choice", &before.tool_choice, &after.tool_choice);
        let (old, new) = (&before.parallel_tool_calls, &after.parallel_tool_calls);
        self.member("parallel_tool_calls", old, new);
        self.text("user", before.user.as_ref(), after.user.as_ref());
        let (old, new) = (before.cache_key.as_ref(), after.cache_key.as_ref());
        self.text("cache_key", old, new);
        self.extra("", &before.extra, &after.extra);
    }

    fn blocks(&mut self, path: &str, before: &[Node<Block>], after: &[Node<Block>]) {
        self.list(path, before, after, &render::block, &mut Self::block);
    }

    /// Lists of one length are compared pair by pair; of others, what is left between the ends that are the same is one
    /// difference, at the place where it begins.
    fn list<T: PartialEq>(
        &mut self,
        path: &str,
        before: &[Node<T>],
        after: &[Node<T>],
        render: &dyn Fn(&T) -> String,
        pair: &mut dyn FnMut(&mut Self, &str, &T, &T),
    ) {
        let is_same = |(one, other): &(&Node<T>, &Node<T>)| ***one == ***other;
        if before.len() == after.len() {
            for (at, (old, new)) in before.iter().zip(after).enumerate() {
                if !is_same(&(old, new)) {
                    pair(self, &format!("{path}[{at}]"), old, new);
                }
            }
            return;
        }
        let n_front = before.iter().zip(after).take_while(is_same).count();
        let (before, after) = (before.get(n_front..), after.get(n_front..));
        let (before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
        let both = before.iter().rev().zip(after.iter().rev());
        let n_back = both.take_while(is_same).count();
        let rendered = |list: &[Node<T>]| {
            let list = list
                .get(..list.len() - n_back)
                .filter(|list| !list.is_empty())?;
            let lines: Vec<String> = list.iter().map(|own| render(own)).collect();
            Some(lines.join("\n"))
        };
        let place = format!("{path}[{n_front}]");
        self.note(place, || (rendered(before), rendered(after)));
    }

    fn message(&mut self, path: &str, before: &Message, after: &Message) {
        self.member(&format!("{path}.role"), &before.role, &after.role);
        let content = format!("{path}.content");
        self.blocks(&content, &before.blocks, &after.blocks);
        self.extra(&format!("{path}."), &before.extra, &after.extra);
    }

    fn block(&mut self, path: &str, before: &Block, after: &Block) {
        match (before, after) {
            (Block::ToolUse(old), Block::ToolUse(new)) => {
                self.text(&format!("{path}.id"), Some(&old.id), Some(&new.id));
                self.text(&format!("{path}.name"), Some(&old.name), Some(&new.name));
                if old.input != new.input {
                    let told = || {
                        let (old, new) = (&old.input, &new.input);
                        (Some(render::input(old)), Some(render::input(new)))
                    };
                    self.note(format!("{path}.input"), told);
                }
            }
            (Block::ToolResult(old), Block::ToolResult(new)) => {
                let ids = (Some(&old.tool_use_id), Some(&new.tool_use_id));
                self.text(&format!("{path}.tool_use_id"), ids.0, ids.1);
                let content = format!("{path}.content");
                self.blocks(&content, &old.content, &new.content);
            }
            _ => {
                let told = || (Some(render::block(before)), Some(render::block(after)));
                self.note(path.to_owned(), told);
            }
        }
    }

    fn tool(&mut self, path: &str, before: &Tool, after: &Tool) {
        let (
            Tool::Function {
                name,
                description,
                input_schema,
                strict,
                ..
            },
            Tool::Function {
                name: new_name,
                description: new_description,
                input_schema: new_schema,
                strict: new_strict,
                ..
            },
        ) = (before, after)
        else {
            let told = || (Some(render::tool(before)), Some(render::tool(after)));
            return self.note(path.to_owned(), told);
        };
        self.text(&format!("{path}.name"), Some(name), Some(new_name));
        let (old, new) = (description.as_ref(), new_description.as_ref());
        self.text(&format!("{path}.description"), old, new);
        self.json(&format!("{path}.input_schema"), input_schema, new_schema);
        self.member(&format!("{path}.strict"), strict, new_strict);
    }

    /// Members that the hub has no place for, name by name.
    fn extra(&mut self, path: &str, before: &[Extra], after: &[Extra]) {
        if before == after {
            return;
        }
        let by_name = |list: &[Extra]| {
            let pairs = list.iter().rev();
            // Of two members of one name, the first holds.
            pairs.cloned().collect::<HashMap<_, _>>()
        };
        let (old, new) = (by_name(before), by_name(after));
        for (name, value) in before {
            let now = new.get(name);
            if now != Some(value) {
                let value = Some(value.clone());
                self.json(&format!("{path}{name}"), &value, &now.cloned());
            }
        }
        for (name, value) in after {
            if !old.contains_key(name) {
                self.json(&format!("{path}{name}"), &None, &Some(value.clone()));
            }
        }
    }

    fn text(&mut self, place: &str, before: Option<&Text>, after: Option<&Text>) {
        if before != after {
            let plain = |text: Option<&Text>| text.map(|text| text.decode().into_owned());
            self.note(place.to_owned(), || (plain(before), plain(after)));
        }
    }

    /// Texts that are JSON already.
    fn json<T: AsRef<str> + PartialEq>(
        &mut self,
        place: &str,
        before: &Option<T>,
        after: &Option<T>,
    ) {
        if before != after {
            let plain = |text: &Option<T>| text.as_ref().map(|text| text.as_ref().to_owned());
            self.note(place.to_owned(), || (plain(before), plain(after)));
        }
    }

    /// Anything else, in the hub's own words.
    fn member<T: Member>(&mut self, place: &str, before: &T, after: &T) {
        if before != after {
            self.note(place.to_owned(), || (before.shown(), after.shown()));
        }
    }

    /// Texts are only made for places that are told.
    fn note(&mut self, place: String, texts: impl FnOnce() -> (Option<String>, Option<String>)) {
        if self.changes.len() >= self.most {
            self.n_more += 1;
            return;
        }
        let (before, after) = texts();
        let (old, new) = excerpts(
            before.as_deref().unwrap_or_default(),
            after.as_deref().unwrap_or_default(),
        );
        self.changes.push(Change {
            quirk: self.quirk,
            place,
            before: before.map(|_| old),
            after: after.map(|_| new),
        });
    }
}

/// A member that is shown as the hub has it.
trait Member: PartialEq {
    /// None where there is nothing.
    fn shown(&self) -> Option<String>;
}

impl<T: Debug + PartialEq> Member for Option<T> {
    fn shown(&self) -> Option<String> {
        self.as_ref().map(|value| format!("{value:?}"))
    }
}

impl<T: Debug + PartialEq> Member for Vec<T> {
    fn shown(&self) -> Option<String> {
        (!self.is_empty()).then(|| format!("{self:?}"))
    }
}

impl Member for lingate_wire::turn::Role {
    fn shown(&self) -> Option<String> {
        Some(format!("{self:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A peer may send any number of members that nobody knows: pair by pair, this takes minutes.
    #[test]
    fn unknown_members_are_compared_in_one_pass() {
        let members = |numbers: std::ops::Range<usize>| -> Vec<Extra> {
            let each = numbers.map(|number| (format!("m{number}").into(), "1".into()));
            each.collect()
        };
        let before = members(0..100_000);
        let mut after = members(2..100_001);
        after[0].1 = "2".into();
        let mut comparison = Comparison::new("q", 4);
        comparison.extra("x.", &before, &before);
        comparison.extra("x.", &before, &after);
        let places = comparison.told();
        let told = places.iter().map(|change| {
            let texts = (change.before.as_deref(), change.after.as_deref());
            (change.place.as_str(), texts.0, texts.1)
        });
        let expected = [
            ("x.m0", Some("1"), None),
            ("x.m1", Some("1"), None),
            ("x.m2", Some("1"), Some("2")),
            ("x.m100000", None, Some("1")),
        ];
        assert_eq!(told.collect::<Vec<_>>(), expected);
    }
}
