//! Where running gateways leave their traces: `$XDG_STATE_HOME/lingate`, readable by its owner only.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use lingate_config::Environment;

/// A log above this size is put aside before the next gateway writes to it.
const LOG_LIMIT: u64 = 10 << 20;

/// The directory of state files, locks and logs.
#[derive(Debug, Clone)]
pub(crate) struct StateDirectory(PathBuf);

impl StateDirectory {
    /// The directory of this user, which need not exist; none without a home.
    pub(crate) fn of(environment: &dyn Environment) -> Option<Self> {
        let own = environment.var("XDG_STATE_HOME").map(PathBuf::from);
        let own = own.filter(|path| path.is_absolute());
        let folder = own.or_else(|| Some(environment.home()?.join(".local").join("state")))?;
        Some(Self(folder.join("lingate")))
    }

    /// The directory at `path`.
    #[cfg(test)]
    pub(crate) fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Makes it if it is not there.
    pub(crate) fn create(&self) -> io::Result<()> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.0)
    }

    /// A file in it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The directory's path.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The lock that one launcher holds while it looks for, or starts, the gateway of this configuration.
    pub(crate) fn launch_lock(&self, fingerprint: &str) -> io::Result<File> {
        private(
            OpenOptions::new().create(true).append(true),
            &self.file(&format!("launch-{fingerprint}.lock")),
        )
    }

    /// The log of background gateways of this configuration, for appending.
    pub(crate) fn log(&self, fingerprint: &str) -> io::Result<(PathBuf, File)> {
        let path = self.file(&format!("gateway-{fingerprint}.log"));
        if std::fs::metadata(&path).is_ok_and(|metadata| metadata.len() > LOG_LIMIT) {
            std::fs::rename(&path, path.with_extension("log.1"))?;
        }
        let log = private(OpenOptions::new().create(true).append(true), &path)?;
        Ok((path, log))
    }
}

/// Opens a file that only its owner may read.
pub(crate) fn private(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    options.mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use lingate_config::FixedEnvironment;

    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn the_specification_decides_where_it_is() {
        let check = |variables: &[(&str, &str)], expected: Option<&str>| {
            let environment = FixedEnvironment::new(variables.iter().copied());
            let directory = StateDirectory::of(&environment);
            assert_eq!(
                directory.map(|directory| directory.0),
                expected.map(PathBuf::from)
            );
        };
        check(&[("HOME", "/home/u")], Some("/home/u/.local/state/lingate"));
        check(
            &[("HOME", "/home/u"), ("XDG_STATE_HOME", "/s")],
            Some("/s/lingate"),
        );
        check(
            &[("HOME", "/home/u"), ("XDG_STATE_HOME", "rel")],
            Some("/home/u/.local/state/lingate"),
        );
        check(&[], None);
    }

    #[test]
    fn only_its_owner_can_read_it() {
        let scratch = Scratch::new();
        let directory = StateDirectory::at(&scratch.path().join("a/lingate"));
        directory.create().unwrap();
        directory.create().unwrap();
        let (log, _) = directory.log("f").unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(directory.path()), 0o700);
        assert_eq!(mode(&log), 0o600);
    }

    #[test]
    fn a_large_log_is_put_aside() {
        let scratch = Scratch::new();
        let directory = StateDirectory::at(scratch.path());
        let (path, file) = directory.log("f").unwrap();
        file.set_len(LOG_LIMIT + 1).unwrap();
        let (again, file) = directory.log("f").unwrap();
        assert_eq!(again, path);
        assert_eq!(file.metadata().unwrap().len(), 0);
        assert!(path.with_extension("log.1").exists());
    }
}
