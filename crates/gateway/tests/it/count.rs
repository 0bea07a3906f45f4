//! `count_tokens`: what a provider counts itself, and what is estimated for the others.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use lingate_testkit::{Answer, Misbehaviour, Received, Reply, Script, Upstream, Usage, anthropic};
use serde_json::{Value, json};

use crate::harness::{Lingate, messages};

const PATH: &str = "/v1/messages/count_tokens?beta=true";
/// Two sentences of 7 and 8 tokens in any vocabulary of the o200k kind.
const PROSE: &str = "The weather in Paris is fine. The weather in Rome is even better.";

/// A request for a count.
fn counted(content: Value) -> Value {
    json!({"model": "claude-opus-5-5", "messages": [{"role": "user", "content": content}]})
}

async fn estimate(lingate: &Lingate, body: &Value) -> u64 {
    let response = lingate.post(PATH, body).send().await;
    let head = (
        response.status,
        response.header("x-lingate-estimate").to_owned(),
    );
    let text = response.text().await;
    assert_eq!(head, (200, "true".to_owned()), "{text}");
    let count: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(count.as_object().unwrap().len(), 1, "{count}");
    count["input_tokens"].as_u64().unwrap()
}

/// A PNG of this size, as far as its head.
fn png(width: u16, height: u16) -> Value {
    let (w, h) = (width.to_be_bytes(), height.to_be_bytes());
    let mut file = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0".to_vec();
    file.extend([w[0], w[1], 0, 0, h[0], h[1], 8, 6, 0, 0, 0, 0, 0, 0]);
    json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": base64(&file)}})
}

fn pdf(pages: usize) -> Value {
    let file = format!("%PDF-1.4 {}", "<</Type /Page>> ".repeat(pages));
    let source =
        json!({"type": "base64", "media_type": "application/pdf", "data": base64(file.as_bytes())});
    json!({"type": "document", "source": source})
}

fn base64(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    // Three bytes at a time, without a crate for it.
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let word = three
            .iter()
            .fold(0_u32, |word, byte| word << 8 | u32::from(*byte))
            << (8 * (3 - three.len()));
        for n in 0..4 {
            match n <= three.len() {
                true => text.push(char::from(letters[(word >> (18 - 6 * n) & 63) as usize])),
                false => text.write_char('=').unwrap(),
            }
        }
    }
    text
}

#[cfg_attr(not(feature = "token-estimate"), ignore = "needs the tokenizer")]
#[tokio::test]
async fn every_part_of_a_request_costs_what_it_costs() {
    let upstream = Upstream::start(Misbehaviour::Healthy).await;
    let lingate = Lingate::to_chat(&upstream.url()).await;
    let empty = estimate(&lingate, &counted(json!("."))).await;
    let text = |text: &str| json!({"type": "text", "text": text});
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    let tool = json!({"name": "get_weather", "description": PROSE, "input_schema": schema});
    let call = json!({"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Paris"}});
    let result = json!({"type": "tool_result", "tool_use_id": "toolu_1", "content": [text(PROSE)]});
    let system = |system: Value| {
        let mut body = counted(json!("."));
        body["system"] = system;
        body
    };
    let mut with_tool = counted(json!("."));
    with_tool["tools"] = json!([tool]);
    let mut with_call = counted(json!("."));
    with_call["messages"] = json!([
        {"role": "user", "content": "."}, {"role": "assistant", "content": [call]}, {"role": "user", "content": [result]},
    ]);
    let cases = [
        ("a word", counted(json!("..")), 0..=1),
        ("prose", counted(json!(PROSE)), 12..=16),
        (
            "a thousand words",
            counted(json!("word ".repeat(1000))),
            990..=1010,
        ),
        ("letters", counted(json!("x".repeat(4000))), 450..=550),
        (
            "a long prompt",
            system(json!(PROSE.repeat(100))),
            1350..=1550,
        ),
        (
            "its blocks",
            system(json!([text(PROSE), text(PROSE)])),
            28..=40,
        ),
        (
            "what is for Anthropic only",
            system(json!([text(
                "x-anthropic-billing-header: cc_version=2.1.3; x=y;"
            )])),
            0..=0,
        ),
        ("a tool", with_tool, 35..=60),
        ("a call and its result", with_call, 30..=60),
        (
            "a picture",
            counted(json!([text("."), png(1000, 750)])),
            1000..=1005,
        ),
        (
            "a large picture",
            counted(json!([text("."), png(4000, 3000)])),
            1600..=1605,
        ),
        ("pages", counted(json!([text("."), pdf(3)])), 6750..=6790),
    ];
    for (what, body, expected) in cases {
        let cost = estimate(&lingate, &body).await - empty;
        assert!(expected.contains(&cost), "{what}: {cost}, not {expected:?}");
    }
    assert!(upstream.requests().is_empty(), "counting costs nothing");
}

