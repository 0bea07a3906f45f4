//! What quirks tell of their changes: where, how it read, and how it reads now.

use bytestring::ByteString;
use lingate_quirk::{Change, MOST_SHOWN};
use lingate_wire::anthropic;
use serde_json::{Value, json};

use crate::translate::Upstream;

/// What the quirks of an upstream tell of a request of an Anthropic client's, and the names of those that changed it.
fn told(upstream: &Upstream, request: &Value) -> (Vec<Change>, Vec<&'static str>) {
    let doc = anthropic::scan_request(&ByteString::from(request.to_string())).unwrap();
    let mut decoded = anthropic::decode_request(&doc).unwrap();
    let mut state = upstream.state().telling();
    let selection = upstream.selection();
    selection.apply(&mut decoded.turn, &mut decoded.params, &mut state);
    (state.changes.unwrap(), state.hits)
}

/// One change, with its texts as they are.
#[track_caller]
fn check(
    upstream: &Upstream,
    request: &Value,
    quirk: &str,
    place: &str,
    before: Option<&str>,
    after: Option<&str>,
) {
    let (changes, hits) = told(upstream, request);
    let of_quirk: Vec<&Change> = changes.iter().filter(|own| own.quirk == quirk).collect();
    let found = of_quirk.iter().find(|own| own.place == place);
    let found = found.unwrap_or_else(|| panic!("no {quirk} at {place}: {changes:?} {hits:?}"));
    let got = (found.before.as_deref(), found.after.as_deref());
    assert_eq!(got, (before, after), "{quirk} {place}");
    assert!(hits.contains(&found.quirk));
}

fn asked(members: &Value) -> Value {
    let mut request = json!({
        "model": "m",
        "max_tokens": 100,
        "messages": [{ "role": "user", "content": "Go on." }],
    });
    for (key, value) in members.as_object().unwrap() {
        request[key] = value.clone();
    }
    request
}

/// A history of calls with these ids.
fn history(ids: &[&str]) -> Value {
    let mut messages = vec![json!({ "role": "user", "content": "Go on." })];
    for id in ids {
        messages.push(json!({ "role": "assistant", "content": [
            { "type": "text", "text": "Let me look." },
            { "type": "tool_use", "id": id, "name": "Read", "input": { "path": "a" } },
        ] }));
        messages.push(json!({ "role": "user", "content": [
            { "type": "tool_result", "tool_use_id": id, "content": "x" },
        ] }));
    }
    asked(
        &json!({ "messages": messages, "tools": [{ "name": "Read", "input_schema": { "type": "object" } }] }),
    )
}

#[test]
fn ids_of_calls() {
    let request = history(&["toolu_1"]);
    let upstream = Upstream::moonshot();
    let quirk = "tool-call-ids";
    let at = "messages[1].content[1].id";
    check(
        &upstream,
        &request,
        quirk,
        at,
        Some("toolu_1"),
        Some("functions.Read:0"),
    );
    let at = "messages[2].content[0].tool_use_id";
    check(
        &upstream,
        &request,
        quirk,
        at,
        Some("toolu_1"),
        Some("functions.Read:0"),
    );
}

#[test]
fn members_that_go() {
    let request = asked(&json!({ "temperature": 0.5 }));
    let quirk = "kimi-sampling";
    check(
        &Upstream::moonshot(),
        &request,
        quirk,
        "temperature",
        Some("0.5"),
        None,
    );
}

/// Of a long text the part that differs is shown, and of several tools the one that was changed.
#[test]
fn schemas() {
    let long = "a description that stays as it is ".repeat(20);
    let schema = json!({ "type": "object", "description": long, "properties": { "n": { "type": "string", "pattern": "^x" } }, "required": [] });
    let request = asked(&json!({ "tools": [
        { "name": "Plain", "input_schema": { "type": "object", "properties": { "s": { "type": "string" } }, "required": [] } },
        { "name": "Count", "input_schema": schema },
    ] }));
    let (changes, hits) = told(&Upstream::moonshot(), &request);
    let of_quirk: Vec<&Change> = changes
        .iter()
        .filter(|own| own.quirk == "tool-schema")
        .collect();
    let [change] = of_quirk[..] else {
        panic!("{changes:?} {hits:?}");
    };
    assert_eq!(change.place, "tools[1].input_schema");
    let (before, after) = (
        change.before.as_deref().unwrap(),
        change.after.as_deref().unwrap(),
    );
    assert!(
        before.starts_with('…') && before.contains("pattern"),
        "{before}"
    );
    assert!(
        after.starts_with('…') && !after.contains("pattern"),
        "{after}"
    );
    assert!(before.len() < 200, "{before}");
}

#[test]
fn many_places_are_counted() {
    let ids: Vec<String> = (0..40).map(|n| format!("toolu_{n}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let (changes, _) = told(&Upstream::moonshot(), &history(&ids));
    let of_quirk = changes.iter().filter(|own| own.quirk == "tool-call-ids");
    let places: Vec<&str> = of_quirk.map(|own| own.place.as_str()).collect();
    assert_eq!(
        places,
        [
            "messages[1].content[1].id",
            "messages[2].content[0].tool_use_id",
            "messages[3].content[1].id",
            "messages[4].content[0].tool_use_id",
            "76 more places",
        ]
    );
}

/// Whatever is changed: the request that is watched is changed as the other is, and texts stay short.
#[test]
fn to_tell_changes_nothing() {
    let request = history(&["toolu_1", "toolu_2"]);
    let doc = anthropic::scan_request(&ByteString::from(request.to_string())).unwrap();
    let run = |is_telling: bool| {
        let mut decoded = anthropic::decode_request(&doc).unwrap();
        let upstream = Upstream::moonshot();
        let state = upstream.state();
        let mut state = if is_telling { state.telling() } else { state };
        (upstream.selection()).apply(&mut decoded.turn, &mut decoded.params, &mut state);
        (decoded.turn, decoded.params, state.hits, state.changes)
    };
    let (turn, params, hits, changes) = run(true);
    assert_eq!((turn, params, hits, None), run(false));
    let texts = changes.into_iter().flatten();
    let mut texts = texts.flat_map(|own| [own.before, own.after]).flatten();
    assert!(texts.all(|text| text.len() <= MOST_SHOWN + 2 * "…".len()));
}

/// Tools that are described in the prompt: what the model reads is there, as much as is shown.
#[test]
fn tools_in_the_prompt() {
    let upstream = Upstream::new(&[], "small");
    let mut state = upstream.state().telling();
    state.settings.has_tools_in_prompt = true;
    let doc =
        anthropic::scan_request(&ByteString::from(history(&["toolu_1"]).to_string())).unwrap();
    let mut decoded = anthropic::decode_request(&doc).unwrap();
    (upstream.selection()).apply(&mut decoded.turn, &mut decoded.params, &mut state);
    let changes = state.changes.unwrap();
    let system = changes.iter().find(|own| own.place == "system[0]").unwrap();
    assert_eq!(
        (system.quirk, system.before.as_deref()),
        ("tool-format", None)
    );
    assert!(system.after.as_deref().unwrap().starts_with("# Tools"));
    let tools = changes.iter().find(|own| own.place == "tools[0]").unwrap();
    assert_eq!(tools.after, None);
    assert!(tools.before.as_deref().unwrap().starts_with("Read "));
}
