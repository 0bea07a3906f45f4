//! `lingate env`: the variables that point a client at the gateway, for `eval "$(lingate env)"`.
//!
//! Standard output is for the shell and holds nothing but assignments and comments; what a person should know goes
//! to standard error.

use std::io::{self, IsTerminal};
use std::path::PathBuf;

use lingate_config::{Environment, SystemEnvironment};

use super::session::{self, Wishes};
use super::{VERSION, state_directory};
use crate::args::{Env, EnvClient};
use crate::background::{StateDirectory, reachable, running};
use crate::client::{
    Client, Credential, Files, KEY_VARIABLE, ModelName, Setup, Shell, Target, arguments, setup,
};
use crate::configuration::{Listen, Loaded, load};
use crate::failure::Failure;
use crate::output;

/// Prints the variables of one client.
pub(crate) fn run(args: Env, environment: &SystemEnvironment) -> Result<(), Failure> {
    let shell = args
        .shell
        .unwrap_or_else(|| Shell::of(environment.var("SHELL").as_deref()));
    let text = if args.unset {
        unset(&args, shell)
    } else {
        set(&args, shell, environment)?
    };
    output::write(&text)?;
    if io::stdout().is_terminal() {
        let flag = if args.unset { " --unset" } else { "" };
        output::say(&format!(
            "this shell takes it with: {}",
            shell.evaluate(&format!("lingate env{flag}"))
        ));
    }
    Ok(())
}

fn set(args: &Env, shell: Shell, environment: &SystemEnvironment) -> Result<String, Failure> {
    let loaded = load(args.file.config.as_deref(), Listen::default(), environment)?;
    let wishes = Wishes {
        profile: args.profile.as_deref(),
        ..Wishes::default()
    };
    let url = url(&loaded, state_directory(environment).ok().as_ref())?;
    let target = session::target(&loaded.config, &url, &wishes)?;
    let client = Client::from(args.client);
    let setup = setup(client, &target, &|name| environment.var(name));

    if setup.holds_key() && environment.var(KEY_VARIABLE).is_none() {
        output::say(&session::no_key().to_string());
    }
    for removal in &setup.unset {
        if environment.var(removal.name).is_some() {
            // Not removed here: it may be the key that lingate itself is to use in this shell.
            output::say(&format!(
                "{} is set and {}; `lingate run` leaves it out",
                removal.name, removal.why
            ));
        }
    }
    Ok(render(args.client, &target, &setup, shell, args.explain))
}

/// Where clients find the gateway: the one that runs on this configuration, or else the one that will.
fn url(loaded: &Loaded, directory: Option<&StateDirectory>) -> Result<String, Failure> {
    let entries = directory
        .map(running)
        .transpose()
        .unwrap_or_default()
        .unwrap_or_default();
    let ours = |entry: &&crate::background::Entry| {
        entry.fingerprint == loaded.fingerprint && entry.version == VERSION
    };
    if let Some(entry) = entries.iter().find(ours) {
        return Ok(entry.url());
    }
    let listen = loaded.config.server.listen;
    if listen.port() == 0 {
        return Err(Failure::problem(
            "no gateway of this configuration runs, and its port is any free one",
        )
        .hint("start it with `lingate serve` first"));
    }
    Ok(format!("http://{}", reachable(listen)))
}

fn render(
    client: EnvClient,
    target: &Target,
    setup: &Setup,
    shell: Shell,
    explain: bool,
) -> String {
    let mut text = String::new();
    for variable in &setup.set {
        if explain {
            text.push_str(&format!("# {}: {}\n", variable.name, variable.why));
        }
        text.push_str(&shell.set(variable.name, &variable.value));
        text.push('\n');
    }
    if client == EnvClient::Codex {
        // No variable says it.
        text.push_str(&format!(
            "# codex takes its provider from arguments: codex {}\n",
            codex(target, setup)
        ));
    }
    text
}

fn codex(target: &Target, setup: &Setup) -> String {
    let files = Files {
        read: &|_| Err(io::ErrorKind::Unsupported.into()),
        keep: &|_| Err(io::ErrorKind::Unsupported.into()),
        mirror: &|_, _, _| Err(io::ErrorKind::Unsupported.into()),
        home: PathBuf::new(),
    };
    let arguments = arguments(Client::Codex, target, setup, None, Vec::new(), &files);
    arguments
        .ok()
        .and_then(|arguments| arguments.added)
        .unwrap_or_default()
}

