//! Official SDKs.

mod installed;
mod model;
mod run;

use installed::Set;
use lingate_testkit::Wire;
use run::Run;

#[tokio::test(flavor = "multi_thread")]
async fn explore() {
    let set = match std::env::var("SET").unwrap().as_str() { "py" => Set::Python, "py0" => Set::Python0x, _ => Set::Node };
    let script = std::env::var("SCRIPT").unwrap();
    for wire in [Wire::Chat, Wire::Anthropic] {
        let run = Run::of(set, &script, wire).await.unwrap();
        for request in &run.requests { eprintln!("REQ {} {} {}", request.n, request.target, request.text().chars().take(1500).collect::<String>()); }
    }
}
