//! Claude Code, headless: how it is started, and what its transcript says.

use std::path::{Path, PathBuf};
use std::time::Duration;

use lingate_testkit::{Finished, Process};
use serde_json::Value;
use tokio::process::Command;

use crate::{Home, install};

/// No session of a test takes longer.
const LIMIT: Duration = Duration::from_secs(60);

/// A Claude Code that is about to be started in print mode.
pub struct Claude<'a> {
    home: &'a Home,
    command: Command,
}

/// What a session in `stream-json` said, event by event.
#[derive(Debug)]
pub struct Transcript {
    /// How the program ended.
    pub finished: Finished,
    events: Vec<Value>,
}

/// A tool result as the client recorded it.
#[derive(Debug, PartialEq, Eq)]
pub struct ToolResult {
    /// The call it answers.
    pub id: String,
    /// Whether the tool failed.
    pub is_error: bool,
    /// Its text, or its blocks as JSON where it has others.
    pub content: String,
}

impl<'a> Claude<'a> {
    /// Claude Code that talks to this base URL; none where it is not installed, which has been noted then.
    pub fn at(home: &'a Home, base_url: &str) -> Option<Claude<'a>> {
        let mut claude = Claude::program(home, &install::claude_code()?);
        claude
            .command
            .env("ANTHROPIC_BASE_URL", base_url)
            .env("ANTHROPIC_AUTH_TOKEN", "lingate-e2e");
        Some(claude)
    }

    /// `lingate run ARGS -- claude`; none where Claude Code is not installed.
    pub fn launched(home: &'a Home, lingate: &Path, args: &[&str]) -> Option<Claude<'a>> {
        home.link("claude", &install::claude_code()?);
        let mut claude = Claude::program(home, lingate);
        claude.command.arg("run").args(args).args(["--", "claude"]);
        Some(claude)
    }

    fn program(home: &'a Home, program: &Path) -> Claude<'a> {
        let mut command = home.command(program);
        command.envs(variables());
        Claude { home, command }
    }

    /// With another variable.
    pub fn env(mut self, name: &str, value: &str) -> Claude<'a> {
        self.command.env(name, value);
        self
    }

    /// With another argument.
    pub fn args(mut self, args: &[&str]) -> Claude<'a> {
        self.command.args(args);
        self
    }

    /// One prompt, plain answer.
    pub async fn print(mut self, prompt: &str) -> Finished {
        self.command.args(["-p", prompt]);
        self.start().finish(LIMIT).await
    }

    /// One prompt with every tool allowed, recorded.
    pub async fn session(mut self, prompt: &str) -> Transcript {
        self.command.args([
            "-p",
            prompt,
            "--output-format",
            "stream-json",
            "--verbose",
            "--dangerously-skip-permissions",
        ]);
        let finished = self.start().finish(LIMIT).await;
        let events = finished
            .stdout
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect();
        Transcript { finished, events }
    }

    /// Starts it as it stands.
    pub fn start(&mut self) -> Process {
        Process::spawn(&mut self.command)
    }

    /// The project folder in which it runs.
    pub fn project(&self) -> PathBuf {
        self.home.project("")
    }
}

/// What Claude Code needs to run as root, without updates and without a look at the network.
pub(crate) fn variables() -> [(&'static str, &'static str); 3] {
    [
        ("IS_SANDBOX", "1"),
        ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"),
        ("DISABLE_AUTOUPDATER", "1"),
    ]
}

impl Transcript {
    /// Asserts that the program and the session both ended well, and returns the final text.
    pub fn success(&self) -> &str {
        let result = self.result();
        assert_eq!(self.finished.code, Some(0), "{self}");
        assert_eq!(result["is_error"], false, "{self}");
        result["result"].as_str().unwrap_or_default()
    }

    /// The closing event.
    pub fn result(&self) -> &Value {
        let result = self.events.iter().find(|event| event["type"] == "result");
        result.unwrap_or_else(|| panic!("no closing event\n{self}"))
    }

    /// Tool calls in order: id, name and input.
    pub fn calls<'a>(&'a self) -> Vec<(&'a str, &'a str, &'a Value)> {
        let call = |block: &'a Value| {
            Some((
                block["id"].as_str()?,
                block["name"].as_str()?,
                &block["input"],
            ))
        };
        self.blocks("assistant", "tool_use")
            .filter_map(call)
            .collect()
    }

    /// Tool results in order.
    pub fn results(&self) -> Vec<ToolResult> {
        let results = self.blocks("user", "tool_result").map(|block| ToolResult {
            id: block["tool_use_id"].as_str().unwrap_or_default().to_owned(),
            is_error: block["is_error"] == true,
            content: block["content"]
                .as_str()
                .map_or_else(|| block["content"].to_string(), str::to_owned),
        });
        results.collect()
    }

    /// The model's thoughts as the client saw them.
    pub fn thoughts(&self) -> String {
        self.blocks("assistant", "thinking")
            .filter_map(|block| block["thinking"].as_str())
            .collect()
    }

    fn blocks<'a>(&'a self, of: &'a str, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        let messages = self.events.iter().filter(move |event| event["type"] == of);
        let blocks =
            messages.flat_map(|event| event["message"]["content"].as_array().into_iter().flatten());
        blocks.filter(move |block| block["type"] == kind)
    }
}

impl std::fmt::Display for Transcript {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.finished.fmt(f)
    }
}
