//! The other families: their vectors, and what those leave open, each case at every cut.

use serde_json::{Value, json};

use super::kimi_k2::line;
use super::{Piece, Setting, Stages, every_cut};
use crate::translate::Upstream;

const VECTORS: &str = include_str!("../../../testdata/other.jsonl");

/// A family: its group, and a model of its own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Family(pub &'static [&'static str], pub &'static str);

pub(super) const KIMI_K3: Family = Family(&["kimi-k3"], "kimi-k3");
pub(super) const HERMES: Family = Family(&["hermes"], "qwen3-32b");
pub(super) const QWEN3_CODER: Family = Family(&["qwen3-coder"], "Qwen/Qwen3-Coder-30B-A3B-Instruct");
pub(super) const GLM: Family = Family(&["glm"], "zai-org/GLM-4.6");
pub(super) const DEEPSEEK: Family = Family(&["open-models"], "deepseek-ai/DeepSeek-V3.1");
pub(super) const MINIMAX: Family = Family(&["open-models"], "MiniMaxAI/MiniMax-M2");
pub(super) const HARMONY: Family = Family(&["harmony"], "openai/gpt-oss-20b");

pub(super) const LLAMA: Family = Family(&["open-models"], "llama-3.3-70b");

pub(super) const ALL: [Family; 7] = [
    KIMI_K3,
    HERMES,
    QWEN3_CODER,
    GLM,
    DEEPSEEK,
    MINIMAX,
    HARMONY,
];

impl Family {
    pub(super) fn setting(self) -> Setting {
        let head: Value = serde_json::from_str(VECTORS.lines().next().unwrap()).unwrap();
        Setting::new(Upstream::new(self.0, self.1), &head["tools"])
    }

    pub(super) fn stages(self) -> Stages {
        self.setting().stages()
    }
}

fn family_of(format: &str) -> Family {
    match format {
        "k3_xtml" => KIMI_K3,
        "hermes" => HERMES,
        "qwen3_coder" => QWEN3_CODER,
        "glm45" => GLM,
        "deepseek_v3" | "deepseek_v31" | "deepseek_dsml" => DEEPSEEK,
        "minimax_m2" => MINIMAX,
        "harmony" => HARMONY,
        other => panic!("{other}"),
    }
}

#[test]
fn every_vector_at_every_cut() {
    for vector in VECTORS
        .lines()
        .skip(1)
        .map(|line| -> Value { serde_json::from_str(line).unwrap() })
    {
        let stages = family_of(vector["format"].as_str().unwrap()).stages();
        let raw = vector["raw"].as_str().unwrap();
        let outcome = every_cut(&[Piece::Content(raw)], |cut| stages.run(cut, "stop"));
        let (mut text, mut thinking, mut calls) = (String::new(), String::new(), Vec::new());
        for block in &outcome.blocks {
            match block[0].as_str() {
                "tool" => {
                    let arguments: Value = serde_json::from_str(&block[2]).unwrap();
                    calls.push(json!([block[1], arguments]));
                }
                "text" => text.push_str(&block[1]),
                _ => thinking.push_str(&block[1]),
            }
        }
        let has_calls = !calls.is_empty();
        let expect = &vector["expect"];
        assert_eq!(text, expect["text"], "{vector}");
        assert_eq!(thinking, expect["thinking"], "{vector}");
        assert_eq!(Value::from(calls), expect["calls"], "{vector}");
        let stop = if has_calls { "tool_use" } else { "end_turn" };
        assert_eq!(outcome.stop, Some(stop), "{vector}");
        assert_eq!(outcome.failure, None, "{vector}");
    }
}

/// One reply's content at every cut, `-` as the finish reason standing for `stop`.
#[track_caller]
fn check(family: Family, content: &str, finish: &str, expected: &str) {
    let stages = family.stages();
    let outcome = every_cut(&[Piece::Content(content)], |cut| stages.run(cut, finish));
    assert_eq!(line(&outcome), expected, "{family:?} {content}");
}

#[track_caller]
fn check_all(family: Family, cases: &[(&str, &str)]) {
    for (content, expected) in cases {
        check(family, content, "stop", expected);
    }
}

