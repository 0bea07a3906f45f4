//! What a quirk says one retry should do differently after a failure that it recognises: each repair once.

use super::{Next, Outcome, Patch, Policy};

/// The repairs that were tried, by name.
#[derive(Default)]
pub(super) struct Repairs(Vec<&'static str>);

impl Policy for Repairs {
    fn next(&mut self, outcome: &Outcome<'_>) -> Next {
        let Outcome::Failed { failed, .. } = outcome else {
            return Next::Finish;
        };
        match failed.repair {
            Some(repair) if !self.0.contains(&repair.name()) => {
                self.0.push(repair.name());
                Next::Retry(Patch::Repair(repair))
            }
            Some(_) | None => Next::Finish,
        }
    }
}
