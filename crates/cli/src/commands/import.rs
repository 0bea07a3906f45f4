//! `lingate import`: a configuration out of another system's files, and what did not carry over.
//!
//! Keys are never printed: the configuration names variables, which are listed, or files that only their owner can read.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use lingate_config::import::{Format, FoundSecret, Imported, Source, import};
use lingate_config::{Config, Environment, LoadOptions};
use serde_json::json;

use super::init::write;
use crate::args::Import;
use crate::background::private;
use crate::failure::Failure;
use crate::output;

/// How an SQLite database begins.
const SQLITE: &[u8] = b"SQLite format 3\0";

/// Writes the configuration and says what else is to be done.
pub(crate) fn run(args: Import, environment: &dyn Environment) -> Result<ExitCode, Failure> {
    let format = format_of(&args.from)?;
    let files = read_all(&args.files)?;
    let sources: Vec<Source<'_>> = files
        .iter()
        .map(|(name, text)| Source { name, text })
        .collect();
    let mut imported =
        import(format, &sources).map_err(|error| Failure::usage(error.to_string()))?;
    if let Some(output) = args.output.as_deref().filter(|output| output.exists()) {
        return Err(
            Failure::problem(format!("`{}` is there already", output.display()))
                .hint("it is not replaced: name another file with `--output`"),
        );
    }
    let kept = match &args.key_files {
        Some(folder) => keep_keys(&mut imported, folder)?,
        None => BTreeMap::new(),
    };
    let name = args.output.clone().unwrap_or_else(|| "lingate.toml".into());
    let problems = problems(name, &imported, &kept, environment);
    if let Some(output) = &args.output {
        write(output, &imported.text).map_err(|error| {
            Failure::problem(format!("cannot write `{}`: {error}", output.display()))
        })?;
    }
    if args.format.json {
        tell_programs(&args, &imported, &kept, &problems)?;
    } else {
        tell_people(&args, &imported, &kept, &problems)?;
    }
    Ok(ExitCode::from(u8::from(!problems.is_empty())))
}

fn format_of(name: &str) -> Result<Format, Failure> {
    let known = Format::ALL.iter().find(|(known, _)| *known == name);
    known.map(|(_, format)| *format).ok_or_else(|| {
        let names: Vec<&str> = Format::ALL.iter().map(|(name, _)| *name).collect();
        Failure::usage(format!("nothing is known of `{name}`"))
            .hint(format!("imported from: {}", names.join(", ")))
    })
}

fn read_all(paths: &[PathBuf]) -> Result<Vec<(String, String)>, Failure> {
    let read = |path: &PathBuf| {
        let name = path.display().to_string();
        let bytes = fs::read(path)
            .map_err(|error| Failure::usage(format!("cannot read `{name}`: {error}")))?;
        if bytes.starts_with(SQLITE) {
            return Err(
                Failure::usage(format!("`{name}` is a database")).hint(format!(
                    "sqlite3 -json {name} 'select * from providers' > providers.json, and import that"
                )),
            );
        }
        let text = String::from_utf8(bytes)
            .map_err(|_| Failure::usage(format!("`{name}` is no text in UTF-8")))?;
        Ok((name, text))
    };
    paths.iter().map(read).collect()
}

/// Moves the keys into files of their own; the path of each variable's file.
fn keep_keys(imported: &mut Imported, folder: &Path) -> Result<BTreeMap<String, PathBuf>, Failure> {
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let mut kept = BTreeMap::new();
    for secret in &imported.secrets {
        let path = folder.join(&secret.variable);
        keep(secret, &path).map_err(|error| {
            Failure::problem(format!("cannot write `{}`: {error}", path.display()))
        })?;
        let reference = format!("${{{}}}", secret.variable);
        let file = format!("${{file:{}}}", path.display());
        imported.text = imported.text.replace(&reference, &file);
        kept.insert(secret.variable.clone(), path);
    }
    Ok(kept)
}

/// A file that is there is never replaced: it may hold another key.
fn keep(secret: &FoundSecret, path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = private(OpenOptions::new().write(true).create_new(true), path)?;
    file.write_all(secret.value.expose().as_bytes())
}

/// What keeps the configuration from loading once the listed variables are set.
fn problems(
    name: PathBuf,
    imported: &Imported,
    kept: &BTreeMap<String, PathBuf>,
    environment: &dyn Environment,
) -> Vec<String> {
    let found = imported
        .secrets
        .iter()
        .filter(|secret| !kept.contains_key(&secret.variable))
        .map(|secret| (secret.variable.as_str(), secret.value.expose()))
        .collect();
    let environment = WithKeys { found, environment };
    let loaded = Config::from_text(
        Some(name),
        &imported.text,
        &LoadOptions::default(),
        &environment,
    );
    match loaded {
        Ok(_) => Vec::new(),
        Err(problems) => problems.0.iter().map(ToString::to_string).collect(),
    }
}

/// The environment as it will be.
struct WithKeys<'a> {
    found: BTreeMap<&'a str, &'a str>,
    environment: &'a dyn Environment,
}

impl Environment for WithKeys<'_> {
    fn var(&self, name: &str) -> Option<String> {
        let found = self.found.get(name).map(|value| (*value).to_owned());
        found.or_else(|| self.environment.var(name))
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        self.environment.read(path)
    }
}

fn tell_programs(
    args: &Import,
    imported: &Imported,
    kept: &BTreeMap<String, PathBuf>,
    problems: &[String],
) -> Result<(), Failure> {
    let output = args.output.as_ref().map(|path| path.display().to_string());
    let text = output.is_none().then_some(&imported.text);
    let config = json!({ "kind": "config", "file": output, "text": text });
    let keys = imported.secrets.iter().map(|secret| {
        let file = kept.get(&secret.variable);
        json!({
            "kind": "key",
            "variable": file.is_none().then_some(&secret.variable),
            "file": file.map(|path| path.display().to_string()),
            "place": secret.place,
        })
    });
    let notes = imported
        .notes
        .iter()
        .map(|note| json!({ "kind": "note", "place": note.place, "text": note.text }));
    let problems = problems
        .iter()
        .map(|problem| json!({ "kind": "problem", "text": problem }));
    let lines = std::iter::once(config)
        .chain(keys)
        .chain(notes)
        .chain(problems);
    output::json_lines(lines)
}

fn tell_people(
    args: &Import,
    imported: &Imported,
    kept: &BTreeMap<String, PathBuf>,
    problems: &[String],
) -> Result<(), Failure> {
    match &args.output {
        Some(path) => output::line(&format!("wrote {}", path.display()))?,
        None => output::write(&imported.text)?,
    }
    for secret in &imported.secrets {
        match kept.get(&secret.variable) {
            Some(path) => output::say(&format!("{} is in {}", secret.place, path.display())),
            None => output::say(&format!(
                "set {} to what stands at {}",
                secret.variable, secret.place
            )),
        }
    }
    for note in &imported.notes {
        output::say(&format!("{}: {}", note.place, note.text));
    }
    for problem in problems {
        output::say(&format!("still wrong: {problem}"));
    }
    if problems.is_empty() {
        output::say("next: lingate check");
    }
    Ok(())
}
