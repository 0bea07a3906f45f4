//! What the log hides: every key that is known, and what looks like one.
//!
//! A provider's words are logged when it refuses a request, and they may repeat what stood in the prompt. Keys of the
//! provider itself are gone from them before that; this is for all others. Each line is searched once, whatever its format,
//! and a key becomes as many stars.

use std::io;
use std::sync::{LazyLock, PoisonError, RwLock};

use lingate_store::Mask;

static MASK: LazyLock<RwLock<Mask>> = LazyLock::new(RwLock::default);

/// From here on these are hidden.
pub(crate) fn hide(mask: Mask) {
    *MASK.write().unwrap_or_else(PoisonError::into_inner) = mask;
}

/// Standard error, for whole lines.
pub(crate) fn stderr() -> Masked<io::Stderr> {
    Masked(io::stderr())
}

/// Hides keys in what is written at once.
pub(crate) struct Masked<W>(W);

impl<W: io::Write> io::Write for Masked<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        // Nobody waits for who writes.
        let mask = MASK.read().unwrap_or_else(PoisonError::into_inner).clone();
        self.0.write_all(&mask.bytes(line))?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn written(line: &str) -> String {
        let mut out = Masked(Vec::new());
        out.write_all(line.as_bytes()).unwrap();
        String::from_utf8(out.0).unwrap()
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
