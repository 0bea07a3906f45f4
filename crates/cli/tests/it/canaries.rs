//! Keys where people put them by mistake, and where hosts repeat them: none is in the record, the log, the metrics, or in
//! what any command shows.
//!
//! The harness searches all of that after every test. Here keys are put into every place they get to, and the search
//! itself is shown to see what a gateway keeps.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use lingate_testkit::canary::{
    self, CLIENT_KEY, Find, OAUTH_TOKEN, PLAIN_KEY, PROVIDER_KEY, QUERY_KEY,
};
use lingate_testkit::{Answer, Received, Reply, Upstream};
use serde_json::{Value, json};

use crate::harness::User;

const PATIENCE: Duration = Duration::from_secs(20);

/// A configured header's value, which looks like nothing.
const HEADER: &str = "corp-header-canary-4c1d";

/// A secret in an address, which looks like nothing.
const IN_ADDRESS: &str = "corp-address-canary-90ab";

/// What a person, or a tool that has read a file of keys, puts into a prompt, and what hosts repeat of it.
const TYPED: [&str; 5] = [PROVIDER_KEY, PLAIN_KEY, CLIENT_KEY, OAUTH_TOKEN, QUERY_KEY];

/// The keys, in a sentence.
fn leak() -> String {
    format!("keys: {}.", TYPED.join(" and "))
}

/// Hosts that repeat keys, by the model that is asked for.
fn host(request: &Received) -> Answer {
    let (model, leak) = (request.model(), leak());
    // What the host was shown, wherever it is shown.
    let shown = ["authorization", "x-api-key", "x-pass"].map(|name| request.header(name));
    let shown = format!("{leak} {} {}", shown.join(" "), request.target);
    let refusal = json!({"type": "error", "error": {"type": "invalid_request_error", "message": shown, "code": 400, "status": leak}});
    match model.as_str() {
        "refuses" => Answer::json(400, &refusal),
        "denies" => Answer::json(401, &refusal),
        "limits" => Answer::json(429, &refusal).header("retry-after", "1"),
        "breaks" => Answer::json(500, &refusal),
        "page" => Answer::text(502, "text/html", format!("<html>{leak}</html>")),
        "redirects" => Answer::text(302, "text/plain", leak).header(
            "location",
            &format!("http://127.0.0.1:9/login?key={QUERY_KEY}&t={PLAIN_KEY}"),
        ),
        "fails-late" if request.streams() => {
            let begun = Reply::text("Once ")
                .say("upon ")
                .say("a time")
                .answer(request)
                .take(4);
            begun.write(format!("data: {refusal}\n\n"))
        }
        "garbage" => Answer::sse([format!("data: {leak}\n\n")]),
        "headers" => Reply::text("Hello.")
            .answer(request)
            .header("x-request-id", PROVIDER_KEY)
            .header("x-ratelimit-remaining", PLAIN_KEY)
            .header("set-cookie", CLIENT_KEY)
            .header("server", request.header("x-pass")),
        _ => Reply::text("Let me see.")
            .call("call_1", "Read", &json!({"path": leak}))
            .answer(request),
    }
}

