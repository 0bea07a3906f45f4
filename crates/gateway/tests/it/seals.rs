//! Reasoning state over whole tool loops: what an upstream signed comes back to it, on every wire that can carry it, and
//! never goes anywhere else.
//!
//! The upstreams are strict: a token that is not exactly theirs, or a call that lost its token, is a complaint.

use lingate_testkit::{
    Answer, Received, Reply, Upstream, anthropic, complaints, gemini, responses,
};
use lingate_wire::Wire;
use serde_json::json;

use crate::cells::{Cell, for_every_cell, sound};
use crate::harness::Lingate;
use crate::program::{Program, Said};

const SIGNING: [Wire; 3] = [Wire::Anthropic, Wire::Responses, Wire::Gemini];

/// The token that scripted upstreams of a wire sign with.
fn token(wire: Wire) -> &'static str {
    match wire {
        Wire::Anthropic => anthropic::SEAL,
        Wire::Responses => responses::SEAL,
        Wire::Gemini => gemini::SEAL,
        Wire::Chat => "",
    }
}

/// Two steps of one turn with calls, then a last word; every further question gets one at once.
fn agent(request: &Received) -> Answer {
    let path = |name: &str| json!({ "path": name });
    match request.n {
        0 => Reply::default()
            .think("I have to look at both.")
            .say("Let me look.")
            .call("call_a", "Read", &path("a.rs"))
            .call("call_b", "Read", &path("b.rs")),
        1 => Reply::default()
            .think("And at the third.")
            .call("call_c", "Read", &path("c.rs")),
        _ => Reply::default().think("That is all.").say("Done."),
    }
    .answer(request)
}

/// A whole session: a turn of two steps, and another question.
async fn session(program: &mut Program) -> Vec<Said> {
    let mut all = vec![program.ask().await];
    program.results(&all[0], &["first", "second"]);
    all.push(program.ask().await);
    program.results(&all[1], &["third"]);
    all.push(program.ask().await);
    program.say("And now?");
    all.push(program.ask().await);
    all
}

fn check(cell: Cell, said: &[Said]) {
    for one in said {
        assert_eq!(
            (one.status, one.failure.as_deref()),
            (200, None),
            "{cell:?}: {}",
            one.raw
        );
    }
    let texts: Vec<&str> = said.iter().map(|one| one.text.as_str()).collect();
    assert_eq!(texts, ["Let me look.", "", "Done.", "Done."], "{cell:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whole_tool_loops() {
    for_every_cell(async |cell| {
        let (upstream, lingate) = cell.start(agent, "").await;
        let mut program = cell
            .program(&lingate)
            .user("Look.")
            .tools(&["Read"])
            .thinks();
        check(cell, &session(&mut program).await);
        let requests = sound(cell, &upstream);
        for (n, request) in requests.iter().enumerate() {
            let found = complaints(request);
            let is_own = cell.client == cell.upstream;
            assert!(
                found.is_empty() || is_own,
                "{cell:?}, step {n}: {found:?}\n{}",
                request.text()
            );
            let n_tokens = request.text().matches(token(cell.upstream)).count();
            if cell.upstream != Wire::Chat && matches!(n, 1 | 2) {
                assert!(
                    n_tokens >= n,
                    "{cell:?}, step {n}: {n_tokens} tokens in {}",
                    request.text()
                );
            }
        }
    })
    .await;
}

/// Chat clients that know no `reasoning_details`: the gateway remembers by the calls' ids.
#[tokio::test(flavor = "multi_thread")]
async fn whole_tool_loops_of_plain_chat_clients() {
    for upstream in SIGNING {
        for is_stream in [false, true] {
            let cell = Cell {
                client: Wire::Chat,
                upstream,
                is_stream,
            };
            let (upstream, lingate) = cell.start(agent, "").await;
            let mut program = cell
                .program(&lingate)
                .user("Look.")
                .tools(&["Read"])
                .thinks();
            program.is_plain = true;
            check(cell, &session(&mut program).await);
            for (n, request) in sound(cell, &upstream).iter().enumerate() {
                let n_tokens = request.text().matches(token(cell.upstream)).count();
                let due = [0, 1, 2, 2][n];
                assert!(n_tokens >= due, "{cell:?}, step {n}: {}", request.text());
            }
        }
    }
}

/// Two upstreams; the session moves from one to the other in the middle of its loop, and back.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_moves_is_not_poisoned() {
    for client in Wire::ALL {
        for from in SIGNING {
            for to in Wire::ALL {
                for is_stream in [false, true] {
                    moves(client, [from, to], is_stream).await;
                }
            }
        }
    }
}

