//! Which running gateways a command means: those of its configuration, or the only one there is.

use std::path::Path;

use lingate_config::SystemEnvironment;

use super::VERSION;
use crate::background::{Entry, StateDirectory, running};
use crate::configuration::{Listen, load};
use crate::failure::Failure;

/// The gateways meant; never empty.
pub(crate) fn gateways(
    directory: &StateDirectory,
    file: Option<&Path>,
    all: bool,
    environment: &SystemEnvironment,
) -> Result<Vec<Entry>, Failure> {
    let entries = running(directory).map_err(|error| {
        Failure::problem(format!(
            "cannot read `{}`: {error}",
            directory.path().display()
        ))
    })?;
    let own = load(file, Listen::default(), environment).ok();
    choose(entries, own.map(|own| own.fingerprint).as_deref(), all)
}

fn choose(
    mut entries: Vec<Entry>,
    fingerprint: Option<&str>,
    all: bool,
) -> Result<Vec<Entry>, Failure> {
    if entries.is_empty() {
        return Err(Failure::problem("no gateway runs"));
    }
    if all || entries.len() == 1 {
        return Ok(entries);
    }
    entries.retain(|entry| {
        Some(entry.fingerprint.as_str()) == fingerprint && entry.version == VERSION
    });
    if entries.is_empty() {
        return Err(
            Failure::problem("several gateways run, none of them with this configuration").hint(
                "`lingate status` lists them; name one's file with `--config FILE`, or all with `--all`",
            ),
        );
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(fingerprint: &str) -> Entry {
        Entry {
            instance: "i".to_owned(),
            pid: 7,
            address: "127.0.0.1:8484".parse().unwrap(),
            version: VERSION.to_owned(),
            fingerprint: fingerprint.to_owned(),
            config: None,
            background: true,
            log: None,
        }
    }

    #[test]
    fn what_is_meant_is_what_ends() {
        let check =
            |running: &[&str], own: Option<&str>, all: bool, expected: Result<&[&str], &str>| {
                let entries = running.iter().copied().map(entry).collect();
                match (choose(entries, own, all), expected) {
                    (Ok(chosen), Ok(expected)) => {
                        let chosen: Vec<&str> = chosen
                            .iter()
                            .map(|entry| entry.fingerprint.as_str())
                            .collect();
                        assert_eq!(chosen, expected);
                    }
                    (Err(failure), Err(expected)) => {
                        assert!(failure.to_string().starts_with(expected), "{failure}")
                    }
                    (chosen, expected) => {
                        panic!("{running:?} {own:?}: {:?} for {expected:?}", chosen.is_ok())
                    }
                }
            };
        check(&[], Some("a"), false, Err("no gateway runs"));
        check(&["a"], Some("a"), false, Ok(&["a"]));
        check(&["b"], Some("a"), false, Ok(&["b"]));
        check(&["a", "b"], Some("a"), false, Ok(&["a"]));
        check(&["b", "c"], Some("a"), false, Err("several gateways run"));
        check(&["b", "c"], None, false, Err("several gateways run"));
        check(&["b", "c"], None, true, Ok(&["b", "c"]));
    }
}
