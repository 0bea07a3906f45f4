//! Loading the configuration for a command, with a fingerprint of everything it was read from.
//!
//! Two commands whose fingerprints agree would build the same gateway: the same file, the same files it names, the
//! same variables. Keys go into it, so a new key is a new configuration; the hash gives none of them away.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use lingate_config::{
    Config, Environment, LOCAL_TOKEN_PREFIX, LoadOptions, Problems, SystemEnvironment,
};
use lingate_gateway::Source;
use sha2::{Digest, Sha256};

use crate::failure::Failure;

/// A configuration and where it came from.
pub(crate) struct Loaded {
    pub(crate) config: Config,
    /// Names everything it was read from; 16 hexadecimal digits.
    pub(crate) fingerprint: String,
    /// The files it was read from, and those it would have been read from if they were there.
    pub(crate) files: Vec<PathBuf>,
    /// Everything it was read from.
    questions: Vec<Question>,
}

/// What the command line says about the listener; it overrides the file's word.
#[derive(Debug, Clone, Default)]
pub(crate) struct Listen {
    pub(crate) address: Option<String>,
    pub(crate) port: Option<u16>,
}

/// Loads the configuration at `path`, or the one that is found without.
pub(crate) fn load(
    path: Option<&Path>,
    listen: Listen,
    environment: &dyn Environment,
) -> Result<Loaded, Failure> {
    try_load(path, listen, environment).map_err(|problems| Failure::usage(problems.to_string()))
}

/// As [`load`], with each problem by itself.
pub(crate) fn try_load(
    path: Option<&Path>,
    listen: Listen,
    environment: &dyn Environment,
) -> Result<Loaded, Problems> {
    let witness = Witness::new(environment);
    let quirks: Vec<&str> = lingate_quirk::names().collect();
    let options = LoadOptions {
        path: path.map(absolute),
        listen: listen.address,
        port: listen.port,
        quirks: &quirks,
    };
    let config = Config::load(&options, &witness)?;
    for authorities in config
        .providers
        .iter()
        .filter_map(|own| own.ca_file.as_ref())
    {
        // Read by the gateway, which says what is wrong with it; here it only has to count.
        let _ = witness.read(authorities);
    }
    let asked = witness.asked.into_inner();
    let fingerprint = fingerprint(&asked);
    let questions: Vec<Question> = asked.into_keys().collect();
    Ok(Loaded {
        config,
        fingerprint,
        files: files(&questions),
        questions,
    })
}

/// The configuration of a command line, for a gateway to read again.
#[derive(Debug)]
pub(crate) struct CommandLine {
    path: Option<PathBuf>,
    listen: Listen,
    /// What the configuration was last read from.
    questions: Mutex<Vec<Question>>,
}

impl CommandLine {
    pub(crate) fn new(path: Option<PathBuf>, listen: Listen) -> Self {
        Self {
            path,
            listen,
            questions: Mutex::default(),
        }
    }

    /// Reads it.
    pub(crate) fn load(&self) -> Result<Loaded, Problems> {
        let path = self.path.as_deref();
        let loaded = try_load(path, self.listen.clone(), &SystemEnvironment)?;
        let mut questions = self
            .questions
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        questions.clone_from(&loaded.questions);
        drop(questions);
        Ok(loaded)
    }
}

impl Source for CommandLine {
    fn load(&self) -> Result<lingate_gateway::Loaded, Problems> {
        let loaded = self.load()?;
        Ok(lingate_gateway::Loaded {
            config: loaded.config,
            hash: loaded.fingerprint,
            files: loaded.files,
        })
    }

    fn unchanged(&self, hash: &str) -> Option<Vec<PathBuf>> {
        let questions = self.questions.lock();
        let questions = questions.unwrap_or_else(PoisonError::into_inner).clone();
        let answers = questions.iter().map(|own| own.ask(&SystemEnvironment));
        let asked = questions.iter().cloned().zip(answers).collect();
        (fingerprint(&asked) == hash).then(|| files(&questions))
    }
}

/// Independent of the directory a command was given in.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Something that a configuration is read from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Question {
    File(PathBuf),
    Home,
    Variable(String),
}

impl Question {
    fn ask(&self, environment: &dyn Environment) -> Option<String> {
        match self {
            Self::File(path) => environment.read(path).ok(),
            Self::Home => environment.home()?.to_str().map(str::to_owned),
            Self::Variable(name) => environment.var(name).filter(|value| counts(value)),
        }
    }
}

fn files(questions: &[Question]) -> Vec<PathBuf> {
    let file = |question: &Question| match question {
        Question::File(path) => Some(path.clone()),
        Question::Home | Question::Variable(_) => None,
    };
    questions.iter().filter_map(file).collect()
}

/// Whether a variable's value is part of the configuration. Our own token is no key: after `eval "$(lingate env)"` it is
/// still the same configuration.
fn counts(value: &str) -> bool {
    !value.starts_with(LOCAL_TOKEN_PREFIX)
}

/// Names what was asked and answered.
fn fingerprint(asked: &BTreeMap<Question, Option<String>>) -> String {
    let mut hash = Sha256::new();
    for (question, answer) in asked {
        let answer = answer.as_deref();
        // Lengths keep neighbours apart.
        let question = format!("{question:?}");
        let head = format!("{}:{question} {:?}:", question.len(), answer.map(str::len));
        hash.update(head.as_bytes());
        hash.update(answer.unwrap_or_default().as_bytes());
    }
    let digest = hash.finalize();
    digest
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// An environment that remembers what it was asked for, and what it said.
struct Witness<'e> {
    inner: &'e dyn Environment,
    asked: RefCell<BTreeMap<Question, Option<String>>>,
}

