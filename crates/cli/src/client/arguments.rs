//! What is added to a client's command line, for what its variables cannot say or its own files would override.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use lingate_config::Secret;
use serde_json::{Map, Value as Json, json};

use super::settings::{self, SettingsError};
use super::{Client, Setup, Target, gemini, quoted};

/// opencode's inline configuration, which wins over its files.
pub(crate) const OPENCODE_VARIABLE: &str = "OPENCODE_CONFIG_CONTENT";

/// The name of our provider in the clients that name theirs.
const PROVIDER: &str = "lingate";

/// A client's command line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Arguments {
    /// All arguments, ours included.
    pub(crate) all: Vec<OsString>,
    /// What was added, as a person would type it; none if nothing was.
    pub(crate) added: Option<String>,
    /// A variable that names a place made for this client.
    pub(crate) place: Option<(&'static str, PathBuf)>,
}

/// What `arguments` needs of the world.
pub(crate) struct Files<'a> {
    /// Reads a settings file that the user names.
    pub(crate) read: &'a dyn Fn(&str) -> io::Result<String>,
    /// Keeps a text where only the user can read it, and says where.
    pub(crate) keep: &'a dyn Fn(&str) -> io::Result<PathBuf>,
    /// Makes a home in which a folder of the user's is there by links, but for one file with a text of ours.
    pub(crate) mirror: &'a dyn Fn(&Path, &str, &str) -> io::Result<PathBuf>,
    /// The user's home, as the client sees it.
    pub(crate) home: PathBuf,
}

/// The arguments for `client`, of which the user gave `given`.
pub(crate) fn arguments(
    client: Client,
    target: &Target,
    setup: &Setup,
    key: Option<&Secret>,
    given: Vec<OsString>,
    files: &Files<'_>,
) -> Result<Arguments, SettingsError> {
    match client {
        Client::Claude => {
            let (settings, rest) = settings::merge(given, environment(setup, key), files.read)?;
            let settings = if setup.holds_key() {
                // Command lines are readable by everyone on the machine.
                let path = (files.keep)(&settings).map_err(SettingsError::Keep)?;
                path.to_string_lossy().into_owned()
            } else {
                settings
            };
            Ok(before(vec!["--settings".to_owned(), settings], rest))
        }
        Client::Codex => Ok(before(codex(target), given)),
        Client::Qwen => {
            // Without it a sign-in of another kind in the user's settings would win over the variables.
            Ok(before(
                vec!["--auth-type".to_owned(), "openai".to_owned()],
                given,
            ))
        }
        Client::Gemini => {
            let home = gemini::home(files)?;
            Ok(Arguments {
                all: given,
                added: None,
                place: Some((gemini::HOME_VARIABLE, home)),
            })
        }
        Client::Opencode | Client::Openai | Client::Other => Ok(Arguments {
            all: given,
            added: None,
            place: None,
        }),
    }
}

/// The inline configuration of opencode: our provider with its models, merged into what the variable holds already.
pub(super) fn opencode(target: &Target, inherited: Option<&str>) -> String {
    let inherited: Option<Map<String, Json>> =
        inherited.and_then(|text| serde_json::from_str(text).ok());
    let mut content = inherited.unwrap_or_default();

    let small = target.small.as_ref().map(|model| model.name.as_str());
    let named = target.first_model().into_iter().chain(small);
    let models: Map<String, Json> = named
        .chain(target.models.iter().map(String::as_str))
        .map(|name| (name.to_owned(), json!({})))
        .collect();
    let provider = json!({
        "npm": "@ai-sdk/openai-compatible",
        "name": PROVIDER,
        "options": { "baseURL": format!("{}/v1", target.base), "apiKey": "{env:OPENAI_API_KEY}" },
        "models": models,
    });
    match content.get_mut("provider").and_then(Json::as_object_mut) {
        Some(providers) => {
            providers.insert(PROVIDER.to_owned(), provider);
        }
        None => {
            content.insert("provider".to_owned(), json!({ PROVIDER: provider }));
        }
    }
    let small = target.small.as_ref().map(|model| model.name.as_str());
    // Without a model of ours, the one in the user's files would lead past the gateway.
    for (key, model) in [("model", target.first_model()), ("small_model", small)] {
        if let Some(model) = model {
            content.insert(key.to_owned(), format!("{PROVIDER}/{model}").into());
        }
    }
    Json::Object(content).to_string()
}

