//! Whatever a test's clients got, they would get again: what a gateway served is run again when the test is over.
//!
//! Of each gateway the last exchanges are; with `LINGATE_TEST_REPLAY=all` all of them, with `0` none.

use std::sync::Arc;
use std::time::Duration;

use lingate_config::Config;
use lingate_gateway::{Recorded, Replay, ReplayOutcome};
use lingate_store::{Filter, Mask, Page, Reader, Recorder};
use lingate_testkit::canary;

/// So many of a gateway's exchanges are run again: the tests that have most are the slowest without it.
const MOST: usize = 200;

/// A record that is to be the same when it is run again.
pub(crate) struct Again {
    recorder: Recorder,
    config: Option<Arc<Config>>,
    most: usize,
}

impl Again {
    /// Of a gateway with this configuration.
    pub(crate) fn of(recorder: Recorder, config: Arc<Config>) -> Self {
        let most = match std::env::var("LINGATE_TEST_REPLAY").as_deref() {
            Ok("0") => 0,
            Ok("all") => usize::MAX,
            _ => MOST,
        };
        Self {
            recorder,
            config: (most > 0).then_some(config),
            most,
        }
    }
}

impl Drop for Again {
    fn drop(&mut self) {
        let Some(config) = self.config.take().filter(|_| !std::thread::panicking()) else {
            return;
        };
        // A test may have stalled or taken away the record itself.
        if !self.recorder.flush(Duration::from_secs(10)) {
            return;
        }
        let Ok(reader) = Reader::open(self.recorder.dir()) else {
            return;
        };
        // What runs an exchange again blocks, and has a runtime of its own.
        let most = self.most;
        let replayed = std::thread::spawn(move || verdict(&reader, config, most));
        replayed.join().unwrap().check();
    }
}

/// What became of a record.
#[derive(Debug, Default)]
struct Verdict {
    same: usize,
    /// Each with what differs, and its row.
    changed: Vec<String>,
    /// By the reason's name.
    cannot: Vec<&'static str>,
}

/// Runs the last exchanges of a record again.
fn verdict(reader: &Reader, config: Arc<Config>, most: usize) -> Verdict {
    let planted = canary::planted();
    let mask = Mask::new(planted.iter().map(String::as_str));
    let replay = Replay::new(config, mask);
    let mut verdict = Verdict::default();
    let mut page = Page {
        limit: most.min(500),
        ..Page::default()
    };
    loop {
        let listing = reader.list(&Filter::default(), page).unwrap();
        for row in &listing.items {
            let outcome = match Recorded::read(reader, row.id).unwrap().unwrap() {
                Ok(recorded) => replay.replay(&recorded).outcome,
                Err(reason) => ReplayOutcome::Cannot(reason),
            };
            match outcome {
                ReplayOutcome::Same => verdict.same += 1,
                ReplayOutcome::Changed(change) => {
                    verdict.changed.push(format!("{change:#?} of {row:?}"));
                }
                ReplayOutcome::Cannot(reason) => verdict.cannot.push(reason.name()),
            }
        }
        page.before = listing.next;
        let told = verdict.same + verdict.changed.len() + verdict.cannot.len();
        if page.before.is_none() || told >= most {
            return verdict;
        }
    }
}

impl Verdict {
    /// Fails the test if anything would be another.
    fn check(&self) {
        // Nobody may have waited for its end, counts depend on what was learnt, and reloads take providers away.
        let allowed = ["running", "count", "no_request", "not_kept", "provider"];
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
