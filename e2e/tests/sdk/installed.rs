//! Where `e2e/install-sdk` put the SDKs, and what runs them.
//!
//! As with other clients, a missing set prints `skipped: needs X`, is noted for `make`'s summary, and is a failure
//! with `LINGATE_NO_SKIP=1`.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use lingate_e2e::Home;
use tokio::process::Command;

/// A locked set of packages together with the interpreter that they were installed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Set {
    /// Current Python SDKs and frameworks.
    Python,
    /// The last Anthropic SDK for Python before 1.0.
    Python0x,
    /// The TypeScript SDKs, on Node.
    Node,
}

impl Set {
    /// A command that runs `e2e/sdk/SCRIPT` in this home; none where the set is missing.
    pub(crate) fn command(self, home: &Home, script: &str) -> Option<Command> {
        let place = self.place()?;
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("sdk");
        let mut command = match self {
            Set::Python | Set::Python0x => {
                let mut command = home.command(&place.join("python"));
                command
                    .env("PYTHONPATH", place.join("packages"))
                    .env("PYTHONDONTWRITEBYTECODE", "1");
                command.arg(scripts.join("python").join(script));
                command
            }
            Set::Node => {
                // Node looks for packages beside the script: a copy of it has its own.
                let folder = home.path().join("sdk");
                fs::create_dir_all(&folder).expect("folders can be made");
                for entry in fs::read_dir(scripts.join("node")).expect("the scripts are there") {
                    let entry = entry.expect("the folder can be read");
                    fs::copy(entry.path(), folder.join(entry.file_name()))
                        .expect("files can be copied");
                }
                std::os::unix::fs::symlink(place.join("node_modules"), folder.join("node_modules"))
                    .expect("links can be made");
                let mut command = home.command(&place.join("node"));
                command.arg(folder.join(script));
                command
            }
        };
        command.env("NO_PROXY", "127.0.0.1");
        Some(command)
    }

    fn place(self) -> Option<PathBuf> {
        let name = match self {
            Set::Python => "sdk-python",
            Set::Python0x => "sdk-python-0x",
            Set::Node => "sdk-node",
        };
        let clients = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients");
        let place = clients.join(name);
        if place.exists() {
            return Some(place);
        }
        let hint = "run `e2e/install-sdk`, which needs npm and python3-venv";
        assert!(
            std::env::var_os("LINGATE_NO_SKIP").is_none(),
            "{name} is not installed: {hint}"
        );
        eprintln!("skipped: needs {name} ({hint})");
        let notes = OpenOptions::new()
            .create(true)
            .append(true)
            .open(clients.join("skipped"));
        // The note is for the summary only; a read-only checkout still has the line above.
        if let Ok(mut notes) = notes {
            let test = std::thread::current();
            let _ = writeln!(notes, "{} needs {name}", test.name().unwrap_or("a test"));
        }
        None
    }
}
