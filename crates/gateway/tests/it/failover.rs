//! Failures of a first target that a second one makes good, unnoticed by the client.

use std::time::Duration;

use lingate_testkit::client::Response;
use lingate_testkit::{Answer, Misbehaviour as M, Received, Reply, Script, Upstream, chat};
use lingate_wire::Wire;

use crate::harness::{Lingate, completions, events, messages, text_of};

/// Two targets in order, `a` before `b`, with short limits.
pub(crate) fn two(a: &str, b: &str, wire: &str, more: &str) -> String {
    format!(
        r#"
        default = "m"
        [providers.a]
        base_url = "{a}"
        speaks = ["{wire}"]
        api_key = "sk-of-provider-a"
        timeouts = {{ headers = "300ms", first_content = "300ms" }}
        [providers.b]
        base_url = "{b}"
        speaks = ["{wire}"]
        api_key = "sk-of-provider-b"
        [models.m]
        targets = ["a/one", "b/two"]
        {more}
        "#
    )
}

const NOBODY: &str = "http://127.0.0.1:1";
const SERVED: &str = "From the second.";

async fn second() -> Upstream {
    Upstream::start(|request: &Received| Reply::text(SERVED).answer(request)).await
}

/// The answer's text, whatever the client's wire and mode.
async fn said(wire: Wire, is_stream: bool, response: Response) -> String {
    match (wire, is_stream) {
        (Wire::Anthropic, true) => text_of(&events(wire, response).await),
        (_, true) => {
            let events = events(wire, response).await;
            let texts = events.iter().map(|event| event.json());
            texts
                .filter_map(|event| {
                    let text = &event["choices"][0]["delta"]["content"];
                    text.as_str().map(str::to_owned)
                })
                .collect()
        }
        (Wire::Anthropic, false) => {
            let body = response.json().await;
            body["content"][0]["text"].as_str().unwrap().to_owned()
        }
        (_, false) => {
            let body = response.json().await;
            let text = &body["choices"][0]["message"]["content"];
            text.as_str().unwrap().to_owned()
        }
    }
}

pub(crate) async fn ask(lingate: &Lingate, wire: Wire, is_stream: bool) -> Response {
    match wire {
        Wire::Anthropic => {
            lingate
                .post("/v1/messages", &messages(is_stream))
                .send()
                .await
        }
        _ => {
            let request = lingate.post("/v1/chat/completions", &completions(is_stream));
            request.send().await
        }
    }
}

/// Every client, streamed and whole, over a passthrough and a translation: the second target serves, once.
async fn check(what: &str, first_url: &str, attempts: &str, reason: &str) {
    for upstream_wire in ["chat", "anthropic"] {
        let second = second().await;
        let mut n = 0;
        for client in [Wire::Anthropic, Wire::Chat] {
            for is_stream in [true, false] {
                let config = two(first_url, &second.url(), upstream_wire, "");
                let lingate = Lingate::start(&config).await;
                let case = format!("{what}: {client:?} over {upstream_wire}, stream: {is_stream}");
                let response = ask(&lingate, client, is_stream).await;
                assert_eq!(response.status, 200, "{case}");
                assert_eq!(response.header("x-lingate-provider"), "b", "{case}");
                assert_eq!(response.header("x-lingate-attempts"), attempts, "{case}");
                assert_eq!(said(client, is_stream, response).await, SERVED, "{case}");
                n += 1;
                assert_eq!(second.requests().len(), n, "{case}: asked once");
                let metrics = lingate.get("/metrics").send().await.text().await;
                let line = format!("lingate_failovers_total{{reason=\"{reason}\"}} 1");
                assert!(metrics.contains(&line), "{case}: {line} in\n{metrics}");
            }
        }
        for request in second.requests() {
            let shown = format!("{:?}", request.headers);
            assert!(!shown.contains("sk-of-provider-a"), "{what}: {shown}");
            assert_eq!(request.json()["model"], "two", "{what}");
        }
    }
}

async fn check_script(what: &str, script: impl Script, attempts: &str, reason: &str) {
    let first = Upstream::start(script).await;
    check(what, &first.url(), attempts, reason).await;
}

#[tokio::test]
async fn a_dead_host() {
    check("nobody there", NOBODY, "2", "unreachable").await;
}

