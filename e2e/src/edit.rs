//! The task that every coding agent does in these tests: change a word in a file, with its own tool.

use lingate_testkit::{
    Agent, Finished, Received, Upstream, Wire, anthropic, complaints, gemini, responses,
};

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
    let upstream = Upstream::start(agent.clone()).await;
    let gateway = Gateway::serve(&home, &Provider::of(wire, &upstream.url()).config()).await;
    let Some(command) = coder.at(&home, &gateway.url, PROMPT) else {
        return;
    };
    let finished = finish(command).await;
    let log = gateway.log();
    let label = format!("{coder:?} over {wire:?}: {finished}\n{log}");
    check(&home, &agent, &finished, &label);
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
}

/// What of the model's first thought must reach the provider again with the agent's last request: the thought itself
/// where the wire has no token for it. None where the agent does not send thoughts back.
fn reasoning_state(coder: Coder, wire: Wire) -> Option<&'static str> {
    match (coder, wire) {
        (Coder::Aider, _) => None,
        (_, Wire::Chat) => Some(THOUGHT),
        (Coder::Codex | Coder::Gemini, Wire::Anthropic) => Some(anthropic::SEAL),
        (Coder::Codex | Coder::Gemini, Wire::Responses) => Some(responses::SEAL),
        (Coder::Codex | Coder::Gemini, Wire::Gemini) => Some(gemini::SEAL),
        (Coder::Kimi | Coder::Opencode | Coder::Pi | Coder::Qwen, _) => None,
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
