//! Reasoning as items. It goes back only to the upstream that it came from: any other refuses its token.

use crate::json::{Text, Writer};
use crate::turn::{Effort, Seal, Thinking, ThinkingMode, ThoughtDisplay, opened};

use super::Out;

impl Out<'_> {
    /// Writes a reasoning item, if this upstream may see it.
    pub(super) fn thinking(&mut self, thinking: &Thinking, path: &str) {
        let signature = thinking
            .signature
            .as_ref()
            .filter(|signature| !signature.is_empty());
        let token = match signature.map(|signature| opened(signature, self.upstream.seal)) {
            Some(Seal::Own(token)) => Some(Text::from(token)),
            Some(Seal::Native) if self.is_same_wire() => signature.cloned(),
            None if self.is_same_wire() => None,
            Some(Seal::Elsewhere | Seal::Native) | None => return self.losses.add(path),
        };
        let token = token.filter(|token| !token.is_empty());
        if token.is_none() && thinking.text.is_empty() {
            return self.losses.add(path);
        }
        self.w.begin_object().key("type").str("reasoning");
        self.w.key("summary").begin_array();
        // What a host that seals nothing reads is the reasoning itself; what one that does reads is the token.
        if token.is_some() && !thinking.text.is_empty() {
            part(&mut self.w, "summary_text", &thinking.text);
        }
        self.w.end_array();
        match token {
            Some(token) => {
                self.w.key("encrypted_content").text(&token);
            }
            None => {
                self.w.key("content").begin_array();
                part(&mut self.w, "reasoning_text", &thinking.text);
                self.w.end_array();
            }
        }
        self.w.end_object();
    }

    /// Writes `reasoning`: how hard to think, and whether to tell of it.
    pub(super) fn reasoning(&mut self) {
        let params = &self.decoded.params;
        let effort = self.wanted_effort();
        let own: Vec<_> = params
            .extra
            .iter()
            .filter(|_| self.is_same_wire())
            .filter_map(|(key, raw)| Some((key.strip_prefix("reasoning.")?, raw)))
            .collect();
        let says_summary =
            (own.iter()).any(|(key, _)| matches!(*key, "summary" | "generate_summary"));
        let has_summary = !says_summary
            && match params.thoughts {
                Some(ThoughtDisplay::Shown) => true,
                Some(ThoughtDisplay::Omitted) => false,
                // Clients of other wires read the thoughts unless they say otherwise.
                None => !self.is_same_wire() && params.thinking.is_some_and(ThinkingMode::is_on),
            };
        if effort.is_none() && !has_summary && own.is_empty() {
            return;
        }
        self.w.key("reasoning").begin_object();
        if let Some(effort) = effort {
            self.w.key("effort").str(effort.name());
        }
        if has_summary && effort != Some(Effort::None) {
            self.w.key("summary").str("auto");
        }
        for (key, raw) in own {
            self.w.member(key).raw(raw);
        }
        self.w.end_object();
    }

    /// The effort asked for, or the one that a budget amounts to.
    fn wanted_effort(&mut self) -> Option<Effort> {
        let params = &self.decoded.params;
        match (params.thinking, params.effort) {
            (Some(ThinkingMode::Disabled), _) => Some(Effort::None),
            (
                Some(ThinkingMode::Enabled {
                    budget_tokens: Some(budget),
                }),
                effort,
            ) => {
                self.losses.add("thinking.budget_tokens");
                Some(effort.unwrap_or(match budget {
                    0..4096 => Effort::Low,
                    4096..16384 => Effort::Medium,
                    _ => Effort::High,
                }))
            }
            (_, effort) => effort,
        }
    }

    /// Whether the reply may bring reasoning that has to come back with the next request.
    pub(super) fn may_think(&self) -> bool {
        let params = &self.decoded.params;
        match params.thinking {
            Some(mode) => mode.is_on(),
            None => params.effort.is_some_and(|effort| effort != Effort::None),
        }
    }
}

fn part(w: &mut Writer, kind: &str, text: &Text) {
    w.begin_object().key("type").str(kind);
    w.key("text").text(text).end_object();
}
