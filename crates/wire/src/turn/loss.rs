//! What a translation could not carry.

use std::fmt::Display;

/// Something that was left out, and where it stood.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Loss {
    /// Where it stood in the document that was translated, such as `messages[3].content[1].citations`.
    pub path: String,
}

/// Losses that are told by their place; of more there is a count.
const MOST_TOLD: usize = 100;
/// Bytes of a place that are told; members have the names that a peer gave them.
const LONGEST_PATH: usize = 200;

/// The losses of one translation, in the order they were met: all are counted, the first are told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Losses {
    found: Vec<Loss>,
    n_more: usize,
}

impl Losses {
    /// Notes one.
    pub fn add(&mut self, path: impl Into<String>) {
        if self.found.len() >= MOST_TOLD {
            self.n_more += 1;
            return;
        }
        let mut path = path.into();
        if path.len() > LONGEST_PATH {
            path.truncate(path.floor_char_boundary(LONGEST_PATH - SIGN.len()));
            path.push_str(SIGN);
            path.shrink_to_fit();
        }
        self.found.push(Loss { path });
    }

    /// Notes one per member.
    pub fn add_members<'a>(
        &mut self,
        path: impl Display,
        members: impl IntoIterator<Item = &'a (bytestring::ByteString, bytestring::ByteString)>,
    ) {
        for (key, _) in members {
            let path = format!("{path}.{key}");
            self.add(path.strip_prefix('.').unwrap_or(&path));
        }
    }

    /// Takes over all of `other`.
    pub fn append(&mut self, other: Self) {
        self.n_more += other.n_more;
        for loss in other.found {
            self.add(loss.path);
        }
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.found.len() + self.n_more
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Those that are told: the first hundred.
    pub fn iter(&self) -> impl Iterator<Item = &Loss> {
        self.found.iter()
    }

    /// The places of at most `most` of them; behind them, how many more there are: `7 more`.
    #[must_use]
    pub fn told(&self, most: usize) -> Vec<String> {
        let shown = self.found.iter().take(most);
        let mut told: Vec<String> = shown.map(|loss| loss.path.clone()).collect();
        let n_more = self.len() - told.len();
        if n_more > 0 {
            told.push(format!("{n_more} more"));
        }
        told
    }
}

/// Stands for what is left out of a path.
const SIGN: &str = "…";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_counted_and_the_first_are_told() {
        let mut losses = Losses::default();
        assert_eq!(losses.told(9), [""; 0]);
        for number in 0..MOST_TOLD + 5 {
            losses.add(format!("messages[{number}].x"));
        }
        let mut both = Losses::default();
        both.add("é".repeat(LONGEST_PATH));
        both.append(losses);
        assert_eq!(both.len(), MOST_TOLD + 6);
        assert_eq!(both.iter().count(), MOST_TOLD);
        let told = both.told(2);
        assert_eq!(told[1..], ["messages[0].x", "104 more"]);
        assert!(
            told[0].len() <= LONGEST_PATH && told[0].ends_with("é…"),
            "{told:?}"
        );
        assert_eq!(both.told(usize::MAX)[MOST_TOLD..], ["6 more"]);
    }
}
