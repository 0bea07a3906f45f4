//! A tokenizer: OpenAI's o200k, the one whose vocabulary is at hand and that is nearest to those of current models.
//!
//! Its tables take some 50 MB from the first count on. Built without the feature `token-estimate`, a piece is four bytes.

/// Bytes that are cut into pieces at once. The tokenizer's expressions look ahead over white space and its merging gets
/// slower with the length of what has no space in it: neither may grow with what a peer sends.
#[cfg(feature = "token-estimate")]
const WINDOW: usize = 4096;

/// Counts the pieces of a text.
#[cfg(feature = "token-estimate")]
pub(crate) fn count(text: &str) -> u64 {
    let tokenizer = tiktoken_rs::o200k_base_singleton();
    windows(text)
        .map(|window| tokenizer.encode_ordinary(window).len() as u64)
        .sum()
}

/// Counts the pieces of a text.
#[cfg(not(feature = "token-estimate"))]
pub(crate) fn count(text: &str) -> u64 {
    (text.len() as u64).div_ceil(super::measure::BYTES_PER_TOKEN)
}

/// The text in parts of a window's size, cut in front of a space where there is one near: a word's piece begins with it.
#[cfg(feature = "token-estimate")]
fn windows(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let most = rest.floor_char_boundary(WINDOW);
        let at = match rest.get(most / 2..most).and_then(|near| near.rfind(' ')) {
            Some(space) if most < rest.len() && space > 0 => most / 2 + space,
            _ => most,
        };
        let (window, behind) = rest.split_at_checked(at.max(1)).unwrap_or((rest, ""));
        rest = behind;
        Some(window)
    })
}

#[cfg(all(test, feature = "token-estimate"))]
mod tests {
    use super::*;

    #[test]
    fn known_texts() {
        for (text, pieces) in [("", 0), ("hello world", 2), ("fn main() {}\n", 4), (" ", 1)] {
            assert_eq!(count(text), pieces, "{text:?}");
        }
    }

    #[test]
    fn windows_are_the_text_and_cost_next_to_nothing() {
        let prose = "The quick brown fox jumps over the lazy dog. ".repeat(600);
        let odd = "漢字仮名交じり文🦀".repeat(900);
        let long = "a".repeat(50_000);
        let spaces = " ".repeat(50_000);
        for text in [&prose, &odd, &long, &spaces] {
            assert_eq!(windows(text).collect::<String>(), **text);
            assert!(windows(text).all(|window| window.len() <= WINDOW));
            let whole = tiktoken_rs::o200k_base_singleton()
                .encode_ordinary(text)
                .len() as u64;
            let cut = count(text);
            let most = whole + whole / 50 + text.len() as u64 / WINDOW as u64 + 1;
            assert!(
                (whole..=most).contains(&cut),
                "{cut} for {whole}: {}",
                &text[..9]
            );
        }
    }
}
