//! Members by their names: the JSON of protocol buffers spells each in camelCase or in snake_case, and clients use both.

use std::borrow::Cow;
use std::collections::HashMap;

use bytestring::ByteString;

use super::peek::invalid;
use crate::json::{Text, Value};
use crate::turn::{Failure, like_a_path, told_name};

/// Members without a place of their own: name or path, and the value as received.
pub(super) type Extra = Vec<(ByteString, ByteString)>;

/// A member's name in camelCase.
pub(super) fn camel(key: &str) -> Cow<'_, str> {
    if !key.contains('_') || key.starts_with('_') {
        return Cow::Borrowed(key);
    }
    let mut name = String::with_capacity(key.len());
    let mut is_word_start = false;
    for letter in key.chars() {
        if letter == '_' {
            is_word_start = true;
        } else if std::mem::take(&mut is_word_start) {
            name.push(letter.to_ascii_uppercase());
        } else {
            name.push(letter);
        }
    }
    Cow::Owned(name)
}

/// The member of that camelCase name in either spelling. `null` counts as absent.
pub(super) fn get<'d>(value: Value<'d>, name: &str) -> Option<Value<'d>> {
    let own = value.get(name);
    let found = match own {
        None if name.bytes().any(|byte| byte.is_ascii_uppercase()) => value
            .members()
            .find(|(key, _)| key.contains('_') && camel(key) == name)
            .map(|(_, member)| member),
        own => own,
    };
    found.filter(|member| !member.is_null())
}

/// Several members at once, in one pass: the first of each name. `null` counts as absent.
pub(super) fn pick<'d, const N: usize>(
    value: Value<'d>,
    names: [&str; N],
) -> [Option<Value<'d>>; N] {
    let mut found = [None; N];
    for (key, member) in value.members() {
        let key = camel(&key);
        let place = names.iter().zip(&mut found).find(|(name, _)| key == **name);
        if let Some((_, place @ None)) = place
            && !member.is_null()
        {
            *place = Some(member);
        }
    }
    found
}

/// A string member; absent and other kinds are none.
pub(super) fn text(value: Value<'_>, name: &str) -> Option<Text> {
    get(value, name).and_then(Value::text)
}

/// The members that are not in `taken`, by their camelCase names. `null` says nothing.
pub(super) fn others(value: Value<'_>, taken: &[&str]) -> Extra {
    value
        .members()
        .filter(|(key, member)| !member.is_null() && !taken.contains(&&*camel(key)))
        .map(|(key, member)| (camel(&key).into_owned().into(), member.to_raw()))
        .collect()
}

/// Refuses an object with a member that could not be told from another by the path it is kept under: one given in both
/// spellings, or one that looks like a path. `at` is the object's own path, with a dot at its end.
///
/// # Errors
/// An invalid request that names the member.
pub(super) fn distinct(value: Value<'_>, at: &str) -> Result<(), Failure> {
    if let Some(reason) = value.members().find_map(|(key, _)| like_a_path(&key)) {
        let at = at.trim_end_matches('.');
        let colon = if at.is_empty() { "" } else { ": " };
        return Err(invalid(format!("{at}{colon}{reason}")));
    }
    let named = || value.members().filter(|(_, member)| !member.is_null());
    // The scan has refused two of one spelling, so that one of the two is in snake_case.
    if !named().any(|(key, _)| key.contains('_')) {
        return Ok(());
    }
    let mut known = HashMap::new();
    for (key, _) in named() {
        let name = camel(&key).into_owned();
        if let Some(first) = known.insert(name, key.clone()) {
            let name = camel(&key);
            let other = if first.contains('_') { &first } else { &key };
            return Err(invalid(format!(
                "{at}{}: given twice, the other time as {}; send it once",
                told_name(&name),
                told_name(other),
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::scan;

    #[test]
    fn both_spellings_name_one_member() {
        for (key, expected) in [
            ("inline_data", "inlineData"),
            ("inlineData", "inlineData"),
            ("parameters_json_schema", "parametersJsonSchema"),
            ("text", "text"),
            ("_private", "_private"),
        ] {
            assert_eq!(camel(key), expected);
        }
        let doc = scan(&r#"{"file_data":{"fileUri":"u"},"text":null,"x_y":1}"#.into()).unwrap();
        let root = doc.root();
        assert_eq!(get(root, "fileData").unwrap().raw(), r#"{"fileUri":"u"}"#);
        assert!(get(root, "text").is_none() && get(root, "fileUri").is_none());
        let [file, text, both] = pick(root, ["fileData", "text", "xY"]);
        assert!(file.is_some() && text.is_none());
        assert_eq!(both.unwrap().raw(), "1");
        assert_eq!(
            others(root, &["fileData"]),
            [(ByteString::from("xY"), ByteString::from("1"))]
        );
    }

    /// Each is looked at once, and not held against all others.
    #[test]
    fn a_hundred_thousand_members_are_told_apart() {
        let members: Vec<String> = (0..100_000).map(|n| format!("\"a_{n}\":1")).collect();
        let object = format!("{{{},\"last\":1,\"la_st\":2}}", members.join(","));
        let doc = scan(&object.into()).unwrap();
        distinct(doc.root(), "").unwrap();
        let twice = format!("{{\"x.{}\":1}}", "x".repeat(1_000_000));
        let doc = scan(&twice.into()).unwrap();
        assert!(distinct(doc.root(), "").unwrap_err().message.len() < 300);
    }

    #[test]
    fn members_that_are_kept_under_one_path_are_refused() {
        let told = |object: &str| {
            let doc = scan(&object.into()).unwrap();
            distinct(doc.root(), "a.")
                .err()
                .map(|failure| failure.message)
        };
        for (object, expected) in [
            (r#"{"xY":1,"x":2,"y_z":3,"_x":4}"#, None),
            (r#"{"xY":1,"x_y":null}"#, None),
            (
                r#"{"xY":1,"x_y":2}"#,
                Some("a.xY: given twice, the other time as x_y; send it once"),
            ),
            (
                r#"{"x_y":1,"x__y":2}"#,
                Some("a.xY: given twice, the other time as x_y; send it once"),
            ),
            (
                r#"{"x":{},"x.y":2}"#,
                Some(r#"a: unknown name "x.y": no member has a dot or a bracket in its name"#),
            ),
        ] {
            assert_eq!(told(object).as_deref(), expected, "{object}");
        }
    }
}
