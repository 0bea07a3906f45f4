//! Every way an upstream can go wrong, on every wire it speaks, before every client: a legal answer or an error of the
//! client's own shape, and never an end that claims more than came.

use lingate_testkit::{
    Answer, Misbehaviour as M, OverflowWords, Received, Reply, Upstream, anthropic, chat,
};
use lingate_wire::Wire;
use serde_json::{Value, json};

use crate::harness::{Lingate, accept, completions, messages};

const WIRES: [Wire; 2] = [Wire::Anthropic, Wire::Chat];

/// What the client is told.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Told {
    /// A whole answer.
    Answered,
    /// An answer that ends in an error event.
    Broken,
    /// An error: its status, its type and its code.
    Refused(u16, String, String),
}

fn refused(status: u16, kind: &str) -> Told {
    Told::Refused(status, kind.to_owned(), String::new())
}

/// Asks through a gateway of its own, and checks all that holds for every answer.
async fn ask(url: &str, upstream: Wire, client: Wire, is_stream: bool) -> (Told, String) {
    // Longer than a busy machine needs, and the shortest of them after content.
    let limits = "timeouts = { headers = \"2s\", first_content = \"2s\", idle = \"1s\" }";
    let speaks = if upstream == Wire::Anthropic {
        "anthropic"
    } else {
        "chat"
    };
    let lingate = Lingate::start(&format!(
        "default = \"up/m\"\n[providers.up]\nbase_url = \"{url}\"\nspeaks = [\"{speaks}\"]\napi_key = \"sk-upstream\"\n{limits}"
    ))
    .await;
    let (path, mut body, tool) = match client {
        Wire::Anthropic => {
            let tool = json!({"name": "Bash", "input_schema": {"type": "object"}});
            ("/v1/messages", messages(is_stream), tool)
        }
        Wire::Chat | Wire::Responses | Wire::Gemini => {
            let function = json!({"name": "Bash", "parameters": {"type": "object"}});
            let tool = json!({"type": "function", "function": function});
            ("/v1/chat/completions", completions(is_stream), tool)
        }
    };
    body["tools"] = json!([tool]);
    let response = lingate.post(path, &body).send().await;
    let (status, kind) = (response.status, response.header("content-type").to_owned());
    let should_retry = response.header("x-should-retry").to_owned();
    let text = response.text().await;
    assert!(
        !text.contains("sk-upstream") && !text.contains("lg1..."),
        "{text}"
    );
    if status != 200 {
        let error: Value =
            serde_json::from_str(&text).unwrap_or_else(|_| panic!("{status}: {text}"));
        assert_eq!(kind, "application/json", "{text}");
        assert!(error["error"]["message"].is_string(), "{text}");
        assert_eq!(
            error["type"] == "error",
            client == Wire::Anthropic,
            "{text}"
        );
        // What may go well another time may be tried again; what was asked wrongly may not.
        let is_final = status < 500 && !matches!(status, 408 | 409 | 429);
        assert!(
            !is_final || should_retry == "false" || upstream == client,
            "{status} {should_retry:?}: {text}"
        );
        let word = |member: &str| {
            error["error"][member]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        return (Told::Refused(status, word("type"), word("code")), text);
    }
    if !is_stream {
        let reply: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}"));
        assert!(
            reply["error"].is_null() && reply["usage"].is_object(),
            "{text}"
        );
        return (Told::Answered, text);
    }
    accept(client, &text);
    let is_broken = text.contains("\"error\":{") || text.contains("event: error");
    let is_ended = text.contains("event: message_stop") || text.contains("[DONE]");
    assert!(is_broken != is_ended, "one end, and only one: {text}");
    (
        if is_broken {
            Told::Broken
        } else {
            Told::Answered
        },
        text,
    )
}

/// One misbehaviour before both clients on both wires: streamed and whole, all at once.
async fn check(misbehaviour: M, streamed: [Told; 2], whole: [Told; 2]) {
    let server = Upstream::start(misbehaviour).await;
    let mut asked = tokio::task::JoinSet::new();
    for upstream in WIRES {
        for (n, client) in WIRES.into_iter().enumerate() {
            for (is_stream, expected) in [(true, &streamed[n]), (false, &whole[n])] {
                let (url, expected) = (server.url(), expected.clone());
                asked.spawn(async move {
                    let (told, text) = ask(&url, upstream, client, is_stream).await;
                    let what = format!("{upstream:?} to {client:?}, stream: {is_stream}");
                    (what, upstream, client, told, expected, text)
                });
            }
        }
    }
    for (what, upstream, client, told, expected, text) in asked.join_all().await {
        // A provider's own words pass where nothing has to be said in another way.
        let is_own = upstream == client
            && matches!((&told, &expected), (Told::Refused(..), Told::Refused(..)));
        let told = comparable(told, &expected, client);
        assert!(
            told == expected || is_own,
            "{misbehaviour:?}, {what}: {told:?}, not {expected:?}: {text}"
        );
    }
}

