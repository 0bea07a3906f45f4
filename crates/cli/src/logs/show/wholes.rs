//! Two answers that came whole: what the provider said, what the client got.

use super::super::answer::Answer;
use super::super::screen::{Screen, Tone, cut};
use crate::output;

/// What is the same, and what is not.
pub(super) fn wholes(own: &Answer, got: &Answer, screen: Screen) -> String {
    let calls = |answer: &Answer| {
        let calls = answer.calls.iter();
        let calls: Vec<_> = calls
            .map(|call| format!("{} {}", call.name, call.input))
            .collect();
        calls.join("; ")
    };
    let failure = |answer: &Answer| answer.failure.clone().unwrap_or_default();
    let stop = |answer: &Answer| answer.stop.unwrap_or_default().to_owned();
    let mut out = String::new();
    for (name, own, got) in [
        ("text", own.text.clone(), got.text.clone()),
        ("thoughts", own.thoughts.clone(), got.thoughts.clone()),
        ("calls", calls(own), calls(got)),
        ("stop", stop(own), stop(got)),
        ("failure", failure(own), failure(got)),
    ] {
        if own == got && !own.is_empty() {
            let text = cut(&output::plain(&own), 100);
            out.push_str(&format!(
                "  {name:9}the same: {}\n",
                screen.paint(Tone::Plain, &text)
            ));
        } else if own != got {
            for (mark, text, tone) in [("<", own, Tone::Removed), (">", got, Tone::Added)] {
                let text = cut(&output::plain(&text), 100);
                out.push_str(&format!("  {name:9}{mark} {}\n", screen.paint(tone, &text)));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_the_same_stands_twice() {
        let own = Answer {
            text: "<think>\u{1b}[2J".to_owned(),
            stop: Some("end_turn"),
            ..Answer::default()
        };
        let got = Answer {
            text: String::new(),
            ..own.clone()
        };
        assert_eq!(
            wholes(&own, &got, Screen::of(None, false)),
            "  text     < <think> [2J\n  text     > \n  stop     the same: end_turn\n"
        );
    }
}
