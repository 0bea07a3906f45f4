//! Reasoning in the history, and how a host is asked to think.

use super::*;

#[test]
fn reasoning_goes_where_the_host_looks_for_it() {
    let details = r#"[{"type":"reasoning.text","text":"hm","signature":"S"}]"#;
    let history = |signature: String| {
        json!({
            "thinking": {"type": "adaptive"},
            "messages": [{"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "signature": signature}, call("x")]}, user(json!([result("x", json!("1"))]))],
        })
    };
    let spoken = |reasoning, signature: String| {
        let dialect = Dialect {
            reasoning,
            missing_reasoning: Some(" "),
            ..Dialect::default()
        };
        let (body, losses) = from_anthropic(&history(signature), &dialect);
        let mut message = body["messages"][0].as_object().unwrap().clone();
        message.retain(|key, _| key.starts_with("reasoning"));
        (
            Value::from(message).to_string(),
            losses
                .into_iter()
                .filter(|loss| loss.starts_with("messages"))
                .collect::<Vec<_>>(),
        )
    };
    let lost = |path: &str| vec![format!("messages[0].content[0]{path}")];
    let none = Vec::new;
    assert_eq!(
        spoken(ReasoningField::ReasoningContent, key().seal("")),
        (r#"{"reasoning_content":"hm"}"#.into(), none())
    );
    assert_eq!(
        spoken(ReasoningField::Reasoning, "Native".into()),
        (r#"{"reasoning":"hm"}"#.into(), lost(".signature"))
    );
    assert_eq!(
        spoken(ReasoningField::ReasoningDetails, key().seal("")),
        (
            r#"{"reasoning_details":[{"text":"hm","type":"reasoning.text"}]}"#.replace(
                r#""text":"hm","type":"reasoning.text""#,
                r#""type":"reasoning.text","text":"hm""#
            ),
            none()
        )
    );
    assert_eq!(
        spoken(ReasoningField::ReasoningDetails, key().seal(details)),
        (format!(r#"{{"reasoning_details":{details}}}"#), none())
    );
    let late = r#"[{"type":"reasoning.text","text":"hm","index":0,"signature":"S"}]"#;
    let blocks = |first: &str| {
        let thought = |text: &str, payload: &str| json!({"type": "thinking", "thinking": text, "signature": key().seal(payload)});
        let members = json!({"messages": [{"role": "assistant", "content": [thought("hm", first), {"type": "text", "text": "a"}, thought("", late)]}]});
        let dialect = Dialect {
            reasoning: ReasoningField::ReasoningDetails,
            ..Dialect::default()
        };
        from_anthropic(&members, &dialect).0["messages"][0]["reasoning_details"].to_string()
    };
    let expected = serde_json::from_str::<Value>(late).unwrap().to_string();
    for first in ["", r#"[{"type":"reasoning.text","text":"hm","index":0}]"#] {
        assert_eq!(blocks(first), expected, "said once, with its signature");
    }
    let elsewhere = SealKey::new("q", "q#1", "m").seal(details);
    assert_eq!(
        spoken(ReasoningField::ReasoningDetails, elsewhere).1,
        lost(".signature")
    );
    assert_eq!(
        spoken(ReasoningField::None, key().seal("")),
        ("{}".into(), lost(""))
    );
}

#[test]
fn a_placeholder_only_where_calls_were_made_while_thinking() {
    let dialect = Dialect {
        missing_reasoning: Some(" "),
        ..Dialect::default()
    };
    let reasoning = |thinking: Value, content: Value| {
        let members = json!({"thinking": thinking, "messages": [{"role": "assistant", "content": content}, user(json!([result("x", json!("1"))]))]});
        from_anthropic(&members, &dialect).0["messages"][0]["reasoning_content"].clone()
    };
    assert_eq!(
        reasoning(
            json!({"type": "enabled", "budget_tokens": 1024}),
            json!([call("x")])
        ),
        " "
    );
    assert_eq!(reasoning(Value::Null, json!([call("x")])), " ");
    assert_eq!(
        reasoning(json!({"type": "disabled"}), json!([call("x")])),
        Value::Null
    );
    assert_eq!(
        reasoning(json!({"type": "adaptive"}), json!("text")),
        Value::Null
    );
}

/// What is asked for, the members written, and the losses, for one style.
#[track_caller]
fn check_thinking(
    style: ThinkingStyle,
    thinking: Option<ThinkingMode>,
    effort: Option<Effort>,
    expected: Value,
    losses: &[&str],
) {
    let doc = anthropic::scan_request(&ByteString::from(
        r#"{"model":"m","max_tokens":1,"messages":[]}"#,
    ))
    .unwrap();
    let mut decoded = anthropic::decode_request(&doc).unwrap();
    decoded.params.thinking = thinking;
    decoded.params.effort = effort;
    let dialect = Dialect {
        thinking: style,
        ..Dialect::default()
    };
    let (mut body, found) = encode(&decoded, &dialect);
    body.as_object_mut()
        .unwrap()
        .retain(|key, _| super::super::thinking::MEMBERS.contains(&key.as_str()));
    assert_eq!(
        (body, found.as_slice()),
        (
            expected,
            losses
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .as_slice()
        ),
        "{style:?} {thinking:?} {effort:?}"
    );
}

/// Style, mode and effort asked for; members written and losses expected.
type ThinkingCase = (
    ThinkingStyle,
    Option<ThinkingMode>,
    Option<Effort>,
    Value,
    &'static [&'static str],
);

#[test]
fn thinking_in_every_style() {
    use ThinkingStyle::{EffortLowHighMax, None as Nothing, Reasoning, TemplateKwargs, Type};
    let budget = Some(ThinkingMode::Enabled {
        budget_tokens: Some(8000),
    });
    let (adaptive, off) = (Some(ThinkingMode::Adaptive), Some(ThinkingMode::Disabled));
    let cases: [ThinkingCase; 20] = [
        (
            Type,
            None,
            None,
            json!({"thinking": {"type": "disabled"}}),
            &[],
        ),
        (
            TemplateKwargs,
            None,
            None,
            json!({"chat_template_kwargs": {"thinking": false, "enable_thinking": false}}),
            &[],
        ),
        (
            Reasoning,
            None,
            None,
            json!({"reasoning": {"enabled": false}}),
            &[],
        ),
        (EffortLowHighMax, None, None, json!({}), &[]),
        (
            Nothing,
            adaptive,
            Some(Effort::High),
            json!({}),
            &["thinking", "output_config.effort"],
        ),
        (Nothing, None, None, json!({}), &[]),
        (
            ThinkingStyle::Effort,
            adaptive,
            Some(Effort::Max),
            json!({"reasoning_effort": "max"}),
            &[],
        ),
        (
            ThinkingStyle::Effort,
            budget,
            None,
            json!({"reasoning_effort": "medium"}),
            &["thinking.budget_tokens"],
        ),
        (
            ThinkingStyle::Effort,
            off,
            Some(Effort::High),
            json!({"reasoning_effort": "none"}),
            &[],
        ),
        (ThinkingStyle::Effort, adaptive, None, json!({}), &[]),
        (
            EffortLowHighMax,
            adaptive,
            Some(Effort::Medium),
            json!({"reasoning_effort": "high"}),
            &[],
        ),
        (
            EffortLowHighMax,
            adaptive,
            Some(Effort::XHigh),
            json!({"reasoning_effort": "max"}),
            &[],
        ),
        (
            EffortLowHighMax,
            off,
            None,
            json!({"reasoning_effort": "low"}),
            &["thinking"],
        ),
        (
            Type,
            adaptive,
            Some(Effort::Low),
            json!({"thinking": {"type": "enabled"}}),
            &["output_config.effort"],
        ),
        (
            Type,
            off,
            None,
            json!({"thinking": {"type": "disabled"}}),
            &[],
        ),
        (
            TemplateKwargs,
            off,
            None,
            json!({"chat_template_kwargs": {"thinking": false, "enable_thinking": false}}),
            &[],
        ),
        (
            Reasoning,
            budget,
            None,
            json!({"reasoning": {"max_tokens": 8000}}),
            &[],
        ),
        (
            Reasoning,
            adaptive,
            Some(Effort::Max),
            json!({"reasoning": {"effort": "xhigh"}}),
            &[],
        ),
        (
            Reasoning,
            adaptive,
            None,
            json!({"reasoning": {"enabled": true}}),
            &[],
        ),
        (
            Reasoning,
            off,
            None,
            json!({"reasoning": {"enabled": false}}),
            &[],
        ),
    ];
    for (style, thinking, effort, expected, losses) in cases {
        check_thinking(style, thinking, effort, expected, losses);
    }
}

#[test]
fn silence_about_thinking_says_nothing_to_a_model_that_always_thinks_or_to_a_client_of_this_wire() {
    for style in [
        ThinkingStyle::Type,
        ThinkingStyle::Reasoning,
        ThinkingStyle::TemplateKwargs,
    ] {
        let dialect = |always_thinks| Dialect {
            thinking: style,
            always_thinks,
            ..Dialect::default()
        };
        let asks = |(body, _): (Value, Vec<String>)| {
            super::super::thinking::MEMBERS
                .iter()
                .any(|member| body.get(member).is_some())
        };
        assert!(asks(from_anthropic(&json!({}), &dialect(false))));
        assert!(!asks(from_anthropic(&json!({}), &dialect(true))));
        assert!(!asks(from_chat(
            r#"{"model":"m","messages":[]}"#,
            &dialect(false)
        )));
    }
}

#[test]
fn a_switch_and_an_effort_beside_it() {
    let dialect = Dialect {
        thinking: ThinkingStyle::TypeAndEffort,
        ..Dialect::default()
    };
    let on = json!({"type": "enabled"});
    let off = json!({"type": "disabled"});
    let adaptive = json!({"type": "adaptive"});
    for (members, thinking, effort, losses) in [
        (json!({}), off.clone(), Value::Null, vec![]),
        (
            json!({"thinking": adaptive}),
            on.clone(),
            Value::Null,
            vec![],
        ),
        (
            json!({"output_config": {"effort": "low"}}),
            on.clone(),
            json!("low"),
            vec![],
        ),
        (
            json!({"output_config": {"effort": "xhigh"}}),
            on.clone(),
            json!("high"),
            vec![],
        ),
        (
            json!({"thinking": adaptive, "output_config": {"effort": "max"}}),
            on.clone(),
            json!("max"),
            vec![],
        ),
        (
            json!({"thinking": {"type": "disabled"}, "output_config": {"effort": "high"}}),
            off.clone(),
            Value::Null,
            vec!["output_config.effort"],
        ),
    ] {
        let expected = json!({"thinking": thinking, "reasoning_effort": effort});
        check_members(&dialect, members, expected, &losses);
    }
    let sent = |members: &str| {
        let body = format!(r#"{{"model":"m","messages":[]{members}}}"#);
        let (body, losses) = from_chat(&body, &dialect);
        assert_eq!(losses, Vec::<String>::new(), "{members}");
        (body["thinking"].clone(), body["reasoning_effort"].clone())
    };
    assert_eq!(sent(""), (Value::Null, Value::Null));
    assert_eq!(
        sent(r#","reasoning_effort":"xhigh""#),
        (on.clone(), json!("high"))
    );
    assert_eq!(
        sent(r#","thinking":{"type":"enabled"},"reasoning_effort":"max""#),
        (on, json!("max"))
    );
    assert_eq!(sent(r#","reasoning_effort":"none""#), (off, Value::Null));
}

#[test]
fn a_member_stands_beside_the_switch() {
    let dialect = Dialect {
        thinking: ThinkingStyle::Type,
        thinking_member: Some(("clear_thinking", "false")),
        ..Dialect::default()
    };
    for (asked, expected) in [
        (
            json!({"type": "adaptive"}),
            json!({"type": "enabled", "clear_thinking": false}),
        ),
        (json!({"type": "disabled"}), json!({"type": "disabled"})),
    ] {
        check_members(
            &dialect,
            json!({"thinking": asked}),
            json!({"thinking": expected}),
            &[],
        );
    }
}