/// What would be left out or replaced is not counted.
#[tokio::test]
async fn the_translated_request_is_what_is_counted() {
    let upstream = Upstream::start(Misbehaviour::Healthy).await;
    let blind = format!(
        "default = \"blind\"\n[providers.up]\nbase_url = \"{}\"\nspeaks = [\"chat\"]\n[models.blind]\ntargets = [\"up/m\"]\n\
         input = [\"text\"]\n",
        upstream.url()
    );
    let lingate = Lingate::start(&blind).await;
    let picture = estimate(&lingate, &counted(json!([png(1000, 750)]))).await;
    assert!(picture < 60, "a note in place of a picture costs {picture}");

    // A tool that only its own provider runs cannot be sent alone, and can be counted.
    let mut body = counted(json!("hi"));
    body["tools"] = json!([{"type": "web_search_20250305", "name": "web_search"}]);
    assert!((5..100).contains(&estimate(&lingate, &body).await));
    assert!(
        upstream.requests().is_empty(),
        "nor is it sent to be counted"
    );
}

/// A provider whose own count of a prompt is this many hundredths of ours.
#[derive(Clone)]
struct Tells {
    percent: u64,
    told: Arc<AtomicU64>,
}

impl Script for Tells {
    fn answer(&self, request: &Received) -> Answer {
        let prompt = self.told.load(Ordering::SeqCst) * self.percent / 100;
        let usage = Usage {
            prompt,
            cached: 0,
            output: 1,
        };
        let reply = Reply::text("ok");
        Reply { usage, ..reply }.answer(request)
    }
}

