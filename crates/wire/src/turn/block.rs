//! The blocks that messages are made of.

use bytestring::ByteString;

use super::node::Node;
use super::request::CacheHint;
use crate::Wire;
use crate::json::{Raw, Text};

/// One block of a message's content.
#[derive(Debug, Clone, PartialEq)]
pub enum Block {
    /// Text.
    Text {
        /// The characters.
        text: Text,
        /// Citations as received (a JSON array of the origin wire).
        citations: Option<Foreign>,
        /// The opaque token that belongs to it (Gemini signs text parts).
        signature: Option<Text>,
        /// A cache prefix ends behind it.
        cache: Option<CacheHint>,
    },
    /// What the model thought before it answered.
    Thinking(Thinking),
    /// A call the client is to run, or ran.
    ToolUse(ToolUse),
    /// What a call gave.
    ToolResult(ToolResult),
    /// A picture; the only kind of media that replies have, too.
    Image(Image),
    /// Sound or a film.
    Media(Media),
    /// A document.
    Document(Document),
    /// A tool that became known through a search for it (Anthropic `tool_reference`).
    ToolReference {
        /// The tool's name.
        name: Text,
    },
    /// A passage found by a client's own search (Anthropic `search_result`).
    SearchResult(SearchResult),
    /// A call that the provider ran itself, or its result.
    ServerTool(ServerToolUse),
    /// The model refused, in its own words (Chat and Responses `refusal`).
    Refusal(Text),
    /// A block of a kind the hub has no place for.
    Foreign(Foreign),
}

/// Reasoning. Redacted reasoning has no text but a sealed payload.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Thinking {
    /// The reasoning, or a summary of it; may be empty.
    pub text: Text,
    /// The opaque token that belongs to it, as the client holds it: a provider's signature or a seal of ours.
    pub signature: Option<Text>,
    /// Whether the provider hid the text and `signature` is all there is (Anthropic `redacted_thinking`).
    pub is_redacted: bool,
}

/// A tool call.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolUse {
    /// The call's id, in the client's id space.
    pub id: Text,
    /// The tool's name.
    pub name: Text,
    /// The namespace the tool belongs to (Responses).
    pub namespace: Option<Text>,
    /// The arguments.
    pub input: ToolInput,
    /// The opaque token that belongs to it (Gemini signs calls).
    pub signature: Option<Text>,
    /// A cache prefix ends behind it.
    pub cache: Option<CacheHint>,
    /// Members that the hub has no place for, by name (Anthropic `caller`).
    pub extra: Vec<(ByteString, ByteString)>,
}

/// What a tool is called with.
#[derive(Debug, Clone, PartialEq)]
pub enum ToolInput {
    /// A JSON object in its received spelling: key order and number text are part of the prompt cache's key.
    Json(Raw),
    /// Free text (Responses `custom_tool_call`).
    Freeform(Text),
}

/// The result of a tool call.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolResult {
    /// The id of the call it answers, in the client's id space.
    pub tool_use_id: Text,
    /// What came out; may be empty.
    pub content: Vec<Node<Block>>,
    /// Whether the tool failed.
    pub is_error: bool,
    /// A cache prefix ends behind it.
    pub cache: Option<CacheHint>,
}

/// A picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Image {
    /// Where its bytes are.
    pub source: MediaSource,
    /// How closely to look (Chat `detail`).
    pub detail: Option<Text>,
    /// A cache prefix ends behind it.
    pub cache: Option<CacheHint>,
}

/// Sound or a film, which only some models take.
#[derive(Debug, Clone, PartialEq)]
pub struct Media {
    /// Which of them.
    pub kind: MediaKind,
    /// Where its bytes are.
    pub source: MediaSource,
    /// Members that the hub has no place for, by name (Gemini `videoMetadata`).
    pub extra: Vec<(ByteString, ByteString)>,
}

/// What kind of media.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaKind {
    /// Sound (Chat `input_audio`).
    Audio,
    /// A film (Moonshot and OpenRouter `video_url`).
    Video,
}

impl MediaKind {
    /// The word for it, in a note to the model.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Audio => "audio",
            Self::Video => "video",
        }
    }
}

/// A document, PDF or text.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// Where its bytes are.
    pub source: MediaSource,
    /// Its title or file name.
    pub title: Option<Text>,
    /// What the client says about it, for the model.
    pub context: Option<Text>,
    /// A cache prefix ends behind it.
    pub cache: Option<CacheHint>,
    /// Members that the hub has no place for, by name (Anthropic `citations`).
    pub extra: Vec<(ByteString, ByteString)>,
}

/// Where media bytes are.
#[derive(Debug, Clone, PartialEq)]
pub enum MediaSource {
    /// In the request itself.
    Base64 {
        /// Such as `image/png`.
        media_type: Text,
        /// Standard base64 with padding, as received.
        data: Text,
    },
    /// At an address the provider fetches.
    Url(Text),
    /// Uploaded to the provider before.
    File(Text),
    /// Plain text.
    Text(Text),
    /// Made of blocks.
    Blocks(Vec<Node<Block>>),
}

/// A passage found by a client's own search.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchResult {
    /// Where it was found.
    pub source: Text,
    /// Its title.
    pub title: Text,
    /// The passage.
    pub content: Vec<Node<Block>>,
    /// Members that the hub has no place for, by name.
    pub extra: Vec<(ByteString, ByteString)>,
}

/// A step that the provider ran itself: the call or its result.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerToolUse {
    /// The call's name, for a call.
    pub name: Option<Text>,
    /// The block as received.
    pub block: Foreign,
}

/// Something of one wire that the hub has no place for: copied on that wire, a loss on any other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign {
    /// The wire it belongs to.
    pub wire: Wire,
    /// Its JSON, as received.
    pub raw: ByteString,
}

impl Block {
    /// Text without citations or cache hint.
    #[must_use]
    pub const fn text(text: Text) -> Self {
        Self::Text {
            text,
            citations: None,
            signature: None,
            cache: None,
        }
    }
}
