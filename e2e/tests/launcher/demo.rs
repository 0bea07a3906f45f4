//! A fresh home without any key: the demo answers, works with the client's own tools and says what it is.

use lingate_e2e::{Claude, Home, lingate};

use crate::run::stop;

#[tokio::test(flavor = "multi_thread")]
async fn writes_a_file_and_says_that_it_is_a_demo() {
    let home = Home::new();
    let Some(claude) = Claude::launched(&home, &lingate(), &[]) else {
        return;
    };
    let transcript = claude
        .env("LINGATE_LISTEN", "127.0.0.1:0")
        .session("What can you do?")
        .await;

    let answer = transcript.success();
    assert!(
        answer.to_lowercase().contains("demo"),
        "the answer does not say that it is a demo: {answer}"
    );
    let results = transcript.results();
    assert!(
        !results.is_empty() && results.iter().all(|result| !result.is_error),
        "{transcript}"
    );
    let written: Vec<_> = transcript
        .calls()
        .into_iter()
        .filter(|(_, name, _)| *name == "Write")
        .collect();
    assert!(!written.is_empty(), "no file was written: {transcript}");
    for (_, _, input) in written {
        let path = home
            .project("")
            .join(input["file_path"].as_str().expect("Write names a file"));
        assert!(
            path.starts_with(home.project("")),
            "{} is outside of the project",
            path.display()
        );
        assert_eq!(
            std::fs::read_to_string(&path).ok().as_deref(),
            input["content"].as_str(),
            "{}",
            path.display()
        );
    }
    assert!(
        transcript.finished.stderr.to_lowercase().contains("demo"),
        "it is not said that no key was found: {transcript}"
    );
    assert_eq!(stop(&home).await.code, Some(0));
}
