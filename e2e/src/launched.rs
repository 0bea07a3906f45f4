//! `lingate run -- AGENT` from a fresh home.

use std::time::Duration;

use lingate_testkit::{Misbehaviour, Process, Upstream};

use crate::coder::{Coder, finish};
use crate::edit::{check, prompt, task};
use crate::{Home, lingate};

/// The user's config, with a provider of the Chat wire.
fn config(home: &Home, upstream: &Upstream) {
    let text = format!(
        "default = \"moonshot/kimi-k2.6\"\n\n[server]\nlisten = \"127.0.0.1:0\"\n\n\
         [providers.moonshot]\nbase_url = \"{}/v1\"\napi_key = \"${{MOONSHOT_API_KEY}}\"\n",
        upstream.url()
    );
    home.write(".config/lingate/lingate.toml", text);
}

/// Asserts that an agent started by `lingate run` edits a file; that its own configuration `theirs`, which points at
/// another gateway (`DECOY`), is neither followed nor changed; and that what is added is said, without the key.
///
/// # Panics
/// When one of these does not hold.
pub async fn runs(coder: Coder, theirs: &[(&str, &str)], says: &str) {
    let home = Home::new();
    let agent = task(&home, coder);
    let upstream = Upstream::start(agent.clone()).await;
    let decoy = Upstream::start(Misbehaviour::Healthy).await;
    config(&home, &upstream);
    let theirs: Vec<(&str, String)> = theirs
        .iter()
        .map(|(path, text)| (*path, text.replace("DECOY", &decoy.url())))
        .collect();
    for (path, text) in &theirs {
        home.write(path, text);
    }
    let Some(mut command) = coder.launched(&home, &lingate(), prompt()) else {
        return;
    };
    command.env("MOONSHOT_API_KEY", "sk-moonshot-0123456789");
    let finished = finish(command).await;

    let label = format!("{coder:?} with {theirs:?}: {finished}");
    check(&home, &agent, &finished, &label);
    assert_eq!(
        decoy.requests().len(),
        0,
        "the other gateway was asked: {label}"
    );
    for request in upstream.requests() {
        assert_eq!(request.path(), "/v1/chat/completions", "{label}");
        assert_eq!(
            request.header("authorization"),
            "Bearer sk-moonshot-0123456789",
            "{label}"
        );
        assert_eq!(request.model(), "kimi-k2.6", "{label}");
    }
    for (path, text) in &theirs {
        assert_eq!(
            &home.read(path),
            text,
            "the user's file was edited: {label}"
        );
    }
    assert!(
        finished.stderr.contains(says),
        "it says what it adds: {label}"
    );
    assert!(
        !finished.stderr.contains("0123456789"),
        "the key is shown: {label}"
    );
    let stopped = Process::spawn(home.command(&lingate()).arg("stop"))
        .finish(Duration::from_secs(30))
        .await;
    assert_eq!(stopped.code, Some(0), "{stopped}");
    home.is_quiet().await;
}
