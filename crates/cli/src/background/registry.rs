//! The state files of running gateways.
//!
//! A gateway writes its file under a name of its own, locks it, and only then gives it the name that others look for.
//! So whoever finds a file that is not locked has found what a dead process left, and removes it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::directory::{StateDirectory, private};

const PREFIX: &str = "gateway-";
const SUFFIX: &str = ".json";

/// What a running gateway says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Tells this process from every other; shown with control requests.
    pub(crate) instance: String,
    /// Its process id.
    pub(crate) pid: u32,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// The version it was built as.
    pub(crate) version: String,
    /// What it runs on, see [`crate::configuration`].
    pub(crate) fingerprint: String,
    /// The configuration file, if it has one.
    pub(crate) config: Option<PathBuf>,
    /// Whether `run` started it, so that it ends after its last session.
    pub(crate) background: bool,
    /// Its log file; none if it logs to standard error.
    pub(crate) log: Option<PathBuf>,
}

impl Entry {
    /// The URL that clients on this machine reach it at.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", reachable(self.address))
    }
}

/// The address that reaches a listener: for one that listens on every address, the loopback.
pub(crate) fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

/// A gateway's own entry. Dropped, it is gone, and whoever waits for the gateway's end is told.
#[derive(Debug)]
pub(crate) struct Registration {
    path: PathBuf,
    /// Keeps the lock.
    file: File,
    entry: Entry,
}

impl Registration {
    /// The gateway runs on another configuration now.
    pub(crate) fn update(&mut self, fingerprint: &str, config: Option<&Path>) -> io::Result<()> {
        self.entry.fingerprint = fingerprint.to_owned();
        self.entry.config = config.map(Path::to_owned);
        let mut text = serde_json::to_vec(&self.entry)?;
        // One write in place, never shorter than what it covers: the file has to stay the one that is locked, and who
        // reads it meanwhile finds a whole entry.
        let before = usize::try_from(self.file.metadata()?.len()).unwrap_or(usize::MAX);
        text.resize(text.len().max(before), b' ');
        self.file.write_all_at(&text, 0)
    }

    /// From here on nobody finds the gateway. Its end is still to come: that is when this is dropped.
    pub(crate) fn withdraw(&mut self) {
        // What cannot be removed is unlocked at the end, and whoever looks then removes it.
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.withdraw();
    }
}

/// Enters a gateway.
pub(crate) fn register(directory: &StateDirectory, entry: &Entry) -> io::Result<Registration> {
    directory.create()?;
    let path = path(directory, entry);
    let unnamed = path.with_extension("new");
    let mut file = private(OpenOptions::new().write(true).create_new(true), &unnamed)?;
    file.write_all(&serde_json::to_vec(entry)?)?;
    file.lock()?;
    std::fs::rename(&unnamed, &path)?;
    let entry = entry.clone();
    Ok(Registration { path, file, entry })
}

/// The gateways that run, the oldest first. Removes what dead ones left.
pub(crate) fn running(directory: &StateDirectory) -> io::Result<Vec<Entry>> {
    let listing = match std::fs::read_dir(directory.path()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        listing => listing?,
    };
    let mut found = Vec::new();
    for item in listing {
        let path = item?.path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if name.starts_with(PREFIX) && name.ends_with(SUFFIX) {
            found.extend(read(&path)?);
        }
    }
    // Instances begin with their time.
    found.sort_by(|left, right| left.instance.cmp(&right.instance));
    Ok(found)
}

/// The end of a gateway, for who waits for it.
pub(crate) struct Ending(Option<File>);

impl Ending {
    /// Of a gateway that has not been told to end: one that ends is not found any more.
    pub(crate) fn of(directory: &StateDirectory, entry: &Entry) -> Self {
        Self(File::open(path(directory, entry)).ok())
    }

    /// Waits for it, for `limit` at most; whether it has come.
    pub(crate) async fn within(self, limit: Duration) -> bool {
        let Some(file) = self.0 else {
            return true;
        };
        // The lock is ours once the gateway is gone.
        let waited = tokio::task::spawn_blocking(move || file.lock_shared());
        matches!(tokio::time::timeout(limit, waited).await, Ok(Ok(Ok(()))))
    }
}

fn path(directory: &StateDirectory, entry: &Entry) -> PathBuf {
    directory.file(&format!("{PREFIX}{}{SUFFIX}", entry.instance))
}

