//! I5: providers are data. Outside `providers/`, `crates/quirk` and tests no code names one; comments may, as evidence.

use proc_macro2::TokenTree;

use crate::source::{each, files, none, place};

/// Presets whose name is also a wire's: that is what the code means by it.
const WIRES: [&str; 2] = ["anthropic", "gemini"];

/// Where production code may name a provider, and why.
const ALLOWED: [(&str, &str, &str); 9] = [
    (
        "crates/cli/src/client/",
        "openai",
        "clients call the dialect so, and its variables OPENAI_*",
    ),
    (
        "crates/cli/src/args.rs",
        "openai",
        "`--client openai`: whatever reads those variables",
    ),
    (
        "crates/cli/src/client/",
        "bedrock",
        "Claude Code's variable CLAUDE_CODE_USE_BEDROCK",
    ),
    (
        "crates/cli/src/client/",
        "vertex",
        "Claude Code's variable CLAUDE_CODE_USE_VERTEX",
    ),
    (
        "crates/cli/src/commands/doctor/claude.rs",
        "bedrock",
        "Claude Code's variable CLAUDE_CODE_USE_BEDROCK",
    ),
    (
        "crates/cli/src/commands/doctor/claude.rs",
        "vertex",
        "Claude Code's variable CLAUDE_CODE_USE_VERTEX",
    ),
    (
        "crates/config/src/import/",
        "openai",
        "other systems' files call the dialect so, and Codex its key",
    ),
    (
        "crates/gateway/src/exchange/class.rs",
        "openai",
        "a client's headers are called so, whatever provider it is sent to",
    ),
    (
        "crates/gateway/src/upstream/demo/script.rs",
        "moonshot",
        "the demo shows one variable as an example of all",
    ),
];

#[test]
fn only_presets_and_quirks_name_providers() {
    let providers = providers();
    let mut offences = Vec::new();
    let mut used = [false; ALLOWED.len()];
    for file in files() {
        if !file.is_rust() || file.is_test() || file.path.starts_with("crates/quirk/") {
            continue;
        }
        each(file.production(), &mut |tree| {
            let text = match tree {
                TokenTree::Ident(_) | TokenTree::Literal(_) => tree.to_string(),
                TokenTree::Punct(_) | TokenTree::Group(_) => return,
            };
            for provider in providers.iter().filter(|provider| names(&text, provider)) {
                let row = |(path, name, _): &(&str, &str, &str)| {
                    file.path.starts_with(path) && name == provider
                };
                match ALLOWED.iter().position(row) {
                    Some(row) => used[row] = true,
                    None => offences.push(format!("{}: {text}", place(&file.path, tree))),
                }
            }
        });
    }
    none(
        "what is known about a provider belongs into its preset or a quirk",
        &offences,
    );
    for ((path, name, _), used) in ALLOWED.iter().zip(used) {
        assert!(
            used,
            "{path} does not name {name} any more: take the row out of ALLOWED"
        );
    }
}

/// The names of the presets that stand for a provider and nothing else.
fn providers() -> Vec<String> {
    let files = files();
    let names = files
        .iter()
        .filter_map(|file| file.path.strip_prefix("providers/")?.strip_suffix(".toml"));
    let names: Vec<String> = names
        .filter(|name| !WIRES.contains(name))
        .map(str::to_owned)
        .collect();
    assert!(names.len() > 10, "{names:?}");
    names
}

/// Whether `text` holds the name as words of its own: between other characters than letters and digits, or as humps
/// of a CamelCase name.
fn names(text: &str, name: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    (0..text.len()).any(|start| {
        end(&text, start, name).is_some_and(|end| is_edge(&text, start) && is_edge(&text, end))
    })
}

/// Where the name ends if it stands at `start`; its `-` may be written otherwise or left out.
fn end(text: &[char], start: usize, name: &str) -> Option<usize> {
    let mut at = start;
    for wanted in name.chars() {
        let found = text.get(at);
        if wanted == '-' {
            at += usize::from(found.is_some_and(|found| "-_. ".contains(*found)));
        } else if found?.eq_ignore_ascii_case(&wanted) {
            at += 1;
        } else {
            return None;
        }
    }
    Some(at)
}

/// Whether a word begins or ends before the character at `at`.
fn is_edge(text: &[char], at: usize) -> bool {
    let (Some(before), Some(after)) = (at.checked_sub(1).map(|before| text[before]), text.get(at))
    else {
        return true;
    };
    !before.is_alphanumeric()
        || !after.is_alphanumeric()
        || (before.is_lowercase() && after.is_uppercase())
}

#[test]
fn a_name_is_whole_words() {
    let check = |text: &str, name: &str, expected: bool| {
        assert_eq!(names(text, name), expected, "{name} in {text}");
    };
    check("\"groq\"", "groq", true);
    check("is_groq_model", "groq", true);
    check("GROQ_API_KEY", "groq", true);
    check("OpenRouter", "openrouter", true);
    check("GroqQuirk", "groq", true);
    check("isGroq", "groq", true);
    check("\"https://api.groq.com/v1\"", "groq", true);
    check("groqs", "groq", false);
    check("altogether", "together", false);
    check("\"kimi-coding\"", "kimi-coding", true);
    check("KimiCoding", "kimi-coding", true);
    check("a llama.cpp server", "llama-cpp", true);
    check("LLAMA_CPP_URL", "llama-cpp", true);
    check("\"kimi-k2\"", "kimi-coding", false);
}