/// What is not a call of the family stays as it stands.
#[track_caller]
fn stays(family: Family, texts: &[&str]) {
    for text in texts {
        check(family, text, "stop", &format!("text {text} > end_turn"));
    }
}

#[test]
fn hermes() {
    const LS: &str = "call ls {} > tool_use";
    const SF: &str = r#"call get_weather {"city": "SF"} > tool_use"#;
    check_all(
        HERMES,
        &[
            ("<tool_call>\n{\"name\": \"ls\", \"arguments\": {}}", LS),
            (r#"<tool_call>{"name": "ls"}</tool_call>"#, LS),
            (r#"<tool_call>{"name": "ls", "arguments": null}</tool_call>"#, LS),
            (r#"<tool_call>{"name": "ls", "arguments": ""}</tool_call>"#, LS),
            (r#"<tool_call>{"arguments": {"city": "SF"}, "name": "get_weather"}</tool_call>"#, SF),
            (r#"<tool_call>{"id":"1","type":"function","function":{"name":"get_weather","arguments":{"city": "SF"}}}</tool_call>"#, SF),
            (r#"<tool_call>{"name": "get_weather", "parameters": {"city": "SF"}, "id": "a</tool_call>}"}</tool_call>"#, SF),
            (r#"<tool_call>{"name": "functions.get_weather:0", "arguments": {"city": "SF"}}}</tool_call>"#, SF),
            (r#"<tool_call>{"name": "call_7", "arguments": {"city": "SF"}}</tool_call>"#, SF),
            (r#"<tool_call>{"name": "Nope", "arguments": {}}</tool_call>"#, "call Nope {} > tool_use"),
            ("<think>\nhm\n</think>\n\n<tool_call>{\"name\": \"ls\", \"arguments\": {}}</tool_call>\n after", "think hm | call ls {} > tool_use"),
            (r#"<tool_call>{"name": "ls", "arguments": {}}<tool_call>{"name": "get_weather", "arguments": {"city": "SF"}}</tool_call>"#,
             r#"call ls {} | call get_weather {"city": "SF"} > tool_use"#),
            (r#"<tool_call>{"name": "get_weather", "arguments": "{\"city\": \"a\\n</tool_call>b\"}"}</tool_call>"#,
             r#"call get_weather {"city": "a\n</tool_call>b"} > tool_use"#),
            (r#"<tool_call>{"name": "get_weather", "arguments": {"city": "SF"#,
             r#"call get_weather {"city": "SF > BrokenToolCall"#),
            (r#"a <tool_call>{"name": "get_weather", "arg"#, "text a > BrokenToolCall"),
        ],
    );
    check(
        HERMES,
        r#"<tool_call>{"name": "get_weather", "arguments": {"city": "S"#,
        "length",
        r#"call get_weather {"city": "S > max_tokens"#,
    );
    stays(
        HERMES,
        &[
            "Use <tool_call> for it",
            "<tool_call>{\"city\": \"SF\"}</tool_call>",
            "<tool_call>{\"name\": 1}</tool_call>",
            "<tool_call>{\"name\": \"a b\", \"arguments\": {}}</tool_call>",
            "<tool_call>",
            "<tool_call>[1]</tool_call>",
            "<tool_call>{\"x\": \"</tool_call>\"}",
            "a </tool_call",
        ],
    );
}

#[test]
fn glm() {
    let sf = r#"call get_weather {"city":"SF"} > tool_use"#;
    check_all(
        GLM,
        &[
            ("<tool_call>ls\n</tool_call>", "call ls {} > tool_use"),
            ("\n<think>a</think>\n<tool_call>get_weather<arg_key>city</arg_key><arg_value>SF</arg_value></tool_call>",
             r#"think a | call get_weather {"city":"SF"} > tool_use"#),
            ("<tool_call> functions.get_weather\n<arg_key> city </arg_key>\n<arg_value>SF</arg_value>\n</tool_call>", sf),
            ("<tool_call>get_weather<arg_key>city<arg_value>SF</arg_value></tool_call>", sf),
            ("<tool_call>Write<arg_key>path</arg_key><arg_value>a</arg_value><arg_key>content</arg_key><arg_value>\n</tool_call><arg_key>\n</arg_value></tool_call>",
             "call Write {\"path\":\"a\",\"content\":\"\\n</tool_call><arg_key>\\n\"} > tool_use"),
            ("<tool_call>Nope<arg_key>x</arg_key><arg_value>1</arg_value></tool_call>", r#"call Nope {"x":1} > tool_use"#),
            ("<tool_call>get_weather<arg_key>arguments</arg_key><arg_value>{\"city\": \"SF\", \"days\": 1}</arg_value></tool_call>",
             r#"call get_weather {"city": "SF", "days": 1} > tool_use"#),
            ("a <tool_call>get_weather<arg_key>city</arg_key><arg_value>S", r#"text a | call get_weather {"city":"S > BrokenToolCall"#),
        ],
    );
    stays(
        GLM,
        &[
            "<tool_call>Nope</tool_call>",
            "Use <tool_call> for it",
            "<tool_call>{\"name\":\"ls\"}</tool_call>",
            "<tool_call>ls",
        ],
    );
}

#[test]
fn deepseek_tokens() {
    let sf = r#"call get_weather {"city": "SF"} > tool_use"#;
    check_all(
        DEEPSEEK,
        &[
            ("<｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>{\"city\": \"SF\"}<｜tool▁call▁end｜>", sf),
            ("<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>{\"city\": \"SF\"}", sf),
            ("<｜tool▁calls▁begin｜>\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather\n```json\n{\"city\": \"SF\"}\n```<｜tool▁call▁end｜>\n<｜tool▁calls▁end｜><｜end▁of▁sentence｜>", sf),
            ("<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>ls<｜tool▁sep｜><｜tool▁call▁end｜><｜tool▁calls▁end｜> more", "call ls {} > tool_use"),
            ("<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>ls<｜tool▁sep｜>{}<｜tool▁calls▁end｜>", "call ls {} > tool_use"),
            ("<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>{\"city\": \"<｜tool▁call▁end｜>\"}<｜tool▁call▁end｜>",
             r#"call get_weather {"city": "<｜tool▁call▁end｜>"} > tool_use"#),
            ("<｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>{\"city\": ", r#"call get_weather {"city":  > BrokenToolCall"#),
            ("<think>a</think>b", "think a | text b > end_turn"),
            ("done<｜end▁of▁sentence｜>", "text done > end_turn"),
        ],
    );
    stays(
        DEEPSEEK,
        &[
            "<｜tool▁calls▁begin｜> nothing<｜tool▁calls▁end｜>",
            "<｜tool▁call▁begin｜>",
            "<｜tool▁call▁begin｜>a `b`",
            "<｜tool",
        ],
    );
}

#[test]
fn deepseek_elements() {
    let sf = r#"call get_weather {"city":"SF"} > tool_use"#;
    let call = "<｜DSML｜invoke name=\"get_weather\"><｜DSML｜parameter name=\"city\" string=\"true\">SF</｜DSML｜parameter></｜DSML｜invoke>";
    check_all(
        DEEPSEEK,
        &[
            (
                &format!("<｜DSML｜function_calls>\n{call}\n</｜DSML｜function_calls>"),
                sf,
            ),
            (call, sf),
            (&format!("{call}</｜DSML｜tool_calls>"), sf),
            (
                &format!("<｜DSML｜tool_calls>{}", call.replace("get_weather", "Nope")),
                r#"call Nope {"city":"SF"} > tool_use"#,
            ),
            (
                &format!("<｜DSML｜tool_calls>{}", call.replace("true", "false")),
                sf,
            ),
            (
                &format!("<｜DSML｜tool_calls>{}", call.replace("SF", "7")),
                r#"call get_weather {"city":"7"} > tool_use"#,
            ),
        ],
    );
    let half = call.strip_suffix("</｜DSML｜invoke>").unwrap();
    stays(DEEPSEEK, &[half, "<｜DSML｜tool_calls>\nno"]);
    check(
        DEEPSEEK,
        &format!("<｜DSML｜tool_calls>{half}"),
        "stop",
        r#"call get_weather {"city":"SF" > BrokenToolCall"#,
    );
}

#[test]
fn minimax() {
    let sf = r#"call get_weather {"city":"SF"} > tool_use"#;
    check_all(
        MINIMAX,
        &[
            ("<minimax:tool_call><invoke name=get_weather><parameter name='city'>SF</parameter></invoke>", sf),
            ("<minimax:tool_call><invoke name=\"get_weather\"><parameter name=\"city\">SF</parameter></minimax:tool_call>", sf),
            ("<invoke name=\"get_weather\"><parameter name=\"city\">SF</parameter></invoke></minimax:tool_call>", sf),
            ("<think>\na\n</think>\n\nb", "think a | text b > end_turn"),
            ("<mm:think>a</mm:think>b<minimax:tool_call>\n<invoke name=\"ls\">\n</invoke>\n<invoke name=\"ls\"></invoke></minimax:tool_call>",
             "think a | text b | call ls {} | call ls {} > tool_use"),
            ("<invoke name=\"Write\"><parameter name=\"path\">a</parameter><parameter name=\"content\">x <b>\n</parameter></invoke>",
             "call Write {\"path\":\"a\",\"content\":\"x <b>\\n\"} > tool_use"),
        ],
    );
    stays(
        MINIMAX,
        &[
            "<invoke name=\"nope\">x</invoke>",
            "<minimax:tool_call>x",
            "an <invoke name=",
            "<invoke name=\"a\nb\">",
        ],
    );
}

#[test]
fn kimi_k3() {
    let ls = "call ls {} > tool_use";
    check_all(
        KIMI_K3,
        &[
            ("plan<|close|>think<|sep|><|open|>response<|sep|>Hi<|close|>response<|sep|><|close|>message<|sep|>", "text plan | text Hi > end_turn"),
            ("Hi<|close|>response<|sep|>", "text Hi > end_turn"),
            ("<|open|>call tool=\"ls\" index=\"1\"<|sep|><|close|>call<|sep|>", ls),
            ("<|open|>tools<|sep|>\n<|open|>call tool=\"functions.ls\" index=\"1\"<|sep|>\n<|close|>call<|sep|>\n<|open|>call tool=\"ls\" index=\"2\"<|sep|><|close|>tools<|sep|>",
             "call ls {} | call ls {} > tool_use"),
            ("<|open|>tools<|sep|><|open|>call tool=\"Nope\"<|sep|><|open|>argument key=\"a&quot;&amp;quot;\" type=\"array\"<|sep|>[1, 2]<|close|>argument<|sep|><|close|>call<|sep|><|close|>tools<|sep|>",
             r#"call Nope {"a\"&quot;":[1, 2]} > tool_use"#),
            ("<|open|>call tool=\"Write\"<|sep|><|open|>argument key=\"content\" type=\"string\"<|sep|><|open|>x<|sep|>\n<|close|>argument<|sep|><|close|>call<|sep|>",
             r#"call Write {"content":"<|open|>x<|sep|>\n"} > tool_use"#),
            ("<|open|>call tool=\"get_weather\"<|sep|><|open|>argument key=\"city\" type=\"string\"<|sep|>S", r#"call get_weather {"city":"S > BrokenToolCall"#),
        ],
    );
    stays(
        KIMI_K3,
        &[
            "<|open|>tools<|sep|> nothing",
            "<|open|>call tool",
            "<|open|>call <b>",
            "a <|open|>x",
        ],
    );
}

#[test]
fn harmony() {
    let sf = r#"call get_weather {"city":"SF"} > tool_use"#;
    check_all(
        HARMONY,
        &[
            ("<|start|>assistant to=functions.get_weather<|channel|>commentary json<|message|>{\"city\":\"SF\"}<|call|>", sf),
            ("<|channel|>commentary to=get_weather<|constrain|>json<|message|>{\"city\":\"SF\"}", sf),
            ("<|channel|>commentary<|message|>I look.<|end|><|start|>assistant<|channel|>commentary to=functions.ls<|message|><|call|>",
             "text I look. | call ls {} > tool_use"),
            ("<|channel|>commentary to=functions.ls <|message|>{}<|call|><|start|>assistant<|channel|>commentary to=functions.get_weather<|message|>{\"city\":\"SF\"}<|call|>",
             r#"call ls {} | call get_weather {"city":"SF"} > tool_use"#),
            ("Plain.", "text Plain. > end_turn"),
            ("<|channel|>final <|constrain|>json<|message|>{}", "text {} > end_turn"),
            ("42<|return|>", "text 42 > end_turn"),
            ("<|channel|>commentary to=functions.get_weather<|message|>{\"city\":\"<|call|>\"}<|call|>",
             r#"call get_weather {"city":"<|call|>"} > tool_use"#),
            ("<|channel|>commentary to=functions.get_weather<|message|>{\"city\":\"S", r#"call get_weather {"city":"S > BrokenToolCall"#),
        ],
    );
    stays(HARMONY, &["<|channel|>", "<|start|>assistant\nx", "a <|chan"]);
}

#[test]
fn without_tools_there_are_no_calls_but_channels() {
    let check = |family: Family, content: &str, expected: &str| {
        let stages = family.setting().without_calls().stages();
        let outcome = every_cut(&[Piece::Content(content)], |cut| stages.run(cut, "stop"));
        assert_eq!(line(&outcome), expected, "{family:?} {content}");
    };
    for (family, call) in [
        (HERMES, "<tool_call>{\"name\":\"ls\",\"arguments\":{}}</tool_call>"),
        (GLM, "<tool_call>ls</tool_call>"),
        (DEEPSEEK, "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>ls<｜tool▁sep｜>{}<｜tool▁call▁end｜>"),
        (MINIMAX, "<invoke name=\"ls\"></invoke>"),
        (KIMI_K3, "<|open|>call tool=\"ls\"<|sep|><|close|>call<|sep|>"),
        (HARMONY, "<|channel|>commentary to=functions.ls<|message|>"),
    ] {
        check(family, call, &format!("text {call} > end_turn"));
    }
    check(
        HARMONY,
        "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>b",
        "think a | text b > end_turn",
    );
    check(
        KIMI_K3,
        "<|open|>think<|sep|>a<|close|>think<|sep|>b",
        "think a | text b > end_turn",
    );
}

#[test]
fn the_reasoning_channel_is_read_too() {
    let reasoning = "so <tool_call>{\"name\":\"ls\",\"arguments\":{}}</tool_call>";
    let stages = HERMES.stages();
    let outcome = every_cut(&[Piece::Reasoning(reasoning)], |cut| stages.run(cut, "stop"));
    assert_eq!(line(&outcome), "think so | call ls {} > tool_use");
}

#[test]
fn llama() {
    let sf = r#"call get_weather {"city": "SF"} > tool_use"#;
    check_all(
        LLAMA,
        &[
            (r#"<function=get_weather>{"city": "SF"}</function>"#, sf),
            (r#"<function=get_weather{"city": "SF"}></function>"#, sf),
            (r#"<function=get_weather>{"city": "SF"}"#, sf),
            (
                r#"Ok <function=get_weather>{"city": "a</function>"}</function>"#,
                r#"text Ok | call get_weather {"city": "a</function>"} > tool_use"#,
            ),
            (
                "<function=ls></function><function=ls>{}</function>",
                "call ls {} | call ls {} > tool_use",
            ),
            (
                r#"<function=get_weather>{"city": "#,
                r#"call get_weather {"city":  > BrokenToolCall"#,
            ),
        ],
    );
    stays(
        LLAMA,
        &[
            "<function=nope>{}</function>",
            "<function=a b>",
            "<function=",
        ],
    );
}

#[test]
fn names_of_structured_calls_lose_the_header() {
    use super::events;
    use lingate_wire::turn::{Event, Opening, Slot};

    let check = |name: &str, expected: &str| {
        let mut events = events(&[], "tool_calls");
        let open = Event::Open {
            slot: Slot(7),
            block: Opening::ToolUse {
                id: "a".into(),
                name: name.to_owned().into(),
                namespace: None,
                is_freeform: false,
                extra: Vec::new(),
            },
        };
        events.splice(1..1, [open, Event::Close { slot: Slot(7) }]);
        let outcome = HARMONY.stages().run_events(events, false);
        assert_eq!(outcome.blocks[0][1], expected, "{name}");
        let has_hit = outcome.hits.contains(&"harmony-call-names");
        assert_eq!(has_hit, name != expected, "{name}");
    };
    check("ls", "ls");
    check("ls<|channel|>commentary", "ls");
    check("functions.ls", "ls");
    check("functions.Other", "Other");
    check("Other<|channel|>json", "Other");
    check("15", "15");
}
