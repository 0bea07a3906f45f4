//! What the settings do to the prompt: an instruction of the user's own, and how much of the conversation is sent.

use lingate_wire::turn::{Block, Message, Node, Role, Turn};

use crate::settings::{Instruction, InstructionMode, Settings};
use crate::state::State;

/// Claude Code's attribution block begins so. Its own API wants it first and alone.
const ATTRIBUTION: &str = "x-anthropic-billing-header:";

/// Applies them. It is for the client's request as it came, before anything else is added to it: an instruction that
/// stands in the place of the client's prompt must not take the place of ours.
pub fn shape_prompt(turn: &mut Turn, state: &mut State) {
    let Settings {
        instruction,
        max_turns,
        ..
    } = &state.settings;
    if let Some(instruction) = instruction {
        instruct(turn, instruction);
    }
    if let Some(n_left_out) = max_turns.and_then(|most| keep_last(&mut turn.messages, most)) {
        state.losses.push(format!("messages[..{n_left_out}]"));
    }
}

/// The instruction is a block of its own: an encoder puts a blank line between two.
fn instruct(turn: &mut Turn, instruction: &Instruction) {
    let block = Node::new(Block::text(instruction.text.as_str().into()));
    let is_attributed = turn.system.first().is_some_and(
        |first| matches!(&**first, Block::Text { text, .. } if text.starts_with(ATTRIBUTION)),
    );
    let front = usize::from(is_attributed);
    match instruction.mode {
        InstructionMode::Append => turn.system.push(block),
        InstructionMode::Prepend => turn.system.insert(front, block),
        InstructionMode::Override => {
            turn.system.truncate(front);
            turn.system.push(block);
        }
    }
}

/// Keeps the last turns; tells how many messages went. A turn begins where the user speaks and the model has spoken
/// before: results of calls belong to the turn that made them, and so do instructions in between.
fn keep_last(messages: &mut Vec<Node<Message>>, most: u32) -> Option<usize> {
    let begins = |message: &Message| {
        message.role == Role::User
            && !(message.blocks.iter()).any(|block| matches!(**block, Block::ToolResult(_)))
    };
    let mut starts = Vec::new();
    let mut is_open = false;
    for (at, message) in messages.iter().enumerate() {
        match message.role {
            Role::Assistant => is_open = false,
            Role::User if begins(message) && !is_open => {
                starts.push(at);
                is_open = true;
            }
            Role::User | Role::System => {}
        }
    }
    let most = usize::try_from(most).unwrap_or(usize::MAX).max(1);
    let first = *starts.get(starts.len().checked_sub(most)?)?;
    (first > 0).then(|| messages.drain(..first).count())
}

#[cfg(test)]
mod tests {
    use lingate_wire::turn::ToolResult;

    use super::*;

    /// `u` is a message of the user's, `r` one with a result, `a` the model's, `s` the system's.
    #[track_caller]
    fn check(script: &str, most: u32, expected: &str) {
        let message = |letter: char| {
            let result = Block::ToolResult(ToolResult {
                tool_use_id: "t".into(),
                content: Vec::new(),
                is_error: false,
                cache: None,
            });
            let (role, block) = match letter {
                'r' => (Role::User, result),
                'a' => (Role::Assistant, Block::text("a".into())),
                's' => (Role::System, Block::text("s".into())),
                _ => (Role::User, Block::text("u".into())),
            };
            Node::new(Message {
                role,
                blocks: vec![Node::new(block)].into(),
                extra: Vec::new(),
            })
        };
        let mut messages: Vec<_> = script.chars().map(message).collect();
        let n_left_out = keep_last(&mut messages, most).unwrap_or(0);
        assert_eq!(script.get(n_left_out..), Some(expected), "{script} {most}");
        assert_eq!(messages.len(), expected.len(), "{script} {most}");
    }

    #[test]
    fn the_last_turns_stay_whole() {
        check("uaua", 2, "uaua");
        check("uauau", 2, "uau");
        check("uarauarar", 1, "uarar");
        check("uarauarar", 2, "uarauarar");
        check("uausarau", 2, "usarau");
        check("uuauu", 1, "uu");
        check("suau", 1, "u");
        check("au", 5, "au");
        check("", 1, "");
    }
}
