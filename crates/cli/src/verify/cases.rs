//! What is asked: request bodies of the Chat wire, one a line, as the K2 Vendor Verifier keeps them.
//!
//! A line may also be one of a verifier's results, whose `request` is then meant. The member `lingate` is ours and is not
//! sent: a name for the case, and whether a call is to be expected of any good model.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::args::Streaming;
use crate::failure::Failure;

/// The cases that come with the program.
const OWN: &str = include_str!("cases.jsonl");
/// How messages from it name themselves.
const OWN_NAME: &str = "the built-in cases";

/// One request.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Case {
    /// The line it stands in, from 1.
    pub(super) index: usize,
    /// What it is called.
    pub(super) name: String,
    /// Whether a good model calls a tool.
    pub(super) expects_call: Option<bool>,
    /// Whether the reply is to be streamed.
    pub(super) is_stream: bool,
    /// What is sent.
    pub(super) body: String,
    /// Names everything that is sent.
    pub(super) hash: String,
    /// Names the conversation and its tools, whatever the model and the mode.
    pub(super) question: String,
}

/// What a line says of itself.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct About {
    case: Option<String>,
    expect: Option<Expect>,
}

#[derive(Deserialize, Clone, Copy, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Expect {
    Call,
    Text,
}

/// The cases of a file's text, or the built-in ones, for `model`; `most` of them at most.
pub(super) fn read(
    file: Option<(&str, &str)>,
    model: &str,
    streaming: Streaming,
    most: Option<usize>,
) -> Result<Vec<Case>, Failure> {
    let (name, text) = file.unwrap_or((OWN_NAME, OWN));
    let lines = (1..).zip(text.lines());
    let lines = lines.filter(|(_, line)| !line.trim().is_empty());
    let mut cases = Vec::new();
    for (index, line) in lines.take(most.unwrap_or(usize::MAX)) {
        let wrong = |what: String| Failure::usage(format!("line {index} of {name}: {what}"));
        cases.extend(line_cases(index, line, model, streaming).map_err(wrong)?);
    }
    if cases.is_empty() {
        return Err(Failure::usage(format!("there is no case in {name}")));
    }
    Ok(cases)
}

/// The conversation of a request, whoever keeps it: its messages and tools.
pub(super) fn question(request: &Map<String, Value>) -> String {
    let of = |name: &str| request.get(name).cloned().unwrap_or_default();
    let mut messages = of("messages");
    rename_roles(&mut messages);
    hash(&json!([messages, of("tools")]))
}

fn line_cases(
    index: usize,
    line: &str,
    model: &str,
    streaming: Streaming,
) -> Result<Vec<Case>, String> {
    let value: Value = serde_json::from_str(line).map_err(|error| format!("no JSON: {error}"))?;
    let Value::Object(mut body) = value else {
        return Err("a request body is an object".to_owned());
    };
    if let Some(Value::Object(request)) = body.remove("request") {
        body = request;
    }
    let about = body.remove("lingate").map(About::deserialize).transpose();
    let about = about.map_err(|error| format!("`lingate`: {error}"))?;
    let About { case, expect } = about.unwrap_or_default();
    let is_list = |name: &str| body.get(name).is_some_and(Value::is_array);
    if !is_list("messages") {
        return Err("`messages` is missing, or no list".to_owned());
    }
    if body.get("tools").is_some_and(|tools| !tools.is_null()) && !is_list("tools") {
        return Err("`tools` is no list".to_owned());
    }
    let question = question(&body);
    if let Some(messages) = body.get_mut("messages") {
        rename_roles(messages);
    }
    body.insert("model".to_owned(), json!(model));
    let own = body.get("stream").and_then(Value::as_bool).unwrap_or(false);
    let modes: &[bool] = match streaming {
        Streaming::AsIs => &[own],
        Streaming::Yes => &[true],
        Streaming::No => &[false],
        Streaming::Both => &[true, false],
    };
    let cases = modes.iter().map(|&is_stream| {
        let mut body = body.clone();
        stream(&mut body, is_stream);
        let body = Value::Object(body);
        Case {
            index,
            name: case.clone().unwrap_or_else(|| format!("line {index}")),
            expects_call: expect.map(|expect| expect == Expect::Call),
            is_stream,
            hash: hash(&body),
            body: body.to_string(),
            question: question.clone(),
        }
    });
    Ok(cases.collect())
}

/// Makes a request one for a stream that tells its token counts, or one for a whole reply.
fn stream(body: &mut Map<String, Value>, is_stream: bool) {
    body.insert("stream".to_owned(), json!(is_stream));
    if is_stream {
        let options = body.entry("stream_options").or_insert_with(|| json!({}));
        if let Some(options) = options.as_object_mut() {
            options.insert("include_usage".to_owned(), json!(true));
        }
    } else {
        body.remove("stream_options");
    }
}

