//! Secrets made unreadable: keys we know, and what looks like a key.
//!
//! Every masked byte becomes `*`, so lengths, offsets and the JSON around it stay as they were. A key that a model
//! spells out over several events of a stream is not recognised; the keys we know never reach a model.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, Input, MatchKind};

/// Shorter values are not worth masking: they would hit ordinary text.
const MIN_KNOWN: usize = 8;

/// No number in JSON of ours has more digits.
const MOST_DIGITS: usize = 20;

/// How keys begin anywhere, and how many characters of a key follow at least.
const SHAPES: [(&str, usize); 12] = [
    ("sk-", 20),
    ("sk_", 20),
    ("AIza", 30),
    ("Bearer ", 16),
    ("bearer ", 16),
    ("gsk_", 20),
    ("ghp_", 30),
    ("github_pat_", 30),
    ("AKIA", 16),
    ("ya29.", 20),
    ("hf_", 20),
    ("nvapi-", 20),
];

/// So far before the end of what is too long a cut is looked for.
const NEAR: usize = 1024;

/// Finds secrets. Cheap to clone.
#[derive(Clone)]
pub struct Mask {
    finder: Arc<Finder>,
}

/// Behind a beginning that a provider is known for.
const LEAST: usize = 20;

struct Finder {
    /// For each beginning that is searched for, how many characters follow at least.
    least: Vec<usize>,
    /// The beginnings, then the values that are known. `None` if they are too many for any automaton.
    automaton: Option<AhoCorasick>,
    /// No secret has a quote or a line end in it.
    ends_at_quotes: bool,
}

impl Mask {
    /// Masks these values wherever they stand, besides everything that looks like a key.
    pub fn new<'a>(known: impl IntoIterator<Item = &'a str>) -> Self {
        Self::with_prefixes(known, [])
    }

    /// Like [`Self::new`]; `prefixes` are further beginnings of keys, as presets know them.
    pub fn with_prefixes<'a>(
        known: impl IntoIterator<Item = &'a str>,
        prefixes: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let prefixes = prefixes.into_iter().filter(|prefix| prefix.len() > 2);
        let shapes = SHAPES
            .into_iter()
            .chain(prefixes.map(|prefix| (prefix, LEAST)));
        let (mut patterns, least): (Vec<&str>, Vec<usize>) = shapes.unzip();
        patterns.extend(known.into_iter().filter(|value| is_telling(value)));
        let ends_at_quotes = !(patterns.iter()).any(|value| value.contains(['"', '\n', '\r']));
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(patterns)
            .ok();
        Self {
            finder: Arc::new(Finder {
                least,
                automaton,
                ends_at_quotes,
            }),
        }
    }

    /// Whether it is a copy of the other one.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.finder, &other.finder)
    }

    /// Whether what stands between two quotes, or the ends of lines, is masked by itself as it is within the whole.
    pub(crate) fn ends_at_quotes(&self) -> bool {
        self.finder.ends_at_quotes
    }

    /// `bytes` without secrets; borrowed if there are none.
    #[must_use]
    pub fn bytes<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let Some(automaton) = &self.finder.automaton else {
            return Cow::Borrowed(bytes);
        };
        let mut masked: Option<Vec<u8>> = None;
        let mut from = 0;
        while let Some(found) = automaton.find(Input::new(bytes).range(from..)) {
            let secret = match self.finder.least.get(found.pattern().as_usize()) {
                Some(least) => shaped(bytes, found.range(), *least),
                None => Some(found.range()),
            };
            // A beginning without a key behind it may still overlap a value that is known.
            from = secret.as_ref().map_or(found.start() + 1, |range| range.end);
            if let Some(range) = secret {
                let copy = masked.get_or_insert_with(|| bytes.to_vec());
                if let Some(secret) = copy.get_mut(range) {
                    secret.fill(b'*');
                }
            }
        }
        masked.map_or(Cow::Borrowed(bytes), Cow::Owned)
    }

    /// The last place from `limit` down where `bytes` can be cut so that each half is masked as the whole is: behind the
    /// last byte of the kibibyte before that no key has, and within no secret. `limit` if nothing but one long secret is
    /// before it.
    pub(crate) fn cut(&self, bytes: &[u8], limit: usize) -> usize {
        let near = limit.saturating_sub(NEAR);
        let window = bytes.get(near..limit).unwrap_or_default();
        // Behind a backslash stands the other half of an escaped line end, which is no letter of a word.
        let is_blank = |byte: &u8| !is_key_byte(*byte) && *byte != b'\\';
        let blank = window.iter().rposition(is_blank);
        let cut = blank.map_or(limit, |at| near + at + 1);
        let Some(automaton) = &self.finder.automaton else {
            return cut;
        };
        // A secret around the cut begins at most so much before it, and shows itself so much behind.
        let far = NEAR.max(automaton.max_pattern_len());
        let bytes = bytes.get(..cut + far).unwrap_or(bytes);
        let mut from = cut.saturating_sub(far);
        while let Some(found) = automaton.find(Input::new(bytes).range(from..)) {
            if found.start() >= cut {
                break;
            }
            let secret = match self.finder.least.get(found.pattern().as_usize()) {
                Some(least) => shaped(bytes, found.range(), *least),
                None => Some(found.range()),
            };
            from = secret.as_ref().map_or(found.start() + 1, |range| range.end);
            if secret.is_some_and(|secret| secret.end > cut) {
                // With the beginning that shows what it is.
                return if found.start() > 0 {
                    found.start()
                } else {
                    cut
                };
            }
        }
        cut
    }

    /// `text` without secrets; borrowed if there are none.
    #[must_use]
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.bytes(text.as_bytes()) {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            // Whole characters became stars: known values and keys are ASCII or complete.
            Cow::Owned(bytes) => {
                Cow::Owned(String::from_utf8(bytes).unwrap_or_else(|_| "***".to_owned()))
            }
        }
    }
}

