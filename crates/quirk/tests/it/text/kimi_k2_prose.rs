//! Kimi K2: thoughts, tags, filler and debris in its text, and prose about all of them.

use super::Setting;
use super::kimi_k2::{TOOLS, check, check_implicit, check_in};
use crate::translate::Upstream;

#[test]
fn prose_about_markers_stays() {
    for prose in [
        "Use `<think>` and `</think>` tags.",
        "The `«c»` token, then '«s»'.",
        "A `<tool_call>` tag, <tool_call>{\"name\":\"x\"}</tool_call> as Hermes writes it",
        "ChatML: «E» ends a turn.",
        "In the middle (no content) is text.",
        "a < b, a <t, a <|, a <|tool_",
        "«C»functions.a b:0«A»{}«c»«s» as prose",
        "«S»some words«s»",
        "«S» unfinished",
        "x «C»functions.Ba",
        "«C»",
        "«C»é",
        "<html><head><title>T</title></head>",
        "  leading and trailing \n\n",
    ] {
        let content = format!("c:{prose}");
        check(&[&content], "stop", &format!("text {prose} > end_turn"));
        check(
            &["r:r", &content],
            "stop",
            &format!("think r | text {prose} > end_turn"),
        );
    }
    let long = format!("«C»{}", "x".repeat(300));
    check(
        &[&format!("c:{long}")],
        "stop",
        &format!("text {long} > end_turn"),
    );
}

#[test]
fn debris_at_the_end_goes() {
    check(
        &["c:Searching now.<tool_call>Web<tool_call>mcp__per"],
        "stop",
        "text Searching now. > end_turn",
    );
    check(
        &["c:Let me search.<tool_call>search"],
        "stop",
        "text Let me search. > end_turn",
    );
    check(&["c:Done.«E»"], "stop", "text Done. > end_turn");
    check(&["c:Done.\n«E»\n"], "stop", "text Done. > end_turn");
    check(&["c:a«c»b"], "stop", "text ab > end_turn");
    check(
        &["c:The tag <tool_call> is"],
        "stop",
        "text The tag <tool_call> is > end_turn",
    );
}

#[test]
fn thoughts_in_content() {
    check(
        &["c:<thinking>a</thinking>B"],
        "stop",
        "think a | text B > end_turn",
    );
    check(
        &["c: \n<think>a</think>\nB"],
        "stop",
        "think a | text B > end_turn",
    );
    check(
        &["c:<think>a</think>B</think>C"],
        "stop",
        "think a | text B</think>C > end_turn",
    );
    check(&["c:<think>a"], "stop", "think a > end_turn");
    check(&["c:<think></think>B"], "stop", "text B > end_turn");
    check(
        &["c:<think>(no content)a</think>(no content)(no content)B"],
        "stop",
        "think a | text B > end_turn",
    );
    check(
        &["r:a", "c:<think>\n\n</think>\n\nB"],
        "stop",
        "think a | text B > end_turn",
    );
    check_implicit(&["c:a"], "stop", "think a > end_turn");
    check_implicit(
        &["c:<think>a</think></think>B"],
        "stop",
        "think a | text B > end_turn",
    );
    check_implicit(
        &["c:a</think>The `</think>` tag"],
        "stop",
        "think a | text The `</think>` tag > end_turn",
    );
    check_implicit(&["r:a", "c:B"], "stop", "think a | text B > end_turn");
    check_implicit(
        &[r#"c:a</think>B «S»«C»lookup:0«A»{"term":"a"}«c»«s»"#],
        "tool_calls",
        r#"think a | text B | call lookup {"term":"a"} > tool_use"#,
    );
}

#[test]
fn tags_in_reasoning_go() {
    check(
        &["r:<thinking>This is my thought</thinking> Let's do this."],
        "stop",
        "think This is my thought Let's do this. > end_turn",
    );
    check(
        &["r:Let me check </think> update"],
        "stop",
        "think Let me check  update > end_turn",
    );
    check(
        &["r:<think>\na\n</think>\n", "c:B"],
        "stop",
        "think a | text B > end_turn",
    );
    check(
        &["r:The `</think>` tag.", "c:B"],
        "stop",
        "think The `</think>` tag. | text B > end_turn",
    );
}

#[test]
fn content_begins_as_text_where_the_host_is_told_not_to_think() {
    let vllm = Upstream::new(&["vllm", "kimi-k2-implicit"], "kimi-k2.6");
    let silent = Setting::new(vllm.clone(), &TOOLS);
    check_in(
        &silent.clone().stages(),
        &["c:a</think>B"],
        "stop",
        "text aB > end_turn",
    );
    check_in(
        &silent.thinking("enabled").stages(),
        &["c:a</think>B"],
        "stop",
        "think a | text B > end_turn",
    );
}

#[test]
fn both_groups_at_once_read_as_the_implicit_one() {
    let both = Setting::new(
        Upstream::new(&["kimi-k2", "kimi-k2-implicit"], "kimi-k2.5"),
        &TOOLS,
    )
    .stages();
    check_in(
        &both,
        &[r#"c:(no content)a</think>B «S»«C»lookup:0«A»{"term":"a"}«c»«s»x"#],
        "stop",
        r#"think a | text B | call lookup {"term":"a"} > tool_use"#,
    );
}

#[test]
fn strays_behind_an_answer_go() {
    check(
        &["c:All is written.«c»«s»«E»"],
        "stop",
        "text All is written. > end_turn",
    );
}
