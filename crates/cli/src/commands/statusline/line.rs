//! The view as one line.

use lingate_price::MicroUsd;

use super::look::{Standing, View};
use crate::output;

/// Shares of a budget from which on it is coloured.
const YELLOW_FROM: i64 = 70;
const RED_FROM: i64 = 90;

const YELLOW: &str = "\u{1b}[33m";
const RED: &str = "\u{1b}[31m";
const CYAN: &str = "\u{1b}[36m";
const RESET: &str = "\u{1b}[0m";

/// Longer names are cut: the line has one row of the terminal.
const LONGEST_NAME: usize = 48;

/// `model @ provider ← asked · budget day 72% of $5.00 · $0.42 session · $1.20 today · cache 91% (87%)`.
pub(super) fn line(view: &View, has_colours: bool) -> String {
    let paint = |colour: &str, text: String| match has_colours {
        true => format!("{colour}{text}{RESET}"),
        false => text,
    };
    let mut parts = Vec::new();
    match &view.problem {
        Some(problem) => parts.push(format!("lingate: {problem}")),
        None => parts.extend(model(view).map(|model| paint(CYAN, model))),
    }
    // What matters most comes first: a narrow terminal cuts the end.
    let warnings = view.warnings.iter();
    parts.extend(warnings.map(|warning| paint(RED, format!("\u{26a0} {warning}"))));
    for standing in &view.budgets {
        let text = budget(standing);
        parts.push(match standing.percent {
            RED_FROM.. => paint(RED, text),
            YELLOW_FROM.. => paint(YELLOW, text),
            _ => text,
        });
    }
    parts.extend(session(view));
    let today = view.today_micro_usd;
    parts.extend(today.map(|today| format!("{} today", dollars(today))));
    parts.extend(cache(view));
    parts.join(" \u{b7} ")
}

/// What served, where, and what it was asked as, if that is another name.
fn model(view: &View) -> Option<String> {
    let provider = view.provider.as_deref()?;
    let model = view.model.as_deref().unwrap_or("?");
    let mut text = format!("{} @ {}", name(model), name(provider));
    if let Some(asked) = view.asked.as_deref()
        && bare(asked) != bare(model)
    {
        text.push_str(&format!(" \u{2190} {}", name(asked)));
    }
    Some(text)
}

/// A name without what the client puts around it.
fn bare(model: &str) -> &str {
    let model = model.strip_prefix("anthropic/").unwrap_or(model);
    model.strip_suffix("[1m]").unwrap_or(model)
}

/// A name as it may stand on a terminal.
fn name(text: &str) -> String {
    output::plain(text).chars().take(LONGEST_NAME).collect()
}

fn session(view: &View) -> Option<String> {
    let billed = view.billed_micro_usd?;
    let list = view.cost_micro_usd.unwrap_or(0);
    let mut text = match view.cost_micro_usd {
        None if view.unpriced > 0 => "unpriced".to_owned(),
        _ if billed < list => {
            let rest = dollars(list - billed);
            format!("{} (+ {rest} by subscription)", dollars(billed))
        }
        _ => dollars(billed),
    };
    text.push_str(" session");
    if view.unpriced > 0 && view.cost_micro_usd.is_some() {
        text.push_str(&format!(" + {} unpriced", view.unpriced));
    }
    Some(text)
}

fn cache(view: &View) -> Option<String> {
    let last = view.cache_last_percent?;
    Some(match view.cache_session_percent {
        Some(all) => format!("cache {last}% ({all}%)"),
        None => format!("cache {last}%"),
    })
}

/// The budget by what a person calls it.
fn budget(standing: &Standing) -> String {
    let path = standing.budget.as_str();
    let of = match path.strip_prefix("keys.") {
        None => path.strip_prefix("budget.").unwrap_or(path).to_owned(),
        Some(rest) => name(&rest.replace(".budget.", " ")),
    };
    let limit = dollars(standing.limit_micro_usd);
    format!("budget {of} {}% of {limit}", standing.percent)
}

/// To the cent; less than one to two digits that say something.
fn dollars(micro: i64) -> String {
    let micro = u64::try_from(micro).unwrap_or(0);
    let step = match micro {
        0..100 => 1,
        100..1_000 => 10,
        1_000..10_000 => 100,
        _ => 10_000,
    };
    let rounded = (micro + step / 2) / step * step;
    format!("${}", MicroUsd(rounded).decimal())
}