#[tokio::test]
async fn refusals_of_the_host() {
    let error = |status: u16, kind: &str| Answer::json(status, &chat::error(kind, "no"));
    check_script("500", error(500, "server_error"), "2", "server-error").await;
    check_script("501", error(501, "server_error"), "2", "server-error").await;
    check_script("overloaded", M::Overloaded, "2", "overloaded").await;
    check_script("not found", error(404, "not_found"), "2", "missing").await;
    check_script("conflict", error(409, "conflict"), "2", "contention").await;
}

#[tokio::test]
async fn refusals_of_the_key() {
    let error =
        |status: u16, kind: &str, message: &str| Answer::json(status, &chat::error(kind, message));
    check_script("limited", M::RateLimited(7), "2", "rate-limit").await;
    check_script("wrong key", M::WrongKey, "2", "credential").await;
    let forbidden = error(403, "permission_error", "not in your region");
    check_script("forbidden", forbidden, "2", "forbidden").await;
    let weekly = "You've reached your weekly (7-day) usage limit";
    let quota = error(403, "access_terminated_error", weekly);
    check_script("weekly quota", quota, "2", "quota").await;
    let unpaid = error(402, "insufficient_balance", "Insufficient Balance");
    check_script("no money", unpaid, "2", "quota").await;
}

#[tokio::test]
async fn silence_has_a_limit() {
    check_script("hung headers", M::NeverAnswers, "2", "timeout").await;
    check_script("hung content", M::StallsAfterHeaders, "2", "timeout").await;
}

#[tokio::test]
async fn successes_that_are_none() {
    check_script("a web page", M::HtmlPage200, "2", "malformed").await;
    check_script("an error inside", M::ErrorInsideStream, "2", "server-error").await;
    check_script("cut early", M::CutBeforeContent, "2", "cut").await;
}

#[tokio::test]
async fn a_reply_without_content_is_asked_for_again_and_then_elsewhere() {
    check_script("no content", M::NoContent, "3", "empty").await;
}

#[tokio::test]
async fn a_request_at_fault_is_asked_of_nobody_else() {
    let words = Answer::json(
        400,
        &chat::error("invalid_request_error", "messages: too odd"),
    );
    let (first, second) = (Upstream::start(words).await, second().await);
    let lingate = Lingate::start(&two(&first.url(), &second.url(), "chat", "")).await;
    for client in [Wire::Anthropic, Wire::Chat] {
        let response = ask(&lingate, client, true).await;
        assert_eq!(response.status, 400);
        assert_eq!(response.header("x-lingate-attempts"), "1");
    }
    assert_eq!(second.requests().len(), 0);
}

#[tokio::test]
async fn nothing_is_sent_twice_after_the_commit() {
    for misbehaviour in [
        M::CutAfterText,
        M::ResetAfterText,
        M::ErrorAfterText,
        M::TruncatedToolJson,
    ] {
        let (first, second) = (Upstream::start(misbehaviour).await, second().await);
        for wire in ["chat", "anthropic"] {
            let lingate = Lingate::start(&two(&first.url(), &second.url(), wire, "")).await;
            let mut body = messages(true);
            body["tools"] =
                serde_json::json!([{"name": "Bash", "input_schema": {"type": "object"}}]);
            let response = lingate.post("/v1/messages", &body).send().await;
            let events = events(Wire::Anthropic, response).await;
            assert_eq!(events.last().unwrap().name, "error", "{misbehaviour:?}");
            assert!(!text_of(&events).contains(SERVED), "{misbehaviour:?}");
        }
        assert_eq!(second.requests().len(), 0, "{misbehaviour:?}");
    }
}

