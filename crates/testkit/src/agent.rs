//! A model that works through a scenario with the client's own tools.
//!
//! It keeps no state: which step comes next is read from the conversation in the request, so retries, side requests
//! and several conversations at once (subagents) need no care. It speaks the wire it is asked in, so one scenario can
//! be run against a client directly and through a gateway.

use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::conversation::{Conversation, Past};
use crate::wire::Reply;
use crate::{Answer, Received, Script};

/// A scripted model.
#[derive(Clone, Default)]
pub struct Agent {
    conversations: Vec<(String, Vec<Step>)>,
    kimi_ids: bool,
    faults: Arc<Mutex<Vec<String>>>,
}

/// One answer of a scripted model.
#[derive(Clone, Default)]
pub struct Step {
    thought: Option<String>,
    text: Option<Text>,
    calls: Vec<(String, Value)>,
}

#[derive(Clone)]
enum Text {
    Fixed(String),
    FromResults(Report),
}

type Report = Arc<dyn Fn(&[String]) -> String + Send + Sync>;

impl Agent {
    /// A model without scenarios: it answers "Understood." to everything.
    pub fn new() -> Agent {
        Agent::default()
    }

    /// Adds a scenario for the conversation in which a user message contains `marker`.
    pub fn on(mut self, marker: &str, steps: impl IntoIterator<Item = Step>) -> Agent {
        self.conversations
            .push((marker.to_owned(), steps.into_iter().collect()));
        self
    }

    /// Gives its calls ids as Kimi K2 does: `functions.NAME:N`, counted over the conversation.
    pub fn kimi_ids(mut self) -> Agent {
        self.kimi_ids = true;
        self
    }

    /// What went wrong from the model's point of view: tools that it was not offered, conversations past their end.
    pub fn faults(&self) -> Vec<String> {
        self.faults.lock().expect("no script panicked").clone()
    }

    /// What it says to a request, for hosts that write it in a way of their own.
    pub fn reply(&self, request: &Received) -> Reply {
        let conversation = Conversation::read(request);
        let mut scenarios = self.conversations.iter();
        let found =
            scenarios.find_map(|(marker, steps)| Some((steps, conversation.after(marker)?)));
        let Some((steps, past)) = found else {
            return Reply::text("Understood.");
        };
        let Some(step) = steps.get(past.answers) else {
            self.fault(format!(
                "request {} goes on after the scenario's {} steps",
                request.n,
                steps.len()
            ));
            return Reply::text("There is nothing more to do.");
        };
        if conversation.tools.is_empty() && !step.calls.is_empty() {
            // A side request about the same prompt, such as one for a title.
            return Reply::text("Understood.");
        }
        for (name, _) in &step.calls {
            if !conversation.tools.contains(name) {
                self.fault(format!(
                    "step {} calls {name}, offered are {:?}",
                    past.answers, conversation.tools
                ));
                return Reply::text(&format!("The tool {name} is not offered."));
            }
        }
        self.render(step, &past)
    }

    fn render(&self, step: &Step, past: &Past) -> Reply {
        let mut reply = Reply::default();
        if let Some(thought) = &step.thought {
            reply = reply.think(thought);
        }
        reply = match &step.text {
            None => reply,
            Some(Text::Fixed(text)) => reply.say(text),
            Some(Text::FromResults(text)) => reply.say(&text(&past.results)),
        };
        for (n, (name, arguments)) in step.calls.iter().enumerate() {
            let id = match self.kimi_ids {
                true => format!("functions.{name}:{}", past.calls + n),
                false => format!("call_{}_{n}", past.answers),
            };
            reply = reply.call(&id, name, arguments);
        }
        reply
    }

    fn fault(&self, fault: String) {
        self.faults.lock().expect("no script panicked").push(fault);
    }
}

impl Script for Agent {
    fn answer(&self, request: &Received) -> Answer {
        self.reply(request).answer(request)
    }
}

impl Step {
    /// Says something.
    pub fn say(text: &str) -> Step {
        Step {
            text: Some(Text::Fixed(text.to_owned())),
            ..Step::default()
        }
    }

    /// Says something made from the texts of all tool results so far.
    pub fn report(text: impl Fn(&[String]) -> String + Send + Sync + 'static) -> Step {
        Step {
            text: Some(Text::FromResults(Arc::new(text))),
            ..Step::default()
        }
    }

    /// Calls a tool.
    pub fn call(name: &str, arguments: Value) -> Step {
        Step::default().and(name, arguments)
    }

    /// Calls another tool in the same answer.
    pub fn and(mut self, name: &str, arguments: Value) -> Step {
        self.calls.push((name.to_owned(), arguments));
        self
    }

    /// Thinks first.
    pub fn thinking(mut self, thought: &str) -> Step {
        self.thought = Some(thought.to_owned());
        self
    }

    /// Says something before its calls.
    pub fn saying(mut self, text: &str) -> Step {
        self.text = Some(Text::Fixed(text.to_owned()));
        self
    }
}
