//! `ensure_tool_call`: a reply without a tool call is not the end of the model's work.
//!
//! Models of third parties stop in the middle of a task with an announcement of what they would do next. With this policy
//! the model has a tool `done` to say that it is finished, and an instruction to use it; both are there from the first
//! request on and never change, so the prompt cache stays warm. A reply that ends its turn without a call is shown as it
//! comes, but for its end, and the next attempt continues it: what was said stands in the history, and a last user message
//! asks for a call. Ends that mean something else (the token limit, a refusal, a pause, a stop sequence) are left alone,
//! and so are requests for which a call is not the point.

use bytestring::ByteString;
use lingate_wire::Decoded;
use lingate_wire::json::Text;
use lingate_wire::turn::{
    Block, Message, Node, Reply, Role, StopReason, Tool, ToolChoice, ToolInput, ToolResult,
    ToolUse, Turn,
};

use super::{Next, Outcome, Patch, Plan, Policy};
use crate::relay::finish::FinishStage;
use crate::relay::policing::{Done, Finish};

/// The tool that says the work is done.
const DONE: &str = "done";
const DESCRIPTION: &str =
    "Says that the work is finished and nothing is left to do. Ends your turn.";
const SCHEMA: &str = r#"{"type":"object","properties":{"final_answer":{"type":"string","description":"The answer for the user, unless you have already written it."}},"additionalProperties":false}"#;

/// Stands at the end of the system prompt.
const INSTRUCTION: &str = "Every reply must call at least one tool: the program that reads your replies goes on only when a \
     tool is called. When the work is finished and nothing is left to do, call the tool `done`, with the answer for the \
     user in `final_answer` unless you have already written it.";
/// Ends the request of an attempt that follows a reply without a call.
const REMINDER: &str = "You called no tool, so nothing has happened: the program that reads your replies goes on only when a \
     tool is called. Call the next tool now, or `done` if the work is finished. Do not repeat what you have written.";
/// Ends the request of an attempt that follows an end without a word for the user.
const ASKS_FOR_ANSWER: &str = "The user has not been told anything yet. Call `done` again, with the answer for the user in \
     `final_answer`.";

/// Whether a call may be insisted on in this request: there are tools and leave to call them, the reply has no shape of
/// its own, and the client has not begun the reply itself.
pub(super) fn concerns(decoded: &Decoded) -> bool {
    let since_user = since_user(&decoded.turn);
    let has_begun = since_user
        .iter()
        .any(|message| message.role == Role::Assistant && !has_call(message));
    !decoded.turn.tools.is_empty()
        && decoded.params.tool_choice != Some(ToolChoice::None)
        && decoded.params.format.is_none()
        && !has_begun
}

/// Adds the tool and the instruction, each unless it is there.
pub(super) fn insist(decoded: &mut Decoded) {
    let turn = &mut decoded.turn;
    let is_done = |tool: &Node<Tool>| tool.name().decode().eq_ignore_ascii_case(DONE);
    if !turn.tools.iter().any(is_done) {
        turn.tools.push(Node::new(Tool::Function {
            name: Text::from_static(DONE),
            namespace: None,
            description: Some(Text::from_static(DESCRIPTION)),
            input_schema: Some(ByteString::from_static(SCHEMA)),
            strict: None,
            deferred: false,
            cache: None,
            extra: Vec::new(),
        }));
    }
    if let Some(ToolChoice::Among { names, .. }) = &mut decoded.params.tool_choice
        && !names
            .iter()
            .any(|name| name.decode().eq_ignore_ascii_case(DONE))
    {
        names.push(Text::from_static(DONE));
    }
    let is_instruction =
        |block: &Node<Block>| matches!(&**block, Block::Text { text, .. } if *text == INSTRUCTION);
    if !turn.system.iter().any(is_instruction) {
        turn.system.push(said(INSTRUCTION));
    }
}

/// The stage that reads the reply, made of the client's own request.
pub(super) fn stage(decoded: &Decoded, plan: &Plan) -> FinishStage {
    let own = decoded.turn.tools.iter();
    let own = own.map(|tool| tool.name().decode().into_owned());
    let speaks = |message: &Message| message.role == Role::Assistant && has_text(&message.blocks);
    let has_answer = since_user(&decoded.turn)
        .iter()
        .any(|message| speaks(message))
        || plan.appended.iter().any(speaks);
    FinishStage::new(own, has_answer)
}

