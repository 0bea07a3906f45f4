//! Texts replaced by filler of the same length: what was said goes, its shape stays.
//!
//! Letters become `x`, digits `1`; blanks, punctuation and escapes stay, so that a document stays one and every offset
//! into it holds. Kept are names of members, and the values that a wire is made of: types, roles, ids, names of tools and
//! models. What a tool is called with is replaced whole.

use std::ops::Range;

use bytestring::ByteString;
use lingate_wire::json::{Kind, Value, scan_reply};

/// Members whose texts a wire is made of.
const KEPT: [&str; 31] = [
    "type",
    "role",
    "id",
    "object",
    "model",
    "name",
    "tool_use_id",
    "tool_call_id",
    "call_id",
    "item_id",
    "response_id",
    "previous_response_id",
    "finish_reason",
    "finishReason",
    "stop_reason",
    "status",
    "format",
    "media_type",
    "mime_type",
    "mimeType",
    "modelVersion",
    "responseId",
    "effort",
    "service_tier",
    "code",
    "required",
    "enum",
    "$schema",
    "ttl",
    "tool_choice",
    "include",
];

/// Members that hold what a tool is called with.
const INPUTS: [&str; 3] = ["input", "arguments", "args"];

/// A body without its texts, of the same length.
pub(crate) fn body(bytes: &[u8]) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return filled(bytes);
    };
    if let Some(document) = document(text) {
        return document;
    }
    let is_stream = text.lines().any(|line| line.starts_with("data:"));
    if !is_stream {
        return filled(bytes);
    }
    let mut out = Vec::with_capacity(bytes.len());
    for line in text.split_inclusive(['\n', '\r']) {
        let data = line.strip_prefix("data:").unwrap_or_default();
        let json = data.trim();
        if line.starts_with("event:") || json == "[DONE]" {
            out.extend_from_slice(line.as_bytes());
        } else if let Some(document) = document(json).filter(|_| !json.is_empty()) {
            let blanks = data.len() - data.trim_start().len();
            let (head, rest) = line.split_at("data:".len() + blanks);
            out.extend_from_slice(head.as_bytes());
            out.extend(document);
            out.extend_from_slice(rest.get(json.len()..).unwrap_or_default().as_bytes());
        } else if let Some((field, rest)) = line.split_once(':') {
            out.extend_from_slice(field.as_bytes());
            out.push(b':');
            out.extend(filled(rest.as_bytes()));
        } else {
            out.extend(filled(line.as_bytes()));
        }
    }
    out
}

/// A text without what it says, of the same length in bytes.
pub(crate) fn text(text: &str) -> String {
    String::from_utf8(filled(text.as_bytes())).unwrap_or_default()
}

/// A document without its texts; `None` if it is none.
fn document(text: &str) -> Option<Vec<u8>> {
    let doc = scan_reply(&ByteString::from(text), &[]).ok()?;
    let mut spans = Vec::new();
    texts(doc.root(), false, false, &mut spans);
    let mut bytes = text.as_bytes().to_vec();
    for span in spans {
        if let Some(text) = bytes.get_mut(span) {
            let filler = filled(text);
            text.copy_from_slice(&filler);
        }
    }
    Some(bytes)
}

/// Where texts stand that have to go, without their quotes.
fn texts(value: Value<'_>, is_kept: bool, in_input: bool, spans: &mut Vec<Range<usize>>) {
    match value.kind() {
        Kind::String if !is_kept => {
            let span = value.span();
            spans.push(span.start + 1..span.end - 1);
        }
        Kind::Array => {
            for item in value.items() {
                texts(item, is_kept, in_input, spans);
            }
        }
        Kind::Object => {
            for (name, member) in value.members() {
                let opens = INPUTS.contains(&&*name) && member.kind() == Kind::Object;
                let in_input = in_input || opens;
                let is_kept = !in_input && KEPT.contains(&&*name);
                texts(member, is_kept, in_input, spans);
            }
        }
        Kind::String | Kind::Null | Kind::Bool | Kind::Number => {}
    }
}

/// Filler for letters and digits. Escapes stay, but for those that spell a character, and so do words of JSON, which stand
/// in the arguments of calls.
fn filled(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    loop {
        let word = rest.iter().take_while(|byte| is_letter(**byte)).count();
        let (own, behind) = rest.split_at(word);
        match own {
            b"true" | b"false" | b"null" => out.extend_from_slice(own),
            _ => out.extend(
                own.iter()
                    .map(|byte| if byte.is_ascii_digit() { b'1' } else { b'x' }),
            ),
        }
        let length = match behind {
            [] => return out,
            [b'\\', b'u', _, _, _, _, ..] => 6,
            [b'\\', _, ..] => 2,
            _ => 1,
        };
        let (sign, tail) = behind.split_at(length);
        out.extend_from_slice(if length == 6 { b"\\u0078" } else { sign });
        rest = tail;
    }
}

const fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn check(given: &str, expected: &str) {
        let redacted = String::from_utf8(body(given.as_bytes())).unwrap();
        assert_eq!(redacted, expected);
        assert_eq!(redacted.len(), given.len());
    }

    #[test]
    fn what_was_said_goes_and_the_shape_stays() {
        check(
            r#"{"model": "m-1", "messages": [{"role": "user", "content": "Hi, J\u00f6rg 42!\n"}], "max_tokens": 5}"#,
            r#"{"model": "m-1", "messages": [{"role": "user", "content": "xx, x\u0078xx 11!\n"}], "max_tokens": 5}"#,
        );
        check(
            r#"{"type":"tool_use","id":"t1","name":"Write","input":{"name":"Bo","type":"é"}}"#,
            r#"{"type":"tool_use","id":"t1","name":"Write","input":{"name":"xx","type":"xx"}}"#,
        );
        check(
            r#"{"function":{"name":"f","arguments":"{\"path\": \"/a/b\", \"all\": true, \"n\": 12}"}}"#,
            r#"{"function":{"name":"f","arguments":"{\"xxxx\": \"/x/x\", \"xxx\": true, \"x\": 11}"}}"#,
        );
        check("<b>plain é</b>", "<x>xxxxx xx</x>");
    }

    #[test]
    fn streams_stay_streams() {
        check(
            "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"text\":\"Hel\"}}\n\n: secret\r\ndata: [DONE]\n\n",
            "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"text\":\"xxx\"}}\n\n: xxxxxx\r\ndata: [DONE]\n\n",
        );
        check("data: half {\n\n", "data: xxxx {\n\n");
        check("data:\n", "data:\n");
    }

    #[test]
    fn schemas_still_fit_what_they_describe() {
        let tool = json!({"name": "Edit", "description": "Changes", "input_schema": {"type": "object",
            "properties": {"file": {"type": "string", "description": "Which"}}, "required": ["file"]}});
        let redacted: serde_json::Value =
            serde_json::from_slice(&body(tool.to_string().as_bytes())).unwrap();
        assert_eq!(redacted["input_schema"]["required"], json!(["file"]));
        assert_eq!(
            redacted["input_schema"]["properties"]["file"]["type"],
            "string"
        );
        assert_eq!(redacted["description"], "xxxxxxx");
    }

    proptest! {
        #[test]
        fn any_bytes_keep_their_length_and_documents_stay_documents(text in "\\PC{0,40}", bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            prop_assert_eq!(body(&bytes).len(), bytes.len());
            let json = json!({"content": text, "input": {"x": [text]}}).to_string();
            let redacted = body(json.as_bytes());
            prop_assert_eq!(redacted.len(), json.len());
            prop_assert!(serde_json::from_slice::<serde_json::Value>(&redacted).is_ok());
        }
    }
}
