//! Families whose arguments are JSON: what the vectors leave open, each case at every cut.

use lingate_wire::turn::{Event, Opening, Slot};

use super::events;
use super::families::{DEEPSEEK, HARMONY, HERMES, LLAMA, check, check_all, stays};

#[test]
fn hermes() {
    const LS: &str = "call ls {} > tool_use";
    const SF: &str = r#"call get_weather {"city": "SF"} > tool_use"#;
    check_all(
        HERMES,
        &[
            ("<tool_call>\n{\"name\": \"ls\", \"arguments\": {}}", LS),
            (r#"<tool_call>{"name": "ls"}</tool_call>"#, LS),
            (
                r#"<tool_call>{"name": "ls", "arguments": null}</tool_call>"#,
                LS,
            ),
            (
                r#"<tool_call>{"name": "ls", "arguments": ""}</tool_call>"#,
                LS,
            ),
            (
                r#"<tool_call>{"arguments": {"city": "SF"}, "name": "get_weather"}</tool_call>"#,
                SF,
            ),
            (
                r#"<tool_call>{"id":"1","type":"function","function":{"name":"get_weather","arguments":{"city": "SF"}}}</tool_call>"#,
                SF,
            ),
            (
                r#"<tool_call>{"function": {"name": "get_weather"}, "parameters": {"city": "SF"}}</tool_call>"#,
                SF,
            ),
            (
                r#"<tool_call>{"type": "function", "function": {"name": "ls"}}</tool_call>"#,
                LS,
            ),
            (
                r#"<tool_call>{"name": "get_weather", "parameters": {"city": "SF"}, "id": "a</tool_call>}"}</tool_call>"#,
                SF,
            ),
            (
                r#"<tool_call>{"name": "functions.get_weather:0", "arguments": {"city": "SF"}}}</tool_call>"#,
                SF,
            ),
            (
                r#"<tool_call>{"name": "call_7", "arguments": {"city": "SF"}}</tool_call>"#,
                SF,
            ),
            (
                r#"<tool_call>{"name": "Nope", "arguments": {}}</tool_call>"#,
                "call Nope {} > tool_use",
            ),
            (
                "<think>\nhm\n</think>\n\n<tool_call>{\"name\": \"ls\", \"arguments\": {}}</tool_call>\n after",
                "think hm | call ls {} > tool_use",
            ),
            (
                r#"<tool_call>{"name": "ls", "arguments": {}}<tool_call>{"name": "get_weather", "arguments": {"city": "SF"}}</tool_call>"#,
                r#"call ls {} | call get_weather {"city": "SF"} > tool_use"#,
            ),
            (
                r#"<tool_call>{"name": "get_weather", "arguments": "{\"city\": \"a\\n</tool_call>b\"}"}</tool_call>"#,
                r#"call get_weather {"city": "a\n</tool_call>b"} > tool_use"#,
            ),
            (
                r#"<tool_call>{"name": "get_weather", "arguments": {"city": "SF"#,
                r#"call get_weather {"city": "SF > BrokenToolCall"#,
            ),
            (
                r#"a <tool_call>{"name": "get_weather", "arg"#,
                "text a > BrokenToolCall",
            ),
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
fn deepseek_tokens() {
    let sf = r#"call get_weather {"city": "SF"} > tool_use"#;
    check_all(
        DEEPSEEK,
        &[
            (
                "<｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>{\"city\": \"SF\"}<｜tool▁call▁end｜>",
                sf,
            ),
            (
                "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>{\"city\": \"SF\"}",
                sf,
            ),
            (
                "<｜tool▁calls▁begin｜>\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather\n```json\n{\"city\": \"SF\"}\n```<｜tool▁call▁end｜>\n<｜tool▁calls▁end｜><｜end▁of▁sentence｜>",
                sf,
            ),
            (
                "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>ls<｜tool▁sep｜><｜tool▁call▁end｜><｜tool▁calls▁end｜> more",
                "call ls {} > tool_use",
            ),
            (
                "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>ls<｜tool▁sep｜>{}<｜tool▁calls▁end｜>",
                "call ls {} > tool_use",
            ),
            (
                "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>{\"city\": \"<｜tool▁call▁end｜>\"}<｜tool▁call▁end｜>",
                r#"call get_weather {"city": "<｜tool▁call▁end｜>"} > tool_use"#,
            ),
            (
                "<｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>{\"city\": ",
                r#"call get_weather {"city":  > BrokenToolCall"#,
            ),
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
fn harmony() {
    let sf = r#"call get_weather {"city":"SF"} > tool_use"#;
    check_all(
        HARMONY,
        &[
            (
                "<|start|>assistant to=functions.get_weather<|channel|>commentary json<|message|>{\"city\":\"SF\"}<|call|>",
                sf,
            ),
            (
                "<|channel|>commentary to=get_weather<|constrain|>json<|message|>{\"city\":\"SF\"}",
                sf,
            ),
            (
                "<|channel|>commentary<|message|>I look.<|end|><|start|>assistant<|channel|>commentary to=functions.ls<|message|><|call|>",
                "text I look. | call ls {} > tool_use",
            ),
            (
                "<|channel|>commentary to=functions.ls <|message|>{}<|call|><|start|>assistant<|channel|>commentary to=functions.get_weather<|message|>{\"city\":\"SF\"}<|call|>",
                r#"call ls {} | call get_weather {"city":"SF"} > tool_use"#,
            ),
            (
                "<|start|>assistant<|channel|>commentary to=functions.get_weatherjson<|message|>{\"city\":\"SF\"}<|return|>",
                sf,
            ),
            ("Plain.", "text Plain. > end_turn"),
            (
                "<|channel|>final <|constrain|>json<|message|>{}",
                "text {} > end_turn",
            ),
            ("42<|return|>", "text 42 > end_turn"),
            (
                "<|channel|>commentary to=functions.get_weather<|message|>{\"city\":\"<|call|>\"}<|call|>",
                r#"call get_weather {"city":"<|call|>"} > tool_use"#,
            ),
            (
                "<|channel|>commentary to=functions.get_weather<|message|>{\"city\":\"S",
                r#"call get_weather {"city":"S > BrokenToolCall"#,
            ),
        ],
    );
    stays(
        HARMONY,
        &["<|channel|>", "<|start|>assistant\nx", "a <|chan"],
    );
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
            (r#"<function=get_weather={"city": "SF"}</function>"#, sf),
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
            "<function=ls=a>{}</function>",
            "<function=a b>",
            "<function=",
        ],
    );
}

#[test]
fn names_of_structured_calls_lose_the_header() {
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
