//! What a text quirk costs that finds nothing: instructions per streamed event of the whole gateway, with and without it.
//!
//! `cargo xtask bench --idle`. Under callgrind, which does not mind a busy machine; the upstream pauses before each event, so
//! that every one is read, translated and written by itself. A long stream minus a short one leaves out the rest.

use std::path::Path;
use std::time::Duration;

use anyhow::ensure;
use serde_json::{Value, json};

use crate::answers::chat_stream_of;
use crate::instructions::total_of;
use crate::question::{Question, SMALL};
use crate::subject::Kind;
use crate::wire::Wire;

const SHORT: usize = 50;
const LONG: usize = 250;
const REQUESTS: usize = 4;
/// Longer than the gateway needs for an event under callgrind.
const PAUSE: Duration = Duration::from_millis(6);
/// The most that is allowed, in percent.
const LIMIT: f64 = 5.0;

/// Measures, tells, and fails above the limit.
pub(crate) async fn run(lingate: &Path) -> anyhow::Result<()> {
    let without = per_event(lingate, "bench-chat/bench-model").await?;
    let with = per_event(lingate, "bench-text/bench-model").await?;
    let percent = (with / without - 1.0) * 100.0;
    println!(
        "instructions per streamed event: {without:.0}, with Kimi K2's text quirk idle {with:.0} (+{percent:.1} %)"
    );
    ensure!(
        percent < LIMIT,
        "an idle text quirk is to cost under {LIMIT} %"
    );
    Ok(())
}

async fn per_event(lingate: &Path, model: &str) -> anyhow::Result<f64> {
    // Without tools less would be looked for.
    let mut body: Value = serde_json::from_str(SMALL)?;
    let schema = json!({"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]});
    body["tools"] = json!([{"name": "Bash", "input_schema": schema}]);
    let question = Question::new(&body.to_string(), Wire::Anthropic, model, true)?;
    let mut totals = [0.0; 2];
    for (total, n_events) in totals.iter_mut().zip([SHORT, LONG]) {
        let answer = chat_stream_of(n_events).paced(PAUSE);
        *total = total_of(Kind::Lingate, lingate, answer, &question, REQUESTS).await? as f64;
    }
    let [short, long] = totals;
    Ok((long - short) / (REQUESTS * (LONG - SHORT)) as f64)
}
