//! The model's own messages.

use crate::Wire;
use crate::json::{Raw, Text, scan_reply};
use crate::turn::{
    Block, Message, Node, Place, Seal, Thinking, ThinkingMode, ToolInput, ToolUse, Unanswered,
    opened,
};

use super::super::dialect::ReasoningField;
use super::super::reasoning;
use super::Out;
use super::content::{Part, PartKind};
use super::messages::own_members;
use super::server_tool;

/// What an assistant message is made of.
#[derive(Default)]
struct Spoken<'a> {
    texts: Vec<Part>,
    thoughts: Vec<(&'a Thinking, String)>,
    calls: Vec<&'a ToolUse>,
}

impl Out<'_> {
    /// Writes an answer, of which the first message is at index `first`: one message, with its text before its calls
    /// wherever it stood. Its calls wait for their results, unless the client pairs them itself, on this wire.
    pub(super) fn assistant(
        &mut self,
        answer: &[Node<Message>],
        first: usize,
        unanswered: &mut Unanswered,
    ) {
        let mut spoken = Spoken::default();
        let mut follows_text = false;
        let blocks = answer.iter().zip(first..).flat_map(|(message, nth)| {
            let blocks = message.blocks.iter().enumerate();
            blocks.map(move |(at, block)| (nth, at, block))
        });
        for (nth, at, block) in blocks {
            let message = Place::root("messages", Some(nth));
            let path = message.below("content", Some(at));
            let continues = std::mem::take(&mut follows_text);
            match &**block {
                Block::Text { .. } | Block::Refusal(_) => {
                    follows_text = true;
                    self.text(block, &path, continues, &mut spoken.texts);
                }
                Block::Thinking(thinking) => spoken.thoughts.push((thinking, path.to_string())),
                Block::ToolUse(call) => {
                    self.call_losses(call, &path);
                    spoken.calls.push(call);
                }
                Block::Media(_) => self.part(block, &path, &mut spoken.texts),
                Block::Foreign(foreign) if foreign.wire == Wire::Chat => {
                    self.part(block, &path, &mut spoken.texts)
                }
                Block::ServerTool(step) => {
                    spoken.texts.extend(server_tool::told(step));
                    self.losses.add(&path);
                }
                Block::Foreign(_)
                | Block::Document(_)
                | Block::Image(_)
                | Block::ToolResult(_)
                | Block::ToolReference { .. }
                | Block::SearchResult(_) => self.losses.add(&path),
            }
        }
        if spoken.texts.is_empty() && spoken.calls.is_empty() {
            // Reasoning alone is no message: hosts refuse an assistant turn that neither says nor calls anything.
            for (_, path) in spoken.thoughts {
                self.losses.add(path);
            }
            return;
        }
        self.w.frame(r#"{"role":"assistant""#);
        if !spoken.texts.is_empty() {
            self.content(spoken.texts, "\n\n");
        }
        self.reasoning(&spoken.thoughts, !spoken.calls.is_empty());
        if !spoken.calls.is_empty() {
            self.w.key("tool_calls").begin_array();
            for call in &spoken.calls {
                self.call(call);
            }
            self.w.end_array();
        }
        if self.is_same_wire() {
            for (message, nth) in answer.iter().zip(first..) {
                self.lose_rest_of_parts(message, &Place::root("messages", Some(nth)));
                self.w.members(own_members(message));
            }
        }
        self.w.end_object();
        if !self.is_same_wire() {
            for call in spoken.calls {
                unanswered.push(call.id.clone());
            }
        }
    }

    /// Adjacent texts are one answer that citations or a continuation cut: they are put together again. Texts that
    /// something stood between are kept apart.
    fn text(
        &mut self,
        block: &Node<Block>,
        path: &Place<'_>,
        continues: bool,
        texts: &mut Vec<Part>,
    ) {
        let n_before = texts.len();
        self.part(block, path, texts);
        let is_one_answer = continues && !self.keeps_parts() && texts.len() > n_before;
        if is_one_answer
            && let [.., before, text] = texts.as_mut_slice()
            && let (PartKind::Text(before), PartKind::Text(text)) = (&mut before.kind, &text.kind)
        {
            before.append(text.clone());
            texts.pop();
        }
    }

    fn call_losses(&mut self, call: &ToolUse, path: &Place<'_>) {
        if call.cache.is_some() {
            self.losses.add(format!("{path}.cache_control"));
        }
        if call.signature.is_some() {
            self.losses.add(format!("{path}.signature"));
        }
        let is_same_wire = self.is_same_wire();
        let lost = (call.extra.iter()).filter(|(key, _)| !is_same_wire || !is_beside_call(key));
        self.losses.add_members(path, lost);
    }

    fn call(&mut self, call: &ToolUse) {
        self.w.frame(r#"{"id":"#).text(&call.id);
        match &call.input {
            ToolInput::Freeform(input) if self.is_same_wire() => {
                self.w
                    .key("type")
                    .str("custom")
                    .key("custom")
                    .begin_object();
                self.w.key("name").text(&call.name).key("input").text(input);
            }
            ToolInput::Freeform(input) => {
                let mut arguments = crate::json::Writer::default();
                arguments
                    .begin_object()
                    .key(super::tools::FREEFORM_MEMBER)
                    .text(input)
                    .end_object();
                let arguments = String::from_utf8(arguments.into_bytes()).unwrap_or_default();
                self.function(call, &arguments.into());
            }
            ToolInput::Json(arguments) => self.function(call, arguments),
        }
        self.w.end_object();
        if self.is_same_wire() {
            let beside = call.extra.iter().filter(|(key, _)| is_beside_call(key));
            self.w.members(beside);
        }
        self.w.end_object();
    }

    fn function(&mut self, call: &ToolUse, arguments: &Raw) {
        self.w
            .frame(r#""type":"function","function":{"name":"#)
            .text(&call.name)
            .key("arguments");
        if arguments.is_empty() {
            self.w.str("{}");
        } else {
            self.w.quoted(arguments);
        }
    }

    /// Writes the reasoning of the message, where the host wants it back.
    fn reasoning(&mut self, thoughts: &[(&Thinking, String)], has_calls: bool) {
        match self.dialect.reasoning {
            ReasoningField::ReasoningContent => {
                self.reasoning_text("reasoning_content", thoughts, has_calls)
            }
            ReasoningField::Reasoning => self.reasoning_text("reasoning", thoughts, has_calls),
            ReasoningField::ReasoningDetails => self.reasoning_details(thoughts, has_calls),
            ReasoningField::None => {
                for (_, path) in thoughts {
                    self.losses.add(path.clone());
                }
            }
        }
    }

    fn reasoning_text(
        &mut self,
        member: &'static str,
        thoughts: &[(&Thinking, String)],
        has_calls: bool,
    ) {
        let newline = Text::from_static("\n");
        let mut pieces: Vec<&Text> = Vec::new();
        for (thinking, path) in thoughts {
            if thinking.is_redacted || thinking.text.is_blank() {
                self.losses.add(path.clone());
                continue;
            }
            if self
                .payload(thinking)
                .is_none_or(|payload| !payload.is_empty())
            {
                self.losses.add(format!("{path}.signature"));
            }
            if !pieces.is_empty() {
                pieces.push(&newline);
            }
            pieces.push(&thinking.text);
        }
        if !pieces.is_empty() {
            self.w.key(member).text_parts(pieces);
        } else if let Some(placeholder) = self.placeholder(has_calls) {
            self.w.key(member).str(placeholder);
        }
    }

    /// What stands in for reasoning that is not there: only where calls were made, and unless thinking is turned off by
    /// a word. Silence is no word: hosts check the history of a model that thinks by itself.
    fn placeholder(&self, has_calls: bool) -> Option<&'static str> {
        let is_thinking = self.decoded.params.thinking != Some(ThinkingMode::Disabled);
        self.dialect
            .missing_reasoning
            .filter(|_| has_calls && is_thinking)
    }

    /// The list goes back as the host sent it, where the seal kept it; else the text alone makes an item.
    fn reasoning_details(&mut self, thoughts: &[(&Thinking, String)], has_calls: bool) {
        let mut items: Vec<Item<'_>> = Vec::new();
        for (thinking, path) in thoughts {
            match self.payload(thinking).as_deref().map(details) {
                Some(Some(kept)) => items.extend(kept.into_iter().map(Item::Kept)),
                _ if thinking.is_redacted || thinking.text.is_blank() => {
                    self.losses.add(path.clone())
                }
                known => {
                    if known.is_none() {
                        self.losses.add(format!("{path}.signature"));
                    }
                    items.push(Item::Text(&thinking.text));
                }
            }
        }
        let repeated: Vec<bool> = (0..items.len()).map(|at| is_repeated(&items, at)).collect();
        let mut repeated = repeated.into_iter();
        items.retain(|_| !repeated.next().unwrap_or(false));
        let placeholder = self.placeholder(has_calls).map(Text::from_static);
        if items.is_empty() {
            items.extend(placeholder.as_ref().map(Item::Text));
        }
        if items.is_empty() {
            return;
        }
        self.w.key(reasoning::DETAILS_MEMBER).begin_array();
        for item in items {
            match item {
                Item::Kept(raw) => {
                    self.w.raw(&raw);
                }
                Item::Text(text) => {
                    self.w
                        .begin_object()
                        .key("type")
                        .str("reasoning.text")
                        .key("text")
                        .text(text)
                        .end_object();
                }
            }
        }
        self.w.end_array();
    }

    /// What this upstream sealed into a signature, empty where it signs nothing; `None` if the signature is another's.
    fn payload(&self, thinking: &Thinking) -> Option<String> {
        match thinking
            .signature
            .as_ref()
            .map(|signature| opened(signature, self.upstream.seal))
        {
            None => Some(String::new()),
            Some(Seal::Own(payload)) => Some(payload),
            Some(Seal::Elsewhere | Seal::Native) => None,
        }
    }
}

/// An item of `reasoning_details`.
enum Item<'a> {
    Kept(bytestring::ByteString),
    Text(&'a Text),
}

/// Whether a later item says all that this one says: a signature that came behind the text it belongs to came with the
/// whole item.
fn is_repeated(items: &[Item<'_>], at: usize) -> bool {
    let Some((item, later)) = items.get(at..).and_then(|rest| rest.split_first()) else {
        return false;
    };
    later.iter().any(|later| match (item, later) {
        (Item::Text(text), Item::Kept(later)) => {
            member(later, "text").is_some_and(|raw| raw == written(text))
        }
        (Item::Kept(item), Item::Kept(later)) => {
            item.len() < later.len()
                && scan_reply(item, &[]).is_ok_and(|doc| {
                    doc.root()
                        .members()
                        .all(|(key, value)| member(later, &key).as_deref() == Some(value.raw()))
                })
        }
        (_, Item::Text(_)) => false,
    })
}

fn member(item: &bytestring::ByteString, key: &str) -> Option<String> {
    let doc = scan_reply(item, &[]).ok()?;
    Some(doc.root().get(key)?.raw().to_owned())
}

/// A text as the list's own writer spells it.
fn written(text: &Text) -> String {
    let mut w = crate::json::Writer::default();
    w.str(&text.decode());
    String::from_utf8(w.into_bytes()).unwrap_or_default()
}

/// The items of a list that a seal kept.
fn details(payload: &str) -> Option<Vec<bytestring::ByteString>> {
    let doc = scan_reply(&payload.into(), &[]).ok()?;
    let items: Vec<_> = doc.root().items().map(crate::json::Value::to_raw).collect();
    (!items.is_empty()).then_some(items)
}

/// Whether a leftover member of a call stood in the call itself, and not in its function; what could not be read as
/// arguments did not.
fn is_beside_call(key: &str) -> bool {
    key != "arguments" && !key.contains('.')
}
