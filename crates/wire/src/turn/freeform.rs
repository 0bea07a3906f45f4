//! Tools that take free text, for wires that know JSON only: such a tool is declared as a function with one string, and
//! what a model gives that function is turned back into free text on its way to the client.
//!
//! Everything follows from the request alone.

use std::collections::{HashMap, HashSet};

use super::block::{Block, ToolInput};
use super::event::{Delta, Event, Opening, Slot};
use super::failure::{Failure, FailureKind};
use super::node::Node;
use super::request::{Tool, Turn};
use super::stop::StopReason;
use crate::json::{Arguments, ArgumentsState, Kind, StringPieces, Value, Writer, scan_reply};
use crate::stage::{End, Sink, Stage};

/// The function's one member.
const MEMBER: &str = "input";

/// The names of the tools that were wrapped.
#[derive(Debug, Clone, Default)]
pub struct Freeform {
    names: HashSet<String>,
}

impl Freeform {
    /// Wraps the free-text tools of a request, and the calls of such tools in its history. `None` if it declares none.
    pub fn wrap(turn: &mut Turn) -> Option<Self> {
        let mut own = Self::default();
        let is_free = |tool: &Node<Tool>| matches!(**tool, Tool::Freeform { .. });
        // Looked for first: a list that is changed may have to be copied.
        if turn.tools.iter().any(is_free) {
            for node in turn.tools.iter_mut().filter(|tool| is_free(tool)) {
                own.names.insert(node.name().decode().into_owned());
                let tool = node.edit();
                *tool = wrapped(tool);
            }
        }
        for message in &mut turn.messages {
            if message.blocks.iter().any(is_freeform) {
                for block in &mut message.edit().blocks {
                    wrap_call(block);
                }
            }
        }
        (!own.names.is_empty()).then_some(own)
    }
}

fn wrapped(tool: &Tool) -> Tool {
    let Tool::Freeform {
        name,
        namespace,
        description,
        format,
    } = tool
    else {
        return tool.clone();
    };
    let mut w = Writer::default();
    w.begin_object().key("type").str("object");
    w.key("properties").begin_object();
    w.key(MEMBER).begin_object();
    w.key("type").str("string");
    w.key("description")
        .str("The whole input of the tool, as plain text.");
    w.end_object().end_object();
    w.key("required").begin_array().str(MEMBER).end_array();
    w.key("additionalProperties").bool(false).end_object();
    let schema = String::from_utf8(w.into_bytes()).unwrap_or_default();
    let grammar = format.as_deref().and_then(told_grammar);
    Tool::Function {
        name: name.clone(),
        namespace: namespace.clone(),
        description: match (description, grammar) {
            (description, None) => description.clone(),
            (None, Some(grammar)) => Some(grammar.into()),
            (Some(description), Some(grammar)) => {
                Some(format!("{}\n\n{grammar}", description.decode()).into())
            }
        },
        input_schema: Some(schema.into()),
        strict: None,
        deferred: false,
        cache: None,
        extra: Vec::new(),
    }
}

/// What a model has to know of the input's grammar, in words. Chat has it one level down.
fn told_grammar(format: &str) -> Option<String> {
    let doc = scan_reply(&format.into(), &[]).ok()?;
    let root = doc.root();
    let grammar = root.get("grammar").unwrap_or(root);
    let definition = grammar.get("definition")?.str()?;
    let syntax = grammar.get("syntax").and_then(Value::str);
    let syntax = syntax.as_deref().unwrap_or("formal");
    Some(format!(
        "`{MEMBER}` must follow this {syntax} grammar:\n{definition}"
    ))
}

fn is_freeform(block: &Node<Block>) -> bool {
    matches!(&**block, Block::ToolUse(call) if matches!(call.input, ToolInput::Freeform(_)))
}

fn wrap_call(block: &mut Node<Block>) {
    if !is_freeform(block) {
        return;
    }
    if let Block::ToolUse(call) = block.edit()
        && let ToolInput::Freeform(text) = &call.input
    {
        let mut w = Writer::default();
        w.begin_object().key(MEMBER).text(text).end_object();
        let arguments = String::from_utf8(w.into_bytes()).unwrap_or_default();
        call.input = ToolInput::Json(arguments.into());
    }
}

