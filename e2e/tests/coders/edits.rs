//! A file edit with the agent's own tool, through a gateway that the agent was pointed at by its own configuration.

use lingate_e2e::Coder;
use lingate_e2e::edit::{edits_a_file, patches_a_file};
use lingate_testkit::Wire;

#[tokio::test(flavor = "multi_thread")]
async fn opencode_over_chat() {
    edits_a_file(Coder::Opencode, Wire::Chat).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn opencode_over_anthropic() {
    edits_a_file(Coder::Opencode, Wire::Anthropic).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn codex_over_responses() {
    edits_a_file(Coder::Codex, Wire::Responses).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn codex_over_chat() {
    edits_a_file(Coder::Codex, Wire::Chat).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn codex_over_anthropic() {
    edits_a_file(Coder::Codex, Wire::Anthropic).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn codex_patches_over_responses() {
    patches_a_file(Wire::Responses).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn codex_patches_over_chat() {
    patches_a_file(Wire::Chat).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn codex_patches_over_anthropic() {
    patches_a_file(Wire::Anthropic).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn codex_patches_over_gemini() {
    patches_a_file(Wire::Gemini).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gemini_over_gemini() {
    edits_a_file(Coder::Gemini, Wire::Gemini).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gemini_over_chat() {
    edits_a_file(Coder::Gemini, Wire::Chat).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gemini_over_anthropic() {
    edits_a_file(Coder::Gemini, Wire::Anthropic).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn codex_over_gemini() {
    edits_a_file(Coder::Codex, Wire::Gemini).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gemini_over_responses() {
    edits_a_file(Coder::Gemini, Wire::Responses).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn opencode_over_responses() {
    edits_a_file(Coder::Opencode, Wire::Responses).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn opencode_over_gemini() {
    edits_a_file(Coder::Opencode, Wire::Gemini).await;
}
