//! What clients ask beside replies: how many tokens a request has, and which models there are.

use bytestring::ByteString;

use super::member;
use crate::json::{Value, Writer, scan_reply};

/// The answer to `countTokens`.
#[must_use]
pub fn encode_count(tokens: u64) -> Vec<u8> {
    let mut json = Writer::default();
    json.begin_object()
        .key("totalTokens")
        .u64(tokens)
        .end_object();
    json.into_bytes()
}

/// Reads an upstream's answer to `countTokens`.
#[must_use]
pub fn decode_count(body: &ByteString) -> Option<u64> {
    let doc = scan_reply(body, &[]).ok()?;
    member::get(doc.root(), "totalTokens").and_then(Value::u64)
}

/// A model, as lists of this wire show it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ModelEntry {
    /// The name clients ask for, without `models/`.
    pub id: String,
    /// For people; the id where it is empty.
    pub display_name: String,
    /// Most tokens of a request, where known.
    pub input_tokens: Option<u64>,
    /// Most tokens of a reply, where known.
    pub output_tokens: Option<u64>,
    /// Whether it can think.
    pub thinks: bool,
}

/// The answer to `GET /v1beta/models`: all models on one page.
#[must_use]
pub fn encode_models(models: &[ModelEntry]) -> Vec<u8> {
    let mut json = Writer::default();
    json.begin_object().key("models").begin_array();
    for model in models {
        write_model(model, &mut json);
    }
    json.end_array().end_object();
    json.into_bytes()
}

/// The answer to `GET /v1beta/models/{model}`.
#[must_use]
pub fn encode_model(model: &ModelEntry) -> Vec<u8> {
    let mut json = Writer::default();
    write_model(model, &mut json);
    json.into_bytes()
}

fn write_model(model: &ModelEntry, json: &mut Writer) {
    let display_name = if model.display_name.is_empty() {
        &model.id
    } else {
        &model.display_name
    };
    json.begin_object();
    json.key("name").str(&format!("models/{}", model.id));
    json.key("version").str("001");
    json.key("displayName").str(display_name);
    if let Some(tokens) = model.input_tokens {
        json.key("inputTokenLimit").u64(tokens);
    }
    if let Some(tokens) = model.output_tokens {
        json.key("outputTokenLimit").u64(tokens);
    }
    json.key("supportedGenerationMethods").begin_array();
    for method in ["generateContent", "streamGenerateContent", "countTokens"] {
        json.str(method);
    }
    json.end_array();
    json.key("thinking").bool(model.thinks).end_object();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_go_both_ways() {
        let body = ByteString::try_from(encode_count(12)).unwrap();
        assert_eq!(&*body, r#"{"totalTokens":12}"#);
        assert_eq!(decode_count(&body), Some(12));
        assert_eq!(decode_count(&r#"{"total_tokens":3}"#.into()), Some(3));
        assert_eq!(decode_count(&"{}".into()), None);
    }

    #[test]
    fn models_are_listed() {
        let model = ModelEntry {
            id: "kimi/k2".into(),
            input_tokens: Some(9),
            thinks: true,
            ..ModelEntry::default()
        };
        let one = r#"{"name":"models/kimi/k2","version":"001","displayName":"kimi/k2","inputTokenLimit":9,"supportedGenerationMethods":["generateContent","streamGenerateContent","countTokens"],"thinking":true}"#;
        assert_eq!(String::from_utf8(encode_model(&model)).unwrap(), one);
        assert_eq!(
            String::from_utf8(encode_models(&[model])).unwrap(),
            format!(r#"{{"models":[{one}]}}"#)
        );
    }
}
