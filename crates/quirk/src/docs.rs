//! The list of quirks as a page of documentation.

use std::fmt::Write as _;

use crate::list::all;
use crate::quirk::Quirk;

/// `docs/generated/quirks.md`: every quirk in the order in which they run, then the groups.
#[must_use]
pub fn markdown() -> String {
    let mut page = String::from(
        "# Quirks\n\n\
         What models and hosts get wrong or word their own way, and what is done about it. A provider declares quirks \
         or groups by name (`quirks = [...]`); a group brings those that are meant for the model. They run in this \
         order.\n",
    );
    for quirk in all() {
        section(&mut page, quirk);
    }
    groups(&mut page);
    page
}

fn section(page: &mut String, quirk: &Quirk) {
    let groups: Vec<String> = quirk
        .groups
        .iter()
        .map(|group| format!("`{group}`"))
        .collect();
    // Writing to a string cannot fail.
    let _ = write!(
        page,
        "\n## `{}`\n\n{}\n\n* Groups: {}\n* For: {}\n* Does: {}\n",
        quirk.name,
        quirk.summary,
        groups.join(", "),
        quirk.scope,
        hooks(quirk).join(", "),
    );
    if quirk.matters_to_translated_only {
        page.push_str("* When: the request is translated anyway; a client of the host's own wire keeps to it itself\n");
    }
    for evidence in quirk.evidence {
        let _ = writeln!(page, "* Seen: {} ({})", evidence.source, evidence.date);
    }
}

fn hooks(quirk: &Quirk) -> Vec<&'static str> {
    [
        (quirk.spelling.is_some(), "words the request"),
        (quirk.request.is_some(), "changes the request"),
        (quirk.stage.is_some(), "changes the reply"),
        (quirk.on_failure.is_some(), "asks again after a failure"),
        (quirk.recover.is_some(), "makes a reply of a failure"),
    ]
    .into_iter()
    .filter_map(|(has_hook, does)| has_hook.then_some(does))
    .collect()
}

fn groups(page: &mut String) {
    let mut names: Vec<&str> = all().flat_map(|quirk| quirk.groups).copied().collect();
    names.sort_unstable();
    names.dedup();
    page.push_str("\n## Groups\n\n| group | quirks |\n|---|---|\n");
    for name in names {
        let members: Vec<String> = all()
            .filter(|quirk| quirk.groups.contains(&name))
            .map(|quirk| format!("`{}`", quirk.name))
            .collect();
        let _ = writeln!(page, "| `{name}` | {} |", members.join(", "));
    }
}