/// Codex takes its provider from its configuration only, and arguments win over the file. The model is named, too: for
/// one of its own choice it would offer the tools that this one knows. The user's `--model` wins over both.
fn codex(target: &Target) -> Vec<String> {
    let provider = format!(
        "model_providers.{PROVIDER}={{name={}, base_url={}, env_key=\"OPENAI_API_KEY\", wire_api=\"responses\"}}",
        toml_string(PROVIDER),
        toml_string(&format!("{}/v1", target.base)),
    );
    let mut settings = vec![
        format!("model_provider={}", toml_string(PROVIDER)),
        provider,
    ];
    settings.extend(
        target
            .first_model()
            .map(|model| format!("model={}", toml_string(model))),
    );
    let flagged = settings
        .into_iter()
        .flat_map(|setting| ["-c".to_owned(), setting]);
    flagged.collect()
}

/// The variables as the `env` block of Claude Code's settings.
fn environment(setup: &Setup, key: Option<&Secret>) -> Map<String, Json> {
    let set = setup.set.iter();
    set.map(|variable| (variable.name.to_owned(), variable.value.expose(key).into()))
        .collect()
}

fn before(ours: Vec<String>, given: Vec<OsString>) -> Arguments {
    let shown: Vec<String> = ours.iter().map(|argument| quoted(argument)).collect();
    Arguments {
        added: Some(shown.join(" ")),
        place: None,
        all: ours.into_iter().map(OsString::from).chain(given).collect(),
    }
}

