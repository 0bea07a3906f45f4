//! How far our token counts are off, against the count of a real server: `docs/counting.md` has the numbers.
//!
//! The requests are those of a real session and recorded ones; the server is llama.cpp, once with its model's own
//! template, which knows no tools, and once with one that shows them as JSON, as most models' do. The provider is scripted
//! and tells as usage what llama.cpp makes of each request: 18,000 tokens through a real model would take minutes.

use std::path::Path;
use std::time::Duration;

use lingate_e2e::{Claude, Gateway, Home, LlamaCpp, Provider, llama_cpp};
use lingate_testkit::client::post;
use lingate_testkit::{Agent, Received, Reply, Step, Upstream, Usage};
use serde_json::{Value, json};

/// Tools as JSON, calls and results in tags.
const WITH_TOOLS: &str = "\
{%- if tools %}<|im_start|>system\n# Tools\n{% for tool in tools %}{{ tool | tojson }}\n{% endfor %}<|im_end|>\n{% endif %}
{%- for message in messages %}<|im_start|>{{ message.role }}\n
{%- if message.content is string %}{{ message.content }}{% else %}
{%- for part in message.content or [] %}{{ part.text }}{% endfor %}{% endif %}
{%- for call in message.tool_calls or [] %}
<tool_call>\n{\"name\": \"{{ call.function.name }}\", \"arguments\": {{ call.function.arguments | tojson }}}\n</tool_call>
{%- endfor %}<|im_end|>\n{% endfor %}
{%- if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

/// Requests from this many tokens on are held to a bound, in percent, once one has been answered.
const LARGE: u64 = 2_000;

/// One request: its name, llama.cpp's count, and ours.
struct Row {
    name: String,
    truth: u64,
    /// At the start of a stream and by `count_tokens`, with nothing learnt and with those before it answered.
    fresh: [u64; 2],
    learnt: [u64; 2],
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_are_near_those_of_llama_cpp() {
    let home = Home::new();
    let mut bodies = session(&home).await;
    bodies.extend(recorded());
    let template = home.write("tools.jinja", WITH_TOOLS);
    let template = template.to_str().expect("a plain path");
    for (what, args, bound) in [
        ("the model's own template", &["-c", "512"][..], 25.0),
        (
            "a template with tools",
            &["-c", "512", "--chat-template-file", template][..],
            10.0,
        ),
    ] {
        let Some(llama) = LlamaCpp::start(&home, args).await else {
            return;
        };
        let rows = measured(&home, &llama, &bodies).await;
        println!("{what}\n{}", table(&rows));
        // Nothing is known before the first; a few hundred tokens more or less are nobody's reason to compact.
        let large = rows.iter().skip(1).filter(|row| row.truth >= LARGE);
        for row in large {
            let off = off(row.learnt[1], row.truth);
            assert!(
                off.abs() <= bound,
                "{}: {off:.1} % off\n{}",
                row.name,
                table(&rows)
            );
        }
        drop(llama);
    }
    home.is_quiet().await;
}

/// The requests of a session of Claude Code, if it is installed.
async fn session(home: &Home) -> Vec<(String, Value)> {
    let file = home.project_str("new.txt");
    let agent = Agent::new().on(
        "COUNTING",
        [
            Step::call(
                "Write",
                json!({"file_path": file, "content": "one line\n".repeat(200)}),
            )
            .thinking("A file first."),
            Step::call("Read", json!({"file_path": file})).saying("I read it again."),
            Step::call(
                "Bash",
                json!({"command": "seq 1 500", "description": "Counts"}),
            ),
            Step::say("Done."),
        ],
    );
    let upstream = Upstream::start(agent).await;
    let Some(claude) = Claude::at(home, &upstream.url()) else {
        return Vec::new();
    };
    claude
        .session("Please do the COUNTING task.")
        .await
        .success();
    let requests = upstream.requests();
    let own = requests
        .iter()
        .filter(|request| request.text().contains("COUNTING") && request.streams());
    own.enumerate()
        .map(|(n, request)| (format!("Claude Code, request {}", n + 1), request.json()))
        .collect()
}

fn recorded() -> Vec<(String, Value)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("a workspace");
    let files = [
        ("large agent request", "bench/bodies/large.json"),
        ("small request", "bench/bodies/small.json"),
        (
            "parallel calls",
            "crates/wire/testdata/anthropic/claude_code_parallel.json",
        ),
        (
            "several steps",
            "crates/wire/testdata/anthropic/claude_code_steps.json",
        ),
        (
            "tools loaded later",
            "crates/wire/testdata/anthropic/claude_code_toolsearch.json",
        ),
    ];
    let read = |(name, path): (&str, &str)| {
        let text = std::fs::read_to_string(root.join(path))
            .unwrap_or_else(|error| panic!("{path}: {error}"));
        (
            name.to_owned(),
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}")),
        )
    };
    files.map(read).into()
}

/// Counts all of them with nothing learnt, and then with those before answered.
async fn measured(home: &Home, llama: &LlamaCpp, bodies: &[(String, Value)]) -> Vec<Row> {
    let server = llama.address();
    let upstream = Upstream::start(move |request: &Received| {
        let prompt = llama_cpp::prompt_tokens(server, &request.body);
        let usage = Usage {
            prompt,
            cached: 0,
            output: 1,
        };
        let reply = Reply::text("ok");
        Reply { usage, ..reply }.answer(request)
    })
    .await;
    let mut rows = Vec::new();
    for (name, body) in bodies {
        // One gateway a request: nothing is learnt from the others.
        let gateway = Gateway::serve(home, &Provider::chat(&upstream.url()).config()).await;
        let count = count(&gateway, body).await;
        let (start, truth) = answered(&gateway, body).await;
        rows.push(Row {
            name: name.clone(),
            truth,
            fresh: [start, count],
            learnt: [0, 0],
        });
        gateway.stop().await;
    }
    // The same in a row before one gateway: each is counted with those before it answered, as in a session.
    let gateway = Gateway::serve(home, &Provider::chat(&upstream.url()).config()).await;
    for (row, (_, body)) in rows.iter_mut().zip(bodies) {
        row.learnt[1] = count(&gateway, body).await;
        row.learnt[0] = answered(&gateway, body).await.0;
        // What is learnt is learnt after the answer's last byte.
        let limit = Duration::from_secs(10);
        let learnt = async {
            while count(&gateway, body).await == row.learnt[1] && row.learnt[1] != row.truth {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let _ = tokio::time::timeout(limit, learnt).await;
    }
    gateway.stop().await;
    rows
}

async fn count(gateway: &Gateway, body: &Value) -> u64 {
    let mut body = body.clone();
    let members = body.as_object_mut().expect("a request");
    members.shift_remove("max_tokens");
    members.shift_remove("stream");
    let answer = post(
        &format!("{}/v1/messages/count_tokens?beta=true", gateway.url),
        &body,
    )
    .send()
    .await;
    assert_eq!(answer.header("x-lingate-estimate"), "true");
    answer.json().await["input_tokens"]
        .as_u64()
        .expect("a number")
}

/// Input tokens at the start of a streamed answer and at its end.
async fn answered(gateway: &Gateway, body: &Value) -> (u64, u64) {
    let mut body = body.clone();
    body["stream"] = true.into();
    let events = post(&format!("{}/v1/messages?beta=true", gateway.url), &body)
        .send()
        .await
        .events()
        .all()
        .await;
    let of = |name: &str, path: &str| {
        let event = events
            .iter()
            .find(|event| event.name == name)
            .unwrap_or_else(|| panic!("no {name}: {events:?}"));
        event
            .json()
            .pointer(path)
            .and_then(Value::as_u64)
            .expect("a number")
    };
    (
        of("message_start", "/message/usage/input_tokens"),
        of("message_delta", "/usage/input_tokens"),
    )
}

/// How far `ours` is off, in percent of the truth.
fn off(ours: u64, truth: u64) -> f64 {
    100.0 * (ours as f64 / truth as f64 - 1.0)
}

fn table(rows: &[Row]) -> String {
    let mut text = String::from(
        "| request | llama.cpp | start, fresh | count, fresh | start, learnt | count, learnt |\n|---|--:|--:|--:|--:|--:|\n",
    );
    for row in rows {
        let cell = |ours: u64| format!("{ours} ({:+.0} %)", off(ours, row.truth));
        let cells = [row.fresh[0], row.fresh[1], row.learnt[0], row.learnt[1]]
            .map(cell)
            .join(" | ");
        text += &format!("| {} | {} | {cells} |\n", row.name, row.truth);
    }
    text
}
