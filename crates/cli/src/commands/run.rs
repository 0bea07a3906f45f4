//! `lingate run -- claude ...`: a client, pointed at a gateway that is there for it.

use std::cell::Cell;
use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use lingate_config::{Config, Environment, Secret, SystemEnvironment};
use tokio::process::Command;

use super::session::{self, Wishes};
use super::{VERSION, state_directory};
use crate::args::Run;
use crate::background::{self, Entry, StateDirectory, Wanted};
use crate::client::{Arguments, Client, Files, KEY_VARIABLE, Setup, arguments, quoted, setup};
use crate::configuration::{Listen, load};
use crate::failure::Failure;
use crate::{child, output};

/// A client that has not called by then probably calls somebody else.
const CALLS_WITHIN: Duration = Duration::from_secs(15);

/// Runs the client; its exit code is ours.
pub(crate) async fn run(args: Run, environment: &SystemEnvironment) -> Result<ExitCode, Failure> {
    let Some((command, given)) = args.command.split_first() else {
        return Err(Failure::usage("there is no command to run"));
    };
    let client = Client::of(command);
    let program = program(command, client, environment)?;
    let loaded = load(args.file.config.as_deref(), Listen::default(), environment)?;
    let key = key(&loaded.config, environment)?;
    let wishes = Wishes {
        profile: args.profile.as_deref(),
        model: args.model.as_deref(),
        small: args.small.as_deref(),
    };
    // Before a gateway is started for nothing: what is wished for must exist.
    session::target(&loaded.config, "", &wishes)?;

    let directory = state_directory(environment)?;
    let wanted = Wanted {
        fingerprint: &loaded.fingerprint,
        version: VERSION,
        config: args.file.config.as_deref(),
        file: loaded.config.sources.file.as_deref(),
        listen: None,
    };
    let lease = background::join_or_start(&directory, &wanted).await?;
    let target = session::target(&loaded.config, &lease.entry.url(), &wishes)?;
    let setup = setup(client, &target, &|name| environment.var(name));
    let kept = Kept::new(&directory);
    let files = Files {
        read: &|path| environment.read(Path::new(path)),
        keep: &|text| kept.write(text),
        mirror: &|folder, file, text| mirror(&directory.file("home"), folder, file, text),
        home: home(client, environment),
    };
    let arguments = arguments(
        client,
        &target,
        &setup,
        key.as_ref(),
        given.to_vec(),
        &files,
    )
    .map_err(|error| Failure::usage(error.to_string()))?;
    announce(&loaded.config, &lease.entry, command, &arguments, &setup);

    let mut process = Command::new(&program);
    process.args(&arguments.all);
    apply(&mut process, &setup, key.as_ref());
    if let Some((name, path)) = &arguments.place {
        process.env(name, path);
    }
    let gateway = lease.entry.clone();
    let calls = Calls::before(&gateway).await;
    let beside = async {
        tokio::join!(
            calls.watch(command),
            background::keep(lease, &directory, &wanted)
        );
    };
    let code = child::run(process, beside).await;
    calls.look_back(command).await;
    code.map_err(|error| Failure::problem(format!("cannot run `{}`: {error}", program.display())))
}

fn program(
    command: &OsStr,
    client: Client,
    environment: &dyn Environment,
) -> Result<PathBuf, Failure> {
    child::find(command, environment.var("PATH").as_deref()).ok_or_else(|| {
        let name = command.to_string_lossy();
        let failure = Failure::no_command(format!("there is no command `{name}`"));
        match client.install() {
            Some(install) => failure.hint(format!("`{install}` installs it")),
            None => failure.hint("is it installed, and in a directory of `PATH`?"),
        }
    })
}

/// The user's key, where the gateway asks for one.
fn key(config: &Config, environment: &dyn Environment) -> Result<Option<Secret>, Failure> {
    if !session::asks_for_key(config) {
        return Ok(None);
    }
    let key = environment.var(KEY_VARIABLE).ok_or_else(session::no_key)?;
    Ok(Some(Secret::new(key)))
}

fn apply(process: &mut Command, setup: &Setup, key: Option<&Secret>) {
    for removal in &setup.unset {
        process.env_remove(removal.name);
    }
    for variable in &setup.set {
        process.env(variable.name, variable.value.expose(key));
    }
}

/// Says what is about to happen, before the client takes the screen.
fn announce(
    config: &Config,
    gateway: &Entry,
    command: &OsStr,
    arguments: &Arguments,
    setup: &Setup,
) {
    let answers = config
        .routes
        .global
        .default
        .as_deref()
        .unwrap_or("nothing but the models it lists");
    output::say(&format!(
        "{} is the gateway, {answers} the default",
        gateway.url()
    ));
    if config.sources.keys.is_empty() && answers == lingate_config::DEMO {
        output::say(
            "no provider key found: the built-in demo answers; `lingate providers` lists what a key can be for",
        );
    }
    if let Some(log) = &gateway.log {
        output::say(&format!("its log is {}", log.display()));
    }
    if let Some(added) = &arguments.added {
        output::say(&format!(
            "added to the command line: {} {added}",
            quoted(&command.to_string_lossy())
        ));
    }
    let set = setup.set.iter().map(|variable| variable.name);
    let of_place = arguments.place.iter().map(|(name, _)| *name);
    let names: Vec<&str> = set.chain(of_place).collect();
    output::say(&format!("set in its environment: {}", names.join(", ")));
}

