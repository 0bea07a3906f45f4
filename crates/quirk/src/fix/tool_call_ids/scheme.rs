//! How ids are made.

use std::collections::HashSet;

use lingate_wire::json::Text;

use crate::checksum::checksum;

/// A way to make ids, and what it has made.
pub(super) enum Scheme {
    /// `functions.NAME:IDX`.
    Functions { next: usize },
    /// The client's own where it fits and is new.
    Fitted { max: usize, used: HashSet<String> },
}

impl Scheme {
    /// Counted over the whole conversation.
    pub(super) const fn functions() -> Self {
        Self::Functions { next: 0 }
    }

    /// Letters, digits, `_` and `-`, at most `max` of them.
    pub(super) fn fitted(max: usize) -> Self {
        Self::Fitted {
            max,
            used: HashSet::new(),
        }
    }

    /// The id of the next call, or of a result without one.
    pub(super) fn id(&mut self, own: &str, name: &str) -> Text {
        match self {
            Self::Functions { next } => {
                let id = format!("functions.{name}:{next}");
                *next += 1;
                id.into()
            }
            Self::Fitted { max, used } => unused(fit(own, *max), *max, used),
        }
    }
}

/// The id with `_` for what it may not hold, cut, and a checksum of the whole behind it: two ids stay two.
fn fit(own: &str, max: usize) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
    if !own.is_empty() && own.len() <= max && own.chars().all(is_plain) {
        return own.to_owned();
    }
    let plain = |letter| if is_plain(letter) { letter } else { '_' };
    let mut id: String = own.chars().map(plain).take(max.saturating_sub(9)).collect();
    id.push_str(&format!("_{:08x}", checksum(own.as_bytes())));
    id
}

/// The id, or the first of `id_2`, `id_3`, ... that no call before has.
fn unused(id: String, max: usize, used: &mut HashSet<String>) -> Text {
    if used.insert(id.clone()) {
        return id.into();
    }
    let mut n = 2_u64;
    loop {
        let suffix = format!("_{n}");
        let kept: String = (id.chars())
            .take(max.saturating_sub(suffix.len()))
            .collect();
        let next = kept + &suffix;
        if used.insert(next.clone()) {
            return next.into();
        }
        n += 1;
    }
}
