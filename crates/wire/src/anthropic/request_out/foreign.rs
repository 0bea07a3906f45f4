//! Messages of another wire, brought into the order this API demands.

use super::Encoder;
use super::conversation::{lost_thinking, role_name};
use super::fit::{Fit, Part};
use crate::json::Text;
use crate::turn::Place;
use crate::turn::{Block, Message, Node, Role, Unanswered};

/// Messages of one role that go out as one.
struct Group<'t> {
    role: Role,
    parts: Vec<Part<'t>>,
}

impl Encoder<'_> {
    /// Groups messages by role, and puts the answer to every call into the message behind it. Returns whether the newest
    /// assistant message calls tools and had to leave its thinking out.
    pub(super) fn foreign_messages(&mut self, messages: &[Node<Message>]) -> bool {
        let mut groups: Vec<Group<'_>> = Vec::new();
        let mut has_lost_thinking = false;
        for (nth, message) in messages.iter().enumerate() {
            let place = Place::root("messages", Some(nth));
            self.losses.add_members(place, &message.extra);
            let mut parts = self.fit_all(message, nth);
            let role = match message.role {
                Role::Assistant => {
                    has_lost_thinking = lost_thinking(message, &parts);
                    Role::Assistant
                }
                Role::User => Role::User,
                Role::System => {
                    parts.iter_mut().for_each(remind);
                    Role::User
                }
            };
            if parts.is_empty() {
                continue;
            }
            match groups.last_mut() {
                Some(group) if group.role == role => group.parts.extend(parts),
                _ => groups.push(Group { role, parts }),
            }
        }
        self.answer_calls(&mut groups);
        if let Some(last) = groups.last_mut() {
            last.trim();
        }
        for group in &groups {
            self.json.begin_object();
            self.json
                .key("role")
                .str(role_name(group.role))
                .key("content");
            self.parts(&group.parts);
            self.json.end_object();
        }
        has_lost_thinking
    }

    /// Puts calls last and results first, adds the missing results, and leaves out those that answer nothing.
    fn answer_calls(&mut self, groups: &mut Vec<Group<'_>>) {
        let mut ordered: Vec<Group<'_>> = Vec::with_capacity(groups.len() + 1);
        let mut calls = Calls::default();
        for mut group in groups.drain(..) {
            match group.role {
                Role::Assistant => {
                    ordered.extend(answered(&mut calls, Vec::new()));
                    // Stable, so that nothing else changes places.
                    group.parts.sort_by_key(|part| call_id(part).is_some());
                    group.parts.iter().for_each(|part| calls.push(part));
                    ordered.push(group);
                }
                Role::User | Role::System => {
                    let parts = group
                        .parts
                        .into_iter()
                        .filter(|part| self.is_expected(part, &mut calls))
                        .collect();
                    ordered.extend(answered(&mut calls, parts));
                }
            }
        }
        ordered.extend(answered(&mut calls, Vec::new()));
        *groups = ordered;
    }

    /// Whether a part may stand here: anything but a result for a call that nobody made or that has its result.
    fn is_expected(&mut self, part: &Part<'_>, calls: &mut Calls<'_>) -> bool {
        let Some(id) = result_id(part) else {
            return true;
        };
        if calls.answer(id) {
            return true;
        }
        self.losses.add(part.at_place(|place| place.to_string()));
        false
    }
}

/// The calls of the assistant message before.
#[derive(Default)]
struct Calls<'t> {
    all: Vec<Call<'t>>,
    open: Unanswered,
}

struct Call<'t> {
    id: &'t Text,
    message: Option<usize>,
    block: usize,
    is_answered: bool,
}

/// The user message behind an assistant message: results, also for the calls that got none, then the rest.
fn answered<'t>(calls: &mut Calls<'t>, parts: Vec<Part<'t>>) -> Option<Group<'t>> {
    let (mut ordered, rest): (Vec<_>, Vec<_>) = parts
        .into_iter()
        .partition(|part| result_id(part).is_some());
    let calls = std::mem::take(calls).all.into_iter();
    let missing = calls.filter(|call| !call.is_answered);
    ordered.extend(missing.map(|call| Part {
        fit: Fit::MissingResult {
            tool_use_id: call.id,
        },
        message: call.message,
        block: call.block,
    }));
    ordered.extend(rest);
    (!ordered.is_empty()).then_some(Group {
        role: Role::User,
        parts: ordered,
    })
}

impl Group<'_> {
    /// Trims the end of an assistant message that the model is to continue.
    fn trim(&mut self) {
        if self.role == Role::Assistant
            && let Some(part) = self.parts.last_mut()
            && let Fit::Block(Block::Text { text, .. }) = &part.fit
        {
            let plain = text.to_plain();
            let trimmed = plain.slice_ref(plain.trim_end());
            part.fit = Fit::Trimmed(Text::plain(trimmed));
        }
    }
}

fn remind(part: &mut Part<'_>) {
    if let Fit::Block(block) = part.fit {
        part.fit = Fit::Reminder(block);
    }
}

impl<'t> Calls<'t> {
    /// Adds a part's call, if it is one.
    fn push(&mut self, part: &Part<'t>) {
        if let Some(id) = call_id(part) {
            self.open.push(id.clone());
            self.all.push(Call {
                id,
                message: part.message,
                block: part.block,
                is_answered: false,
            });
        }
    }

    /// Whether a call with this id waited for its result.
    fn answer(&mut self, id: &Text) -> bool {
        let call = self.open.take(id).and_then(|at| self.all.get_mut(at));
        call.map(|call| call.is_answered = true).is_some()
    }
}

fn call_id<'t>(part: &Part<'t>) -> Option<&'t Text> {
    match part.fit {
        Fit::Block(Block::ToolUse(call)) => Some(&call.id),
        _ => None,
    }
}

fn result_id<'t>(part: &Part<'t>) -> Option<&'t Text> {
    match part.fit {
        Fit::Block(Block::ToolResult(result)) => Some(&result.tool_use_id),
        _ => None,
    }
}
