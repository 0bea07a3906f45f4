//! A bound on repeats of the same request at the same provider, so that a bad hour is not multiplied.
//!
//! Moving on to another target is not counted here: each is asked once for an exchange.

/// Share of the attempts under way that may be repeats.
const SHARE: f64 = 0.2;
/// So many may be whatever the share.
const AT_LEAST: u32 = 3;

/// Attempts under way at one provider.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Budget {
    active: u32,
    repeating: u32,
}

impl Budget {
    pub(super) const fn begin(&mut self) {
        self.active = self.active.saturating_add(1);
    }

    /// Takes the room of one repeat, if there is some. It is given back with [`Self::end`].
    pub(super) fn repeat(&mut self) -> bool {
        let has_room =
            self.repeating < AT_LEAST || f64::from(self.repeating) < f64::from(self.active) * SHARE;
        if has_room {
            self.repeating += 1;
        }
        has_room
    }

    /// An attempt ended that took the room of so many repeats.
    pub(super) const fn end(&mut self, repeats: u32) {
        self.active = self.active.saturating_sub(1);
        self.repeating = self.repeating.saturating_sub(repeats);
    }

    pub(super) const fn is_idle(self) -> bool {
        self.active == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fifth_of_what_is_under_way_and_never_less_than_three() {
        for (active, room) in [(1, 3), (10, 3), (20, 4), (100, 20)] {
            let mut budget = Budget::default();
            for _ in 0..active {
                budget.begin();
            }
            let mut taken = 0;
            while taken < 1000 && budget.repeat() {
                taken += 1;
            }
            assert_eq!(taken, room, "{active} under way");
            budget.end(1);
            assert!(budget.repeat(), "{active} under way, one ended");
        }
    }
}
