//! Merges configured members into a request's body.

use bytes::Bytes;
use bytestring::ByteString;
use lingate_wire::json::{Writer, scan_reply};
use serde_json::{Map, Value};

/// The body with `members` in it: they win, objects on both sides are merged member by member. All else keeps its bytes.
pub(crate) fn merged(body: Bytes, members: &Map<String, Value>) -> Bytes {
    if members.is_empty() {
        return body;
    }
    let doc = ByteString::try_from(body.clone())
        .ok()
        .and_then(|text| scan_reply(&text, &[]).ok());
    let Some(doc) = doc else {
        // Unreachable: bodies come from our own encoders. The provider will say what is wrong with it.
        return body;
    };
    let mut writer = Writer::with_capacity(doc.body().len() + 256);
    writer.begin_object();
    for (key, own) in doc.root().members() {
        writer.member(&key);
        match members.get(&*key) {
            None => writer.raw(own.raw()),
            Some(Value::Object(extra)) => {
                let merged = match serde_json::from_str(own.raw()) {
                    Ok(Value::Object(mut own)) => {
                        own.extend(extra.clone());
                        own
                    }
                    _ => extra.clone(),
                };
                writer.raw(&Value::Object(merged).to_string())
            }
            Some(value) => writer.raw(&value.to_string()),
        };
    }
    for (key, value) in members {
        if doc.root().get(key).is_none() {
            writer.member(key).raw(&value.to_string());
        }
    }
    writer.end_object();
    writer.into_bytes().into()
}

/// The body without a member. All else keeps its bytes.
pub(crate) fn without(body: Bytes, member: &str) -> Bytes {
    let doc = ByteString::try_from(body.clone())
        .ok()
        .and_then(|text| scan_reply(&text, &[]).ok());
    let Some(doc) = doc.filter(|doc| doc.root().get(member).is_some()) else {
        return body;
    };
    let mut writer = Writer::with_capacity(doc.body().len());
    writer.begin_object();
    for (key, value) in doc.root().members() {
        if key != member {
            writer.member(&key).raw(value.raw());
        }
    }
    writer.end_object();
    writer.into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_left_out() {
        for (body, expected) in [
            (r#"{"model": "m", "n": 1.50}"#, r#"{"n":1.50}"#),
            (r#"{"n": 1.50, "model":"m"}"#, r#"{"n":1.50}"#),
            (r#"{"n": {"model":1}}"#, r#"{"n": {"model":1}}"#),
            ("[]", "[]"),
        ] {
            let found = without(Bytes::from_static(body.as_bytes()), "model");
            assert_eq!(found, expected, "{body}");
        }
    }

    #[test]
    fn members_win_and_objects_merge() {
        let check = |body: &str, members: &str, expected: &str| {
            let Ok(Value::Object(members)) = serde_json::from_str(members) else {
                panic!("an object");
            };
            let out = merged(Bytes::copy_from_slice(body.as_bytes()), &members);
            assert_eq!(out, expected);
        };
        check(r#"{"a": 1.50}"#, "{}", r#"{"a": 1.50}"#);
        check(
            r#"{"a": 1.50, "b":[ 1 ]}"#,
            r#"{"c":{"d":1}}"#,
            r#"{"a":1.50,"b":[ 1 ],"c":{"d":1}}"#,
        );
        check(
            r#"{"provider":{"order":["x"],"only":["y"]},"n":1}"#,
            r#"{"provider":{"order":["z"]},"n":2}"#,
            r#"{"provider":{"order":["z"],"only":["y"]},"n":2}"#,
        );
    }
}
