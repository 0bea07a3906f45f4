//! Where the record lies: names of files in its folder, and that only their owner may read them.
//!
//! ```text
//! DIR/record/            0700
//!   record.db            rows; SQLite keeps record.db-wal and record.db-shm beside it
//!   segments/00000007.seg   bodies
//!   runs/42.lock         held while run 42 lives
//! ```

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::Error;

/// The folder of a record.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    root: PathBuf,
}

impl Place {
    pub(crate) fn new(dir: &Path) -> Self {
        Self {
            root: dir.join("record"),
        }
    }

    /// Makes the folders, or closes those that are there to everybody else.
    pub(crate) fn create(&self) -> Result<(), Error> {
        for dir in [&self.root, &self.segments(), &self.runs()] {
            private_dir(dir).map_err(Error::io(dir))?;
        }
        // SQLite would create it with the permissions of the umask, and gives its other files those of this one.
        private_file(&self.database()).map_err(Error::io(self.database()))?;
        Ok(())
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.root.join("record.db")
    }

    pub(crate) fn segments(&self) -> PathBuf {
        self.root.join("segments")
    }

    pub(crate) fn segment(&self, number: i64) -> PathBuf {
        self.segments().join(format!("{number:08}.seg"))
    }

    pub(crate) fn runs(&self) -> PathBuf {
        self.root.join("runs")
    }

    pub(crate) fn run_lock(&self, run: i64) -> PathBuf {
        self.runs().join(format!("{run}.lock"))
    }
}

fn private_dir(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    std::fs::set_permissions(dir, Permissions::from_mode(0o700))
}

/// Opens a file for reading and writing that only its owner may read, creating it if need be.
pub(crate) fn private_file(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    Ok(file)
}

/// Deletes a file; whether somebody else did so before does not matter.
pub(crate) fn remove_file(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Makes what was created in a folder survive a power cut.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_gone_already_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("1.seg");
        std::fs::write(&path, "x").unwrap();
        for _ in 0..2 {
            remove_file(&path).unwrap();
            assert!(!path.exists());
        }
        remove_file(dir.path()).unwrap_err();
    }
}
