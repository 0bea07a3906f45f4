//! `lingate run -- qwen`: the agent reaches the provider without a configuration of its own, and over one that points
//! elsewhere.

use lingate_e2e::Coder;
use lingate_e2e::launched::runs;

#[tokio::test(flavor = "multi_thread")]
async fn qwen_from_a_fresh_home() {
    runs(Coder::Qwen, &[], "--auth-type openai").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn qwen_over_its_own_configuration() {
    // As it writes them itself, or it would.
    let settings = r#"{
  "security": {
    "auth": {
      "selectedType": "qwen-oauth",
      "baseUrl": "DECOY/v1",
      "apiKey": "k"
    }
  },
  "model": {
    "name": "other"
  },
  "$version": 4
}"#;
    let env = "OPENAI_BASE_URL=DECOY/v1\nOPENAI_API_KEY=sk-decoy\nOPENAI_MODEL=other\n";
    let files = [(".qwen/settings.json", settings), (".qwen/.env", env)];
    runs(Coder::Qwen, &files, "--auth-type openai").await;
}
