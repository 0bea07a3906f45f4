//! `lingate run -- AGENT`: the agent reaches the provider without a configuration of its own, and over one that points
//! elsewhere.

use lingate_e2e::Coder;
use lingate_e2e::launched::runs;

#[tokio::test(flavor = "multi_thread")]
async fn codex_from_a_fresh_home() {
    runs(Coder::Codex, &[], "-c").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn codex_over_its_own_configuration() {
    let config = "model = \"gpt-5\"\nmodel_provider = \"other\"\n\n[model_providers.other]\nname = \"other\"\n\
                  base_url = \"DECOY/v1\"\nwire_api = \"responses\"\n";
    runs(Coder::Codex, &[(".codex/config.toml", config)], "-c").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gemini_from_a_fresh_home() {
    runs(Coder::Gemini, &[], "GEMINI_CLI_HOME").await;
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
    runs(Coder::Gemini, &files, "GEMINI_CLI_HOME").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn opencode_from_a_fresh_home() {
    runs(Coder::Opencode, &[], "OPENCODE_CONFIG_CONTENT").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn opencode_over_its_own_configuration() {
    // With the line that it would otherwise add.
    let config = r#"{"$schema": "https://opencode.ai/config.json", "model": "other/m", "provider": {"other": {
        "npm": "@ai-sdk/openai-compatible", "options": {"baseURL": "DECOY/v1", "apiKey": "k"}, "models": {"m": {}}}}}"#;
    runs(
        Coder::Opencode,
        &[(".config/opencode/opencode.json", config)],
        "lingate",
    )
    .await;
}
