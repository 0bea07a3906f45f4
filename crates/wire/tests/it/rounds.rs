//! What is a repetition, and what only looks like one.

use lingate_wire::rounds::{Repeated, repeated};
use lingate_wire::{Wire, bridge};
use serde_json::{Value, json};

/// A call and its result.
type Made<'a> = (&'a str, Value, &'a str);

/// A conversation in which the rounds given follow each other, on every wire.
fn conversations(rounds: &[Vec<Made<'_>>]) -> [(Wire, Value); 4] {
    let asked = "do it";
    let mut anthropic = vec![json!({"role": "user", "content": asked})];
    let mut chat = vec![json!({"role": "user", "content": asked})];
    let mut responses = vec![json!({"type": "message", "role": "user", "content": asked})];
    let mut gemini = vec![json!({"role": "user", "parts": [{"text": asked}]})];
    for (number, round) in rounds.iter().enumerate() {
        let id = |at: usize| format!("call_{number}_{at}");
        let each = || round.iter().enumerate();
        let uses: Vec<Value> = each()
            .map(|(at, (name, input, _))| json!({"type": "tool_use", "id": id(at), "name": name, "input": input}))
            .collect();
        let mut results: Vec<Value> = each()
            .map(|(at, (_, _, result))| json!({"type": "tool_result", "tool_use_id": id(at), "content": [{"type": "text", "text": result}]}))
            .collect();
        if number + 1 == rounds.len() {
            // Claude Code marks the end of what is to be cached, wherever it is.
            results[0]["content"][0]["cache_control"] = json!({"type": "ephemeral"});
        }
        results.push(
            json!({"type": "text", "text": format!("<system-reminder>{number}</system-reminder>")}),
        );
        anthropic.push(json!({"role": "assistant", "content": uses}));
        anthropic.push(json!({"role": "user", "content": results}));
        let calls: Vec<Value> = each()
            .map(|(at, (name, input, _))| json!({"id": id(at), "type": "function", "function": {"name": name, "arguments": input.to_string()}}))
            .collect();
        chat.push(json!({"role": "assistant", "content": null, "tool_calls": calls}));
        chat.extend(each().map(|(at, (_, _, result))| json!({"role": "tool", "tool_call_id": id(at), "content": result})));
        responses.push(json!({"type": "reasoning", "summary": []}));
        responses.extend(each().map(|(at, (name, input, _))| {
            json!({"type": "function_call", "call_id": id(at), "name": name, "arguments": input.to_string()})
        }));
        responses.extend(each().map(|(at, (_, _, result))| json!({"type": "function_call_output", "call_id": id(at), "output": result})));
        let parts: Vec<Value> = each()
            .map(|(_, (name, input, _))| json!({"functionCall": {"name": name, "args": input}}))
            .collect();
        gemini.push(json!({"role": "model", "parts": parts}));
        let parts: Vec<Value> = each()
            .map(|(_, (name, _, result))| json!({"functionResponse": {"name": name, "response": {"output": result}}}))
            .collect();
        gemini.push(json!({"role": "user", "parts": parts}));
    }
    [
        (
            Wire::Anthropic,
            json!({"model": "m", "messages": anthropic}),
        ),
        (Wire::Chat, json!({"model": "m", "messages": chat})),
        (Wire::Responses, json!({"model": "m", "input": responses})),
        (Wire::Gemini, json!({"contents": gemini})),
    ]
}

fn found(wire: Wire, body: &Value) -> Option<(String, u32)> {
    let body = body.to_string().into();
    let doc = bridge::scan_request(wire, &body).unwrap();
    repeated(wire, &doc).map(|Repeated { name, count }| (name, count))
}

#[track_caller]
fn check(rounds: &[Vec<Made<'_>>], expected: Option<(&str, u32)>) {
    for (wire, body) in conversations(rounds) {
        let expected = expected.map(|(name, count)| (name.to_owned(), count));
        assert_eq!(found(wire, &body), expected, "{wire:?} {body}");
    }
}

fn bash(result: &str) -> Made<'_> {
    ("Bash", json!({"command": "make", "timeout": 1}), result)
}

fn read(path: &str) -> Made<'static> {
    ("Read", json!({"path": path}), "the file")
}

#[test]
fn the_same_call_with_the_same_result() {
    check(&[], None);
    check(&[vec![bash("no rule")]], None);
    check(&vec![vec![bash("no rule")]; 2], Some(("Bash", 2)));
    check(&vec![vec![bash("no rule")]; 7], Some(("Bash", 7)));
    let mut rounds = vec![vec![read("a")], vec![bash("fine")]];
    rounds.extend(vec![vec![bash("no rule")]; 3]);
    check(&rounds, Some(("Bash", 3)));
    check(&vec![vec![bash("x")]; 150], Some(("Bash", 100)));
}

#[test]
fn circles_of_a_few_calls() {
    let circle = |of: &[Made<'static>], times: usize| {
        let one: Vec<_> = of.iter().map(|made| vec![made.clone()]).collect();
        vec![one; times].concat()
    };
    check(&circle(&[read("a"), bash("no")], 4), Some(("Bash", 4)));
    check(
        &circle(&[read("a"), read("b"), bash("no")], 3),
        Some(("Bash", 3)),
    );
    check(
        &circle(&[read("a"), read("b"), read("c"), read("d")], 4),
        None,
    );
    let mut rounds = circle(&[read("a"), bash("no")], 4);
    rounds.push(vec![read("b")]);
    check(&rounds, None);
}

