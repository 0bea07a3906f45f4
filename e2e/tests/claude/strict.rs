//! Hosts that answer 400 to whatever they do not take, in the words of the real ones: Claude Code, with an MCP server
//! whose tools have everything in them, does its work at each.
//!
//! A host is a group of quirks and the rules that it holds requests to. That the rules of which quirks are the reason are
//! broken without them is a test of its own.

use std::sync::{Arc, Mutex};

use lingate_e2e::{Claude, Gateway, Home, Provider, media};
use lingate_testkit::{Answer, Received, Reply, Script, Upstream};
use serde_json::{Value, json};

use crate::expect;
use rules::Rule;

mod rules;

const PROMPT: &str = "Please do the STRICT task.";
const ANSWER: &str = "All is done.";
const INSTRUCTION: &str = "Answer in one sentence.";
/// 70 letters with the server's name in front of it.
const LONG: &str = "a_tool_whose_name_is_longer_than_any_of_the_hosts_will_take_it";

/// One host.
struct Host {
    name: &'static str,
    model: &'static str,
    groups: &'static [&'static str],
    /// Lines of the model's table.
    settings: &'static str,
    /// Further tools, so that there are too many.
    n_more_tools: usize,
    /// How many requests it refuses in a session, all of them mended by asking again.
    n_refused: usize,
    rules: &'static [Rule],
}

const HOSTS: [Host; 15] = [
    Host {
        name: "OpenAI",
        model: "gpt-5.2",
        groups: &["openai"],
        n_more_tools: 130,
        rules: &[
            rules::names_of_64,
            rules::at_most_128_tools,
            rules::no_max_tokens,
            rules::no_temperature,
            rules::objects_at_the_top,
            rules::no_reasoning,
            rules::no_cache_control,
            rules::known_efforts,
        ],
        ..HOST
    },
    Host {
        name: "Groq",
        model: "openai/gpt-oss-120b",
        groups: &["groq"],
        n_more_tools: 130,
        n_refused: 1,
        rules: &[
            rules::names_of_64,
            rules::at_most_128_tools,
            rules::at_most_16384_tokens,
            rules::properties_where_required,
            rules::no_cache_control,
        ],
        ..HOST
    },
    Host {
        name: "Gemini's Chat endpoint",
        model: "gemini-3-pro",
        groups: &["gemini-chat"],
        rules: &[rules::names_of_64, rules::words_of_openapi],
        ..HOST
    },
    Host {
        name: "Cerebras",
        model: "qwen-3-coder-480b",
        groups: &["cerebras"],
        rules: &[rules::names_of_64, rules::no_bounds, rules::closed_objects],
        ..HOST
    },
    Host {
        name: "Fireworks",
        model: "accounts/fireworks/models/kimi-k3",
        groups: &["fireworks"],
        rules: &[rules::names_of_64, rules::no_titles],
        ..HOST
    },
    Host {
        name: "llama.cpp",
        model: "local",
        groups: &["llama-cpp"],
        rules: &[rules::grammars],
        ..HOST
    },
    Host {
        name: "DeepSeek",
        model: "deepseek-v4-pro",
        groups: &["deepseek"],
        rules: &[rules::names_of_64, rules::reasoning_back],
        ..HOST
    },
    Host {
        name: "a host of Kimi K2 Thinking",
        model: "moonshotai/kimi-k2-thinking",
        groups: &["kimi-k2"],
        n_refused: 1,
        rules: &[
            rules::names_of_64,
            rules::reasoning_in_calls,
            rules::counted_ids,
            rules::moonshot_schemas,
        ],
        ..HOST
    },
    Host {
        name: "Moonshot",
        model: "kimi-k2.6",
        groups: &["moonshot"],
        n_more_tools: 130,
        rules: &[
            rules::names_of_64,
            rules::at_most_128_tools,
            rules::no_temperature_but_1,
            rules::moonshot_schemas,
            rules::no_empty_text,
            rules::one_word_on_thinking,
            rules::counted_ids,
        ],
        ..HOST
    },
    Host {
        name: "Moonshot's coder, which always thinks",
        model: "kimi-k2.7-code",
        groups: &["moonshot"],
        rules: &[rules::always_thinks, rules::moonshot_schemas],
        ..HOST
    },
    Host {
        name: "Z.ai",
        model: "glm-5",
        groups: &["zai"],
        settings: "temperature = 1.0",
        rules: &[
            rules::names_of_64,
            rules::no_cache_control,
            rules::auto_only,
        ],
        ..HOST
    },
    Host {
        name: "a model that wants 0.6, at a host with a word of its own for the limit",
        model: "kimi-k2-0905",
        groups: &["kimi-k2"],
        settings: "max_tokens_field = \"max_completion_tokens\"\ntemperature = 0.6",
        rules: &[rules::no_max_tokens, rules::temperature_of_0_6],
        ..HOST
    },
    Host {
        name: "a model that reads no pictures",
        model: "text-only",
        settings: "input = [\"text\"]",
        rules: &[rules::no_pictures],
        ..HOST
    },
    Host {
        name: "a host that takes pictures from users alone",
        model: "sees",
        settings: "input = [\"text\", \"image\"]",
        rules: &[rules::text_in_results],
        ..HOST
    },
    Host {
        name: "a model that gets few tools, and a word to itself",
        model: "small",
        settings: "tools_allowed = [\"Write\", \"Re*\", \"mcp__*\"]\ninstruction = \"Answer in one sentence.\"",
        rules: &[rules::allowed_tools, rules::instructed],
        ..HOST
    },
];

