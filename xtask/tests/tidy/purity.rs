//! I1: `wire`, `quirk`, `route` and `price` do no IO, read no clock, spawn nothing.

use std::collections::BTreeSet;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::source::{files, none, place, read};

/// The pure crates, with all they may depend on. A new name here is a decision: it must do nothing but compute.
const PURE: [(&str, &[&str]); 4] = [
    (
        "wire",
        &[
            "base64",
            "bytes",
            "bytestring",
            "crc32fast",
            "itoa",
            "memchr",
            "serde",
            "serde_json",
            "thiserror",
            "wide",
        ],
    ),
    (
        "quirk",
        &["bytestring", "lingate-wire", "memchr", "schemars", "serde"],
    ),
    (
        "route",
        &["hashbrown", "schemars", "serde", "strsim", "thiserror"],
    ),
    (
        "price",
        &["lingate-wire", "serde", "serde_json", "thiserror"],
    ),
];

/// Modules of `std` that reach outside the process or depend on when it runs.
const IMPURE: [&str; 8] = ["env", "fs", "io", "net", "os", "process", "thread", "time"];

/// Crates that do, should they ever come in by another name than a dependency's.
const IMPURE_CRATES: [&str; 3] = ["getrandom", "rand", "tokio"];

#[test]
fn pure_crates_depend_on_what_is_listed() {
    for (name, allowed) in PURE {
        let manifest: toml::Table = read(&format!("crates/{name}/Cargo.toml")).parse().unwrap();
        let tables = ["dependencies", "build-dependencies"];
        let used: BTreeSet<&str> = tables
            .iter()
            .filter_map(|table| manifest.get(*table)?.as_table())
            .flat_map(toml::Table::keys)
            .map(String::as_str)
            .collect();
        assert_eq!(
            used,
            allowed.iter().copied().collect(),
            "crates/{name}/Cargo.toml"
        );
        assert!(
            !manifest.contains_key("target"),
            "crates/{name}: dependencies of one platform"
        );
    }
}

#[test]
fn pure_crates_name_nothing_impure() {
    let folders = PURE.map(|(name, _)| format!("crates/{name}/src/"));
    let is_pure = |path: &str| folders.iter().any(|folder| path.starts_with(folder));
    let mut offences = Vec::new();
    for file in files() {
        if is_pure(&file.path) && file.is_rust() && !file.is_test() {
            impure(file.production(), &mut |tree| {
                offences.push(format!("{}: {tree}", place(&file.path, tree)));
            });
        }
    }
    none(
        "wire, quirk and route take what they need as arguments",
        &offences,
    );
}

fn impure(tokens: TokenStream, report: &mut dyn FnMut(&TokenTree)) {
    let trees: Vec<TokenTree> = tokens.into_iter().collect();
    for (index, tree) in trees.iter().enumerate() {
        match tree {
            TokenTree::Ident(name) if name == "std" => {
                // After the two colons.
                if let Some(path) = trees.get(index + 3) {
                    modules(path, report);
                }
            }
            TokenTree::Ident(name) if IMPURE_CRATES.iter().any(|impure| name == impure) => {
                report(tree)
            }
            TokenTree::Group(group) => impure(group.stream(), report),
            TokenTree::Ident(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

/// `time::..`, or `{time::.., fs}`.
fn modules(path: &TokenTree, report: &mut dyn FnMut(&TokenTree)) {
    match path {
        TokenTree::Ident(name) if IMPURE.iter().any(|impure| name == impure) => report(path),
        TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
            let trees: Vec<TokenTree> = group.stream().into_iter().collect();
            let is_comma = |tree: &TokenTree| matches!(tree, TokenTree::Punct(punct) if punct.as_char() == ',');
            for path in trees.split(is_comma).filter_map(<[TokenTree]>::first) {
                modules(path, report);
            }
        }
        _ => {}
    }
}

#[test]
fn impure_paths_are_seen() {
    let check = |source: &str, expected: &[&str]| {
        let mut found = Vec::new();
        impure(source.parse().unwrap(), &mut |tree| {
            found.push(tree.to_string())
        });
        assert_eq!(found, expected, "{source}");
    };
    check("use std::time::Duration;", &["time"]);
    check("use std::{fmt, fs, io::{self, Read}};", &["fs", "io"]);
    check("fn a() { b(std::env::var(c)) }", &["env"]);
    check("async fn a() { tokio::spawn(b) }", &["tokio"]);
    check(
        "use std::collections::{BTreeMap as env}; use time::process; let thread = \"std::fs\";",
        &[],
    );
}
