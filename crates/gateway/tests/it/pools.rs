//! Several keys of one provider, and limits that last.

use lingate_testkit::{Answer, Misbehaviour as M, Received, Reply, Script, Upstream, chat};
use lingate_wire::Wire;

use crate::failover::ask;
use crate::harness::{Lingate, messages};

fn pool(url: &str, more: &str) -> String {
    format!(
        r#"
        default = "up/m"
        [providers.up]
        base_url = "{url}"
        speaks = ["chat"]
        api_keys = ["sk-number-1", "sk-number-2", "sk-number-3"]
        {more}
        "#
    )
}

fn served(request: &Received) -> Answer {
    Reply::text("Hello.").answer(request)
}

/// The numbers of the keys shown, in order.
fn keys(upstream: &Upstream) -> String {
    let requests = upstream.requests();
    let keys = requests
        .iter()
        .map(|own| own.header("authorization").chars().last().unwrap());
    keys.collect()
}

/// Five requests, one after the other.
async fn check(more: &str, script: impl Script, statuses: [u16; 5], expected: &str) {
    let upstream = Upstream::start(script).await;
    let lingate = Lingate::start(&pool(&upstream.url(), more)).await;
    for (n, status) in statuses.into_iter().enumerate() {
        let response = ask(&lingate, Wire::Anthropic, n % 2 == 0).await;
        assert_eq!(
            response.status,
            status,
            "request {n}, {more}: {}",
            keys(&upstream)
        );
        drop(response.text().await);
    }
    assert_eq!(keys(&upstream), expected, "{more}");
}

/// Refuses these keys.
fn refusing(bad: &'static [(char, M)]) -> impl Script {
    move |request: &Received| {
        let key = request.header("authorization").chars().last().unwrap();
        match bad.iter().find(|(own, _)| *own == key) {
            Some((_, misbehaviour)) => misbehaviour.answer(request),
            None => served(request),
        }
    }
}

#[tokio::test]
async fn each_kind_of_pool() {
    check("", served, [200; 5], "11111").await;
    check("pool = \"fill_first\"", served, [200; 5], "11111").await;
    check("pool = \"round_robin\"", served, [200; 5], "12312").await;
    check("pool = \"least_used\"", served, [200; 5], "11111").await;
}

#[tokio::test]
async fn a_refused_key_is_passed_over_from_then_on() {
    check(
        "",
        refusing(&[('1', M::RateLimited(60))]),
        [200; 5],
        "122222",
    )
    .await;
    check("", refusing(&[('1', M::WrongKey)]), [200; 5], "122222").await;
    let two = &[('1', M::WrongKey), ('2', M::RateLimited(60))];
    check("", refusing(two), [200; 5], "1233333").await;
    check(
        "pool = \"round_robin\"",
        refusing(&[('2', M::WrongKey)]),
        [200; 5],
        "123131",
    )
    .await;
}

/// Refuses the first key in these words, the first `times` times.
fn limiting(times: usize, status: u16, kind: &'static str, words: &'static str) -> impl Script {
    move |request: &Received| {
        let key = request.header("authorization").chars().last().unwrap();
        if key == '1' && request.n < times {
            return Answer::json(status, &chat::error(kind, words));
        }
        served(request)
    }
}

/// Most limits without an end are of requests at one time: the same key once more, then the next.
#[tokio::test]
async fn a_limit_without_an_end_is_tried_once_more_on_the_same_key() {
    let limited = |times| limiting(times, 429, "rate_limit_error", "too many at once");
    check("", limited(1), [200; 5], "111111").await;
    check("", limited(9), [200; 5], "1122222").await;
}

#[tokio::test]
async fn a_used_up_plan_rotates_at_once() {
    let quota = "You exceeded your current quota, please check your plan";
    let words = limiting(9, 429, "insufficient_quota", quota);
    check("", words, [200; 5], "122222").await;
    let weekly = "You've reached your weekly (7-day) usage limit";
    let words = limiting(9, 403, "permission_error", weekly);
    check("", words, [200; 5], "122222").await;
    let words = limiting(9, 402, "invalid_request_error", "Insufficient Balance");
    check("", words, [200; 5], "122222").await;
}

