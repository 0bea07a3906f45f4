//! A conversation that `lingate use` moves between providers goes on: no provider's signature poisons it for another.
//!
//! The client is like Claude Code: it sends the whole history each time, thinking and signatures as it got them, and
//! every prompt is answered by two rounds of tool calls and a closing text. The providers are as strict as the Anthropic
//! API: they refuse every signature but their own, in its words.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use lingate_testkit::{Answer, Received, Reply, Script, Upstream, Wire, anthropic};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::harness::Lingate;

/// What testkit signs with.
const UNSIGNED: &str = "c2NyaXB0ZWQ=";

/// A provider that takes back what it signed, as it was, and refuses the rest.
#[derive(Clone)]
struct Strict {
    name: &'static str,
    thinks: bool,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    /// Thoughts by their signature.
    signed: HashMap<String, String>,
    refused: Vec<String>,
    served: Vec<Received>,
}

impl Strict {
    fn new(name: &'static str) -> Self {
        Self {
            name,
            thinks: true,
            seen: Arc::default(),
        }
    }

    /// Why the Anthropic API would not take this.
    fn refusal(&self, request: &Received) -> Option<String> {
        let (text, body) = (request.text(), request.json());
        if text.contains("lg1.") {
            return Some("a seal of the gateway's left it".to_owned());
        }
        if request.wire() == Wire::Chat {
            return text
                .contains("signed-by-")
                .then(|| "a foreign token".to_owned());
        }
        let seen = self.seen.lock().unwrap();
        let messages = body["messages"].as_array().unwrap();
        for (m, message) in messages.iter().enumerate() {
            for (b, block) in message["content"]
                .as_array()
                .into_iter()
                .flatten()
                .enumerate()
            {
                let place = format!("messages.{m}.content.{b}");
                let known =
                    |member: &str| seen.signed.get(block[member].as_str().unwrap_or_default());
                match block["type"].as_str().unwrap() {
                    "thinking" if block["signature"].is_null() => {
                        return Some(format!("{place}.thinking.signature: Field required"));
                    }
                    "thinking" if known("signature").is_none() => {
                        return Some(format!("{place}: Invalid `signature` in `thinking` block"));
                    }
                    "thinking"
                        if known("signature").is_some_and(|own| block["thinking"] != **own) =>
                    {
                        return Some(format!(
                            "{place}: `thinking` or `redacted_thinking` blocks in the latest assistant message cannot be \
                             modified. These blocks must remain as they were in the original response."
                        ));
                    }
                    "redacted_thinking" if known("data").is_none() => {
                        return Some(format!(
                            "{place}: Invalid `data` in `redacted_thinking` block"
                        ));
                    }
                    _ => {}
                }
            }
        }
        let newest = messages
            .iter()
            .rposition(|message| message["role"] == "assistant")?;
        let first = &messages[newest]["content"][0]["type"];
        let is_loop = messages.last()?["content"][0]["type"] == "tool_result";
        (is_loop && body["thinking"]["type"] == "enabled" && first != "thinking" && first != "redacted_thinking").then(
            || {
                format!(
                    "messages.{newest}.content.0.type: Expected `thinking` or `redacted_thinking`, but found {first}. When \
                     `thinking` is enabled, a final `assistant` message must start with a thinking block (preceeding the \
                     lastmost set of `tool_use` and `tool_result` blocks). To avoid this requirement, disable `thinking`."
                )
            },
        )
    }

    fn reply(&self, request: &Received) -> Answer {
        let (n, body) = (request.n, request.json());
        let mut reply = Reply::default();
        let mut seen = self.seen.lock().unwrap();
        if self.thinks && body["thinking"]["type"] != "disabled" {
            let thought = format!("Thought {n} of {}.", self.name);
            reply = reply.think(&thought);
            seen.signed.insert(self.signature(n), thought);
        }
        seen.served.push(request.clone());
        let rounds = rounds(body["messages"].as_array().unwrap());
        reply = reply.say(&format!("Word {n} of {}.", self.name));
        if rounds < 2 {
            let arguments = json!({"command": format!("echo {n}")});
            reply = reply.call(&format!("call_{}_{n}", self.name), "Bash", &arguments);
        }
        // The signature is told whole: it does not stand across two frames.
        let answer = reply.answer(request);
        let signed = String::from_utf8(answer.body())
            .unwrap()
            .replace(UNSIGNED, &self.signature(n));
        match request.streams() {
            true => Answer::sse([signed]),
            false => Answer::text(200, "application/json", signed),
        }
    }

