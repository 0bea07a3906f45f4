//! The vectors of what models write and are sent, through the running gateway: raw text written by a host in four ways and
//! read by clients of four wires, and requests of an Anthropic client as a Kimi upstream gets them.
//!
//! Above the translator an answer without content, or with reasoning alone, is a failed attempt (the vectors' README):
//! K57, K58 and K68 are errors here. So is K19, whose arguments are no JSON: a client's SDK would end its whole stream over
//! them (wire facts 0.6), and no end mark takes that back (R7), so like half a call (R4) it never ends normally.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use lingate_testkit::{Reply, Upstream};
use lingate_wire::Wire;
use serde_json::{Value, json};

use crate::harness::Lingate;
use crate::leaks::{Ask, Host, How, Says, Seen, ask};

const OTHER: &str = include_str!("../../../quirk/testdata/other.jsonl");
const REQUESTS: &str = include_str!("../../../quirk/testdata/requests.jsonl");
const VECTORS: &str = include_str!("../../../quirk/testdata/kimi.jsonl");

pub(crate) static TOOLS: LazyLock<Value> = LazyLock::new(|| {
    let head: Value = serde_json::from_str(VECTORS.lines().next().unwrap()).unwrap();
    head["tools"].clone()
});

/// A gateway before one host, as two providers that declare what `think` names.
pub(crate) fn config(url: &str, more: &str) -> String {
    let provider = |name: &str, group: &str| {
        format!(
            "[providers.{name}]\nbase_url = \"{url}\"\nspeaks = [\"chat\"]\nauth = \"none\"\nquirks = [\"{group}\"]\n\
             [models.{name}-model]\ntargets = [\"{name}/kimi-k2.6\"]\n{more}\n"
        )
    };
    format!(
        "from_env = false\n{}{}",
        provider("explicit", "kimi-k2"),
        provider("implicit", "kimi-k2-implicit")
    )
}

fn says(vector: &Value) -> Says {
    let deltas =
        vector["deltas"]
            .as_array()
            .unwrap()
            .iter()
            .map(|delta| match delta["c"].as_str() {
                Some(content) => ('c', content.to_owned()),
                None => ('r', delta["r"].as_str().unwrap().to_owned()),
            });
    Says {
        deltas: deltas.collect(),
        finish: vector["finish"].as_str().unwrap().to_owned(),
    }
}

/// What a client is to read of a vector.
struct Expected {
    blocks: Vec<Vec<String>>,
    stop: Option<String>,
    /// Part of what the error says.
    error: Option<&'static str>,
}

