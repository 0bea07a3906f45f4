//! Markers, and finding them in text that arrives in pieces.

use memchr::{memchr, memchr2, memchr3};

/// A marker that matters where no call is being read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    /// The marker as the model writes it. In one set none may be the beginning of another.
    pub(crate) text: &'static str,
    /// What it means.
    pub(crate) role: Role,
}

impl Mark {
    pub(crate) const fn new(text: &'static str, role: Role) -> Self {
        Self { text, role }
    }
}

/// What a marker means in prose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// A call may begin: handed to the format. Plain text where the request has no tools.
    Call,
    /// Something else begins that the format reads, such as a header that names a channel; also without tools.
    Header,
    /// Belongs to calls and says nothing by itself: removed. Plain text where the request has no tools.
    Stray,
    /// Thinking begins, if it stands at the head.
    ThinkOpen,
    /// Thinking ends.
    ThinkClose,
    /// Filler that a model repeats from the history: removed at the head, plain text elsewhere. The only role whose
    /// markers may begin with something else than `<`.
    Filler,
}

/// What stands at the beginning of a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// This many bytes, more than none, in which no marker begins.
    Text(usize),
    /// The marker of this index.
    Mark(usize),
    /// All of it may be the beginning of a marker.
    Partial,
}

/// Looks at the beginning of a text that is not empty.
pub(super) fn next(text: &str, marks: &[&'static str]) -> Next {
    let bytes = text.as_bytes();
    let mut from = 0;
    while let Some(at) = bytes
        .get(from..)
        .and_then(|rest| first_of(marks, rest))
        .map(|at| at + from)
    {
        let tail = bytes.get(at..).unwrap_or_default();
        let whole = marks
            .iter()
            .position(|mark| tail.starts_with(mark.as_bytes()));
        let is_begun = || marks.iter().any(|mark| mark.as_bytes().starts_with(tail));
        match whole {
            Some(mark) if at == 0 => return Next::Mark(mark),
            None if !is_begun() => from = at + 1,
            None if at == 0 => return Next::Partial,
            Some(_) | None => return Next::Text(at),
        }
    }
    Next::Text(text.len())
}

/// Where a byte stands that begins one of the markers; they have three first bytes at most.
fn first_of(marks: &[&'static str], text: &[u8]) -> Option<usize> {
    let mut firsts = [0_u8; 3];
    let mut n_firsts = 0;
    for first in marks.iter().filter_map(|mark| mark.as_bytes().first()) {
        if !firsts.iter().take(n_firsts).any(|known| known == first)
            && let Some(free) = firsts.get_mut(n_firsts)
        {
            *free = *first;
            n_firsts += 1;
        }
    }
    let [a, b, c] = firsts;
    match n_firsts {
        0 => None,
        1 => memchr(a, text),
        2 => memchr2(a, b, text),
        _ => memchr3(a, b, c, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_found_whole_begun_or_not_at_all() {
        const MARKS: [&str; 3] = ["<think>", "<tool", "(no)"];
        let check = |text: &str, expected: Next| assert_eq!(next(text, &MARKS), expected, "{text}");
        check("ab", Next::Text(2));
        check("ab<", Next::Text(2));
        check("<", Next::Partial);
        check("<t", Next::Partial);
        check("<think", Next::Partial);
        check("<think>x", Next::Mark(0));
        check("<toolx", Next::Mark(1));
        check("(no", Next::Partial);
        check("a<b <think>", Next::Text(4));
        check("<b<", Next::Text(2));
        check("<<", Next::Text(1));
        check("é<tool", Next::Text(2));
        assert_eq!(next("<a", &[]), Next::Text(2));
    }
}
