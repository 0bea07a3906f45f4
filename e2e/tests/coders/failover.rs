//! A primary that is overloaded from the second request of a task on: the agent goes on with another, over another wire.

use lingate_e2e::{Coder, Gateway, Home, Provider, edit};
use lingate_testkit::{Misbehaviour, Received, Script, Upstream};

async fn goes_on(coder: Coder, first_wire: &str, second_wire: &str) {
    let home = Home::new();
    let agent = edit::task(&home, coder);
    let model = agent.clone();
    let first = Upstream::start(move |request: &Received| {
        // What the agent read in the file is in every request but the first of its task.
        match request.text().contains("The end.") {
            true => Misbehaviour::Overloaded.answer(request),
            false => model.answer(request),
        }
    })
    .await;
    let second = Upstream::start(agent.clone()).await;
    let (first_url, second_url, key) = (first.url(), second.url(), Provider::KEY);
    let config = format!(
        r#"default = "mock"
from_env = false
[server]
listen = "127.0.0.1:0"
[providers.first]
base_url = "{first_url}"
speaks = ["{first_wire}"]
api_key = "{key}"
[providers.second]
base_url = "{second_url}"
speaks = ["{second_wire}"]
api_key = "{key}"
[models.mock]
targets = ["first/mock-1", "second/mock-1"]
"#
    );
    let gateway = Gateway::serve(&home, &config).await;
    let Some(command) = coder.at(&home, &gateway.url, edit::prompt()) else {
        return;
    };
    let finished = lingate_e2e::coder::finish(command).await;
    let log = gateway.log();
    let label = format!("{coder:?}: {finished}\n{log}");
    edit::check(&home, &agent, &finished, &label);
    let refused = (first.requests().iter()).any(|own| own.text().contains("The end."));
    assert!(refused, "the first was asked: {label}");
    assert!(second.requests().len() >= 2, "the second served: {label}");
    assert_eq!(gateway.stop().await.code, Some(0), "{label}");
    home.is_quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn codex() {
    goes_on(Coder::Codex, "responses", "chat").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gemini_cli() {
    goes_on(Coder::Gemini, "gemini", "anthropic").await;
}
