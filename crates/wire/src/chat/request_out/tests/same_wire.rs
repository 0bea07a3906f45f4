//! A client of this wire.

use super::*;

#[test]
fn a_chat_clients_own_words_go_out_again() {
    let body = r#"{"model":"m","messages":[{"role":"developer","content":"d"},{"role":"user","content":[{"text":"a"}],"name":"n"},
        {"role":"assistant","content":null,"tool_calls":[{"id":"x","type":"function","function":{"name":"f","arguments":"{ }"}}]},
        {"role":"tool","tool_call_id":"x","content":""},{"role":"tool","tool_call_id":"stray","content":[]}],
        "tools":[{"type":"function","function":{"name":"f"}},{"type":"web_search"}],"tool_choice":{"type":"allowed_tools","allowed_tools":{}},
        "reasoning_effort":"low","thinking":{"type":"enabled","keep":"all"},"seed":3,"user":"u","top_k":1,"stop":["a","b","c","d","e"]}"#;
    let (found, losses) = from_chat(body, &Dialect::default());
    let mut expected: Value = serde_json::from_str(body).unwrap();
    expected["model"] = json!("up");
    assert_eq!(found, expected);
    assert_eq!(losses, Vec::<String>::new());
}

#[test]
fn another_hosts_words_for_thinking_are_translated() {
    let dialect = Dialect {
        thinking: ThinkingStyle::Type,
        ..Dialect::default()
    };
    let (body, _) = from_chat(
        r#"{"model":"m","messages":[],"reasoning":{"enabled":false}}"#,
        &dialect,
    );
    assert_eq!(
        (&body["thinking"], &body["reasoning"]),
        (&json!({"type": "disabled"}), &Value::Null)
    );
    let (body, _) = from_chat(
        r#"{"model":"m","messages":[],"thinking":{"type":"enabled","keep":"all"}}"#,
        &dialect,
    );
    assert_eq!(body["thinking"], json!({"type": "enabled", "keep": "all"}));
}

#[test]
fn a_changed_message_is_written_anew_and_the_rest_is_copied() {
    let body = r#"{"model":"m","messages":[{"role":"user","content":"a","name":"n"},{"role":"assistant","content":"b","name":"k"}]}"#;
    let doc = chat::scan_request(&ByteString::from(body)).unwrap();
    let mut decoded = chat::decode_request(&doc).unwrap();
    decoded.turn.messages.last_mut().unwrap().edit();
    let (body, losses) = encode(&decoded, &Dialect::default());
    assert_eq!(
        body["messages"],
        json!([{"role": "user", "content": "a", "name": "n"}, {"role": "assistant", "content": "b", "name": "k"}])
    );
    assert!(losses.is_empty());
}
