//! From a path and an environment to a configuration.

use std::io;
use std::path::PathBuf;

use crate::config::Config;
use crate::document::{self, Node};
use crate::environment::Environment;
use crate::file::{self, File};
use crate::problem::{Place, Problem, Problems};
use crate::report::Report;
use crate::resolve;

/// What the command line says about the configuration.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions<'a> {
    /// `--config`; searched for if left out.
    pub path: Option<PathBuf>,
    /// `--listen`, `IP` or `IP:PORT`; over `server.listen`.
    pub listen: Option<String>,
    /// `--port`; over the port of both.
    pub port: Option<u16>,
    /// Every known quirk and group of quirks. Empty skips the check.
    pub quirks: &'a [&'a str],
}

impl Config {
    /// Reads, validates and resolves the configuration.
    ///
    /// The file is `options.path`, `$LINGATE_CONFIG`, or `$XDG_CONFIG_HOME/lingate/lingate.toml` (`~/.config`
    /// without it); never one of the working directory. Only the last may be missing.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn load(
        options: &LoadOptions<'_>,
        environment: &dyn Environment,
    ) -> Result<Self, Problems> {
        let path = match options
            .path
            .clone()
            .or_else(|| environment.var("LINGATE_CONFIG").map(PathBuf::from))
        {
            Some(path) => Some((path, true)),
            None => default_path(environment).map(|path| (path, false)),
        };
        let Some((path, must_exist)) = path else {
            return Self::from_text(None, "", options, environment);
        };
        match environment.read(&path) {
            Ok(text) => Self::from_text(Some(path), &text, options, environment),
            Err(error) if error.kind() == io::ErrorKind::NotFound && !must_exist => {
                Self::from_text(None, "", options, environment)
            }
            Err(error) => {
                let mut problem =
                    Problem::new(format!("cannot read the configuration: {error}"), None);
                if error.kind() == io::ErrorKind::NotFound {
                    problem.hint = Some("`lingate init` writes one".to_owned());
                }
                problem.place = Some(Place {
                    file: path.display().to_string(),
                    line: 0,
                });
                Err(Problems(vec![problem]))
            }
        }
    }

    /// The configuration of this text, as if it stood in the file at `path`.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn from_text(
        path: Option<PathBuf>,
        text: &str,
        options: &LoadOptions<'_>,
        environment: &dyn Environment,
    ) -> Result<Self, Problems> {
        let name = path.as_ref().map(|path| path.display().to_string());
        let mut report = Report::new(name);
        let Some(mut document) = document::parse(text, environment, &mut report) else {
            return Err(report.into_problems());
        };
        document::validate(&mut document, &file::schema(), &mut report);
        let file = read(&document, &mut report);
        let mut config = resolve::resolve(file, &document, options, environment, &mut report);
        for (id, problem) in config.own_listeners(config.server.listen) {
            report.error(
                &["providers", id, "base_url"],
                problem.message,
                problem.hint,
            );
        }
        config.sources.file = path;
        config.warnings = report.finish()?;
        Ok(config)
    }
}

/// The types of a tree that fits their schema. A tree that does not fit them all the same is a fault of the schema,
/// reported rather than hidden.
fn read(document: &Node, report: &mut Report) -> File {
    serde_json::from_value(document.clone().into_json()).unwrap_or_else(
        |error: serde_json::Error| {
            report.error(&[], format!("cannot read the configuration: {error}"), None);
            File::default()
        },
    )
}

fn default_path(environment: &dyn Environment) -> Option<PathBuf> {
    let own = environment.var("XDG_CONFIG_HOME").map(PathBuf::from);
    // A relative directory is to be ignored, says the specification.
    let own = own.filter(|path| path.is_absolute());
    let folder = own.or_else(|| Some(environment.home()?.join(".config")))?;
    Some(folder.join("lingate").join("lingate.toml"))
}