/// Without what is nobody's protocol: codes, and on the Chat wire types.
fn comparable(told: Told, expected: &Told, client: Wire) -> Told {
    match (told, expected) {
        (Told::Refused(status, ..), Told::Refused(_, kind, _)) if client == Wire::Chat => {
            refused(status, kind)
        }
        (Told::Refused(status, kind, _), _) => refused(status, &kind),
        (told @ (Told::Answered | Told::Broken), _) => told,
    }
}

/// An error of the gateway's own, in both clients' words.
fn both(status: [u16; 2], kind: [&str; 2]) -> [Told; 2] {
    [refused(status[0], kind[0]), refused(status[1], kind[1])]
}

fn answered() -> [Told; 2] {
    [Told::Answered, Told::Answered]
}

fn broken() -> [Told; 2] {
    [Told::Broken, Told::Broken]
}

fn failed() -> [Told; 2] {
    both([502; 2], ["api_error", "server_error"])
}

#[tokio::test]
async fn answers_that_are_odd_but_whole() {
    for odd in [M::Healthy, M::NotSse, M::DripByte, M::Gzip, M::SlowStart(2)] {
        check(odd, answered(), answered()).await;
    }
}

#[tokio::test]
async fn refusals() {
    check(M::WrongKey, failed(), failed()).await;
    let overloaded = both([529, 503], ["overloaded_error", "server_error"]);
    check(M::Overloaded, overloaded.clone(), overloaded).await;
    let limited = both([429; 2], ["rate_limit_error", "rate_limit_error"]);
    check(M::RateLimited(3), limited.clone(), limited).await;
    for words in [
        OverflowWords::OpenAi,
        OverflowWords::Moonshot,
        OverflowWords::Anthropic,
        OverflowWords::LlamaCpp,
    ] {
        let overflow = both([400; 2], ["invalid_request_error"; 2]);
        check(M::ContextOverflow(words), overflow.clone(), overflow).await;
    }
}

#[tokio::test]
async fn answers_without_content() {
    for nothing in [
        M::HtmlPage200,
        M::EmptyStream,
        M::NoContent,
        M::CutBeforeContent,
    ] {
        check(nothing, failed(), failed()).await;
    }
    check(M::ErrorInsideStream, failed(), failed()).await;
}

#[tokio::test]
async fn answers_that_break_off() {
    for broken_off in [M::CutAfterText, M::ResetAfterText] {
        check(broken_off, broken(), failed()).await;
    }
    let died = both([500; 2], ["api_error", "server_error"]);
    check(M::ErrorAfterText, broken(), died).await;
}

#[tokio::test]
async fn answers_that_never_come_or_never_end() {
    let late = both([504; 2], ["timeout_error", "timeout_error"]);
    check(M::NeverAnswers, late.clone(), late.clone()).await;
    check(M::StallsAfterHeaders, late.clone(), late.clone()).await;
    check(M::StallsAfterText, broken(), late).await;
}

/// Bodies and what each client is told of them: the statuses that Claude Code and the SDKs act on.
#[tokio::test]
async fn what_providers_say_in_their_own_ways() {
    let said = |kind: &str, code: Value, message: &str| json!({"error": {"type": kind, "code": code, "message": message}});
    let minimax = |code: u32, message: &str| json!({"base_resp": {"status_code": code, "status_msg": message}});
    let cases = [
        (
            402,
            said(
                "unknown_error",
                json!("invalid_request_error"),
                "Insufficient Balance",
            ),
            (402, "billing_error"),
            402,
        ),
        (
            429,
            said(
                "exceeded_current_quota_error",
                Value::Null,
                "your account is suspended",
            ),
            (402, "billing_error"),
            429,
        ),
        (
            429,
            said(
                "engine_overloaded_error",
                Value::Null,
                "please try again later",
            ),
            (529, "overloaded_error"),
            503,
        ),
        (
            503,
            said("", json!(503), "no capacity"),
            (529, "overloaded_error"),
            503,
        ),
        (
            404,
            said(
                "resource_not_found_error",
                Value::Null,
                "Not found the model m",
            ),
            (404, "not_found_error"),
            404,
        ),
        (
            429,
            said("", json!("1305"), "the model is busy"),
            (529, "overloaded_error"),
            503,
        ),
        (
            413,
            said("", Value::Null, "request entity too large"),
            (413, "request_too_large"),
            413,
        ),
        (
            200,
            minimax(1002, "rate limit"),
            (429, "rate_limit_error"),
            429,
        ),
        (
            200,
            minimax(1008, "insufficient balance"),
            (402, "billing_error"),
            429,
        ),
        (
            200,
            json!({"id": "c", "object": "chat.completion", "model": "m", "choices": [], "usage": null}),
            (502, "api_error"),
            502,
        ),
    ];
    for (status, body, (to_anthropic, kind), to_chat) in cases {
        let server = Upstream::start(Answer::json(status, &body)).await;
        for is_stream in [true, false] {
            let (told, text) = ask(&server.url(), Wire::Chat, Wire::Anthropic, is_stream).await;
            assert_eq!(told, refused(to_anthropic, kind), "{body}: {text}");
        }
        // As an Anthropic host would say it, so that it is translated.
        let Some(kind) = (status != 200).then_some(kind) else {
            continue;
        };
        let error = anthropic::error(kind, "because");
        let server = Upstream::start(Answer::json(to_anthropic, &error)).await;
        let (told, text) = ask(&server.url(), Wire::Anthropic, Wire::Chat, true).await;
        let Told::Refused(status, ..) = told else {
            panic!("{text}")
        };
        assert!(
            status == to_chat || kind == "billing_error" && matches!(status, 402 | 429),
            "{kind}: {text}"
        );
    }
}

