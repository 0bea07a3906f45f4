//! Events in a shorthand, one word each (`0~r:abc` is a delta of another kind than the slot's):
//! `+0t` opens slot 0 as text (`r` reasoning, `c` a call, `x` a refusal) · `0:abc` a delta · `-0` closes · `!end_turn` stops
//! · `.` is done. `_` stands for a space.

use super::*;
use crate::turn::{fold, replay};

fn event(word: &str) -> Event {
    // `0~t:abc`: a delta of a kind that the slot's number does not say.
    if let Some((number, rest)) = word.split_once('~') {
        let (kind, text) = rest.split_once(':').unwrap();
        return Event::Delta {
            slot: Slot(number.parse().unwrap()),
            delta: match kind {
                "t" => Delta::Text(text.into()),
                "r" => Delta::Thinking(text.into()),
                "s" => Delta::Signature(text.into()),
                _ => Delta::Input(text.into()),
            },
        };
    }
    let slot = |text: &str| Slot(text.parse().unwrap());
    if word == "." {
        return Event::Done;
    }
    if let Some(rest) = word.strip_prefix('+') {
        let (number, kind) = rest.split_at(rest.len() - 1);
        let block = match kind {
            "t" => Opening::Text,
            "r" => Opening::Thinking,
            "x" => Opening::Refusal,
            _ => Opening::ToolUse {
                id: format!("id{number}").into(),
                name: "f".into(),
                namespace: None,
                is_freeform: false,
                extra: Vec::new(),
            },
        };
        return Event::Open {
            slot: slot(number),
            block,
        };
    }
    if let Some(number) = word.strip_prefix('-') {
        return Event::Close { slot: slot(number) };
    }
    if let Some(reason) = word.strip_prefix('!') {
        return Event::Stop(Stop::new(match reason {
            "tool_use" => StopReason::ToolUse,
            "max_tokens" => StopReason::MaxTokens,
            "refusal" => StopReason::Refusal,
            _ => StopReason::EndTurn,
        }));
    }
    let (number, text) = word.split_once(':').unwrap();
    // Which delta it is follows from the slot's number: 0-3 text, 4-6 reasoning, 7-9 input.
    let text = text.replace('_', " ");
    let delta = match number.parse::<u32>().unwrap() {
        0..=3 => Delta::Text(text.into()),
        4..=6 => Delta::Thinking(text.into()),
        _ => Delta::Input(text.into()),
    };
    Event::Delta {
        slot: slot(number),
        delta,
    }
}

/// What came out, in words of its own: `t[..]`, `r[..]`, `c[..]`, then the stop, or the fault's message.
fn run(input: &str, empty: EmptyReply) -> String {
    let mut sequencer = Sequencer::new(empty);
    let mut sink = Sink::new();
    for word in input.split_whitespace() {
        sequencer.on(event(word), &mut sink);
    }
    let mut out = Vec::new();
    let mut expected = 0;
    let mut is_open = false;
    for item in &sink.items {
        match item {
            Event::Open { slot, block } => {
                assert!(
                    !is_open && slot.0 == expected,
                    "one at a time, in order: {input}"
                );
                is_open = true;
                out.push(match block {
                    Opening::Text => "t[".to_owned(),
                    Opening::Thinking => "r[".to_owned(),
                    Opening::Refusal => "x[".to_owned(),
                    _ => "c[".to_owned(),
                });
            }
            Event::Delta {
                slot,
                delta: Delta::Text(text) | Delta::Thinking(text) | Delta::Input(text),
            } => {
                assert!(
                    is_open && slot.0 == expected,
                    "a delta of the open block: {input}"
                );
                out.push(text.to_string());
            }
            Event::Close { slot } => {
                assert!(is_open && slot.0 == expected, "{input}");
                is_open = false;
                expected += 1;
                out.push("] ".to_owned());
            }
            Event::Stop(stop) => out.push(format!("{:?}", stop.reason)),
            _ => {}
        }
    }
    if let Some(failure) = sink.take_fault() {
        out.push(format!("fault: {}", failure.message));
    } else {
        let reply = fold(sink.items);
        assert_eq!(fold(replay(&reply)), reply, "{input}");
    }
    out.concat()
}

#[test]
fn blocks_leave_one_behind_the_other() {
    let cases = [
        ("+0t 0:Hi -0 !end_turn .", "t[Hi] EndTurn"),
        ("+4r 4:hm -4 +0t 0:Hi -0 !end_turn .", "r[hm] t[Hi] EndTurn"),
        // Calls whose pieces interleave.
        (
            "+7c +8c 8:{\"y\": 7:{\"x\": 8:2} 7:1} -7 -8 !tool_use .",
            "c[{\"x\":1}] c[{\"y\":2}] ToolUse",
        ),
        // A call that is complete gives way as soon as something follows.
        (
            "+7c 7:{} +0t 0:after -0 -7 !tool_use .",
            "c[{}] t[after] ToolUse",
        ),
        // Text in the middle of a call waits; white space before it only separated it.
        (
            "+7c 7:{\"x\": +0t 0:_ 0:_note -0 7:1} -7 !tool_use .",
            "c[{\"x\":1}] t[note] ToolUse",
        ),
    ];
    for (input, expected) in cases {
        assert_eq!(run(input, EmptyReply::Fault), expected, "{input}");
    }
}

