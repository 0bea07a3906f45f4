//! Texts replaced by filler of the same length: what was said goes, its shape stays.
//!
//! Letters become `x`, digits `1`; blanks, punctuation and escapes stay, so that a document stays one and every offset
//! into it holds. Kept are names of members, and the values that a wire is made of: types, roles, ids, names of tools and
//! models. What a tool is called with and what it gives are replaced whole, numbers too; of the blocks in which it gives
//! it, what kind they are stays.

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

/// Members that hold what a tool is called with, or what a client says of itself.
const INPUTS: [&str; 4] = ["input", "arguments", "args", "metadata"];

/// Kinds of blocks, and of what they hold, in which the result of a tool may come.
const BLOCKS: [&str; 18] = [
    "base64",
    "computer_screenshot",
    "content",
    "document",
    "ephemeral",
    "file",
    "image",
    "image_url",
    "input_audio",
    "input_file",
    "input_image",
    "input_text",
    "output_text",
    "search_result",
    "text",
    "tool_reference",
    "url",
    "web_search_result",
];

/// Members whose `response` is what a tool gave; elsewhere it is a reply of the wire.
const RESULTS: [&str; 2] = ["functionResponse", "function_response"];

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
    texts(doc.root(), "", Place::Wire, &mut spans);
    let mut bytes = text.as_bytes().to_vec();
    for span in spans {
        if let Some(text) = bytes.get_mut(span) {
            let filler = match text {
                [b'"', ..] => filled(text),
                _ => number(text),
            };
            text.copy_from_slice(&filler);
        }
    }
    Some(bytes)
}

/// Where a value stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Among what a wire is made of.
    Wire,
    /// The same, and its texts are part of it.
    Kept,
    /// In what a tool is called with or gave: nothing of it is the wire's.
    Data,
    /// In the blocks of a tool's result: of them only the kind is the wire's.
    Blocks,
}

/// Where texts stand that have to go, with their quotes, and numbers of data. `parent` is the name of the member that holds
/// the value.
fn texts(value: Value<'_>, parent: &str, place: Place, spans: &mut Vec<Range<usize>>) {
    match value.kind() {
        Kind::String if place != Place::Kept => spans.push(value.span()),
        Kind::Number if matches!(place, Place::Data | Place::Blocks) => spans.push(value.span()),
        Kind::Array => {
            for item in value.items() {
                texts(item, parent, place, spans);
            }
        }
        Kind::Object => {
            let result = result_of(value);
            for (name, member) in value.members() {
                let place = match place {
                    Place::Wire if result == Some(&*name) => Place::Blocks,
                    place => inside(place, parent, &name, member),
                };
                texts(member, &name, place, spans);
            }
        }
        Kind::String | Kind::Null | Kind::Bool | Kind::Number => {}
    }
}

