//! `(no content)`: a filler that models pick up from their history and repeat.

use bytestring::ByteString;
use lingate_wire::json::Text;
use lingate_wire::turn::{Block, Params, Role, Turn};

use super::KIMI_GROUPS;
use crate::kimi::is_kimi;
use crate::quirk::{Evidence, Quirk};
use crate::state::State;

const FILLER: &str = "(no content)";

/// Removes the filler from the history.
pub(crate) const NO_CONTENT_FILLER: Quirk = Quirk {
    name: "no-content-filler",
    groups: KIMI_GROUPS,
    summary: "Clients write `(no content)` for an assistant message without text, and the model takes it for \
              its own words and repeats it at the head of its replies. It is left out at the head of the \
              history's assistant texts.",
    scope: "Kimi models",
    evidence: &[Evidence {
        source: "abcpro1/kimi-proxy, README and tests",
        date: "2026-11",
    }],
    applies: is_kimi,
    request: Some(remove),
    ..Quirk::EMPTY
};

fn remove(turn: &mut Turn, _params: &mut Params, _state: &mut State) -> bool {
    let mut has_changed = false;
    for message in &mut turn.messages {
        let is_concerned = message.role == Role::Assistant
            && message.blocks.iter().any(|block| cleaned(block).is_some());
        if !is_concerned {
            continue;
        }
        for block in &mut message.edit().blocks {
            if let Some(text) = cleaned(block) {
                match block.edit() {
                    Block::Text { text: old, .. } => *old = text,
                    Block::Thinking(thinking) => thinking.text = text,
                    _ => {}
                }
            }
        }
        has_changed = true;
    }
    has_changed
}

/// The text of a block without the filler; `None` if there is none at its head.
fn cleaned(block: &Block) -> Option<Text> {
    let text = match block {
        Block::Text { text, .. } => text,
        // Hidden reasoning has no text to clean.
        Block::Thinking(thinking) if !thinking.is_redacted => &thinking.text,
        _ => return None,
    };
    without_filler(&text.to_plain()).map(Text::plain)
}

/// White space goes only where it stood beside a filler.
fn without_filler(text: &ByteString) -> Option<ByteString> {
    let mut rest = text.trim_start().strip_prefix(FILLER)?.trim_start();
    while let Some(behind) = rest.strip_prefix(FILLER) {
        rest = behind.trim_start();
    }
    Some(text.slice_ref(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(
            without_filler(&text.into()).as_deref(),
            expected,
            "{text:?}"
        );
    }

    #[test]
    fn filler_goes_at_the_head_only() {
        check("(no content)", Some(""));
        check(
            "  (no content)(no content)\n Let me see. ",
            Some("Let me see. "),
        );
        check("plain", None);
        check(" plain", None);
        check("the literal `(no content)` stays", None);
    }
}