    fn signature(&self, n: usize) -> String {
        format!("signed-by-{}-{n}", self.name)
    }
}

impl Script for Strict {
    fn answer(&self, request: &Received) -> Answer {
        if let Some(words) = self.refusal(request) {
            self.seen.lock().unwrap().refused.push(words.clone());
            return Answer::json(400, &anthropic::error("invalid_request_error", &words));
        }
        self.reply(request)
    }
}

/// Tool results since the newest prompt, on either wire.
fn rounds(messages: &[Value]) -> usize {
    let is_result = |message: &&Value| {
        message["role"] == "tool" || message["content"][0]["type"] == "tool_result"
    };
    let is_prompt = |message: &&Value| message["role"] == "user" && !is_result(message);
    let newest = messages
        .iter()
        .rev()
        .take_while(|message| !is_prompt(message));
    newest.filter(is_result).count()
}

/// A client's session.
struct Session {
    messages: Vec<Value>,
    thinking: Value,
    is_stream: bool,
    redone: usize,
}

impl Session {
    /// One request and what the client makes of its answer. Whether the turn goes on.
    async fn step(&mut self, lingate: &Lingate) -> bool {
        if self
            .messages
            .last()
            .is_none_or(|last| last["role"] == "assistant")
        {
            let prompt = format!("Prompt {}.", self.messages.len());
            self.messages
                .push(json!({"role": "user", "content": [{"type": "text", "text": prompt}]}));
        }
        let body = json!({
            "model": "claude-opus-5-5", "max_tokens": 4000, "stream": self.is_stream, "thinking": self.thinking,
            "tools": [{"name": "Bash", "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}}}],
            "messages": self.messages,
        });
        let request = lingate
            .post("/v1/messages?beta=true", &body)
            .header("x-claude-code-session-id", "a-session");
        let response = request.send().await;
        let attempts: usize = response.header("x-lingate-attempts").parse().unwrap();
        let status = response.status;
        let text = response.text().await;
        assert_eq!(status, 200, "{text}");
        assert!(attempts <= 2, "{attempts} attempts");
        self.redone += attempts - 1;
        let content = match self.is_stream {
            true => folded(&text),
            false => serde_json::from_str::<Value>(&text).unwrap()["content"].clone(),
        };
        let blocks = content.as_array().unwrap();
        let call = blocks
            .iter()
            .find(|block| block["type"] == "tool_use")
            .map(|call| call["id"].clone());
        self.messages
            .push(json!({"role": "assistant", "content": content}));
        let Some(id) = call else {
            return false;
        };
        let result = json!({"type": "tool_result", "tool_use_id": id, "content": "done"});
        self.messages
            .push(json!({"role": "user", "content": [result]}));
        true
    }
}

/// The content that a client puts together from a stream.
fn folded(stream: &str) -> Value {
    crate::harness::accept(lingate_wire::Wire::Anthropic, stream);
    let mut blocks: Vec<Value> = Vec::new();
    let mut json = String::new();
    for data in stream
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
    {
        let event: Value = serde_json::from_str(data).unwrap();
        if event["type"] == "content_block_start" {
            json.clear();
            blocks.push(event["content_block"].clone());
        }
        let Some(open) = blocks.last_mut() else {
            continue;
        };
        let delta = event["delta"].as_object().into_iter().flatten();
        for (member, piece) in delta.filter_map(|(member, piece)| Some((member, piece.as_str()?))) {
            match member.as_str() {
                "partial_json" => json.push_str(piece),
                "text" | "thinking" => {
                    open[member] =
                        format!("{}{piece}", open[member].as_str().unwrap_or_default()).into();
                }
                "signature" => open[member] = piece.into(),
                _ => {}
            }
        }
        if event["type"] == "content_block_stop" && open["type"] == "tool_use" {
            open["input"] = serde_json::from_str(&json).unwrap();
        }
    }
    blocks.into()
}

/// Who is asked for the next so many requests.
type Leg = (&'static str, usize);

struct Servers {
    lingate: Lingate,
    strict: [Strict; 3],
    _upstreams: [Upstream; 3],
}

async fn servers(thinks: bool) -> Servers {
    let [kimi, mut chat, claude] = ["kimi", "chat", "claude"].map(Strict::new);
    chat.thinks = thinks;
    let strict = [kimi, chat, claude];
    let [a, b, c] = strict.clone().map(Upstream::start);
    let upstreams = [a.await, b.await, c.await];
    let mut config = String::from("default = \"kimi/*\"\nfrom_env = false\n");
    for (strict, upstream) in strict.iter().zip(&upstreams) {
        let wire = if strict.name == "chat" {
            "chat"
        } else {
            "anthropic"
        };
        config += &format!(
            "[providers.{}]\nbase_url = \"{}\"\nspeaks = [\"{wire}\"]\napi_key = \"sk-{}\"\n",
            strict.name,
            upstream.url(),
            strict.name,
        );
    }
    Servers {
        lingate: Lingate::start(&config).await,
        strict,
        _upstreams: upstreams,
    }
}

async fn switch(lingate: &Lingate, name: &str) {
    let wish = json!({"model": format!("{name}/*")});
    let request = lingate
        .post("/api/default", &wish)
        .header("x-lingate-instance", &lingate.instance);
    assert_eq!(request.send().await.status, 200);
}

/// The received bytes of each message.
fn messages(request: &Received) -> Vec<String> {
    let body: HashMap<String, Box<RawValue>> = serde_json::from_slice(&request.body).unwrap();
    let messages: Vec<Box<RawValue>> = serde_json::from_str(body["messages"].get()).unwrap();
    messages
        .iter()
        .map(|message| message.get().to_owned())
        .collect()
}

/// Runs a session over these legs, in every mode, and counts who refused how often: where the model decides itself
/// whether it thinks, and where it has a budget, with which the API insists on thinking.
async fn check(thinks: bool, legs: &[Leg], adaptive: [usize; 3], budgeted: [usize; 3]) {
    let budget = json!({"type": "enabled", "budget_tokens": 2000});
    for (thinking, is_stream, refusals) in [
        (json!({"type": "adaptive"}), true, adaptive),
        (budget.clone(), true, budgeted),
        (budget, false, budgeted),
    ] {
        let what = format!("{legs:?}, {thinking}, stream: {is_stream}");
        let servers = servers(thinks).await;
        let mut session = Session {
            messages: Vec::new(),
            thinking: thinking.clone(),
            is_stream,
            redone: 0,
        };
        for (name, requests) in legs {
            switch(&servers.lingate, name).await;
            for _ in 0..*requests {
                session.step(&servers.lingate).await;
            }
        }
        let refused = servers
            .strict
            .each_ref()
            .map(|strict| strict.seen.lock().unwrap().refused.clone());
        let counts = refused.each_ref().map(Vec::len);
        assert_eq!(counts, refusals, "{what}: {refused:#?}");
        assert_eq!(session.redone, counts.iter().sum::<usize>(), "{what}");
        for strict in &servers.strict {
            let served = &strict.seen.lock().unwrap().served;
            for pair in served.windows(2) {
                let [before, after] = [&pair[0], &pair[1]].map(messages);
                assert!(
                    after.starts_with(&before),
                    "{what}: {} is shown another past: {before:#?} {after:#?}",
                    strict.name
                );
            }
        }
    }
}

#[tokio::test]
async fn a_session_goes_from_kimi_to_a_chat_host_to_anthropic_and_back() {
    let legs = [
        ("kimi", 6),
        ("chat", 3),
        ("claude", 6),
        ("kimi", 6),
        ("claude", 3),
        ("chat", 3),
    ];
    check(true, &legs, [0, 0, 1], [0, 0, 1]).await;
}

#[tokio::test]
async fn a_session_begun_at_anthropic_goes_to_kimi_and_back() {
    check(
        true,
        &[("claude", 3), ("kimi", 6), ("claude", 6), ("kimi", 3)],
        [1, 0, 0],
        [1, 0, 0],
    )
    .await;
}

#[tokio::test]
async fn a_session_moves_within_a_turn() {
    let legs = [
        ("kimi", 2),
        ("chat", 2),
        ("claude", 4),
        ("kimi", 2),
        ("claude", 4),
        ("chat", 1),
        ("kimi", 3),
    ];
    check(true, &legs, [0, 0, 1], [0, 0, 1]).await;
    check(
        true,
        &[("claude", 1), ("kimi", 1), ("claude", 1), ("kimi", 6)],
        [1, 0, 0],
        // Kimi goes on without thinking where its own is not there to begin with, and Anthropic then misses it.
        [1, 0, 1],
    )
    .await;
}

/// A host that does not think leaves a tool loop without the thinking that the API wants it to begin with.
#[tokio::test]
async fn a_tool_loop_without_thinking_goes_on_where_thinking_is_asked_for() {
    check(false, &[("chat", 1), ("claude", 8)], [0, 0, 0], [0, 0, 1]).await;
}

/// What stays its own stays with it: coming back costs no provider its thoughts.
#[tokio::test]
async fn a_provider_gets_its_own_thinking_back() {
    let servers = servers(true).await;
    let mut session = Session {
        messages: Vec::new(),
        thinking: json!({"type": "adaptive"}),
        is_stream: true,
        redone: 0,
    };
    for name in ["kimi", "chat", "claude", "kimi"] {
        switch(&servers.lingate, name).await;
        while session.step(&servers.lingate).await {}
    }
    let seen = servers.strict[0].seen.lock().unwrap();
    let last = seen.served.last().unwrap().text();
    for n in 0..5 {
        assert!(last.contains(&format!("signed-by-kimi-{n}")), "{n}: {last}");
    }
    assert!(!last.contains("Thought 0 of chat"), "{last}");
}

/// Nobody else's requests are changed by it, and a session's own only at that provider.
#[tokio::test]
async fn another_session_is_none_the_wiser() {
    let servers = servers(true).await;
    let ask = |session: &'static str, thought: &'static str| {
        let signature = match thought {
            "" => json!([]),
            _ => json!([{"type": "thinking", "thinking": "hm", "signature": thought}]),
        };
        let mut content = signature.as_array().unwrap().clone();
        content.push(json!({"type": "text", "text": "ok"}));
        let body = json!({
            "model": "claude-opus-5-5", "max_tokens": 4000,
            "messages": [
                {"role": "user", "content": "go"},
                {"role": "assistant", "content": content},
                {"role": "user", "content": "on"},
            ],
        });
        let mut request = servers.lingate.post("/v1/messages", &body);
        if !session.is_empty() {
            request = request.header("x-claude-code-session-id", session);
        }
        async move {
            let response = request.send().await;
            let attempts = response.header("x-lingate-attempts").to_owned();
            (response.header("x-lingate-lane").to_owned(), attempts)
        }
    };
    let got = |lane: &str, attempts: &str| (lane.to_owned(), attempts.to_owned());
    switch(&servers.lingate, "claude").await;
    assert_eq!(ask("one", "foreign").await, got("translated", "2"));
    assert_eq!(
        ask("one", "foreign").await,
        got("translated", "1"),
        "it is remembered"
    );
    assert_eq!(
        ask("two", "").await,
        got("passthrough", "1"),
        "of that session only"
    );
    assert_eq!(ask("two", "foreign").await, got("translated", "2"));
    for _ in 0..2 {
        assert_eq!(
            ask("", "foreign").await,
            got("translated", "2"),
            "no session, no memory"
        );
    }
    switch(&servers.lingate, "kimi").await;
    assert_eq!(
        ask("one", "").await,
        got("passthrough", "1"),
        "and at that provider only"
    );
}
