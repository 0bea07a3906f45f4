//! What the record tells of an exchange beside its bodies: what quirks changed and where, what a provider said of
//! tokens, and why there was another attempt.

use std::time::Duration;

use lingate_gateway::Options;
use lingate_store::{
    self as store, Attempt, Bodies, BodyKind, Details, Exchange, Filter, Hit, Page, Reader,
    Recorder, Store,
};
use lingate_testkit::{Answer, Received, Reply, Script, Upstream, Usage, chat};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Lingate, messages};

/// A gateway that records, in front of one upstream that serves every name.
struct Scene {
    lingate: Lingate,
    recorder: Recorder,
    dir: TempDir,
    _upstream: Upstream,
    _store: Store,
}

impl Scene {
    /// `members` are the provider's beside its address, its wire and `auth = "none"`.
    async fn start(wire: &str, members: &str, bodies: Bodies, script: impl Script) -> Self {
        let upstream = Upstream::start(script).await;
        let dir = TempDir::new().unwrap();
        let options = store::Options {
            bodies,
            ..store::Options::default()
        };
        let store = Store::open(dir.path(), options, jiff::Timestamp::now()).unwrap();
        let recorder = store.recorder();
        let config = format!(
            "default = \"up/kimi-k2.6\"\n[providers.up]\nbase_url = \"{}\"\nspeaks = [\"{wire}\"]\nauth = \"none\"\n{members}\n",
            upstream.url(),
        );
        let options = Options {
            recorder: Some(recorder.clone()),
            ..Options::default()
        };
        let lingate = Lingate::start_as(&config, &[], options).await;
        Self {
            lingate,
            recorder,
            dir,
            _upstream: upstream,
            _store: store,
        }
    }

    /// Asks, reads the answer to its end, and gives it with its row and details.
    async fn ask(&self, body: &Value) -> (String, Exchange, Details) {
        let answer = self.lingate.post("/v1/messages", body).send().await;
        let answer = answer.text().await;
        let (row, details) = self.newest().await;
        (answer, row, details)
    }

    /// The newest row that has ended.
    async fn newest(&self) -> (Exchange, Details) {
        for _ in 0..2000 {
            assert!(self.recorder.flush(Duration::from_secs(10)));
            let rows = self.reader().list(&Filter::default(), Page::default());
            let newest = rows.unwrap().items.into_iter().next();
            if let Some(row) = newest.filter(|row| row.end.is_some()) {
                let details = self.reader().get(row.id).unwrap().unwrap().details;
                return (row, details);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("not recorded in time");
    }

    fn reader(&self) -> Reader {
        Reader::open(self.dir.path()).unwrap()
    }

    fn body(&self, row: &Exchange, kind: BodyKind, attempt: Option<u16>) -> String {
        let body = self.reader().body(row.id, kind, attempt).unwrap();
        String::from_utf8(body.expect("a body").bytes.to_vec()).unwrap()
    }
}

fn of<'d>(details: &'d Details, quirk: &str) -> Vec<&'d Hit> {
    let hits = details.hits.iter();
    hits.filter(|hit| hit.quirk == quirk).collect()
}

/// A question with one tool, and a call in its history.
fn asking(is_stream: bool) -> Value {
    let mut body = messages(is_stream);
    body["tools"] = json!([{ "name": "lookup", "input_schema": {
        "type": "object", "properties": { "term": { "type": "string" } }, "required": ["term"],
    } }]);
    body["temperature"] = json!(0.5);
    body["messages"] = json!([
        { "role": "user", "content": "Look a up." },
        { "role": "assistant", "content": [
            { "type": "tool_use", "id": "toolu_01", "name": "lookup", "input": { "term": "a" } },
        ] },
        { "role": "user", "content": [
            { "type": "tool_result", "tool_use_id": "toolu_01", "content": "A letter." },
        ] },
    ]);
    body
}

const CALL: &str = "<|tool_calls_section_begin|><|tool_call_begin|>functions.lookup:1<|tool_call_argument_begin|>\
                    {\"term\":\"b\"}<|tool_call_end|><|tool_calls_section_end|>";

/// A model that writes a call into its text, in pieces of so many bytes.
fn leaking(size: usize) -> impl Fn(&Received) -> Answer + Send + Sync + 'static {
    move |request: &Received| {
        let text = format!("Let me see. {CALL}");
        if !request.streams() {
            return Answer::json(200, &chat::completion("m", &Reply::text(&text)));
        }
        let bytes = text.as_bytes().chunks(size);
        let mut events: Vec<String> = bytes
            .map(|piece| chat::text("m", std::str::from_utf8(piece).unwrap()))
            .collect();
        events.push(chat::finish("m", "stop"));
        events.push("data: [DONE]\n\n".to_owned());
        Answer::sse(events)
    }
}