async fn moves(client: Wire, wires: [Wire; 2], is_stream: bool) {
    let what = format!(
        "{client} from {} to {}, streamed: {is_stream}",
        wires[0], wires[1]
    );
    let first = Upstream::start(agent).await;
    // The other knows nothing of the first's tokens, and refuses them in its wire's words.
    let foreign = token(wires[0]);
    let second = Upstream::start(move |request: &Received| {
        if !foreign.is_empty() && request.text().contains(foreign) {
            return refused(request);
        }
        let reply = Reply::default().think("Now what?").call(
            &format!("call_{}", request.n + 7),
            "Read",
            &json!({"path": "d.rs"}),
        );
        let body = String::from_utf8(reply.answer(request).body()).unwrap();
        let body = match token(wires[1]) {
            "" => body,
            own => body.replace(own, "c2Vjb25k"),
        };
        if request.streams() {
            Answer::sse([body])
        } else {
            Answer::text(200, "application/json", body)
        }
    })
    .await;
    let lingate = Lingate::start(&format!(
        "[providers.one]\nbase_url = \"{}\"\nspeaks = [\"{}\"]\napi_key = \"sk-one\"\n\
         [providers.two]\nbase_url = \"{}\"\nspeaks = [\"{}\"]\napi_key = \"sk-two\"",
        first.url(),
        wires[0],
        second.url(),
        wires[1],
    ))
    .await;
    let mut program = Program::new(&lingate.url, client, is_stream)
        .header("x-session-id", "s1")
        .user("Look.")
        .tools(&["Read"])
        .thinks();
    for (model, results) in [
        ("one/m", vec!["first", "second"]),
        ("two/m", vec!["fourth"]),
        ("two/m", vec!["fifth"]),
        ("one/m", vec!["third"]),
        ("one/m", vec![]),
    ] {
        program.model = model.to_owned();
        let said = program.ask().await;
        assert_eq!(
            (said.status, said.failure.as_deref()),
            (200, None),
            "{what}, {model}: {}",
            said.raw
        );
        if !results.is_empty() {
            assert_eq!(
                said.calls.len(),
                results.len(),
                "{what}, {model}: {}",
                said.raw
            );
            program.results(&said, &results);
        }
    }
    let is_native = wires[0] == wires[1] && wires[0] == client;
    for request in second.requests() {
        let text = request.text();
        assert!(!text.contains("lg1."), "{what}: {text}");
        assert!(is_native || !text.contains(foreign), "{what}: {text}");
    }
    let back = first.requests().last().unwrap().text();
    assert!(!back.contains("lg1."), "{what}: {back}");
    assert!(
        back.contains("fourth") && back.contains("third"),
        "{what}: {back}"
    );
}

/// How providers refuse a token that is not theirs.
fn refused(request: &Received) -> Answer {
    let (status, body) = match request.wire() {
        lingate_testkit::Wire::Anthropic => (
            400,
            anthropic::error(
                "invalid_request_error",
                "messages.1.content.0: Invalid `signature` in `thinking` block",
            ),
        ),
        lingate_testkit::Wire::Responses => (
            400,
            json!({"error": {
                "message": "The encrypted content cmVz could not be verified. Reason: Encrypted content could not be decrypted or parsed.",
                "type": "invalid_request_error", "param": null, "code": "invalid_encrypted_content",
            }}),
        ),
        lingate_testkit::Wire::Gemini => (
            400,
            gemini::error(400, "INVALID_ARGUMENT", "Thought signature is not valid."),
        ),
        lingate_testkit::Wire::Chat => (
            400,
            lingate_testkit::chat::error("invalid_request_error", "a foreign token"),
        ),
    };
    Answer::json(status, &body)
}
