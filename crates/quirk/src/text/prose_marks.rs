//! The markers that count in prose, and a first look that rules them out.

use memchr::memchr;

use super::mark::{Mark, Role};

/// The markers of prose: those that count everywhere first, then those of the head.
#[derive(Debug)]
pub(super) struct ProseMarks {
    marks: Vec<Mark>,
    texts: Vec<&'static str>,
    n_everywhere: usize,
}

/// How a text ends in which no marker begins.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ends {
    /// In this byte, which is not white space.
    InText(u8),
    /// Perhaps in white space.
    MaybeInSpace,
}

impl ProseMarks {
    /// The markers that count where calls may or may not be read.
    pub(super) fn new(all: &'static [Mark], may_call: bool) -> Self {
        let counts = |mark: &&Mark| may_call || !matches!(mark.role, Role::Call | Role::Stray);
        let (head, everywhere): (Vec<Mark>, Vec<Mark>) = all
            .iter()
            .filter(counts)
            .partition(|mark| mark.role == Role::Filler);
        debug_assert!(everywhere.iter().all(|mark| mark.text.starts_with('<')));
        let n_everywhere = everywhere.len();
        let marks: Vec<Mark> = everywhere.into_iter().chain(head).collect();
        Self {
            texts: marks.iter().map(|mark| mark.text).collect(),
            marks,
            n_everywhere,
        }
    }

    /// The markers to look for.
    pub(super) fn of(&self, is_at_head: bool) -> &[&'static str] {
        let n_active = if is_at_head {
            self.texts.len()
        } else {
            self.n_everywhere
        };
        self.texts.get(..n_active).unwrap_or_default()
    }

    /// The marker of an index.
    pub(super) fn mark(&self, index: usize) -> Option<Mark> {
        self.marks.get(index).copied()
    }

    /// How a text ends, given in JSON's spelling, if no marker can begin in it behind the head. Errs on the side of `None`.
    pub(super) fn ends_of_clean(&self, spelled: &[u8]) -> Option<Ends> {
        let mut rest = spelled;
        while let Some(at) = memchr(b'<', rest) {
            let tail = rest.get(at..).unwrap_or_default();
            // What an escape stands for is not known here.
            let n_plain = memchr(b'\\', tail).unwrap_or(tail.len());
            let may_begin = |mark: &&str| {
                let n_known = n_plain.min(mark.len());
                mark.as_bytes().get(..n_known) == tail.get(..n_known)
            };
            if self.of(false).iter().any(may_begin) {
                return None;
            }
            rest = tail.get(1..).unwrap_or_default();
        }
        // `\u003c` is the same; other escapes of this kind are rare enough.
        let mut rest = spelled;
        while let Some(at) = memchr(b'\\', rest) {
            match rest.get(at + 1) {
                Some(b'u') | None => return None,
                Some(_) => rest = rest.get(at + 2..).unwrap_or_default(),
            }
        }
        match spelled {
            [.., b' '] | [.., b'\\', b'n' | b'r' | b't'] => Some(Ends::MaybeInSpace),
            [.., last] => Some(Ends::InText(*last)),
            [] => Some(Ends::MaybeInSpace),
        }
    }
}
