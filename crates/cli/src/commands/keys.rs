//! `lingate keys`: what clients show to be let in.
//!
//! The file holds hashes only: a key is printed when it is made and cannot be told again. The rest of the file,
//! comments included, stays as it is, and so do its mode and whoever links to it.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use lingate_config::{Config, Environment, LoadOptions};
use serde_json::json;
use sha2::{Digest, Sha256};
use toml_edit::{DocumentMut, InlineTable, Item, Table, TableLike, Value};

use super::init::{default_path, write};
use crate::args::{KeyName, KeysCommand, Report};
use crate::configuration::{Listen, load};
use crate::failure::Failure;
use crate::output;

/// Tells a client key of ours from a provider's at first sight.
const PREFIX: &str = "lgk-";

/// Makes, lists or removes.
pub(crate) fn run(command: KeysCommand, environment: &dyn Environment) -> Result<(), Failure> {
    match command {
        KeysCommand::Add(args) => add(&args, environment),
        KeysCommand::List(args) => list(&args, environment),
        KeysCommand::Remove(args) => remove(&args, environment),
    }
}

fn add(args: &KeyName, environment: &dyn Environment) -> Result<(), Failure> {
    let mut file = File::open(args, environment)?;
    let key = random_key()?;
    insert(&mut file.document, &args.name, &hash(&key))
        .map_err(|error| error.at(&file.path, &args.name))?;
    file.save(environment)?;
    // The key alone on standard output, so that a script can take it.
    output::line(&key)?;
    output::say(&format!(
        "this is the key of `{}`, shown this once; `{}` holds its hash",
        args.name,
        file.path.display()
    ));
    output::say(&format!(
        "clients send it as x-api-key or Authorization: Bearer, for example ANTHROPIC_AUTH_TOKEN={PREFIX}..."
    ));
    output::say("a gateway that runs asks for it once it is started anew");
    Ok(())
}

fn remove(args: &KeyName, environment: &dyn Environment) -> Result<(), Failure> {
    let mut file = File::open(args, environment)?;
    take(&mut file.document, &args.name).map_err(|error| error.at(&file.path, &args.name))?;
    file.save(environment)?;
    output::line(&format!(
        "removed `{}` from {}",
        args.name,
        file.path.display()
    ))?;
    output::say("a gateway that runs lets it in until it is started anew");
    if file.document.get("keys").is_none() {
        output::say("no key is left: whoever reaches the listener is let in");
    }
    Ok(())
}

fn list(args: &Report, environment: &dyn Environment) -> Result<(), Failure> {
    let config = load(args.file.config.as_deref(), Listen::default(), environment)?.config;
    let is_admin = |name: &String| config.server.admin_keys.contains(name);
    if args.format.json {
        return output::json_lines(config.keys.iter().map(|key| {
            json!({
                "name": key.name,
                "models": key.models,
                "concurrency": key.concurrency,
                "admin": is_admin(&key.name),
            })
        }));
    }
    if config.keys.is_empty() {
        return output::line("no keys: whoever reaches the listener is let in");
    }
    let rows: Vec<_> = config
        .keys
        .iter()
        .map(|key| {
            [
                key.name.clone(),
                key.models
                    .as_ref()
                    .map_or_else(|| "all".to_owned(), |globs| globs.join(", ")),
                key.concurrency
                    .map_or_else(|| "no limit".to_owned(), |limit| limit.to_string()),
                if is_admin(&key.name) { "yes" } else { "no" }.to_owned(),
            ]
        })
        .collect();
    output::table(["name", "models", "requests at a time", "admin"], &rows)
}

/// 256 bits of the system's randomness.
fn random_key() -> Result<String, Failure> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|error| Failure::problem(format!("the system gives no randomness: {error}")))?;
    Ok(format!("{PREFIX}{}", hex(&bytes)))
}

