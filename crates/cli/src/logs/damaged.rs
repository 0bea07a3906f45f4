//! Exchanges that cannot be read back: a command over many says so, goes on with the others, and ends with a problem.

use std::cell::Cell;

use lingate_store::Error;
use uuid::Uuid;

use super::failed;
use crate::failure::Failure;
use crate::output;

/// How many were passed over.
#[derive(Debug, Default)]
pub(super) struct Damaged(Cell<usize>);

impl Damaged {
    /// What was read of an exchange: nothing if it is damaged, which is said.
    ///
    /// # Errors
    /// The record as a whole cannot be read.
    pub(super) fn pass<T>(
        &self,
        id: Uuid,
        read: Result<Option<T>, Error>,
    ) -> Result<Option<T>, Failure> {
        match read {
            Err(error) if is_of_one(&error) => {
                output::say(&format!("{id} is left out: {error}"));
                self.0.set(self.0.get() + 1);
                Ok(None)
            }
            read => read.map_err(|error| failed(&error)),
        }
    }

    pub(super) fn count(&self) -> usize {
        self.0.get()
    }

    /// The end of the command.
    ///
    /// # Errors
    /// Something was passed over.
    pub(super) fn end(&self) -> Result<(), Failure> {
        match self.count() {
            0 => Ok(()),
            count => Err(Failure::problem(format!(
                "{count} damaged exchanges were left out"
            ))),
        }
    }
}

/// Whether the others can be read all the same.
pub(super) const fn is_of_one(error: &Error) -> bool {
    matches!(error, Error::Row { .. } | Error::Damaged { .. })
}
