//! Stages that are asked first: what goes past one is what would have come out of it.

use lingate_wire::json::Text;
use lingate_wire::stage::{End, Note, Sink, Stage};
use lingate_wire::turn::{
    CarryStage, Delta, Event, Opening, SealKey, SealStage, Slot, Start, Stop, StopReason,
    ToolIdStage, Usage, fit_tools,
};
use lingate_wire::{Wire, bridge};
use proptest::prelude::*;
use proptest::sample::select;

type EventStage = Box<dyn Stage<In = Event, Out = Event>>;

/// A freeform tool, one in a namespace and one whose name no Gemini host takes.
const REQUEST: &str = r#"{"model":"m","input":"Hi","tools":[
    {"type":"custom","name":"patch"},
    {"type":"namespace","name":"mcp__a__","tools":[{"type":"function","name":"read","parameters":{"type":"object"}}]},
    {"type":"function","name":"9 lives","parameters":{"type":"object"}}]}"#;

/// Every stage of this crate that stands between a decoder and the sequencer, fresh.
fn stages() -> Vec<EventStage> {
    let doc = bridge::scan_request(Wire::Responses, &REQUEST.into()).unwrap();
    let mut decoded = bridge::decode_request(Wire::Responses, &doc).unwrap();
    let mut stages: Vec<EventStage> = Vec::new();
    stages.extend(fit_tools(
        &mut decoded.turn,
        &mut decoded.params,
        Wire::Gemini,
    ));
    stages.extend(bridge::name_stage(Wire::Gemini, &decoded.turn));
    assert_eq!(stages.len(), 3, "namespaces, free texts, names");
    stages.push(Box::new(ToolIdStage::new(
        "0193a1b2",
        vec!["call_1".into()],
    )));
    stages.push(Box::new(CarryStage::default()));
    stages.push(Box::new(SealStage::new(SealKey::new("p", "a", "m"))));
    stages
}

/// Events of three blocks at once, in no order.
fn any_event() -> impl Strategy<Value = Event> {
    let call = |id: &str, name: &str| Opening::ToolUse {
        id: id.into(),
        name: name.into(),
        namespace: None,
        is_freeform: false,
        extra: Vec::new(),
    };
    let openings = vec![
        Opening::Text,
        Opening::Thinking,
        Opening::RedactedThinking { data: "t".into() },
        call("call_1", "patch"),
        call("a b", "mcp__a__read"),
        call("call_2", "_9_lives"),
        Opening::Refusal,
    ];
    let input = |text: &str| Delta::Input(text.into());
    let deltas = vec![
        Delta::Text("x".into()),
        Delta::Thinking(" ".into()),
        Delta::Thinking("y".into()),
        Delta::Signature("s".into()),
        input(r#"{"input":"#),
        input(r#""a"}"#),
        input("{}"),
    ];
    let whole = vec![
        Event::Start(Start {
            id: Some(Text::from("r")),
            ..Start::default()
        }),
        Event::Usage(Usage::default()),
        Event::Stop(Stop::new(StopReason::EndTurn)),
        Event::Done,
        Event::Ping,
    ];
    let slot = || (0..3u32).prop_map(Slot);
    prop_oneof![
        3 => (slot(), select(openings)).prop_map(|(slot, block)| Event::Open { slot, block }),
        6 => (slot(), select(deltas)).prop_map(|(slot, delta)| Event::Delta { slot, delta }),
        2 => slot().prop_map(|slot| Event::Close { slot }),
        1 => select(whole),
    ]
}

/// What comes out, and how many events went past.
fn run(
    stage: &mut EventStage,
    events: &[Event],
    is_asked: bool,
) -> (Vec<Event>, Vec<Note>, bool, usize) {
    let mut sink = Sink::new();
    let mut n_past = 0;
    for event in events {
        if sink.has_fault() {
            break;
        }
        if is_asked && stage.passes(event) {
            sink.event(event.clone());
            n_past += 1;
        } else {
            stage.on(event.clone(), &mut sink);
        }
    }
    if !sink.has_fault() {
        stage.end(End::Clean, &mut sink);
    }
    let is_broken = sink.has_fault();
    (sink.items, sink.notes, is_broken, n_past)
}

proptest! {
    #[test]
    fn what_goes_past_a_stage_is_what_would_come_out_of_it(
        events in prop::collection::vec(any_event(), 1..40),
    ) {
        for (mut taken, mut asked) in stages().into_iter().zip(stages()) {
            let (items, notes, is_broken, _) = run(&mut taken, &events, false);
            let (own, own_notes, is_own_broken, _) = run(&mut asked, &events, true);
            prop_assert_eq!(own, items);
            prop_assert_eq!(own_notes, notes);
            prop_assert_eq!(is_own_broken, is_broken);
        }
    }
}

#[test]
fn a_text_goes_past_all_stages() {
    let slot = Slot(0);
    let delta = Delta::Text("x".into());
    let events = vec![Event::Delta { slot, delta }; 5];
    for mut stage in stages() {
        assert_eq!(run(&mut stage, &events, true).3, 5);
    }
}