/// A burst at a lone key costs two requests and then none until the guess is over; clients are told how long.
#[tokio::test]
async fn a_lone_key_backs_off_longer_each_time() {
    let upstream = Upstream::start(Answer::json(
        429,
        &chat::error("rate_limit_error", "too many at once"),
    ))
    .await;
    let lingate = Lingate::to_chat(&upstream.url()).await;
    // Few enough to be asked within the second that the guess is of.
    for _ in 0..6 {
        let response = ask(&lingate, Wire::Anthropic, true).await;
        let told = response.header("retry-after").to_owned();
        assert_eq!(response.status, 429);
        assert!(["1", "2"].contains(&&*told), "{told:?}");
    }
    assert_eq!(upstream.requests().len(), 2);
    tokio::time::sleep(std::time::Duration::from_millis(1300)).await;
    let response = ask(&lingate, Wire::Anthropic, true).await;
    assert_eq!(response.header("retry-after"), "3", "the guess doubles");
    assert_eq!(upstream.requests().len(), 4);
}

#[tokio::test]
async fn keys_do_not_count_as_targets() {
    let all = &[('1', M::WrongKey), ('2', M::RateLimited(60))];
    check(
        "[failover]\nattempts = 1",
        refusing(all),
        [200; 5],
        "1233333",
    )
    .await;
}

#[tokio::test]
async fn all_spent_is_an_honest_429() {
    let upstream = Upstream::start(|request: &Received| {
        let key = request.header("authorization").chars().last().unwrap();
        M::RateLimited(if key == '2' { 20 } else { 90 }).answer(request)
    })
    .await;
    let lingate = Lingate::start(&pool(&upstream.url(), "")).await;
    for n in 0..4 {
        for client in [Wire::Anthropic, Wire::Chat] {
            let response = ask(&lingate, client, n % 2 == 0).await;
            assert_eq!(response.status, 429, "{n}");
            let seconds: u64 = response
                .header("retry-after")
                .parse()
                .expect("whole seconds");
            assert!((15..=20).contains(&seconds), "the soonest: {seconds}");
            let error = response.text().await;
            assert!(!error.contains("sk-number"), "{error}");
        }
    }
    assert_eq!(keys(&upstream), "123", "nobody is asked within the limit");
}

/// A key that is alone backs off, and is asked again when its limit is over.
#[tokio::test]
async fn a_pool_of_one_does_not_spin() {
    let upstream = Upstream::start(|request: &Received| match request.n {
        0 => M::RateLimited(3).answer(request),
        _ => served(request),
    })
    .await;
    let lingate = Lingate::to_chat(&upstream.url()).await;
    for _ in 0..10 {
        let response = ask(&lingate, Wire::Anthropic, true).await;
        let told = response.header("retry-after");
        assert_eq!(response.status, 429);
        assert!(["1", "2", "3"].contains(&told), "{told:?}");
    }
    assert_eq!(upstream.requests().len(), 1);
    tokio::time::sleep(std::time::Duration::from_millis(3100)).await;
    assert_eq!(ask(&lingate, Wire::Anthropic, true).await.status, 200);
}

#[tokio::test]
async fn a_key_that_was_put_right_is_asked_at_once_if_it_is_alone() {
    let upstream = Upstream::start(|request: &Received| match request.n {
        0 => M::WrongKey.answer(request),
        _ => served(request),
    })
    .await;
    let lingate = Lingate::to_chat(&upstream.url()).await;
    assert_eq!(ask(&lingate, Wire::Anthropic, true).await.status, 502);
    assert_eq!(ask(&lingate, Wire::Anthropic, true).await.status, 200);
}

