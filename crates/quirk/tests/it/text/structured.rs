//! Calls that come structured, beside calls in the text or with names that no client knows.

use lingate_quirk::{Target, select};
use lingate_wire::Wire;
use lingate_wire::turn::{Delta, Event, Opening, Slot};
use serde_json::json;

use super::kimi_k2::{check_events, explicit, spelled};
use super::{Piece, Setting, events};
use crate::translate::Upstream;

/// A reply's events with a structured call put in before its stop.
fn with_call(content: &str, name: &str, arguments: &[&str]) -> Vec<Event> {
    let content = spelled(content);
    let mut events = events(&[Piece::Content(&content)], "tool_calls");
    let at = events.len() - 2;
    events.splice(at..at, call(10, name, arguments));
    events
}

fn call(slot: u32, name: &str, arguments: &[&str]) -> Vec<Event> {
    let slot = Slot(slot);
    let mut events = vec![Event::Open {
        slot,
        block: Opening::ToolUse {
            id: "call_1".into(),
            name: name.into(),
            namespace: None,
            is_freeform: false,
            extra: Vec::new(),
        },
    }];
    events.extend(arguments.iter().map(|piece| Event::Delta {
        slot,
        delta: Delta::Input((*piece).into()),
    }));
    events.push(Event::Close { slot });
    events
}

#[track_caller]
fn check(events: Vec<Event>, expected: &str) {
    check_events(&explicit().stages(), events, expected);
}

