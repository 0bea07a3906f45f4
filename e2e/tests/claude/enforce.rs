//! Models that stop without a call, end by saying so, or call with arguments that do not fit: with the settings that
//! insist, Claude Code finishes its work and sees none of it.

use lingate_e2e::{Claude, Gateway, Home, Provider};
use lingate_testkit::{Agent, Answer, Part, Received, Reply, Script, Step, Upstream};
use serde_json::{Value, json};

use crate::expect;

const PROMPT: &str = "Please do the INSIST task.";
const ANSWER: &str = "All is written.";

/// What the model does wrong, and what is asked of the gateway.
struct Case {
    name: &'static str,
    /// Lines of the model's table.
    settings: &'static str,
    /// The model's answer to a request that nobody has added anything to.
    first: fn(Reply) -> Reply,
    /// Its answer once it has been asked again.
    again: fn(Reply) -> Reply,
    /// What the user reads last.
    answer: &'static str,
    /// Requests of the conversation: one a step, and those that asked again.
    n_requests: usize,
}

const ENSURE: &str = "ensure_tool_call = true";

const CASES: [Case; 8] = [
    Case {
        name: "it announces every call, and ends with `done` and the answer",
        settings: ENSURE,
        first: |reply| match reply.calls() {
            true => Reply::text("I will do that now."),
            false => done(json!({"final_answer": ANSWER})),
        },
        again: |reply| reply,
        answer: ANSWER,
        n_requests: 7,
    },
    Case {
        name: "it says the answer, is reminded, and is done",
        settings: ENSURE,
        first: |reply| reply,
        again: |_| done(json!({})),
        answer: ANSWER,
        n_requests: 5,
    },
    Case {
        name: "it is done without a word, is asked, and says the answer",
        settings: ENSURE,
        first: |reply| match reply.calls() {
            true => reply,
            false => Reply::default().call("functions.done:9", "done", &json!({})),
        },
        again: |_| Reply::default().call("functions.final:9", "Final", &json!({"summary": ANSWER})),
        answer: ANSWER,
        n_requests: 5,
    },
    Case {
        name: "it says something and is done in one reply, beside a real call too",
        settings: ENSURE,
        first: |reply| {
            let end = json!({"final_answer": "Done already."});
            reply.call("functions.done:9", "done", &end)
        },
        again: |reply| reply,
        answer: "Done already.",
        n_requests: 4,
    },
    Case {
        name: "it never is done",
        settings: "ensure_tool_call = true\nensure_tool_call_max_attempts = 2",
        first: |reply| reply,
        again: |_| Reply::text(ANSWER),
        answer: ANSWER,
        n_requests: 5,
    },
    Case {
        name: "its arguments have the wrong types",
        settings: "validate_tool_calls = \"repair\"",
        first: with_wrong_types,
        again: |reply| reply,
        answer: ANSWER,
        n_requests: 4,
    },
    Case {
        name: "its arguments have the wrong types, and none need be asked for again",
        settings: "validate_tool_calls = \"retry\"",
        first: with_wrong_types,
        again: |reply| reply,
        answer: ANSWER,
        n_requests: 4,
    },
    Case {
        name: "its arguments are not all there at first",
        settings: "validate_tool_calls = \"retry\"",
        first: |reply| each_call(reply, |arguments| drop(arguments.remove("file_path"))),
        again: |reply| reply,
        answer: ANSWER,
        n_requests: 7,
    },
];

fn done(arguments: Value) -> Reply {
    Reply::default().call("functions.done:9", "done", &arguments)
}

fn each_call(reply: Reply, change: impl Fn(&mut serde_json::Map<String, Value>)) -> Reply {
    let mut changed = Reply::default();
    for part in reply.parts {
        changed = match part {
            Part::Text(text) => changed.say(&text),
            Part::Reasoning(thought) => changed.think(&thought),
            Part::Call {
                id,
                name,
                arguments,
            } => {
                let mut arguments =
                    serde_json::from_str(&arguments).expect("the agent writes an object");
                change(&mut arguments);
                changed.call(&id, &name, &arguments.into())
            }
        };
    }
    changed
}

/// Numbers and booleans as strings.
fn with_wrong_types(reply: Reply) -> Reply {
    each_call(reply, |arguments| {
        for value in arguments.values_mut() {
            if !value.is_string() {
                *value = value.to_string().into();
            }
        }
    })
}