/// Turns calls of wrapped tools into calls with free text.
#[derive(Debug)]
pub struct FreeformStage {
    freeform: Freeform,
    open: HashMap<Slot, Call>,
    /// Calls whose text broke off: only the stop reason tells whether a limit cut it.
    cut: Vec<Slot>,
}

/// A call whose arguments are being unwrapped.
#[derive(Debug, Default)]
struct Call {
    /// All arguments so far, until the text is found in them.
    held: String,
    text: Option<StringPieces>,
    /// The object around the text: a text is whole only if that is.
    object: Arguments,
    /// What passed `object`, which nobody needs.
    passed: String,
}

impl FreeformStage {
    /// A stage for the reply to the request that `freeform` was wrapped in.
    #[must_use]
    pub fn new(freeform: Freeform) -> Self {
        Self {
            freeform,
            open: HashMap::new(),
            cut: Vec::new(),
        }
    }

    fn close(&mut self, slot: Slot, sink: &mut Sink<Event>) {
        let Some(call) = self.open.remove(&slot) else {
            return sink.event(Event::Close { slot });
        };
        match call.text {
            Some(text) if text.is_done() && call.object.state() == ArgumentsState::Complete => {
                sink.event(Event::Close { slot });
            }
            Some(_) => self.cut.push(slot),
            None => match unwrapped(&call.held) {
                Unwrapped::Text(text) => {
                    say(slot, text, sink);
                    sink.event(Event::Close { slot });
                }
                Unwrapped::Half => self.cut.push(slot),
            },
        }
    }

    /// Half a text must not pass for a whole one: the client would run it.
    fn settle(&mut self, reason: StopReason, sink: &mut Sink<Event>) {
        let is_cut = matches!(reason, StopReason::MaxTokens | StopReason::ContextWindow);
        for slot in self.cut.drain(..) {
            if is_cut {
                sink.event(Event::Close { slot });
            } else {
                sink.fault(broken());
            }
        }
    }
}

fn broken() -> Failure {
    Failure::new(
        FailureKind::BrokenToolCall,
        "upstream tool call arguments are incomplete",
    )
}

impl Stage for FreeformStage {
    type In = Event;
    type Out = Event;

    fn on(&mut self, mut event: Event, sink: &mut Sink<Event>) {
        match &mut event {
            Event::Open {
                slot,
                block:
                    Opening::ToolUse {
                        name,
                        is_freeform: is_freeform @ false,
                        ..
                    },
            } if self.freeform.names.contains(&*name.decode()) => {
                *is_freeform = true;
                self.open.insert(*slot, Call::default());
            }
            Event::Delta {
                slot,
                delta: Delta::Input(piece),
            } => {
                if let Some(call) = self.open.get_mut(slot) {
                    return call.take(*slot, &piece.decode(), sink);
                }
            }
            Event::Close { slot } => return self.close(*slot, sink),
            Event::Stop(stop) => self.settle(stop.reason, sink),
            Event::Done => self.settle(StopReason::EndTurn, sink),
            _ => {}
        }
        sink.event(event);
    }

    fn end(&mut self, _end: End, sink: &mut Sink<Event>) {
        self.settle(StopReason::EndTurn, sink);
    }

    fn passes(&mut self, event: &Event) -> bool {
        let is_idle = self.open.is_empty() && self.cut.is_empty();
        is_idle && !event.opens_call()
    }

    fn holding(&self) -> bool {
        !self.cut.is_empty() || self.open.values().any(|call| !call.held.is_empty())
    }
}

impl Call {
    fn take(&mut self, slot: Slot, piece: &str, sink: &mut Sink<Event>) {
        self.object.push(piece, &mut self.passed);
        self.passed.clear();
        let mut passed = String::new();
        match &mut self.text {
            Some(text) => text.push(piece, &mut passed),
            None => {
                self.held.push_str(piece);
                if let Some(begin) = text_begins(&self.held) {
                    let mut text = StringPieces::default();
                    text.push(self.held.get(begin..).unwrap_or_default(), &mut passed);
                    self.text = Some(text);
                    self.held.clear();
                }
            }
        }
        say(slot, passed, sink);
    }
}

