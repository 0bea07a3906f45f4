//! How an upstream is asked to think: the hub knows a mode, a budget and an effort, hosts a word or a switch.

use bytestring::ByteString;

use crate::Wire;
use crate::turn::{Effort, ThinkingMode};

use super::super::dialect::ThinkingStyle;
use super::super::request_in::thinking_of;
use super::Out;

/// The members of a request that clients of this wire ask with.
pub(in crate::chat) const MEMBERS: [&str; 5] = [
    "reasoning_effort",
    "thinking",
    "reasoning",
    "enable_thinking",
    "chat_template_kwargs",
];

impl Out<'_> {
    /// Writes what the host understands.
    pub(super) fn thinking(&mut self) {
        let params = &self.decoded.params;
        let spelled: Vec<&(ByteString, ByteString)> = params
            .extra
            .iter()
            .filter(|(key, _)| MEMBERS.contains(&&**key))
            .collect();
        if self.is_same_wire() && self.may_copy(&spelled) {
            for (key, raw) in spelled {
                self.w.member(key).raw(raw);
            }
            return;
        }
        match self.dialect.thinking {
            ThinkingStyle::None => self.lose_all(),
            ThinkingStyle::Effort => self.effort(Effort::name),
            ThinkingStyle::EffortLowHighMax => self.effort_low_high_max(),
            ThinkingStyle::Type => self.switch(Out::typed_switch),
            ThinkingStyle::TypeAndEffort => self.switch_and_effort(),
            ThinkingStyle::TemplateKwargs => self.switch(|out, is_on| {
                out.w.key("chat_template_kwargs").begin_object();
                out.w
                    .key("thinking")
                    .bool(is_on)
                    .key("enable_thinking")
                    .bool(is_on)
                    .end_object();
            }),
            ThinkingStyle::Reasoning => self.reasoning_object(),
        }
    }

    /// Whether the client's own words can go out: no stage changed what they ask for, and the host reads them (or is not
    /// known to read any others).
    fn may_copy(&self, spelled: &[&(ByteString, ByteString)]) -> bool {
        let params = &self.decoded.params;
        let own = match self.dialect.thinking {
            ThinkingStyle::None => None,
            ThinkingStyle::Effort => Some("reasoning_effort"),
            // The words differ from the ones clients use.
            ThinkingStyle::EffortLowHighMax => Some(""),
            ThinkingStyle::Type => Some("thinking"),
            // Both members are read, one of them in words of its own.
            ThinkingStyle::TypeAndEffort if spelled.len() > 1 => Some(""),
            ThinkingStyle::TypeAndEffort => Some("thinking"),
            ThinkingStyle::Reasoning => Some("reasoning"),
            ThinkingStyle::TemplateKwargs => Some("chat_template_kwargs"),
        };
        let is_read = spelled
            .iter()
            .all(|(key, _)| own.is_none_or(|own| *key == own));
        is_read && thinking_of(&params.extra) == (params.thinking, params.effort)
    }

    fn lose_all(&mut self) {
        if self.decoded.params.thinking.is_some() {
            self.lose_thinking();
        }
        if self.decoded.params.effort.is_some() {
            self.lose_effort();
        }
    }

    fn lose_thinking(&mut self) {
        self.losses.add("thinking");
    }

    fn lose_effort(&mut self) {
        self.losses.add(if self.is_same_wire() {
            "reasoning_effort"
        } else {
            "output_config.effort"
        });
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

    fn effort(&mut self, word: impl FnOnce(Effort) -> &'static str) {
        if let Some(effort) = self.wanted_effort() {
            self.w.key("reasoning_effort").str(word(effort));
        }
    }

    fn effort_low_high_max(&mut self) {
        if self.decoded.params.thinking == Some(ThinkingMode::Disabled) {
            // The model has no way not to think.
            self.lose_thinking();
        }
        self.effort(low_high_max);
    }

    /// A switch, and beside it the effort where thinking is on.
    fn switch_and_effort(&mut self) {
        let params = &self.decoded.params;
        let is_off = self.is_off();
        let effort = if is_off { None } else { self.wanted_effort() };
        if is_off && params.effort.is_some_and(|effort| effort != Effort::None) {
            self.lose_effort();
        }
        if is_off || params.thinking.is_some() || effort.is_some() {
            self.typed_switch(!is_off);
        }
        if let Some(effort) = effort {
            self.w.key("reasoning_effort").str(match effort {
                // The words above `high` differ: here `xhigh` is still `high`.
                Effort::XHigh => "high",
                other => low_high_max(other),
            });
        }
    }

    fn typed_switch(&mut self, is_on: bool) {
        let kind = if is_on {
            self.dialect.thinking_on
        } else {
            "disabled"
        };
        self.w.key("thinking").begin_object().key("type").str(kind);
        if let Some((name, raw)) = self.dialect.thinking_member.filter(|_| is_on) {
            self.w.member(name).raw(raw);
        }
        self.w.end_object();
    }

    /// On Anthropic's wire a model thinks when it is asked to. These hosts' models think unless they are told not to, and
    /// use up the few hundred tokens that a client allows for a title.
    fn is_off_by_silence(&self) -> bool {
        let params = &self.decoded.params;
        self.decoded.turn.origin == Wire::Anthropic
            && params.thinking.is_none()
            && params.effort.is_none()
            && !self.dialect.always_thinks
    }

    fn is_off(&self) -> bool {
        let params = &self.decoded.params;
        params.thinking == Some(ThinkingMode::Disabled)
            || params.thinking.is_none() && params.effort == Some(Effort::None)
            || self.is_off_by_silence()
    }

    /// For hosts that only know on and off.
    fn switch(&mut self, write: impl FnOnce(&mut Self, bool)) {
        let params = &self.decoded.params;
        let is_off = self.is_off();
        if matches!(
            params.thinking,
            Some(ThinkingMode::Enabled {
                budget_tokens: Some(_)
            })
        ) {
            self.losses.add("thinking.budget_tokens");
        }
        if params.effort.is_some_and(|effort| effort != Effort::None) {
            self.lose_effort();
        }
        if is_off || params.thinking.is_some() {
            write(self, !is_off);
        }
    }

    fn reasoning_object(&mut self) {
        let params = &self.decoded.params;
        let member = |out: &mut Self, write: &dyn Fn(&mut crate::json::Writer)| {
            out.w.key("reasoning").begin_object();
            write(&mut out.w);
            out.w.end_object();
        };
        match (params.thinking, params.effort) {
            (None, None) if !self.is_off_by_silence() => {}
            (Some(ThinkingMode::Disabled), _) | (None, None) | (None, Some(Effort::None)) => {
                member(self, &|w| {
                    w.key("enabled").bool(false);
                })
            }
            // Either a budget or an effort; the budget is the more exact.
            (
                Some(ThinkingMode::Enabled {
                    budget_tokens: Some(budget),
                }),
                effort,
            ) => {
                if effort.is_some() {
                    self.lose_effort();
                }
                member(self, &|w| {
                    w.key("max_tokens").u64(budget);
                });
            }
            (_, Some(effort)) => member(self, &|w| {
                w.key("effort").str(match effort {
                    Effort::Max => Effort::XHigh.name(),
                    other => other.name(),
                });
            }),
            (
                Some(
                    ThinkingMode::Enabled {
                        budget_tokens: None,
                    }
                    | ThinkingMode::Adaptive,
                ),
                None,
            ) => member(self, &|w| {
                w.key("enabled").bool(true);
            }),
        }
    }
}

const fn low_high_max(effort: Effort) -> &'static str {
    match effort {
        Effort::None | Effort::Minimal | Effort::Low => "low",
        Effort::Medium | Effort::High => "high",
        Effort::XHigh | Effort::Max => "max",
    }
}