/// Removes whatever any configuration may have set.
fn unset(args: &Env, shell: Shell) -> String {
    let any = ModelName {
        name: String::new(),
        claude: String::new(),
    };
    let mut names: Vec<&str> = Vec::new();
    for credential in [Credential::Local, Credential::CallerAndKey] {
        let target = Target {
            base: String::new(),
            credential,
            model: Some(any.clone()),
            default: None,
            small: Some(any.clone()),
            context: Some(0),
            models: Vec::new(),
        };
        let setup = setup(Client::from(args.client), &target, &|_| None);
        for variable in setup.set {
            if !names.contains(&variable.name) {
                names.push(variable.name);
            }
        }
    }
    names
        .iter()
        .map(|name| format!("{}\n", shell.unset(name)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::ConfigFile;

    fn args(client: EnvClient) -> Env {
        Env {
            file: ConfigFile { config: None },
            client,
            shell: None,
            profile: None,
            explain: false,
            unset: false,
        }
    }

    fn rendered(client: EnvClient, shell: Shell, explain: bool) -> String {
        let target = Target {
            base: "http://127.0.0.1:8484".to_owned(),
            credential: Credential::Local,
            model: None,
            default: None,
            small: None,
            context: Some(262_144),
            models: Vec::new(),
        };
        let setup = setup(Client::from(client), &target, &|_| None);
        render(client, &target, &setup, shell, explain)
    }

    #[test]
    fn every_line_is_an_assignment() {
        assert_eq!(
            rendered(EnvClient::Claude, Shell::Bash, false),
            "export ANTHROPIC_BASE_URL=http://127.0.0.1:8484\n\
             export ANTHROPIC_AUTH_TOKEN=lingate-local\n\
             export CLAUDE_CODE_MAX_CONTEXT_TOKENS=262144\n\
             export CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY=1\n\
             export CLAUDE_CODE_GATEWAY_HINT_HEADERS=1\n"
        );
        assert_eq!(
            rendered(EnvClient::Gemini, Shell::Pwsh, false),
            "$env:GOOGLE_GEMINI_BASE_URL = 'http://127.0.0.1:8484'\n$env:GEMINI_API_KEY = 'lingate-local'\n"
        );
    }

    #[test]
    fn an_explanation_is_a_comment() {
        for client in [
            EnvClient::Claude,
            EnvClient::Codex,
            EnvClient::Openai,
            EnvClient::Gemini,
        ] {
            let plain = rendered(client, Shell::Fish, false);
            let explained = rendered(client, Shell::Fish, true);
            let (comments, rest): (Vec<&str>, Vec<&str>) =
                explained.lines().partition(|line| line.starts_with('#'));
            let assignments: Vec<&str> = plain
                .lines()
                .filter(|line| !line.starts_with('#'))
                .collect();
            assert_eq!(rest, assignments, "{client:?}");
            assert!(comments.len() >= rest.len(), "{client:?}: {comments:?}");
        }
    }

    #[test]
    fn codex_is_told_how_to_begin() {
        let text = rendered(EnvClient::Codex, Shell::Zsh, false);
        assert!(
            text.starts_with("export OPENAI_API_KEY=lingate-local\n# codex takes"),
            "{text}"
        );
        assert!(text.contains("model_provider"), "{text}");
    }

    #[test]
    fn everything_that_may_have_been_set_is_removed() {
        let text = unset(&args(EnvClient::Claude), Shell::Sh);
        for name in [
            "ANTHROPIC_BASE_URL",
            "ANTHROPIC_AUTH_TOKEN",
            "ANTHROPIC_CUSTOM_HEADERS",
            "ANTHROPIC_MODEL",
        ] {
            assert_eq!(
                text.lines()
                    .filter(|line| *line == format!("unset {name}"))
                    .count(),
                1,
                "{text}"
            );
        }
        assert!(!text.contains("NO_PROXY"), "{text}");
        assert!(
            unset(&args(EnvClient::Openai), Shell::Fish).starts_with("set -e OPENAI_BASE_URL\n")
        );
    }
}
