//! The part of two texts in which they differ.

/// Most bytes that are shown of a text.
pub const MOST_SHOWN: usize = 500;
/// Bytes shown in front of the first difference, and behind the last.
const CONTEXT: usize = 40;
/// Stands for what is left out.
const LEFT_OUT: &str = "…";

/// Two texts from a little before their first difference to a little behind their last, at most [`MOST_SHOWN`] bytes of
/// each and a sign where something is left out.
#[must_use]
pub fn excerpts(before: &str, after: &str) -> (String, String) {
    let n_same = before
        .bytes()
        .zip(after.bytes())
        .take_while(|(one, other)| one == other)
        .count();
    let start = before.floor_char_boundary(n_same.saturating_sub(CONTEXT));
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
    let end = text.ceil_char_boundary(text.len() - n_cut);
    let shown = text.get(start..end).unwrap_or_default();
    let cut = shown.get(..shown.floor_char_boundary(MOST_SHOWN));
    let cut = cut.unwrap_or_default();
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
        let (front, back) = ("f".repeat(99), "b".repeat(99));
        let context = ("f".repeat(CONTEXT), "b".repeat(CONTEXT));
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