/// The end of a limit in the forms in which hosts say it.
#[tokio::test]
async fn the_reset_is_read_from_headers_and_words() {
    let limited = |message: &str| Answer::json(429, &chat::error("rate_limit_error", message));
    let in_body = serde_json::json!({"error": {"message": "no", "resets_in_seconds": 120}});
    let cases = [
        Answer::json(429, &in_body),
        limited("slow down").header("x-ratelimit-reset-requests", "2m0s"),
        limited("slow down")
            .header("anthropic-ratelimit-tokens-remaining", "0")
            .header("anthropic-ratelimit-tokens-reset", "120"),
        limited("Please try again in 2m0s."),
    ];
    for answer in cases {
        let what = format!("{answer:?}");
        let upstream = Upstream::start(answer).await;
        let lingate = Lingate::to_chat(&upstream.url()).await;
        for _ in 0..2 {
            let response = ask(&lingate, Wire::Anthropic, true).await;
            let seconds: u64 = response.header("retry-after").parse().unwrap_or(0);
            assert!((115..=120).contains(&seconds), "{seconds} s of {what}");
        }
        assert_eq!(upstream.requests().len(), 1, "{what}");
    }
}

/// The caller's subscription first, another target while its limit lasts, and back at its reset, in one session.
#[tokio::test]
async fn a_subscription_is_used_whenever_it_can_be() {
    let plan = Upstream::start(|request: &Received| match request.n {
        1 => M::RateLimited(3).answer(request),
        _ => served(request),
    })
    .await;
    let own = Upstream::start(served).await;
    let (plan_url, own_url) = (plan.url(), own.url());
    let config = format!(
        r#"
        default = "m"
        [providers.plan]
        base_url = "{plan_url}"
        speaks = ["anthropic"]
        auth = "client"
        [providers.own]
        base_url = "{own_url}"
        speaks = ["chat"]
        api_key = "sk-of-our-own"
        [models.m]
        targets = ["plan/x", "own/y"]
        "#
    );
    let lingate = Lingate::start(&config).await;
    let ask = async || {
        let request = lingate
            .post("/v1/messages", &messages(true))
            .header("x-claude-code-session-id", "s1")
            .header("authorization", "Bearer oauth-of-the-caller");
        let response = request.send().await;
        assert_eq!(response.status, 200);
        response.header("x-lingate-provider").to_owned()
    };
    let mut served_by = Vec::new();
    for _ in 0..4 {
        served_by.push(ask().await);
    }
    tokio::time::sleep(std::time::Duration::from_millis(3100)).await;
    served_by.push(ask().await);
    assert_eq!(served_by, ["plan", "own", "own", "own", "plan"]);
    for request in own.requests() {
        assert_eq!(request.header("authorization"), "Bearer sk-of-our-own");
        assert!(!format!("{:?}", request.headers).contains("oauth-of-the-caller"));
    }
    assert!(
        plan.requests()
            .iter()
            .all(|own| own.header("authorization") == "Bearer oauth-of-the-caller")
    );
}

/// Two providers that take the caller's credential: the second never gets what was meant for the first.
#[tokio::test]
async fn the_callers_credential_goes_nowhere_by_failover() {
    let first = Upstream::start(M::Overloaded).await;
    let second = Upstream::start(served).await;
    let config = format!(
        r#"
        default = "m"
        [providers.a]
        base_url = "{}"
        speaks = ["anthropic"]
        auth = "client"
        [providers.b]
        base_url = "{}"
        speaks = ["anthropic"]
        auth = "client"
        [models.m]
        targets = ["a/x", "b/y"]
        "#,
        first.url(),
        second.url()
    );
    let lingate = Lingate::start(&config).await;
    for _ in 0..8 {
        let request = lingate
            .post("/v1/messages", &messages(true))
            .header("x-api-key", "key-of-the-caller");
        assert_eq!(request.send().await.status, 529);
    }
    assert_eq!((first.requests().len(), second.requests().len()), (8, 0));
}

#[tokio::test]
async fn a_callers_refused_login_goes_back_as_it_is() {
    let first = Upstream::start(M::WrongKey).await;
    let second = Upstream::start(served).await;
    let config = format!(
        r#"
        default = "m"
        [providers.a]
        base_url = "{}"
        speaks = ["anthropic"]
        auth = "client"
        [providers.b]
        base_url = "{}"
        speaks = ["anthropic"]
        api_key = "sk-of-our-own"
        [models.m]
        targets = ["a/x", "b/y"]
        "#,
        first.url(),
        second.url()
    );
    let lingate = Lingate::start(&config).await;
    let response = ask(&lingate, Wire::Anthropic, true).await;
    assert_eq!(response.status, 401);
    assert_eq!(second.requests().len(), 0);
}
