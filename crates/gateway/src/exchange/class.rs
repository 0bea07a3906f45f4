//! What a client uses a request for, as far as it says so.
//!
//! Nothing is guessed from what a request holds: a conversation without tools may be anybody's. Agents mark what is not
//! their user's conversation in headers of their own; what they mark as a part of that conversation (Claude Code's
//! `compaction` and `side_reply`, Codex's `compact`) is as good as the conversation, whose prompt cache it uses.

use http::{HeaderMap, HeaderName};
use lingate_route::Class;
use lingate_wire::json::Doc;

use crate::front::fields::first_texts_of;

/// What Claude Code says a request is for, with `CLAUDE_CODE_GATEWAY_HINT_HEADERS=1`: `main`, `subagent`, `workflow`,
/// `compaction`, `auxiliary` or `side_reply`.
static CLAUDE_CODE: HeaderName = HeaderName::from_static("x-claude-code-request-class");
/// Claude Code's subagent, without that variable too.
static CLAUDE_CODE_AGENT: HeaderName = HeaderName::from_static("x-claude-code-agent-id");
/// Codex's subagents: `review`, `collab_spawn`, ..., and its background work.
static CODEX: HeaderName = HeaderName::from_static("x-openai-subagent");
/// Codex writes down what it remembers.
static CODEX_MEMORY: HeaderName = HeaderName::from_static("x-openai-memgen-request");
/// Copilot: `conversation-user`, `conversation-agent`, `conversation-subagent`, `conversation-background`.
static COPILOT: HeaderName = HeaderName::from_static("x-interaction-type");
/// Codex's thread.
static CODEX_THREAD: HeaderName = HeaderName::from_static("thread-id");
/// In Claude Code's attribution block, which passes proxies that drop headers.
const ATTRIBUTION: &str = "x-anthropic-billing-header:";
const ATTRIBUTED_SUBAGENT: &str = "cc_is_subagent=true";

/// The class of a request.
pub(super) fn class(headers: &HeaderMap, doc: &Doc) -> Class {
    let [claude_code, claude_code_agent, codex, codex_memory, copilot] = first_texts_of(
        headers,
        [
            &CLAUDE_CODE,
            &CLAUDE_CODE_AGENT,
            &CODEX,
            &CODEX_MEMORY,
            &COPILOT,
        ],
    );
    let told = match claude_code {
        Some("auxiliary") => return Class::Auxiliary,
        Some("subagent" | "workflow") => true,
        _ => claude_code_agent.is_some(),
    };
    match (codex, copilot) {
        (Some("memory_consolidation"), _) | (_, Some("conversation-background")) => {
            return Class::Auxiliary;
        }
        _ if codex_memory == Some("true") => return Class::Auxiliary,
        _ => {}
    }
    let is_codex_agent = codex.is_some_and(|agent| agent != "compact");
    let is_copilot_agent = copilot == Some("conversation-subagent");
    if told || is_codex_agent || is_copilot_agent || is_attributed(doc) {
        Class::Subagent
    } else {
        Class::Main
    }
}

/// The agent within its session that asks; empty for the main one.
pub(super) fn agent(headers: &HeaderMap) -> &str {
    // Codex names a subagent's thread; its session and cache key are the main conversation's.
    let [claude_code, codex] = first_texts_of(headers, [&CLAUDE_CODE_AGENT, &CODEX_THREAD]);
    claude_code.or(codex).unwrap_or_default()
}

fn is_attributed(doc: &Doc) -> bool {
    let system = doc.root().get("system");
    let first = system.and_then(|system| system.items().next()?.get("text")?.text());
    // Both are spelled in JSON as they are, and a system prompt is long: its escapes are not undone for this.
    first.is_some_and(|text| {
        let text = text.as_kept();
        text.starts_with(ATTRIBUTION) && text.contains(ATTRIBUTED_SUBAGENT)
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use lingate_wire::json::scan;

    use super::*;

    #[track_caller]
    fn check(headers: &[(&HeaderName, &'static str)], system: &str, expected: Class) {
        let headers = headers
            .iter()
            .map(|(name, value)| ((*name).clone(), HeaderValue::from_static(value)));
        let headers = HeaderMap::from_iter(headers);
        let doc = scan(&format!(r#"{{"system":{system}}}"#).into()).unwrap();
        assert_eq!(class(&headers, &doc), expected, "{headers:?} {system}");
    }

    #[test]
    fn agents_say_what_a_request_is_for() {
        use Class::{Auxiliary, Main, Subagent};
        for (headers, expected) in [
            (&[][..], Main),
            (&[(&CLAUDE_CODE, "main")], Main),
            (&[(&CLAUDE_CODE, "subagent")], Subagent),
            (&[(&CLAUDE_CODE, "workflow")], Subagent),
            (&[(&CLAUDE_CODE, "auxiliary")], Auxiliary),
            (&[(&CLAUDE_CODE, "compaction")], Main),
            (&[(&CLAUDE_CODE, "side_reply")], Main),
            (&[(&CLAUDE_CODE, "of tomorrow")], Main),
            (&[(&CLAUDE_CODE_AGENT, "a3c4")], Subagent),
            (
                &[(&CLAUDE_CODE_AGENT, "a3c4"), (&CLAUDE_CODE, "compaction")],
                Subagent,
            ),
            (
                &[(&CLAUDE_CODE_AGENT, "a3c4"), (&CLAUDE_CODE, "auxiliary")],
                Auxiliary,
            ),
            (&[(&CODEX, "review")], Subagent),
            (&[(&CODEX, "collab_spawn")], Subagent),
            (&[(&CODEX, "compact")], Main),
            (&[(&CODEX, "memory_consolidation")], Auxiliary),
            (&[(&CODEX_MEMORY, "true")], Auxiliary),
            (&[(&COPILOT, "conversation-user")], Main),
            (&[(&COPILOT, "conversation-agent")], Main),
            (&[(&COPILOT, "conversation-subagent")], Subagent),
            (&[(&COPILOT, "conversation-background")], Auxiliary),
        ] {
            check(headers, "[]", expected);
        }
    }

    #[test]
    fn the_attribution_block_counts_where_it_stands() {
        let block = |text: &str| format!(r#"[{{"type":"text","text":"{text}"}}]"#);
        let own = "x-anthropic-billing-header: cc_version=2; cc_is_subagent=true;";
        check(&[], &block(own), Class::Subagent);
        check(
            &[],
            &block("x-anthropic-billing-header: cc_version=2;"),
            Class::Main,
        );
        check(&[], &block("says cc_is_subagent=true"), Class::Main);
        check(&[], "\"cc_is_subagent=true\"", Class::Main);
    }
}