struct Host {
    agent: Agent,
    case: &'static Case,
}

impl Script for Host {
    fn answer(&self, request: &Received) -> Answer {
        let (own, is_again) = without_what_was_added(request);
        let reply = self.agent.reply(&own);
        let does = if is_again {
            self.case.again
        } else {
            self.case.first
        };
        // A side request, such as one for a title, has no tools.
        match request.json()["tools"].is_array() {
            true => does(reply).answer(request),
            false => reply.answer(request),
        }
    }
}

/// The request as it was before a policy of the gateway continued it, and whether one did.
fn without_what_was_added(request: &Received) -> (Received, bool) {
    let mut body = request.json();
    let messages = body["messages"].as_array_mut().expect("there are messages");
    let n_before = messages.len();
    while let Some(last) = messages.last() {
        let said = last["content"].to_string();
        let is_added = ["You called no tool", "Call `done` again", "do not fit"]
            .iter()
            .any(|words| said.contains(words));
        if !is_added {
            break;
        }
        messages.pop();
        // With what the model had said, if it had said something.
        if messages
            .last()
            .is_some_and(|message| message["role"] == "assistant")
        {
            messages.pop();
        }
    }
    let is_again = messages.len() < n_before;
    let mut own = request.clone();
    own.body = body.to_string().into();
    (own, is_again)
}

fn scenario(home: &Home) -> Agent {
    let file = home.project_str("new.txt");
    Agent::new().kimi_ids().on("INSIST", [
        Step::call("Write", json!({"file_path": file, "content": "first\nsecond\n"})),
        Step::call("Read", json!({"file_path": file, "limit": 2})),
        Step::call("Edit", json!({"file_path": file, "old_string": "second", "new_string": "2nd", "replace_all": false})),
        Step::say(ANSWER),
    ])
}

async fn session(case: &'static Case) {
    let name = case.name;
    let home = Home::new();
    let agent = scenario(&home);
    let upstream = Upstream::start(Host {
        agent: agent.clone(),
        case,
    })
    .await;
    let url = upstream.url();
    let config = Provider::chat(&url).config() + case.settings + "\n";
    let gateway = Gateway::serve(&home, &config).await;
    let Some(claude) = Claude::at(&home, &gateway.url) else {
        return;
    };
    let transcript = claude
        .args(&["--tools", "Write,Read,Edit"])
        .session(PROMPT)
        .await;
    assert_eq!(transcript.success().trim(), case.answer, "{name}");
    let calls = transcript.calls();
    let names: Vec<&str> = calls.iter().map(|(_, name, _)| *name).collect();
    assert_eq!(names, ["Write", "Read", "Edit"], "{name}: {transcript}");
    assert_eq!(
        (&calls[1].2["limit"], &calls[2].2["replace_all"]),
        (&json!(2), &json!(false)),
        "{name}"
    );
    let results = transcript.results();
    assert!(
        results.iter().all(|result| !result.is_error),
        "{name}: {results:?}"
    );
    assert_eq!(home.read("project/new.txt"), "first\n2nd\n", "{name}");

    let requests = expect::sound(&upstream, &agent);
    let conversation = expect::conversation(&requests, PROMPT);
    assert_eq!(conversation.len(), case.n_requests, "{name}");
    // What the client asks for keeps its bytes, whatever was asked in between; so do tools and instruction.
    let own: Vec<&Received> = conversation
        .iter()
        .copied()
        .filter(|request| !without_what_was_added(request).1)
        .collect();
    assert_eq!(own.len(), 4, "{name}");
    expect::prefix_is_stable(&own);
    let offered: Vec<Vec<String>> = conversation
        .iter()
        .map(|request| expect::tools(request))
        .collect();
    assert!(
        offered.iter().all(|tools| *tools == offered[0]),
        "{name}: {offered:?}"
    );
    assert_eq!(
        offered[0].contains(&"done".to_owned()),
        case.settings.contains(ENSURE),
        "{name}"
    );
    assert_eq!(gateway.stop().await.code, Some(0));
    home.is_quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_finished_where_the_gateway_insists() {
    expect::all(CASES.iter().map(session)).await;
}
