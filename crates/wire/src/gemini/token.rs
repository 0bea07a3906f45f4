//! What a part's `thoughtSignature` holds.
//!
//! The member is of the type `bytes`: official SDKs decode it as base64 and throw the reply away where it is none, so
//! a seal of ours goes out as base64 (and comes back in either alphabet, as Python clients rewrite it). Gemini clients
//! keep the signatures of calls and texts but not thoughts, so a reply's thinking travels in the token of the first
//! call behind it, whole: some upstreams want the words back, not only their token.

use std::borrow::Cow;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::json::{Doc, Mark, Text, Value, Writer, scan};
use crate::turn::{SEAL_PREFIX, Thinking};

/// What every token of ours begins with on this wire; a body without it and without [`SEAL_PREFIX`] holds none.
pub const SEAL_MARK: &str = "bGcxL";
/// How strings begin that hold a seal: as it is, and in base64.
pub(super) const SEAL_MARKS: [Mark; 2] = [*b"lg1.", *b"bGcx"];

/// Stands where a model's own signature is missing: the API takes it instead of refusing the call (documented 2025-11).
pub(super) const PLACEHOLDER: &str = "skip_thought_signature_validator";

/// The same in the API's other documented spelling, as clients send it.
const OTHER_PLACEHOLDER: &str = "context_engineering_is_the_way_to_go";

/// Begins a token that carries thoughts.
const KEPT: &str = "lg1.kept.";

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// A thought that travels in another part's token.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Kept {
    pub(super) thinking: Thinking,
    /// It stood before the text in front of the part, not directly before the part.
    pub(super) leads: bool,
}

/// A token, read.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Carried {
    /// The part's own: a seal of ours or the provider's signature.
    pub(super) own: Option<Text>,
    /// Thoughts of ours.
    pub(super) thoughts: Vec<Kept>,
    /// The token is of our making, so that no provider may see it.
    pub(super) is_ours: bool,
}

/// The token of a part; `None` if there is nothing to carry.
pub(super) fn written(own: Option<&Text>, thoughts: &[Kept]) -> Option<Text> {
    if thoughts.is_empty() {
        let own = own?;
        let decoded = own.decode();
        return Some(if decoded.starts_with(SEAL_PREFIX) {
            STANDARD.encode(decoded.as_bytes()).into()
        } else {
            own.clone()
        });
    }
    let mut json = Writer::append_to(KEPT.as_bytes().to_vec());
    json.begin_object();
    if let Some(own) = own {
        json.key("own").text(own);
    }
    json.key("thoughts").begin_array();
    for kept in thoughts {
        json.begin_object().key("text").text(&kept.thinking.text);
        if let Some(seal) = &kept.thinking.signature {
            json.key("seal").text(seal);
        }
        if kept.thinking.is_redacted {
            json.key("redacted").bool(true);
        }
        if kept.leads {
            json.key("leads").bool(true);
        }
        json.end_object();
    }
    json.end_array().end_object();
    Some(STANDARD.encode(json.into_bytes()).into())
}

/// Reads a part's token.
pub(super) fn read(token: &Text) -> Carried {
    let received = token.decode();
    if received.is_empty() || received == PLACEHOLDER || received == OTHER_PLACEHOLDER {
        return Carried::default();
    }
    let Some(plain) = ours(&received) else {
        return Carried {
            own: Some(token.clone()),
            ..Carried::default()
        };
    };
    let Some(json) = plain.strip_prefix(KEPT) else {
        return Carried {
            own: Some(Text::from(&*plain)),
            thoughts: Vec::new(),
            is_ours: true,
        };
    };
    let doc = scan(&json.into()).ok();
    let root = doc.as_ref().map(Doc::root);
    Carried {
        own: root.and_then(|root| root.get("own")?.text()),
        thoughts: root
            .and_then(|root| root.get("thoughts"))
            .into_iter()
            .flat_map(Value::items)
            .map(kept)
            .collect(),
        is_ours: true,
    }
}

fn kept(value: Value<'_>) -> Kept {
    let is_set = |key: &str| value.get(key).and_then(Value::bool) == Some(true);
    Kept {
        thinking: Thinking {
            text: value.get("text").and_then(Value::text).unwrap_or_default(),
            signature: value.get("seal").and_then(Value::text),
            is_redacted: is_set("redacted"),
        },
        leads: is_set("leads"),
    }
}

/// The characters of a token of ours.
fn ours(received: &str) -> Option<Cow<'_, str>> {
    if received.starts_with(SEAL_PREFIX) {
        return Some(Cow::Borrowed(received));
    }
    if !received.starts_with(SEAL_MARK) {
        return None;
    }
    let standard = received.replace('-', "+").replace('_', "/");
    let plain = String::from_utf8(LENIENT.decode(standard).ok()?).ok()?;
    plain.starts_with(SEAL_PREFIX).then_some(Cow::Owned(plain))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::SealKey;

    fn thought(text: &str, leads: bool) -> Kept {
        let seal = SealKey::new("p", "a", "m").seal("sig+/=");
        Kept {
            thinking: Thinking {
                text: text.into(),
                signature: Some(seal.into()),
                is_redacted: text.is_empty(),
            },
            leads,
        }
    }

    #[test]
    fn what_is_written_reads_back_in_both_alphabets() {
        let seal = Text::from(SealKey::new("p", "a", "m").seal("x?y>~~~"));
        let cases: [(Option<&Text>, Vec<Kept>); 4] = [
            (Some(&seal), vec![]),
            (None, vec![thought("hm \u{fffd}?>\n\"ü", true)]),
            (Some(&seal), vec![thought("a", true), thought("", false)]),
            (None, vec![thought("~~~???>>>", false)]),
        ];
        for (own, thoughts) in cases {
            let token = written(own, &thoughts).unwrap();
            let plain = token.to_plain();
            assert!(plain.starts_with(SEAL_MARK), "{plain}");
            assert!(STANDARD.decode(plain.as_bytes()).is_ok(), "{plain}");
            let expected = Carried {
                own: own.cloned(),
                thoughts,
                is_ours: true,
            };
            assert_eq!(read(&token), expected);
            let rewritten = plain.replace('+', "-").replace('/', "_").replace('=', "");
            assert_eq!(read(&rewritten.into()), expected);
        }
        assert_eq!(written(None, &[]), None);
    }

    #[test]
    fn what_is_not_ours_stays_as_it_is() {
        for native in ["CpEBAVSoXO6a", "bGcxLnotAseal", "bGcxL!"] {
            let carried = read(&native.into());
            assert_eq!(carried.own, Some(native.into()));
            assert!(!carried.is_ours, "{native}");
        }
        for nothing in ["", PLACEHOLDER, OTHER_PLACEHOLDER] {
            assert_eq!(read(&nothing.into()), Carried::default(), "{nothing}");
        }
        assert_eq!(written(Some(&"CpEB".into()), &[]), Some("CpEB".into()));
    }
}