#[test]
fn a_call_of_the_text_that_comes_structured_as_well_counts_once() {
    let text = r#"«C»functions.lookup:0«A»{"term": "a", "n": 1.0}«c»"#;
    check(
        with_call(text, "lookup", &[r#"{"n":1,"#, r#""term":"a"}"#]),
        r#"call lookup {"term": "a", "n": 1.0} > tool_use"#,
    );
    check(
        with_call(text, "functions.lookup:0", &[r#"{"n":1,"term":"a"}"#]),
        r#"call lookup {"term": "a", "n": 1.0} > tool_use"#,
    );
    // Different calls count both.
    check(
        with_call(text, "lookup", &[r#"{"term":"b"}"#]),
        r#"call lookup {"term": "a", "n": 1.0} | call lookup {"term":"b"} > tool_use"#,
    );
    check(
        with_call(text, "list_files", &["{}"]),
        r#"call lookup {"term": "a", "n": 1.0} | call list_files {} > tool_use"#,
    );
    // Each of two counts once.
    let mut twice = with_call(
        &format!("{text}{text}"),
        "lookup",
        &[r#"{"term":"a","n":1}"#],
    );
    let at = twice.len() - 2;
    twice.splice(at..at, call(11, "lookup", &[r#"{"term":"a","n":1}"#]));
    check(
        twice,
        r#"call lookup {"term": "a", "n": 1.0} | call lookup {"term": "a", "n": 1.0} > tool_use"#,
    );
    check(
        with_call("«C»list_files:0«A»{}«c»", "list_files", &[]),
        "call list_files {} > tool_use",
    );
}

#[test]
fn a_structured_call_that_comes_in_the_text_as_well_counts_once() {
    let behind = |arguments: &str, content: &str| {
        let content = spelled(content);
        let mut events = events(&[Piece::Content(&content)], "tool_calls");
        events.splice(1..1, call(10, "lookup", &[arguments]));
        events
    };
    let text = r#"«C»functions.lookup:0«A»{"term":"a"}«c»"#;
    check(
        behind(r#"{"term": "a"}"#, text),
        r#"call lookup {"term": "a"} > tool_use"#,
    );
    check(
        behind(r#"{"term":"b"}"#, text),
        r#"call lookup {"term":"b"} | call lookup {"term":"a"} > tool_use"#,
    );
}

#[test]
fn markers_that_leak_beside_a_structured_call_go() {
    check(
        with_call("Look. «S»", "list_files", &["{}"]),
        "text Look. | call list_files {} > tool_use",
    );
    check(
        with_call("Look.<tool_call>x", "list_files", &["{}"]),
        "text Look. | call list_files {} > tool_use",
    );
    check(
        with_call("Look.«c»«s»", "list_files", &["{}"]),
        "text Look. | call list_files {} > tool_use",
    );
}

#[test]
fn names_are_repaired_where_one_tool_is_meant() {
    let stages = Setting::new(
        Upstream::new(&["moonshot"], "kimi-k2.6"),
        &json!({
            "get_weather": { "properties": { "location": {} }, "required": ["location"] },
            "get_stock_price": { "properties": { "symbol": {} }, "required": ["symbol"] },
            "tool_a": { "properties": { "id": {} }, "required": ["id"] },
            "tool_b": { "properties": { "id": {} } },
        }),
    )
    .stages();
    let named = |name: &str, arguments: &str, expected: &str| {
        let (head, tail) = arguments.split_at(arguments.len() / 2);
        check_events(
            &stages,
            with_call("", name, &[head, tail]),
            &format!("call {expected} {arguments} > tool_use"),
        );
    };
    let weather = r#"{"location":"San Francisco"}"#;
    named("15", weather, "get_weather");
    named("", weather, "get_weather");
    named("call_59adf5614cfe4f4b8a71be54", weather, "get_weather");
    named("functions.get_weather:0", weather, "get_weather");
    named("get_weather:3", weather, "get_weather");
    named("get_weather", weather, "get_weather");
    named("99", r#"{"id":"123"}"#, "99");
    named("99", r#"{"id":"#, "99");
    named("99", "{}", "99");
    named("NoSuchTool", weather, "NoSuchTool");
    named("functions.NoSuchTool:0", weather, "NoSuchTool");
}

#[test]
fn without_tools_names_stay() {
    let stages = Setting::new(Upstream::new(&["moonshot"], "kimi-k2.6"), &json!({})).stages();
    check_events(
        &stages,
        with_call("", "15", &["{}"]),
        "call 15 {} > tool_use",
    );
}

#[test]
fn text_is_read_where_it_is_declared_and_needed() {
    let selected = |host: &str, model: &str, declared: &[&str]| -> Vec<&'static str> {
        let declared: Vec<String> = declared.iter().map(|&name| name.to_owned()).collect();
        let target = Target {
            provider: "p",
            host,
            model,
            wire: Wire::Chat,
        };
        let selection = select(&declared, &target);
        let stages = selection.quirks().filter(|quirk| quirk.stage.is_some());
        stages.map(|quirk| quirk.name).collect()
    };
    let (names, text) = ("kimi-call-names", "kimi-k2-text");
    for model in [
        "kimi-k2.6",
        "moonshotai/Kimi-K2-Instruct",
        "accounts/fireworks/models/kimi-k2p5",
        "kimi-latest",
    ] {
        assert_eq!(
            selected("api.example", model, &["kimi-k2"]),
            [names, text],
            "{model}"
        );
    }
    assert_eq!(
        selected("api.example", "kimi-k2-thinking", &["kimi-k2-implicit"]),
        [names, "kimi-k2-implicit-text"]
    );
    assert!(!selected("api.example", "kimi-k3", &["kimi-k2"]).contains(&text));
    assert_eq!(
        selected("api.example", "llama-4", &["kimi-k2"]),
        <[&str; 0]>::default()
    );
    for host in [
        "api.moonshot.ai",
        "api.moonshot.cn",
        "api.kimi.com",
        "moonshot.ai",
    ] {
        assert_eq!(
            selected(host, "kimi-k2.6", &["moonshot", "kimi-k2"]),
            [names],
            "{host}"
        );
        assert_eq!(
            selected(host, "kimi-k2.6", &["kimi-k2-text"]),
            [text],
            "by its own name at {host}"
        );
    }
    assert_eq!(
        selected("notmoonshot.ai", "kimi-k2.6", &["kimi-k2"]),
        [names, text]
    );
}