impl Default for Mask {
    /// Only what looks like a key.
    fn default() -> Self {
        Self::new([])
    }
}

/// Says nothing of what it knows.
impl fmt::Debug for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mask")
    }
}

/// Whether a value that is known can be looked for: a short one would hit ordinary text, digits alone any number, which
/// with stars in it is none any more.
fn is_telling(value: &str) -> bool {
    let is_number = value.len() <= MOST_DIGITS && value.bytes().all(|byte| byte.is_ascii_digit());
    value.len() >= MIN_KNOWN && !is_number
}

/// The key behind a beginning that was found, if it is one.
fn shaped(bytes: &[u8], prefix: Range<usize>, least: usize) -> Option<Range<usize>> {
    if !is_word_start(bytes, prefix.start) {
        return None;
    }
    let key = bytes.get(prefix.end..)?;
    let length = key.iter().take_while(|byte| is_key_byte(**byte)).count();
    let key = key.get(..length)?;
    let has_digit = key.iter().any(u8::is_ascii_digit);
    (length >= least && has_digit).then(|| prefix.end..prefix.end + length)
}

/// Characters of keys.
const fn is_key_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'~' | b'+')
}

/// Whether no word goes on at `at`. The `n` of an escaped line end in JSON is no letter of a word.
fn is_word_start(bytes: &[u8], at: usize) -> bool {
    let before = |distance: usize| at.checked_sub(distance).and_then(|at| bytes.get(at));
    match (before(1), before(2)) {
        (Some(b'n' | b'r' | b't'), Some(b'\\')) => true,
        (Some(byte), _) => !byte.is_ascii_alphanumeric() && !matches!(byte, b'_' | b'-'),
        (None, _) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let mask = Mask::new(["corp-secret-1", "short", "sk-known"]);
        assert_eq!(mask.text(text), expected);
    }

    #[test]
    fn what_looks_like_a_key() {
        let key = "a1b2c3d4e5f6a7b8c9d0e1f2a3b4c5d6e7f8";
        let stars = "*".repeat(key.len());
        for (prefix, _) in SHAPES {
            check(
                &format!("x {prefix}{key} y"),
                &format!("x {prefix}{stars} y"),
            );
            check(
                &format!("\"{prefix}{key}\""),
                &format!("\"{prefix}{stars}\""),
            );
            check(
                &format!(r"a\n{prefix}{key}\n"),
                &format!(r"a\n{prefix}{stars}\n"),
            );
            check(&format!("word{prefix}{key}"), &format!("word{prefix}{key}"));
            check(&format!("{prefix}short1"), &format!("{prefix}short1"));
        }
        check("task-0123456789-0123456789", "task-0123456789-0123456789");
        check(
            "sk-loading-indicator-container",
            "sk-loading-indicator-container",
        );
        check(&format!("Bearer sk-{key}"), &format!("Bearer {stars}***"));
    }

    #[test]
    fn what_is_known() {
        check("a corp-secret-1b", "a *************b");
        check("corp-secret-1corp-secret-1", &"*".repeat(26));
        check("Bearer corp-secret-1 sk-", "Bearer ************* sk-");
        check("short", "short");
        let number = "12345678901234567890";
        let mask = Mask::new(["12345678", number, "123456789012345678901"]);
        let json = format!("{{\"at_us\":123456789,\"end\":{number}}}");
        assert_eq!(mask.text(&json), json);
        assert_eq!(mask.text("123456789012345678901"), "*".repeat(21));
        check("xsk-known", "x********");
        check("ünï corp-secret-1 ü", "ünï ************* ü");
    }

    #[test]
    fn what_presets_know() {
        let mask = Mask::with_prefixes([], ["zz-"]);
        let key = "a1b2c3d4e5f6a7b8c9d0";
        assert_eq!(
            mask.text(&format!("zz-{key}")),
            format!("zz-{}", "*".repeat(20))
        );
        assert_eq!(
            Mask::default().text(&format!("zz-{key}")),
            format!("zz-{key}")
        );
    }

    /// Wherever a text is cut, its halves are masked as the whole is.
    fn check_cuts(text: &str) {
        let mask = Mask::new(["corp/secret=1+2", "pass phrase with spaces"]);
        let whole = mask.text(text);
        assert_ne!(whole, text);
        for limit in 1..text.len() {
            let cut = mask.cut(text.as_bytes(), limit);
            assert!(cut > 0 && cut <= limit, "{cut} of {limit}");
            let (one, other) = text.split_at(cut);
            let halves = format!("{}{}", mask.text(one), mask.text(other));
            assert_eq!(halves, whole, "cut at {cut} for {limit}");
        }
    }

    #[test]
    fn no_cut_hides_a_secret() {
        check_cuts("some words, then corp/secret=1+2 and more");
        check_cuts("words corp/secret=1+2corp/secret=1+2/x");
        check_cuts("a pass phrase with spaces, and b");
        check_cuts("authorization: Bearer a1b2c3d4e5f6a7b8c9d0, x");
        check_cuts("key sk-a1b2c3d4e5f6a7b8c9d0e1f2/next");
        check_cuts(r"some words\nsk-a1b2c3d4e5f6a7b8c9d0e1f2 next");
        check_cuts(r"some words\\\tBearer a1b2c3d4e5f6a7b8c9d0, x");
    }

    #[test]
    fn nothing_is_copied_without_need() {
        let mask = Mask::default();
        assert!(matches!(mask.bytes(b"plain sk- text"), Cow::Borrowed(_)));
        assert_eq!(format!("{mask:?}"), "Mask");
    }
}
