//! Pairs the calls and results of a conversation.

use std::collections::{HashMap, VecDeque};

use lingate_wire::json::Text;
use lingate_wire::turn::{Block, Message};

use super::scheme::Scheme;

/// The walk so far.
pub(super) struct Ids {
    scheme: Scheme,
    /// By the client's id: the new ids of its calls that wait for a result. One id may stand for several calls of a
    /// message, and may come again in a later one.
    waiting: HashMap<String, VecDeque<Text>>,
    /// By the client's id: the new id of its last call that has a result.
    answered: HashMap<String, Text>,
}

impl Ids {
    /// Before the first message.
    pub(super) fn new(scheme: Scheme) -> Self {
        Self {
            scheme,
            waiting: HashMap::new(),
            answered: HashMap::new(),
        }
    }

    /// New ids by position of their blocks, where they differ from what stands there.
    pub(super) fn of_message(&mut self, message: &Message) -> Vec<(usize, Text)> {
        let calls = message.blocks.iter().filter_map(|block| match &**block {
            Block::ToolUse(call) => Some(call),
            _ => None,
        });
        // A call supersedes earlier ones of the same id that were never answered.
        for call in calls {
            self.waiting.remove(&*call.id.decode());
        }
        let mut renamed = Vec::new();
        for (at, block) in message.blocks.iter().enumerate() {
            let (old, new) = match &**block {
                Block::ToolUse(call) => (&call.id, self.of_call(&call.id, &call.name)),
                Block::ToolResult(result) => {
                    (&result.tool_use_id, self.of_result(&result.tool_use_id))
                }
                _ => continue,
            };
            if *old != new {
                renamed.push((at, new));
            }
        }
        renamed
    }

    fn of_call(&mut self, id: &Text, name: &Text) -> Text {
        let new = self.scheme.id(&id.decode(), &name.decode());
        self.waiting
            .entry(id.to_string())
            .or_default()
            .push_back(new.clone());
        new
    }

    fn of_result(&mut self, id: &Text) -> Text {
        let id = id.to_string();
        if let Some(new) = self.waiting.get_mut(&id).and_then(VecDeque::pop_front) {
            self.answered.insert(id, new.clone());
            return new;
        }
        if let Some(new) = self.answered.get(&id) {
            return new.clone();
        }
        // The call was cut off the history. An id of its own keeps the result apart from every call.
        self.scheme.id(&id, "unknown")
    }
}

#[cfg(test)]
mod tests {
    use lingate_wire::turn::{Node, Role, ToolInput, ToolResult, ToolUse};

    use super::*;

    /// `a=ls` is a call of `ls` with id `a`, `a` alone its result; `|` ends a message.
    fn messages(script: &str) -> Vec<Message> {
        let block = |word: &str| match word.split_once('=') {
            Some((id, name)) => Block::ToolUse(ToolUse {
                id: id.into(),
                name: name.into(),
                namespace: None,
                input: ToolInput::Json("{}".into()),
                signature: None,
                cache: None,
                extra: Vec::new(),
            }),
            None => Block::ToolResult(ToolResult {
                tool_use_id: word.into(),
                content: Vec::new(),
                is_error: false,
                cache: None,
            }),
        };
        script
            .split('|')
            .map(|message| Message {
                role: Role::User,
                blocks: message
                    .split_whitespace()
                    .map(|word| Node::new(block(word)))
                    .collect(),
                extra: Vec::new(),
            })
            .collect()
    }

    #[track_caller]
    fn check(script: &str, expected: &str) {
        check_with(Scheme::functions(), script, expected);
    }

    #[track_caller]
    fn check_with(scheme: Scheme, script: &str, expected: &str) {
        let mut ids = Ids::new(scheme);
        let mut found = Vec::new();
        for message in messages(script) {
            let renamed: HashMap<usize, Text> = ids.of_message(&message).into_iter().collect();
            let shown: Vec<String> = message
                .blocks
                .iter()
                .enumerate()
                .map(|(at, block)| match (&**block, renamed.get(&at)) {
                    (_, Some(new)) => new.to_string().replace("functions.", ""),
                    (Block::ToolUse(call), None) => format!("kept {}", call.id),
                    _ => "kept".to_owned(),
                })
                .collect();
            found.push(shown.join(" "));
        }
        assert_eq!(found.join(" | "), expected, "{script}");
    }

    #[test]
    fn calls_are_counted_and_results_follow_their_call() {
        check(
            "x=Bash y=Read | y x | z=Bash | z",
            "Bash:0 Read:1 | Read:1 Bash:0 | Bash:2 | Bash:2",
        );
        check("x=mcp__a-b__c.d | x", "mcp__a-b__c.d:0 | mcp__a-b__c.d:0");
    }

    #[test]
    fn an_id_used_again_means_the_call_before_its_result() {
        check("x=ls | x | x=ls | x", "ls:0 | ls:0 | ls:1 | ls:1");
        check("x=ls x=cat | x x", "ls:0 cat:1 | ls:0 cat:1");
        check("x=ls | x=cat | x", "ls:0 | cat:1 | cat:1");
        check("x=ls | x | x", "ls:0 | ls:0 | ls:0");
    }

    #[test]
    fn a_result_without_call_gets_a_number_of_its_own() {
        check("gone | x=ls | x", "unknown:0 | ls:1 | ls:1");
        check("functions.ls:0 | x=ls | x", "unknown:0 | ls:1 | ls:1");
    }

    #[test]
    fn ids_that_are_right_already_are_kept() {
        check(
            "functions.ls:0=ls | functions.ls:0",
            "kept functions.ls:0 | kept",
        );
    }

    #[test]
    fn fit_ids_are_kept_and_others_told_apart() {
        let check = |script, expected| check_with(Scheme::fitted(24), script, expected);
        check("toolu_1=ls | toolu_1", "kept toolu_1 | kept");
        check("x=ls | x | x=ls | x", "kept x | kept | x_2 | x_2");
        check("x=ls x=cat | x x", "kept x x_2 | kept x_2");
        check(
            "x=ls | x=cat x_2=rm | x_2 x",
            "kept x | x_2 x_2_2 | x_2_2 x_2",
        );
        check("gone | x=ls | x", "kept | kept x | kept");
        check("ls:0=ls | ls:0", "ls_0_afa0ce7f | ls_0_afa0ce7f");
        check(
            "abcdefghijklmnopqrstuvwxyz=ls | abcdefghijklmnopqrstuvwxyz",
            "abcdefghijklmno_49935c13 | abcdefghijklmno_49935c13",
        );
    }
}
