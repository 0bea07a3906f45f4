//! The tool calls at the end of a conversation and what came of them, read from a client's request without decoding it.
//!
//! An agent that got stuck makes the same call over and over, and gets the same result. The history that every request
//! brings along shows it, so nothing has to be remembered between requests. What polls gets other results, what tries again
//! after another error does too, and calls made side by side are one round: none of these is a repetition.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use crate::Wire;
use crate::json::{Doc, Kind, Value};

/// So many rounds may make up one turn of a circle: A, A, A; A, B, A, B; A, B, C, A, B, C.
const LONGEST_CIRCLE: usize = 3;

/// More repetitions are not counted.
const MOST_COUNTED: usize = 100;

/// A round with more calls than this repeats nothing: requests wait while rounds are held against each other.
const MOST_CALLS: usize = 64;

/// A call that was made over and over, with the same outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repeated {
    /// The tool's name, as the client has it.
    pub name: String,
    /// How often it was made in a row, alone or in a circle of a few calls; at most a hundred.
    pub count: u32,
}

/// The call that the conversation's end repeats, if it was made at least twice with the same result.
#[must_use]
pub fn repeated(wire: Wire, doc: &Doc) -> Option<Repeated> {
    let mut rounds = Rounds::of(wire, doc);
    rounds.at(0)?;
    let count = (1..=LONGEST_CIRCLE)
        .map(|length| rounds.circles(length))
        .max()?;
    let last = rounds.at(0)?.calls.first()?;
    let name = last.name.str()?.into_owned();
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    (count > 1).then_some(Repeated { name, count })
}

/// What a model called at once, and the results.
struct Round<'d> {
    calls: Vec<Call<'d>>,
    results: Vec<Outcome<'d>>,
    /// Fingerprints of the calls, each once and in order.
    asked: Vec<u64>,
    /// The same with what came of them, once somebody asks.
    made: OnceCell<Option<Vec<u64>>>,
}

struct Call<'d> {
    id: Option<Value<'d>>,
    name: Value<'d>,
    arguments: Option<Value<'d>>,
}

struct Outcome<'d> {
    id: Option<Value<'d>>,
    content: Option<Value<'d>>,
    is_error: bool,
}

/// A piece of a message, as far as rounds are made of it.
enum Step<'d> {
    Call(Call<'d>),
    Outcome(Outcome<'d>),
    /// Somebody spoke.
    Break,
}

/// Rounds from the last one back, each read when it is asked for.
struct Rounds<'d> {
    wire: Wire,
    messages: Vec<Value<'d>>,
    read: Vec<Round<'d>>,
    /// Steps of the message that was read last, the next one at the end.
    steps: Vec<Step<'d>>,
    is_over: bool,
}

impl<'d> Rounds<'d> {
    fn of(wire: Wire, doc: &'d Doc) -> Self {
        let member = match wire {
            Wire::Anthropic | Wire::Chat => "messages",
            Wire::Responses => "input",
            Wire::Gemini => "contents",
        };
        let messages = doc.root().get(member);
        Self {
            wire,
            messages: messages
                .map(|all| all.items().collect())
                .unwrap_or_default(),
            read: Vec::new(),
            steps: Vec::new(),
            is_over: false,
        }
    }

    /// How often the last rounds repeat in circles of this length.
    fn circles(&mut self, length: usize) -> usize {
        let mut same = length;
        while same < length * MOST_COUNTED {
            if self.at(same).is_none() {
                break;
            }
            let (Some(later), Some(earlier)) = (self.read.get(same - length), self.read.get(same))
            else {
                break;
            };
            if !later.is_like(earlier) {
                break;
            }
            same += 1;
        }
        if self.at(same - 1).is_none() {
            return 0;
        }
        same / length
    }