const KIMI: &str = "quirks = [\"moonshot\", \"kimi-k2-text\"]";

/// The place is where the event of the provider's own stream begins in which the call begins; before and after are the
/// call as the model wrote it and as the client got it.
#[tokio::test]
async fn a_call_read_out_of_a_streams_text() {
    for size in [1, 7, 1000] {
        let scene = Scene::start("chat", KIMI, Bodies::Full, leaking(size)).await;
        let (answer, row, details) = scene.ask(&asking(true)).await;
        assert!(answer.contains("\"tool_use\""), "{answer}");
        let hits = of(&details, "kimi-k2-text");
        let [hit] = hits[..] else {
            panic!("{size}: {:?}", details.hits);
        };
        let (before, after) = (
            hit.before.as_deref().unwrap(),
            hit.after.as_deref().unwrap(),
        );
        assert!(before.contains(CALL), "{size}: {before}");
        assert!(
            after.contains("[call lookup] {\"term\":\"b\"}"),
            "{size}: {after}"
        );
        let raw = scene.body(&row, BodyKind::ProviderResponse, None);
        let place: usize = hit.place.as_deref().unwrap().parse().unwrap();
        let event = raw[place..].split("\n\n").next().unwrap();
        assert!(event.starts_with("data: {"), "{size}: {event}");
        let begins = event.contains("\"<") || event.contains("see. <|");
        assert!(begins || event.contains("<"), "{size}: {event}");
        assert!(
            !raw[..place].contains('<'),
            "{size}: the call begins at {place}"
        );
        assert!(row.quirks.iter().any(|quirk| quirk == "kimi-k2-text"));
    }
}

#[tokio::test]
async fn a_call_read_out_of_a_whole_replys_text() {
    let scene = Scene::start("chat", KIMI, Bodies::Full, leaking(1)).await;
    let (_, _, details) = scene.ask(&asking(false)).await;
    let hits = of(&details, "kimi-k2-text");
    let [hit] = hits[..] else {
        panic!("{:?}", details.hits);
    };
    assert_eq!(hit.place, None);
    assert!(hit.before.as_deref().unwrap().contains(CALL));
    assert!(hit.after.as_deref().unwrap().contains("[call lookup]"));
}

#[tokio::test]
async fn what_a_request_was_changed_to() {
    let scene = Scene::start("chat", KIMI, Bodies::Full, leaking(7)).await;
    let (_, row, details) = scene.ask(&asking(false)).await;
    let check = |quirk: &str, place: &str, before: Option<&str>, after: Option<&str>| {
        let hits = of(&details, quirk);
        let hit = hits.iter().find(|hit| hit.place.as_deref() == Some(place));
        let hit = hit.unwrap_or_else(|| panic!("{quirk} at {place}: {:?}", details.hits));
        assert_eq!(
            (hit.before.as_deref(), hit.after.as_deref()),
            (before, after)
        );
        assert_eq!(hit.attempt, 1);
        assert!(
            row.quirks.iter().any(|own| own == quirk),
            "{:?}",
            row.quirks
        );
    };
    let (old, new) = (Some("toolu_01"), Some("functions.lookup:0"));
    check("tool-call-ids", "messages[1].content[0].id", old, new);
    check(
        "tool-call-ids",
        "messages[2].content[0].tool_use_id",
        old,
        new,
    );
    check("kimi-sampling", "temperature", Some("0.5"), None);
}

/// Without bodies nothing of what they say is kept; where only errors keep theirs, it depends on the end.
#[tokio::test]
async fn texts_are_kept_where_bodies_are() {
    for (bodies, are_kept) in [
        (Bodies::Full, true),
        (Bodies::Errors, false),
        (Bodies::Metadata, false),
    ] {
        let scene = Scene::start("chat", KIMI, bodies, leaking(7)).await;
        let (_, _, details) = scene.ask(&asking(true)).await;
        for quirk in ["kimi-k2-text", "tool-call-ids", "kimi-sampling"] {
            let hits = of(&details, quirk);
            assert!(!hits.is_empty(), "{bodies:?} {quirk}");
            let has_texts = hits.iter().any(|hit| hit.before.is_some());
            assert_eq!(has_texts, are_kept, "{bodies:?} {hits:?}");
        }
    }
    let failing = |_: &Received| Answer::json(500, &chat::error("server_error", "no"));
    let scene = Scene::start("chat", KIMI, Bodies::Errors, failing).await;
    let (_, _, details) = scene.ask(&asking(true)).await;
    let hits = of(&details, "kimi-sampling");
    assert_eq!(hits[0].before.as_deref(), Some("0.5"));
}