#[cfg(test)]
mod tests {
    use super::super::look::Warning;
    use super::*;

    fn view() -> View {
        View {
            session: Some("s".to_owned()),
            model: Some("served-model".to_owned()),
            provider: Some("up".to_owned()),
            asked: Some("claude-opus-5-5".to_owned()),
            cost_micro_usd: Some(421_234),
            billed_micro_usd: Some(421_234),
            today_micro_usd: Some(1_204_999),
            cache_last_percent: Some(91),
            cache_session_percent: Some(87),
            ..View::default()
        }
    }

    fn standing(budget: &str, percent: i64) -> Standing {
        Standing {
            budget: budget.to_owned(),
            spent_micro_usd: 0,
            limit_micro_usd: 50_000_000,
            percent,
        }
    }

    fn check(view: &View, expected: &str) {
        assert_eq!(line(view, false), expected);
    }

    #[test]
    fn all_there_is() {
        let view = View {
            budgets: vec![
                standing("keys.alice.budget.day", 93),
                standing("budget.session", 10),
            ],
            warnings: vec![Warning::Loop, Warning::Record],
            ..view()
        };
        check(
            &view,
            "served-model @ up ← claude-opus-5-5 · ⚠ goes in circles · ⚠ record degraded · budget alice day 93% of $50.00 · \
             budget session 10% of $50.00 · $0.42 session · $1.20 today · cache 91% (87%)",
        );
    }

    #[test]
    fn colours_are_where_they_are_asked_for() {
        let coloured = |percent| {
            let view = View {
                budgets: vec![standing("budget.day", percent)],
                ..View::default()
            };
            let text = line(&view, true);
            assert!(!line(&view, false).contains('\u{1b}'));
            (text.contains(YELLOW), text.contains(RED))
        };
        assert_eq!(coloured(69), (false, false));
        assert_eq!(coloured(70), (true, false));
        assert_eq!(coloured(89), (true, false));
        assert_eq!(coloured(90), (false, true));
        assert_eq!(coloured(145), (false, true));
    }

    #[test]
    fn the_asked_name_only_where_it_is_another() {
        for asked in ["served-model", "anthropic/served-model", "served-model[1m]"] {
            let view = View {
                asked: Some(asked.to_owned()),
                ..view()
            };
            assert!(
                line(&view, false).starts_with("served-model @ up · "),
                "{asked}"
            );
        }
    }

    #[test]
    fn money() {
        let check = |cost: Option<i64>, billed: i64, unpriced: u64, expected: &str| {
            let view = View {
                cost_micro_usd: cost,
                billed_micro_usd: Some(billed),
                unpriced,
                ..View::default()
            };
            assert_eq!(session(&view).unwrap(), expected);
        };
        check(Some(421_234), 421_234, 0, "$0.42 session");
        check(
            Some(421_234),
            0,
            0,
            "$0.00 (+ $0.42 by subscription) session",
        );
        check(
            Some(400_000),
            100_000,
            0,
            "$0.10 (+ $0.30 by subscription) session",
        );
        check(None, 0, 3, "unpriced session");
        check(Some(100_000), 100_000, 2, "$0.10 session + 2 unpriced");
        for (micro, expected) in [
            (0, "$0.00"),
            (7, "$0.000007"),
            (5_149, "$0.0051"),
            (994_999, "$0.99"),
            (-1, "$0.00"),
        ] {
            assert_eq!(dollars(micro), expected);
        }
    }

    #[test]
    fn a_problem_is_told_in_place_of_the_model() {
        let view = View {
            problem: Some("nothing is recorded yet".to_owned()),
            ..View::default()
        };
        check(&view, "lingate: nothing is recorded yet");
    }

    #[test]
    fn names_of_others_stay_one_short_line() {
        let view = View {
            model: Some(format!("\u{1b}[31m\n{}", "x".repeat(500))),
            ..view()
        };
        let text = line(&view, false);
        assert!(!text.contains(['\n', '\u{1b}']), "{text}");
        assert!(text.chars().count() < 300);
    }
}