    /// The round that many before the last.
    fn at(&mut self, back: usize) -> Option<&Round<'d>> {
        while self.read.len() <= back && !self.is_over {
            match self.next() {
                Some(round) => self.read.push(round),
                None => self.is_over = true,
            }
        }
        self.read.get(back)
    }

    fn next(&mut self) -> Option<Round<'d>> {
        let (mut calls, mut results) = (Vec::new(), Vec::new());
        loop {
            let Some(step) = self.steps.pop() else {
                let Some(message) = self.messages.pop() else {
                    break;
                };
                self.steps = steps(self.wire, message);
                continue;
            };
            match step {
                Step::Outcome(_) if !calls.is_empty() => {
                    self.steps.push(step);
                    break;
                }
                Step::Outcome(outcome) => results.push(outcome),
                Step::Call(call) => calls.push(call),
                Step::Break => {
                    self.steps.clear();
                    self.messages.clear();
                    break;
                }
            }
        }
        calls.reverse();
        results.reverse();
        (!calls.is_empty()).then(|| Round::new(calls, results))
    }
}

impl<'d> Round<'d> {
    fn new(calls: Vec<Call<'d>>, results: Vec<Outcome<'d>>) -> Self {
        let mut asked: Vec<u64> = calls.iter().map(Call::print).collect();
        asked.sort_unstable();
        asked.dedup();
        Self {
            calls,
            results,
            asked,
            made: OnceCell::new(),
        }
    }

    /// Whether the same was called and the same came of it. What was called twice at once counts once.
    fn is_like(&self, other: &Self) -> bool {
        let is_small = |round: &Self| round.calls.len() <= MOST_CALLS;
        is_small(self)
            && is_small(other)
            // Results are longer than calls: they are only read where the calls are the same.
            && self.asked == other.asked
            && self.made().is_some()
            && self.made() == other.made()
    }

    /// What was called and what came of it, each once; none if of a call nobody knows what came of it.
    fn made(&self) -> Option<&[u64]> {
        let made = self.made.get_or_init(|| {
            let mut by_id = HashMap::new();
            for result in &self.results {
                if let Some(id) = result.id.and_then(Value::str) {
                    by_id.entry(id).or_insert(result);
                }
            }
            let calls = self.calls.iter().enumerate();
            let made = calls.map(|(at, call)| {
                // By its id, or by its place where calls have none.
                let outcome = match call.id.and_then(Value::str) {
                    Some(id) => by_id.get(&id).copied(),
                    None => self.results.get(at),
                };
                let mut hasher = DefaultHasher::new();
                call.print().hash(&mut hasher);
                outcome?.is_error.hash(&mut hasher);
                outcome?.content.map(print).hash(&mut hasher);
                Some(hasher.finish())
            });
            let mut made: Vec<u64> = made.collect::<Option<_>>()?;
            made.sort_unstable();
            made.dedup();
            Some(made)
        });
        made.as_deref()
    }
}

impl Call<'_> {
    /// Of its name and its arguments.
    fn print(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.name.str().hash(&mut hasher);
        self.arguments.map(print).hash(&mut hasher);
        hasher.finish()
    }
}

/// A fingerprint that is the same for values that mean the same: whatever the order of members, white space, and where
/// cache marks were put.
fn print(value: Value<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    match value.kind() {
        Kind::String => match value.str() {
            Some(text) if text.trim_start().starts_with('{') => {
                tight(&text).for_each(|character| character.hash(&mut hasher));
            }
            Some(text) => text.hash(&mut hasher),
            None => value.raw().hash(&mut hasher),
        },
        Kind::Array => value.items().for_each(|item| print(item).hash(&mut hasher)),
        Kind::Object => {
            let (mut sum, mut count) = (0_u64, 0_usize);
            for (name, member) in value.members() {
                if name != "cache_control" {
                    let mut own = DefaultHasher::new();
                    name.hash(&mut own);
                    print(member).hash(&mut own);
                    sum = sum.wrapping_add(own.finish());
                    count += 1;
                }
            }
            (sum, count).hash(&mut hasher);
            if count == 0 {
                // A subtree without an index has no members to look at.
                value.raw().hash(&mut hasher);
            }
        }
        Kind::Null | Kind::Bool | Kind::Number => value.raw().hash(&mut hasher),
    }
    std::mem::discriminant(&value.kind()).hash(&mut hasher);
    hasher.finish()
}

/// The characters of a JSON text without white space between its tokens.
fn tight(text: &str) -> impl Iterator<Item = char> + '_ {
    let (mut is_inside, mut is_escaped) = (false, false);
    text.chars().filter(move |&character| {
        let is_kept = is_inside || !character.is_ascii_whitespace();
        if is_inside && is_escaped {
            is_escaped = false;
        } else if is_inside && character == '\\' {
            is_escaped = true;
        } else if character == '"' {
            is_inside = !is_inside;
        }
        is_kept
    })
}

