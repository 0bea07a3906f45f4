//! What `run` and `env` have in common: from a configuration and a gateway's address to what a client is pointed at.

use lingate_config::{Auth, Config, Context};
use lingate_route::{Candidate, Resolution, Step, nearest, published, resolve_name};

use crate::client::{Credential, KEY_VARIABLE, ModelName, Target};
use crate::failure::Failure;

/// What the user says about a session.
#[derive(Default)]
pub(super) struct Wishes<'a> {
    pub(super) profile: Option<&'a str>,
    pub(super) model: Option<&'a str>,
    pub(super) small: Option<&'a str>,
}

/// What a client is pointed at; `url` is the gateway's.
pub(super) fn target(config: &Config, url: &str, wishes: &Wishes<'_>) -> Result<Target, Failure> {
    let profile = wishes.profile;
    check_profile(config, profile)?;
    let name = |name: Option<&str>| {
        name.map(|name| model_name(config, profile, name))
            .transpose()
    };
    let model = name(wishes.model)?;
    let small = name(wishes.small)?;

    let asked = model
        .as_ref()
        .map_or_else(|| usual_model(config), |model| &model.name);
    let serving =
        resolve_name(&config.routes, profile, asked).map(|resolution| resolution.candidates);
    let serving = serving.unwrap_or_default();
    Ok(Target {
        base: match profile {
            None => url.to_owned(),
            Some(profile) => format!("{url}/{profile}"),
        },
        credential: credential(config, &serving),
        model,
        default: default(config, profile),
        small,
        context: context(config, &serving),
        models: published(&config.routes, profile)
            .into_iter()
            .map(|model| model.id)
            .collect(),
    })
}

/// A profile must exist: under any other name every request would be a 404.
pub(super) fn check_profile(config: &Config, profile: Option<&str>) -> Result<(), Failure> {
    let Some(profile) = profile else {
        return Ok(());
    };
    if config.routes.profiles.contains_key(profile) {
        return Ok(());
    }
    let names: Vec<&str> = config.routes.profiles.keys().map(String::as_str).collect();
    let failure = Failure::usage(format!("no profile `{profile}`"));
    Err(
        match (
            nearest(profile, names.iter().copied()).first(),
            names.as_slice(),
        ) {
            (Some(near), _) => failure.hint(format!("did you mean `{near}`?")),
            (None, []) => failure.hint("the configuration has no [profiles]"),
            (None, names) => failure.hint(format!("profiles: {}", names.join(", "))),
        },
    )
}

/// Whether a gateway of this configuration asks clients for a key.
pub(super) fn asks_for_key(config: &Config) -> bool {
    !config.keys.is_empty()
}

/// The user's key is needed and there is none.
pub(super) fn no_key() -> Failure {
    Failure::usage("this gateway asks for a key")
        .hint(format!("set `{KEY_VARIABLE}` to one of its [keys]"))
}

/// The model's name for clients. It must be somebody's: behind a typo the default would answer, unnoticed.
fn model_name(config: &Config, profile: Option<&str>, name: &str) -> Result<ModelName, Failure> {
    let resolution = resolve_name(&config.routes, profile, name).map_err(|error| {
        let failure = Failure::usage(error.to_string());
        if error.nearest.is_empty() {
            failure.hint("`lingate models` lists what there is")
        } else {
            failure
        }
    })?;
    if falls_to_default(&resolution) {
        let ids: Vec<String> = published(&config.routes, profile)
            .into_iter()
            .map(|model| model.id)
            .collect();
        let near = nearest(name, ids.iter().map(String::as_str));
        let failure = Failure::usage(format!("no model `{name}`"));
        return Err(match near.first() {
            Some(near) => failure.hint(format!("did you mean `{near}`?")),
            None => failure.hint("`lingate models` lists what there is"),
        });
    }
    let published = format!("anthropic/{name}");
    let lower = name.to_ascii_lowercase();
    let is_shown = lower.contains("claude") || lower.contains("anthropic");
    let leads_there = || {
        let other = resolve_name(&config.routes, profile, &published);
        other.is_ok_and(|other| {
            other.candidates == resolution.candidates && !falls_to_default(&other)
        })
    };
    Ok(ModelName {
        name: name.to_owned(),
        claude: if !is_shown && leads_there() {
            published
        } else {
            name.to_owned()
        },
    })
}

/// Whether nothing but the default serves a name. `default = "provider/*"` keeps the name, so any is somebody's.
fn falls_to_default(resolution: &Resolution) -> bool {
    matches!(resolution.steps.first(), Some(Step::Default { to }) if !to.ends_with("/*"))
}

/// The default's name, where it is one model's.
fn default(config: &Config, profile: Option<&str>) -> Option<String> {
    let routes = &config.routes;
    let of_profile = profile.and_then(|profile| routes.profiles.get(profile)?.default.clone());
    let name = of_profile.or_else(|| routes.global.default.clone())?;
    (!name.ends_with("/*")).then_some(name)
}

/// What Claude Code asks for by itself.
fn usual_model(config: &Config) -> &str {
    config
        .routes
        .claude
        .first()
        .map_or("claude", |known| &known.id)
}

