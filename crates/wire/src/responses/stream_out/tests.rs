use super::*;
use crate::Wire;
use crate::responses::grammar;
use crate::turn::{FailureKind, Foreign, Image, MediaSource, Start};

fn context() -> ReplyContext {
    ReplyContext {
        exchange: "0193a1b2-c3d4".to_owned(),
        model: "asked".into(),
        created: 7,
        input_estimate: 10,
    }
}

/// The events written for a reply of these blocks; its grammar must hold.
fn written(blocks: &[(Opening, Vec<Delta>)], reason: StopReason) -> Vec<serde_json::Value> {
    let mut events = vec![Event::Start(Start::default())];
    for (slot, (block, deltas)) in (0..).map(Slot).zip(blocks) {
        events.push(Event::Open {
            slot,
            block: block.clone(),
        });
        events.extend(deltas.iter().map(|delta| Event::Delta {
            slot,
            delta: delta.clone(),
        }));
        events.push(Event::Close { slot });
    }
    events.push(Event::Stop(Stop::new(reason)));
    events.push(Event::Done);
    run(&events, None)
}

fn run(events: &[Event], failure: Option<&Failure>) -> Vec<serde_json::Value> {
    let mut encoder = StreamOut::new(context());
    let mut out = Vec::new();
    for event in events {
        StreamEncoder::event(&mut encoder, event, &mut out);
    }
    if let Some(failure) = failure {
        encoder.fail(failure, &mut out);
    }
    let text = String::from_utf8(out.clone()).unwrap();
    grammar::check(&out).unwrap_or_else(|error| panic!("{error}\n{text}"));
    text.lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

fn call(name: &str, is_freeform: bool) -> Opening {
    Opening::ToolUse {
        id: "call_1".into(),
        name: name.into(),
        namespace: None,
        is_freeform,
        extra: Vec::new(),
    }
}

fn types(events: &[serde_json::Value]) -> Vec<&str> {
    events
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .collect()
}

#[test]
fn free_text_has_events_of_its_own() {
    let input = vec![Delta::Input("a\n".into()), Delta::Input("b".into())];
    let events = written(&[(call("patch", true), input.clone())], StopReason::ToolUse);
    assert_eq!(
        types(&events)[2..],
        [
            "response.output_item.added",
            "response.custom_tool_call_input.delta",
            "response.custom_tool_call_input.delta",
            "response.custom_tool_call_input.done",
            "response.output_item.done",
            "response.completed",
        ]
    );
    let item = &events[6]["item"];
    assert_eq!(item["input"], "a\nb");
    assert_eq!(item["status"], "completed");
    assert_eq!(item["id"], "ctc_0193a1b2c3d400");
    let cut = written(&[(call("patch", true), input)], StopReason::MaxTokens);
    assert_eq!(cut[6]["item"]["status"], "incomplete", "known by the stop");
}

#[test]
fn half_a_call_is_incomplete() {
    let half = vec![Delta::Input("{\"a\":".into())];
    let events = written(&[(call("f", false), half)], StopReason::MaxTokens);
    let last = events.last().unwrap();
    assert_eq!(last["type"], "response.incomplete");
    assert_eq!(last["response"]["output"][0]["status"], "incomplete");
    assert_eq!(last["response"]["output"][0]["arguments"], "{\"a\":");
}

#[test]
fn reasoning_carries_its_seal_with_and_without_text() {
    let events = written(
        &[
            (
                Opening::Thinking,
                vec![
                    Delta::Thinking("hm\"".into()),
                    Delta::Signature("lg1.x".into()),
                ],
            ),
            (
                Opening::RedactedThinking {
                    data: "lg1.y".into(),
                },
                Vec::new(),
            ),
            (Opening::Thinking, vec![Delta::Signature("lg1.z".into())]),
            (Opening::Text, vec![Delta::Text("Hi".into())]),
        ],
        StopReason::EndTurn,
    );
    let output = &events.last().unwrap()["response"]["output"];
    assert_eq!(output[0]["summary"][0]["text"], "hm\"");
    let seals: Vec<&serde_json::Value> =
        (0..3).map(|at| &output[at]["encrypted_content"]).collect();
    assert_eq!(seals, ["lg1.x", "lg1.y", "lg1.z"]);
    assert_eq!(output[1]["summary"].as_array().unwrap().len(), 0);
    assert_eq!(output[3]["type"], "message");
}

#[test]
fn annotations_pictures_and_received_items() {
    let foreign = |wire, raw: &str| Foreign {
        wire,
        raw: raw.to_owned().into(),
    };
    let annotation = foreign(Wire::Responses, r#"{"type":"url_citation","url":"u"}"#);
    let image = Image {
        source: MediaSource::Base64 {
            media_type: "image/png".into(),
            data: "aGk=".into(),
        },
        detail: None,
        cache: None,
    };
    let events = written(
        &[
            (
                Opening::Text,
                vec![
                    Delta::Text("x".into()),
                    Delta::Citation(annotation),
                    Delta::Citation(foreign(Wire::Anthropic, "{}")),
                ],
            ),
            (
                Opening::Foreign(foreign(Wire::Anthropic, r#"{"type":"server_tool_use"}"#)),
                Vec::new(),
            ),
            (Opening::Image(image), Vec::new()),
            (
                Opening::Foreign(foreign(
                    Wire::Responses,
                    r#"{"type":"web_search_call","id":"ws"}"#,
                )),
                Vec::new(),
            ),
        ],
        StopReason::EndTurn,
    );
    assert!(types(&events).contains(&"response.output_text.annotation.added"));
    let output = events.last().unwrap()["response"]["output"]
        .as_array()
        .unwrap();
    assert_eq!(output.len(), 3);
    assert_eq!(
        output[0]["content"][0]["annotations"][0]["url"], "u",
        "another wire's citation has no place"
    );
    assert_eq!(output[1]["result"], "aGk=");
    assert_eq!(output[2]["id"], "ws");
}

#[test]
fn refusals_and_filters_end_differently() {
    let said = written(
        &[(Opening::Refusal, vec![Delta::Text("no".into())])],
        StopReason::Refusal,
    );
    let last = said.last().unwrap();
    assert_eq!(last["type"], "response.completed");
    assert_eq!(last["response"]["output"][0]["content"][0]["refusal"], "no");
    let filtered = written(&[], StopReason::Refusal);
    assert_eq!(
        filtered.last().unwrap()["response"]["incomplete_details"]["reason"],
        "content_filter"
    );
}

#[test]
fn a_failure_ends_the_stream_wherever_it_stands() {
    let failure = Failure::new(FailureKind::RateLimit, "slow");
    let open = Event::Open {
        slot: Slot(0),
        block: Opening::Text,
    };
    for events in [vec![], vec![Event::Start(Start::default()), open]] {
        let written = run(&events, Some(&failure));
        let last = written.last().unwrap();
        assert_eq!(last["type"], "response.failed");
        assert_eq!(last["response"]["error"]["code"], "rate_limit_exceeded");
        assert_eq!(last["response"]["output"].as_array().unwrap().len(), 0);
    }
}

#[test]
fn early_openings_and_nudges_are_events() {
    let mut encoder = StreamOut::new(context());
    let mut out = Vec::new();
    encoder.open(&mut out);
    encoder.keep_alive(&mut out);
    encoder.nudge(&mut out);
    for event in [
        Event::Start(Start::default()),
        Event::Ping,
        Event::Stop(Stop::new(StopReason::EndTurn)),
        Event::Done,
    ] {
        StreamEncoder::event(&mut encoder, &event, &mut out);
    }
    grammar::check(&out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert_eq!(text.matches("event: response.created").count(), 1);
    assert_eq!(text.matches("event: response.in_progress").count(), 2);
    assert!(text.contains(": keep-alive"));
    assert!(!text.contains("[DONE]"));
}
