//! What hosts report of tokens, in all their shapes, and what that costs: to the token, and to the millionth of a dollar.
//!
//! `tests/data/usage.json` holds the reports with what they come to, added up by hand, not by a program. Each is told in a
//! whole reply and in a stream, to a client of the same wire and to one of another.

use std::time::Duration;

use lingate_gateway::Options;
use lingate_store::{self as store, Exchange, Filter, Page, Reader, Store};
use lingate_testkit::{Answer, Received, Upstream};
use lingate_wire::Wire;
use lingate_wire::turn::Usage;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::harness::Lingate;
use crate::program::Program;

/// Longest wait for a row or a table.
const PATIENCE: Duration = Duration::from_secs(20);

fn cases() -> Vec<Value> {
    serde_json::from_str(include_str!("../data/usage.json")).unwrap()
}

fn wire(case: &Value) -> Wire {
    let name = case["wire"].as_str().unwrap();
    let wires = [Wire::Anthropic, Wire::Chat, Wire::Responses, Wire::Gemini];
    wires.into_iter().find(|wire| wire.name() == name).unwrap()
}

/// A price table of what the cases say their models cost.
fn table(cases: &[Value]) -> Value {
    let mut providers = Map::new();
    for case in cases.iter().filter(|case| !case["price"].is_null()) {
        let provider = case["provider"].as_str().unwrap();
        let models = providers.entry(provider).or_insert_with(|| json!({}));
        models[case["name"].as_str().unwrap()] = case["price"].clone();
    }
    json!({"format": "lingate-prices/1", "as_of": "by hand", "providers": providers})
}

/// Gateways in front of one upstream, a provider of each name and wire, and one record.
struct Scene {
    lingate: Lingate,
    upstream: Upstream,
    dir: TempDir,
    store: Store,
}

impl Scene {
    async fn start(
        cases: &[Value],
        answer: impl Fn(&Received) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let upstream = Upstream::start(answer).await;
        let dir = tempfile::tempdir().unwrap();
        let prices = dir.path().join("prices.json");
        std::fs::write(&prices, table(cases).to_string()).unwrap();
        let mut config = format!("[record]\nprices = \"{}\"\n", prices.display());
        // A wire of a provider is a provider of its own here, with the preset's name for its prices.
        let mut seen = Vec::new();
        for case in cases {
            let (provider, wire) = (case["provider"].as_str().unwrap(), wire(case).name());
            let id = format!("{provider}-{wire}");
            if !seen.contains(&id) {
                config += &format!(
                    "[providers.{id}]\npreset = \"{provider}\"\nbase_url = \"{}\"\nspeaks = [\"{wire}\"]\n\
                     api_key = \"sk-canary-of-{id}\"\n",
                    upstream.url(),
                );
                seen.push(id);
            }
        }
        let store = Store::open(
            dir.path(),
            store::Options::default(),
            jiff::Timestamp::now(),
        )
        .unwrap();
        let options = Options {
            recorder: Some(store.recorder()),
            ..Options::default()
        };
        let lingate = Lingate::start_as(&config, &[], options).await;
        let scene = Self {
            lingate,
            upstream,
            dir,
            store,
        };
        scene.is_priced(cases).await;
        scene
    }