const HOST: Host = Host {
    name: "",
    model: "",
    groups: &[],
    settings: "",
    n_more_tools: 0,
    n_refused: 0,
    rules: &[],
};

/// The host's script: it refuses what breaks a rule; what it takes it answers with the next step of the task.
struct Strict {
    host: &'static Host,
    /// A file to write, and a picture to look at.
    files: [String; 2],
    refused: Arc<Mutex<Vec<String>>>,
}

impl Script for Strict {
    fn answer(&self, request: &Received) -> Answer {
        let body = request.json();
        if let Some(complaint) = self.host.rules.iter().find_map(|rule| rule(&body)) {
            let error = json!({"message": complaint, "type": "invalid_request_error", "param": null, "code": null});
            self.refused
                .lock()
                .expect("no script panicked")
                .push(complaint);
            return Answer::json(400, &json!({"error": error}));
        }
        self.step(&body).answer(request)
    }
}

impl Strict {
    fn step(&self, body: &Value) -> Reply {
        let messages = body["messages"].as_array().expect("there are messages");
        let is_ours = messages
            .iter()
            .any(|message| message["content"].to_string().contains(PROMPT));
        let tools = body["tools"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        if !is_ours || tools.is_empty() {
            return Reply::text("Understood.");
        }
        let [file, picture] = &self.files;
        let n_results = messages
            .iter()
            .filter(|message| message["role"] == "tool")
            .count();
        let call = |name: &str, arguments: &Value| {
            Reply::default().call(&format!("call_{n_results}"), name, arguments)
        };
        match n_results {
            0 => call("Write", &json!({"file_path": file, "content": "first\n"})),
            1 => call("Read", &json!({"file_path": picture})),
            2 => {
                // Whatever it is called here.
                let names = tools
                    .iter()
                    .filter_map(|tool| tool["function"]["name"].as_str());
                let mut names = names.filter(|name| name.starts_with("mcp__s__a_tool"));
                let long = names.next();
                call(long.unwrap_or("the tool is missing"), &arguments())
            }
            _ => Reply::text(ANSWER),
        }
    }
}

fn arguments() -> Value {
    json!({"point": {"x": 3, "y": 4}, "code": "ab-12", "tags": ["a"], "mode": "fast"})
}

/// An MCP server over HTTP. One of its tools has a long name and a schema with everything that some host refuses.
struct Mcp {
    n_more: usize,
    called: Arc<Mutex<Vec<Value>>>,
}

impl Script for Mcp {
    fn answer(&self, request: &Received) -> Answer {
        let body = request.json();
        let result = match body["method"].as_str() {
            Some("initialize") => json!({
                "protocolVersion": body["params"]["protocolVersion"],
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "s", "version": "1"},
            }),
            Some("tools/list") => json!({"tools": self.tools()}),
            Some("tools/call") => {
                let params = body["params"].clone();
                self.called.lock().expect("no script panicked").push(params);
                json!({"content": [{"type": "text", "text": "It worked."}]})
            }
            Some("ping") => json!({}),
            Some(_) if body.get("id").is_none() => {
                return Answer::text(202, "application/json", "");
            }
            Some(_) => {
                let error = json!({"code": -32601, "message": "Method not found"});
                let answer = json!({"jsonrpc": "2.0", "id": body["id"], "error": error});
                return Answer::json(200, &answer);
            }
            None => return Answer::text(405, "text/plain", ""),
        };
        Answer::json(
            200,
            &json!({"jsonrpc": "2.0", "id": body["id"], "result": result}),
        )
    }
}

impl Mcp {
    fn tools(&self) -> Vec<Value> {
        let more = (0..self.n_more).map(|n| {
            json!({"name": format!("more_{n}"), "description": "One of many", "inputSchema": {"type": "object", "properties": {}}})
        });
        let point = json!({"type": "object", "title": "Point", "properties": {
            "x": {"type": "integer", "exclusiveMinimum": 0, "maximum": 9}, "y": {"$ref": "#/$defs/Y"},
        }, "required": ["x", "y"]});
        let schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {
                "point": {"$ref": "#/$defs/Point", "description": "Where"},
                "code": {"type": "string", "pattern": "[a-z]+-\\d+", "minLength": 1, "maxLength": 65536, "format": "code"},
                "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 20, "uniqueItems": true},
                "mode": {"oneOf": [{"const": "fast"}, {"const": "slow"}]},
                "anything": {"description": "Of no type", "default": null},
                "nested": {"type": "object", "required": ["z"]},
            },
            "required": ["point", "gone"],
            "$defs": {"Point": point, "Y": {"type": ["integer", "null"]}},
        });
        let either = json!({"type": "object", "properties": {"list": {"type": "array"}}, "not": {"required": ["no"]}});
        let odd = [
            json!({"name": "either", "description": "Either", "inputSchema": either}),
            json!({"name": LONG, "description": "A tool with a long name", "inputSchema": schema}),
        ];
        odd.into_iter().chain(more).collect()
    }
}

