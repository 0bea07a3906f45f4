//! A host that leaves Kimi K2's markup in the text, in each way that has been seen: Claude Code finishes its work all the same.

use std::sync::Mutex;

use lingate_e2e::{Claude, Gateway, Home, Provider};
use lingate_testkit::{Agent, Answer, Part, Received, Reply, Script, Step, Upstream};
use serde_json::{Value, json};

use crate::expect;

const PROMPT: &str = "Please do the LEAKY task.";

/// The text that is written: it holds the markers, as this file does.
const CONTENT: &str =
    "first <|tool_call_end|> line\n<|tool_calls_section_begin|>second line</think>\n";

const BEGIN: &str = "<|tool_call_begin|>";
const ARGUMENTS: &str = "<|tool_call_argument_begin|>";
const END: &str = "<|tool_call_end|>";
const SECTION: &str = "<|tool_calls_section_begin|>";
const SECTION_END: &str = "<|tool_calls_section_end|>";

/// How the host leaks a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Sectioned,
    Bare,
    NoSectionEnd,
    BeginForEnd,
    InReasoning,
    ImplicitThinking,
    ForeignId,
    NumericName,
    NameAlone,
    NoArgumentMarker,
    Filler,
    TwiceTextAndStructured,
    StructuredUnderItsId,
    StrayTags,
    NoiseAround,
    TruncatedFirst,
    EmptyFirst,
}

const FORMS: [Form; 17] = [
    Form::Sectioned,
    Form::Bare,
    Form::NoSectionEnd,
    Form::BeginForEnd,
    Form::InReasoning,
    Form::ImplicitThinking,
    Form::ForeignId,
    Form::NumericName,
    Form::NameAlone,
    Form::NoArgumentMarker,
    Form::Filler,
    Form::TwiceTextAndStructured,
    Form::StructuredUnderItsId,
    Form::StrayTags,
    Form::NoiseAround,
    Form::TruncatedFirst,
    Form::EmptyFirst,
];

/// A host: what the agent does, as this form writes it.
struct Leaky {
    agent: Agent,
    form: Form,
    /// Bodies that were answered badly once.
    failed: Mutex<Vec<Vec<u8>>>,
}

impl Script for Leaky {
    fn answer(&self, request: &Received) -> Answer {
        let reply = self.agent.reply(request);
        if !reply.calls() {
            let said = match self.form {
                Form::Filler => spoken("(no content)(no content) ", &reply, ""),
                Form::StrayTags => spoken("", &reply, "<|tool_call_end|><|im_end|>"),
                Form::ImplicitThinking => spoken("I am done.</think>", &reply, ""),
                _ => reply,
            };
            return said.answer(request);
        }
        let is_first = self.is_first(request);
        match self.form {
            Form::EmptyFirst if is_first => Reply::default().answer(request),
            Form::TruncatedFirst if is_first => {
                Reply::text(&format!("{SECTION}{BEGIN}functions.Write:0{ARGUMENTS}"))
                    .answer(request)
            }
            form => form.leaked(&reply).answer(request),
        }
    }
}

impl Leaky {
    /// Whether this is the first request of its kind: the gateway's retry is the same once more.
    fn is_first(&self, request: &Received) -> bool {
        let mut failed = self.failed.lock().expect("no script panicked");
        let is_new = !failed.contains(&request.body.to_vec());
        if is_new {
            failed.push(request.body.to_vec());
        }
        is_new
    }
}

/// A reply's text with something around it.
fn spoken(before: &str, reply: &Reply, behind: &str) -> Reply {
    let text = reply.parts.iter().map(|part| match part {
        Part::Text(text) => text.as_str(),
        Part::Reasoning(_) | Part::Call { .. } => "",
    });
    Reply::text(&format!("{before}{}{behind}", text.collect::<String>()))
}

impl Form {
    /// The reply with its calls in the text.
    fn leaked(self, reply: &Reply) -> Reply {
        let mut leaked = Reply::default();
        let mut calls = String::new();
        let mut structured = Vec::new();
        for part in &reply.parts {
            match part {
                Part::Text(text) => leaked = leaked.say(text),
                Part::Reasoning(thought) => leaked = leaked.think(thought),
                Part::Call {
                    id,
                    name,
                    arguments,
                } => {
                    calls += &self.call(id, name, arguments);
                    let name = if self == Self::StructuredUnderItsId {
                        id
                    } else {
                        name
                    };
                    structured.push((id.clone(), name.clone(), arguments.clone()));
                }
            }
        }
        let calls = match self {
            Self::Bare | Self::BeginForEnd => calls,
            Self::NoSectionEnd => format!("{SECTION}{calls}"),
            Self::NoiseAround => format!(
                "\n{SECTION} I use a tool: \n{calls}\n{SECTION_END}\n\nNow waiting.<|im_end|>"
            ),
            _ => format!("{SECTION}{calls}{SECTION_END}"),
        };
        leaked = match self {
            Self::InReasoning => leaked.think(&format!("I have to act. {calls}")),
            Self::ImplicitThinking => leaked.say(&format!("I have to act.</think>{calls}")),
            Self::Filler => leaked.say(&format!("(no content){calls}")),
            Self::StrayTags => leaked.say(&format!("</think>{END}{calls}{SECTION_END}<|im_end|>")),
            Self::StructuredUnderItsId => leaked,
            _ => leaked.say(&calls),
        };
        if matches!(
            self,
            Self::TwiceTextAndStructured | Self::StructuredUnderItsId
        ) {
            for (id, name, arguments) in structured {
                let arguments: Value =
                    serde_json::from_str(&arguments).expect("the agent writes JSON");
                leaked = leaked.call(&id, &name, &arguments);
            }
        }
        leaked
    }

