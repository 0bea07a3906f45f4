//! The system prompt and the conversation.

use std::collections::VecDeque;

use super::Out;
use super::part::{Part, has_object, raw, sign_first_call};
use crate::json::Text;
use crate::turn::{Block, Message, Node, Role, Seal, Thinking, Unanswered, opened};

/// Claude Code tells Anthropic in a first system block what it is; nobody else needs it, and it changes with every build.
const ATTRIBUTION: &str = "x-anthropic-billing-header";

/// What the user says where a conversation begins with the model: this API lets the user speak first.
const BEGINNING: &str = "Continue.";

/// Who speaks, on this wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Speaker {
    User,
    Model,
}

impl Speaker {
    const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Model => "model",
        }
    }
}

/// One content under construction.
struct Content<'t> {
    speaker: Speaker,
    parts: Vec<Part<'t>>,
}

impl Out<'_> {
    /// Writes `systemInstruction`, if there is anything to say.
    pub(super) fn system(&mut self) {
        let decoded = self.decoded;
        let mut parts = Vec::new();
        for (nth, node) in decoded.turn.system.iter().enumerate() {
            let path = format!("system[{nth}]");
            match (&**node, raw(node).filter(|raw| raw.starts_with('{'))) {
                (Block::Text { text, .. }, _) if text.starts_with(ATTRIBUTION) => {
                    self.losses.add(path);
                }
                (_, Some(raw)) => parts.push(Part::Raw {
                    raw,
                    call: None,
                    answers: None,
                }),
                _ => self.said(node, &path, &mut parts),
            }
        }
        if parts.is_empty() {
            return;
        }
        self.w.key("systemInstruction").begin_object();
        self.w.key("parts").begin_array();
        parts.iter().for_each(|part| self.part(part));
        self.w.end_array();
        if self.is_own() && !self.has_below("systemInstruction.role") {
            self.w.key("role").str("user");
        }
        self.below("systemInstruction.", &["parts["]);
        self.w.end_object();
    }

    /// Whether all parts of the system prompt go out as they were received.
    pub(super) fn copies_system(&self) -> bool {
        let mut system = self.decoded.turn.system.iter();
        system.all(|node| raw(node).is_some_and(|raw| raw.starts_with('{')))
    }

    /// Writes `contents`.
    pub(super) fn contents(&mut self) {
        self.w.key("contents").begin_array();
        if self.is_own() {
            self.own_contents();
        } else {
            self.foreign_contents();
        }
        self.w.end_array();
    }

    /// Contents of this wire stand as they stood: the client knows the rules. What held a token of ours is written anew.
    fn own_contents(&mut self) {
        let decoded = self.decoded;
        for (nth, message) in decoded.turn.messages.iter().enumerate() {
            if let Some(raw) = raw(message) {
                self.w.raw(raw);
                continue;
            }
            let place = format!("contents[{nth}]");
            self.losses.add_members(&place, &message.extra);
            let mut content = self.content(message, &place, "parts");
            sign_first_call(&mut content.parts);
            if !content.parts.is_empty() {
                self.write(&content);
            }
        }
    }

    fn foreign_contents(&mut self) {
        let decoded = self.decoded;
        let mut contents: Vec<Content<'_>> = Vec::new();
        for (nth, message) in decoded.turn.messages.iter().enumerate() {
            let path = format!("messages[{nth}]");
            self.losses.add_members(&path, &message.extra);
            let content = self.content(message, &path, "content");
            if content.parts.is_empty() {
                continue;
            }
            match contents.last_mut() {
                Some(last) if last.speaker == content.speaker => last.parts.extend(content.parts),
                _ => contents.push(content),
            }
        }
        if contents
            .first()
            .is_some_and(|first| first.speaker == Speaker::Model)
        {
            let parts = vec![Part::text(vec![Text::from_static(BEGINNING)])];
            contents.insert(
                0,
                Content {
                    speaker: Speaker::User,
                    parts,
                },
            );
        }
        for content in &mut contents {
            // Stable, so that nothing else changes places.
            content.parts.sort_by_key(|part| part.call().is_some());
            sign_first_call(&mut content.parts);
        }
        for content in self.answered(contents) {
            self.write(&content);
        }
    }

    fn write(&mut self, content: &Content<'_>) {
        self.w.begin_object();
        self.w.key("parts").begin_array();
        content.parts.iter().for_each(|part| self.part(part));
        self.w.end_array();
        self.w.key("role").str(content.speaker.name());
        self.w.end_object();
    }

    /// A message's parts. `member`: what the client's wire calls their list.
    fn content<'t>(&mut self, message: &'t Message, path: &str, member: &str) -> Content<'t> {
        let mut parts = Vec::with_capacity(message.blocks.len());
        let mut tokens = Tokens::default();
        for (at, node) in message.blocks.iter().enumerate() {
            let path = format!("{path}.{member}[{at}]");
            match (message.role, &**node) {
                (Role::Assistant, Block::Thinking(thinking)) => {
                    self.thought(node, thinking, &path, &mut parts, &mut tokens);
                }
                (Role::Assistant, Block::ToolUse(call)) => {
                    let signature = self
                        .own_token(call.signature.as_ref())
                        .or_else(|| tokens.take());
                    if call.signature.is_some() && signature.is_none() {
                        self.losses.add(format!("{path}.signature"));
                    }
                    if call.cache.is_some() {
                        self.losses.add(format!("{path}.cache_control"));
                    }
                    if !self.is_own() {
                        self.losses.add_members(&path, &call.extra);
                    }
                    if !has_object(call) {
                        self.losses.add(format!("{path}.input"));
                    }
                    parts.push(match raw(node) {
                        Some(raw) => Part::Raw {
                            raw,
                            call: Some(call),
                            answers: None,
                        },
                        None => Part::Call { call, signature },
                    });
                }
                (Role::User, Block::ToolResult(result)) => {
                    self.result(node, result, &path, &mut parts);
                }
                _ => self.said(node, &path, &mut parts),
            }
        }
        let speaker = match message.role {
            Role::Assistant => Speaker::Model,
            Role::User => Speaker::User,
            Role::System => {
                remind(&mut parts);
                Speaker::User
            }
        };
        tokens.put_away(&mut parts);
        Content { speaker, parts }
    }

    /// A thought goes back to the upstream it came from only. Its token moves to the call behind it, where this wire wants it.
    fn thought<'t>(
        &mut self,
        node: &'t Node<Block>,
        thinking: &'t Thinking,
        path: &str,
        parts: &mut Vec<Part<'t>>,
        tokens: &mut Tokens,
    ) {
        if let Some(raw) = raw(node) {
            return parts.push(Part::Raw {
                raw,
                call: None,
                answers: None,
            });
        }
        let opened = thinking
            .signature
            .as_ref()
            .map(|signature| opened(signature, self.upstream.seal));
        let Some(Seal::Own(payload)) = opened else {
            return self.losses.add(path);
        };
        let has_text = !thinking.is_redacted && !thinking.text.is_blank();
        if !payload.is_empty() {
            let thought = has_text.then_some(parts.len());
            tokens.waiting.push_back((payload, thought));
        }
        if has_text {
            parts.push(Part::Thought {
                text: thinking.text.clone(),
                signature: None,
            });
        }
    }

    /// The token of a call or text, if it is this upstream's.
    pub(super) fn own_token(&self, signature: Option<&Text>) -> Option<Text> {
        match opened(signature?, self.upstream.seal) {
            Seal::Own(payload) => (!payload.is_empty()).then(|| payload.into()),
            Seal::Native if self.is_own() => signature.cloned(),
            Seal::Native | Seal::Elsewhere => None,
        }
    }

    /// Puts the result of every call directly behind it, in the calls' order, also for calls that got none; a result
    /// that answers nothing is told as text.
    fn answered<'t>(&mut self, contents: Vec<Content<'t>>) -> Vec<Content<'t>> {
        let mut ordered: Vec<Content<'t>> = Vec::with_capacity(contents.len() + 1);
        let mut open: Vec<(&'t Text, &'t Text)> = Vec::new();
        for content in contents {
            match content.speaker {
                Speaker::Model => {
                    open = content
                        .parts
                        .iter()
                        .filter_map(|part| part.call().map(|call| (&call.id, &call.name)))
                        .collect();
                    ordered.push(content);
                    if !open.is_empty() {
                        ordered.push(Content {
                            speaker: Speaker::User,
                            parts: Vec::new(),
                        });
                    }
                }
                Speaker::User => {
                    let parts = self.in_order(std::mem::take(&mut open), content.parts);
                    match ordered.last_mut() {
                        Some(last) if last.speaker == Speaker::User => last.parts = parts,
                        _ => ordered.push(Content {
                            speaker: Speaker::User,
                            parts,
                        }),
                    }
                }
            }
        }
        if let Some(last) = ordered.last_mut()
            && last.parts.is_empty()
        {
            last.parts = self.in_order(open, Vec::new());
        }
        ordered
    }

    fn in_order<'t>(
        &mut self,
        calls: Vec<(&'t Text, &'t Text)>,
        parts: Vec<Part<'t>>,
    ) -> Vec<Part<'t>> {
        let mut slots: Vec<Option<Part<'t>>> = calls.iter().map(|_| None).collect();
        let mut open = Unanswered::default();
        calls.iter().for_each(|(id, _)| open.push((*id).clone()));
        let mut attached: Vec<Part<'t>> = Vec::new();
        let mut rest: Vec<Part<'t>> = Vec::new();
        for mut part in parts {
            let at = part.answers().map(|id| open.take(id));
            match at {
                Some(Some(at)) => {
                    let called = calls.get(at).map(|(_, name)| (*name).clone());
                    if let Part::Response { name, media, .. } = &mut part {
                        *name = called.unwrap_or_default();
                        if !self.generation.has_response_parts {
                            attached.append(media);
                        }
                    }
                    if let Some(slot) = slots.get_mut(at) {
                        *slot = Some(part);
                    }
                }
                Some(None) => orphan(part, &mut rest),
                None => rest.push(part),
            }
        }
        let missing = |id: &'t Text, name: &Text| Part::Response {
            id,
            name: name.clone(),
            text: vec![Text::from_static("The result of this call is missing.")],
            is_error: true,
            media: Vec::new(),
        };
        let mut ordered: Vec<Part<'t>> = calls
            .into_iter()
            .zip(slots)
            .map(|((id, name), slot)| slot.unwrap_or_else(|| missing(id, name)))
            .collect();
        ordered.append(&mut attached);
        ordered.append(&mut rest);
        ordered
    }
}