fn credential(config: &Config, serving: &[Candidate]) -> Credential {
    let first = serving
        .first()
        .and_then(|candidate| config.provider(&candidate.provider));
    let callers = first.is_some_and(|provider| provider.auth == Auth::Client);
    match (callers, asks_for_key(config)) {
        (false, false) => Credential::Local,
        (false, true) => Credential::Key,
        (true, false) => Credential::Caller,
        (true, true) => Credential::CallerAndKey,
    }
}

/// The window of whatever may answer: the smallest, none if one is unknown, none for Claude's own models, which the
/// client knows better.
fn context(config: &Config, serving: &[Candidate]) -> Option<u64> {
    let window = |candidate: &Candidate| {
        if candidate.model.contains("claude") {
            return None;
        }
        let configured = config
            .target_settings(candidate)
            .and_then(|target| target.context);
        let of_model = || match config.model_settings(candidate)?.context {
            Context::Tokens(tokens) => Some(tokens),
            Context::Facts | Context::Auto => None,
        };
        let fact = || {
            config
                .provider(&candidate.provider)?
                .model_facts(&candidate.model)?
                .context
        };
        configured.or_else(of_model).or_else(fact)
    };
    let windows: Option<Vec<u64>> = serving.iter().map(window).collect();
    windows?.into_iter().min()
}

#[cfg(test)]
mod tests {
    use lingate_config::{FixedEnvironment, LoadOptions};

    use super::*;

    const FILE: &str = r#"
        default = "kimi"
        [providers.moonshot]
        api_key = "sk-test"
        [providers.own]
        base_url = "https://own.example"
        speaks = ["anthropic"]
        auth = "client"
        [models.kimi]
        targets = ["moonshot/kimi-k2.6"]
        context = 200000
        [models.mine]
        targets = ["own/claude-opus-5-5"]
        [profiles.team.models.shared]
        targets = ["moonshot/kimi-k2.6"]
    "#;

    fn config(text: &str) -> Config {
        let environment = FixedEnvironment::new([("HOME", "/home/u")]);
        let loaded = Config::from_text(None, text, &LoadOptions::default(), &environment);
        loaded.unwrap_or_else(|problems| panic!("{problems}"))
    }

    fn asked(wishes: &Wishes<'_>) -> Result<Target, String> {
        target(&config(FILE), "http://127.0.0.1:1", wishes).map_err(|failure| failure.to_string())
    }

    fn model(name: &str) -> Wishes<'_> {
        Wishes {
            model: Some(name),
            ..Wishes::default()
        }
    }

    #[test]
    fn a_model_is_named_as_the_client_can_show_it() {
        let check = |name: &str, claude: &str| {
            let target = asked(&model(name)).unwrap();
            assert_eq!(target.model.unwrap().claude, claude);
        };
        check("kimi", "anthropic/kimi");
        check("anthropic/kimi", "anthropic/kimi");
        // No other spelling of it leads to the same.
        check("moonshot/kimi-k2.6", "moonshot/kimi-k2.6");
        check("own/claude-opus-5-5", "own/claude-opus-5-5");
    }

    #[test]
    fn a_model_that_nobody_serves_is_refused() {
        let check =
            |name: &str, expected: &str| assert_eq!(asked(&model(name)).err().unwrap(), expected);
        check("kimmi", "no model `kimmi`\n  hint: did you mean `kimi`?");
        check(
            "zzzzzzzz",
            "no model `zzzzzzzz`\n  hint: `lingate models` lists what there is",
        );
    }

    #[test]
    fn the_context_is_that_of_what_answers() {
        assert_eq!(asked(&Wishes::default()).unwrap().context, Some(200_000));
        assert_eq!(
            asked(&model("mine")).unwrap().context,
            None,
            "the client knows Claude's own"
        );
    }

    #[test]
    fn the_credential_is_what_the_route_asks_for() {
        let with_keys = format!("{FILE}\n[keys.me]\nsecret = \"sha256:{}\"", "a".repeat(64));
        let check = |text: &str, name: &str, expected: Credential| {
            let target = target(&config(text), "http://127.0.0.1:1", &model(name));
            assert_eq!(
                target
                    .unwrap_or_else(|failure| panic!("{failure}"))
                    .credential,
                expected
            );
        };
        check(FILE, "kimi", Credential::Local);
        check(FILE, "mine", Credential::Caller);
        check(&with_keys, "kimi", Credential::Key);
        check(&with_keys, "mine", Credential::CallerAndKey);
    }

    #[test]
    fn a_profile_is_part_of_the_address() {
        let profile = |name| Wishes {
            profile: Some(name),
            ..Wishes::default()
        };
        let target = asked(&profile("team")).unwrap();
        assert_eq!(target.base, "http://127.0.0.1:1/team");
        assert!(
            target.models.contains(&"shared".to_owned()),
            "{:?}",
            target.models
        );
        assert_eq!(
            asked(&profile("taem")).err().unwrap(),
            "no profile `taem`\n  hint: did you mean `team`?"
        );
    }
}
