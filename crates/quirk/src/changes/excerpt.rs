//! The part of two texts in which they differ.

/// Most bytes that are shown of a text.
pub const MOST_SHOWN: usize = 500;
/// Bytes shown in front of the first difference, and behind the last.
const CONTEXT: usize = 40;
/// Stands for what is left out.
const LEFT_OUT: &str = "…";

/// Most bytes of a word that is shown whole for the sake of what stands beside it.
const LONGEST_WORD: usize = 256;

/// Two texts from a little before their first difference to a little behind their last, at most [`MOST_SHOWN`] bytes of
/// each and a sign where something is left out. Words are not cut: half a key is one that nobody recognises and masks.
#[must_use]
pub fn excerpts(before: &str, after: &str) -> (String, String) {
    let n_same = before
        .bytes()
        .zip(after.bytes())
        .take_while(|(one, other)| one == other)
        .count();
    let start = word_start(before.as_bytes(), n_same.saturating_sub(CONTEXT));
    let most_behind = before.len().min(after.len()) - n_same;
    let n_same_behind = before
        .bytes()
        .rev()
        .zip(after.bytes().rev())
        .take(most_behind)
        .take_while(|(one, other)| one == other)
        .count();
    let n_cut = n_same_behind.saturating_sub(CONTEXT);
    (excerpt(before, start, n_cut), excerpt(after, start, n_cut))
}

fn excerpt(text: &str, start: usize, n_cut: usize) -> String {
    let start = word_end(text.as_bytes(), text.floor_char_boundary(start));
    let end = text.ceil_char_boundary(word_end(text.as_bytes(), text.len() - n_cut));
    let shown = text.get(start..end).unwrap_or_default();
    let mut most = shown.floor_char_boundary(MOST_SHOWN);
    while most < shown.len() && is_inside(shown.as_bytes(), most) {
        most -= 1;
    }
    let cut = shown.get(..most).unwrap_or_default();
    let mut excerpt = String::with_capacity(cut.len() + 2 * LEFT_OUT.len());
    if start > 0 {
        excerpt.push_str(LEFT_OUT);
    }
    excerpt.push_str(cut);
    if start + cut.len() < text.len() {
        excerpt.push_str(LEFT_OUT);
    }
    excerpt
}

/// Where the word begins that holds this place; one that is too long is passed over.
fn word_start(text: &[u8], at: usize) -> usize {
    let mut start = at;
    while is_inside(text, start) {
        if at - start >= LONGEST_WORD {
            return word_end(text, at);
        }
        start -= 1;
    }
    start
}

/// Where the word ends that holds this place.
fn word_end(text: &[u8], at: usize) -> usize {
    let mut end = at;
    while is_inside(text, end) {
        end += 1;
    }
    end
}

/// Whether a cut at this place would go through a word, as keys are written.
fn is_inside(text: &[u8], at: usize) -> bool {
    let is_of_word = |at: usize| {
        let byte = text.get(at).copied().unwrap_or_default();
        byte.is_ascii_alphanumeric() || b"-_.+/=~".contains(&byte)
    };
    at > 0 && is_of_word(at - 1) && is_of_word(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(before: &str, after: &str, expected: [&str; 2]) {
        let (before, after) = excerpts(before, after);
        assert_eq!([before.as_str(), after.as_str()], expected);
    }

    #[test]
    fn what_differs_is_shown() {
        check("", "", ["", ""]);
        check("a", "b", ["a", "b"]);
        check("same", "same", ["same", "same"]);
        check("x", "", ["x", ""]);
        check("aa", "aaa", ["aa", "aaa"]);
        let (front, back) = ("f ".repeat(50), " b".repeat(50));
        let context = ("f ".repeat(CONTEXT / 2), " b".repeat(CONTEXT / 2));
        let shown = |middle: &str| format!("…{}{middle}{}…", context.0, context.1);
        check(
            &format!("{front}ONE{back}"),
            &format!("{front}TWO!{back}"),
            [&shown("ONE"), &shown("TWO!")],
        );
        check(
            &format!("{front}{back}"),
            &format!("{front}new{back}"),
            [&shown(""), &shown("new")],
        );
    }

    /// A key at either end of what is shown is there whole or not at all.
    #[test]
    fn no_word_is_cut() {
        let key = "sk-0123456789abcdefghijklmnopqrstuvwxyz";
        let is_whole_or_none = |text: &str| {
            let whole = text.matches(key).count();
            text.matches("012345").count() == whole && text.matches("uvwxyz").count() == whole
        };
        for n_between in 0..MOST_SHOWN + 100 {
            let between = "x ".repeat(n_between / 2);
            for text in [
                format!("{key} {between}OLD"),
                format!("OLD {between}{key} and more"),
                format!("{between}{key}\"OLD {between}{key}{}", " y".repeat(99)),
            ] {
                let (before, after) = excerpts(&text, &text.replace("OLD", "NEW"));
                assert!(is_whole_or_none(&before), "{before}");
                assert!(is_whole_or_none(&after), "{after}");
            }
        }
        // A word that is no key and has no end.
        let long = "x".repeat(2_000);
        check(&format!("{long}a"), &format!("{long}b"), ["…", "…"]);
    }

    #[test]
    fn no_character_is_cut() {
        // The first bytes of both characters are the same, and so are the last ones of others.
        check("ä", "ö", ["ä", "ö"]);
        check("日本", "日木", ["日本", "日木"]);
        let long = "é".repeat(MOST_SHOWN);
        let (before, after) = excerpts(&long, "");
        assert_eq!(before, format!("{}…", "é".repeat(MOST_SHOWN / 2)));
        assert_eq!(after, "");
    }
}
