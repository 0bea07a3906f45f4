//! The one change that a passthrough makes to a request.

use std::ops::Range;

use bytes::Bytes;

use crate::json::{Text, Writer};

/// The body with another model's name at `span`, which is where [`crate::Peek::model_span`] says the name stands, quotes
/// included. Every other byte stays. In three pieces, so that nothing of the body is copied.
#[must_use]
pub fn model(bytes: &Bytes, span: &Range<usize>, model: &str) -> [Bytes; 3] {
    if span.start > span.end || span.end > bytes.len() {
        return [bytes.clone(), Bytes::new(), Bytes::new()];
    }
    let mut writer = Writer::with_capacity(model.len() + 2);
    writer.text(&Text::from(model));
    [
        bytes.slice(..span.start),
        writer.into_bytes().into(),
        bytes.slice(span.end..),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_model_changes() {
        let body = Bytes::from_static(br#"{"stream" : true, "model": "kimi" , "x":1e400}"#);
        let found = &body[27..33];
        assert_eq!(found, br#""kimi""#);
        let spliced = model(&body, &(27..33), "a\"b").concat();
        let expected = br#"{"stream" : true, "model": "a\"b" , "x":1e400}"#;
        assert_eq!(spliced, expected);
        for beyond in [1000..1001, 3..1001] {
            assert_eq!(model(&body, &beyond, "x").concat(), body);
        }
    }
}
