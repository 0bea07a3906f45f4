//! Families whose arguments are elements: what the vectors leave open, each case at every cut.

use super::families::{DEEPSEEK, GLM, KIMI_K3, MINIMAX, check, check_all, stays};

#[test]
fn glm() {
    let sf = r#"call get_weather {"city":"SF"} > tool_use"#;
    check_all(
        GLM,
        &[
            ("<tool_call>ls\n</tool_call>", "call ls {} > tool_use"),
            (
                "\n<think>a</think>\n<tool_call>get_weather<arg_key>city</arg_key><arg_value>SF</arg_value></tool_call>",
                r#"think a | call get_weather {"city":"SF"} > tool_use"#,
            ),
            (
                "<tool_call> functions.get_weather\n<arg_key> city </arg_key>\n<arg_value>SF</arg_value>\n</tool_call>",
                sf,
            ),
            (
                "<tool_call>get_weather<arg_key>city<arg_value>SF</arg_value></tool_call>",
                sf,
            ),
            (
                "<tool_call>Write<arg_key>path</arg_key><arg_value>a</arg_value><arg_key>content</arg_key><arg_value>\n</tool_call><arg_key>\n</arg_value></tool_call>",
                "call Write {\"path\":\"a\",\"content\":\"\\n</tool_call><arg_key>\\n\"} > tool_use",
            ),
            (
                "<tool_call>Nope<arg_key>x</arg_key><arg_value>1</arg_value></tool_call>",
                r#"call Nope {"x":1} > tool_use"#,
            ),
            (
                "<tool_call>get_weather<arg_key>arguments</arg_key><arg_value>{\"city\": \"SF\", \"days\": 1}</arg_value></tool_call>",
                r#"call get_weather {"city": "SF", "days": 1} > tool_use"#,
            ),
            (
                "a <tool_call>get_weather<arg_key>city</arg_key><arg_value>S",
                r#"text a | call get_weather {"city":"S > BrokenToolCall"#,
            ),
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
                &format!(
                    "<｜DSML｜tool_calls>{}",
                    call.replace("get_weather", "Nope")
                ),
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
            (
                "<minimax:tool_call><invoke name=get_weather><parameter name='city'>SF</parameter></invoke>",
                sf,
            ),
            (
                "<minimax:tool_call><invoke name=\"get_weather\"><parameter name=\"city\">SF</parameter></minimax:tool_call>",
                sf,
            ),
            (
                "<invoke name=\"get_weather\"><parameter name=\"city\">SF</parameter></invoke></minimax:tool_call>",
                sf,
            ),
            ("<think>\na\n</think>\n\nb", "think a | text b > end_turn"),
            (
                "<mm:think>a</mm:think>b<minimax:tool_call>\n<invoke name=\"ls\">\n</invoke>\n<invoke name=\"ls\"></invoke></minimax:tool_call>",
                "think a | text b | call ls {} | call ls {} > tool_use",
            ),
            (
                "<invoke name=\"Write\"><parameter name=\"path\">a</parameter><parameter name=\"content\">x <b>\n</parameter></invoke>",
                "call Write {\"path\":\"a\",\"content\":\"x <b>\\n\"} > tool_use",
            ),
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
            (
                "plan<|close|>think<|sep|><|open|>response<|sep|>Hi<|close|>response<|sep|><|close|>message<|sep|>",
                "text plan | text Hi > end_turn",
            ),
            ("Hi<|close|>response<|sep|>", "text Hi > end_turn"),
            (
                "<|open|>call tool=\"ls\" index=\"1\"<|sep|><|close|>call<|sep|>",
                ls,
            ),
            (
                "<|open|>tools<|sep|>\n<|open|>call tool=\"functions.ls\" index=\"1\"<|sep|>\n<|close|>call<|sep|>\n<|open|>call tool=\"ls\" index=\"2\"<|sep|><|close|>tools<|sep|>",
                "call ls {} | call ls {} > tool_use",
            ),
            (
                "<|open|>tools<|sep|><|open|>call tool=\"Nope\"<|sep|><|open|>argument key=\"a&quot;&amp;quot;\" type=\"array\"<|sep|>[1, 2]<|close|>argument<|sep|><|close|>call<|sep|><|close|>tools<|sep|>",
                r#"call Nope {"a\"&quot;":[1, 2]} > tool_use"#,
            ),
            (
                "<|open|>call tool=\"Write\"<|sep|><|open|>argument key=\"content\" type=\"string\"<|sep|><|open|>x<|sep|>\n<|close|>argument<|sep|><|close|>call<|sep|>",
                r#"call Write {"content":"<|open|>x<|sep|>\n"} > tool_use"#,
            ),
            (
                "<|open|>call tool=\"get_weather\"<|sep|><|open|>argument key=\"city\" type=\"string\"<|sep|>S",
                r#"call get_weather {"city":"S > BrokenToolCall"#,
            ),
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