#[tokio::test]
async fn targets_are_bounded() {
    let mut config = String::from("default = \"m\"\n[models.m]\ntargets = [");
    config.push_str(&(0..5).map(|n| format!("\"p{n}/x\",")).collect::<String>());
    config.push_str("]\n");
    let upstreams: Vec<Upstream> = {
        let mut started = Vec::new();
        for _ in 0..5 {
            started.push(Upstream::start(M::Overloaded).await);
        }
        started
    };
    for (n, upstream) in upstreams.iter().enumerate() {
        let url = upstream.url();
        config.push_str(&format!(
            "[providers.p{n}]\nbase_url = \"{url}\"\nspeaks = [\"chat\"]\nauth = \"none\"\n"
        ));
    }
    for (attempts, expected) in [
        ("", 3),
        ("[failover]\nattempts = 1\n", 1),
        ("[failover]\nattempts = 5\n", 5),
    ] {
        let before: usize = upstreams.iter().map(|own| own.requests().len()).sum();
        let lingate = Lingate::start(&format!("{config}{attempts}")).await;
        let response = ask(&lingate, Wire::Anthropic, true).await;
        assert_eq!(response.status, 529, "{attempts}");
        let after: usize = upstreams.iter().map(|own| own.requests().len()).sum();
        assert_eq!(after - before, expected, "{attempts}");
    }
}

#[tokio::test]
async fn the_failure_that_a_retry_helps_is_told() {
    let wrong = Upstream::start(M::WrongKey).await;
    let overloaded = Upstream::start(M::Overloaded).await;
    let limited = Upstream::start(M::RateLimited(40)).await;
    let cases = [
        (&overloaded, &wrong, 529),
        (&wrong, &overloaded, 529),
        (&limited, &wrong, 429),
        (&wrong, &limited, 429),
    ];
    for (first, second, status) in cases {
        let lingate = Lingate::start(&two(&first.url(), &second.url(), "chat", "")).await;
        let response = ask(&lingate, Wire::Anthropic, true).await;
        assert_eq!(response.status, status);
        assert_eq!(response.header("x-lingate-attempts"), "2");
    }
}

/// The breaker opens, exactly one request tries the host again, and its success closes it.
#[tokio::test]
async fn half_open_is_one_probe() {
    let first = Upstream::start(|request: &Received| match request.n {
        0..5 => M::Overloaded.answer(request),
        _ => Reply::text("From the first.")
            .answer(request)
            // Longer than it takes to ask twenty times.
            .paced(Duration::from_millis(500)),
    })
    .await;
    let second = second().await;
    let breaker = "strategy = \"first\"\n[failover.breaker]\nopen = \"3s\"\nopen_max = \"3s\"";
    let config = two(&first.url(), &second.url(), "chat", breaker).replace("300ms", "20s");
    let lingate = Lingate::start(&config).await;
    for _ in 0..8 {
        let response = ask(&lingate, Wire::Anthropic, true).await;
        assert_eq!(response.header("x-lingate-provider"), "b");
        drop(response.text().await);
    }
    assert_eq!(first.requests().len(), 5, "open: left alone");
    // With its jitter of a fifth.
    tokio::time::sleep(Duration::from_millis(3700)).await;
    let all =
        futures_util::future::join_all((0..20).map(|_| ask(&lingate, Wire::Anthropic, true))).await;
    assert_eq!(first.requests().len(), 6, "half open: one");
    let served = all.iter().map(|own| own.header("x-lingate-provider"));
    assert_eq!(served.filter(|provider| *provider == "a").count(), 1);
    let response = ask(&lingate, Wire::Anthropic, true).await;
    assert_eq!(response.header("x-lingate-provider"), "a", "closed");
}

