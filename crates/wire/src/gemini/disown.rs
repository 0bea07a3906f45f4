//! Signatures that an upstream refuses: a client of this wire holds them bare after a passthrough, and nothing on them says
//! whose they are.

use super::token::PLACEHOLDER;
use crate::json::Text;
use crate::turn::{Block, Node, SEAL_PREFIX, Turn};

/// Takes every signature off that no seal of ours vouches for. The encoder then writes what stands in for them. Returns
/// whether there were any.
pub fn disown_signatures(turn: &mut Turn) -> bool {
    let mut has_any = false;
    for message in &mut turn.messages {
        if !message.blocks.iter().any(is_native) {
            continue;
        }
        has_any = true;
        for block in message
            .edit()
            .blocks
            .iter_mut()
            .filter(|block| is_native(block))
        {
            match block.edit() {
                Block::Text { signature, .. } => *signature = None,
                Block::ToolUse(call) => call.signature = None,
                Block::Thinking(thinking) => thinking.signature = None,
                _ => {}
            }
        }
    }
    has_any
}

fn is_native(block: &Node<Block>) -> bool {
    let signature: Option<&Text> = match &**block {
        Block::Text { signature, .. } => signature.as_ref(),
        Block::ToolUse(call) => call.signature.as_ref(),
        Block::Thinking(thinking) => thinking.signature.as_ref(),
        _ => None,
    };
    signature.is_some_and(|signature| {
        let signature = signature.decode();
        !signature.starts_with(SEAL_PREFIX) && signature != PLACEHOLDER
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::UpstreamContext;
    use crate::gemini::{decode_request, encode_request, scan_request};
    use crate::turn::SealKey;

    #[test]
    fn bare_signatures_go_and_the_step_stays_legal() {
        let key = SealKey::new("p", "a", "m");
        let sent = |body: &str, expected: bool| {
            let doc = scan_request(&body.into()).unwrap();
            let mut decoded = decode_request(&doc).unwrap();
            assert_eq!(disown_signatures(&mut decoded.turn), expected, "{body}");
            let upstream = UpstreamContext {
                model: "gemini-3-flash",
                seal: &key,
            };
            String::from_utf8(encode_request(&decoded, &upstream).body).unwrap()
        };
        let body = |token: &str| {
            format!(
                r#"{{"contents":[{{"parts":[{{"text":"a","thoughtSignature":"VGV4dA=="}},{{"functionCall":{{"id":"i","name":"f","args":{{}}}},"thoughtSignature":"{token}"}}],"role":"model"}}]}}"#
            )
        };
        let bare = sent(&body("Q2FsbA=="), true);
        assert!(
            bare.contains(PLACEHOLDER) && !bare.contains("VGV4dA==") && !bare.contains("Q2FsbA=="),
            "{bare}"
        );
        let own = r#"{"contents":[{"parts":[{"functionCall":{"name":"f","args":{}},"thoughtSignature":"skip_thought_signature_validator"}],"role":"model"}]}"#;
        assert_eq!(sent(own, false), own);
    }
}