/// The member in which an object holds what a tool gave, if it is one that does.
fn result_of(value: Value<'_>) -> Option<&'static str> {
    let text = |name| value.get(name).and_then(Value::str).unwrap_or_default();
    let (kind, role) = (text("type"), text("role"));
    let is_result = kind == "tool_result" || kind.ends_with("_tool_result");
    if is_result || ["tool", "function"].contains(&&*role) {
        return Some("content");
    }
    // Its kind may be left out.
    let is_output = kind.is_empty() && value.get("call_id").is_some();
    (is_output || kind.ends_with("_call_output")).then_some("output")
}

/// Where a member of an object stands.
fn inside(place: Place, parent: &str, name: &str, member: Value<'_>) -> Place {
    let is_result = name == "response" && RESULTS.contains(&parent);
    let is_input = INPUTS.contains(&name) && member.kind() == Kind::Object;
    if place == Place::Data || is_result || is_input {
        return Place::Data;
    }
    if place == Place::Blocks {
        let is_kind = match name {
            "type" => BLOCKS.iter().any(|kind| member.is_str(kind)),
            "media_type" => is_media_type(member),
            _ => false,
        };
        return if is_kind { Place::Kept } else { place };
    }
    // Code that a model wrote to be run is no code of an error, which is one word.
    let is_program = name == "code" && !is_word(member);
    match KEPT.contains(&name) && !is_program {
        true => Place::Kept,
        false => Place::Wire,
    }
}

/// Whether a text is made like the codes of errors.
fn is_word(value: Value<'_>) -> bool {
    let text = value.str().unwrap_or_default();
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    text.len() <= 64 && text.bytes().all(is_part)
}

/// Whether a text is made like `image/png`.
fn is_media_type(value: Value<'_>) -> bool {
    let text = value.str().unwrap_or_default();
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b".+-".contains(&byte);
    let is_name = |name: &str| !name.is_empty() && name.bytes().all(is_part);
    text.split_once('/')
        .is_some_and(|(kind, own)| is_name(kind) && is_name(own))
}

/// Filler for a number: one that is as long, and none that is too large.
fn number(text: &[u8]) -> Vec<u8> {
    let mut digit = b'1';
    let fill = |byte: &u8| match byte {
        b'0'..=b'9' => digit,
        b'e' | b'E' => {
            digit = b'0';
            *byte
        }
        _ => *byte,
    };
    text.iter().map(fill).collect()
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

    /// Of what stands between « and » letters and digits go, and nothing else does.
    fn goes(marked: &str) {
        let given = marked.replace(['«', '»'], "");
        let mut pieces = marked.split(['«', '»']);
        let mut expected = String::new();
        while let Some(stays) = pieces.next() {
            expected.push_str(stays);
            let goes = pieces.next().unwrap_or_default();
            expected.extend(goes.chars().map(|letter| match letter {
                '0'..='9' => '1',
                'a'..='z' | 'A'..='Z' => 'x',
                _ => letter,
            }));
        }
        check(&given, &expected);
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
    fn nothing_of_what_a_tool_takes_or_gives_is_the_wires() {
        check(
            r#"{"input":{"id":"a","n":[0,-4.25,1e30],"o":{"code":"b","ok":true,"no":null}},"max_tokens":20}"#,
            r#"{"input":{"id":"x","n":[1,-1.11,1e00],"o":{"code":"x","ok":true,"no":null}},"max_tokens":20}"#,
        );
        for marked in [
            r#"{"functionResponse":{"id":"c1","name":"f","response":{"name":"«Bo»","id":«7»,"code":"«pin»","status":"«ill»"}}}"#,
            r#"{"function_response":{"name":"f","response":{"model":["«Bo»",{"type":"«b»"}]}}}"#,
            r#"{"error":{"code":"rate_limit_exceeded"},"executableCode":{"language":"«PYTHON»","code":"«pin = 12»"}}"#,
            r#"{"type":"response.completed","response":{"id":"r1","status":"completed","created_at":12}}"#,
        ] {
            goes(marked);
        }
    }

    #[test]
    fn of_a_tools_result_only_the_kinds_of_blocks_stay() {
        for marked in [
            r#"{"type":"tool_result","tool_use_id":"t1","is_error":true,"content":"«Bo», «7»"}"#,
            r#"{"type":"tool_result","tool_use_id":"t1","content":[{"type":"text","text":"«Bo»"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"«aGk»"}}]}"#,
            // What is no block of a wire may be anybody's data, whatever its members are called.
            r#"{"type":"tool_result","content":[{"type":"«person»","name":"«Bo»","id":"«b7»","age":«42»,"of":{"status":"«ill»","code":"«pin»"}}]}"#,
            r#"{"role":"tool","tool_call_id":"c1","content":"{\"«id»\": \"«b7»\"}"}"#,
            r#"{"role":"tool","tool_call_id":"c1","content":[{"type":"text","text":"«Bo»","name":"«b»"}]}"#,
            r#"{"type":"function_call_output","call_id":"c1","output":[{"type":"input_text","text":"«Bo»","id":"«b»"}]}"#,
            r#"{"type":"custom_tool_call_output","call_id":"c1","output":"«Bo»","status":"completed"}"#,
            r#"{"type":"shell_call_output","call_id":"c1","output":[{"stdout":"«Bo»","outcome":{"id":"«b7»","exit_code":«0»}}],"max_output_length":20}"#,
            r#"{"type":"local_shell_call_output","id":"c1","output":{"name":"«Bo»"},"status":"completed"}"#,
            r#"{"type":"computer_call_output","call_id":"c1","output":{"type":"computer_screenshot","id":"«b7»","image_url":"«u»"}}"#,
            r#"{"type":"apply_patch_call_output","call_id":"c1","status":"failed","output":[{"status":"«Bo»","line":«7»}]}"#,
            // Its kind may be left out.
            r#"{"call_id":"c1","output":[{"type":"input_text","text":"«Bo»","id":"«b»"}]}"#,
            r#"{"type":"web_search_tool_result","tool_use_id":"s1","content":[{"type":"web_search_result","id":"«b7»","title":"«Bo»"}]}"#,
            r#"{"type":"bash_code_execution_tool_result","tool_use_id":"s1","content":{"name":"«Bo»","return_code":«0»}}"#,
            r#"{"type":"mcp_tool_result","tool_use_id":"s1","content":[{"type":"text","text":"«Bo»","id":"«b»"}]}"#,
            // Elsewhere these are the wire's own members.
            r#"{"role":"user","content":[{"type":"audio","id":"a1","text":"«Bo»"}],"output":[{"type":"message","id":"m1"}]}"#,
        ] {
            goes(marked);
        }
    }

    #[test]
    fn of_what_is_called_a_media_type_only_one_stays() {
        let within =
            |value| format!(r#"{{"type":"tool_result","content":[{{"media_type":{value}}}]}}"#);
        for (given, expected) in [
            (r#""image/svg+xml""#, r#""image/svg+xml""#),
            (r#""text/x.y-1""#, r#""text/x.y-1""#),
            (r#""Bo""#, r#""xx""#),
            (r#""Bo is /ill""#, r#""xx xx /xxx""#),
            (r#""image/png; Bo""#, r#""xxxxx/xxx; xx""#),
            (r#""a/b/c""#, r#""x/x/x""#),
            (r#""/etc""#, r#""/xxx""#),
            (r#""etc/""#, r#""xxx/""#),
            (r#"{"id":"Bo"}"#, r#"{"id":"xx"}"#),
            (r#"["image/png",7]"#, r#"["xxxxx/xxx",1]"#),
        ] {
            check(&within(given), &within(expected));
        }
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
        fn any_bytes_keep_their_length_and_documents_stay_documents(text in "\\PC{0,40}", bytes in proptest::collection::vec(any::<u8>(), 0..60), number in any::<f64>(), count in any::<i64>()) {
            prop_assert_eq!(body(&bytes).len(), bytes.len());
            let json = json!({"content": text, "input": {"x": [text, number, count]}}).to_string();
            let redacted = body(json.as_bytes());
            prop_assert_eq!(redacted.len(), json.len());
            prop_assert!(serde_json::from_slice::<serde_json::Value>(&redacted).is_ok());
        }
    }
}
