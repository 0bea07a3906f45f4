//! Ending a query that nobody waits for any more.

use rusqlite::{ErrorCode, InterruptHandle};

use crate::Error;

use super::Reader;

/// Ends what a [`Reader`] is doing in its database; from any thread.
pub struct Interrupt(InterruptHandle);

impl Interrupt {
    /// The query under way fails with an error of which [`Error::is_interruption`] holds. Nothing happens if there is none.
    pub fn interrupt(&self) {
        self.0.interrupt();
    }
}

impl Reader {
    /// What ends a query of this reader.
    #[must_use]
    pub fn interrupt(&self) -> Interrupt {
        Interrupt(self.inner().connection.get_interrupt_handle())
    }
}

impl Error {
    /// Whether somebody ended the query on purpose.
    #[must_use]
    pub fn is_interruption(&self) -> bool {
        matches!(self, Self::Database(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted))
    }
}