#[tokio::test]
async fn a_probe_whose_client_leaves_is_given_back() {
    let first = Upstream::start(|request: &Received| match request.n {
        0..5 => M::Overloaded.answer(request),
        5 => Answer::silence(),
        _ => Reply::text("From the first.").answer(request),
    })
    .await;
    let second = second().await;
    let breaker =
        "strategy = \"first\"\n[failover.breaker]\nopen = \"300ms\"\nopen_max = \"300ms\"";
    let config =
        two(&first.url(), &second.url(), "chat", breaker).replace("300ms\", first", "30s\", first");
    let lingate = Lingate::start(&config).await;
    for _ in 0..5 {
        drop(ask(&lingate, Wire::Anthropic, true).await.text().await);
    }
    tokio::time::sleep(Duration::from_millis(450)).await;
    let request = lingate.post("/v1/messages", &messages(true));
    let leaving = tokio::spawn(async move { drop(request.send().await) });
    first.wait_for(6, Duration::from_secs(20)).await;
    leaving.abort();
    let mut tries = 0;
    while ask(&lingate, Wire::Anthropic, true)
        .await
        .header("x-lingate-provider")
        != "a"
    {
        tries += 1;
        assert!(tries < 1000, "the place of the probe is free again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// With nothing well left, one target is still asked: it may be back.
#[tokio::test]
async fn a_lone_target_is_asked_whatever_its_breaker_says() {
    let upstream = Upstream::start(|request: &Received| match request.n {
        0..7 => M::Overloaded.answer(request),
        _ => Reply::text("Back.").answer(request),
    })
    .await;
    let lingate = Lingate::to_chat(&upstream.url()).await;
    for n in 0..7 {
        assert_eq!(
            ask(&lingate, Wire::Anthropic, true).await.status,
            529,
            "{n}"
        );
    }
    assert_eq!(ask(&lingate, Wire::Anthropic, true).await.status, 200);
}

/// Three hosts that hang: what one has used of the time is gone for the next.
#[tokio::test]
async fn the_deadline_is_of_all_attempts_together() {
    let hung = Upstream::start(M::NeverAnswers).await;
    let url = hung.url();
    let third = format!(
        "[providers.c]\nbase_url = \"{url}\"\nspeaks = [\"chat\"]\nauth = \"none\"\n\
         [failover]\ndeadline = \"700ms\""
    );
    let config = two(&url, &url, "chat", &third).replace("\"b/two\"", "\"c/x\", \"b/two\"");
    let lingate = Lingate::start(&config).await;
    for client in [Wire::Anthropic, Wire::Chat] {
        let before = hung.requests().len();
        let response = ask(&lingate, client, true).await;
        let took = response.head_after;
        assert_eq!(response.status, 504, "{client}");
        let bounds = Duration::from_millis(690)..Duration::from_secs(20);
        assert!(bounds.contains(&took), "{client}: {took:?}");
        let error = response.text().await;
        // The first had 300 ms of it, the second the rest; the third was never asked.
        for part in ["`c`", "failover.deadline"] {
            assert!(error.contains(part), "{part} in {error}");
        }
        assert_eq!(hung.requests().len() - before, 2, "{client}");
    }
}

/// F1: what the second target is sent is what the client sent, byte by byte but for the model.
#[tokio::test]
async fn f1_the_next_target_gets_the_same_request() {
    for failing in [M::Overloaded, M::ErrorInsideStream, M::CutBeforeContent] {
        let (first, second) = (Upstream::start(failing).await, second().await);
        let lingate = Lingate::start(&two(&first.url(), &second.url(), "anthropic", "")).await;
        let response = ask(&lingate, Wire::Anthropic, true).await;
        assert_eq!(response.header("x-lingate-lane"), "passthrough");
        let (first, second) = (first.requests(), second.requests());
        let sent = messages(true).to_string();
        for (request, model) in [(&first[0], "one"), (&second[0], "two")] {
            assert_eq!(
                request.text(),
                sent.replace("claude-opus-5-5", model),
                "{failing:?}"
            );
        }
    }
}

/// F3: a limited target is passed over at once, for all sessions, until the limit is over.
#[tokio::test]
async fn f3_a_limited_target_is_last_until_its_reset() {
    let first = Upstream::start(|request: &Received| match request.n {
        0 => M::RateLimited(3).answer(request),
        _ => Reply::text("From the first.").answer(request),
    })
    .await;
    let second = second().await;
    let config = two(&first.url(), &second.url(), "chat", "strategy = \"first\"");
    let lingate = Lingate::start(&config).await;
    let mut served = String::new();
    for attempts in ["2", "1", "1"] {
        let response = ask(&lingate, Wire::Anthropic, true).await;
        assert_eq!(response.header("x-lingate-attempts"), attempts);
        served += response.header("x-lingate-provider");
    }
    tokio::time::sleep(Duration::from_millis(3100)).await;
    served += ask(&lingate, Wire::Anthropic, true)
        .await
        .header("x-lingate-provider");
    assert_eq!(served, "bbba");
}

/// F4: what is switched off is not asked. (An open breaker: [`half_open_is_one_probe`].)
#[tokio::test]
async fn f4_a_disabled_target_is_not_asked() {
    let (first, second) = (second().await, second().await);
    let config = two(&first.url(), &second.url(), "chat", "")
        .replace("[providers.b]", "enabled = false\n[providers.b]");
    let lingate = Lingate::start(&config).await;
    let response = ask(&lingate, Wire::Anthropic, true).await;
    assert_eq!(response.header("x-lingate-attempts"), "1");
    assert_eq!((first.requests().len(), second.requests().len()), (0, 1));
}

/// F5: when all fail the client is told in its own wire's words, and when to come back if that is known.
#[tokio::test]
async fn f5_all_failed_is_said_in_the_clients_own_form() {
    let cases = [
        (M::Overloaded, [529, 503], ""),
        (M::RateLimited(30), [429, 429], "30"),
        (M::HtmlPage200, [502, 502], ""),
    ];
    for (failing, statuses, wait) in cases {
        let upstream = Upstream::start(failing).await;
        for (client, status) in [Wire::Anthropic, Wire::Chat].into_iter().zip(statuses) {
            let url = upstream.url();
            let lingate = Lingate::start(&two(&url, &url, "chat", "")).await;
            for is_stream in [true, false] {
                let response = ask(&lingate, client, is_stream).await;
                let case = format!("{failing:?}, {client}, stream {is_stream}");
                assert_eq!(response.status, status, "{case}");
                let told = response.header("retry-after");
                assert!(
                    told == wait || told == "29" && wait == "30",
                    "{case}: {told}"
                );
                let error = response.json().await;
                let is_anthropic = error["type"] == "error";
                assert_eq!(is_anthropic, client == Wire::Anthropic, "{case}: {error}");
                assert!(error["error"]["message"].is_string(), "{case}: {error}");
            }
        }
    }
}

/// F7: the client's own credential stays here, and each provider gets its own.
#[tokio::test]
async fn f7_each_provider_is_shown_its_own_key() {
    let (first, second) = (Upstream::start(M::Overloaded).await, second().await);
    let lingate = Lingate::start(&two(&first.url(), &second.url(), "anthropic", "")).await;
    let request = lingate.post("/v1/messages", &messages(true));
    let request = request.header("authorization", "Bearer of-the-client");
    assert_eq!(request.send().await.status, 200);
    let cases = [(&first, "sk-of-provider-a"), (&second, "sk-of-provider-b")];
    for (upstream, own) in cases {
        let shown = format!("{:?}", upstream.requests()[0].headers);
        let others = ["of-the-client", "sk-of-provider-a", "sk-of-provider-b"];
        for key in others {
            assert_eq!(shown.contains(key), key == own, "{key} in {shown}");
        }
    }
}

/// F8: a packed error body is read, and only so much of it is told.
#[tokio::test]
async fn f8_an_error_body_is_unpacked_and_cut_short() {
    let words = format!("the engine is on fire{}", " and burns".repeat(500));
    let error = Answer::json(500, &chat::error("server_error", &words)).gzip();
    let upstream = Upstream::start(error).await;
    let lingate = Lingate::to_chat(&upstream.url()).await;
    let response = ask(&lingate, Wire::Anthropic, true).await;
    let error = response.json().await;
    let message = error["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("the engine is on fire and burns"),
        "{message}"
    );
    assert!(
        message.chars().count() < 600,
        "{} characters",
        message.len()
    );
}

/// F9: a stream that takes nine minutes more is not cut by the end of the gateway. (In paused time, which runs ahead
/// whenever everybody waits.)
#[tokio::test(start_paused = true)]
async fn f9_what_runs_goes_on_for_ten_minutes_after_a_stop() {
    let slow = |request: &Received| {
        let pause = Duration::from_secs(55);
        Reply::text("one two three four five six seven eight")
            .answer(request)
            .paced(pause)
    };
    let upstream = Upstream::start(slow).await;
    let lingate = Lingate::start(
        &two(&upstream.url(), NOBODY, "chat", "")
            .replace("headers = \"300ms\", first_content = \"300ms\"", ""),
    )
    .await;
    let began = tokio::time::Instant::now();
    let response = ask(&lingate, Wire::Anthropic, true).await;
    lingate.stop();
    let said = said(Wire::Anthropic, true, response).await;
    assert_eq!(said, "one two three four five six seven eight");
    let took = began.elapsed();
    assert!((500..600).contains(&took.as_secs()), "{took:?}");
}
