//! Pictures and documents that the client's Read tool puts into tool results.

use lingate_e2e::{Claude, Gateway, Home, media};
use lingate_testkit::{Agent, Step, Upstream};
use serde_json::json;

use crate::expect;

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_and_a_document_reach_the_model() {
    let home = Home::new();
    std::fs::write(home.project("red.png"), media::png(220, 20, 20)).unwrap();
    std::fs::write(home.project("page.pdf"), media::pdf("A page for the test")).unwrap();
    let agent = Agent::new().on(
        "MEDIA",
        [
            Step::call("Read", json!({"file_path": home.project_str("red.png")}))
                .and("Read", json!({"file_path": home.project_str("page.pdf")})),
            Step::say("A red square and one page."),
        ],
    );
    let upstream = Upstream::start(agent.clone()).await;
    let gateway = Gateway::before(&home, &upstream).await;
    let Some(claude) = Claude::at(&home, &gateway.url) else {
        return;
    };
    let transcript = claude.session("Do the MEDIA task.").await;
    assert_eq!(transcript.success(), "A red square and one page.");
    assert!(
        transcript.results().iter().all(|result| !result.is_error),
        "{transcript}"
    );

    let requests = expect::sound(&upstream, &agent);
    let session = expect::conversation(&requests, "MEDIA");
    assert_eq!(session.len(), 2);
    // The picture as such, never its base64 as text.
    let body = session[1].json();
    let parts: Vec<_> = body["messages"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|m| m["content"].as_array().into_iter().flatten())
        .collect();
    let pictures: Vec<&str> = parts
        .iter()
        .filter_map(|part| part["image_url"]["url"].as_str())
        .collect();
    assert_eq!(pictures.len(), 1, "one picture: {pictures:?}");
    assert!(
        pictures[0].starts_with("data:image/png;base64,iVBORw0KGgo"),
        "{}",
        pictures[0]
    );
    for role in ["system", "user", "assistant", "tool"] {
        for text in expect::texts(session[1], role) {
            assert!(
                !text.contains("iVBORw0KGgo") && !text.contains("JVBERi0"),
                "{role}: media as text: {text}"
            );
        }
    }
    // The document: as a file part, or named as left out; never without a trace.
    let results = expect::texts(session[1], "tool").concat();
    let has_file = parts.iter().any(|part| part["type"] == "file");
    assert!(
        has_file || results.to_lowercase().contains("pdf"),
        "{results}"
    );

    assert_eq!(gateway.stop().await.code, Some(0));
    home.is_quiet().await;
}
