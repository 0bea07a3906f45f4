//! Names of functions: `^[A-Za-z_][A-Za-z0-9_.:-]{0,63}$`. Others are replaced on the way in and put back in the reply.

use std::borrow::Cow;

use crate::json::Text;
use crate::stage::{End, Sink, Stage};
use crate::turn::{Event, Opening, Tool, Turn};

/// Longest name that the API takes.
const MAX_LENGTH: usize = 64;

/// Bytes of a checksum and the line before it.
const MARK_LENGTH: usize = 9;

/// A name as the API takes it. A name that is changed gets a checksum of the whole, so that two stay two.
pub(super) fn fit(name: &str) -> Cow<'_, str> {
    let is_first = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    let is_inner =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':' | b'-');
    if name.len() <= MAX_LENGTH
        && name.bytes().next().is_some_and(is_first)
        && name.bytes().all(is_inner)
    {
        return Cow::Borrowed(name);
    }
    let mut fit = String::with_capacity(MAX_LENGTH);
    if !name.bytes().next().is_some_and(is_first) {
        fit.push('_');
    }
    for letter in name.chars() {
        if fit.len() == MAX_LENGTH - MARK_LENGTH {
            break;
        }
        let is_kept = u8::try_from(letter).is_ok_and(is_inner);
        fit.push(if is_kept { letter } else { '_' });
    }
    Cow::Owned(format!("{fit}_{:08x}", crc32fast::hash(name.as_bytes())))
}

/// Puts the names back that the encoder had to replace.
#[derive(Debug)]
pub struct NameStage {
    /// Replaced name and the client's.
    names: Vec<(String, Text)>,
}

impl NameStage {
    /// A stage for the reply to a request with these tools; `None` if every name fits.
    #[must_use]
    pub fn of(turn: &Turn) -> Option<Self> {
        let names: Vec<(String, Text)> = turn
            .tools
            .iter()
            .filter(|tool| !matches!(&***tool, Tool::Hosted { .. }))
            .filter_map(|tool| match fit(&tool.name().decode()) {
                Cow::Owned(replaced) => Some((replaced, tool.name().clone())),
                Cow::Borrowed(_) => None,
            })
            .collect();
        (!names.is_empty()).then_some(Self { names })
    }
}

impl Stage for NameStage {
    type In = Event;
    type Out = Event;

    fn on(&mut self, mut event: Event, sink: &mut Sink<Event>) {
        if let Event::Open {
            block: Opening::ToolUse { name, .. },
            ..
        } = &mut event
            && let Some((_, own)) = self.names.iter().find(|(replaced, _)| *name == **replaced)
        {
            *name = own.clone();
        }
        sink.event(event);
    }

    fn end(&mut self, _end: End, _sink: &mut Sink<Event>) {}

    fn passes(&mut self, event: &Event) -> bool {
        !event.opens_call()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Wire;
    use crate::turn::{Node, Slot};

    #[test]
    fn names_fit() {
        for name in ["Read", "_x", "mcp__a-b.c:d", &"x".repeat(64)] {
            assert_eq!(fit(name), name);
        }
        let long = "x".repeat(65);
        for (name, beginning) in [
            ("1st", "_1st_"),
            ("a b", "a_b_"),
            ("größe", "gr__e_"),
            ("", "__"),
            (&*long, "xxxxxxxx"),
        ] {
            let fitted = fit(name);
            assert!(fitted.starts_with(beginning), "{name}: {fitted}");
            assert!(fitted.len() <= MAX_LENGTH, "{fitted}");
            assert_eq!(fit(&fitted), fitted, "what fits stays");
        }
        assert_ne!(fit("a b"), fit("a_b"));
        assert_ne!(fit(&long), fit(&"x".repeat(66)));
    }

    #[test]
    fn replaced_names_come_back() {
        let tool = |name: &str| {
            Node::new(Tool::Freeform {
                name: name.into(),
                namespace: None,
                description: None,
                format: None,
            })
        };
        let mut turn = Turn {
            origin: Wire::Chat,
            model: "m".into(),
            system: vec![],
            messages: vec![],
            tools: vec![tool("fits")].into(),
            cache: None,
        };
        assert!(NameStage::of(&turn).is_none());
        turn.tools.push(tool("does not"));
        let mut stage = NameStage::of(&turn).unwrap();
        for (called, expected) in [
            (fit("does not").into_owned(), "does not"),
            ("fits".to_owned(), "fits"),
        ] {
            let mut sink = Sink::new();
            let open = |name: &str| Event::Open {
                slot: Slot(0),
                block: Opening::ToolUse {
                    id: "i".into(),
                    name: name.into(),
                    namespace: None,
                    is_freeform: false,
                    extra: vec![],
                },
            };
            stage.on(open(&called), &mut sink);
            assert_eq!(sink.items, [open(expected)]);
        }
    }
}
