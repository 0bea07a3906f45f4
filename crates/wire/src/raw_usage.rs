//! The provider's own account of tokens, in its own words.

use bytestring::ByteString;

use crate::Wire;
use crate::json::{Value, Writer, scan_reply};

/// The `usage` object of a whole reply, or of the data of a stream's event, as JSON text; `None` if it has none.
///
/// It is for people: what a host tells beyond the counts of the hub, such as a price, stands in it.
#[must_use]
pub fn raw_usage(wire: Wire, json: &ByteString) -> Option<String> {
    let doc = scan_reply(json, &[]).ok()?;
    let usage = member(wire, doc.root()).filter(|usage| !usage.is_null())?;
    Some(usage.raw().to_owned())
}

/// Two such objects as one: what the later one says, and behind it what only the earlier one said. The Anthropic wire
/// tells the input when a reply begins and the output when it ends.
#[must_use]
pub fn joined_usage(earlier: &str, later: &str) -> String {
    let (old, new) = (ByteString::from(earlier), ByteString::from(later));
    let (Ok(old), Ok(new)) = (scan_reply(&old, &[]), scan_reply(&new, &[])) else {
        return later.to_owned();
    };
    let (old, new) = (old.root(), new.root());
    let mut more = old
        .members()
        .filter(|(key, _)| new.get(key).is_none())
        .peekable();
    if more.peek().is_none() {
        return later.to_owned();
    }
    let mut writer = Writer::default();
    writer.begin_object();
    for (key, value) in new.members().chain(more) {
        writer.member(&key).raw(value.raw());
    }
    writer.end_object();
    String::from_utf8(writer.into_bytes()).unwrap_or_else(|_| later.to_owned())
}

fn member(wire: Wire, root: Value<'_>) -> Option<Value<'_>> {
    let inside = |name: &str, member: &str| root.get(name)?.get(member);
    match wire {
        Wire::Anthropic => root.get("usage").or_else(|| inside("message", "usage")),
        Wire::Responses => inside("response", "usage").or_else(|| root.get("usage")),
        Wire::Gemini => (root.get("usageMetadata"))
            .or_else(|| root.get("usage_metadata"))
            .or_else(|| inside("response", "usageMetadata")),
        Wire::Chat => root
            .get("usage")
            .filter(|usage| !usage.is_null())
            .or_else(|| {
                root.get("choices")?
                    .items()
                    .find_map(|own| own.get("usage"))
            }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wire_tells_it_somewhere() {
        let check = |wire, json: &str, expected: Option<&str>| {
            let got = raw_usage(wire, &json.into());
            assert_eq!(got.as_deref(), expected, "{json}");
        };
        use Wire::{Anthropic, Chat, Gemini, Responses};
        let usage = r#"{"a":1, "cost":0.00123}"#;
        let with = |text: &str| text.replace("USAGE", usage);
        check(Chat, &with(r#"{"usage":USAGE}"#), Some(usage));
        check(
            Chat,
            &with(r#"{"usage":null,"choices":[{},{"usage":USAGE}]}"#),
            Some(usage),
        );
        check(Chat, r#"{"choices":[],"usage":null}"#, None);
        check(
            Anthropic,
            &with(r#"{"type":"m","usage":USAGE}"#),
            Some(usage),
        );
        check(
            Anthropic,
            &with(r#"{"message":{"usage":USAGE}}"#),
            Some(usage),
        );
        check(
            Responses,
            &with(r#"{"response":{"usage":USAGE}}"#),
            Some(usage),
        );
        check(Responses, &with(r#"{"usage":USAGE}"#), Some(usage));
        check(Gemini, &with(r#"{"usageMetadata":USAGE}"#), Some(usage));
        check(
            Gemini,
            &with(r#"{"response":{"usageMetadata":USAGE}}"#),
            Some(usage),
        );
        check(Gemini, "[", None);
        check(Chat, "[DONE]", None);
        check(Chat, "{}", None);
    }

    #[test]
    fn what_was_only_said_before_is_kept() {
        let check = |earlier, later, expected: &str| {
            assert_eq!(joined_usage(earlier, later), expected);
        };
        check(
            r#"{"in":3,"out":1,"c":{"x":1}}"#,
            r#"{"out":9}"#,
            r#"{"out":9,"in":3,"c":{"x":1}}"#,
        );
        check(
            r#"{"out":1}"#,
            r#"{"out":9, "in":1.50}"#,
            r#"{"out":9, "in":1.50}"#,
        );
        check("{}", r#"{"a":1}"#, r#"{"a":1}"#);
        check("nonsense", r#"{"a":1}"#, r#"{"a":1}"#);
    }
}
