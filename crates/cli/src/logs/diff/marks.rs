//! Two texts as one, with what is gone and what is new marked: in colour, or as `[-gone-]{+new+}`.
//!
//! Only what lies around changes is shown.

use std::time::Duration;

use similar::{ChangeTag, TextDiff};

use super::super::screen::{Screen, Tone};

/// Characters shown on either side of a change.
const AROUND: usize = 24;
/// Longer texts are compared by words: by characters everything looks a little alike.
const BY_CHARACTERS: usize = 400;
/// After this long what is not compared yet counts as changed.
const PATIENCE: Duration = Duration::from_millis(500);
/// No piece is shown longer.
const MOST: usize = 400;

/// The texts, marked.
pub(super) fn marked(before: &str, after: &str, screen: Screen) -> String {
    let mut out = String::new();
    let pieces = pieces(before, after);
    let last = pieces.len().saturating_sub(1);
    for (at, (tag, text)) in pieces.iter().enumerate() {
        match tag {
            ChangeTag::Equal => {
                let begins = at > 0;
                let goes_on = at < last;
                out.push_str(&screen.paint(Tone::Faint, &context(text, begins, goes_on)));
            }
            ChangeTag::Delete if screen.is_coloured() => {
                out.push_str(&screen.paint(Tone::Removed, &middle(text)));
            }
            ChangeTag::Insert if screen.is_coloured() => {
                out.push_str(&screen.paint(Tone::Added, &middle(text)));
            }
            ChangeTag::Delete => {
                out.push_str(&screen.paint(Tone::Removed, &format!("[-{}-]", middle(text))));
            }
            ChangeTag::Insert => {
                out.push_str(&screen.paint(Tone::Added, &format!("{{+{}+}}", middle(text))));
            }
        }
    }
    out
}

/// Runs of what is the same, gone or new.
fn pieces(before: &str, after: &str) -> Vec<(ChangeTag, String)> {
    let mut config = TextDiff::configure();
    config.timeout(PATIENCE);
    let diff = match before.len().max(after.len()) > BY_CHARACTERS {
        true => config.diff_words(before, after),
        false => config.diff_chars(before, after),
    };
    let mut pieces: Vec<(ChangeTag, String)> = Vec::new();
    for change in diff.iter_all_changes() {
        match pieces.last_mut() {
            Some((tag, text)) if *tag == change.tag() => text.push_str(change.value()),
            _ => pieces.push((change.tag(), change.value().to_owned())),
        }
    }
    pieces
}

/// The ends of a text that is the same, next to what changed.
fn context(text: &str, begins: bool, goes_on: bool) -> String {
    let length = text.chars().count();
    let wanted = AROUND * (usize::from(begins) + usize::from(goes_on));
    if length <= wanted + 1 {
        return text.to_owned();
    }
    let head: String = text.chars().take(if begins { AROUND } else { 0 }).collect();
    let tail = if goes_on { length - AROUND } else { length };
    let tail: String = text.chars().skip(tail).collect();
    format!("{head}…{tail}")
}

/// A text without its middle if it is long.
fn middle(text: &str) -> String {
    let length = text.chars().count();
    if length <= MOST {
        return text.to_owned();
    }
    let head: String = text.chars().take(MOST / 2).collect();
    let tail: String = text.chars().skip(length - MOST / 2).collect();
    format!("{head}… {} characters …{tail}", length - MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(before: &str, after: &str, expected: &str) {
        assert_eq!(marked(before, after, Screen::of(None, false)), expected);
    }

    #[test]
    fn changes_are_marked_to_the_character() {
        check("make it red", "make it blue", "make it [-r-]{+blu+}e[-d-]");
        check("a", "a b", "a{+ b+}");
        check("a b", "a", "a[- b-]");
        check("x\u{1b}[2J", "y\u{1b}[2J", "[-x-]{+y+} [2J");
    }

    #[test]
    fn only_what_lies_around_is_shown() {
        let long = "w".repeat(100);
        let end = "w".repeat(AROUND);
        check(
            &format!("{long}1{long}"),
            &format!("{long}2{long}"),
            &format!("…{end}[-1-]{{+2+}}{end}…"),
        );
        let words = "one two three four ".repeat(50);
        let shown = marked(
            &format!("{words}five {words}"),
            &format!("{words}six {words}"),
            Screen::of(None, false),
        );
        assert!(shown.contains("four [-five-]{+six+} one two"), "{shown}");
        assert!(shown.len() < 100, "{shown}");
        let gone = marked(&"x".repeat(1000), "", Screen::of(None, false));
        assert!(gone.contains("… 600 characters …"), "{gone}");
    }
}
