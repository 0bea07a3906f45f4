//! What is kept of conversations in memory, and given back when they rest: a gateway that nobody uses is small again.

use std::sync::Arc;
use std::time::Duration;

use crate::clock;
use crate::shared::Process;

/// How often what nobody uses is looked for.
const LOOK: Duration = Duration::from_secs(5 * 60);

/// Forgets it, until the gateway is stopping.
pub(crate) async fn forget(process: Arc<Process>) {
    loop {
        tokio::select! {
            () = process.stopping.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
        let now = clock::now();
        process.histories.forget_unused(now);
        process.learnt.kept.forget_unused(now);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use lingate_config::{Config, FixedEnvironment, LoadOptions};
    use lingate_wire::Wire;

    use super::*;
    use crate::gateway::Options;

    #[tokio::test(start_paused = true)]
    async fn what_rests_for_an_hour_is_given_back() {
        let environment = FixedEnvironment::new([]);
        let config = Config::from_text(None, "", &LoadOptions::default(), &environment).unwrap();
        let process = Arc::new(Process::new(&config, &Options::default()));
        let forgetting = process.tasks.spawn(forget(Arc::clone(&process)));
        let text = format!(r#"{{"model":"m","messages":["{}"]}}"#, "x".repeat(100_000));
        let body = Bytes::from(text);
        let minutes = |minutes: u64| tokio::time::sleep(Duration::from_secs(60 * minutes));
        let asks = || drop(process.histories.scan(Wire::Chat, "", &body).unwrap());
        asks();
        for (rest, is_kept) in [(55, true), (55, true), (66, false)] {
            minutes(rest).await;
            assert_eq!(
                process.histories.len() == 1,
                is_kept,
                "after {rest} minutes"
            );
            asks();
        }
        process.stopping.cancel();
        forgetting.await.unwrap();
    }
}
