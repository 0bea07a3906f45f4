//! The one change that a passthrough makes to a request.

use std::ops::Range;

use bytes::Bytes;
use bytestring::ByteString;

use crate::json::{Text, Writer};

/// The body with another model's name at `span`, which is where [`crate::Peek::model_span`] says the name stands, quotes
/// included. Every other byte stays.
#[must_use]
pub fn model(body: &ByteString, span: &Range<usize>, model: &str) -> Bytes {
    let bytes = body.as_bytes();
    let (Some(before), Some(after)) = (bytes.get(..span.start), bytes.get(span.end..)) else {
        return bytes.clone();
    };
    let mut out = Vec::with_capacity(bytes.len() + model.len());
    out.extend_from_slice(before);
    let mut writer = Writer::append_to(out);
    writer.text(&Text::from(model));
    let mut out = writer.into_bytes();
    out.extend_from_slice(after);
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_model_changes() {
        let body = ByteString::from(r#"{"stream" : true, "model": "kimi" , "x":1e400}"#);
        let found = &body[27..33];
        assert_eq!(found, r#""kimi""#);
        let spliced = model(&body, &(27..33), "a\"b");
        assert_eq!(spliced, r#"{"stream" : true, "model": "a\"b" , "x":1e400}"#);
        assert_eq!(model(&body, &(1000..1001), "x"), *body.as_bytes());
    }
}