/// The verifier's samples have a role of their own for what an application puts in front.
fn rename_roles(messages: &mut Value) {
    let messages = messages.as_array_mut().into_iter().flatten();
    for role in messages.filter_map(|message| message.get_mut("role")) {
        if role == "_input" {
            *role = json!("system");
        }
    }
}

/// The same for the same value, whatever the order of its members; 16 hexadecimal digits.
fn hash(value: &Value) -> String {
    let mut value = value.clone();
    value.sort_all_objects();
    let digest = Sha256::digest(value.to_string().as_bytes());
    let digits = digest.iter().take(8).map(|byte| format!("{byte:02x}"));
    digits.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, streaming: Streaming) -> Vec<Case> {
        read(Some(("f", text)), "p/m", streaming, None)
            .unwrap_or_else(|failure| panic!("{failure}"))
    }

    #[test]
    fn our_own_cases_are_sound_and_varied() {
        let cases = read(None, "p/m", Streaming::AsIs, None).unwrap();
        let count = |is_such: fn(&Case) -> bool| cases.iter().filter(|case| is_such(case)).count();
        assert_eq!(cases.len(), 52);
        assert_eq!(count(|case| case.expects_call == Some(true)), 41);
        assert_eq!(count(|case| case.expects_call.is_none()), 0);
        assert_eq!(count(|case| case.is_stream), 26);
        for (family, n) in [
            ("single", 10),
            ("parallel", 5),
            ("none", 8),
            ("nested", 7),
            ("enum", 4),
            ("long", 5),
            ("turns", 6),
            ("unicode", 3),
            ("thinking", 4),
        ] {
            let is_own = |case: &&Case| case.name.starts_with(family);
            assert_eq!(cases.iter().filter(is_own).count(), n, "{family}");
        }
        for member in [
            |case: &Case| case.name.clone(),
            |case: &Case| case.question.clone(),
        ] {
            let mut all: Vec<String> = cases.iter().map(member).collect();
            all.sort();
            all.dedup();
            assert_eq!(all.len(), cases.len(), "each is another");
        }
        assert!(cases.iter().all(|case| !case.body.contains("lingate")));
    }

    #[test]
    fn lines_of_the_verifier_and_of_its_results_are_the_same_case() {
        let sample =
            r#"{"messages":[{"role":"_input","content":"s"}],"tools":[],"temperature":0.6}"#;
        let result = r#"{"data_index":7,"request":{"model":"k2","stream":true,"tools":[],"messages":[{"content":"s","role":"system"}]},"finish_reason":"stop"}"#;
        let (sample, result) = (
            &of(sample, Streaming::AsIs)[0],
            &of(result, Streaming::AsIs)[0],
        );
        assert_eq!(sample.question, result.question);
        assert_ne!(sample.hash, result.hash);
        let body: Value = serde_json::from_str(&sample.body).unwrap();
        assert_eq!(body["messages"][0]["role"], "system");
        assert_eq!(
            (&body["model"], &body["stream"]),
            (&json!("p/m"), &json!(false))
        );
        let body: Value = serde_json::from_str(&result.body).unwrap();
        assert_eq!(body["stream_options"]["include_usage"], true);
        assert_eq!((&*sample.name, sample.expects_call), ("line 1", None));
    }

    #[test]
    fn the_mode_can_be_chosen() {
        let line = r#"{"messages":[],"stream":true,"stream_options":{"x":1}}"#;
        let check = |streaming, modes: &[bool]| {
            let cases = of(&format!("\n{line}\n"), streaming);
            let got: Vec<bool> = cases.iter().map(|case| case.is_stream).collect();
            assert_eq!(got, modes);
            assert!(
                cases
                    .iter()
                    .all(|case| case.index == 2 && case.question == cases[0].question)
            );
        };
        check(Streaming::AsIs, &[true]);
        check(Streaming::Yes, &[true]);
        check(Streaming::No, &[false]);
        check(Streaming::Both, &[true, false]);
    }

    #[test]
    fn a_bad_line_is_named() {
        let check = |line: &str, words: &str| {
            let text = format!("{{\"messages\":[]}}\n\n{line}\n");
            let failure = read(Some(("`f`", &text)), "m", Streaming::AsIs, None).unwrap_err();
            let said = failure.to_string();
            assert!(
                said.starts_with("line 3 of `f`: ") && said.contains(words),
                "{said}"
            );
        };
        check("{", "no JSON");
        check("[]", "an object");
        check("{}", "`messages`");
        check(r#"{"messages":"x"}"#, "`messages`");
        check(r#"{"messages":[],"tools":{}}"#, "`tools`");
        check(
            r#"{"messages":[],"lingate":{"expect":"maybe"}}"#,
            "`lingate`",
        );
        assert!(read(Some(("`f`", "\n")), "m", Streaming::AsIs, None).is_err());
    }
}
