//! Coding agents other than Claude Code, headless: how each is pointed at a gateway, and how it edits a file.
//!
//! Each is configured as its own documentation says, in files and variables of a fresh home; started through `lingate
//! run` it gets no configuration at all. The model that they ask for is `mock`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use lingate_testkit::{Finished, Process, Step, Wire};
use serde_json::json;
use tokio::process::Command;

use crate::{Home, install};

/// No session of a test takes longer: some of them are slow to start.
const LIMIT: Duration = Duration::from_secs(120);

/// What an agent shows as its key.
pub const CLIENT_KEY: &str = "the-clients-own-key";

/// What the model thinks before its first call.
pub const THOUGHT: &str = "First I look.";

/// A coding agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coder {
    /// aider: the Chat wire, without tools.
    Aider,
    /// Codex: the Responses wire.
    Codex,
    /// Gemini CLI.
    Gemini,
    /// Kimi CLI: the Chat wire.
    Kimi,
    /// opencode: the Chat wire.
    Opencode,
    /// pi: the Chat wire.
    Pi,
    /// Qwen Code: the Chat wire.
    Qwen,
}

impl Coder {
    /// The wire that it speaks.
    pub fn wire(self) -> Wire {
        match self {
            Coder::Codex => Wire::Responses,
            Coder::Gemini => Wire::Gemini,
            Coder::Aider | Coder::Kimi | Coder::Opencode | Coder::Pi | Coder::Qwen => Wire::Chat,
        }
    }

    /// The agent with this prompt, pointed at a gateway by its own configuration; none where it is not installed, which
    /// has been noted then.
    pub fn at(self, home: &Home, url: &str, prompt: &str) -> Option<Command> {
        let mut command = self.program(home)?;
        self.configure(home, url, &mut command);
        command.args(self.prompt(prompt));
        Some(command)
    }

    /// `lingate run -- AGENT` with this prompt and no configuration of the agent's own; none where it is not installed.
    pub fn launched(self, home: &Home, lingate: &Path, prompt: &str) -> Option<Command> {
        let program = self.program(home)?;
        let name = self.name();
        // What is a script needs its interpreter: the launcher finds programs on the path only.
        let mut words = vec![program.as_std().get_program().to_owned()];
        words.extend(program.as_std().get_args().map(ToOwned::to_owned));
        let quoted: Vec<String> = words
            .iter()
            .map(|word| format!("'{}'", word.display()))
            .collect();
        let script = format!("#!/bin/sh\nexec {} \"$@\"\n", quoted.join(" "));
        let shim = home.write(&format!("bin/{name}"), script);
        make_executable(&shim);
        let mut command = home.command(lingate);
        self.environment(&mut command);
        command.args(["run", "--", name]).args(self.prompt(prompt));
        Some(command)
    }

    /// The model's steps that replace a text in a file with the agent's own tool, then say `said`.
    pub fn edit(self, file: &Path, from: &str, to: &str, said: &str) -> Vec<Step> {
        let path = file.display().to_string();
        let name = file.file_name().unwrap_or_default().display().to_string();
        let steps = match self {
            Coder::Aider => {
                let block = format!(
                    "{said}\n\n{name}\n```\n<<<<<<< SEARCH\n{from}\n=======\n{to}\n>>>>>>> REPLACE\n```\n"
                );
                return vec![Step::say(&block)];
            }
            Coder::Codex => {
                let patch = format!(
                    "*** Begin Patch\n*** Update File: {name}\n@@\n-{from}\n+{to}\n*** End Patch"
                );
                let shell = format!("apply_patch <<'EOF'\n{patch}\nEOF\n");
                [
                    Step::call("exec_command", json!({"cmd": format!("cat {name}")})),
                    Step::call("exec_command", json!({ "cmd": shell })),
                ]
            }
            Coder::Gemini => [
                Step::call("read_file", json!({ "file_path": path })),
                Step::call(
                    "replace",
                    json!({"file_path": path, "instruction": "Change the colour.", "old_string": from, "new_string": to}),
                ),
            ],
            Coder::Kimi => [
                Step::call("ReadFile", json!({ "path": path })),
                Step::call(
                    "StrReplaceFile",
                    json!({"path": path, "edit": {"old": from, "new": to}}),
                ),
            ],
            Coder::Opencode => [
                Step::call("read", json!({ "filePath": path })),
                Step::call(
                    "edit",
                    json!({"filePath": path, "oldString": from, "newString": to}),
                ),
            ],
            Coder::Pi => [
                Step::call("read", json!({ "path": path })),
                Step::call(
                    "edit",
                    json!({"path": path, "edits": [{"oldText": from, "newText": to}]}),
                ),
            ],
            Coder::Qwen => [
                Step::call("read_file", json!({ "file_path": path })),
                Step::call(
                    "edit",
                    json!({"file_path": path, "old_string": from, "new_string": to}),
                ),
            ],
        };
        let [read, edit] = steps;
        vec![
            read.thinking(THOUGHT),
            edit.saying("Now I edit."),
            Step::say(said),
        ]
    }

