//! How a record is kept.

use std::time::Duration;

use crate::Mask;

/// Settings of a record. The defaults are those of the configuration file.
#[derive(Debug, Clone)]
pub struct Options {
    /// Which bodies are kept.
    pub bodies: Bodies,
    /// Rows and bodies older than this are deleted.
    pub keep: Duration,
    /// Bytes the record may take on disk, rows and bodies together.
    pub keep_bytes: u64,
    /// Whether requests are to be refused while nothing can be recorded.
    pub fail_closed: bool,
    /// What is made unreadable in everything that is kept.
    pub mask: Mask,
    /// What may wait for the writer.
    pub queue: QueueLimits,
    /// A segment file that has grown to this is followed by a new one.
    pub segment_bytes: u64,
    /// How long the clock has to stay ahead, after a jump, before what is too old by it is deleted.
    pub trust_after: Duration,
    /// The version of the program, noted with each run.
    pub version: &'static str,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            bodies: Bodies::Full,
            keep: Duration::from_secs(30 * 24 * 3600),
            keep_bytes: 5 << 30,
            fail_closed: false,
            mask: Mask::default(),
            queue: QueueLimits::default(),
            segment_bytes: 256 << 20,
            trust_after: Duration::from_secs(600),
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

/// What of [`Options`] may change while the record is written.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Which bodies are kept. `None`: nothing more is recorded; what was accepted before ends in its row.
    pub bodies: Option<Bodies>,
    /// As [`Options::keep`].
    pub keep: Duration,
    /// As [`Options::keep_bytes`].
    pub keep_bytes: u64,
    /// As [`Options::fail_closed`].
    pub fail_closed: bool,
    /// As [`Options::mask`].
    pub mask: Mask,
}

impl Settings {
    /// The size of a segment: small enough that deleting one does not take a large part of what may be kept.
    pub(crate) fn segment_limit(&self, segment_bytes: u64) -> u64 {
        segment_bytes.min((self.keep_bytes / 20).max(64 << 10))
    }
}

impl From<&Options> for Settings {
    fn from(options: &Options) -> Self {
        Self {
            bodies: Some(options.bodies),
            keep: options.keep,
            keep_bytes: options.keep_bytes,
            fail_closed: options.fail_closed,
            mask: options.mask.clone(),
        }
    }
}

/// Which bodies are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Bodies {
    /// All.
    #[default]
    Full,
    /// Those of exchanges that did not go well.
    Errors,
    /// None, but a row for each exchange.
    Metadata,
}

/// What may wait for the writer, in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueLimits {
    /// Rows with all their details.
    pub rows: usize,
    /// Bytes of rows and bodies together; bodies get three quarters of it.
    pub bytes: usize,
    /// Rows reduced to their numbers, once there is no room for more.
    pub numbers: usize,
}

impl Default for QueueLimits {
    fn default() -> Self {
        Self {
            rows: 8192,
            bytes: 32 << 20,
            numbers: 32_768,
        }
    }
}
