//! Providers that refuse or break: the user learns why, and soon, or does not notice.

use std::time::Duration;

use lingate_e2e::{Claude, Gateway, Home, Provider};
use lingate_testkit::{Finished, Misbehaviour, OverflowWords, Upstream};

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_is_told_at_once() {
    let home = Home::new();
    let upstream = Upstream::start(Misbehaviour::WrongKey).await;
    let gateway = Gateway::before(&home, &upstream).await;
    let Some(claude) = Claude::at(&home, &gateway.url) else {
        return;
    };
    let answer = claude.print("hi").await;
    let said = format!("{}{}", answer.stdout, answer.stderr);
    assert_eq!(answer.code, Some(1), "{said}");
    // From the refusal on: how long the client takes to start is its own affair.
    let told_after = upstream.requests()[0].at.elapsed();
    assert!(
        told_after < Duration::from_secs(20),
        "{told_after:?}: {said}"
    );
    assert!(
        said.contains("scripted"),
        "the message names the provider: {said}"
    );
    assert!(
        said.contains("lingate.toml"),
        "the message says where the key came from: {said}"
    );
    assert!(
        !said.contains(Provider::KEY),
        "the message holds the key: {said}"
    );
    assert!(
        !gateway.log().contains(Provider::KEY),
        "the log holds the key: {}",
        gateway.log()
    );
    assert_eq!(
        upstream.requests().len(),
        1,
        "a refused key is not tried again"
    );
    assert_eq!(gateway.stop().await.code, Some(0));
    home.is_quiet().await;
}

/// What the user gets from a provider that is like this for good, with one retry of the client's own.
async fn ask(misbehaviour: Misbehaviour) -> Option<Finished> {
    let home = Home::new();
    let upstream = Upstream::start(misbehaviour).await;
    let gateway = Gateway::before(&home, &upstream).await;
    let claude = Claude::at(&home, &gateway.url)?.env("CLAUDE_CODE_MAX_RETRIES", "1");
    let answer = claude.print("hi").await;
    assert_eq!(gateway.stop().await.code, Some(0));
    home.is_quiet().await;
    Some(answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_told_in_words_that_the_client_knows() {
    use Misbehaviour::*;
    let cases = [
        // The client reads both numbers out of the message, whatever the provider's wording.
        (
            ContextOverflow(OverflowWords::Moonshot),
            "~300000 tokens (limit 262144)",
        ),
        (
            ContextOverflow(OverflowWords::LlamaCpp),
            "~9000 tokens (limit 8192)",
        ),
        (Overloaded, "529 The engine is currently overloaded"),
        (RateLimited(1), "(429)"),
        (ErrorInsideStream, "The engine died"),
        (HtmlPage200, "HTML"),
        // Completed by the client's SDK, this would have been run.
        (TruncatedToolJson, "incomplete"),
    ];
    for (misbehaviour, words) in cases {
        let Some(answer) = ask(misbehaviour).await else {
            return;
        };
        assert_eq!(answer.code, Some(1), "{misbehaviour:?}: {answer}");
        assert!(answer.stdout.contains(words), "{misbehaviour:?}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_odd_but_whole_answer_is_an_answer() {
    use Misbehaviour::*;
    for misbehaviour in [NotSse, DripByte, Gzip, SlowStart(20)] {
        let Some(answer) = ask(misbehaviour).await else {
            return;
        };
        let said = (answer.code, answer.stdout.trim());
        assert_eq!(
            said,
            (Some(0), "Hello from the upstream."),
            "{misbehaviour:?}: {answer}"
        );
    }
}
