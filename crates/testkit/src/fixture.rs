//! Files that tests read.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// A folder of test data.
#[derive(Clone, Debug)]
pub struct Fixtures {
    folder: PathBuf,
}

impl Fixtures {
    /// The folder `path` below a crate: `Fixtures::of(env!("CARGO_MANIFEST_DIR"), "testdata/chat")`.
    pub fn of(crate_folder: &str, path: &str) -> Fixtures {
        Fixtures {
            folder: Path::new(crate_folder).join(path),
        }
    }

    /// A file's bytes.
    pub fn bytes(&self, name: &str) -> Vec<u8> {
        let path = self.folder.join(name);
        std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// A file's text.
    pub fn text(&self, name: &str) -> String {
        String::from_utf8(self.bytes(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// A file's JSON.
    pub fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&self.bytes(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// The files whose names end in `suffix`, sorted; an empty list is an error, so that no test runs over nothing.
    pub fn names(&self, suffix: &str) -> Vec<String> {
        let folder = std::fs::read_dir(&self.folder)
            .unwrap_or_else(|error| panic!("{}: {error}", self.folder.display()));
        let names = folder.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut names: Vec<String> = names.filter(|name| name.ends_with(suffix)).collect();
        assert!(
            !names.is_empty(),
            "no *{suffix} in {}",
            self.folder.display()
        );
        names.sort();
        names
    }
}