/// JSON's escapes are also TOML's.
fn toml_string(text: &str) -> String {
    Json::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::super::{Credential, LOCAL_TOKEN, ModelName, setup};
    use super::*;

    fn target(model: Option<&str>) -> Target {
        Target {
            base: "http://127.0.0.1:8484".to_owned(),
            credential: Credential::Local,
            model: model.map(|name| ModelName {
                name: name.to_owned(),
                claude: name.to_owned(),
            }),
            default: None,
            small: None,
            context: None,
            models: vec!["kimi".to_owned(), "demo".to_owned()],
        }
    }

    fn check(client: Client, target: &Target, given: &[&str]) -> (Vec<String>, Option<String>) {
        let setup = setup(client, target, &|_| None);
        let given = given.iter().map(OsString::from).collect();
        let key = Secret::new("lgk-canary".to_owned());
        let files = Files {
            read: &|_| Err(io::ErrorKind::NotFound.into()),
            keep: &|text| {
                assert!(text.contains("lgk-canary"), "{text}");
                Ok(PathBuf::from("/kept.json"))
            },
            mirror: &|folder, file, text| {
                assert_eq!(
                    (folder, file),
                    (Path::new("/home/.gemini"), "settings.json")
                );
                assert!(text.contains("gemini-api-key"), "{text}");
                Ok(PathBuf::from("/mirror"))
            },
            home: PathBuf::from("/home"),
        };
        let arguments = arguments(client, target, &setup, Some(&key), given, &files).unwrap();
        let all = arguments
            .all
            .iter()
            .map(|argument| argument.to_str().unwrap().to_owned());
        (all.collect(), arguments.added)
    }

    #[test]
    fn codex_gets_a_provider_before_its_own_arguments() {
        let (all, added) = check(Client::Codex, &target(Some("kimi")), &["exec", "hi"]);
        let provider = "model_providers.lingate={name=\"lingate\", base_url=\"http://127.0.0.1:8484/v1\", \
                        env_key=\"OPENAI_API_KEY\", wire_api=\"responses\"}";
        assert_eq!(
            all,
            [
                "-c",
                "model_provider=\"lingate\"",
                "-c",
                provider,
                "-c",
                "model=\"kimi\"",
                "exec",
                "hi"
            ]
        );
        assert!(
            added
                .unwrap()
                .starts_with("-c 'model_provider=\"lingate\"' -c 'model_providers.")
        );
    }

    #[test]
    fn claude_gets_settings_that_win_over_its_files() {
        let (all, added) = check(Client::Claude, &target(None), &["-p", "hi"]);
        let [flag, settings, rest @ ..] = all.as_slice() else {
            panic!("{all:?}");
        };
        assert_eq!(flag, "--settings");
        let settings: Json = serde_json::from_str(settings).unwrap();
        assert_eq!(
            settings["env"]["ANTHROPIC_BASE_URL"],
            "http://127.0.0.1:8484"
        );
        assert_eq!(settings["env"]["ANTHROPIC_AUTH_TOKEN"], LOCAL_TOKEN);
        assert_eq!(rest, ["-p", "hi"]);
        assert!(added.unwrap().starts_with("--settings '{\"env\":{"));
    }

    /// Of another provider's models these clients would know other tools, or go past the gateway for them.
    #[test]
    fn the_default_is_named_where_the_client_must_not_choose() {
        let target = Target {
            default: Some("house".to_owned()),
            ..target(None)
        };
        let (codex, _) = check(Client::Codex, &target, &[]);
        assert_eq!(codex.last().unwrap(), "model=\"house\"");
        let content: Json = serde_json::from_str(&opencode(&target, None)).unwrap();
        assert_eq!(content["model"], "lingate/house");
        assert_eq!(content["provider"]["lingate"]["models"]["house"], json!({}));
        let setup = setup(Client::Gemini, &target, &|_| None);
        let model = setup.set.iter().find(|set| set.name == "GEMINI_MODEL");
        assert_eq!(model.unwrap().value.expose(None), "house");
    }

    #[test]
    fn a_users_key_is_on_no_command_line() {
        let target = Target {
            credential: Credential::Key,
            ..target(None)
        };
        let kept = ["--settings", "/kept.json", "-p"]
            .map(str::to_owned)
            .to_vec();
        assert_eq!(
            check(Client::Claude, &target, &["-p"]),
            (kept, Some("--settings /kept.json".to_owned()))
        );
        for client in [Client::Codex, Client::Qwen, Client::Opencode, Client::Other] {
            let (all, _) = check(client, &target, &[]);
            assert!(!all.join(" ").contains("canary"), "{client:?} {all:?}");
        }
    }

    #[test]
    fn other_commands_are_run_as_given() {
        assert_eq!(
            check(Client::Other, &target(None), &["x"]),
            (vec!["x".to_owned()], None)
        );
        assert_eq!(
            check(Client::Gemini, &target(None), &["-y"]),
            (vec!["-y".to_owned()], None)
        );
    }

    #[test]
    fn opencode_keeps_what_its_variable_holds() {
        let inherited = r#"{"theme":"dark","provider":{"other":{}},"model":"other/x"}"#;
        let content: Json =
            serde_json::from_str(&opencode(&target(Some("kimi")), Some(inherited))).unwrap();
        assert_eq!(content["theme"], "dark");
        assert_eq!(content["provider"]["other"], json!({}));
        assert_eq!(
            content["provider"]["lingate"]["options"]["baseURL"],
            "http://127.0.0.1:8484/v1"
        );
        assert_eq!(
            content["provider"]["lingate"]["models"],
            json!({ "kimi": {}, "demo": {} })
        );
        assert_eq!(content["model"], "lingate/kimi");

        let alone: Json = serde_json::from_str(&opencode(&target(None), Some("no JSON"))).unwrap();
        assert_eq!(alone["model"], Json::Null);
    }
}
