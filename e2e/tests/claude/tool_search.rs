//! Tools that the client loads on demand: the model asks for one by name and then uses it.

use lingate_e2e::{Claude, Gateway, Home};
use lingate_testkit::{Agent, Step, Upstream};
use serde_json::json;

use crate::expect;

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_loaded_in_the_middle_can_be_used() {
    let home = Home::new();
    let notebook =
        json!({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).to_string();
    std::fs::write(home.project("book.ipynb"), notebook).unwrap();
    let edit = json!({
        "notebook_path": home.project_str("book.ipynb"), "new_source": "print(42)", "cell_type": "code",
        "edit_mode": "insert",
    });
    let agent = Agent::new().on(
        "TOOLSEARCH",
        [
            Step::call(
                "ToolSearch",
                json!({"query": "select:NotebookEdit,WebFetch", "max_results": 5}),
            ),
            Step::call("Read", json!({"file_path": home.project_str("book.ipynb")})),
            Step::call("NotebookEdit", edit),
            Step::say("The cell is in."),
        ],
    );
    let upstream = Upstream::start(agent.clone()).await;
    let gateway = Gateway::before(&home, &upstream).await;
    let Some(claude) = Claude::at(&home, &gateway.url) else {
        return;
    };
    let transcript = claude
        .env("ENABLE_TOOL_SEARCH", "true")
        .session("Do the TOOLSEARCH task.")
        .await;
    assert_eq!(transcript.success(), "The cell is in.");
    assert!(home.read("project/book.ipynb").contains("print(42)"));

    let requests = expect::sound(&upstream, &agent);
    let session = expect::conversation(&requests, "TOOLSEARCH");
    expect::prefix_is_stable(&session);
    let offered: Vec<bool> = session
        .iter()
        .map(|request| expect::tools(request).contains(&"NotebookEdit".to_owned()))
        .collect();
    assert_eq!(offered, [false, true, true, true]);
    let found = &expect::texts(session[1], "tool")[0];
    assert!(
        found.contains("NotebookEdit") && found.contains("WebFetch"),
        "the result names what was loaded: {found:?}"
    );

    assert_eq!(gateway.stop().await.code, Some(0));
    home.is_quiet().await;
}
