//! Calls that a host could not read itself and sends back inside an error: read here, by the model's own format.

use lingate_wire::json::{Kind, Text, Value, scan};
use lingate_wire::stage::Sink;
use lingate_wire::turn::{Delta, Event, Failure, Opening, Slot, Stop, StopReason};

use crate::fix::deepseek_text::DEEPSEEK_TEXT;
use crate::fix::glm_text::GLM_TEXT;
use crate::fix::harmony_bare_headers::HARMONY_BARE_HEADERS;
use crate::fix::harmony_text::HARMONY_TEXT;
use crate::fix::hermes_text::HERMES_TEXT;
use crate::fix::kimi_k2_text::KIMI_K2_TEXT;
use crate::fix::kimi_k3_text::KIMI_K3_TEXT;
use crate::fix::llama_text::LLAMA_TEXT;
use crate::fix::minimax_text::MINIMAX_TEXT;
use crate::fix::qwen3_coder_text::QWEN3_CODER_TEXT;
use crate::quirk::{EventStage, Evidence, Quirk, Target};
use crate::state::State;
use crate::text::hermes::Hermes;
use crate::text::{self, Starts};

const NAME: &str = "failed-generation";

/// A refusal becomes the reply that the model gave.
pub(crate) const FAILED_GENERATION: Quirk = Quirk {
    name: NAME,
    groups: &["groq"],
    summary: "Where the host cannot read a model's call it answers 400 `tool_use_failed` with the text in \
              `failed_generation`. It is read by the model's own format; if there is a call in it, the client gets that \
              reply instead of the error.",
    evidence: &[
        Evidence {
            source: "console.groq.com/docs/tool-use: `tool_use_failed` and `failed_generation`",
            date: "2026-11",
        },
        Evidence {
            source: "groq/groq-typescript issue 28: `{\"tool_calls\": [..]}` in a code fence as the failed generation",
            date: "2024-05-12",
        },
        Evidence {
            source: "langchain-ai/langchain pull request 31440: `<function=brave_search>{..}</function>`",
            date: "2025-05-30",
        },
    ],
    recover: Some(recover),
    ..Quirk::EMPTY
};

/// What reads the text of a model, each for its own.
const READERS: &[&Quirk] = &[
    &KIMI_K2_TEXT,
    &KIMI_K3_TEXT,
    &HERMES_TEXT,
    &QWEN3_CODER_TEXT,
    &GLM_TEXT,
    &DEEPSEEK_TEXT,
    &MINIMAX_TEXT,
    &HARMONY_TEXT,
    &LLAMA_TEXT,
];

fn recover(failure: &Failure, target: &Target<'_>, state: &State) -> Option<Vec<Event>> {
    if !state.asked.may_call() {
        return None;
    }
    let text = failure.generation.as_deref()?;
    let (stages, text) = reader(text, target, state)?;
    let events = read(stages, text)?;
    let is_call = |event: &Event| {
        let is_tool = |block: &Opening| matches!(block, Opening::ToolUse { .. });
        matches!(event, Event::Open { block, .. } if is_tool(block))
    };
    events.iter().any(is_call).then_some(events)
}

/// What reads this text, in order. Whatever the model, hosts may have taken its markup away and left the object.
fn reader(text: &str, target: &Target<'_>, state: &State) -> Option<(Vec<EventStage>, String)> {
    if let Some(marked) = marked(text) {
        let stage = text::stage(NAME, Box::new(Hermes::default()), Starts::InText, state);
        return Some((vec![stage], marked));
    }
    let reader = READERS.iter().find(|quirk| (quirk.applies)(target))?;
    // A generation begins behind the prompt, in which the first header may have been opened.
    let headers = Some(HARMONY_BARE_HEADERS).filter(|quirk| (quirk.applies)(target));
    let stages = [headers.and_then(|quirk| quirk.stage), reader.stage];
    let stages = stages.into_iter().flatten().map(|stage| stage(state));
    Some((stages.collect(), text.to_owned()))
}

/// Bare JSON in the tags of Hermes: one call, several, or several in `tool_calls`; perhaps in a code fence.
fn marked(text: &str) -> Option<String> {
    let text = text.trim();
    let text = text
        .strip_prefix("```json")
        .or_else(|| text.strip_prefix("```"))
        .map_or(text, |fenced| fenced.trim_end_matches("```").trim());
    if !text.starts_with(['{', '[']) {
        return None;
    }
    let Ok(doc) = scan(&text.into()) else {
        // Half an object may still be a call.
        return Some(format!("<tool_call>{text}"));
    };
    let root = doc.root();
    let calls: Vec<&str> = match root.get("tool_calls") {
        Some(calls) => calls.items().map(Value::raw).collect(),
        None if root.kind() == Kind::Array => root.items().map(Value::raw).collect(),
        None => vec![root.raw()],
    };
    let tagged = calls
        .iter()
        .map(|call| format!("<tool_call>{call}</tool_call>"));
    Some(tagged.collect())
}

/// Runs one text through stages; `None` if it breaks there.
fn read(stages: Vec<EventStage>, text: String) -> Option<Vec<Event>> {
    let slot = Slot(0);
    let mut events = vec![
        Event::Start(Default::default()),
        Event::Open {
            slot,
            block: Opening::Text,
        },
        Event::Delta {
            slot,
            delta: Delta::Text(Text::from(text)),
        },
        Event::Close { slot },
        Event::Stop(Stop::new(StopReason::EndTurn)),
        Event::Done,
    ];
    for mut stage in stages {
        let mut sink = Sink::new();
        for event in events {
            stage.on(event, &mut sink);
        }
        if sink.take_fault().is_some() {
            return None;
        }
        events = sink.items;
    }
    Some(events)
}
