//! The files of the repository, and Rust source as tokens, so that a rule about code is not broken by a comment or a
//! string that speaks of it.

use std::process::Command;
use std::str::FromStr;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// A text file.
pub(crate) struct File {
    /// From the root of the repository, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl File {
    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whether the whole file is compiled for tests only.
    pub(crate) fn is_test(&self) -> bool {
        let tools = ["e2e/", "crates/testkit/"];
        tools.iter().any(|tool| self.path.starts_with(tool))
            || self
                .path
                .split('/')
                .any(|part| part == "tests" || part == "tests.rs")
    }

    pub(crate) fn tokens(&self) -> TokenStream {
        TokenStream::from_str(&self.text).unwrap_or_else(|error| panic!("{}: {error}", self.path))
    }

    /// Its code without tests and documentation.
    pub(crate) fn production(&self) -> TokenStream {
        production(self.tokens())
    }
}

/// Every text file that is tracked, or new and not ignored.
pub(crate) fn files() -> Vec<File> {
    let root = xtask::root();
    let listed = Command::new("git")
        // A checkout that belongs to another user, as in a container, is read all the same.
        .args([
            "-c",
            "safe.directory=*",
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(&root)
        .output()
        .expect("git is installed");
    assert!(listed.status.success(), "git ls-files: {listed:?}");
    let listed = String::from_utf8(listed.stdout).expect("file names are UTF-8");
    let names = listed.split('\0').filter(|name| !name.is_empty());
    let files: Vec<File> = names
        .filter_map(|name| {
            // Deleted files are listed until the next commit; images are no text.
            let text = std::fs::read_to_string(root.join(name)).ok()?;
            Some(File {
                path: name.to_owned(),
                text,
            })
        })
        .collect();
    assert!(files.len() > 100, "{} files", files.len());
    files
}

/// The text of one file.
pub(crate) fn read(path: &str) -> String {
    std::fs::read_to_string(xtask::root().join(path))
        .unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Calls `visit` with every token but groups, which it is called with the contents of.
pub(crate) fn each(tokens: TokenStream, visit: &mut dyn FnMut(&TokenTree)) {
    for tree in tokens {
        match tree {
            TokenTree::Group(group) => each(group.stream(), visit),
            leaf => visit(&leaf),
        }
    }
}

/// `path:line`.
pub(crate) fn place(path: &str, tree: &TokenTree) -> String {
    format!("{path}:{}", tree.span().start().line)
}

/// Fails with every offence; the first line says what the rule is.
#[track_caller]
pub(crate) fn none(rule: &str, offences: &[String]) {
    assert!(offences.is_empty(), "{rule}:\n{}", offences.join("\n"));
}

fn production(tokens: TokenStream) -> TokenStream {
    let mut kept = Vec::new();
    let mut trees = tokens.into_iter().peekable();
    while let Some(tree) = trees.next() {
        let attribute = attribute(&tree, trees.peek());
        match attribute.as_deref() {
            Some("cfg(test)") => {
                // The attribute's brackets, then the item up to its body or semicolon.
                trees.next();
                let _ = trees.by_ref().find(ends_item);
            }
            Some(text) if text.starts_with("doc=") => {
                trees.next();
            }
            _ => kept.push(match tree {
                TokenTree::Group(group) => {
                    let mut inner = Group::new(group.delimiter(), production(group.stream()));
                    inner.set_span(group.span());
                    inner.into()
                }
                leaf => leaf,
            }),
        }
    }
    kept.into_iter().collect()
}

/// The text of an attribute without blanks, if `next` is the rest of one that starts at `tree`.
pub(crate) fn attribute(tree: &TokenTree, next: Option<&TokenTree>) -> Option<String> {
    let (TokenTree::Punct(hash), Some(TokenTree::Group(group))) = (tree, next) else {
        return None;
    };
    // In `#![..]` the brackets follow the `!`; its `#` is left and means nothing.
    let opens = ['#', '!'].contains(&hash.as_char()) && group.delimiter() == Delimiter::Bracket;
    opens.then(|| group.stream().to_string().replace(char::is_whitespace, ""))
}

fn ends_item(tree: &TokenTree) -> bool {
    match tree {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        TokenTree::Punct(punct) => punct.as_char() == ';',
        TokenTree::Ident(_) | TokenTree::Literal(_) => false,
    }
}

#[test]
fn production_code_is_what_is_left() {
    let check = |source: &str, left: &str| {
        let tokens = TokenStream::from_str(source).unwrap();
        let text = production(tokens).to_string();
        assert_eq!(text.replace(char::is_whitespace, ""), left);
    };
    check(
        "//! Doc.\n/// Doc.\nfn a() { /* no */ b(\"c\") } // no",
        "#fna(){b(\"c\")}",
    );
    check("#[cfg(test)] mod tests; fn a() {}", "fna(){}");
    check(
        "#[cfg(test)] #[expect(x)] mod t { fn b() {} } use a;",
        "usea;",
    );
    check("mod a { #[cfg(test)] fn b() -> [u8; 3] { c } }", "moda{}");
    check("#[cfg(unix)] fn a() {}", "#[cfg(unix)]fna(){}");
}
