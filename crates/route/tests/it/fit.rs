//! Who can take a request serves it; where nobody can, the model's settings say who stands in.

use lingate_route::{Ask, Candidate, Facts, Fitting, Model, Table, Unfit, resolve_fitting};

use crate::support::{model, table};

/// What each target cannot take, and where its model sends that, by the target's model name.
#[derive(Default)]
struct Known {
    unfit: Vec<(&'static str, Unfit)>,
    images: Vec<(&'static str, &'static str)>,
    overflow: Vec<(&'static str, &'static str)>,
}

fn of<'l, T>(list: &'l [(&'static str, T)], candidate: &Candidate) -> Option<&'l T> {
    let mut own = list.iter().filter(|(name, _)| **name == *candidate.model);
    own.next().map(|(_, value)| value)
}

impl Facts for Known {
    fn unfit(&self, candidate: &Candidate, _: bool) -> Option<Unfit> {
        of(&self.unfit, candidate).cloned()
    }

    fn images_route(&self, candidate: &Candidate) -> Option<&str> {
        of(&self.images, candidate).copied()
    }

    fn overflow(&self, candidate: &Candidate) -> Option<&str> {
        of(&self.overflow, candidate).copied()
    }
}

const IMAGES: Unfit = Unfit::Images;
const LONG: Unfit = Unfit::Context {
    tokens: 9,
    context: 8,
};

fn tool() -> Unfit {
    Unfit::Tool {
        name: "web_search".to_owned(),
    }
}

/// `two = a/one b/two`, `sight = a/see`, `large = b/large`.
fn models() -> Table {
    let mut table = table();
    let more: [Model; 3] = [
        model("two = a/one b/two"),
        model("sight = a/see"),
        model("large = b/large"),
    ];
    table.global.models.extend(more);
    table
}

#[track_caller]
fn check(known: &Known, expected: &str) {
    let found = resolve_fitting(&models(), &Ask::plain("two"), known).expect("it is served");
    assert_eq!(shown(&found), expected);
}

/// `steps | candidates | left out (why)`.
fn shown(found: &Fitting) -> String {
    let candidates = found.resolution.candidates.iter();
    let candidates: Vec<&str> = candidates.map(|one| &*one.model).collect();
    let left_out = found.left_out.iter();
    let left_out: Vec<String> = left_out
        .map(|left| format!("{} ({})", left.candidate.model, left.unfit.name()))
        .collect();
    format!(
        "{} | {} | {}",
        found.resolution.why(),
        candidates.join(" "),
        left_out.join(" ")
    )
}

#[test]
fn who_cannot_take_it_is_left_out_with_the_reason() {
    let unfit = |unfit: &[(&'static str, Unfit)]| Known {
        unfit: unfit.to_vec(),
        ..Known::default()
    };
    check(&unfit(&[]), "model `two` | one two | ");
    check(
        &unfit(&[("one", IMAGES)]),
        "model `two` | two | one (images)",
    );
    check(
        &unfit(&[("two", LONG)]),
        "model `two` | one | two (context)",
    );
    check(&unfit(&[("one", tool())]), "model `two` | two | one (tool)");
}

#[test]
fn where_nobody_can_and_nothing_is_said_it_goes_out_as_it_is() {
    let check = |one: Unfit, two: Unfit, expected: &str| {
        let known = Known {
            unfit: vec![("one", one), ("two", two)],
            ..Known::default()
        };
        check(&known, expected);
    };
    check(IMAGES, IMAGES, "model `two` | one two | ");
    check(LONG, IMAGES, "model `two` | one two | ");
    check(tool(), LONG, "model `two` | two | one (tool)");
    check(tool(), tool(), "model `two` | one two | ");
}

#[test]
fn the_settings_say_who_stands_in() {
    let both = |unfit: Unfit| vec![("one", unfit.clone()), ("two", unfit)];
    let known = |unfit| Known {
        unfit,
        images: vec![("one", "sight"), ("two", "sight")],
        overflow: vec![("one", "large"), ("two", "large"), ("see", "large")],
    };
    check(
        &known(both(IMAGES)),
        "model `two`, images -> sight, model `sight` | see | one (images) two (images)",
    );
    check(
        &known(both(LONG)),
        "model `two`, overflow -> large, model `large` | large | one (context) two (context)",
    );
    let one_can = vec![("one", IMAGES)];
    check(&known(one_can), "model `two` | two | one (images)");
    let mut twice = both(IMAGES);
    twice.push(("see", LONG));
    check(
        &known(twice),
        "model `two`, images -> sight, model `sight`, overflow -> large, model `large` | large \
         | one (images) two (images) see (context)",
    );
}

#[test]
fn nothing_that_leads_nowhere_or_in_circles_is_followed_for_ever() {
    let unfit = vec![("one", LONG), ("two", LONG), ("large", LONG)];
    let circle = Known {
        unfit: unfit.clone(),
        overflow: vec![("one", "large"), ("large", "two")],
        ..Known::default()
    };
    check(
        &circle,
        "model `two`, overflow -> large, model `large`, overflow -> two, model `two` | one two \
         | large (context)",
    );
    let nowhere = Known {
        unfit,
        overflow: vec![("one", "none"), ("two", "gone")],
        ..Known::default()
    };
    check(&nowhere, "model `two` | one two | ");
}
