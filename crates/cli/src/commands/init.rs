//! `lingate init`: a commented configuration from the keys in the environment.
//!
//! Keys stay where they are: the file refers to their variables. A file that is there is not replaced unasked.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use lingate_config::{Config, Environment, Kind, Preset, Provider, presets};

use crate::args::Init;
use crate::background::private;
use crate::failure::Failure;
use crate::output;

/// Writes the file and says what to do next.
pub(crate) fn run(args: Init, environment: &dyn Environment) -> Result<(), Failure> {
    // As if there were no file: only what the environment brings.
    let found = Config::from_text(
        None,
        "",
        &lingate_config::LoadOptions::default(),
        environment,
    )
    .map_err(|problems| Failure::usage(problems.to_string()))?;
    let text = file(&found);
    if args.stdout {
        return output::write(&text);
    }
    let path = args
        .config
        .or_else(|| default_path(environment))
        .ok_or_else(|| {
            Failure::usage("there is no place for the configuration")
                .hint("name one with `--config FILE`, or set `HOME`")
        })?;
    if !args.force && path.exists() {
        return Err(
            Failure::problem(format!("`{}` is there already", path.display()))
                .hint("`lingate check` says what it leads to")
                .hint("`--force` replaces it, `--stdout` prints the new one"),
        );
    }
    write(&path, &text)
        .map_err(|error| Failure::problem(format!("cannot write `{}`: {error}", path.display())))?;
    output::line(&format!("wrote {}", path.display()))?;
    match in_use(&found).next() {
        Some(provider) => output::line(&format!(
            "{} will answer, with the {}",
            provider.display_name,
            origins(provider)
        ))?,
        None => {
            output::line("no provider key found: the built-in demo will answer until there is one")?
        }
    }
    output::line("next: lingate run -- claude")
}

