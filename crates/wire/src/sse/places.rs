//! Where events begin in the body.

/// Counts the bytes of a body while it is cut into events.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Where the next piece begins.
    offset: u64,
    /// Where the event that is being read begins, once a line of it is there.
    began: Option<u64>,
    /// Of the events that the last piece completed.
    starts: Vec<u64>,
}

impl Places {
    /// Another piece comes, or the end.
    pub(super) fn begin(&mut self) {
        self.starts.clear();
    }

    /// A line begins `n_before` bytes into the piece, or so many before it.
    pub(super) fn line(&mut self, n_into_piece: usize, n_before_piece: usize) {
        let at = self.offset + n_into_piece as u64 - n_before_piece as u64;
        self.began.get_or_insert(at);
    }

    /// A blank line ended an event; `is_told`: it had data.
    pub(super) fn dispatched(&mut self, is_told: bool) {
        let began = self.began.take().unwrap_or(self.offset);
        if is_told {
            self.starts.push(began);
        }
    }

    /// A piece of this length has been read.
    pub(super) fn read(&mut self, n_bytes: usize) {
        self.offset += n_bytes as u64;
    }

    /// Where one of them begins.
    pub(super) fn start(&self, nth: usize) -> Option<u64> {
        self.starts.get(nth).copied()
    }
}
