//! How each client is pointed at the gateway: the variables it reads, and the arguments for what no variable can say.
//!
//! Pure data: what stands here is neither set nor run here. `run` applies it to a child process, `env` prints it.
//! No file of the user's is ever written.
//!
//! Deliberately not set for Claude Code: `CLAUDE_CODE_DISABLE_NONSTREAMING_FALLBACK`, because the fallback request
//! is where a late upstream failure shows its status and message, and a client that hangs up has its upstream call
//! cancelled, so nothing runs twice; and `ENABLE_TOOL_SEARCH`, because the client's own choice works.

mod arguments;
mod gemini;
mod settings;
mod shell;
mod variables;

use std::ffi::OsStr;
use std::path::Path;

use lingate_config::{LOCAL_TOKEN_PREFIX, Secret};

pub(crate) use arguments::{Arguments, Files, arguments};
pub(crate) use shell::{Shell, quoted};
pub(crate) use variables::{Setup, setup};

/// Holds the user's gateway key, where the configuration asks for one.
pub(crate) const KEY_VARIABLE: &str = "LINGATE_KEY";

/// What a client shows where no key is asked for: clients refuse to start without one.
pub(crate) const LOCAL_TOKEN: &str = LOCAL_TOKEN_PREFIX;

/// A client, by what it reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Client {
    /// Claude Code: the Anthropic wire.
    Claude,
    /// Codex: the Responses wire, its provider from arguments alone.
    Codex,
    /// opencode: its provider from one JSON variable.
    Opencode,
    /// Gemini CLI: the Gemini wire.
    Gemini,
    /// Qwen Code: the Chat wire.
    Qwen,
    /// What reads the variables of the OpenAI SDKs.
    Openai,
    /// Anything else: the usual variables of all of them.
    Other,
}

/// What a client is pointed at.
pub(crate) struct Target {
    /// The gateway's URL, with the profile if there is one, without a final slash and without `/v1`.
    pub(crate) base: String,
    /// The credential it shows.
    pub(crate) credential: Credential,
    /// The model to ask for; the client's own choice if none.
    pub(crate) model: Option<ModelName>,
    /// What the configuration serves for any other name, for clients whose own choice of a model would be one of another
    /// provider's, with habits that do not fit. None if there is no such model.
    pub(crate) default: Option<String>,
    /// The model for background work; the client's own choice if none.
    pub(crate) small: Option<ModelName>,
    /// Context window in tokens of the model that answers, if known and not Claude's own.
    pub(crate) context: Option<u64>,
    /// Names of the models that can be asked for.
    pub(crate) models: Vec<String>,
}

impl Target {
    /// The model to start with, for a client that must not choose by itself.
    fn first_model(&self) -> Option<&str> {
        let wished = self.model.as_ref().map(|model| model.name.as_str());
        wished.or(self.default.as_deref())
    }
}

/// A model, as clients are told to ask for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ModelName {
    /// Its name.
    pub(crate) name: String,
    /// Its name for Claude Code, whose picker shows only names that hold `claude` or `anthropic`, and whose context
    /// setting counts only for names that do not begin with `claude-`: `anthropic/NAME`, where that leads to the same.
    pub(crate) claude: String,
}

/// The credential a client shows the gateway.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Credential {
    /// None is asked for: the local token.
    Local,
    /// The user's gateway key.
    Key,
    /// The client's own, which the gateway hands on.
    Caller,
    /// The client's own for the provider, the user's gateway key beside it.
    CallerAndKey,
}

/// A variable's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// The text itself.
    Text(String),
    /// The user's gateway key after a fixed text. Only the child process ever gets to see it.
    Key {
        /// What stands before it.
        before: &'static str,
    },
}

impl Client {
    /// The client that a command is, by its file name.
    pub(crate) fn of(command: &OsStr) -> Self {
        match Path::new(command).file_stem().and_then(OsStr::to_str) {
            Some("claude") => Self::Claude,
            Some("codex") => Self::Codex,
            Some("opencode") => Self::Opencode,
            Some("gemini") => Self::Gemini,
            Some("qwen") => Self::Qwen,
            _ => Self::Other,
        }
    }

    /// The variable that moves its own files out of the user's home.
    pub(crate) const fn home_variable(self) -> Option<&'static str> {
        match self {
            Self::Gemini => Some(gemini::HOME_VARIABLE),
            Self::Claude
            | Self::Codex
            | Self::Opencode
            | Self::Qwen
            | Self::Openai
            | Self::Other => None,
        }
    }

    /// How to install it; none for a command we do not know.
    pub(crate) const fn install(self) -> Option<&'static str> {
        match self {
            Self::Claude => Some("npm install -g @anthropic-ai/claude-code"),
            Self::Codex => Some("npm install -g @openai/codex"),
            Self::Opencode => Some("npm install -g opencode-ai"),
            Self::Gemini => Some("npm install -g @google/gemini-cli"),
            Self::Qwen => Some("npm install -g @qwen-code/qwen-code"),
            Self::Openai | Self::Other => None,
        }
    }
}

impl Value {
    /// The text for the child process; an empty key if the user has none.
    pub(crate) fn expose(&self, key: Option<&Secret>) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Key { before } => format!("{before}{}", key.map_or("", Secret::expose)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_known_by_their_file_name() {
        let check =
            |command: &str, expected: Client| assert_eq!(Client::of(OsStr::new(command)), expected);
        check("claude", Client::Claude);
        check("/opt/bin/claude.exe", Client::Claude);
        check("codex", Client::Codex);
        check("./qwen", Client::Qwen);
        check("claude-squad", Client::Other);
        check("aider", Client::Other);
    }
}
