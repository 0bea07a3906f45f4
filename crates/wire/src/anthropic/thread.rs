//! Message threads, which live on Anthropic's servers (beta `message-threads-2026-08-12`).
//!
//! The tool runners of the official SDKs ask for one, and send the whole history instead when they are told in exactly
//! this form that there is none.

use crate::json::{Doc, Writer};

/// Whether a request belongs to a thread, so that its messages may be only the newest ones.
#[must_use]
pub fn has_thread(doc: &Doc) -> bool {
    doc.root()
        .get("thread")
        .is_some_and(|thread| !thread.is_null())
}

/// The status and body of the refusal.
#[must_use]
pub fn encode_thread_unsupported(request_id: &str) -> (u16, Vec<u8>) {
    let mut json = Writer::default();
    json.begin_object()
        .key("type")
        .str("error")
        .key("error")
        .begin_object();
    json.key("type").str("invalid_request_error");
    json.key("message").str(
        "thread: message threads are not kept here; send the whole conversation in `messages`",
    );
    json.key("details").begin_object();
    json.key("error_code").str("thread_unsupported_request");
    json.key("unsupported")
        .begin_array()
        .str("thread")
        .end_array();
    json.end_object().end_object();
    json.key("request_id").str(request_id).end_object();
    (400, json.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anthropic::scan_request;

    #[test]
    fn a_thread_is_seen_and_refused_in_the_form_the_sdks_know() {
        for (body, expected) in [
            (r#"{"thread":{"type":"create"}}"#, true),
            (r#"{"thread":null}"#, false),
            ("{}", false),
        ] {
            assert_eq!(
                has_thread(&scan_request(&body.into()).unwrap()),
                expected,
                "{body}"
            );
        }
        let (status, body) = encode_thread_unsupported("r");
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(status, 400);
        assert_eq!(body["error"]["type"], "invalid_request_error");
        assert_eq!(
            body["error"]["details"]["error_code"],
            "thread_unsupported_request"
        );
        assert_eq!(
            body["error"]["details"]["unsupported"],
            serde_json::json!(["thread"])
        );
    }
}