#[test]
fn deltas_of_another_kind_do_not_break_a_block() {
    let cases = [
        // What was said under the wrong name is still said.
        ("+0t 0:a 0~r:b -0 !end_turn .", "t[ab] EndTurn"),
        (
            "+4r 4:a 4~t:b -4 +0t 0:c -0 !end_turn .",
            "r[ab] t[c] EndTurn",
        ),
        ("+0t 0:a 0~i:{} -0 !end_turn .", "t[a] EndTurn"),
        ("+7c 7:{ 7~t:x 7~r:y 7:} -7 !tool_use .", "c[{}] ToolUse"),
        // Nothing stands behind the token that vouches for a block.
        (
            "+4r 4:a 4~s:tok 4:b 4~s:more -4 +0t 0:c -0 !end_turn .",
            "r[a] t[c] EndTurn",
        ),
    ];
    for (input, expected) in cases {
        assert_eq!(run(input, EmptyReply::Fault), expected, "{input}");
    }
}

#[test]
fn white_space_alone_never_opens_a_block() {
    let cases = [
        (
            "+0t 0:_ -0 +4r 4:r -4 +1t 1:ok -1 !end_turn .",
            "r[r] t[ok] EndTurn",
        ),
        ("+0t 0:_ 0:_a -0 !end_turn .", "t[  a] EndTurn"),
        ("+0t 0:a 0:_ -0 !end_turn .", "t[a ] EndTurn"),
        ("+4r 4:_ -4 +0t 0:a -0 !end_turn .", "t[a] EndTurn"),
    ];
    for (input, expected) in cases {
        assert_eq!(run(input, EmptyReply::Fault), expected, "{input}");
    }
}

#[test]
fn blocks_decide_what_the_stop_reason_can_be() {
    let cases = [
        ("+7c 7:{} -7 !end_turn .", "c[{}] ToolUse"),
        ("+0t 0:a -0 !tool_use .", "t[a] EndTurn"),
        ("+7c 7:{} -7 !max_tokens .", "c[{}] MaxTokens"),
        ("+7c 7:{} -7 !refusal .", "c[{}] Refusal"),
        ("+0x 0:no -0 !end_turn .", "x[no] Refusal"),
    ];
    for (input, expected) in cases {
        assert_eq!(run(input, EmptyReply::Fault), expected, "{input}");
    }
}

#[test]
fn no_call_ends_normally_with_half_an_object() {
    let incomplete = "fault: upstream tool call arguments are incomplete";
    let cases = [
        ("+7c -7 !tool_use .", "c[{}] ToolUse".to_owned()),
        ("+7c 7:null -7 !tool_use .", "c[{}] ToolUse".to_owned()),
        (
            "+7c 7:{\"x\":\"rm -7 !tool_use .",
            format!("c[{{\"x\":\"rm{incomplete}"),
        ),
        (
            "+7c 7:{\"x\":\"rm -7 !max_tokens .",
            "c[{\"x\":\"rm] MaxTokens".to_owned(),
        ),
        (
            "+7c 7:{\"x\":\"rm -7 +8c 8:{} -8 !tool_use .",
            format!("c[{{\"x\":\"rm{incomplete}"),
        ),
        (
            "+7c 7:ls -7 !tool_use .",
            "c[fault: upstream tool call arguments are not a JSON object".to_owned(),
        ),
        (
            "+7c 7:{\"a\":,} -7 !tool_use .",
            "c[{\"a\":,}fault: upstream tool call arguments are not valid JSON".to_owned(),
        ),
        (
            "+7c 7:{\"a\":1,\"a\":2} -7 !tool_use .",
            "c[{\"a\":1,\"a\":2}] ToolUse".to_owned(),
        ),
        (
            "+7c 7:{\"a\":,} +8c 8:{} !tool_use .",
            "c[{\"a\":,}fault: upstream tool call arguments are not valid JSON".to_owned(),
        ),
        (
            "+7c 7:{\"a\":,} -7 +8t 8:more -8 !tool_use . +9t 9:x",
            "c[{\"a\":,}fault: upstream tool call arguments are not valid JSON".to_owned(),
        ),
        (
            "+7c 7:{\"a\":1}junk -7 !tool_use .",
            "c[{\"a\":1}] ToolUse".to_owned(),
        ),
    ];
    for (input, expected) in cases {
        assert_eq!(run(input, EmptyReply::Fault), expected, "{input}");
    }
}

#[test]
fn an_empty_reply_is_a_fault_where_agents_would_stop_on_it() {
    let nothing = "fault: the upstream's reply has no content";
    let cases = [
        ("!end_turn .", nothing),
        ("!tool_use .", nothing),
        (
            "+4r 4:hm -4 !end_turn .",
            "r[hm] fault: the upstream's reply has reasoning and nothing else",
        ),
        ("+4r 4:hm -4 !max_tokens .", "r[hm] MaxTokens"),
        ("!refusal .", "Refusal"),
    ];
    for (input, expected) in cases {
        assert_eq!(run(input, EmptyReply::Fault), expected, "{input}");
    }
    assert_eq!(run("!end_turn .", EmptyReply::Pass), "EndTurn");
    assert_eq!(run("!tool_use .", EmptyReply::Pass), "EndTurn");
}

#[test]
fn a_reply_that_just_ends_is_a_fault() {
    for (end, has_fault) in [(End::Truncated, true), (End::Clean, true)] {
        let mut sequencer = Sequencer::new(EmptyReply::Fault);
        let mut sink = Sink::new();
        sequencer.on(event("+0t"), &mut sink);
        sequencer.on(event("0:Hi"), &mut sink);
        sequencer.end(end, &mut sink);
        assert_eq!(sink.take_fault().is_some(), has_fault);
    }
}