/// A question in each wire; keys stand in the instructions, the words and a tool's result.
fn questions(model: &str, is_stream: bool) -> [(String, Value); 4] {
    let (leak, schema) = (
        leak(),
        json!({"type": "object", "properties": {"path": {"type": "string"}}}),
    );
    let method = if is_stream {
        "streamGenerateContent?alt=sse&"
    } else {
        "generateContent?"
    };
    [
        (
            "/v1/messages".to_owned(),
            json!({"model": model, "max_tokens": 100, "stream": is_stream, "system": leak,
                "metadata": {"user_id": leak}, "tools": [{"name": "Read", "input_schema": schema}],
                "messages": [{"role": "user", "content": leak},
                    {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "Read", "input": {"path": leak}}]},
                    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": leak}]}]}),
        ),
        (
            "/v1/chat/completions".to_owned(),
            json!({"model": model, "stream": is_stream,
                "tools": [{"type": "function", "function": {"name": "Read", "parameters": schema}}],
                "messages": [{"role": "system", "content": leak}, {"role": "user", "content": leak},
                    {"role": "assistant", "content": null, "tool_calls": [{"id": "c1", "type": "function",
                        "function": {"name": "Read", "arguments": json!({"path": leak}).to_string()}}]},
                    {"role": "tool", "tool_call_id": "c1", "content": leak}]}),
        ),
        (
            "/v1/responses".to_owned(),
            json!({"model": model, "stream": is_stream, "instructions": leak, "store": false,
                "tools": [{"type": "function", "name": "Read", "parameters": schema, "strict": false}],
                "input": [{"role": "user", "content": leak},
                    {"type": "function_call", "call_id": "c1", "name": "Read", "arguments": json!({"path": leak}).to_string()},
                    {"type": "function_call_output", "call_id": "c1", "output": leak}]}),
        ),
        (
            format!("/v1beta/models/{model}:{method}key={QUERY_KEY}"),
            json!({"systemInstruction": {"parts": [{"text": leak}]},
                "tools": [{"functionDeclarations": [{"name": "Read", "parametersJsonSchema": schema}]}],
                "contents": [{"role": "user", "parts": [{"text": leak}]},
                    {"role": "model", "parts": [{"functionCall": {"name": "Read", "args": {"path": leak}}}]},
                    {"role": "user", "parts": [{"functionResponse": {"name": "Read", "response": {"output": leak}}}]}]}),
        ),
    ]
}

/// Sends it with keys in headers, those that are kept too. Head and body of the answer, which nobody has searched.
fn post(address: &str, path: &str, body: &Value) -> String {
    let body = body.to_string();
    let mut connection = TcpStream::connect(address).unwrap();
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(
        connection,
        "POST {path} HTTP/1.0\r\nhost: {address}\r\ncontent-type: application/json\r\n\
         authorization: Bearer {CLIENT_KEY}\r\nx-api-key: {CLIENT_KEY}\r\ncookie: session={OAUTH_TOKEN}\r\n\
         user-agent: agent/1 ({PROVIDER_KEY}; {PLAIN_KEY})\r\nx-stainless-note: {QUERY_KEY}\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).unwrap();
    String::from_utf8(answer).unwrap()
}

fn config(url: &str) -> String {
    let provider = |id: &str, wire: &str, query: &str, key: &str| {
        format!(
            "[providers.{id}]\nbase_url = \"{url}/v1{query}\"\nspeaks = [\"{wire}\"]\napi_key = \"{key}\"\n\
             headers = {{ \"x-pass\" = \"{HEADER}\" }}\n"
        )
    };
    [
        provider("plain", "chat", "", PLAIN_KEY),
        provider("shaped", "anthropic", "", PROVIDER_KEY),
        provider(
            "address",
            "chat",
            &format!("?key={QUERY_KEY}&token={IN_ADDRESS}"),
            "corp-canary-of-the-third",
        ),
        provider("own", "responses", "", "corp-canary-of-the-fourth"),
    ]
    .concat()
}

/// The ids of all exchanges once there are so many with an end.
fn recorded(user: &User, expected: usize) -> Vec<String> {
    let begun = Instant::now();
    loop {
        let ran = user.run(&["logs", "list", "--json", "--limit", "1000"]);
        let rows: Vec<Value> = ran
            .stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        if rows.len() == expected && rows.iter().all(|row| !row["end"].is_null()) {
            return rows
                .iter()
                .map(|row| row["id"].as_str().unwrap().to_owned())
                .collect();
        }
        assert!(
            begun.elapsed() < PATIENCE,
            "{} of {expected} rows",
            rows.len()
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_key_is_told_or_kept_wherever_it_was_put() {
    canary::plant_all();
    [HEADER, IN_ADDRESS].into_iter().for_each(canary::plant);
    let upstream = Upstream::start(host).await;
    let user = User::new();
    let file = user.file("l.toml", &config(&upstream.url()));
    let file = file.to_str().unwrap();
    let gateway = user.serve(&["--config", file]);
    let address = gateway.address();
    let mut asked = 0;
    for provider in ["plain", "shaped", "address", "own"] {
        for (model, is_told_on) in [
            ("refuses", false),
            ("denies", false),
            ("limits", false),
            ("breaks", false),
            ("page", false),
            ("redirects", false),
            ("fails-late", false),
            ("garbage", false),
            ("headers", false),
            // What a model says is its client's, with whatever stands in it.
            ("says", true),
        ] {
            for (path, body) in questions(
                &format!("{provider}/{model}"),
                model == "fails-late" || model == "garbage",
            ) {
                let answer = post(address, &path, &body);
                asked += 1;
                let told: Vec<&str> = [PROVIDER_KEY, PLAIN_KEY, CLIENT_KEY, HEADER, IN_ADDRESS]
                    .into_iter()
                    .filter(|key| !is_told_on && answer.contains(key) && is_shown(provider, key))
                    .collect();
                assert!(
                    told.is_empty(),
                    "{provider}/{model} {path} tells {told:?}: {answer}"
                );
            }
        }
    }
    // Nobody is asked, and still it must not be told on.
    for (path, status) in [
        (format!("/v1beta/nowhere?key={QUERY_KEY}"), "404"),
        (format!("/v1/messages?token={IN_ADDRESS}"), "404"),
    ] {
        let answer = post(address, &path, &json!({"model": "nobody", "messages": []}));
        assert!(
            answer.starts_with(&format!("HTTP/1.0 {status}")) || answer.contains("invalid"),
            "{answer}"
        );
        canary::none(&canary::found_in("an answer", answer.as_bytes()));
    }
    asked += 1;
    let ids = recorded(&user, asked);
    // Every command that shows something of it; the harness searches what they write.
    let (first, last) = (ids[0].clone(), ids[ids.len() - 1].clone());
    for id in [&first, &last] {
        user.run(&["logs", "show", id]);
        user.run(&["logs", "show", id, "--json"]);
        for body in [
            "client-request",
            "provider-request",
            "provider-response",
            "client-response",
        ] {
            user.run(&["logs", "show", id, "--body", body]);
        }
    }
    for args in [
        &["logs", "search", "keys:", "--json"][..],
        &["logs", "stats", "--by", "model"],
        &["cost", "model", "--json"],
        &["status", "--json"],
        &["check", "--config", file],
        &["providers", "--live", "--json"],
        &["providers", "--live"],
        &["models", "--config", file],
    ] {
        user.run(args);
    }
    let masked = user
        .run(&["logs", "show", &last, "--body", "client-request"])
        .stdout;
    assert!(
        masked.contains("keys: ") && masked.contains("****"),
        "{masked}"
    );
    // They were there: the hosts were shown them.
    let shown = upstream.requests();
    for key in [PLAIN_KEY, PROVIDER_KEY, HEADER] {
        let is_shown = |request: &Received| format!("{:?}", request.headers).contains(key);
        assert!(shown.iter().any(is_shown), "{key}");
    }
    assert!(
        shown
            .iter()
            .any(|request| request.target.contains(IN_ADDRESS))
    );
    gateway.end("TERM");
}

/// Whether a host of this provider knows the key because it was shown it: only then is it ours to hide from the client,
/// who wrote the others into the request.
fn is_shown(provider: &str, key: &str) -> bool {
    match provider {
        "plain" => key == PLAIN_KEY || key == HEADER,
        "shaped" => key == PROVIDER_KEY || key == HEADER,
        "address" => key == IN_ADDRESS || key == HEADER,
        _ => key == HEADER,
    }
}

/// The search sees what a gateway keeps: words that are no keys are in its record, and are found there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_search_sees_into_the_record() {
    const WORD: &str = "a word that nobody would mask";
    // All but its end stands in the event before, too, so that only that is stored of it.
    const BEFORE: &str = "a word that an answer says, of events one by one: ordinary";
    const STREAMED: &str = "a word that an answer says, of events one by one: streamed";
    let event = |text: &str| {
        let choice = json!({"index": 0, "delta": {"content": text}, "finish_reason": null});
        let chunk = json!({"id": "c-1", "object": "chat.completion.chunk", "created": 1, "model": "m",
            "choices": [choice]});
        format!("data: {chunk}\n\n")
    };
    let events = [BEFORE, STREAMED, "."].map(event);
    let end = "data: [DONE]\n\n".to_owned();
    let answer = Answer::sse(events.into_iter().chain([end])).paced(Duration::from_millis(20));
    let upstream = Upstream::start(answer).await;
    let user = User::new();
    let text = format!(
        "[providers.up]\nbase_url = \"{}\"\nspeaks = [\"chat\"]\nauth = \"none\"\n",
        upstream.url()
    );
    let file = user.file("l.toml", &text);
    let gateway = user.serve(&["--config", file.to_str().unwrap()]);
    let prose = include_str!("canaries.rs");
    let body = json!({"model": "up/m", "stream": true, "messages": [{"role": "user", "content": format!("{prose}{WORD}{prose}")}]});
    post(gateway.address(), "/v1/chat/completions", &body);
    recorded(&user, 1);
    let ended = gateway.end("TERM");
    assert_eq!(ended.code, 0, "{ended:?}");
    let planted = [WORD, STREAMED];
    planted.into_iter().for_each(canary::plant);
    let found = canary::found_below(user.home(), &[]);
    planted.into_iter().for_each(canary::lift);
    for word in planted {
        let in_segment =
            |find: &Find| find.secret == word && find.place.contains(".seg, compressed at");
        assert!(found.iter().any(in_segment), "{word}: {found:?}");
    }
}
