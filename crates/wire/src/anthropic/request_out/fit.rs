//! What becomes of a block before it is written: copied, rewritten or left out.

use bytestring::ByteString;

use super::Encoder;
use crate::Wire;
use crate::json::Text;
use crate::turn::Place;
use crate::turn::{
    Block, Document, Foreign, Image, MediaKind, MediaSource, Node, Seal, Thinking, opened,
};

/// A block that goes out, and where it stood.
pub(super) struct Part<'t> {
    pub(super) fit: Fit<'t>,
    /// Index of its message; `None` in the system prompt.
    pub(super) message: Option<usize>,
    /// Index of the block.
    pub(super) block: usize,
}

/// A block as it will be written.
pub(super) enum Fit<'t> {
    /// As received.
    Raw {
        raw: &'t ByteString,
        block: &'t Block,
    },
    /// From its value.
    Block(&'t Block),
    /// With the token that was in our seal; none if the upstream signs nothing.
    Thinking {
        text: &'t Text,
        signature: Option<Text>,
    },
    /// With the token that was in our seal.
    RedactedThinking { data: Text },
    /// Text without the white space at its end, which the API refuses where the model is to go on.
    Trimmed(Text),
    /// Instructions that stood between messages, where this wire has only user text.
    Reminder(&'t Block),
    /// The answer to a call that the client never answered.
    MissingResult { tool_use_id: &'t Text },
    /// A note where something stood that this API does not take.
    LeftOut { kind: MediaKind },
    /// A note where a file stood that another provider keeps.
    StoredElsewhere,
}

impl Encoder<'_> {
    /// Decides about one block; `None` leaves it out, with a loss if it said something.
    pub(super) fn fit<'t>(&mut self, node: &'t Node<Block>, place: &Place<'_>) -> Option<Fit<'t>> {
        // A node whose received spelling is a bare string stood alone as a whole content.
        let raw = node.raw(Wire::Anthropic).filter(|raw| raw.starts_with('{'));
        let copied = raw.map_or(Fit::Block(node), |raw| Fit::Raw { raw, block: node });
        let fit = match &**node {
            Block::Thinking(thinking) => self.fit_thinking(thinking, copied),
            Block::Text { text, .. } if !self.is_own && text.is_blank() => return None,
            Block::Refusal(text) if text.is_blank() => return None,
            // This API takes neither.
            Block::Media(media) => Some(Fit::LeftOut { kind: media.kind }),
            Block::ServerTool(step) => is_own(&step.block).then_some(copied),
            Block::Foreign(foreign) => is_own(foreign).then_some(copied),
            // Another provider's id of a file says nothing here.
            Block::Image(Image { source, .. }) | Block::Document(Document { source, .. })
                if !self.is_own && matches!(source, MediaSource::File(_)) =>
            {
                Some(Fit::StoredElsewhere)
            }
            Block::Image(image) => match image.source {
                MediaSource::Base64 { .. } | MediaSource::Url(_) | MediaSource::File(_) => {
                    Some(copied)
                }
                MediaSource::Text(_) | MediaSource::Blocks(_) => None,
            },
            Block::Text { .. }
            | Block::Refusal(_)
            | Block::ToolUse(_)
            | Block::ToolResult(_)
            | Block::Document(_)
            | Block::ToolReference { .. }
            | Block::SearchResult(_) => Some(copied),
        };
        if fit
            .as_ref()
            .is_none_or(|fit| matches!(fit, Fit::LeftOut { .. } | Fit::StoredElsewhere))
        {
            self.losses.add(place.to_string());
        }
        fit
    }

    /// Reasoning goes back only to the upstream that it came from: any other refuses its token.
    fn fit_thinking<'t>(&self, thinking: &'t Thinking, copied: Fit<'t>) -> Option<Fit<'t>> {
        let Some(signature) = thinking
            .signature
            .as_ref()
            .filter(|signature| !signature.is_empty())
        else {
            return (self.is_own && !thinking.is_redacted).then_some(copied);
        };
        match opened(signature, self.upstream.seal) {
            Seal::Native if self.is_own => Some(copied),
            // Another provider's own token, as a client of its wire holds it.
            Seal::Native | Seal::Elsewhere => None,
            Seal::Own(payload) => {
                let token = Some(payload)
                    .filter(|payload| !payload.is_empty())
                    .map(Text::from);
                if thinking.is_redacted {
                    token.map(|data| Fit::RedactedThinking { data })
                } else {
                    Some(Fit::Thinking {
                        text: &thinking.text,
                        signature: token,
                    })
                }
            }
        }
    }
}

/// Whether a message's received bytes hold a seal of ours, which no upstream may see.
pub(super) fn holds_seal(block: &Block) -> bool {
    let Block::Thinking(thinking) = block else {
        return false;
    };
    let signature = thinking.signature.as_ref();
    signature.is_some_and(|signature| signature.starts_with(crate::turn::SEAL_PREFIX))
}

fn is_own(foreign: &Foreign) -> bool {
    foreign.wire == Wire::Anthropic
}

impl Part<'_> {
    /// Calls `f` with the place where the block stood.
    pub(super) fn at_place<T>(&self, f: impl FnOnce(&Place<'_>) -> T) -> T {
        match self.message {
            Some(message) => {
                let message = Place::root("messages", Some(message));
                f(&message.below("content", Some(self.block)))
            }
            None => f(&Place::root("system", Some(self.block))),
        }
    }
}

impl Fit<'_> {
    /// Whether it is reasoning, however it is written.
    pub(super) const fn is_thinking(&self) -> bool {
        match self {
            Self::Raw { block, .. } | Self::Block(block) => matches!(block, Block::Thinking(_)),
            Self::Thinking { .. } | Self::RedactedThinking { .. } => true,
            Self::Trimmed(_)
            | Self::Reminder(_)
            | Self::MissingResult { .. }
            | Self::LeftOut { .. }
            | Self::StoredElsewhere => false,
        }
    }
}
