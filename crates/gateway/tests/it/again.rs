//! Whatever a test's clients got, they would get again: what a gateway served is run again when the test is over.

use std::sync::Arc;
use std::time::Duration;

use lingate_config::Config;
use lingate_gateway::{Recorded, Replay, ReplayOutcome};
use lingate_store::{Filter, Mask, Page, Reader, Recorder};
use lingate_testkit::canary;

/// A record that is to be the same when it is run again.
pub(crate) struct Again {
    recorder: Recorder,
    config: Option<Arc<Config>>,
}

impl Again {
    /// Of a gateway with this configuration.
    pub(crate) fn of(recorder: Recorder, config: Arc<Config>) -> Self {
        let config = std::env::var_os("LINGATE_TEST_REPLAY").map(|_| config);
        Self { recorder, config }
    }
}

impl Drop for Again {
    fn drop(&mut self) {
        let Some(config) = self.config.take().filter(|_| !std::thread::panicking()) else {
            return;
        };
        assert!(self.recorder.flush(Duration::from_secs(10)));
        let dir = self.recorder.dir().to_owned();
        // What runs an exchange again blocks, and has a runtime of its own.
        let replayed = std::thread::spawn(move || verdict(&Reader::open(&dir).unwrap(), config));
        replayed.join().unwrap().check();
    }
}

/// What became of a record.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub same: usize,
    /// Each with its request's path and what differs.
    pub changed: Vec<String>,
    /// By the reason's name.
    pub cannot: Vec<&'static str>,
}

/// Runs everything in a record again.
pub(crate) fn verdict(reader: &Reader, config: Arc<Config>) -> Verdict {
    let planted = canary::planted();
    let mask = Mask::new(planted.iter().map(String::as_str));
    let replay = Replay::new(config, mask);
    let mut verdict = Verdict::default();
    let mut before = None;
    loop {
        let page = Page {
            before,
            limit: 500,
            skip: 0,
        };
        let listing = reader.list(&Filter::default(), page).unwrap();
        for row in &listing.items {
            let outcome = match Recorded::read(reader, row.id).unwrap().unwrap() {
                Ok(recorded) => replay.replay(&recorded).outcome,
                Err(reason) => ReplayOutcome::Cannot(reason),
            };
            match outcome {
                ReplayOutcome::Same => verdict.same += 1,
                ReplayOutcome::Changed(change) => {
                    verdict.changed.push(format!("{}: {change:#?}", row.path));
                }
                ReplayOutcome::Cannot(reason) => verdict.cannot.push(reason.name()),
            }
        }
        before = listing.next;
        if before.is_none() {
            return verdict;
        }
    }
}

impl Verdict {
    /// Fails the test if anything would be another.
    pub(crate) fn check(&self) {
        // Nobody may have waited for its end, and counts depend on what was learnt.
        let allowed = ["running", "count", "no_request", "not_kept"];
        let cannot = self.cannot.iter().filter(|name| !allowed.contains(name));
        let cannot: Vec<_> = cannot.collect();
        assert!(
            self.changed.is_empty() && cannot.is_empty(),
            "run again: {} the same, {} changed, cannot: {cannot:?}\n{}",
            self.same,
            self.changed.len(),
            self.changed.join("\n"),
        );
    }
}