/// Whether the client calls the gateway at all.
struct Calls<'a> {
    gateway: &'a Entry,
    /// Exchanges before it ran; none if the gateway did not say.
    before: Option<u64>,
    /// A client that draws on this screen: nothing may be written over it, and its user may just be thinking.
    interactive: bool,
    /// Whether it has run for long enough to have called.
    due: Cell<bool>,
}

impl<'a> Calls<'a> {
    async fn before(gateway: &'a Entry) -> Self {
        let terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
        Self {
            before: exchanges(gateway).await,
            due: Cell::new(false),
            interactive: terminal && io::stderr().is_terminal(),
            gateway,
        }
    }

    /// Says after a while that the client has not called.
    async fn watch(&self, command: &OsStr) {
        tokio::time::sleep(CALLS_WITHIN).await;
        self.due.set(true);
        if !self.interactive && self.none_came().await {
            let command = command.to_string_lossy();
            self.explain(&format!(
                "`{command}` has not called the gateway for {} s",
                CALLS_WITHIN.as_secs()
            ));
        }
    }

    /// Says it once the screen is free again.
    async fn look_back(&self, command: &OsStr) {
        if self.interactive && self.due.get() && self.none_came().await {
            self.explain(&format!(
                "`{}` never called the gateway",
                command.to_string_lossy()
            ));
        }
    }

    async fn none_came(&self) -> bool {
        self.before.is_some() && exchanges(self.gateway).await == self.before
    }

    fn explain(&self, what: &str) {
        output::say(what);
        output::say(
            "  it may wait for input, or managed settings or a profile of its own point it elsewhere,",
        );
        output::say(&format!(
            "  or a proxy does not except {}",
            self.gateway.address.ip()
        ));
        if let Some(log) = &self.gateway.log {
            output::say(&format!("  what the gateway saw is in {}", log.display()));
        }
    }
}

async fn exchanges(gateway: &Entry) -> Option<u64> {
    let health = background::health(gateway).await.ok()?;
    Some(health.exchanges)
}

/// The home that a client would use.
fn home(client: Client, environment: &dyn Environment) -> PathBuf {
    let moved = client
        .home_variable()
        .and_then(|name| environment.var(name));
    moved
        .or_else(|| environment.var("HOME"))
        .map(PathBuf::from)
        .unwrap_or_default()
}

/// Makes `home` one in which the user's `folder` is there by links, but for `file`, which holds `text`. It stays: what
/// the client adds beside the links is there the next time.
fn mirror(home: &Path, folder: &Path, file: &str, text: &str) -> io::Result<PathBuf> {
    let ours = home.join(folder.file_name().unwrap_or_default());
    std::fs::create_dir_all(&ours)?;
    let theirs = match std::fs::read_dir(folder) {
        Ok(entries) => entries.collect::<io::Result<Vec<_>>>()?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    for entry in theirs {
        let link = ours.join(entry.file_name());
        // What is there already is a link of an earlier run, or newer than what the user has.
        if entry.file_name() != file && link.symlink_metadata().is_err() {
            std::os::unix::fs::symlink(entry.path(), link)?;
        }
    }
    // Whole or not at all: another client may be reading it.
    let fresh = ours.join(format!("{file}.{}", std::process::id()));
    let _ = std::fs::remove_file(&fresh);
    background::private(OpenOptions::new().write(true).create_new(true), &fresh)?
        .write_all(text.as_bytes())?;
    std::fs::rename(&fresh, ours.join(file))?;
    Ok(home.to_owned())
}

/// A file that holds the client's settings for as long as it runs.
struct Kept {
    path: PathBuf,
}

impl Kept {
    fn new(directory: &StateDirectory) -> Self {
        Self {
            path: directory.file(&format!("settings-{}.json", std::process::id())),
        }
    }

    fn write(&self, text: &str) -> io::Result<PathBuf> {
        // A process of our id that was killed may have left one.
        let _ = std::fs::remove_file(&self.path);
        let mut file =
            background::private(OpenOptions::new().write(true).create_new(true), &self.path)?;
        file.write_all(text.as_bytes())?;
        Ok(self.path.clone())
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn a_mirror_shows_the_users_folder_but_for_one_file() {
        let scratch = Scratch::new();
        let theirs = scratch.path().join("user/.agent");
        std::fs::create_dir_all(theirs.join("memory")).unwrap();
        std::fs::write(theirs.join("settings.json"), "theirs").unwrap();
        std::fs::write(theirs.join("notes"), "note").unwrap();
        let home = scratch.path().join("state/home");
        for text in ["ours", "ours again"] {
            let made = mirror(&home, &theirs, "settings.json", text).unwrap();
            let read =
                |name: &str| std::fs::read_to_string(made.join(".agent").join(name)).unwrap();
            assert_eq!(
                (read("settings.json").as_str(), read("notes").as_str()),
                (text, "note")
            );
        }
        std::fs::write(home.join(".agent/memory/new"), "kept").unwrap();
        assert!(theirs.join("memory/new").exists(), "the folder is theirs");
        assert_eq!(
            std::fs::read_to_string(theirs.join("settings.json")).unwrap(),
            "theirs"
        );
    }

    #[test]
    fn a_mirror_of_nothing_is_a_home_with_the_file() {
        let scratch = Scratch::new();
        let home = scratch.path().join("home");
        let made = mirror(
            &home,
            &scratch.path().join("none/.agent"),
            "settings.json",
            "{}",
        )
        .unwrap();
        assert_eq!(
            std::fs::read_to_string(made.join(".agent/settings.json")).unwrap(),
            "{}"
        );
    }
}
