//! Seals: a provider's opaque token, wrapped so that it is only ever handed back to that provider.
//!
//! A client keeps what it is given in its own opaque field (Anthropic `signature`) and sends it back with the
//! history. The wrapping says which provider, account and model it came from, so a session may move between upstreams
//! and no upstream is shown a token it would refuse. Seals are deterministic and hide nothing: `lg1.<provider>.<account>.
//! <model>.<payload>.<crc>`, the first three as short hashes, the payload empty where the upstream signs nothing.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::event::{Delta, Event, Opening, Slot};
use crate::json::{Mark, Text};
use crate::stage::{End, Sink, Stage};

/// What every seal of ours begins with; a body without it holds none.
pub const SEAL_PREFIX: &str = "lg1.";
/// The same for a scan: seals are whole strings, wherever they stand.
pub(crate) const SEAL_MARKS: [Mark; 2] = [*b"lg1."; 2];

/// Who may see a token again. Cheap to clone: made once for an upstream, and with each of its attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealKey {
    /// `lg1.<provider>.<account>.<model>.`
    head: Arc<str>,
}

impl SealKey {
    /// A key for one upstream. `account` tells keys of one provider apart by their label, never by their value.
    #[must_use]
    pub fn new(provider: &str, account: &str, model: &str) -> Self {
        let [provider, account, model] =
            [provider, account, model].map(|name| crc32fast::hash(name.as_bytes()));
        Self {
            head: format!("{SEAL_PREFIX}{provider:08x}.{account:08x}.{model:08x}.").into(),
        }
    }

    /// Wraps a token; an empty one stands for "this upstream signs nothing".
    #[must_use]
    pub fn seal(&self, payload: &str) -> String {
        let mut sealed = String::from(&*self.head);
        if !payload.is_empty() {
            if payload.bytes().all(|byte| {
                byte.is_ascii_graphic() && byte != b'.' && byte != b'"' && byte != b'\\'
            }) {
                sealed.push('p');
                sealed.push_str(payload);
            } else {
                sealed.push('b');
                URL_SAFE_NO_PAD.encode_string(payload, &mut sealed);
            }
        }
        let crc = crc32fast::hash(sealed.as_bytes());
        format!("{sealed}.{crc:08x}")
    }
}

/// What a client's opaque field turns out to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seal {
    /// A seal of ours for this upstream, and the token in it (empty where it signs nothing).
    Own(String),
    /// A seal of ours for another upstream, or a damaged one.
    Elsewhere,
    /// Not of our making: a provider's own token, as after a passthrough.
    Native,
}

/// Reads a client's opaque field for the upstream that `key` belongs to.
#[must_use]
pub fn opened(signature: &Text, key: &SealKey) -> Seal {
    let signature = signature.decode();
    if !signature.starts_with(SEAL_PREFIX) {
        return Seal::Native;
    }
    match open(&signature, key) {
        Some(payload) => Seal::Own(payload),
        None => Seal::Elsewhere,
    }
}

fn open(signature: &str, key: &SealKey) -> Option<String> {
    let (sealed, crc) = signature.rsplit_once('.')?;
    if u32::from_str_radix(crc, 16).ok()? != crc32fast::hash(sealed.as_bytes()) {
        return None;
    }
    let payload = sealed.strip_prefix(&*key.head)?;
    match payload.split_at_checked(1) {
        None => Some(String::new()),
        Some(("p", plain)) => Some(plain.to_owned()),
        Some(("b", encoded)) => String::from_utf8(URL_SAFE_NO_PAD.decode(encoded).ok()?).ok(),
        Some(_) => None,
    }
}

/// Wraps the tokens of a reply on their way to the client.
#[derive(Debug)]
pub struct SealStage {
    key: SealKey,
    thinking: HashMap<Slot, OpenThinking>,
}

#[derive(Debug, Default)]
struct OpenThinking {
    has_text: bool,
    payload: Option<String>,
}

impl SealStage {
    /// A stage that seals for one upstream.
    #[must_use]
    pub fn new(key: SealKey) -> Self {
        Self {
            key,
            thinking: HashMap::new(),
        }
    }
}

impl Stage for SealStage {
    type In = Event;
    type Out = Event;