fn hash(key: &str) -> String {
    format!("sha256:{}", hex(&Sha256::digest(key.as_bytes())))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Why a file cannot be changed as wished.
#[derive(Debug, PartialEq, Eq)]
enum EditError {
    Exists,
    Missing,
    NoTable,
}

impl EditError {
    fn at(self, path: &Path, name: &str) -> Failure {
        let path = path.display();
        match self {
            Self::Exists => Failure::problem(format!("`{path}` has a key `{name}` already")).hint(
                format!("take another name, or `lingate keys remove {name}` first"),
            ),
            Self::Missing => Failure::problem(format!("`{path}` has no key `{name}`"))
                .hint("`lingate keys list` says which there are"),
            Self::NoTable => Failure::usage(format!("`keys` in `{path}` is no table"))
                .hint("`lingate check` says what is wrong with the file"),
        }
    }
}

/// Adds `[keys.NAME]`.
fn insert(document: &mut DocumentMut, name: &str, hash: &str) -> Result<(), EditError> {
    let keys = document.entry("keys").or_insert_with(|| {
        let mut keys = Table::new();
        // No `[keys]` line of its own.
        keys.set_implicit(true);
        Item::Table(keys)
    });
    let is_inline = keys.is_inline_table();
    let keys = keys.as_table_like_mut().ok_or(EditError::NoTable)?;
    if keys.contains_key(name) {
        return Err(EditError::Exists);
    }
    let key = if is_inline {
        let mut key = InlineTable::new();
        key.insert("secret", hash.into());
        Item::Value(Value::InlineTable(key))
    } else {
        let mut key = Table::new();
        key.insert("secret", Item::Value(hash.into()));
        Item::Table(key)
    };
    keys.insert(name, key);
    Ok(())
}

/// Removes `[keys.NAME]`, and an empty `[keys]` with it.
fn take(document: &mut DocumentMut, name: &str) -> Result<(), EditError> {
    let keys = document.get_mut("keys").ok_or(EditError::Missing)?;
    let keys = keys.as_table_like_mut().ok_or(EditError::NoTable)?;
    keys.remove(name).ok_or(EditError::Missing)?;
    if TableLike::is_empty(keys) {
        document.remove("keys");
    }
    Ok(())
}

/// A configuration file under edit.
struct File {
    path: PathBuf,
    /// As it was; none if there was no file.
    before: Option<String>,
    document: DocumentMut,
}

impl File {
    fn open(args: &KeyName, environment: &dyn Environment) -> Result<Self, Failure> {
        let path = args
            .file
            .config
            .clone()
            .or_else(|| default_path(environment))
            .ok_or_else(|| {
                Failure::usage("there is no place for the configuration")
                    .hint("name one with `--config FILE`, or set `HOME`")
            })?;
        // What is linked to is edited, and the link stays.
        let path = fs::canonicalize(&path).unwrap_or(path);
        let before = match environment.read(&path) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                return Err(Failure::usage(format!(
                    "cannot read `{}`: {error}",
                    path.display()
                )));
            }
        };
        let text = before.clone().unwrap_or_default();
        let document = text.parse().map_err(|error| {
            Failure::usage(format!("`{}` is not TOML: {error}", path.display()))
        })?;
        Ok(Self {
            path,
            before,
            document,
        })
    }

    /// Puts the new text in place, unless it would break a configuration that was right.
    fn save(&self, environment: &dyn Environment) -> Result<(), Failure> {
        let text = self.document.to_string();
        let check = |text: &str| {
            let path = Some(self.path.clone());
            Config::from_text(path, text, &LoadOptions::default(), environment)
        };
        let was_right = check(self.before.as_deref().unwrap_or_default()).is_ok();
        if let (true, Err(problems)) = (was_right, check(&text)) {
            return Err(Failure::usage(problems.to_string()).hint("the file was left as it is"));
        }
        let written = match &self.before {
            None => write(&self.path, &text),
            Some(_) => replace(&self.path, &text),
        };
        written.map_err(|error| {
            Failure::problem(format!("cannot write `{}`: {error}", self.path.display()))
        })
    }
}

/// The whole file at once, under its old mode.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(format!(".{}", std::process::id()));
    let unfinished = PathBuf::from(unfinished);
    let written = fs::File::create_new(&unfinished).and_then(|mut file| {
        file.set_permissions(fs::metadata(path)?.permissions())?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&unfinished, path)
    });
    if written.is_err() {
        let _ = fs::remove_file(&unfinished);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(text: &str) -> DocumentMut {
        text.parse().unwrap()
    }

    #[test]
    fn a_key_is_added_and_nothing_else_moves() {
        let check = |before: &str, after: Result<&str, EditError>| {
            let mut document = document(before);
            let inserted = insert(&mut document, "bob", "sha256:0");
            let got = inserted.map(|()| document.to_string());
            assert_eq!(got, after.map(str::to_owned), "{before}");
        };
        check("", Ok("[keys.bob]\nsecret = \"sha256:0\"\n"));
        check(
            "default = 'x' # mine\n\n# theirs\n[server]\nlisten='y'\n",
            Ok(
                "default = 'x' # mine\n\n# theirs\n[server]\nlisten='y'\n\n[keys.bob]\nsecret = \"sha256:0\"\n",
            ),
        );
        check(
            "[keys.al]  # first\nsecret = 'h'\n\n[server]\n",
            Ok(
                "[keys.al]  # first\nsecret = 'h'\n\n[keys.bob]\nsecret = \"sha256:0\"\n\n[server]\n",
            ),
        );
        check(
            "keys = { al = { secret = 'h' } }\n",
            Ok("keys = { al = { secret = 'h' } , bob = { secret = \"sha256:0\" } }\n"),
        );
        check("[keys.bob]\n", Err(EditError::Exists));
        check("keys = 1\n", Err(EditError::NoTable));
    }

    #[test]
    fn a_key_is_removed_and_nothing_else_moves() {
        let check = |before: &str, after: Result<&str, EditError>| {
            let mut document = document(before);
            let taken = take(&mut document, "bob");
            let got = taken.map(|()| document.to_string());
            assert_eq!(got, after.map(str::to_owned), "{before}");
        };
        check(
            "a = 1 # c\n[keys.al]\nsecret = 'h'\n[keys.bob]\nsecret = 'i'\n",
            Ok("a = 1 # c\n[keys.al]\nsecret = 'h'\n"),
        );
        check("a = 1\n[keys.bob]\nsecret = 'i'\n", Ok("a = 1\n"));
        check("a = 1\n", Err(EditError::Missing));
        check("[keys.al]\n", Err(EditError::Missing));
    }

    #[test]
    fn keys_are_random_and_hashed_as_the_gateway_does() {
        let (one, two) = (random_key().unwrap(), random_key().unwrap());
        assert_ne!(one, two);
        assert_eq!(one.len(), PREFIX.len() + 64);
        // SHA-256 of "abc", FIPS 180-2, B.1.
        assert_eq!(
            hash("abc"),
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
