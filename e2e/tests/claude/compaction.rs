//! A conversation that outgrows its model: told in words that the client knows, it compacts by itself and goes on.

use lingate_e2e::{Claude, Gateway, Home};
use lingate_testkit::{
    Answer, Misbehaviour, OverflowWords, Received, Reply, Script, Upstream, chat,
};
use serde_json::{Value, json};

/// Bytes of messages that this model takes.
const ROOM: usize = 60_000;
/// What the client asks for when it compacts.
const SUMMARY: &str = "The user wants the COMPACTING task done: the file is still to be written.";

/// A model that fills its context with the output of commands, and once it has a summary writes a file.
#[derive(Clone)]
struct Outgrown {
    file: String,
    words: fn(&Received) -> Answer,
}

impl Script for Outgrown {
    fn answer(&self, request: &Received) -> Answer {
        let body = request.json();
        let text = request.text();
        let messages = body["messages"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        let last = messages.last().map(Value::to_string).unwrap_or_default();
        if last.contains("Respond with TEXT ONLY") {
            return Reply::text(&format!("<summary>\n{SUMMARY}\n</summary>")).answer(request);
        }
        if !text.contains("COMPACTING") {
            return Reply::text("Understood.").answer(request);
        }
        if room(request) > ROOM {
            return (self.words)(request);
        }
        let done = messages
            .iter()
            .filter(|message| message["role"] == "tool")
            .count();
        let is_written = text.contains("call_w");
        let step = match (text.contains(SUMMARY), done) {
            (true, _) if !is_written => Reply::text("Writing.").call(
                "call_w",
                "Write",
                &json!({"file_path": self.file, "content": "done\n"}),
            ),
            (true, _) => Reply::text("All done."),
            (false, n) => {
                let command =
                    json!({"command": format!("seq 1 4000; echo {n}"), "description": "Counts"});
                Reply::text("Counting.").call(&format!("call_{n}"), "Bash", &command)
            }
        };
        step.answer(request)
    }
}

/// Bytes of a request's messages.
fn room(request: &Received) -> usize {
    request.json()["messages"].to_string().len()
}

fn openai(request: &Received) -> Answer {
    Misbehaviour::ContextOverflow(OverflowWords::OpenAi).answer(request)
}

/// vLLM 0.32's words.
fn vllm(_: &Received) -> Answer {
    let words = "This model's maximum context length is 32768 tokens. However, your prompt contains at least 32769 input \
                 tokens, which exceeds this limit even without any output tokens. Please reduce the length of the input \
                 prompt. (parameter=input_tokens, value=32769)";
    let mut error = chat::error("BadRequestError", words);
    error["error"]["param"] = "input_tokens".into();
    error["error"]["code"] = 400.into();
    Answer::json(400, &error)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overflow_in_foreign_words_makes_the_client_compact_and_finish() {
    for words in [openai, vllm] {
        let home = Home::new();
        let script = Outgrown {
            file: home.project_str("done.txt"),
            words,
        };
        let upstream = Upstream::start(script).await;
        let gateway = Gateway::before(&home, &upstream).await;
        let Some(claude) = Claude::at(&home, &gateway.url) else {
            return;
        };
        let transcript = claude.session("Please do the COMPACTING task.").await;
        assert_eq!(transcript.success(), "All done.");
        assert_eq!(home.read("project/done.txt"), "done\n");
        let requests = upstream.requests();
        let count = |words: &str| {
            requests
                .iter()
                .filter(|request| request.text().contains(words))
                .count()
        };
        let refused = requests
            .iter()
            .filter(|request| room(request) > ROOM)
            .count();
        assert_eq!(
            (refused, count("Respond with TEXT ONLY")),
            (1, 1),
            "told once, summed up once"
        );
        assert_eq!(gateway.stop().await.code, Some(0));
        home.is_quiet().await;
    }
}
