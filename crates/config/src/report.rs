//! Collects problems while a configuration is read, and knows on which line each key stands.

use std::collections::BTreeMap;

use crate::problem::{Place, Problem, Problems};

/// A key's place in the document: table keys and list indices from the root.
pub(crate) type Path<'a> = &'a [&'a str];

/// Problems and warnings so far.
pub(crate) struct Report {
    file: Option<String>,
    lines: BTreeMap<Vec<String>, usize>,
    /// Keys that were found wrong and left out: what their lack causes is not reported again.
    left_out: Vec<Vec<String>>,
    /// What variables and files brought in, each with the reference that stands for it in messages.
    concealed: Vec<(String, String)>,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
}

impl Report {
    pub(crate) fn new(file: Option<String>) -> Self {
        Self {
            file,
            lines: BTreeMap::new(),
            left_out: Vec::new(),
            concealed: Vec::new(),
            problems: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Notes on which line the key at `path` stands.
    pub(crate) fn set_line(&mut self, path: Path<'_>, line: usize) {
        self.lines.insert(owned(path), line);
    }

    /// Whether the file holds the key at `path`, right or wrong.
    pub(crate) fn mentions(&self, path: Path<'_>) -> bool {
        self.lines.contains_key(&owned(path))
    }

    /// `value` came from outside the file and may be a secret: `reference` is shown in its place.
    pub(crate) fn conceal(&mut self, value: String, reference: String) {
        // Shorter values are no secrets, and would be found in other words.
        if value.len() >= 6 {
            self.concealed.push((value, reference));
        }
    }

    /// Whether a problem was reported.
    pub(crate) fn has_problems(&self) -> bool {
        !self.problems.is_empty()
    }

    /// The key at `path` is wrong and is left out of what follows.
    pub(crate) fn leave_out(&mut self, path: Path<'_>) {
        self.left_out.push(owned(path));
    }

    pub(crate) fn error(
        &mut self,
        path: Path<'_>,
        message: impl Into<String>,
        hint: Option<String>,
    ) {
        let related = |left_out: &Vec<String>| {
            let same = left_out.iter().zip(path).all(|(left, right)| left == right);
            same && !path.is_empty()
        };
        if self.left_out.iter().any(related) {
            return;
        }
        let problem = self.problem(path, message.into(), hint);
        self.problems.push(problem);
    }

    /// An error that stands whatever else is wrong with the key.
    pub(crate) fn error_in_document(
        &mut self,
        path: Path<'_>,
        message: impl Into<String>,
        hint: Option<String>,
    ) {
        let problem = self.problem(path, message.into(), hint);
        self.problems.push(problem);
    }

    /// An error on a line that belongs to no key.
    pub(crate) fn error_at_line(
        &mut self,
        line: usize,
        message: impl Into<String>,
        hint: Option<String>,
    ) {
        let mut problem = Problem::new(message, hint);
        problem.place = self.place_at(line);
        self.problems.push(problem);
    }

    pub(crate) fn warn(
        &mut self,
        path: Path<'_>,
        message: impl Into<String>,
        hint: Option<String>,
    ) {
        let problem = self.problem(path, message.into(), hint);
        self.warnings.push(problem);
    }

    /// Where the key at `path`, or the nearest key above it, stands. None outside the file.
    pub(crate) fn place(&self, path: Path<'_>) -> Option<Place> {
        let mut prefix = owned(path);
        while !prefix.is_empty() {
            if let Some(line) = self.lines.get(&prefix) {
                return self.place_at(*line);
            }
            prefix.pop();
        }
        None
    }

    /// The warnings, or the problems if there is one.
    pub(crate) fn finish(mut self) -> Result<Vec<Problem>, Problems> {
        if self.has_problems() {
            return Err(self.into_problems());
        }
        self.warnings.sort_by_key(line_of);
        Ok(self.warnings)
    }

    /// The problems, in the order of the file.
    pub(crate) fn into_problems(mut self) -> Problems {
        self.problems.sort_by_key(line_of);
        self.problems.dedup();
        Problems(self.problems)
    }

    fn problem(&self, path: Path<'_>, message: String, hint: Option<String>) -> Problem {
        let shown = |text: String| {
            let conceal = |text: String, (value, reference): &(String, String)| {
                text.replace(value, reference)
            };
            self.concealed.iter().fold(text, conceal)
        };
        Problem {
            place: self.place(path),
            message: shown(message),
            hint: hint.map(shown),
        }
    }

    fn place_at(&self, line: usize) -> Option<Place> {
        let file = self.file.clone()?;
        Some(Place { file, line })
    }
}

fn line_of(problem: &Problem) -> Option<usize> {
    problem.place.as_ref().map(|place| place.line)
}

/// `` `a`, `b` or `c` ``.
pub(crate) fn list(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => format!("`{one}`"),
        [rest @ .., last] => format!("`{}` or `{last}`", rest.join("`, `")),
    }
}

/// A did-you-mean hint, if some of `names` are near `written`.
pub(crate) fn did_you_mean<'n>(
    written: &str,
    names: impl IntoIterator<Item = &'n str>,
) -> Option<String> {
    let near = lingate_route::nearest(written, names);
    (!near.is_empty()).then(|| format!("did you mean {}?", list(&near)))
}

fn owned(path: Path<'_>) -> Vec<String> {
    path.iter().map(|&part| part.to_owned()).collect()
}
