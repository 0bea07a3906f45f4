//! Files that hold what was recorded: only their owner may read them, none that is there is replaced, and of one that
//! could not be written to its end nothing stays.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// Compression of what is written once and read seldom.
const LEVEL: i32 = 9;

/// Lines on their way into a file.
pub(crate) struct Lines {
    path: PathBuf,
    to: Option<To>,
}

enum To {
    Plain(BufWriter<File>),
    Packed(zstd::Encoder<'static, File>),
}

impl Lines {
    /// A new file.
    pub(crate) fn create(path: &Path) -> Result<Self, Failure> {
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600).open(path);
        let file = file.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => {
                Failure::usage(format!("`{}` is there already", path.display()))
                    .hint("choose another name: nothing is replaced")
            }
            _ => failed(path, &error),
        })?;
        let is_packed = path.extension().is_some_and(|extension| extension == "zst");
        let to = match is_packed {
            true => {
                To::Packed(zstd::Encoder::new(file, LEVEL).map_err(|error| failed(path, &error))?)
            }
            false => To::Plain(BufWriter::new(file)),
        };
        Ok(Self {
            path: path.to_owned(),
            to: Some(to),
        })
    }

    /// Writes a line.
    pub(crate) fn line(&mut self, line: &[u8]) -> Result<(), Failure> {
        let to: &mut dyn Write = match &mut self.to {
            Some(To::Plain(file)) => file,
            Some(To::Packed(file)) => file,
            None => return Ok(()),
        };
        let written = to.write_all(line).and_then(|()| to.write_all(b"\n"));
        written.map_err(|error| failed(&self.path, &error))
    }

    /// Everything is written; gives the file's length.
    pub(crate) fn finish(mut self) -> Result<u64, Failure> {
        let file = match self.to.take() {
            Some(To::Plain(file)) => file.into_inner().map_err(|error| error.into_error()),
            Some(To::Packed(file)) => file.finish(),
            None => return Ok(0),
        };
        let length = file.and_then(|file| {
            file.sync_all()?;
            Ok(file.metadata()?.len())
        });
        length.map_err(|error| {
            let _ = std::fs::remove_file(&self.path);
            failed(&self.path, &error)
        })
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        if self.to.take().is_some() {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    Failure::problem(format!("cannot write `{}`: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn a_file_is_its_owners_alone_and_whole_or_not_there() {
        let scratch = Scratch::new();
        for name in ["a.jsonl", "a.zst"] {
            let path = scratch.path().join(name);
            let mut lines = Lines::create(&path).unwrap();
            lines.line(b"one").unwrap();
            assert_eq!(
                Lines::create(&path).err().unwrap().code(),
                std::process::ExitCode::from(2)
            );
            let length = lines.finish().unwrap();
            let metadata = std::fs::metadata(&path).unwrap();
            assert_eq!(
                (metadata.permissions().mode() & 0o777, metadata.len()),
                (0o600, length)
            );
        }
        let path = scratch.path().join("b.jsonl");
        drop(Lines::create(&path).unwrap());
        assert!(!path.exists());
    }
}