#[cfg_attr(not(feature = "token-estimate"), ignore = "needs the tokenizer")]
#[tokio::test]
async fn counts_learn_from_what_the_upstream_tells() {
    let tells = Tells {
        percent: 150,
        told: Arc::default(),
    };
    let upstream = Upstream::start(tells.clone()).await;
    let lingate = Lingate::to_chat(&upstream.url()).await;
    let body = counted(json!(PROSE.repeat(100)));
    let mut asked = messages(true);
    asked["messages"] = body["messages"].clone();
    let first = estimate(&lingate, &body).await;
    tells.told.store(first, Ordering::SeqCst);
    let expected = first * 150 / 100;
    let letters = counted(json!("x".repeat(8000)));
    let mut last = (0, 0);
    for _ in 0..100 {
        let response = lingate.post("/v1/messages", &asked).send().await;
        assert!(response.text().await.contains("ok"));
        // Counted while the upstream works, which this one hardly does: the count may come too late for an exchange. What
        // is of another kind tells the tokenizer from bytes, which would make 3,000 of these.
        last = (
            estimate(&lingate, &body).await,
            estimate(&lingate, &letters).await,
        );
        if last.0.abs_diff(expected) <= 1 && (1_400..1_650).contains(&last.1) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{last:?} instead of {expected} and 1,500");
}

#[tokio::test]
async fn many_counts_at_once_are_all_answered() {
    let upstream = Upstream::start(Misbehaviour::Healthy).await;
    let lingate = Lingate::to_chat(&upstream.url()).await;
    let body = counted(json!(PROSE.repeat(200)));
    let one = estimate(&lingate, &body).await;
    let all = futures(30, || estimate(&lingate, &body)).await;
    assert_eq!(all, vec![one; 30]);
}

/// Runs `n` of these together.
async fn futures<T, F: Future<Output = T>>(n: usize, work: impl Fn() -> F) -> Vec<T> {
    let mut running: Vec<_> = (0..n).map(|_| Box::pin(work())).collect();
    let mut done = Vec::new();
    std::future::poll_fn(|context| {
        running.retain_mut(|work| match work.as_mut().poll(context) {
            std::task::Poll::Ready(value) => {
                done.push(value);
                false
            }
            std::task::Poll::Pending => true,
        });
        match running.is_empty() {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    })
    .await;
    done
}

/// The lane's rules: only the model's name is another one going up, and nothing is going down.
#[tokio::test]
async fn a_providers_own_count_passes_as_it_is() {
    let told =
        "{\"input_tokens\": 321,\n \"context_management\": {\"original_input_tokens\": 400}}";
    for (encoding, answer) in [
        ("identity", Answer::text(200, "application/json", told)),
        ("gzip", Answer::text(200, "application/json", told).gzip()),
    ] {
        let answer = answer
            .header("request-id", "req_1")
            .header("set-cookie", "a=b");
        let upstream = Upstream::start(answer).await;
        let lingate = Lingate::to_anthropic(&upstream.url()).await;
        let body =
            r#"{"messages": [ {"role":"user","content":"caf\u00e9"} ],"model":"claude-opus-5-5" }"#;
        let response = lingate
            .post(
                "/v1/messages/count_tokens?beta=true&key=secret",
                &Value::Null,
            )
            .header("anthropic-beta", "token-counting-2024-11-01")
            .header("x-api-key", "a-client's")
            .body(body)
            .send()
            .await;
        let header = |name: &str| response.header(name).to_owned();
        assert_eq!(response.status, 200, "{encoding}");
        assert_eq!(
            [
                "request-id",
                "set-cookie",
                "x-lingate-estimate",
                "x-lingate-lane",
                "x-lingate-provider",
                "content-encoding"
            ]
            .map(header),
            ["req_1", "", "", "passthrough", "up", ""],
            "{encoding}"
        );
        assert!(!header("x-lingate-id").is_empty());
        assert_eq!(response.text().await, told, "{encoding}");
        let requests = upstream.requests();
        let [request] = &requests[..] else {
            panic!("{}", requests.len())
        };
        assert_eq!(request.target, "/v1/messages/count_tokens?beta=true");
        assert_eq!(
            request.text(),
            body.replace("claude-opus-5-5", "served-model")
        );
        assert_eq!(request.header("x-api-key"), "sk-upstream");
        assert_eq!(
            request.header("anthropic-beta"),
            "token-counting-2024-11-01"
        );
    }
}

/// A fault of the request is told; one of the provider's, or of ours, is no reason not to count.
#[tokio::test]
async fn what_keeps_a_provider_from_counting_is_told_only_if_the_client_can_help_it() {
    let error =
        |status, kind: &str| Answer::json(status, &anthropic::error(kind, "because sk-upstream"));
    let cases = [
        (error(400, "invalid_request_error"), 400),
        (error(413, "request_too_large"), 413),
        (error(401, "authentication_error"), 200),
        (error(404, "not_found_error"), 200),
        (error(429, "rate_limit_error"), 200),
        (error(529, "overloaded_error"), 200),
        (Answer::json(400, &json!({"detail": "unknown route"})), 200),
        (Answer::json(200, &json!({"tokens": 7})), 200),
        (Answer::text(200, "text/html", "<!doctype html>"), 200),
        (error(400, "invalid_request_error").take(0).cut(), 200),
    ];
    for (n, (answer, status)) in cases.into_iter().enumerate() {
        let upstream = Upstream::start(answer).await;
        let lingate = Lingate::to_anthropic(&upstream.url()).await;
        let response = lingate.post(PATH, &counted(json!(PROSE))).send().await;
        let is_ours = response.header("x-lingate-estimate") == "true";
        assert_eq!(
            (response.status, is_ours),
            (status, status == 200),
            "case {n}"
        );
        let text = response.text().await;
        assert!(!text.contains("sk-upstream"), "case {n}: {text}");
        assert!(
            status == 200 || text.contains("because [key]"),
            "case {n}: {text}"
        );
    }
}

/// A history with a seal of ours goes through lane 2; its provider counts what it would get, and gets no seal.
#[tokio::test]
async fn a_sealed_history_is_counted_by_its_provider_too() {
    let upstream = Upstream::start(|request: &Received| match request.path() {
        "/v1/messages/count_tokens" => Answer::json(200, &json!({"input_tokens": 55})),
        _ => Reply::default().think("hm").say("ok").answer(request),
    })
    .await;
    let config = format!(
        "default = \"chat/m\"\nfrom_env = false\n[providers.chat]\nbase_url = \"{0}\"\nspeaks = [\"chat\"]\n\
         [providers.own]\nbase_url = \"{0}\"\nspeaks = [\"anthropic\"]\n",
        upstream.url()
    );
    let lingate = Lingate::start(&config).await;
    let first = lingate
        .post("/v1/messages", &messages(false))
        .send()
        .await
        .json()
        .await;
    assert!(
        first["content"][0]["signature"]
            .as_str()
            .unwrap()
            .starts_with("lg1."),
        "{first}"
    );
    let mut body = counted(json!("hello"));
    body["model"] = "own/m".into();
    let history = body["messages"].as_array_mut().unwrap();
    history.push(json!({"role": "assistant", "content": first["content"]}));
    history.push(json!({"role": "user", "content": "on"}));
    let response = lingate.post(PATH, &body).send().await;
    assert_eq!(
        (
            response.status,
            response.header("x-lingate-estimate"),
            response.header("x-lingate-lane")
        ),
        (200, "", "translated")
    );
    assert_eq!(response.json().await["input_tokens"], 55);
    let asked = upstream.requests().pop().unwrap();
    assert_eq!(
        asked.json()["messages"][1]["content"],
        json!([{"type": "text", "text": "ok"}])
    );
    assert!(!asked.text().contains("lg1."));
    for member in ["max_tokens", "stream"] {
        assert!(asked.json()[member].is_null(), "{}", asked.text());
    }
}

#[tokio::test]
async fn a_name_that_nothing_serves_is_not_counted() {
    let upstream = Upstream::start(Misbehaviour::Healthy).await;
    let config = format!(
        "[providers.up]\nbase_url = \"{}\"\nspeaks = [\"chat\"]\n",
        upstream.url()
    );
    let lingate = Lingate::start(&config).await;
    let response = lingate.post(PATH, &counted(json!("hi"))).send().await;
    assert_eq!(response.status, 404);
    assert_eq!(response.json().await["error"]["type"], "not_found_error");
}
