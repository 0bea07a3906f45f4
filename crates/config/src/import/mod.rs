//! Configurations of other systems, turned into one of ours.
//!
//! Pure: texts in, a text and notes out. Every member of a source that nobody took is a note, so that nothing is lost
//! without a word. Secrets are moved into variables and handed out apart: the text never holds one.

mod cc_proxy;
mod cc_switch;
mod claude_code_router;
mod codex;
mod dotenv;
mod draft;
mod kimi_proxy;
mod litellm;
mod louter;
mod render;
mod section;

use serde_json::Value;

use self::draft::Draft;
use self::section::Section;
use crate::secret::Secret;

/// A system that can be imported from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `model-config.yaml` and `.env`.
    KimiProxy,
    /// `config.toml`.
    Louter,
    /// `config.json`.
    CcProxy,
    /// `config.json`.
    ClaudeCodeRouter,
    /// `config.yaml`.
    Litellm,
    /// `config.json`, or the providers of its database as JSON.
    CcSwitch,
}

/// A file to import.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// Its name, for messages; its ending counts where a system has files of several kinds.
    pub name: &'a str,
    /// What it holds.
    pub text: &'a str,
}

/// What an import gives. Holds secrets: has no `Debug`.
pub struct Imported {
    /// The configuration, as TOML.
    pub text: String,
    /// Keys that stood in the files: the text names their variables.
    pub secrets: Vec<FoundSecret>,
    /// What did not carry over, in the order of the files.
    pub notes: Vec<Note>,
}

/// A key that was taken out of a file.
pub struct FoundSecret {
    /// The variable that the configuration reads it from.
    pub variable: String,
    /// The key.
    pub value: Secret,
    /// Where it stood: `config.json: backends[0].token`.
    pub place: String,
}

/// Something that did not carry over as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Where it stands: `config.json: retry.max_attempts`.
    pub place: String,
    /// What became of it, and what to do.
    pub text: String,
}

/// A file cannot be imported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// It is not of the format.
    #[error("{name} is not {expected}: {reason}")]
    Syntax {
        /// The file's name.
        name: String,
        /// What it should be.
        expected: &'static str,
        /// Why it is not, without any of its text.
        reason: String,
    },
    /// There is nothing in it that could serve a request.
    #[error("{0} holds no provider that could be imported")]
    Nothing(String),
}

impl Format {
    /// Every format, by the name it has on the command line.
    pub const ALL: [(&'static str, Self); 6] = [
        ("kimi-proxy", Self::KimiProxy),
        ("louter", Self::Louter),
        ("cc-proxy", Self::CcProxy),
        ("claude-code-router", Self::ClaudeCodeRouter),
        ("litellm", Self::Litellm),
        ("cc-switch", Self::CcSwitch),
    ];
}

/// Writes a configuration out of another system's files.
///
/// # Errors
/// If a file is not of the format, or nothing in it can serve.
pub fn import(format: Format, sources: &[Source<'_>]) -> Result<Imported, ImportError> {
    let mut draft = Draft::default();
    match format {
        Format::KimiProxy => kimi_proxy::read(sources, &mut draft)?,
        Format::Louter => each(sources, &mut draft, toml, louter::read)?,
        Format::CcProxy => each(sources, &mut draft, json, cc_proxy::read)?,
        Format::ClaudeCodeRouter => each(sources, &mut draft, json, claude_code_router::read)?,
        Format::Litellm => each(sources, &mut draft, yaml, litellm::read)?,
        Format::CcSwitch => each(sources, &mut draft, json, cc_switch::read)?,
    }
    if draft.providers.is_empty() {
        let names: Vec<&str> = sources.iter().map(|source| source.name).collect();
        return Err(ImportError::Nothing(names.join(", ")));
    }
    Ok(render::rendered(draft))
}

type Parse = fn(&Source<'_>) -> Result<Value, ImportError>;

fn each(
    sources: &[Source<'_>],
    draft: &mut Draft,
    parse: Parse,
    read: fn(Section, &mut Draft),
) -> Result<(), ImportError> {
    for source in sources {
        let root = Section::root(source.name, parse(source)?);
        read(root, draft);
    }
    Ok(())
}

fn json(source: &Source<'_>) -> Result<Value, ImportError> {
    // Comments and trailing commas are no JSON, but people have them in such files.
    serde_json::from_str(source.text).map_err(|error| {
        let reason = format!("line {}, column {}", error.line(), error.column());
        syntax(source, "JSON", reason)
    })
}

fn yaml(source: &Source<'_>) -> Result<Value, ImportError> {
    serde_saphyr::from_str(source.text).map_err(|error| {
        let place = error.location();
        let reason = place.map_or_else(
            || "it cannot be read".to_owned(),
            |place| format!("line {}, column {}", place.line(), place.column()),
        );
        syntax(source, "YAML", reason)
    })
}

fn toml(source: &Source<'_>) -> Result<Value, ImportError> {
    ::toml::from_str(source.text).map_err(|error: ::toml::de::Error| {
        let before = error.span().and_then(|span| source.text.get(..span.start));
        let line = before.map_or(1, |before| before.matches('\n').count() + 1);
        syntax(source, "TOML", format!("line {line}"))
    })
}

fn syntax(source: &Source<'_>, expected: &'static str, reason: String) -> ImportError {
    let name = source.name.to_owned();
    ImportError::Syntax {
        name,
        expected,
        reason,
    }
}
