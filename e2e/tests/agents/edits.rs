//! A file edit with the agent's own tool, through a gateway that the agent was pointed at by its own configuration.

use lingate_e2e::{Coder, edit::edits_a_file};
use lingate_testkit::Wire;

#[tokio::test(flavor = "multi_thread")]
async fn qwen_over_chat() {
    edits_a_file(Coder::Qwen, Wire::Chat).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn qwen_over_anthropic() {
    edits_a_file(Coder::Qwen, Wire::Anthropic).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kimi_over_chat() {
    edits_a_file(Coder::Kimi, Wire::Chat).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kimi_over_anthropic() {
    edits_a_file(Coder::Kimi, Wire::Anthropic).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pi_over_chat() {
    edits_a_file(Coder::Pi, Wire::Chat).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pi_over_anthropic() {
    edits_a_file(Coder::Pi, Wire::Anthropic).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn aider_over_chat() {
    edits_a_file(Coder::Aider, Wire::Chat).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn aider_over_anthropic() {
    edits_a_file(Coder::Aider, Wire::Anthropic).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn qwen_over_responses() {
    edits_a_file(Coder::Qwen, Wire::Responses).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn qwen_over_gemini() {
    edits_a_file(Coder::Qwen, Wire::Gemini).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kimi_over_responses() {
    edits_a_file(Coder::Kimi, Wire::Responses).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kimi_over_gemini() {
    edits_a_file(Coder::Kimi, Wire::Gemini).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pi_over_responses() {
    edits_a_file(Coder::Pi, Wire::Responses).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pi_over_gemini() {
    edits_a_file(Coder::Pi, Wire::Gemini).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn aider_over_responses() {
    edits_a_file(Coder::Aider, Wire::Responses).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn aider_over_gemini() {
    edits_a_file(Coder::Aider, Wire::Gemini).await;
}