fn expected(vector: &Value, wire: Wire, how: How) -> Expected {
    let id = vector["id"].as_str().unwrap();
    let expect = &vector["expect"];
    let error = match expect["error"].as_str() {
        _ if id == "K57" => Some("reasoning and nothing else"),
        _ if id == "K19" => Some("not a JSON object"),
        Some("truncated_tool_call") => Some("truncated_tool_call"),
        Some("empty_response") => Some("no content"),
        Some(other) => panic!("{other}"),
        None => None,
    };
    let mut blocks = Vec::new();
    for block in expect["blocks"].as_array().unwrap() {
        let words = block.as_array().unwrap().iter();
        let mut words: Vec<String> = words
            .map(|word| word.as_str().unwrap().to_owned())
            .collect();
        let is_broken = words.len() == 4;
        words.truncate(3);
        if id == "K19" {
            // Up to the first letter that cannot be JSON.
            words[2].truncate(r#"{"term": b"#.len());
        }
        match wire {
            // A call is one part, an item counts when it is done: half of one is never shown.
            Wire::Gemini if is_broken => {}
            Wire::Responses if is_broken && error.is_some() => {}
            // A message holds no half objects; the stop reason says why.
            Wire::Anthropic if is_broken && how == How::Whole => {
                blocks.push(vec![words.remove(0), words.remove(0), "{}".to_owned()]);
            }
            _ => blocks.push(words),
        }
        if is_broken {
            break;
        }
    }
    Expected {
        blocks,
        stop: expect["stop"]
            .as_str()
            .filter(|_| error.is_none())
            .map(str::to_owned),
        error,
    }
}

/// What is wrong with what a client read, if anything.
fn complaint(vector: &Value, wire: Wire, how: How, seen: &Seen) -> Option<String> {
    let expected = expected(vector, wire, how);
    let is_told = match (expected.error, &seen.error) {
        (None, None) => true,
        (Some(words), Some(error)) => error.contains(words),
        _ => false,
    };
    let is_shown = if seen.status == 200 {
        blocks(&seen.blocks, wire, how) == blocks(&expected.blocks, wire, how)
    } else {
        seen.blocks.is_empty()
    };
    let is_good = is_told && is_shown && seen.stop == expected.stop;
    (!is_good).then(|| format!("{} {how:?}: {seen:?}", vector["id"]))
}

/// Blocks as this client can compare them: where arguments are an object and not text, their spelling is not kept.
fn blocks(blocks: &[Vec<String>], wire: Wire, how: How) -> Vec<Vec<String>> {
    let is_object = wire == Wire::Gemini || (wire == Wire::Anthropic && how == How::Whole);
    let mut blocks = blocks.to_vec();
    for block in blocks
        .iter_mut()
        .filter(|block| block[0] == "tool" && is_object)
    {
        block[2] = serde_json::from_str::<Value>(&block[2])
            .map_or_else(|_| block[2].clone(), |value| value.to_string());
    }
    blocks
}

async fn every_vector(wire: Wire) {
    let vectors: Vec<Value> = VECTORS
        .lines()
        .skip(1)
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let named = |vector: &Value| (vector["id"].as_str().unwrap().to_owned(), says(vector));
    let host = Host(vectors.iter().map(named).collect::<BTreeMap<_, _>>());
    let upstream = Upstream::start(host).await;
    let lingate = Lingate::start(&config(&upstream.url(), "")).await;
    let mut complaints = Vec::new();
    for vector in &vectors {
        for how in How::ALL {
            let seen = ask(
                &lingate,
                &Ask {
                    wire,
                    model: &format!("{}-model", vector["think"].as_str().unwrap()),
                    tools: &TOOLS,
                    may_call: vector["tools_on"] == true,
                    name: vector["id"].as_str().unwrap(),
                    how,
                },
            )
            .await;
            complaints.extend(complaint(vector, wire, how, &seen));
        }
    }
    assert!(complaints.is_empty(), "{wire}:\n{}", complaints.join("\n"));
}

#[tokio::test]
async fn to_an_anthropic_client() {
    every_vector(Wire::Anthropic).await;
}

#[tokio::test]
async fn to_a_chat_client() {
    every_vector(Wire::Chat).await;
}

#[tokio::test]
async fn to_a_responses_client() {
    every_vector(Wire::Responses).await;
}

#[tokio::test]
async fn to_a_gemini_client() {
    every_vector(Wire::Gemini).await;
}

/// The model that writes each format.
const FORMATS: [(&str, &str); 9] = [
    ("hermes", "qwen3-32b"),
    ("qwen3_coder", "Qwen3-Coder-30B-A3B-Instruct"),
    ("glm45", "GLM-4.6"),
    ("deepseek_v3", "DeepSeek-V3"),
    ("deepseek_v31", "DeepSeek-V3.1"),
    ("deepseek_dsml", "DeepSeek-V3.2"),
    ("minimax_m2", "MiniMax-M2"),
    ("harmony", "gpt-oss-20b"),
    ("k3_xtml", "kimi-k3"),
];

#[tokio::test]
async fn other_families_to_every_client() {
    let mut lines = OTHER
        .lines()
        .map(|line| -> Value { serde_json::from_str(line).unwrap() });
    let tools = lines.next().unwrap()["tools"].clone();
    let vectors: Vec<Value> = lines.collect();
    let host = vectors.iter().map(|vector| {
        let raw = vector["raw"].as_str().unwrap();
        (
            vector["id"].as_str().unwrap().to_owned(),
            Says::content(raw, "stop"),
        )
    });
    let upstream = Upstream::start(Host(host.collect())).await;
    let mut config = format!(
        "from_env = false\n[providers.host]\nbase_url = \"{}\"\nspeaks = [\"chat\"]\nauth = \"none\"\n\
         quirks = [\"open-models\"]\n",
        upstream.url()
    );
    for (format, model) in FORMATS {
        config += &format!("[models.{format}]\ntargets = [\"host/{model}\"]\n");
    }
    let lingate = Lingate::start(&config).await;
    for vector in &vectors {
        for wire in Wire::ALL {
            for how in How::ALL {
                let seen = ask(
                    &lingate,
                    &Ask {
                        wire,
                        model: vector["format"].as_str().unwrap(),
                        tools: &tools,
                        may_call: true,
                        name: vector["id"].as_str().unwrap(),
                        how,
                    },
                )
                .await;
                let of = |kind: &str| -> String {
                    let own = seen.blocks.iter().filter(|block| block[0] == kind);
                    own.map(|block| block[1].as_str()).collect()
                };
                let calls = seen.blocks.iter().filter(|block| block[0] == "tool");
                let calls: Value = calls
                    .map(|call| json!([call[1], serde_json::from_str::<Value>(&call[2]).unwrap()]))
                    .collect();
                let expect = &vector["expect"];
                let what = format!("{} {wire} {how:?}: {seen:?}", vector["id"]);
                assert_eq!(of("text"), expect["text"], "{what}");
                assert_eq!(of("thinking"), expect["thinking"], "{what}");
                assert_eq!(calls, expect["calls"], "{what}");
                let stop = if calls == json!([]) {
                    "end_turn"
                } else {
                    "tool_use"
                };
                assert_eq!(
                    (seen.stop.as_deref(), seen.error.as_deref()),
                    (Some(stop), None),
                    "{what}"
                );
            }
        }
    }
}

#[tokio::test]
async fn requests_reach_a_kimi_upstream_as_the_vectors_say() {
    for line in REQUESTS.lines() {
        let vector: Value = serde_json::from_str(line).unwrap();
        let upstream =
            Upstream::start(|request: &_| Reply::text("I see.</think>Well.").answer(request)).await;
        // Q03 is about this policy; the others hold under every one.
        let more = if vector["id"] == "Q03" {
            "reasoning_history = \"placeholder\""
        } else {
            ""
        };
        let lingate = Lingate::start(&config(&upstream.url(), more)).await;
        for model in ["explicit-model", "implicit-model"] {
            let mut body = vector["anthropic"].clone();
            body["model"] = json!(model);
            body["max_tokens"] = json!(4096);
            for _ in 0..2 {
                let response = lingate.post("/v1/messages", &body).send().await;
                let status = response.status;
                let answer = response.text().await;
                assert_eq!(status, 200, "{}: {answer}", vector["id"]);
            }
        }
        let requests = upstream.requests();
        for pair in requests.chunks(2) {
            assert_eq!(
                pair[0].body, pair[1].body,
                "{}: the same history gives the same bytes",
                vector["id"]
            );
            assert_eq!(
                pair[0].json()["messages"],
                vector["openai_messages"],
                "{}",
                vector["id"]
            );
        }
        assert_eq!(requests.len(), 4);
    }
}