#[test]
fn what_is_no_repetition() {
    // Polling, and errors that change.
    check(
        &[vec![bash("1 %")], vec![bash("2 %")], vec![bash("3 %")]],
        None,
    );
    // Other arguments.
    check(&[vec![read("a")], vec![read("b")], vec![read("c")]], None);
    // Side by side it is one round.
    check(&[vec![bash("no"), bash("no"), bash("no")]], None);
    check(&vec![vec![bash("no"), bash("no")]; 2], Some(("Bash", 2)));
    // Another tool under the same arguments.
    let other = ("Shell", bash("").1, "no rule");
    check(&[vec![bash("no rule")], vec![other]], None);
}

#[test]
fn the_order_of_members_and_white_space_are_nothing() {
    let calls = |first: &str, second: &str| {
        let call = |id: &str, arguments: &str| {
            json!({"role": "assistant", "tool_calls": [{"id": id, "type": "function",
            "function": {"name": "f", "arguments": arguments}}]})
        };
        let result = |id: &str| json!({"role": "tool", "tool_call_id": id, "content": "no"});
        json!({"messages": [call("a", first), result("a"), call("b", second), result("b")]})
    };
    let check = |first: &str, second: &str, expected: bool| {
        let body = calls(first, second);
        assert_eq!(
            found(Wire::Chat, &body).is_some(),
            expected,
            "{first} {second}"
        );
    };
    check(r#"{"a": "x y", "b": 1}"#, r#"{"a":"x y","b":1}"#, true);
    check(r#"{"a":"x y"}"#, r#"{"a":"xy"}"#, false);
    check(r#"{"a":"\" x"}"#, r#"{"a":"\"x"}"#, false);
    check("x y", "xy", false);
    let input = |input: Value, id: &str| {
        [
            json!({"role": "assistant", "content": [{"type": "tool_use", "id": id, "name": "f", "input": input}]}),
            json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": "no"}]}),
        ]
    };
    let both = |first: Value, second: Value| {
        let messages: Vec<Value> = [input(first, "a"), input(second, "b")].concat();
        found(Wire::Anthropic, &json!({"messages": messages})).is_some()
    };
    assert!(both(json!({"a": 1}), json!({"a": 1})));
    assert!(!both(json!({"a": 1}), json!({"a": 2})));
}

#[test]
fn a_word_of_the_user_begins_anew() {
    let round = vec![vec![bash("no rule")]; 2];
    for (wire, mut body) in conversations(&round) {
        let member = match wire {
            Wire::Anthropic | Wire::Chat => "messages",
            Wire::Responses => "input",
            Wire::Gemini => "contents",
        };
        let again = body[member].as_array().unwrap()[1..].to_vec();
        let said: [Value; 2] = match wire {
            Wire::Gemini => [
                json!({"role": "model", "parts": [{"text": "It fails."}]}),
                json!({"role": "user", "parts": [{"text": "Again."}]}),
            ],
            Wire::Anthropic | Wire::Chat | Wire::Responses => [
                json!({"role": "assistant", "content": "It fails."}),
                json!({"role": "user", "content": "Again."}),
            ],
        };
        let messages = body[member].as_array_mut().unwrap();
        messages.extend(said.clone());
        let waits = found(wire, &body);
        assert_eq!(waits, None, "{wire:?}: nothing was called since");
        body[member].as_array_mut().unwrap().extend(again);
        assert_eq!(found(wire, &body), Some(("Bash".to_owned(), 2)), "{wire:?}");
    }
}

#[test]
fn calls_without_a_result_are_none() {
    for (wire, mut body) in conversations(&vec![vec![bash("no")]; 3]) {
        let member = match wire {
            Wire::Anthropic | Wire::Chat => "messages",
            Wire::Responses => "input",
            Wire::Gemini => "contents",
        };
        body[member].as_array_mut().unwrap().pop();
        assert_eq!(found(wire, &body), None, "{wire:?}");
    }
}

/// A request waits while its rounds are looked at, so that has to be quick whatever it holds. Cubic, this takes hours.
#[test]
fn many_calls_at_once_are_looked_at_quickly() {
    let round = |number: usize, count: usize| {
        let ids = || (0..count).map(|at| format!("call_{number}_{at}"));
        let calls: Vec<Value> = ids()
            .map(|id| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}}))
            .collect();
        let mut round = vec![json!({"role": "assistant", "content": null, "tool_calls": calls})];
        let results = ids().map(|id| json!({"role": "tool", "tool_call_id": id, "content": "x"}));
        match number % 2 {
            0 => round.extend(results),
            _ => round.extend(results.rev()),
        }
        round
    };
    let conversation = |count| {
        let rounds: Vec<Value> = (0..5).flat_map(|number| round(number, count)).collect();
        json!({"model": "m", "messages": rounds})
    };
    let repeated = |count| found(Wire::Chat, &conversation(count)).map(|(_, count)| count);
    assert_eq!(repeated(64), Some(5));
    assert_eq!(repeated(65), None, "more than are looked at");
    assert_eq!(repeated(5_000), None);
}
