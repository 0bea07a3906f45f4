//! Chat clients of the time before tools: they declare `functions`, read `function_call`, and send `function` messages.

use lingate_testkit::{Answer, Received, Reply};
use lingate_wire::Wire;
use serde_json::{Value, json};

use crate::cells::{Cell, sound};

/// The same function twice, which has no id in this style; then a last word. Beside the first call stands a second, which
/// the client has no room for.
fn agent(request: &Received) -> Answer {
    let path = |name: &str| json!({ "path": name });
    match request.n {
        0 => Reply::default()
            .say("Let me look.")
            .call("call_a", "Read", &path("a.rs"))
            .call("call_x", "Read", &path("x.rs")),
        1 => Reply::default().call("call_b", "Read", &path("b.rs")),
        _ => Reply::text("Done."),
    }
    .answer(request)
}

#[tokio::test]
async fn a_whole_loop_before_every_foreign_wire() {
    // A provider of their own wire gets the request as it is, and answers for itself.
    for upstream in [Wire::Anthropic, Wire::Responses, Wire::Gemini] {
        for is_stream in [false, true] {
            let cell = Cell {
                client: Wire::Chat,
                upstream,
                is_stream,
            };
            let (provider, lingate) = cell.start(agent, "").await;
            let mut program = cell.program(&lingate).user("Look.");
            program.body["functions"] = json!([{"name": "Read", "description": "d",
                "parameters": {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}}]);
            program.body["function_call"] = "auto".into();
            for due in ["a.rs", "b.rs"] {
                let said = program.ask().await;
                assert_eq!(said.failure, None, "{cell:?}: {}", said.raw);
                assert_eq!(said.stop, "function_call", "{cell:?}: {}", said.raw);
                assert!(!said.raw.contains("tool_calls"), "{cell:?}: {}", said.raw);
                assert!(!said.raw.contains("x.rs"), "{cell:?}: {}", said.raw);
                let call = &program.history.last().unwrap()["function_call"];
                let arguments: Value =
                    serde_json::from_str(call["arguments"].as_str().unwrap()).unwrap();
                assert_eq!(
                    (&call["name"], &arguments["path"]),
                    (&"Read".into(), &due.into()),
                    "{cell:?}"
                );
                let result = json!({"role": "function", "name": "Read", "content": format!("{due} is empty")});
                program.history.push(result);
            }
            let said = program.ask().await;
            assert_eq!((said.text.as_str(), said.stop.as_str()), ("Done.", "stop"));

            // To the provider all of it is a loop like any other: every result is where its call is.
            let requests = sound(cell, &provider);
            let last = requests[2].text();
            for word in ["a.rs is empty", "b.rs is empty"] {
                assert_eq!(last.matches(word).count(), 1, "{cell:?}: {last}");
            }
        }
    }
}