/// Streams that are not quite what their wire says.
#[tokio::test]
async fn deviating_streams() {
    let reply = Reply::text("Hello there.");
    let (of_anthropic, of_chat) = (anthropic::stream("m", &reply), chat::stream("m", &reply));
    let unnamed = |frames: &[String]| -> Vec<String> {
        let data = |frame: &String| {
            frame
                .lines()
                .filter(|line| !line.starts_with("event:"))
                .map(|line| format!("{line}\n"))
                .collect()
        };
        frames.iter().map(data).collect()
    };
    let with = |frames: &[String], at: usize, frame: &str| {
        let mut frames = frames.to_vec();
        frames.insert(at, frame.to_owned());
        frames
    };
    let half = "event: content_block_delta\ndata: {\"type\": \"content_block_del\n\n".to_owned();
    let half_chunk = "data: {\"choices\": [{\"delta\": {\"conte\n\n".to_owned();
    let unknown = "event: weather\ndata: {\"type\": \"weather\", \"is\": \"fine\"}\n\n";
    let (end, nothing) = (of_anthropic.len(), refused(502, "api_error"));
    let no_choice = vec![
        "data: {\"choices\": []}\n\n".to_owned(),
        chat::DONE.to_owned(),
    ];
    let ping = "event: ping\ndata: {\"type\": \"ping\"}\n\n";
    let cases = [
        (
            "no event names",
            Wire::Anthropic,
            unnamed(&of_anthropic),
            Told::Answered,
        ),
        (
            "an end of the other wire's",
            Wire::Anthropic,
            with(&of_anthropic, end, chat::DONE),
            Told::Answered,
        ),
        (
            "an unknown event",
            Wire::Anthropic,
            with(&of_anthropic, 3, unknown),
            Told::Answered,
        ),
        (
            "a comment",
            Wire::Anthropic,
            with(&of_anthropic, 3, ": hello\n\n"),
            Told::Answered,
        ),
        (
            "half an event and no more",
            Wire::Anthropic,
            vec![half],
            nothing.clone(),
        ),
        (
            "half a chunk and no more",
            Wire::Chat,
            vec![half_chunk],
            nothing.clone(),
        ),
        ("no choice at all", Wire::Chat, no_choice, nothing),
        (
            "a second end",
            Wire::Chat,
            with(&of_chat, of_chat.len(), chat::DONE),
            Told::Answered,
        ),
        (
            "events of the other wire",
            Wire::Chat,
            with(&of_chat, 2, ping),
            Told::Answered,
        ),
    ];
    for (what, upstream, frames, expected) in cases {
        let server = Upstream::start(Answer::sse(frames)).await;
        let client = if upstream == Wire::Chat {
            Wire::Anthropic
        } else {
            Wire::Chat
        };
        let (told, text) = ask(&server.url(), upstream, client, true).await;
        let told = comparable(told, &expected, client);
        assert_eq!(told, expected, "{what}: {text}");
    }
}

/// Ids that a client would lose a call by, and arguments that are none.
#[tokio::test]
async fn calls_of_one_id_are_two_calls() {
    let reply = |request: &Received| {
        let call = |reply: Reply, command: &str| {
            reply.call("functions.Bash:0", "Bash", &json!({"command": command}))
        };
        call(call(Reply::default(), "ls"), "pwd").answer(request)
    };
    let server = Upstream::start(reply).await;
    for is_stream in [true, false] {
        let (told, text) = ask(&server.url(), Wire::Chat, Wire::Anthropic, is_stream).await;
        assert_eq!(told, Told::Answered);
        let mut ids: Vec<&str> = text
            .split("\"id\":\"toolu_")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .collect();
        assert_eq!(ids.len(), 2, "{text}");
        ids.dedup();
        assert_eq!(ids.len(), 2, "{text}");
    }
}
