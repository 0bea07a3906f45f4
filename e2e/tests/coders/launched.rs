//! `lingate run -- AGENT` from a fresh home: the agent reaches the provider without a configuration of its own, and over
//! one that points elsewhere.

use std::time::Duration;

use lingate_e2e::coder::finish;
use lingate_e2e::edit::{check, prompt, task};
use lingate_e2e::{Coder, Home, lingate};
use lingate_testkit::{Misbehaviour, Process, Upstream};

/// The user's config, with a provider of the Chat wire.
fn config(home: &Home, upstream: &Upstream) {
    let text = format!(
        "default = \"moonshot/kimi-k2.6\"\n\n[server]\nlisten = \"127.0.0.1:0\"\n\n\
         [providers.moonshot]\nbase_url = \"{}/v1\"\napi_key = \"${{MOONSHOT_API_KEY}}\"\n",
        upstream.url()
    );
    home.write(".config/lingate/lingate.toml", text);
}

/// The agent edits the file; its own configuration `theirs`, which points at another gateway, is neither followed nor
/// changed; what is added is said, without the key.
async fn check_run(coder: Coder, theirs: &[(&str, &str)], says: &str) {
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
        .finish(Duration::from_secs(10))
        .await;
    assert_eq!(stopped.code, Some(0), "{stopped}");
    home.is_quiet().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn codex_from_a_fresh_home() {
    check_run(Coder::Codex, &[], "-c").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn codex_over_its_own_configuration() {
    let config = "model = \"gpt-5\"\nmodel_provider = \"other\"\n\n[model_providers.other]\nname = \"other\"\n\
                  base_url = \"DECOY/v1\"\nwire_api = \"responses\"\n";
    check_run(Coder::Codex, &[(".codex/config.toml", config)], "-c").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gemini_from_a_fresh_home() {
    check_run(Coder::Gemini, &[], "lingate").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gemini_over_its_own_configuration() {
    let files = [
        (
            ".gemini/settings.json",
            "{\"security\": {\"auth\": {\"selectedType\": \"oauth-personal\"}}, \"model\": {\"name\": \"gemini-2.5-pro\"}}",
        ),
        (
            ".gemini/.env",
            "GOOGLE_GEMINI_BASE_URL=DECOY\nGEMINI_API_KEY=sk-decoy\nGOOGLE_GENAI_USE_GCA=true\n",
        ),
    ];
    check_run(Coder::Gemini, &files, "lingate").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn opencode_from_a_fresh_home() {
    check_run(Coder::Opencode, &[], "lingate").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn opencode_over_its_own_configuration() {
    let config = "{\"model\": \"other/m\", \"provider\": {\"other\": {\"npm\": \"@ai-sdk/openai-compatible\", \
                  \"options\": {\"baseURL\": \"DECOY/v1\", \"apiKey\": \"k\"}, \"models\": {\"m\": {}}}}}";
    check_run(
        Coder::Opencode,
        &[(".config/opencode/opencode.json", config)],
        "lingate",
    )
    .await;
}
