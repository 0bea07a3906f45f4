//! Rules by what a request is for, as Claude Code itself says it: subagents and searches go elsewhere, the conversation
//! stays.

use lingate_e2e::{Claude, Gateway, Home};
use lingate_testkit::{Agent, Received, Reply, Step, Upstream};
use serde_json::json;

use crate::expect;

/// Three providers: for the conversation, for subagents, and one of the client's own wire for what only such a one has.
fn config(main: &Upstream, helper: &Upstream, search: &Upstream) -> String {
    let provider = |id: &str, upstream: &Upstream, wire: &str| {
        let url = upstream.url();
        format!(
            "[providers.{id}]\nbase_url = \"{url}\"\nspeaks = [\"{wire}\"]\napi_key = \"sk-scripted-0123456789\"\n"
        )
    };
    format!(
        r#"default = "main/big"
from_env = false
[server]
listen = "127.0.0.1:0"
[[rules]]
when = {{ class = "subagent" }}
use = "helper/quick"
[[rules]]
when = {{ tool = "web_search*" }}
use = "search/finder"
{}{}{}"#,
        provider("main", main, "chat"),
        provider("helper", helper, "chat"),
        provider("search", search, "anthropic"),
    )
}

async fn session(prompt: &str, hints: &str, own: Agent, theirs: Agent) -> [Vec<Received>; 3] {
    let home = Home::new();
    std::fs::write(home.project("secret.txt"), "the word is xylophone\n").unwrap();
    let main = Upstream::start(own.clone()).await;
    let helper = Upstream::start(theirs.clone()).await;
    let search = Upstream::start(|request: &Received| {
        Reply::text("Found: xylophones are struck.").answer(request)
    })
    .await;
    let gateway = Gateway::serve(&home, &config(&main, &helper, &search)).await;
    let Some(claude) = Claude::at(&home, &gateway.url) else {
        return [const { Vec::new() }; 3];
    };
    let transcript = claude
        .env("CLAUDE_CODE_GATEWAY_HINT_HEADERS", hints)
        .env("ENABLE_TOOL_SEARCH", "true")
        .session(prompt)
        .await;
    let answer = transcript.success();
    assert!(answer.contains("xylophone"), "{answer}");
    assert_eq!(own.faults(), [""; 0]);
    assert_eq!(theirs.faults(), [""; 0]);
    assert_eq!(gateway.stop().await.code, Some(0));
    home.is_quiet().await;
    [main.requests(), helper.requests(), search.requests()]
}

/// With the header that says so, and without: subagents are marked either way.
#[tokio::test(flavor = "multi_thread")]
async fn a_subagent_is_served_elsewhere_and_the_conversation_stays() {
    for hints in ["1", ""] {
        let task = json!({
            "description": "Look it up", "prompt": "DELEGATED: read secret.txt", "subagent_type": "general-purpose",
            "run_in_background": false,
        });
        let own = Agent::new().on(
            "SUBAGENT",
            [
                Step::call("Agent", task),
                Step::report(|results| format!("It reports: {}", results[0])),
            ],
        );
        let theirs = Agent::new().on(
            "DELEGATED",
            [
                Step::call(
                    "Bash",
                    json!({"command": "cat secret.txt", "description": "Read it"}),
                ),
                Step::report(|results| format!("The file says: {}", results[0])),
            ],
        );
        let [main, helper, search] = session("Do the SUBAGENT task.", hints, own, theirs).await;
        if main.is_empty() {
            return;
        }
        assert_eq!(
            expect::conversation(&main, "SUBAGENT").len(),
            2,
            "hints {hints:?}"
        );
        assert_eq!(
            expect::conversation(&helper, "DELEGATED").len(),
            2,
            "hints {hints:?}"
        );
        assert!(helper.iter().all(|request| request.model() == "quick"));
        assert!(main.iter().all(|request| request.model() == "big"));
        assert!(search.is_empty());
    }
}

/// The client's own web search: a request for one tool that only some providers run.
#[tokio::test(flavor = "multi_thread")]
async fn a_search_is_served_by_who_has_it() {
    let own = Agent::new().on(
        "SEARCHING",
        [
            Step::call(
                "ToolSearch",
                json!({"query": "select:WebSearch", "max_results": 1}),
            ),
            Step::call("WebSearch", json!({"query": "how are xylophones played"})),
            Step::report(|results| format!("It says: {}", results.last().unwrap())),
        ],
    );
    let [main, helper, search] = session("Do the SEARCHING task.", "1", own, Agent::new()).await;
    if main.is_empty() {
        return;
    }
    let [found] = search.as_slice() else {
        panic!("{} searches", search.len())
    };
    let tools = &found.json()["tools"];
    assert!(
        tools[0]["type"].as_str().unwrap().starts_with("web_search"),
        "{tools}"
    );
    assert_eq!(found.model(), "finder");
    assert_eq!(found.header("x-claude-code-request-class"), "auxiliary");
    assert!(main.len() >= 3 && helper.is_empty());
}