/// Tokens of thoughts that wait for the call they belong to.
#[derive(Default)]
struct Tokens {
    /// Each with the place of its thought, where that is written.
    waiting: VecDeque<(String, Option<usize>)>,
}

impl Tokens {
    fn take(&mut self) -> Option<Text> {
        self.waiting.pop_front().map(|(token, _)| token.into())
    }

    /// What no call took stays with its thought, or goes into an empty text, where this wire has it.
    fn put_away(self, parts: &mut Vec<Part<'_>>) {
        for (token, at) in self.waiting {
            let thought = at.and_then(|at| parts.get_mut(at));
            match thought {
                Some(Part::Thought { signature, .. }) => *signature = Some(token.into()),
                _ => parts.push(Part::Text {
                    pieces: Vec::new(),
                    signature: Some(token.into()),
                }),
            }
        }
    }
}

/// Instructions that stood between messages, where this wire has only user text.
fn remind(parts: &mut [Part<'_>]) {
    if let Some(Part::Text { pieces, .. }) = parts.first_mut() {
        pieces.insert(0, Text::from_static("<system-reminder>\n"));
    }
    if let Some(Part::Text { pieces, .. }) = parts.last_mut() {
        pieces.push(Text::from_static("\n</system-reminder>"));
    }
}

/// A result without its call, which this API refuses.
fn orphan<'t>(part: Part<'t>, rest: &mut Vec<Part<'t>>) {
    if let Part::Response {
        text,
        is_error,
        media,
        ..
    } = part
    {
        let mut pieces = vec![Text::from_static(if is_error {
            "[Result of an earlier tool call] Error:\n"
        } else {
            "[Result of an earlier tool call]\n"
        })];
        pieces.extend(text);
        rest.push(Part::text(pieces));
        rest.extend(media);
    }
}