/// Where `serve` and `run` look.
pub(super) fn default_path(environment: &dyn Environment) -> Option<PathBuf> {
    if let Some(path) = environment.var("LINGATE_CONFIG") {
        return Some(PathBuf::from(path));
    }
    let own = environment
        .var("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    let folder = own.or_else(|| Some(environment.home()?.join(".config")))?;
    Some(folder.join("lingate").join("lingate.toml"))
}

/// Puts the whole file in place at once, for its owner only.
pub(super) fn write(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(format!(".{}", std::process::id()));
    let unfinished = PathBuf::from(unfinished);
    let mut file = private(OpenOptions::new().write(true).create_new(true), &unfinished)?;
    let written = file
        .write_all(text.as_bytes())
        .and_then(|()| std::fs::rename(&unfinished, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&unfinished);
    }
    written
}

fn in_use(config: &Config) -> impl Iterator<Item = &Provider> {
    config
        .providers
        .iter()
        .filter(|provider| provider.kind == Kind::Upstream && !provider.keys.is_empty())
}

fn origins(provider: &Provider) -> String {
    let origins: Vec<&str> = provider
        .keys
        .iter()
        .map(|key| key.origin.as_str())
        .collect();
    format!("key from {}", origins.join(", "))
}

fn file(found: &Config) -> String {
    let scope = &found.routes.global;
    let default = scope.default.as_deref().unwrap_or(lingate_config::DEMO);
    let mut text = String::from(
        "# Configuration of lingate. `lingate check` validates it and shows what it leads to,\n\
         # `lingate config schema` prints a JSON Schema for editors.\n\n\
         # What a model name that nothing below knows gets, Claude's own names included.\n",
    );
    text.push_str(&format!("default = \"{default}\"\n"));
    match &scope.small {
        Some(small) => text.push_str(&format!("# What claude-haiku-* and background work get.\nsmall = \"{small}\"\n")),
        None => text.push_str("# What claude-haiku-* and background work get, if not the same.\n# small = \"provider/model\"\n"),
    }
    text.push_str(
        "\n[server]\n# Elsewhere than on loopback it starts only with [keys] and hosts.\nlisten = \"127.0.0.1:8484\"\n",
    );
    text.push_str("\n# A provider that is a preset brings its URLs, wires and repairs; every key can be overridden.\n");
    for provider in in_use(found) {
        text.push_str(&entry(provider));
    }
    text.push_str("\n# Further presets, by the variable that a key is looked for in:\n");
    let configured = |preset: &&Preset| !in_use(found).any(|provider| provider.id == preset.name);
    for preset in presets().iter().filter(configured) {
        text.push_str(&format!("#   {:16}{}\n", preset.name, wanted(preset)));
    }
    text.push_str(&format!(
        "\n# A name of your own for a model, and what serves it, in order of preference.\n\
         # [models.mine]\n# name = \"Shown in pickers\"\n# targets = [\"{default}\"]\n\
         \n# What a client's names stand for.\n# [aliases]\n# \"claude-opus-*\" = \"mine\"\n\
         \n# The first rule that matches decides, before everything else.\n\
         # [[rules]]\n# when = {{ class = \"subagent\" }}\n# use = \"mine\"\n"
    ));
    text
}

fn entry(provider: &Provider) -> String {
    let variables: Vec<String> = provider
        .keys
        .iter()
        .filter_map(|key| key.origin.strip_prefix("environment variable "))
        .map(|variable| format!("\"${{{variable}}}\""))
        .collect();
    let keys = match variables.as_slice() {
        [one] => format!("api_key = {one}\n"),
        several => format!("api_keys = [{}]\n", several.join(", ")),
    };
    format!("[providers.{}]\n{keys}", provider.id)
}

fn wanted(preset: &Preset) -> String {
    match (preset.env.first(), &preset.key_page) {
        (Some(variable), Some(page)) => format!("{variable} ({page})"),
        (Some(variable), None) => variable.clone(),
        (None, _) => "needs no key".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use lingate_config::{FixedEnvironment, LoadOptions};

    use super::*;
    use crate::scratch::Scratch;

    const KEYS: &[(&str, &str)] = &[
        ("HOME", "/home/u"),
        ("MOONSHOT_API_KEY", "sk-canary-1"),
        ("GROQ_API_KEY", "gsk-canary-2"),
    ];

    fn written(variables: &[(&str, &str)]) -> (String, Config) {
        let environment = FixedEnvironment::new(variables.iter().copied());
        let options = LoadOptions::default();
        let found = Config::from_text(None, "", &options, &environment)
            .unwrap_or_else(|problems| panic!("{problems}"));
        let text = file(&found);
        let config = Config::from_text(Some("l.toml".into()), &text, &options, &environment);
        (text, config.unwrap_or_else(|problems| panic!("{problems}")))
    }

    #[test]
    fn what_it_writes_is_what_it_found() {
        let environment = FixedEnvironment::new(KEYS.iter().copied());
        let bare = Config::from_text(None, "", &LoadOptions::default(), &environment);
        let bare = bare.unwrap_or_else(|problems| panic!("{problems}"));
        let (text, config) = written(KEYS);
        assert_eq!(config.routes.global.default, bare.routes.global.default);
        assert_eq!(config.routes.global.small, bare.routes.global.small);
        let ids = |config: &Config| {
            config
                .providers
                .iter()
                .map(|provider| provider.id.clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(ids(&config), ids(&bare));
        assert!(config.warnings.is_empty(), "{:?}", config.warnings);
        assert!(text.contains("api_key = \"${MOONSHOT_API_KEY}\""), "{text}");
        assert!(!text.contains("canary"), "{text}");
    }

    #[test]
    fn without_keys_it_is_a_demo() {
        let (text, config) = written(&[("HOME", "/home/u")]);
        assert_eq!(config.routes.global.default.as_deref(), Some("demo"));
        assert!(text.contains("MOONSHOT_API_KEY (https://"), "{text}");
    }

    #[test]
    fn what_is_commented_out_is_right_too() {
        let (text, _) = written(KEYS);
        let (head, examples) = text.split_once("\n# A name of your own").unwrap();
        let examples: String = examples
            .lines()
            .filter_map(|line| line.strip_prefix("# "))
            .filter(|line| line.starts_with('[') || line.contains(" = "))
            .map(|line| format!("{line}\n"))
            .collect();
        let environment = FixedEnvironment::new(KEYS.iter().copied());
        let all = format!("{head}\n{examples}");
        let config = Config::from_text(None, &all, &LoadOptions::default(), &environment);
        let config = config.unwrap_or_else(|problems| panic!("{problems}\n{all}"));
        assert_eq!(config.routes.rules.len(), 1, "{examples}");
    }

    #[test]
    fn only_its_owner_can_read_it() {
        let scratch = Scratch::new();
        let path = scratch.path().join("new/lingate.toml");
        write(&path, "a").unwrap();
        write(&path, "b").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "b");
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(
            std::fs::read_dir(path.parent().unwrap()).unwrap().count(),
            1
        );
    }

    #[test]
    fn it_goes_where_serve_looks() {
        let check = |variables: &[(&str, &str)], expected: &str| {
            let environment = FixedEnvironment::new(variables.iter().copied());
            assert_eq!(default_path(&environment).unwrap(), Path::new(expected));
        };
        check(&[("HOME", "/h")], "/h/.config/lingate/lingate.toml");
        check(
            &[("HOME", "/h"), ("XDG_CONFIG_HOME", "/x")],
            "/x/lingate/lingate.toml",
        );
        check(&[("HOME", "/h"), ("LINGATE_CONFIG", "/c.toml")], "/c.toml");
    }
}