/// A session at a host; the requests that it got.
async fn session(host: &'static Host) -> Vec<Received> {
    let name = host.name;
    let home = Home::new();
    std::fs::write(home.project("red.png"), media::png(220, 20, 20)).expect("the folder is there");
    let (refused, called) = (Arc::default(), Arc::default());
    let script = Strict {
        host,
        files: [home.project_str("new.txt"), home.project_str("red.png")],
        refused: Arc::clone(&refused),
    };
    let upstream = Upstream::start(script).await;
    let mcp = Upstream::start(Mcp {
        n_more: host.n_more_tools,
        called: Arc::clone(&called),
    })
    .await;
    let config = format!(
        "default = \"m\"\nfrom_env = false\n\n[server]\nlisten = \"127.0.0.1:0\"\n\n[providers.scripted]\n\
         base_url = \"{}\"\nspeaks = [\"chat\"]\napi_key = \"{}\"\nquirks = {:?}\n\n[models.m]\n\
         targets = [\"scripted/{}\"]\n{}\n",
        upstream.url(),
        Provider::KEY,
        host.groups,
        host.model,
        host.settings,
    );
    let gateway = Gateway::serve(&home, &config).await;
    let Some(claude) = Claude::at(&home, &gateway.url) else {
        return Vec::new();
    };
    let servers =
        json!({"mcpServers": {"s": {"type": "http", "url": format!("{}/mcp", mcp.url())}}});
    let claude = claude.env("ENABLE_TOOL_SEARCH", "false").args(&[
        "--mcp-config",
        &servers.to_string(),
        "--strict-mcp-config",
    ]);
    let transcript = claude.session(PROMPT).await;
    let refused = refused.lock().expect("no script panicked").clone();
    assert_eq!(refused.len(), host.n_refused, "{name}: {refused:#?}");
    assert_eq!(transcript.success(), ANSWER, "{name}");
    let calls = transcript.calls();
    let names: Vec<&str> = calls.iter().map(|(_, name, _)| *name).collect();
    let own = format!("mcp__s__{LONG}");
    assert_eq!(names, ["Write", "Read", &own], "{name}: {transcript}");
    let called = called.lock().expect("no script panicked").clone();
    let seen: Vec<_> = called
        .iter()
        .map(|call| (&call["name"], &call["arguments"]))
        .collect();
    assert_eq!(seen, [(&json!(LONG), &arguments())], "{name}");
    let results = transcript.results();
    assert!(
        results.iter().all(|result| !result.is_error),
        "{name}: {results:?}"
    );
    let requests = upstream.requests();
    assert_eq!(
        expect::conversation(&requests, PROMPT).len(),
        4 + host.n_refused,
        "{name}"
    );
    assert_eq!(gateway.stop().await.code, Some(0));
    home.is_quiet().await;
    requests
}

// In parts, so that none takes long.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_finished_at_strict_hosts() {
    expect::all(HOSTS.iter().step_by(2).map(session)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_finished_at_the_other_strict_hosts() {
    expect::all(HOSTS.iter().skip(1).step_by(2).map(session)).await;
}

/// A host that takes everything, without any quirks.
const LENIENT: Host = Host {
    name: "a host that takes everything",
    model: "any",
    n_more_tools: 130,
    settings: "input = [\"text\", \"image\"]",
    ..HOST
};

/// What only quirks and settings keep.
const BROKEN_WITHOUT: [Rule; 17] = [
    rules::names_of_64,
    rules::at_most_128_tools,
    rules::no_max_tokens,
    rules::at_most_16384_tokens,
    rules::objects_at_the_top,
    rules::properties_where_required,
    rules::words_of_openapi,
    rules::no_bounds,
    rules::closed_objects,
    rules::no_titles,
    rules::grammars,
    rules::moonshot_schemas,
    rules::reasoning_back,
    rules::reasoning_in_calls,
    rules::counted_ids,
    rules::no_pictures,
    rules::allowed_tools,
];

#[tokio::test(flavor = "multi_thread")]
async fn without_quirks_the_rules_are_broken() {
    let requests = session(&LENIENT).await;
    let Some(last) = requests.last() else {
        return;
    };
    for (n, rule) in BROKEN_WITHOUT.iter().enumerate() {
        let is_broken = requests
            .iter()
            .any(|request| rule(&request.json()).is_some());
        assert!(is_broken, "rule {n} of the list: {}", last.text());
    }
    assert!(
        rules::instructed(&last.json()).is_some()
            && rules::temperature_of_0_6(&last.json()).is_some()
    );
}