/// A host that names its limit: its words, and what was done.
#[tokio::test]
async fn a_retry_tells_the_words_that_asked_for_it() {
    let words = "max_tokens must be less than or equal to 16384";
    let script = move |request: &Received| {
        if request.json()["max_tokens"].as_u64() > Some(16_384)
            || request.json()["max_completion_tokens"].as_u64() > Some(16_384)
        {
            return Answer::json(400, &chat::error("invalid_request_error", words));
        }
        Reply::text("Fine.").answer(request)
    };
    let scene = Scene::start("chat", "", Bodies::Full, script).await;
    let mut body = messages(false);
    body["max_tokens"] = json!(64_000);
    let (answer, _, details) = scene.ask(&body).await;
    assert!(answer.contains("Fine."), "{answer}");
    let hits = of(&details, "output-limit-retry");
    let first = hits[0];
    assert!(first.before.as_deref().unwrap().contains(words), "{hits:?}");
    assert_eq!(
        (first.attempt, first.after.as_deref()),
        (1, Some("asks again for at most 16384 output tokens"))
    );
    let told: Vec<(&str, &str, Option<u16>)> = details.attempts.iter().map(shown).collect();
    assert_eq!(
        told,
        [
            ("first", "failed", Some(400)),
            ("output-limit-retry", "served", Some(200))
        ]
    );
}

fn shown(attempt: &Attempt) -> (&str, &str, Option<u16>) {
    (&attempt.reason, &attempt.outcome, attempt.status)
}

/// A refusal that holds the model's call: the text, and the call that was read in it.
#[tokio::test]
async fn what_was_read_out_of_a_refusal() {
    let generation = "<function=lookup>{\"term\": \"b\"}</function>";
    let script = move |_: &Received| {
        Answer::json(
            400,
            &json!({ "error": { "message": "Failed to call a function.", "type": "invalid_request_error",
                                "code": "tool_use_failed", "failed_generation": generation } }),
        )
    };
    let scene = Scene::start("chat", "quirks = [\"groq\"]", Bodies::Full, script).await;
    let mut body = asking(false);
    body["model"] = "up/llama-3.3-70b-versatile".into();
    let (answer, _, details) = scene.ask(&body).await;
    assert!(answer.contains("tool_use"), "{answer}");
    let hits = of(&details, "failed-generation");
    let [hit] = hits[..] else {
        panic!("{:?}", details.hits);
    };
    assert_eq!(hit.before.as_deref(), Some(generation));
    let after = hit.after.as_deref().unwrap();
    assert!(after.contains("[call lookup] {\"term\": \"b\"}"), "{after}");
}

/// What a provider says of tokens, in its own words: every wire, streamed and not, in both lanes.
#[tokio::test]
async fn a_providers_own_account_of_tokens() {
    for wire in ["chat", "anthropic", "responses", "gemini"] {
        for is_stream in [true, false] {
            let script = |request: &Received| {
                let usage = Usage {
                    prompt: 3_000,
                    cached: 2_000,
                    output: 100,
                };
                let reply = Reply::text("Hello.");
                Reply { usage, ..reply }.answer(request)
            };
            let scene = Scene::start(wire, "", Bodies::Metadata, script).await;
            let (_, row, details) = scene.ask(&messages(is_stream)).await;
            let told = details
                .usage_raw
                .unwrap_or_else(|| panic!("{wire} {is_stream}"));
            let told: Value = serde_json::from_str(&told).unwrap();
            let (input, output) = match wire {
                "chat" => ("/prompt_tokens", "/completion_tokens"),
                "gemini" => ("/promptTokenCount", "/candidatesTokenCount"),
                _ => ("/input_tokens", "/output_tokens"),
            };
            // The Anthropic wire counts fresh input alone, and tells it when a stream begins.
            let expected = if wire == "anthropic" { 1_000 } else { 3_000 };
            assert_eq!(
                told.pointer(input),
                Some(&json!(expected)),
                "{wire} {is_stream} {told}"
            );
            assert_eq!(
                told.pointer(output),
                Some(&json!(100)),
                "{wire} {is_stream} {told}"
            );
            assert_eq!(row.usage.output, Some(100));
        }
    }
}