fn say(slot: Slot, text: String, sink: &mut Sink<Event>) {
    if !text.is_empty() {
        sink.event(Event::Delta {
            slot,
            delta: Delta::Input(text.into()),
        });
    }
}

/// Where the contents of the string begin, if the arguments begin by the book: `{"input":"`.
fn text_begins(arguments: &str) -> Option<usize> {
    let mut rest = arguments.trim_start();
    for token in ["{", "\"input\"", ":", "\""] {
        rest = rest.trim_start().strip_prefix(token)?;
    }
    Some(arguments.len() - rest.len())
}

enum Unwrapped {
    Text(String),
    /// What is there of JSON that breaks off.
    Half,
}

/// The text in arguments that are not by the book: under another name, as JSON that is no string, or without any JSON
/// around it.
fn unwrapped(arguments: &str) -> Unwrapped {
    let Ok(doc) = scan_reply(&arguments.into(), &[]) else {
        // It begins like JSON and is none: what the client would run is half of what the model meant.
        return if arguments.trim_start().starts_with(['{', '"', '[']) {
            Unwrapped::Half
        } else {
            Unwrapped::Text(arguments.to_owned())
        };
    };
    let root = doc.root();
    let text = |value: Value<'_>| {
        value
            .str()
            .map_or_else(|| value.raw().to_owned(), Into::into)
    };
    Unwrapped::Text(match root.kind() {
        Kind::Object => {
            let members: Vec<_> = root.members().collect();
            match (root.get(MEMBER), &*members) {
                (Some(input), _) => text(input),
                (None, [(_, only)]) if only.kind() == Kind::String => text(*only),
                (None, []) => String::new(),
                (None, _) => arguments.to_owned(),
            }
        }
        Kind::String => text(root),
        Kind::Null | Kind::Bool | Kind::Number | Kind::Array => arguments.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::responses::{decode_request, scan_request};
    use crate::turn::Stop;

    const REQUEST: &str = r#"{"model":"m","input":[{"type":"custom_tool_call","call_id":"1","name":"apply_patch","input":"*** \"x\"\n"}],"tools":[{"type":"custom","name":"apply_patch","description":"Edits files.","format":{"type":"grammar","syntax":"lark","definition":"start: \"***\""}},{"type":"custom","name":"note"},{"type":"function","name":"ls"}]}"#;

    fn wrapped() -> (Turn, Freeform) {
        let mut decoded = scan_request(&REQUEST.into())
            .and_then(|doc| decode_request(&doc))
            .unwrap();
        let freeform = Freeform::wrap(&mut decoded.turn).unwrap();
        (decoded.turn, freeform)
    }

    #[test]
    fn tools_and_history_are_wrapped() {
        let (turn, _) = wrapped();
        let Tool::Function {
            description,
            input_schema,
            ..
        } = &*turn.tools[0]
        else {
            panic!("not wrapped");
        };
        assert_eq!(
            description.clone().unwrap(),
            "Edits files.\n\n`input` must follow this lark grammar:\nstart: \"***\""
        );
        assert_eq!(
            input_schema.as_deref().unwrap(),
            r#"{"type":"object","properties":{"input":{"type":"string","description":"The whole input of the tool, as plain text."}},"required":["input"],"additionalProperties":false}"#
        );
        assert!(turn.tools[2].raw(crate::Wire::Responses).is_some());
        let Block::ToolUse(call) = &*turn.messages[0].blocks[0] else {
            panic!("no call");
        };
        assert_eq!(
            call.input,
            ToolInput::Json(r#"{"input":"*** \"x\"\n"}"#.into())
        );
    }

    /// The text of a call whose arguments come in `pieces`, or the fault.
    fn run(pieces: &[&str], reason: StopReason) -> Result<String, FailureKind> {
        let (_, freeform) = wrapped();
        let mut stage = FreeformStage::new(freeform);
        let mut sink = Sink::new();
        let slot = Slot(3);
        let open = Event::Open {
            slot,
            block: Opening::ToolUse {
                id: "a".into(),
                name: "apply_patch".into(),
                namespace: None,
                is_freeform: false,
                extra: Vec::new(),
            },
        };
        stage.on(open, &mut sink);
        for piece in pieces {
            let delta = Delta::Input((*piece).into());
            stage.on(Event::Delta { slot, delta }, &mut sink);
        }
        stage.on(Event::Close { slot }, &mut sink);
        stage.on(Event::Stop(Stop::new(reason)), &mut sink);
        stage.on(Event::Done, &mut sink);
        if let Some(failure) = sink.take_fault() {
            return Err(failure.kind);
        }
        let mut text = String::new();
        let n = sink.items.len();
        assert!(matches!(
            sink.items[0],
            Event::Open {
                block: Opening::ToolUse {
                    is_freeform: true,
                    ..
                },
                ..
            }
        ));
        assert!(matches!(sink.items[n - 3], Event::Close { .. }));
        for event in &sink.items {
            if let Event::Delta {
                delta: Delta::Input(piece),
                ..
            } = event
            {
                text.push_str(&piece.decode());
            }
        }
        Ok(text)
    }

    #[track_caller]
    fn check(arguments: &str, expected: Result<&str, FailureKind>) {
        let expected = expected.map(str::to_owned);
        assert_eq!(run(&[arguments], StopReason::ToolUse), expected);
        for (cut, _) in arguments.char_indices() {
            let (head, tail) = arguments.split_at(cut);
            assert_eq!(
                run(&[head, tail], StopReason::ToolUse),
                expected,
                "cut at {cut}"
            );
        }
        let each: Vec<String> = arguments.chars().map(String::from).collect();
        let each: Vec<&str> = each.iter().map(String::as_str).collect();
        assert_eq!(run(&each, StopReason::ToolUse), expected, "by character");
    }

    #[test]
    fn the_text_comes_out_however_it_is_cut() {
        check(
            r#"{"input":"*** Begin\n+\"é\" \ud83d\ude00 \u00e9\\ \/"}"#,
            Ok("*** Begin\n+\"é\" 😀 é\\ /"),
        );
        check(r#" { "input" : "x" , "more": 1}"#, Ok("x"));
        check(r#"{"input":""}"#, Ok(""));
        check("{\"input\":\"a\nb\"}", Ok("a\nb"));
        check(r#"{"input":"lone \ud83d x"}"#, Ok("lone \u{fffd} x"));
    }

    #[test]
    fn what_is_not_by_the_book_is_read_all_the_same() {
        check(r#"{"patch":"x\ny"}"#, Ok("x\ny"));
        check(r#"{"note":1,"input":"x"}"#, Ok("x"));
        check(r#"{"input":["a"]}"#, Ok(r#"["a"]"#));
        check("*** Begin Patch\n", Ok("*** Begin Patch\n"));
        check(r#""quoted \"x\"""#, Ok(r#"quoted "x""#));
        check("", Ok(""));
        check("{}", Ok(""));
    }

    #[test]
    fn half_a_text_is_a_fault_unless_a_limit_cut_it() {
        for half in [
            r#"{"input":"*** Beg"#,
            r#"{"inp"#,
            r#"{"input":"rm -rf /tmp""#,
            r#"{"input":"rm","#,
            r#""*** Begin Patch\n*** Delete File: a"#,
            r#"["rm","-rf","/tm"#,
        ] {
            check(half, Err(FailureKind::BrokenToolCall));
        }
        assert_eq!(
            run(&[r#"{"input":"*** Beg"#], StopReason::MaxTokens).unwrap(),
            "*** Beg"
        );
    }

    #[test]
    fn other_calls_pass() {
        let (_, freeform) = wrapped();
        let mut stage = FreeformStage::new(freeform);
        let mut sink = Sink::new();
        let events = [
            Event::Open {
                slot: Slot(0),
                block: Opening::ToolUse {
                    id: "a".into(),
                    name: "ls".into(),
                    namespace: None,
                    is_freeform: false,
                    extra: Vec::new(),
                },
            },
            Event::Delta {
                slot: Slot(0),
                delta: Delta::Input(r#"{"input":"x"}"#.into()),
            },
            Event::Close { slot: Slot(0) },
            Event::Done,
        ];
        for event in events.clone() {
            stage.on(event, &mut sink);
        }
        assert_eq!(sink.items, events);
    }
}
