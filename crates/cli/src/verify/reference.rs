//! What calls are measured against: another run's results, ours or the K2 Vendor Verifier's, or what the cases expect.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::cases::{Case, question};
use super::record::Record;
use crate::failure::Failure;

/// Whether a call is right, case by case.
#[derive(Debug)]
pub(super) enum Reference {
    /// Of another run, by the question.
    Results(HashMap<String, bool>),
    /// Of another run that keeps no questions, by the line.
    Lines(HashMap<usize, bool>),
    /// The cases' own word.
    Expectations(HashMap<usize, bool>),
}

impl Reference {
    /// Reads the results of another run; `name` says where they are from.
    pub(super) fn results(name: &str, text: &str, cases: &[Case]) -> Result<Self, Failure> {
        let mut by_question = HashMap::new();
        let mut by_line = HashMap::new();
        for (line, text) in (1..)
            .zip(text.lines())
            .filter(|(_, text)| !text.trim().is_empty())
        {
            let wrong = |what: &str| Failure::usage(format!("line {line} of {name}: {what}"));
            let result: Map<String, Value> = match serde_json::from_str(text) {
                Ok(result) => result,
                // Its run was ended while it wrote.
                Err(error) if error.is_eof() => continue,
                Err(error) => return Err(wrong(&format!("no result of a verifier: {error}"))),
            };
            if result.contains_key("summary") || is_failed(&result) {
                continue;
            }
            let finish = result
                .get("finish_reason")
                .ok_or_else(|| wrong("no result of a verifier: `finish_reason` is missing"))?;
            let triggers = finish == "tool_calls";
            if let Some(asked) = asked(&result) {
                by_question.insert(asked, triggers);
            } else if let Some(index) = result.get("data_index").and_then(Value::as_u64) {
                by_line.insert(usize::try_from(index).unwrap_or(usize::MAX), triggers);
            }
        }
        let reference = if by_question.is_empty() {
            Self::Lines(by_line)
        } else {
            Self::Results(by_question)
        };
        if cases
            .iter()
            .any(|case| reference.known(case.index, &case.question).is_some())
        {
            return Ok(reference);
        }
        Err(Failure::usage(format!("none of the cases was answered in {name}"))
            .hint("make it with the same cases: `lingate verify PROVIDER/MODEL --cases FILE --out FILE`"))
    }

    /// What the cases say themselves; `None` if they say nothing.
    pub(super) fn expectations(cases: &[Case]) -> Option<Self> {
        let said = cases
            .iter()
            .filter_map(|case| Some((case.index, case.expects_call?)));
        let said: HashMap<usize, bool> = said.collect();
        (!said.is_empty()).then_some(Self::Expectations(said))
    }

    /// Whether a call would be right; `None` if that is not known.
    pub(super) fn of(&self, record: &Record) -> Option<bool> {
        self.known(record.data_index, &record.question)
    }

    /// What it is, for people and in JSON.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Results(_) | Self::Lines(_) => "reference",
            Self::Expectations(_) => "expectations",
        }
    }

    fn known(&self, index: usize, question: &str) -> Option<bool> {
        match self {
            Self::Results(results) => results.get(question).copied(),
            Self::Lines(lines) | Self::Expectations(lines) => lines.get(&index).copied(),
        }
    }
}

fn is_failed(result: &Map<String, Value>) -> bool {
    result
        .get("status")
        .is_some_and(|status| status != "success")
}

/// The question of a result: our own keep its name, the verifier's the whole request.
fn asked(result: &Map<String, Value>) -> Option<String> {
    if let Some(name) = result.get("question").and_then(Value::as_str) {
        return Some(name.to_owned());
    }
    // Where the verifier wrote the prompt itself, only the line tells which question it was.
    let request = result.get("request")?.as_object()?;
    request.contains_key("messages").then(|| question(request))
}

#[cfg(test)]
mod tests {
    use super::super::cases::read;
    use super::*;
    use crate::args::Streaming;

    fn cases() -> Vec<Case> {
        let text = "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}\n{\"messages\":[],\"lingate\":{\"expect\":\"text\"}}";
        read(Some(("f", text)), "p/m", Streaming::AsIs, None).unwrap()
    }

    #[test]
    fn results_of_either_verifier_are_understood() {
        let cases = cases();
        let known = |text: &str| {
            let reference =
                Reference::results("r", text, &cases).unwrap_or_else(|failure| panic!("{failure}"));
            let known = cases
                .iter()
                .map(|case| reference.known(case.index, &case.question));
            known.collect::<Vec<_>>()
        };
        let theirs = r#"{"data_index":9,"request":{"model":"x","messages":[{"content":"a","role":"user"}]},"status":"success","finish_reason":"tool_calls"}"#;
        assert_eq!(known(theirs), [Some(true), None]);
        let ours = format!(
            r#"{{"data_index":9,"question":"{}","finish_reason":"stop"}}"#,
            cases[1].question
        );
        assert_eq!(
            known(&format!("{theirs}\n{ours}\n{{\"summary\":{{}}}}")),
            [Some(true), Some(false)]
        );
        let by_prompt = r#"{"data_index":2,"request":{"model":"x","prompt":"<|im_user|>.."},"finish_reason":"tool_calls"}"#;
        assert_eq!(known(by_prompt), [None, Some(true)]);
        let bare = "{\"data_index\":1,\"finish_reason\":\"length\"}\n\n{\"data_index\":2,\"finish_reason\":\"tool_calls\"}";
        assert_eq!(known(bare), [Some(false), Some(true)]);
    }

    #[test]
    fn what_is_no_reference_is_refused() {
        let check = |text: &str, words: &str| {
            let failure = Reference::results("`r`", text, &cases())
                .unwrap_err()
                .to_string();
            assert!(failure.contains(words), "{failure}");
        };
        check("[]", "line 1 of `r`: no result");
        check("{", "none of the cases");
        check(
            "\n{}",
            "line 2 of `r`: no result of a verifier: `finish_reason` is missing",
        );
        check(
            r#"{"data_index":7,"finish_reason":"stop"}"#,
            "none of the cases",
        );
        check(
            r#"{"data_index":1,"status":"failed","finish_reason":null}"#,
            "none of the cases",
        );
        check("", "none of the cases");
    }

    #[test]
    fn cases_may_say_what_is_expected() {
        let all = cases();
        let reference = Reference::expectations(&all).unwrap();
        assert_eq!(reference.known(1, ""), None);
        assert_eq!(reference.known(2, ""), Some(false));
        assert!(Reference::expectations(&all[..1]).is_none());
    }
}