    fn call(self, id: &str, name: &str, arguments: &str) -> String {
        let header = match self {
            // As copied from a history with ids of another kind: the arguments have to tell which tool is meant.
            Self::ForeignId => "call_59adf5614cfe4f4b8a71be54".to_owned(),
            Self::NumericName => "15".to_owned(),
            Self::NameAlone => name.to_owned(),
            _ => id.to_owned(),
        };
        match self {
            Self::NoArgumentMarker => format!("{BEGIN}{header}{arguments}{END}"),
            Self::BeginForEnd => format!("{BEGIN}  {header} {ARGUMENTS} {arguments} {BEGIN}  "),
            _ => format!("{BEGIN}{header}{ARGUMENTS}{arguments}{END}"),
        }
    }

    fn group(self) -> &'static str {
        match self {
            Self::ImplicitThinking => "kimi-k2-implicit",
            _ => "kimi-k2",
        }
    }
}

fn scenario(home: &Home) -> Agent {
    let file = home.project_str("new.txt");
    let steps = [
        Step::call("Write", json!({"file_path": file, "content": CONTENT})),
        Step::call("Read", json!({"file_path": file})),
        Step::call(
            "Edit",
            json!({"file_path": file, "old_string": "second", "new_string": "2nd – «zweite»", "replace_all": false}),
        ),
        Step::say("All is written."),
    ];
    Agent::new().on("LEAKY", steps).kimi_ids()
}

/// One session; false where Claude Code is not installed.
async fn session(form: Form) -> bool {
    let home = Home::new();
    let agent = scenario(&home);
    let host = Leaky {
        agent: agent.clone(),
        form,
        failed: Mutex::default(),
    };
    let upstream = Upstream::start(host).await;
    let url = upstream.url();
    let config = format!(
        "default = \"leaky/kimi-k2.6\"\nfrom_env = false\n\n[server]\nlisten = \"127.0.0.1:0\"\n\n[providers.leaky]\n\
         base_url = \"{url}\"\nspeaks = [\"chat\"]\napi_key = \"{}\"\nquirks = [\"{}\"]\n",
        Provider::KEY,
        form.group(),
    );
    let gateway = Gateway::serve(&home, &config).await;
    let Some(claude) = Claude::at(&home, &gateway.url) else {
        return false;
    };
    // The three tools are told apart by their arguments, where a form leaves nothing else.
    let claude = claude.args(&["--tools", "Write,Read,Edit"]);
    let transcript = claude.session(PROMPT).await;
    assert_eq!(transcript.success(), "All is written.", "{form:?}");
    let edited = CONTENT.replace("second", "2nd – «zweite»");
    assert_eq!(home.read("project/new.txt"), edited, "{form:?}");
    let calls = transcript.calls();
    let names: Vec<&str> = calls.iter().map(|(_, name, _)| *name).collect();
    assert_eq!(names, ["Write", "Read", "Edit"], "{form:?}: {transcript}");
    let results = transcript.results();
    assert!(
        results.iter().all(|result| !result.is_error),
        "{form:?}: {results:?}"
    );

    let requests = expect::sound(&upstream, &agent);
    let conversation = expect::conversation(&requests, PROMPT);
    let n_expected = match form {
        Form::TruncatedFirst | Form::EmptyFirst => 7,
        _ => 4,
    };
    assert_eq!(conversation.len(), n_expected, "{form:?}");
    let mut distinct = conversation.clone();
    distinct.dedup_by_key(|request| request.body.clone());
    expect::prefix_is_stable(&distinct);
    // What goes back to the model is clean: its calls are calls under its own ids, and nothing of the markup is text.
    let last = conversation.last().expect("there are some").json();
    let mut ids = Vec::new();
    for message in last["messages"].as_array().expect("there are messages") {
        if message["role"] == "assistant" {
            let said = format!("{}{}", message["content"], message["reasoning_content"]);
            assert!(
                !said.contains("<|") && !said.contains("(no content)"),
                "{form:?}: {said}"
            );
            let calls = message["tool_calls"].as_array().into_iter().flatten();
            ids.extend(calls.filter_map(|call| Some(call["id"].as_str()?.to_owned())));
        }
    }
    assert_eq!(
        ids,
        ["functions.Write:0", "functions.Read:1", "functions.Edit:2"],
        "{form:?}"
    );
    assert_eq!(gateway.stop().await.code, Some(0));
    home.is_quiet().await;
    true
}

// In parts, so that none takes long.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_finished_whatever_leaks() {
    expect::all(FORMS.into_iter().step_by(2).map(session)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_finished_whatever_else_leaks() {
    expect::all(FORMS.into_iter().skip(1).step_by(2).map(session)).await;
}
