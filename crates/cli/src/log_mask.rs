//! What the log hides: every key that is known, and what looks like one.
//!
//! A provider's words are logged when it refuses a request, and they may repeat what stood in the prompt. Keys of the
//! provider itself are gone from them before that; this is for all others. Lines are searched once, whatever their
//! format, and a key becomes as many stars.

use std::borrow::Cow;
use std::sync::{LazyLock, PoisonError, RwLock};

use lingate_store::Mask;

static MASK: LazyLock<RwLock<Mask>> = LazyLock::new(RwLock::default);

/// From here on these are hidden.
pub(crate) fn hide(mask: Mask) {
    *MASK.write().unwrap_or_else(PoisonError::into_inner) = mask;
}

/// Whole lines of a log without keys, as long as they were.
pub(crate) fn masked(lines: &[u8]) -> Cow<'_, [u8]> {
    // Nobody waits for who masks.
    let mask = MASK.read().unwrap_or_else(PoisonError::into_inner).clone();
    mask.bytes(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(line: &str) -> String {
        String::from_utf8(masked(line.as_bytes()).into_owned()).unwrap()
    }

    #[test]
    fn keys_are_stars_of_their_length() {
        let shaped = "sk-0123456789abcdefghijkl";
        assert_eq!(
            written(&format!("it says {shaped}\n")),
            format!("it says sk-{}\n", "*".repeat(22))
        );
        hide(Mask::new(["corp-pass-of-ours"]));
        assert_eq!(
            written("error=\"corp-pass-of-ours\"\n"),
            format!("error=\"{}\"\n", "*".repeat(17))
        );
        assert_eq!(written("nothing of it\n"), "nothing of it\n");
    }
}