/// The entry at `path`, if its gateway lives.
fn read(path: &Path) -> io::Result<Option<Entry>> {
    let mut file = match File::open(path) {
        // Its gateway ended since the directory was listed.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(error)) => return Err(error),
        Ok(()) => {
            let _ = std::fs::remove_file(path);
            return Ok(None);
        }
    }
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    // An entry we cannot read is a newer version's: it runs, but is nothing we could join.
    Ok(serde_json::from_str(&text).ok())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::scratch::Scratch;

    pub(crate) fn entry(instance: &str) -> Entry {
        Entry {
            instance: instance.to_owned(),
            pid: 1,
            address: "127.0.0.1:1".parse().unwrap(),
            version: "0".to_owned(),
            fingerprint: "f".to_owned(),
            config: None,
            background: true,
            log: None,
        }
    }

    fn instances(directory: &StateDirectory) -> Vec<String> {
        let entries = running(directory).unwrap();
        entries.into_iter().map(|entry| entry.instance).collect()
    }

    #[test]
    fn an_entry_lasts_as_long_as_its_registration() {
        let scratch = Scratch::new();
        let directory = StateDirectory::at(&scratch.path().join("state"));
        assert!(instances(&directory).is_empty());
        let second = register(&directory, &entry("2")).unwrap();
        let _first = register(&directory, &entry("1")).unwrap();
        assert_eq!(running(&directory).unwrap()[0], entry("1"));
        assert_eq!(instances(&directory), ["1", "2"]);
        drop(second);
        assert_eq!(instances(&directory), ["1"]);
    }

    #[test]
    fn an_entry_follows_a_reload() {
        let scratch = Scratch::new();
        let directory = StateDirectory::at(scratch.path());
        let mut registration = register(&directory, &entry("1")).unwrap();
        for (fingerprint, config) in [("f2", Some("/home/u/l.toml")), ("f3", None)] {
            let config = config.map(Path::new);
            registration.update(fingerprint, config).unwrap();
            let listed = running(&directory).unwrap();
            assert_eq!(listed.len(), 1);
            assert_eq!(listed[0].fingerprint, fingerprint);
            assert_eq!(listed[0].config.as_deref(), config);
        }
    }

    #[tokio::test]
    async fn an_end_is_waited_for() {
        let scratch = Scratch::new();
        let directory = StateDirectory::at(scratch.path());
        let mut registration = register(&directory, &entry("1")).unwrap();
        let entry = entry("1");
        let ending = || Ending::of(&directory, &entry);
        let [early, late] = [ending(), ending()];
        assert!(!ending().within(Duration::from_millis(20)).await);
        registration.withdraw();
        assert!(instances(&directory).is_empty());
        assert!(!early.within(Duration::from_millis(20)).await);
        let (has_ended, ()) = tokio::join!(late.within(Duration::from_secs(20)), async {
            tokio::task::yield_now().await;
            drop(registration);
        });
        assert!(has_ended);
        assert!(ending().within(Duration::ZERO).await);
    }

    #[test]
    fn what_a_dead_gateway_left_is_removed() {
        let scratch = Scratch::new();
        let directory = StateDirectory::at(scratch.path());
        let left = directory.file("gateway-9.json");
        std::fs::write(&left, serde_json::to_vec(&entry("9")).unwrap()).unwrap();
        assert!(instances(&directory).is_empty());
        assert!(!left.exists());
    }

    #[test]
    fn other_files_are_left_alone() {
        let scratch = Scratch::new();
        let directory = StateDirectory::at(scratch.path());
        for name in ["launch-f.lock", "gateway-f.log", "notes.json"] {
            std::fs::write(directory.file(name), "{}").unwrap();
        }
        assert!(instances(&directory).is_empty());
        assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 3);
    }

    #[test]
    fn clients_reach_a_listener_on_every_address_at_the_loopback() {
        let check = |listen: &str, expected: &str| {
            let address = listen.parse().unwrap();
            assert_eq!(
                Entry {
                    address,
                    ..entry("1")
                }
                .url(),
                expected
            );
        };
        check("127.0.0.1:8484", "http://127.0.0.1:8484");
        check("0.0.0.0:80", "http://127.0.0.1:80");
        check("[::]:80", "http://[::1]:80");
        check("192.168.0.2:80", "http://192.168.0.2:80");
    }
}
