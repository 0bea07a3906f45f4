//! What can go wrong with the record. Never a reason to fail a request: the recorder degrades instead.

use std::path::PathBuf;

/// Why the record could not be opened, written or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder of the record.
    #[error("{}: {source}", path.display())]
    Io {
        /// What was being read or written.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The database.
    #[error("the record's database: {0}")]
    Database(#[from] rusqlite::Error),
    /// There is nothing to read.
    #[error("there is no record in {}: start the gateway once, or point `record.dir` elsewhere", .0.display())]
    Missing(PathBuf),
    /// The record was written by a later version.
    #[error(
        "the record has schema {found}, this program knows {known}: use the newer lingate that wrote it"
    )]
    TooNew {
        /// `PRAGMA user_version` of the database.
        found: i64,
        /// The latest this program knows.
        known: i64,
    },
    /// Stored bytes do not pass their checksum.
    #[error("segment {segment} is damaged at byte {offset}: {problem}")]
    Damaged {
        /// Number of the segment file.
        segment: i64,
        /// Where the frame begins.
        offset: u64,
        /// What does not fit.
        problem: &'static str,
    },
    /// What a row holds cannot be read back.
    #[error("the row of {id} is damaged: {problem}")]
    Row {
        /// The exchange.
        id: uuid::Uuid,
        /// What does not fit.
        problem: String,
    },
}

impl Error {
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}