/// A price that a host tells is kept with the rest, to the digit.
#[tokio::test]
async fn what_a_host_says_it_costs() {
    let usage = r#"{"prompt_tokens":3,"completion_tokens":2,"cost":0.00012300,"is_byok":false}"#;
    let script = move |request: &Received| {
        if request.streams() {
            let text = chat::text("m", "Hi.");
            let last = format!("data: {{\"choices\":[],\"usage\":{usage}}}\n\n");
            return Answer::sse([
                text,
                chat::finish("m", "stop"),
                last,
                "data: [DONE]\n\n".into(),
            ]);
        }
        let body = format!(
            r#"{{"id":"1","object":"chat.completion","model":"m","choices":[{{"index":0,"message":{{"role":"assistant","content":"Hi."}},"finish_reason":"stop"}}],"usage":{usage}}}"#
        );
        Answer::text(200, "application/json", body)
    };
    for is_stream in [true, false] {
        let scene = Scene::start("chat", "", Bodies::Full, script).await;
        let (_, _, details) = scene.ask(&messages(is_stream)).await;
        assert_eq!(details.usage_raw.as_deref(), Some(usage), "{is_stream}");
    }
}

/// Every moment that is told, in order, in either lane.
#[tokio::test]
async fn the_moments_of_an_exchange() {
    for wire in ["chat", "anthropic"] {
        for is_stream in [true, false] {
            let script = |request: &Received| Reply::text("Hello.").answer(request);
            let scene = Scene::start(wire, "", Bodies::Full, script).await;
            let (_, row, details) = scene.ask(&messages(is_stream)).await;
            let names: Vec<&str> = details.timings.iter().map(|mark| &*mark.what).collect();
            for name in [
                "body_read",
                "sent",
                "headers",
                "first_byte",
                "commit",
                "answered",
                "last_byte",
            ] {
                let n_times = names.iter().filter(|own| **own == name).count();
                assert_eq!(n_times, 1, "{wire} {is_stream}: {name} of {names:?}");
            }
            assert!(
                details.timings.is_sorted_by_key(|mark| mark.at_us),
                "{names:?}"
            );
            assert_eq!(row.commit_ms, row.ttft_ms);
            assert!(row.commit_ms.is_some() && row.overhead_us.is_some());
            let raw = scene
                .reader()
                .body(row.id, BodyKind::ProviderResponse, None);
            assert!(
                !raw.unwrap().unwrap().arrivals.is_empty(),
                "{wire} {is_stream}"
            );
        }
    }
}

/// Who asked, why there was an attempt, and what the cost was counted with, in either lane.
#[tokio::test]
async fn who_asked_and_at_what_price() {
    for wire in ["chat", "anthropic"] {
        let script = |request: &Received| Reply::text("Hello.").answer(request);
        let members = "[models.priced]\ntargets = [\"up/served\"]\nprice = { input = \"3\", output = \"15\" }";
        let scene = Scene::start(wire, members, Bodies::Full, script).await;
        let mut body = messages(true);
        body["model"] = "priced".into();
        let request = scene
            .lingate
            .post("/v1/messages", &body)
            .header("x-claude-code-session-id", "session-1")
            .header("x-claude-code-agent-id", "agent-1")
            .header("x-claude-code-request-class", "subagent");
        drop(request.send().await.text().await);
        let (row, details) = scene.newest().await;
        assert_eq!(row.session.as_deref(), Some("session-1"), "{wire}");
        assert_eq!(row.agent.as_deref(), Some("agent-1"), "{wire}");
        assert_eq!(row.class.as_deref(), Some("subagent"), "{wire}");
        let [attempt] = &details.attempts[..] else {
            panic!("{:?}", details.attempts);
        };
        assert_eq!(shown(attempt), ("first", "served", Some(200)), "{wire}");
        assert!(!attempt.request_headers.is_empty() && !attempt.response_headers.is_empty());
        let price = details.price.unwrap();
        assert_eq!(price.table, "configuration");
        assert_eq!(
            (price.input, price.output),
            (Some(3_000_000), Some(15_000_000))
        );
        assert!(row.cost_micro_usd.is_some_and(|cost| cost > 0));
        let got = scene.reader().body(row.id, BodyKind::ClientResponse, None);
        assert!(!got.unwrap().unwrap().arrivals.is_empty());
    }
}
