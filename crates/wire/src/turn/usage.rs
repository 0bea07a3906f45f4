//! Token counts, in one canonical shape.

/// More tokens than these are a mistake, and would spoil every sum that they go into.
const MOST_TOKENS: u64 = 1 << 40;

/// Tokens of one reply. `None` is "not told", which is not zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Input tokens that were neither read from nor written to a cache.
    pub input: Option<u64>,
    /// Input tokens read from the prompt cache.
    pub cache_read: Option<u64>,
    /// Input tokens written to the five-minute cache.
    pub cache_write_5m: Option<u64>,
    /// Input tokens written to the one-hour cache.
    pub cache_write_1h: Option<u64>,
    /// Output tokens, reasoning included.
    pub output: Option<u64>,
    /// The part of the output that was reasoning.
    pub reasoning: Option<u64>,
}

impl Usage {
    /// Takes over every count that `later` tells. The last report wins; counts are never added or compared.
    pub fn update(&mut self, later: &Self) {
        let take = |own: &mut Option<u64>, new: Option<u64>| *own = new.or(*own);
        take(&mut self.input, later.input);
        take(&mut self.cache_read, later.cache_read);
        take(&mut self.cache_write_5m, later.cache_write_5m);
        take(&mut self.cache_write_1h, later.cache_write_1h);
        take(&mut self.output, later.output);
        take(&mut self.reasoning, later.reasoning);
    }

    /// Adds another reply's tokens: for what an exchange used over several attempts.
    pub fn add(&mut self, other: &Self) {
        let add = |own: &mut Option<u64>, more: Option<u64>| {
            *own = match (*own, more) {
                (Some(own), Some(more)) => Some(own.saturating_add(more)),
                (own, more) => own.or(more),
            }
        };
        add(&mut self.input, other.input);
        add(&mut self.cache_read, other.cache_read);
        add(&mut self.cache_write_5m, other.cache_write_5m);
        add(&mut self.cache_write_1h, other.cache_write_1h);
        add(&mut self.output, other.output);
        add(&mut self.reasoning, other.reasoning);
    }

    /// Without counts that no request can have had.
    #[must_use]
    pub fn believable(self) -> Self {
        let sane = |count: Option<u64>| count.filter(|&count| count <= MOST_TOKENS);
        Self {
            input: sane(self.input),
            cache_read: sane(self.cache_read),
            cache_write_5m: sane(self.cache_write_5m),
            cache_write_1h: sane(self.cache_write_1h),
            output: sane(self.output),
            reasoning: sane(self.reasoning),
        }
    }

    /// Whether nothing was told.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// All input tokens: fresh, read and written. `None` if not even the fresh ones were told.
    #[must_use]
    pub fn total_input(&self) -> Option<u64> {
        let sum = |a: u64, b: Option<u64>| a.saturating_add(b.unwrap_or(0));
        let fresh = self.input?;
        Some(sum(
            sum(sum(fresh, self.cache_read), self.cache_write_5m),
            self.cache_write_1h,
        ))
    }

    /// Tokens written to any cache.
    #[must_use]
    pub fn cache_write(&self) -> Option<u64> {
        match (self.cache_write_5m, self.cache_write_1h) {
            (None, None) => None,
            (short, long) => Some(short.unwrap_or(0).saturating_add(long.unwrap_or(0))),
        }
    }
}
