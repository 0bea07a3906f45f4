//! The bytes of a body inside JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// As text where it is text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Content {
    Text(String),
    Base64(String),
}

impl Content {
    pub(crate) fn of(bytes: Vec<u8>) -> Self {
        match String::from_utf8(bytes) {
            Ok(text) => Self::Text(text),
            Err(error) => Self::Base64(STANDARD.encode(error.as_bytes())),
        }
    }

    /// The bytes; `None` if it is no base64.
    pub(crate) fn bytes(&self) -> Option<Vec<u8>> {
        match self {
            Self::Text(text) => Some(text.clone().into_bytes()),
            Self::Base64(text) => STANDARD.decode(text).ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_come_back() {
        for bytes in [
            &b""[..],
            b"{\"a\": \"\\u00e9\"}\n",
            "é日".as_bytes(),
            b"\xff\x00",
        ] {
            let content = Content::of(bytes.to_vec());
            let json = serde_json::to_string(&content).unwrap();
            let read: Content = serde_json::from_str(&json).unwrap();
            assert_eq!(read.bytes().as_deref(), Some(bytes), "{json}");
        }
        assert_eq!(Content::Base64("?".to_owned()).bytes(), None);
    }
}