    /// The command's name.
    pub fn name(self) -> &'static str {
        match self {
            Coder::Aider => "aider",
            Coder::Codex => "codex",
            Coder::Gemini => "gemini",
            Coder::Kimi => "kimi",
            Coder::Opencode => "opencode",
            Coder::Pi => "pi",
            Coder::Qwen => "qwen",
        }
    }

    /// How it is started in this home, before its arguments.
    fn program(self, home: &Home) -> Option<Command> {
        let started = |words: [PathBuf; 2]| {
            let mut command = home.command(&words[0]);
            command.arg(&words[1]);
            command
        };
        let mut command = match self {
            Coder::Aider => home.command(&install::aider()?),
            Coder::Codex => home.command(&install::codex()?),
            Coder::Gemini => started(install::gemini_cli()?),
            Coder::Kimi => home.command(&install::kimi_cli()?),
            Coder::Opencode => home.command(&install::opencode()?),
            Coder::Pi => started(install::pi()?),
            Coder::Qwen => started(install::qwen_code()?),
        };
        match self {
            Coder::Aider => drop(command.args(["-m", "aider"])),
            Coder::Kimi => drop(command.args(["-m", "kimi_cli"])),
            Coder::Codex | Coder::Gemini | Coder::Opencode | Coder::Pi | Coder::Qwen => {}
        }
        self.environment(&mut command);
        Some(command)
    }

    /// What keeps it to itself: no updates, no look at the network.
    fn environment(self, command: &mut Command) {
        command.env("NO_PROXY", "127.0.0.1").env("CI", "1");
        match self {
            Coder::Aider => python(command, "aider"),
            Coder::Kimi => python(command, "kimi"),
            Coder::Gemini => drop(command.env("GEMINI_CLI_TRUST_WORKSPACE", "true")),
            Coder::Opencode => drop(
                command
                    .env("OPENCODE_DISABLE_AUTOUPDATE", "1")
                    .env("OPENCODE_DISABLE_MODELS_FETCH", "1"),
            ),
            Coder::Pi => drop(command.env("PI_OFFLINE", "1")),
            Coder::Codex | Coder::Qwen => {}
        }
    }

    fn configure(self, home: &Home, url: &str, command: &mut Command) {
        match self {
            Coder::Aider => drop(
                command
                    .env("OPENAI_API_KEY", CLIENT_KEY)
                    .env("OPENAI_API_BASE", format!("{url}/v1"))
                    .args(["--model", "openai/mock"]),
            ),
            Coder::Codex => {
                command.env("LOCAL_KEY", CLIENT_KEY);
                let config = format!(
                    "model = \"mock\"\nmodel_provider = \"local\"\n\n[model_providers.local]\nname = \"local\"\n\
                     base_url = \"{url}/v1\"\nenv_key = \"LOCAL_KEY\"\nwire_api = \"responses\"\n"
                );
                home.write(".codex/config.toml", config);
            }
            Coder::Gemini => {
                let settings = json!({"security": {"auth": {"selectedType": "gemini-api-key"}}});
                home.write(".gemini/settings.json", settings.to_string());
                command
                    .env("GEMINI_API_KEY", CLIENT_KEY)
                    .env("GOOGLE_GEMINI_BASE_URL", url)
                    .args(["-m", "mock"]);
            }
            Coder::Kimi => {
                let config = format!(
                    "default_model = \"k2\"\n\n[models.k2]\nprovider = \"local\"\nmodel = \"mock\"\n\
                     max_context_size = 200000\n\n[providers.local]\ntype = \"kimi\"\nbase_url = \"{url}/v1\"\n\
                     api_key = \"{CLIENT_KEY}\"\n"
                );
                home.write(".kimi/config.toml", config);
            }
            Coder::Opencode => {
                let options = json!({"baseURL": format!("{url}/v1"), "apiKey": CLIENT_KEY});
                let provider = json!({"npm": "@ai-sdk/openai-compatible", "options": options, "models": {"mock": {}}});
                let config = json!({"provider": {"local": provider}, "model": "local/mock"});
                home.write(".config/opencode/opencode.json", config.to_string());
            }
            Coder::Pi => {
                let model = json!({"id": "mock", "reasoning": true, "contextWindow": 200_000, "maxTokens": 8000});
                let provider = json!({"baseUrl": format!("{url}/v1"), "api": "openai-completions",
                    "apiKey": CLIENT_KEY, "models": [model]});
                let config = json!({"providers": {"local": provider}});
                home.write(".pi/agent/models.json", config.to_string());
                command.args(["--provider", "local", "--model", "mock"]);
            }
            Coder::Qwen => {
                let settings = json!({"security": {"auth": {"selectedType": "openai"}}});
                home.write(".qwen/settings.json", settings.to_string());
                command
                    .env("OPENAI_API_KEY", CLIENT_KEY)
                    .env("OPENAI_BASE_URL", format!("{url}/v1"))
                    .env("OPENAI_MODEL", "mock");
            }
        }
    }

    /// The arguments of one prompt with every tool allowed.
    fn prompt(self, prompt: &str) -> Vec<&str> {
        match self {
            Coder::Aider => vec![
                "--no-check-update",
                "--analytics-disable",
                "--yes-always",
                "--no-show-model-warnings",
                "--no-git",
                "--edit-format",
                "diff",
                "--message",
                prompt,
                "notes.txt",
            ],
            Coder::Codex => vec![
                "exec",
                "--skip-git-repo-check",
                "--dangerously-bypass-approvals-and-sandbox",
                prompt,
            ],
            Coder::Gemini | Coder::Qwen => vec!["-y", "-p", prompt],
            Coder::Kimi => vec!["--print", "--yolo", "-p", prompt],
            Coder::Opencode => vec!["run", prompt],
            Coder::Pi => vec!["-p", prompt],
        }
    }
}

/// Runs an agent to its end.
pub async fn finish(mut command: Command) -> Finished {
    Process::spawn(&mut command).finish(LIMIT).await
}

fn python(command: &mut Command, set: &str) {
    command
        .env("PYTHONPATH", install::packages(set))
        .env("PYTHONDONTWRITEBYTECODE", "1");
}

fn make_executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))
        .expect("an own file's mode can be changed");
}
