//! The results file: every result is added as soon as it is known, and a second run asks only for what is missing.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::record::{Record, Status};
use crate::failure::Failure;

/// A results file, open for more.
#[derive(Debug)]
pub(super) struct Results {
    path: PathBuf,
    file: File,
    known: HashMap<String, Record>,
}

impl Results {
    /// Opens a file, or begins one, for results of `model`.
    pub(super) fn open(path: &Path, model: &str) -> Result<Self, Failure> {
        let unusable = |error: std::io::Error| {
            Failure::usage(format!(
                "cannot use results file `{}`: {error}",
                path.display()
            ))
        };
        let text = match std::fs::read_to_string(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            read => read.map_err(unusable)?,
        };
        let known = known(&text, model).map_err(|line| foreign(path, line))?;
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .map_err(unusable)?;
        if !text.is_empty() && !text.ends_with('\n') {
            // An earlier run was ended while it wrote.
            file.write_all(b"\n").map_err(unusable)?;
        }
        let path = path.to_owned();
        Ok(Self { path, file, known })
    }

    /// The reply that is known already to what the hash names.
    pub(super) fn known(&self, hash: &str) -> Option<&Record> {
        self.known.get(hash)
    }

    /// Adds a result.
    pub(super) fn add(&mut self, record: &Record) -> Result<(), Failure> {
        let line = serde_json::to_string(record).map_err(std::io::Error::from);
        let written = line.and_then(|line| self.file.write_all(format!("{line}\n").as_bytes()));
        written.map_err(|error| {
            Failure::problem(format!("cannot write `{}`: {error}", self.path.display()))
        })
    }
}

/// The replies to be kept; failures are asked for again. Otherwise the number of a line that is none of ours; the last one
/// may be cut.
fn known(text: &str, model: &str) -> Result<HashMap<String, Record>, usize> {
    let mut known = HashMap::new();
    let n_lines = text.lines().count();
    for (number, line) in (1..).zip(text.lines()) {
        let record: Record = match serde_json::from_str(line) {
            Ok(record) => record,
            Err(_) if line.is_empty() || (number == n_lines && !text.ends_with('\n')) => continue,
            // One that was cut, and gone on behind.
            Err(error) if error.is_eof() => continue,
            Err(_) => return Err(number),
        };
        if record.model == model && record.status == Status::Success {
            known.insert(record.hash.clone(), record);
        }
    }
    Ok(known)
}

fn foreign(path: &Path, line: usize) -> Failure {
    Failure::usage(format!(
        "line {line} of `{}` is no result of `lingate verify`",
        path.display()
    ))
    .hint("name another file, or a new one")
}
