//! The task that every coding agent does in these tests: change a word in a file, with its own tool.

use lingate_testkit::{
    Agent, Finished, Received, Step, Upstream, Wire, anthropic, client, complaints, gemini,
    responses,
};
use serde_json::json;

use crate::coder::{CLIENT_KEY, Coder, THOUGHT, finish};
use crate::{Gateway, Home, Provider};

const PROMPT: &str = "Do the EDIT task: make the colour in notes.txt blue.";
const SAID: &str = "The colour is blue now.";
const FILE: &str = "notes.txt";

/// A home with the file in it, and the model that knows how this agent changes it.
pub fn task(home: &Home, coder: Coder) -> Agent {
    std::fs::write(home.project(FILE), "A note.\ncolour: red\nThe end.\n")
        .expect("the project folder is there");
    let steps = coder.edit(&home.project(FILE), "colour: red", "colour: blue", SAID);
    Agent::new().on("EDIT task", steps)
}

/// Asserts that an agent, configured by itself, edits a file through a gateway before a provider of this wire, and that
/// a strict provider would have taken every request.
///
/// # Panics
/// When it does not.
pub async fn edits_a_file(coder: Coder, wire: Wire) {
    let home = Home::new();
    let agent = task(&home, coder);
    edits(&home, coder, wire, agent, None).await;
}

/// The same for Codex with its own tool for edits, which takes a patch as free text. It offers that to models of which it
/// is told that they know it: by the list that the gateway has for it.
///
/// # Panics
/// When it does not.
pub async fn patches_a_file(wire: Wire) {
    let home = Home::new();
    let patch = "*** Begin Patch\n*** Update File: notes.txt\n@@\n A note.\n-colour: red\n+colour: blue\n The end.\n\
                 *** End Patch";
    let steps = [
        Step::call("exec_command", json!({"cmd": "cat notes.txt"})).thinking(THOUGHT),
        Step::call("apply_patch", json!({ "input": patch })).saying("Now I edit."),
        Step::say(SAID),
    ];
    task(&home, Coder::Codex);
    let agent = Agent::new().on("EDIT task", steps);
    let Some(requests) = edits(&home, Coder::Codex, wire, agent, Some("catalog.json")).await else {
        return;
    };
    let offers = |request: &Received| {
        let tools = request.json()["tools"].to_string();
        tools.contains("\"apply_patch\"")
            && (wire != Wire::Responses || tools.contains("\"custom\""))
    };
    assert!(requests.iter().any(offers), "{wire:?}");
}

/// Runs the task to its end; none where the agent is not installed. `catalog`: the file that is to hold the gateway's
/// list of models, for Codex.
async fn edits(
    home: &Home,
    coder: Coder,
    wire: Wire,
    agent: Agent,
    catalog: Option<&str>,
) -> Option<Vec<Received>> {
    let upstream = Upstream::start(agent.clone()).await;
    let gateway = Gateway::serve(home, &Provider::of(wire, &upstream.url()).config()).await;
    let mut command = coder.at(home, &gateway.url, PROMPT)?;
    if let Some(catalog) = catalog {
        let list = format!("{}/v1/models?client_version=0.169.0", gateway.url);
        let list = home.write(catalog, client::get(&list).send().await.text().await);
        command
            .arg("-c")
            .arg(format!("model_catalog_json=\"{}\"", list.display()));
    }
    let finished = finish(command).await;
    let log = gateway.log();
    let label = format!("{coder:?} over {wire:?}: {finished}\n{log}");
    check(home, &agent, &finished, &label);
    let requests = sound(&upstream, wire, &label);
    assert!(
        requests.iter().all(|request| request.model() == "mock-1"),
        "{label}"
    );
    let lane = match coder.wire() == wire {
        true => "passthrough",
        false => "translated",
    };
    assert!(log.contains(&format!("lane=\"{lane}\"")), "{label}");
    if let Some(state) = reasoning_state(coder, wire) {
        let last = requests.last().map(Received::text).unwrap_or_default();
        assert!(
            last.contains(state),
            "{state} did not come back: {label}\n{last}"
        );
    }
    assert!(
        !log.contains(CLIENT_KEY) && !log.contains(Provider::KEY),
        "a key in the log: {log}"
    );
    assert_eq!(gateway.stop().await.code, Some(0), "{label}");
    home.is_quiet().await;
    Some(requests)
}

/// What of the model's first thought must reach the provider again with the agent's last request: the thought itself
/// where the wire has no token for it. Agents of the Chat wire have no place for a token, and their provider gets it all
/// the same. None for aider, which calls no tools.
fn reasoning_state(coder: Coder, wire: Wire) -> Option<&'static str> {
    match (coder, wire) {
        (Coder::Aider, _) => None,
        (_, Wire::Chat) => Some(THOUGHT),
        (_, Wire::Anthropic) => Some(anthropic::SEAL),
        (_, Wire::Responses) => Some(responses::SEAL),
        (_, Wire::Gemini) => Some(gemini::SEAL),
    }
}

/// Asserts that the file was changed, that the agent said so, and that the model was never asked for the impossible.
///
/// # Panics
/// When one of these does not hold.
pub fn check(home: &Home, agent: &Agent, finished: &Finished, label: &str) {
    assert_eq!(finished.code, Some(0), "{label}");
    assert_eq!(
        home.read("project/notes.txt"),
        "A note.\ncolour: blue\nThe end.\n",
        "{label}"
    );
    let told = format!("{}{}", finished.stdout, finished.stderr);
    assert!(
        told.contains(SAID),
        "it does not say what the model said: {label}"
    );
    assert_eq!(agent.faults(), [""; 0], "{label}");
}

/// Asserts that a strict provider of this wire would have taken every request, and saw its own key only.
///
/// # Panics
/// When it would not.
pub fn sound(upstream: &Upstream, wire: Wire, label: &str) -> Vec<Received> {
    let requests = upstream.requests();
    assert!(
        !requests.is_empty(),
        "the provider was never asked: {label}"
    );
    for request in &requests {
        assert_eq!(request.wire(), wire, "{}: {label}", request.target);
        let found = complaints(request);
        assert!(
            found.is_empty(),
            "request {}: {found:#?}\n{}\n{label}",
            request.n,
            request.text()
        );
        let whole = format!("{} {:?}", request.target, request.headers);
        assert!(
            whole.contains(Provider::KEY) && !whole.contains(CLIENT_KEY),
            "keys of request {}: {whole}",
            request.n
        );
    }
    requests
}

/// The prompt of the task.
pub fn prompt() -> &'static str {
    PROMPT
}