    fn on(&mut self, event: Event, sink: &mut Sink<Event>) {
        match event {
            Event::Open {
                slot,
                block: Opening::RedactedThinking { data },
            } => sink.event(Event::Open {
                slot,
                block: Opening::RedactedThinking {
                    data: self.key.seal(&data.decode()).into(),
                },
            }),
            Event::Open {
                slot,
                block: Opening::Thinking,
            } => {
                self.thinking.insert(slot, OpenThinking::default());
                sink.event(event);
            }
            Event::Delta {
                slot,
                delta: Delta::Signature(signature),
            } => match self.thinking.get_mut(&slot) {
                Some(open) => open
                    .payload
                    .get_or_insert_default()
                    .push_str(&signature.decode()),
                None => sink.event(Event::Delta {
                    slot,
                    delta: Delta::Signature(self.key.seal(&signature.decode()).into()),
                }),
            },
            Event::Delta {
                slot,
                delta: Delta::Thinking(text),
            } => {
                if let Some(open) = self.thinking.get_mut(&slot) {
                    open.has_text |= !text.is_blank();
                }
                sink.event(Event::Delta {
                    slot,
                    delta: Delta::Thinking(text),
                });
            }
            Event::Close { slot } => {
                if let Some(open) = self.thinking.remove(&slot)
                    && (open.has_text || open.payload.is_some())
                {
                    sink.event(Event::Delta {
                        slot,
                        delta: Delta::Signature(
                            self.key.seal(&open.payload.unwrap_or_default()).into(),
                        ),
                    });
                }
                sink.event(event);
            }
            other => sink.event(other),
        }
    }

    fn end(&mut self, _end: End, _sink: &mut Sink<Event>) {}

    fn passes(&mut self, event: &Event) -> bool {
        match event {
            Event::Open { block, .. } => {
                !matches!(block, Opening::Thinking | Opening::RedactedThinking { .. })
            }
            Event::Delta { slot, delta } => match delta {
                Delta::Signature(_) => false,
                Delta::Thinking(_) => self.thinking.get(slot).is_none_or(|open| open.has_text),
                Delta::Text(_) | Delta::Input(_) | Delta::Citation(_) | Delta::Foreign(_) => true,
            },
            Event::Close { slot } => !self.thinking.contains_key(slot),
            Event::Start(_) | Event::Usage(_) | Event::Stop(_) | Event::Done | Event::Ping => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_upstream_opens_a_seal() {
        let key = SealKey::new("moonshot", "moonshot#1", "kimi-k2.6");
        for payload in ["", "EqQBCgIYAhIkMTIz+/=", "has.dots", "quote\" and ü"] {
            let sealed = Text::from(key.seal(payload));
            assert_eq!(opened(&sealed, &key), Seal::Own(payload.to_owned()));
            for other in [
                SealKey::new("other", "moonshot#1", "kimi-k2.6"),
                SealKey::new("moonshot", "moonshot#2", "kimi-k2.6"),
                SealKey::new("moonshot", "moonshot#1", "kimi-k3"),
            ] {
                assert_eq!(opened(&sealed, &other), Seal::Elsewhere);
            }
        }
        assert_eq!(opened(&"EqQBCgIYAhIk".into(), &key), Seal::Native);
        let damaged = key.seal("abc").replace("pabc", "pabd");
        assert_eq!(opened(&damaged.into(), &key), Seal::Elsewhere);
        assert_eq!(opened(&"lg1.".into(), &key), Seal::Elsewhere);
    }

    #[test]
    fn a_seal_begins_with_three_names_in_hexadecimal_digits() {
        let key = SealKey::new("moonshot", "", "kimi-k2.6");
        let short = |name: &str| format!("{:08x}.", crc32fast::hash(name.as_bytes()));
        let names = ["moonshot", "", "kimi-k2.6"].map(short).concat();
        assert_eq!(*key.head, format!("{SEAL_PREFIX}{names}"));
        assert!(names.contains(".00000000."), "with the zeros in front");
    }

    #[test]
    fn a_thinking_block_is_sealed_when_it_closes() {
        let key = SealKey::new("p", "a", "m");
        let mut stage = SealStage::new(key.clone());
        let mut sink = Sink::new();
        let slot = Slot(0);
        let open = Event::Open {
            slot,
            block: Opening::Thinking,
        };
        let text = Event::Delta {
            slot,
            delta: Delta::Thinking("hm".into()),
        };
        for event in [open.clone(), text.clone(), Event::Close { slot }] {
            stage.on(event, &mut sink);
        }
        let seal = Event::Delta {
            slot,
            delta: Delta::Signature(key.seal("").into()),
        };
        assert_eq!(
            sink.items,
            [open.clone(), text, seal, Event::Close { slot }]
        );

        let mut sink = Sink::new();
        for event in [open.clone(), Event::Close { slot }] {
            stage.on(event, &mut sink);
        }
        assert_eq!(
            sink.items,
            [open, Event::Close { slot }],
            "an empty block gets no seal"
        );
    }
}