    /// Waits for the table, which is read beside everything else.
    async fn is_priced(&self, cases: &[Value]) {
        let priced = cases.iter().filter(|case| !case["price"].is_null()).count();
        let line = format!("lingate_price_models {priced}\n");
        let waited = tokio::time::timeout(PATIENCE, async {
            while !self
                .lingate
                .get("/metrics")
                .send()
                .await
                .text()
                .await
                .contains(&line)
            {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        assert!(waited.await.is_ok(), "no {line}");
    }

    /// Asks the case's model for a reply in this wire; its row.
    async fn asked(&self, case: &Value, client: Wire, is_stream: bool) -> Exchange {
        let (provider, name) = (
            case["provider"].as_str().unwrap(),
            case["name"].as_str().unwrap(),
        );
        let mut program = Program::new(&self.lingate.url, client, is_stream).user("hi");
        program.model = format!("{provider}-{}/{name}", wire(case).name());
        let said = program.ask().await;
        assert_eq!(said.status, 200, "{name}: {}", said.raw);
        assert_eq!(said.failure, None, "{name}: {}", said.raw);
        self.newest().await
    }

    /// The newest row, once its exchange has ended.
    async fn newest(&self) -> Exchange {
        let reader = Reader::open(self.dir.path()).unwrap();
        for _ in 0..4000 {
            assert!(self.store.recorder().flush(PATIENCE));
            let page = Page {
                limit: 500,
                ..Page::default()
            };
            let mut rows = reader.list(&Filter::default(), page).unwrap().items;
            if rows.iter().all(|row| row.end.is_some()) && rows.len() == self.answered() {
                return rows.remove(0);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("not recorded in time");
    }

    /// Requests that a reply was given to: those that were tried twice are one.
    fn answered(&self) -> usize {
        let requests = self.upstream.requests();
        let again = requests
            .iter()
            .filter(|request| request.text().contains("TWICE"))
            .count();
        requests.len() - again / 2
    }
}

/// What the case's host answers.
fn answer(case: &Value, request: &Received) -> Answer {
    let (wire, reports) = (wire(case), case["stream"].as_array().unwrap());
    match (wire, request.streams()) {
        (Wire::Anthropic, false) => {
            let said = json!([{"type": "text", "text": "Hello."}]);
            Answer::json(200, &message(&said, &json!("end_turn"), &case["whole"]))
        }
        (Wire::Anthropic, true) => Answer::sse([
            named(
                &json!({"type": "message_start", "message": message(&json!([]), &Value::Null, &reports[0])}),
            ),
            named(
                &json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
            ),
            named(
                &json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello."}}),
            ),
            named(&json!({"type": "content_block_stop", "index": 0})),
            named(
                &json!({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null}, "usage": reports[1]}),
            ),
            named(&json!({"type": "message_stop"})),
        ]),
        (Wire::Chat, false) => {
            let said = json!({"role": "assistant", "content": "Hello."});
            let choices =
                json!({"choices": [{"index": 0, "message": said, "finish_reason": "stop"}]});
            Answer::json(200, &chunk("chat.completion", &[&choices, &case["whole"]]))
        }
        (Wire::Chat, true) => {
            let said = json!({"choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hello."}, "finish_reason": null}]});
            let chunks = std::iter::once(&said).chain(reports);
            let frames =
                chunks.map(|own| format!("data: {}\n\n", chunk("chat.completion.chunk", &[own])));
            Answer::sse(frames.chain(["data: [DONE]\n\n".to_owned()]))
        }
        (Wire::Responses, false) => Answer::json(200, &response("completed", &case["whole"])),
        (Wire::Responses, true) => {
            let part = |text: &str| json!({"type": "output_text", "text": text, "annotations": []});
            let at = json!({"item_id": "msg_1", "output_index": 0, "content_index": 0});
            let on = |kind: &str, more: Value| merged(&[&json!({"type": kind}), &at, &more]);
            let mut opened = item();
            opened["content"] = json!([]);
            opened["status"] = "in_progress".into();
            let events = [
                json!({"type": "response.created", "response": response("in_progress", &Value::Null)}),
                json!({"type": "response.in_progress", "response": response("in_progress", &Value::Null)}),
                json!({"type": "response.output_item.added", "output_index": 0, "item": opened}),
                on("response.content_part.added", json!({"part": part("")})),
                on("response.output_text.delta", json!({"delta": "Hello."})),
                on("response.output_text.done", json!({"text": "Hello."})),
                on(
                    "response.content_part.done",
                    json!({"part": part("Hello.")}),
                ),
                json!({"type": "response.output_item.done", "output_index": 0, "item": item()}),
                json!({"type": "response.completed", "response": response("completed", &reports[0])}),
            ];
            Answer::sse(events.into_iter().zip(0..).map(|(mut event, number)| {
                event["sequence_number"] = number.into();
                named(&event)
            }))
        }
        (Wire::Gemini, false) => Answer::json(200, &candidate("Hello.", true, &case["whole"])),
        (Wire::Gemini, true) => Answer::sse(reports.iter().enumerate().map(|(n, report)| {
            let is_last = n + 1 == reports.len();
            format!("data: {}\n\n", candidate("Hello.", is_last, report))
        })),
    }
}

fn named(event: &Value) -> String {
    format!(
        "event: {}\ndata: {event}\n\n",
        event["type"].as_str().unwrap()
    )
}

fn merged(objects: &[&Value]) -> Value {
    let members = objects
        .iter()
        .flat_map(|object| object.as_object().unwrap().clone());
    Value::Object(members.collect())
}

fn message(content: &Value, stop: &Value, usage: &Value) -> Value {
    json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": content,
        "stop_reason": stop, "stop_sequence": null, "usage": usage})
}

fn chunk(object: &str, own: &[&Value]) -> Value {
    let head =
        json!({"id": "scripted-1", "object": object, "created": 1_790_000_000, "model": "m"});
    merged(&[&[&head], own].concat())
}

fn item() -> Value {
    json!({"id": "msg_1", "type": "message", "role": "assistant", "status": "completed",
        "content": [{"type": "output_text", "text": "Hello.", "annotations": []}]})
}

fn response(status: &str, usage: &Value) -> Value {
    let output = if status == "completed" {
        vec![item()]
    } else {
        vec![]
    };
    json!({"id": "resp_1", "object": "response", "created_at": 1_790_000_000, "status": status, "model": "m",
        "output": output, "usage": usage})
}

