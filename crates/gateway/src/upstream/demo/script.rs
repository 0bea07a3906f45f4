//! What the demo says and does, step by step.

use serde_json::{Value, json};

use super::conversation::{CLOSING, Conversation, FILE_HEADING, FILE_NAME, Outcome};
use super::directory;
use super::schema;
use super::tools::{self, Call};

/// One answer: text, a call, or the first and then the second.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Answer {
    /// What is said.
    pub(super) text: String,
    /// The tool call it ends with, and the call's id.
    pub(super) call: Option<(String, Call)>,
}

const GREETING: &str = "Hello! This is lingate's built-in demo: a script, not a model, so nobody is \
    thinking here. Everything around the script is real, though. ";

const BEFORE_WRITING: &str = "Your client asked in its own API, lingate took the request to the demo as it would to a \
    provider, and these words come back the same way.\n\nNow I will ask your client to use its own tool and write a small file:";

const WITHOUT_TOOLS: &str = "Your client asked in its own API, lingate took the request to the demo as it would to a \
    provider, and these words come back the same way. The request offers no tool that writes files, so there is nothing more to show.\n\n";

const BEFORE_READING: &str = "The demo's file is written, by your client and not by lingate. Now I will ask for it to be \
    read back:";

const BEFORE_READING_OLDER: &str = "Your client will not write over a file it has not read, and one is there already, \
    probably from an earlier demo. That is a tool error, and a model would see it just like this. I will ask for the \
    file to be read instead:";

const NEXT: &str = ": no model took part in it.\n\nTo talk to one, leave this client, give lingate a provider's key and \
    start again:\n\n    export MOONSHOT_API_KEY=...\n\n`lingate providers` lists every provider and the variable its key \
    is read from; `lingate init` writes a commented config file out of the keys it finds.";

const AFTERWARDS: &str = "This is lingate's built-in demo, not a model: it has shown all it can do and cannot answer \
    you. Set a provider's key, for example `export MOONSHOT_API_KEY=...`, and start again. `lingate providers` lists \
    them all.";

/// Answers a Chat request.
pub(super) fn answer(body: &Value) -> Answer {
    let conversation = Conversation::of(body);
    if let Some(json) = structured(body) {
        return Answer::said(json.to_string());
    }
    if let Some(call) = forced_call(body) {
        return Answer::default().then(&conversation, call);
    }
    let has_tools = tools::any(body) && body.get("tool_choice") != Some(&json!("none"));
    if conversation.wants_title && !has_tools {
        return Answer::said(schema::TEXT);
    }
    if conversation.is_over {
        return Answer::said(AFTERWARDS);
    }
    if !has_tools {
        return Answer::said(format!("{GREETING}{WITHOUT_TOOLS}{CLOSING}{NEXT}"));
    }
    step(body, &conversation)
}

/// The next step of the script, for a client with tools.
fn step(body: &Value, conversation: &Conversation) -> Answer {
    let path = match &conversation.directory {
        Some(directory) => directory::joined(directory, FILE_NAME),
        None => FILE_NAME.to_owned(),
    };
    match (&conversation.written, &conversation.read) {
        (_, Some(Outcome::Done)) => closing("Your client has read the file. "),
        (_, Some(Outcome::Failed(why))) => {
            closing(&format!("Reading it did not work: {} ", told(why)))
        }
        (Some(Outcome::Done), None) => match tools::read(body, &path) {
            Some(call) => Answer::said(BEFORE_READING).then(conversation, call),
            None => closing("The file is written. "),
        },
        (Some(Outcome::Failed(why)), None) => {
            match tools::read(body, &path).filter(|_| wants_reading_first(why)) {
                Some(call) => Answer::said(BEFORE_READING_OLDER).then(conversation, call),
                None => closing(&format!(
                    "Writing it did not work. Your client says: {} A model would have been told the same. ",
                    told(why)
                )),
            }
        }
        (None, None) => match tools::write(body, &path, &file()) {
            Some(call) => {
                Answer::said(format!("{GREETING}{BEFORE_WRITING}")).then(conversation, call)
            }
            None => Answer::said(format!("{GREETING}{WITHOUT_TOOLS}{CLOSING}{NEXT}")),
        },
    }
}

impl Answer {
    fn said(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            call: None,
        }
    }

    fn then(mut self, conversation: &Conversation, call: Call) -> Self {
        self.call = Some((format!("call_demo_{}", conversation.n_calls), call));
        self
    }
}

fn closing(before: &str) -> Answer {
    Answer::said(format!("{before}{CLOSING}{NEXT}"))
}

/// What the demo has written.
fn file() -> String {
    format!(
        "{FILE_HEADING}\n\nThis file was written by your client's own tool, because lingate's built-in demo asked for \
         it.\nNo model was involved. You can delete it.\n"
    )
}

/// A client's error, short enough to be repeated.
fn told(why: &str) -> String {
    const LONGEST: usize = 200;
    let line = why.trim().lines().next().unwrap_or_default();
    let line = line
        .strip_prefix("Error: ")
        .unwrap_or(line)
        .trim_end_matches('.');
    let short: String = line.chars().take(LONGEST).collect();
    let mark = if short.len() < line.len() { "..." } else { "" };
    format!("\"{short}{mark}\".")
}

/// Whether a write was refused only because the file is there and has not been read in this session.
fn wants_reading_first(why: &str) -> bool {
    let why = why.to_ascii_lowercase();
    [
        "not been read",
        "read it first",
        "must read",
        "read tool first",
    ]
    .iter()
    .any(|words| why.contains(words))
}

/// What a request for structured output gets: titles, summaries and the like, which no person reads as an answer.
fn structured(body: &Value) -> Option<Value> {
    let format = body.get("response_format")?;
    match format.get("type")?.as_str()? {
        "json_schema" => Some(schema::example(format.pointer("/json_schema/schema")?)),
        "json_object" => Some(json!({"title": schema::TEXT})),
        _ => None,
    }
}

/// The call that the client insists on.
fn forced_call(body: &Value) -> Option<Call> {
    let name = body.pointer("/tool_choice/function/name")?.as_str()?;
    let parameters = tools::parameters(body, name)?;
    let arguments = match schema::example(parameters) {
        object @ Value::Object(_) => object,
        _ => json!({}),
    };
    Some(Call {
        name: name.to_owned(),
        arguments,
    })
}