impl<'e> Witness<'e> {
    fn new(inner: &'e dyn Environment) -> Self {
        Self {
            inner,
            asked: RefCell::default(),
        }
    }

    /// Where a gateway listens does not change what it does.
    fn is_listener(name: &str) -> bool {
        matches!(name, "LINGATE_LISTEN" | "LINGATE_PORT")
    }

    fn note(&self, question: Question, answer: Option<&str>) {
        let answer = answer.map(str::to_owned);
        self.asked.borrow_mut().insert(question, answer);
    }
}

impl Environment for Witness<'_> {
    fn var(&self, name: &str) -> Option<String> {
        let value = self.inner.var(name);
        if !Self::is_listener(name) {
            let counting = value.as_deref().filter(|value| counts(value));
            self.note(Question::Variable(name.to_owned()), counting);
        }
        value
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        let text = self.inner.read(path);
        self.note(Question::File(path.to_owned()), text.as_deref().ok());
        text
    }

    fn home(&self) -> Option<PathBuf> {
        let home = self.inner.home();
        self.note(Question::Home, home.as_deref().and_then(Path::to_str));
        home
    }
}

#[cfg(test)]
mod tests {
    use lingate_config::FixedEnvironment;

    use super::*;
    use crate::scratch::Scratch;

    const KEY: (&str, &str) = ("MOONSHOT_API_KEY", "sk-one");
    const HOME: (&str, &str) = ("HOME", "/home/u");

    fn fingerprint(environment: &FixedEnvironment, path: Option<&str>) -> String {
        let loaded = load(path.map(Path::new), Listen::default(), environment);
        loaded
            .unwrap_or_else(|failure| panic!("{failure}"))
            .fingerprint
    }

    #[test]
    fn what_is_read_decides_the_fingerprint() {
        let base = FixedEnvironment::new([KEY, HOME]);
        let first = fingerprint(&base, None);
        assert_eq!(first.len(), 16);
        assert_eq!(fingerprint(&base, None), first);

        let unrelated = FixedEnvironment::new([KEY, HOME, ("EDITOR", "vi")]);
        assert_eq!(
            fingerprint(&unrelated, None),
            first,
            "a variable nobody asks for"
        );

        let after_env = FixedEnvironment::new([KEY, HOME, ("ANTHROPIC_API_KEY", "lingate-local")]);
        assert_eq!(fingerprint(&after_env, None), first, "our own token");

        let other_key = FixedEnvironment::new([("MOONSHOT_API_KEY", "sk-two"), HOME]);
        assert_ne!(fingerprint(&other_key, None), first, "another key");

        let file = |text: &str| base.clone().with_file("/c.toml", text);
        let with_file = fingerprint(&file("from_env = true"), Some("/c.toml"));
        assert_ne!(with_file, first, "a file");
        assert_ne!(
            fingerprint(&file("from_env = true\n"), Some("/c.toml")),
            with_file,
            "another text"
        );
    }

    #[test]
    fn the_listener_is_no_part_of_it() {
        let environment = FixedEnvironment::new([KEY, HOME]);
        let listen = Listen {
            address: None,
            port: Some(0),
        };
        let loaded = load(None, listen, &environment).unwrap_or_else(|failure| panic!("{failure}"));
        assert_eq!(loaded.config.server.listen.port(), 0);
        assert_eq!(loaded.fingerprint, fingerprint(&environment, None));
    }

    #[test]
    fn what_says_the_same_is_not_read_again() {
        let directory = Scratch::new();
        let path = directory.path().join("lingate.toml");
        let write = |text: &str| std::fs::write(&path, text).unwrap();
        write("from_env = false");
        let command_line = CommandLine::new(Some(path.clone()), Listen::default());
        assert_eq!(command_line.unchanged(""), None, "nothing was read yet");
        let first = command_line.load().unwrap();
        let files = Some(first.files.clone());
        assert!(first.files.contains(&path));
        assert_eq!(command_line.unchanged(&first.fingerprint), files);

        write("from_env = true");
        assert_eq!(command_line.unchanged(&first.fingerprint), None);
        let second = command_line.load().unwrap();
        assert_ne!(second.fingerprint, first.fingerprint);
        write("from_env = false");
        assert_eq!(command_line.unchanged(&second.fingerprint), None);

        // A configuration that was refused is none.
        write("from_env = 1");
        assert!(command_line.load().is_err());
        write("from_env = true");
        assert_eq!(
            command_line.unchanged(&second.fingerprint),
            Some(second.files)
        );
    }

    #[test]
    fn a_wrong_file_is_wrong_usage() {
        let environment = FixedEnvironment::new([HOME]).with_file("/c.toml", "defualt = 1");
        let failure = load(Some(Path::new("/c.toml")), Listen::default(), &environment)
            .err()
            .unwrap();
        assert_eq!(failure.code(), std::process::ExitCode::from(2));
        assert!(
            failure.to_string().contains("did you mean `default`"),
            "{failure}"
        );
    }
}
