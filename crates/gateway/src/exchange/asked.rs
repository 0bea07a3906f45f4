//! What the client asks, decoded as far as somebody needs it.

use std::sync::{Arc, OnceLock};

use http::header::AsHeaderName;
use http::request::Parts;
use http::{HeaderMap, HeaderName};
use lingate_route::Class;
use lingate_store::Alike;
use lingate_wire::bridge::{self, PathFacts};
use lingate_wire::chat::CallStyle;
use lingate_wire::json::{Doc, Text, Value};
use lingate_wire::turn::{Block, Failure, FailureKind, MediaSource, Node};
use sha2::{Digest as _, Sha256};

use super::class;
use super::histories::{Earlier, Scanned};
use super::kept::{Kept, Memory};
use crate::front::fields::first_texts_of;
use crate::front::keys::Caller;
use lingate_wire::bridge::ReplyOptions;
use lingate_wire::gemini::{self, Framing};
use lingate_wire::{Decoded, Peek, Wire, anthropic};

/// Claude Code's session, one id over all requests of a conversation.
static SESSION_HEADER: HeaderName = HeaderName::from_static("x-claude-code-session-id");
/// Other clients'.
static OTHER_SESSION_HEADER: HeaderName = HeaderName::from_static("x-session-id");

/// Longest name of a model, in bytes as sent: names go into logs, rows and messages.
const LONGEST_MODEL: usize = 512;
/// Longest id of a session or agent that is taken as it is; nobody's is as long.
const LONGEST_ID: usize = 256;

/// One client request.
pub(crate) struct Asked {
    pub wire: Wire,
    pub profile: Option<String>,
    pub headers: HeaderMap,
    /// The query as received, without `?`.
    pub query: Option<String>,
    pub doc: Doc,
    pub peek: Peek,
    facts: PathFacts,
    /// The body holds a seal of ours, which no provider may see.
    pub has_seal: bool,
    /// The client's session, as far as it says which.
    session: Option<String>,
    /// What is kept of earlier answers, for a client whose wire may lose it.
    pub memory: Option<Memory>,
    /// Who asks.
    pub caller: Caller,
    /// How the client wants its reply.
    pub options: ReplyOptions,
    /// What it goes on from.
    earlier: Option<Arc<Earlier>>,
    /// On the heap: it is large, few requests have it, and they are moved with it.
    decoded: OnceLock<Box<Result<Decoded, Failure>>>,
}

impl Asked {
    /// Reads a request whose body was scanned.
    pub(crate) fn read(
        wire: Wire,
        profile: Option<String>,
        facts: PathFacts,
        parts: Parts,
        scanned: impl Into<Scanned>,
    ) -> Result<Self, Failure> {
        let Scanned { doc, earlier } = scanned.into();
        let mut peek = bridge::peek(wire, &doc)?;
        if wire == Wire::Gemini {
            facts.complete_peek(&mut peek);
        }
        if peek.model.wire_len() > LONGEST_MODEL {
            return Err(Failure::new(
                FailureKind::InvalidRequest,
                format!("the model's name is longer than {LONGEST_MODEL} bytes"),
            ));
        }
        let query = parts.uri.query();
        Ok(Self {
            session: session(&parts.headers, &peek),
            options: reply_options(wire, &doc, &peek, query),
            wire,
            profile,
            query: query.map(str::to_owned),
            headers: parts.headers,
            has_seal: doc.has_mark(),
            facts,
            doc,
            peek,
            memory: None,
            caller: Caller::Anybody,
            earlier,
            decoded: OnceLock::new(),
        })
    }

    /// What the body is known to have in common with an earlier one.
    pub(crate) fn alike(&self) -> Option<Alike> {
        self.earlier.as_ref()?.alike(&self.doc)
    }

    /// From this client, with what `kept` holds for it, if its wire needs that.
    pub(crate) fn remembering(mut self, kept: &Arc<Kept>, caller: &Caller) -> Self {
        self.caller = caller.clone();
        if self.wire == Wire::Chat {
            self.memory = Some(Memory::new(kept, caller.name()));
        }
        self
    }

    /// The request in the hub's shape.
    pub(crate) fn decoded(&self) -> Result<&Decoded, Failure> {
        self.decoded
            .get_or_init(|| Box::new(self.decode()))
            .as_ref()
            .as_ref()
            .map_err(Clone::clone)
    }

    /// The request in the hub's shape, to be changed.
    pub(crate) fn decode(&self) -> Result<Decoded, Failure> {
        let mut decoded = match &self.earlier {
            Some(earlier) => earlier.decode_like(self.wire, &self.doc)?,
            None => bridge::decode_request(self.wire, &self.doc)?,
        };
        if self.wire == Wire::Gemini {
            self.facts.complete(&mut decoded);
        }
        Ok(decoded)
    }

    /// The client's session, as far as it says which.
    pub(crate) fn session(&self) -> Option<&str> {
        self.session.as_deref()
    }