/// The steps of one message, in order.
fn steps(wire: Wire, message: Value<'_>) -> Vec<Step<'_>> {
    match wire {
        Wire::Anthropic => of_blocks(message),
        Wire::Chat => of_chat(message),
        Wire::Responses => of_item(message).into_iter().collect(),
        Wire::Gemini => of_parts(message),
    }
}

fn of_blocks(message: Value<'_>) -> Vec<Step<'_>> {
    let blocks = message.get("content").into_iter().flat_map(Value::items);
    let steps: Vec<Step<'_>> = blocks
        .filter_map(|block| match &*name_of(block, "type")? {
            "tool_use" => Some(Step::Call(Call {
                id: block.get("id"),
                name: block.get("name")?,
                arguments: block.get("input"),
            })),
            "tool_result" => Some(Step::Outcome(Outcome {
                id: block.get("tool_use_id"),
                content: block.get("content"),
                is_error: block.get("is_error").and_then(Value::bool) == Some(true),
            })),
            _ => None,
        })
        .collect();
    or_break(steps, || {
        message
            .get("role")
            .is_some_and(|role| role.is_str("assistant"))
    })
}

fn of_chat(message: Value<'_>) -> Vec<Step<'_>> {
    if message.get("role").is_some_and(|role| role.is_str("tool")) {
        return vec![Step::Outcome(Outcome {
            id: message.get("tool_call_id"),
            content: message.get("content"),
            is_error: false,
        })];
    }
    let calls = message.get("tool_calls").into_iter().flat_map(Value::items);
    let steps = calls.filter_map(|call| {
        let function = call.get("function").or_else(|| call.get("custom"))?;
        Some(Step::Call(Call {
            id: call.get("id"),
            name: function.get("name")?,
            arguments: function.get("arguments").or_else(|| function.get("input")),
        }))
    });
    or_break(steps.collect(), || true)
}

fn of_item(item: Value<'_>) -> Option<Step<'_>> {
    let kind = name_of(item, "type").unwrap_or(Cow::Borrowed("message"));
    match &*kind {
        "message" => {
            let is_user = item.get("role").is_some_and(|role| role.is_str("user"));
            is_user.then_some(Step::Break)
        }
        "reasoning" => None,
        kind if kind.ends_with("_call_output") => Some(Step::Outcome(Outcome {
            id: item.get("call_id"),
            content: item.get("output"),
            is_error: false,
        })),
        kind if kind.ends_with("_call") => Some(Step::Call(Call {
            id: item.get("call_id"),
            name: item.get("name").or_else(|| item.get("type"))?,
            arguments: ["arguments", "input", "action"]
                .iter()
                .find_map(|name| item.get(name)),
        })),
        _ => None,
    }
}

fn of_parts(message: Value<'_>) -> Vec<Step<'_>> {
    let parts = message.get("parts").into_iter().flat_map(Value::items);
    let either = |part: Value<'_>, camel: &str, snake: &str| {
        part.get(camel).is_some() || part.get(snake).is_some()
    };
    let steps = parts.filter_map(|part| {
        if either(part, "functionCall", "function_call") {
            let call = part
                .get("functionCall")
                .or_else(|| part.get("function_call"))?;
            return Some(Step::Call(Call {
                id: call.get("id"),
                name: call.get("name")?,
                arguments: call.get("args"),
            }));
        }
        let response = part
            .get("functionResponse")
            .or_else(|| part.get("function_response"))?;
        Some(Step::Outcome(Outcome {
            id: response.get("id"),
            content: response.get("response"),
            is_error: false,
        }))
    });
    or_break(steps.collect(), || {
        message.get("role").is_some_and(|role| role.is_str("model"))
    })
}

/// A message of a model that calls nothing ends what it was doing.
fn or_break<'d>(steps: Vec<Step<'d>>, is_word: impl FnOnce() -> bool) -> Vec<Step<'d>> {
    if steps.is_empty() && is_word() {
        return vec![Step::Break];
    }
    steps
}

fn name_of<'d>(value: Value<'d>, member: &str) -> Option<Cow<'d, str>> {
    value.get(member)?.str()
}