fn candidate(text: &str, is_last: bool, usage: &Value) -> Value {
    let mut own = json!({"index": 0, "content": {"role": "model", "parts": [{"text": text}]}});
    if is_last {
        own["finishReason"] = "STOP".into();
    }
    json!({"candidates": [own], "usageMetadata": usage, "modelVersion": "m", "responseId": "r"})
}

fn expected(case: &Value) -> (Usage, Option<i64>) {
    let count = |kind: &str| case["usage"][kind].as_u64();
    let usage = Usage {
        input: count("input"),
        cache_read: count("cache_read"),
        cache_write_5m: count("cache_write_5m"),
        cache_write_1h: count("cache_write_1h"),
        output: count("output"),
        reasoning: count("reasoning"),
    };
    (usage, case["cost"].as_i64())
}

fn named_case<'c>(cases: &'c [Value], request: &Received) -> &'c Value {
    let model = request.model();
    let found = cases.iter().find(|case| case["name"] == *model);
    found.unwrap_or_else(|| panic!("{model} is no case"))
}

/// Every report in both ways, in both lanes.
#[tokio::test]
async fn every_report_comes_to_its_tokens_and_its_cost() {
    let cases = cases();
    let scripted = cases.clone();
    let scene = Scene::start(&cases, move |request: &Received| {
        answer(named_case(&scripted, request), request)
    })
    .await;
    for case in &cases {
        let own = wire(case);
        let other = match own {
            Wire::Anthropic => Wire::Chat,
            Wire::Chat | Wire::Responses | Wire::Gemini => Wire::Anthropic,
        };
        for (client, is_stream) in [(own, false), (own, true), (other, false), (other, true)] {
            let row = scene.asked(case, client, is_stream).await;
            let name = &case["name"];
            let place = format!(
                "{name} for {} (stream: {is_stream}): {}",
                client.name(),
                case["sum"]
            );
            assert_eq!((row.usage, row.cost_micro_usd), expected(case), "{place}");
        }
    }
}

/// A reply that says nothing is asked for again, and was paid for: each by its own size.
#[tokio::test]
async fn attempts_are_paid_for_one_by_one() {
    let tiered = json!({"name": "twice", "provider": "openai", "wire": "chat",
        "price": {"input": "1", "output": "10", "cache_read": "0.1",
            "above": {"200000": {"input": "2", "output": "20", "cache_read": "0.2"}}}});
    let cases = vec![tiered];
    let scene = Scene::start(&cases, |request: &Received| {
        let (said, prompt, cached) = match request.n % 2 {
            0 => ("", 150_000, 0),
            _ => ("Hello.", 250_000, 50_000),
        };
        let usage = json!({"prompt_tokens": prompt, "completion_tokens": 10, "total_tokens": prompt + 10,
            "prompt_tokens_details": {"cached_tokens": cached}});
        let report = json!({"stream": [
            {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}, {"choices": [], "usage": usage}]});
        let said_in = |member: &str| json!({"choices": [{"index": 0, member: {"role": "assistant", "content": said},
            "finish_reason": if member == "message" { json!("stop") } else { Value::Null }}]});
        if request.streams() {
            let said = said_in("delta");
            let chunks = std::iter::once(&said).chain(report["stream"].as_array().unwrap());
            let frames = chunks.map(|own| format!("data: {}\n\n", chunk("chat.completion.chunk", &[own])));
            return Answer::sse(frames.chain(["data: [DONE]\n\n".to_owned()]));
        }
        let body = chunk("chat.completion", &[&said_in("message"), &json!({"usage": usage})]);
        Answer::json(200, &body)
    })
    .await;
    for is_stream in [false, true] {
        let mut program =
            Program::new(&scene.lingate.url, Wire::Anthropic, is_stream).user("TWICE");
        program.model = "openai-chat/twice".to_owned();
        let said = program.ask().await;
        assert_eq!((said.status, &*said.text), (200, "Hello."), "{}", said.raw);
        let row = scene.newest().await;
        assert_eq!(row.attempts, 2, "stream: {is_stream}");
        let usage = Usage {
            input: Some(150_000 + 200_000),
            cache_read: Some(50_000),
            output: Some(20),
            ..Usage::default()
        };
        assert_eq!(row.usage, usage, "stream: {is_stream}");
        // 150,000 x 1 + 10 x 10, and above the threshold 200,000 x 2 + 50,000 x 0.2 + 10 x 20.
        assert_eq!(
            row.cost_micro_usd,
            Some(150_100 + 410_200),
            "stream: {is_stream}"
        );
        let reader = Reader::open(scene.dir.path()).unwrap();
        let price = reader.get(row.id).unwrap().unwrap().details.price.unwrap();
        assert_eq!(
            (price.input, price.output),
            (Some(2_000_000), Some(20_000_000)),
            "what the last one was counted with"
        );
    }
}
