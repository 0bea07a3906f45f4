//! Rules about source files that lints cannot hold, the lints themselves among them.

use proc_macro2::{TokenStream, TokenTree};

use crate::source::{attribute, files, none, place, read};

/// A file beyond this is two.
const MAX_LINES: usize = 700;

/// Tools for tests and measurements: they may fail loudly, so they list their own clippy lints.
const OWN_CLIPPY_LINTS: [&str; 4] = [
    "bench/Cargo.toml",
    "crates/testkit/Cargo.toml",
    "e2e/Cargo.toml",
    "fuzz/Cargo.toml",
];

/// Written by package managers: pinned versions and their hashes.
const LOCK_FILES: [&str; 5] = [
    "Cargo.lock",
    "package-lock.json",
    "requirements.txt",
    "e2e/more/aider.txt",
    "e2e/more/kimi.txt",
];

#[test]
fn every_crate_has_the_lints_of_the_workspace() {
    let workspace: toml::Table = read("Cargo.toml").parse().unwrap();
    let mut offences = Vec::new();
    for file in files() {
        if !file.path.ends_with("/Cargo.toml") {
            continue;
        }
        let manifest: toml::Table = file.text.parse().unwrap();
        let lints = |name: &str| manifest.get("lints")?.get(name);
        let inherits = lints("workspace").and_then(toml::Value::as_bool) == Some(true);
        let is_tool = OWN_CLIPPY_LINTS.contains(&file.path.as_str());
        let same_rust_lints = lints("rust") == Some(&workspace["workspace"]["lints"]["rust"]);
        let is_unsafe = file.path == "crates/pages/Cargo.toml"
            && manifest["lints"] == with_unsafe_blocks(&workspace["workspace"]["lints"]);
        if !(inherits || is_tool && same_rust_lints || is_unsafe) {
            offences.push(file.path);
        }
    }
    none(
        "`[lints] workspace = true`; a tool repeats at least `[workspace.lints.rust]`, and the crate with `unsafe` all",
        &offences,
    );
}

/// The workspace's lints for the one crate in which `unsafe` may be expected, each time with an argument.
fn with_unsafe_blocks(lints: &toml::Value) -> toml::Value {
    let mut lints = lints.clone();
    lints["rust"]["unsafe_code"] = "deny".into();
    for lint in [
        "multiple_unsafe_ops_per_block",
        "undocumented_unsafe_blocks",
    ] {
        if let Some(clippy) = lints["clippy"].as_table_mut() {
            clippy.insert(lint.to_owned(), "deny".into());
        }
    }
    lints
}

#[test]
fn no_lint_is_allowed_and_no_test_ignored_without_a_reason() {
    let mut offences = Vec::new();
    for file in files().iter().filter(|file| file.is_rust()) {
        excused(file.tokens(), &mut |tree, text| {
            offences.push(format!("{}: {text}", place(&file.path, tree)));
        });
    }
    none(
        "`#[expect(lint, reason = \"..\")]` and `#[ignore = \"..\"]` say why",
        &offences,
    );
}

fn excused(tokens: TokenStream, report: &mut dyn FnMut(&TokenTree, &str)) {
    let trees: Vec<TokenTree> = tokens.into_iter().collect();
    for (index, tree) in trees.iter().enumerate() {
        let next = trees.get(index + 1);
        if let Some(text) = attribute(tree, next)
            && (text.starts_with("allow(") || text.contains(",allow(") || text == "ignore")
        {
            report(tree, &text);
        }
        if let TokenTree::Group(group) = tree {
            excused(group.stream(), report);
        }
    }
}

#[test]
fn excuses_are_seen() {
    let check = |source: &str, expected: &[&str]| {
        let mut found = Vec::new();
        excused(source.parse().unwrap(), &mut |_, text| {
            found.push(text.to_owned())
        });
        assert_eq!(found, expected, "{source}");
    };
    check("#![allow(dead_code)]", &["allow(dead_code)"]);
    check("mod a { #[allow(x)] fn b() {} }", &["allow(x)"]);
    check(
        "#[cfg_attr(unix, allow(x))] fn b() {}",
        &["cfg_attr(unix,allow(x))"],
    );
    check("#[test] #[ignore] fn b() {}", &["ignore"]);
    check(
        "#[ignore = \"needs a key\"] #[expect(x, reason = \"y\")] fn b() {}",
        &[],
    );
    check("fn a() { b(\"#[allow(x)]\") } // #[ignore]", &[]);
}

#[test]
fn no_file_outgrows_its_reader() {
    let is_written_by_hand = |path: &str| {
        !LOCK_FILES.iter().any(|lock| path.ends_with(lock))
            && !["/testdata/", "/snapshots/", "docs/generated/", "prices/"]
                .iter()
                .any(|data| path.contains(data))
    };
    let mut offences = Vec::new();
    for file in files().iter().filter(|file| is_written_by_hand(&file.path)) {
        let lines = file.text.lines().count();
        if lines > MAX_LINES {
            offences.push(format!("{}: {lines} lines", file.path));
        }
    }
    none("split what is longer than 700 lines", &offences);
}
