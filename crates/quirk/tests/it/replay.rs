//! A request that needs no repair goes through its own wire untouched.

use crate::translate::Upstream;

/// Odd spacing, escapes and numbers, so that anything rewritten shows.
const CLEAN: &str = r#"{ "model":"kimi-k2.6", "max_completion_tokens": 100, "messages": [
  {"role":"user","content":"a\u00e9"},
  {"role":"assistant","tool_calls":[{"id":"functions.ls:0","type":"function","function":{"name":"ls","arguments":"{ \"n\": 1.0 }"}}]},
  {"role":"tool","tool_call_id":"functions.ls:0","content":"out"}],
 "tools":[{"type":"function","function":{"name":"ls","parameters":{ "type":"object","properties":{},"required":[] }}}] }"#;

#[test]
fn clean_messages_and_tools_keep_their_bytes() {
    for upstream in [Upstream::moonshot(), Upstream::third_party()] {
        let sent = upstream.send_chat(CLEAN);
        assert_eq!(sent.hits, Vec::<&str>::new(), "{}", upstream.model);
        for part in [
            r#"{"role":"user","content":"a\u00e9"}"#,
            r#""arguments":"{ \"n\": 1.0 }""#,
            r#"{ "type":"object","properties":{},"required":[] }"#,
        ] {
            assert!(sent.body.contains(part), "{part} in {}", sent.body);
        }
    }
}
