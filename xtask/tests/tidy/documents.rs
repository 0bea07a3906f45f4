//! The documents: present, current, and with links that lead somewhere.

use std::path::Path;

use crate::source::{File, files, none, read};

#[test]
fn generated_pages_are_current() {
    let pages = xtask::docs::pages().unwrap();
    let stale = pages.iter().filter(|page| !page.is_current());
    let stale: Vec<String> = stale
        .map(|page| page.path().display().to_string())
        .collect();
    none("`cargo xtask docs` writes them anew", &stale);
}

#[test]
fn nothing_else_stands_among_the_generated_pages() {
    let files = files();
    let mut names: Vec<&str> = files
        .iter()
        .filter_map(|file| file.path.strip_prefix("docs/generated/"))
        .collect();
    names.sort_unstable();
    assert_eq!(names, xtask::docs::NAMES);
}

#[test]
fn the_page_of_quirks_is_a_generated_one() {
    let misled = |file: &File| file.path.ends_with(".md") && file.text.contains("docs/quirks.md");
    let misled = files().into_iter().filter(misled);
    let offences: Vec<String> = misled.map(|file| file.path).collect();
    none("it is docs/generated/quirks.md", &offences);
}

#[test]
fn links_lead_somewhere() {
    let root = xtask::root();
    let mut offences = Vec::new();
    for file in files().iter().filter(|file| file.path.ends_with(".md")) {
        let folder = root.join(Path::new(&file.path).parent().unwrap());
        for target in relative_links(&file.text) {
            if !folder.join(target).exists() {
                offences.push(format!("{}: {target}", file.path));
            }
        }
    }
    none("links are relative to their own page", &offences);
}

/// Targets of inline links within the repository, without their anchors.
fn relative_links(text: &str) -> impl Iterator<Item = &str> {
    let targets = text
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'));
    let targets = targets.filter_map(|(target, _)| target.split('#').next());
    targets.filter(|target| !target.is_empty() && !target.contains(':'))
}

#[test]
fn links_are_seen() {
    let text = "[a](b.md) [c](https://d.test/e) ![f](g/h.png#i)\n[j](#k) [l\nm](n) [o](mailto:p)";
    assert_eq!(
        relative_links(text).collect::<Vec<_>>(),
        ["b.md", "g/h.png", "n"]
    );
}

#[test]
fn the_changelog_begins_with_what_is_unreleased() {
    let text = read("CHANGELOG.md");
    let first = text.lines().find(|line| line.starts_with("## "));
    assert_eq!(first, Some("## [Unreleased]"));
}

#[test]
fn both_licences_are_there() {
    let manifest: toml::Table = read("Cargo.toml").parse().unwrap();
    let licence = manifest["workspace"]["package"]["license"].as_str();
    assert_eq!(licence, Some("MIT OR Apache-2.0"));
    assert!(read("LICENSE-MIT").contains("Permission is hereby granted, free of charge"));
    assert!(read("LICENSE-APACHE").contains("Version 2.0, January 2004"));
}

#[test]
fn no_file_tells_of_the_machine_it_was_written_on() {
    // Examples in tests use `/home`.
    let folders = ["root", "work", "workspace", "Users"].map(|name| format!("/{name}/"));
    let mut offences = Vec::new();
    for file in files() {
        for (number, line) in file.text.lines().enumerate() {
            if folders.iter().any(|folder| is_absolute(line, folder)) {
                offences.push(format!("{}:{}", file.path, number + 1));
            }
        }
    }
    none("no absolute paths of a developer's machine", &offences);
}

/// Whether a path in `line` begins with `folder`, rather than goes through it.
fn is_absolute(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        before.is_none_or(|before| !before.is_alphanumeric() && !"_-.~}/*".contains(before))
    })
}

#[test]
fn absolute_paths_are_seen() {
    let check =
        |line: &str, expected: bool| assert_eq!(is_absolute(line, "/x/"), expected, "{line}");
    check("/x/a", true);
    check("cd /x/a", true);
    check("file:\"/x/a\"", true);
    check("a/x/b", false);
    check("~/x/b", false);
    check("https://a.test/x/b", false);
}
