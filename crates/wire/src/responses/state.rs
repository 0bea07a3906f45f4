//! What a request leaves with the provider. Nothing of it can be had elsewhere, and nothing is kept here.

use super::peek::STATE;
use crate::turn::{Block, Failure, FailureKind};
use crate::{Decoded, Wire};

/// Why a request of this wire cannot be served by a provider that speaks another: it refers to what was stored before.
/// `store: true` alone is no reason; the reply is made and not kept.
#[must_use]
pub fn depends_on_state(decoded: &Decoded) -> Option<Failure> {
    if decoded.turn.origin != Wire::Responses {
        return None;
    }
    let is_said = |key: &str| decoded.params.extra.iter().any(|(own, _)| own == key);
    let what = STATE
        .into_iter()
        .find(|key| is_said(key))
        .or_else(|| refers_to_item(decoded).then_some("item_reference"))?;
    let advice = match what {
        "prompt" => "send the prompt's text as `instructions` and `input`",
        "item_reference" => "send the items themselves",
        _ => "send the whole conversation as `input`, with `store: false`",
    };
    Some(Failure {
        should_retry: Some(false),
        ..Failure::new(
            FailureKind::InvalidRequest,
            format!("{what}: responses are not stored for this model; {advice}"),
        )
    })
}

fn refers_to_item(decoded: &Decoded) -> bool {
    let blocks = decoded
        .turn
        .messages
        .iter()
        .flat_map(|message| &message.blocks);
    blocks.into_iter().any(|block| match &**block {
        Block::Foreign(foreign) => crate::json::scan_reply(&foreign.raw, &[]).is_ok_and(|doc| {
            let root = doc.root();
            match root.get("type").filter(|kind| !kind.is_null()) {
                Some(kind) => kind.is_str("item_reference"),
                None => root.get("id").is_some(),
            }
        }),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::responses::{decode_request, scan_request};

    fn told(members: &str) -> Option<String> {
        let body = format!(r#"{{"model":"m",{members}}}"#);
        let decoded = scan_request(&body.as_str().into())
            .and_then(|doc| decode_request(&doc))
            .unwrap();
        depends_on_state(&decoded).map(|failure| failure.message)
    }

    #[test]
    fn what_is_stored_elsewhere_is_named() {
        for (members, named) in [
            (
                r#""input":"hi","previous_response_id":"resp_1""#,
                "previous_response_id: ",
            ),
            (r#""input":[],"conversation":{"id":"c"}"#, "conversation: "),
            (r#""prompt":{"id":"p"}"#, "prompt: "),
            (
                r#""input":[{"type":"item_reference","id":"x"}]"#,
                "item_reference: ",
            ),
            (r#""input":[{"id":"x"}]"#, "item_reference: "),
        ] {
            assert!(told(members).unwrap().starts_with(named), "{members}");
        }
        for members in [
            r#""input":"hi","store":true"#,
            r#""input":"hi","previous_response_id":null,"conversation":null"#,
            r#""input":[{"type":"compaction","encrypted_content":"x"}]"#,
        ] {
            assert_eq!(told(members), None, "{members}");
        }
    }
}
