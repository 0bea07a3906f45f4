//! A place of its own for every test.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use lingate_testkit::{Traced, canary};
use tempfile::TempDir;
use tokio::process::Command;

use crate::replayed;

/// A temporary `$HOME` with a project folder in it. Dropping it ends what still runs, searches what that left for the
/// keys of the configuration, runs its sessions again, and removes everything.
pub struct Home {
    // Dropped first: nothing may write into a folder that is being removed.
    traced: Traced,
    /// Files that the test wrote: keys may stand in them.
    own: Mutex<Vec<PathBuf>>,
    /// When the configuration was last exchanged for another: what was before ran with the one before.
    configured: Mutex<Option<Timestamp>>,
    folder: TempDir,
}

impl Default for Home {
    fn default() -> Home {
        Home::new()
    }
}

impl Home {
    /// An empty home.
    pub fn new() -> Home {
        let folder = tempfile::Builder::new()
            .prefix("e2e-home-")
            .tempdir()
            .expect("a temporary folder");
        for inner in ["project", "bin", "run"] {
            fs::create_dir(folder.path().join(inner)).expect("the folder is new");
        }
        Home {
            traced: Traced::new(),
            own: Mutex::default(),
            configured: Mutex::default(),
            folder,
        }
    }

    /// `$HOME` itself.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A path in the project folder, which is where clients start.
    pub fn project(&self, name: &str) -> PathBuf {
        self.path().join("project").join(name)
    }

    /// As [`Home::project`], for use in prompts and tool inputs.
    pub fn project_str(&self, name: &str) -> String {
        self.project(name).display().to_string()
    }

    /// Writes a file below `$HOME`, with its folders.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let (name, path) = (path, self.path().join(path));
        fs::create_dir_all(path.parent().expect("a file below the home"))
            .expect("folders can be made");
        let content = content.as_ref();
        if name == "lingate.toml" && fs::read(&path).is_ok_and(|before| before != content) {
            self.run_again();
            let mut configured = self
                .configured
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            *configured = Some(Timestamp::now());
        }
        fs::write(&path, content).expect("files can be written");
        canary::plant_settings(&String::from_utf8_lossy(content));
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        own.push(path.clone());
        path
    }

    /// A file's text below `$HOME`.
    pub fn read(&self, path: &str) -> String {
        let path = self.path().join(path);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Puts a program on this home's `PATH`.
    pub fn link(&self, name: &str, program: &Path) {
        std::os::unix::fs::symlink(program, self.path().join("bin").join(name))
            .expect("links can be made");
    }

    /// A command that sees this home and nothing of the caller's environment.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .envs(self.environment())
            .current_dir(self.path().join("project"));
        command
    }

    /// The variables of [`Home::command`].
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let path = format!(
            "{}:/usr/local/bin:/usr/bin:/bin",
            self.path().join("bin").display()
        );
        vec![
            ("HOME", self.path().display().to_string()),
            ("PATH", path),
            ("TERM", "dumb".to_owned()),
            ("LANG", "C.UTF-8".to_owned()),
            (
                "XDG_RUNTIME_DIR",
                self.path().join("run").display().to_string(),
            ),
            (Traced::VARIABLE, self.traced.mark().to_owned()),
        ]
    }

    /// Processes of this test that run now.
    pub fn processes(&self) -> Vec<(i32, String)> {
        self.traced.survivors()
    }

    /// Runs again what was recorded with the present configuration.
    fn run_again(&self) {
        let configured = self.configured.lock();
        let since = *configured.unwrap_or_else(PoisonError::into_inner);
        replayed::check(self.folder.path(), since);
    }

    /// Waits until nothing of this test runs any more.
    ///
    /// # Panics
    /// When something still does after half a minute.
    pub async fn is_quiet(&self) {
        self.traced.all_gone(Duration::from_secs(30)).await;
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // Nothing may write any more into what is searched.
        drop(std::mem::take(&mut self.traced));
        let own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        if !std::thread::panicking() {
            canary::none(&canary::found_below(self.folder.path(), &own));
            self.run_again();
        }
    }
}
