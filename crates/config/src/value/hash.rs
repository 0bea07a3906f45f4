//! A client key's hash: what the file holds instead of the key.

use super::{FormatError, text_value};

pub(super) const FORMAT: &str = "lingate-key-hash";

/// SHA-256 of a client key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyHash(
    /// The digest.
    pub [u8; 32],
);

text_value!(
    KeyHashText(KeyHash),
    FORMAT,
    parse,
    "`sha256:` and the 64 hexadecimal digits of the key's hash.",
    "sha256:..."
);

pub(super) fn parse(text: &str) -> Result<KeyHash, FormatError> {
    // The value is not shown: a person may have put the key itself here.
    let error = || FormatError {
        message: "is not `sha256:` and 64 hexadecimal digits".to_owned(),
        hint: Some(
            "`lingate keys add NAME` makes a key and writes its hash into this file".to_owned(),
        ),
        shows_value: false,
    };
    let digits = text.strip_prefix("sha256:").ok_or_else(error)?.as_bytes();
    let mut hash = [0; 32];
    let (pairs, rest) = digits.as_chunks::<2>();
    if pairs.len() != hash.len() || !rest.is_empty() {
        return Err(error());
    }
    for (byte, [high, low]) in hash.iter_mut().zip(pairs) {
        *byte = nibble(*high)
            .zip(nibble(*low))
            .map(|(high, low)| high << 4 | low)
            .ok_or_else(error)?;
    }
    Ok(KeyHash(hash))
}

fn nibble(digit: u8) -> Option<u8> {
    let value = char::from(digit).to_digit(16)?;
    u8::try_from(value).ok()
}