/// The policy of one exchange.
pub(super) struct EnsureToolCall {
    /// Attempts that it may cause, the first included.
    attempts: u32,
    made: u32,
}

impl EnsureToolCall {
    pub(super) const fn new(attempts: u32) -> Self {
        Self { attempts, made: 0 }
    }
}

impl Policy for EnsureToolCall {
    fn next(&mut self, outcome: &Outcome<'_>) -> Next {
        let Outcome::Ended { reply, tally } = outcome else {
            return Next::Finish;
        };
        let Some(finish) = &tally.findings.finish else {
            return Next::Finish;
        };
        self.made += 1;
        let is_end_of_turn = matches!(
            tally.stop,
            None | Some(StopReason::EndTurn | StopReason::ToolUse)
        );
        if !is_end_of_turn || finish.n_calls > 0 || self.made >= self.attempts {
            return Next::Finish;
        }
        match finish {
            Finish {
                done: Some(_),
                has_answer: true,
                ..
            } => Next::Finish,
            Finish {
                done: Some(done), ..
            } => Next::Continue(Patch::Append {
                reason: "no-final-answer",
                messages: asking_for_answer(reply, done, self.made),
            }),
            Finish { done: None, .. } => Next::Continue(Patch::Append {
                reason: "no-tool-call",
                messages: reminding(reply),
            }),
        }
    }
}

/// What was said, and the reminder.
fn reminding(reply: &Reply) -> Vec<Message> {
    let mut messages = Vec::new();
    if has_text(&reply.blocks) {
        messages.push(message(Role::Assistant, reply.blocks.clone()));
    }
    messages.push(message(Role::User, vec![said(REMINDER)]));
    messages
}

/// The call of `done`, and that it is not enough.
fn asking_for_answer(reply: &Reply, done: &Done, n: u32) -> Vec<Message> {
    let id = Text::from(format!("toolu_{DONE}_{n}"));
    let is_object = serde_json::from_str::<serde_json::Map<_, _>>(&done.input).is_ok();
    let call = Block::ToolUse(ToolUse {
        id: id.clone(),
        name: Text::from(done.name.as_str()),
        namespace: None,
        input: ToolInput::Json(if is_object {
            done.input.as_str().into()
        } else {
            ByteString::from_static("{}").into()
        }),
        signature: None,
        cache: None,
        extra: Vec::new(),
    });
    let result = Block::ToolResult(ToolResult {
        tool_use_id: id,
        content: vec![said(ASKS_FOR_ANSWER)],
        is_error: true,
        cache: None,
    });
    let mut blocks = reply.blocks.clone();
    blocks.push(call.into());
    vec![
        message(Role::Assistant, blocks),
        message(Role::User, vec![result.into()]),
    ]
}

/// The messages behind the one in which the user spoke last; tool results alone are the client's, not the user's.
fn since_user(turn: &Turn) -> &[Node<Message>] {
    let is_users = |message: &Node<Message>| {
        let is_result = |block: &Node<Block>| matches!(**block, Block::ToolResult(_));
        message.role == Role::User && !message.blocks.iter().all(is_result)
    };
    let from = turn
        .messages
        .iter()
        .rposition(is_users)
        .map_or(0, |at| at + 1);
    turn.messages.get(from..).unwrap_or_default()
}

fn has_call(message: &Message) -> bool {
    let is_call = |block: &Node<Block>| matches!(**block, Block::ToolUse(_));
    message.blocks.iter().any(is_call)
}

fn has_text(blocks: &[Node<Block>]) -> bool {
    let is_text =
        |block: &Node<Block>| matches!(&**block, Block::Text { text, .. } if !text.is_blank());
    blocks.iter().any(is_text)
}

fn message(role: Role, blocks: Vec<Node<Block>>) -> Message {
    Message {
        role,
        blocks: blocks.into(),
        extra: Vec::new(),
    }
}

fn said(text: &'static str) -> Node<Block> {
    Block::text(Text::from_static(text)).into()
}