    /// Names the conversation to a provider's prompt cache: the same for every request of one session's agent, and
    /// nothing a provider could read.
    pub(crate) fn cache_key(&self) -> Option<Text> {
        let session = self.session()?;
        let agent = class::agent(&self.headers);
        let digest = Sha256::digest(format!("{session}\n{agent}"));
        let half = digest.first_chunk().copied().map(u128::from_be_bytes)?;
        Some(format!("{half:032x}").into())
    }

    /// The agent within its session that asks; none for the main one.
    pub(crate) fn agent(&self) -> Option<&str> {
        let agent = class::agent(&self.headers);
        Some(agent).filter(|agent| !agent.is_empty() && agent.len() <= LONGEST_ID)
    }

    /// What the client says the request is for.
    pub(crate) fn class(&self) -> Class {
        class::class(&self.headers, &self.doc)
    }

    /// Whether anybody is shown a picture.
    pub(crate) fn has_image(&self) -> bool {
        self.mentions("image") && self.has_block(&|block| matches!(block, Block::Image(_)))
    }

    /// Whether the model is to read a document, such as a PDF.
    pub(crate) fn has_document(&self) -> bool {
        let is_document = |block: &Block| {
            let Block::Document(document) = block else {
                return false;
            };
            // A text that a client calls a document is text.
            !matches!(
                document.source,
                MediaSource::Text(_) | MediaSource::Blocks(_)
            )
        };
        (self.mentions("document") || self.mentions("file") || self.mentions("pdf"))
            && self.has_block(&is_document)
    }

    /// Whether all tools that are declared may be ones that a provider runs: none comes with a schema.
    pub(crate) fn has_only_hosted_tools(&self) -> bool {
        let of_clients = [
            "input_schema",
            "parameters",
            "function",
            "functionDeclarations",
        ];
        let tools = self.doc.root().get("tools");
        let is_hosted = |tool: Value<'_>| of_clients.iter().all(|name| tool.get(name).is_none());
        self.peek.has_tools && tools.is_some_and(|tools| tools.items().all(is_hosted))
    }

    /// Whether a word stands anywhere in the body: what it does not name, it does not hold.
    fn mentions(&self, word: &str) -> bool {
        memchr::memmem::find(self.doc.body(), word.as_bytes()).is_some()
    }

    fn has_block(&self, is_it: &dyn Fn(&Block) -> bool) -> bool {
        self.decoded().is_ok_and(|decoded| {
            let mut messages = decoded.turn.messages.iter();
            messages.any(|message| any_block(&message.blocks, is_it))
        })
    }

    /// Whether it continues a conversation that its provider keeps.
    pub(crate) fn is_thread(&self) -> bool {
        self.wire == Wire::Anthropic && anthropic::has_thread(&self.doc)
    }

    pub(crate) fn header(&self, name: impl AsHeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// How a client wants its reply.
fn reply_options(wire: Wire, doc: &Doc, peek: &Peek, query: Option<&str>) -> ReplyOptions {
    let of_gemini = wire == Wire::Gemini;
    let is_sse = query.is_some_and(|query| {
        query
            .split('&')
            .any(|pair| matches!(pair, "alt=sse" | "$alt=sse" | "%24alt=sse"))
    });
    ReplyOptions {
        sends_usage: wants_stream_usage(doc),
        calls: match wire {
            Wire::Chat => CallStyle::of(doc),
            Wire::Anthropic | Wire::Gemini | Wire::Responses => CallStyle::Tools,
        },
        framing: if of_gemini && peek.stream && !is_sse {
            Framing::Array
        } else {
            Framing::Sse
        },
        shows_thoughts: of_gemini && gemini::shows_thoughts(doc),
    }
}

/// Whether a Chat client asked for usage at the end of its stream.
fn wants_stream_usage(doc: &Doc) -> bool {
    let options = doc.root().get("stream_options");
    options.and_then(|options| options.get("include_usage")?.bool()) == Some(true)
}

/// The client's session: its header, else what the body says.
fn session(headers: &HeaderMap, peek: &Peek) -> Option<String> {
    let [own, other] = first_texts_of(headers, [&SESSION_HEADER, &OTHER_SESSION_HEADER]);
    let told = match own.or(other) {
        Some(told) => told.to_owned(),
        None => peek.session.as_ref()?.to_string(),
    };
    if told.len() <= LONGEST_ID {
        return Some(told);
    }
    let digest = Sha256::digest(&told);
    Some(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn any_block(blocks: &[Node<Block>], is_it: &dyn Fn(&Block) -> bool) -> bool {
    blocks.iter().any(|block| {
        is_it(block)
            || match &**block {
                Block::ToolResult(result) => any_block(&result.content, is_it),
                Block::Document(document) => match &document.source {
                    MediaSource::Blocks(blocks) => any_block(blocks, is_it),
                    _ => false,
                },
                _ => false,
            }
    })
}
