//! The variables of each client, with the reason for each.

use super::{Client, Credential, LOCAL_TOKEN, Target, Value, arguments};

/// Variables to set and to remove.
#[derive(Default)]
pub(crate) struct Setup {
    /// To set, in the order they are printed.
    pub(crate) set: Vec<Variable>,
    /// To remove where they are set.
    pub(crate) unset: Vec<Removal>,
}

/// A variable to set.
pub(crate) struct Variable {
    pub(crate) name: &'static str,
    pub(crate) value: Value,
    /// What it is for, as `env --explain` says it.
    pub(crate) why: &'static str,
}

/// A variable to remove.
#[derive(Clone, Copy)]
pub(crate) struct Removal {
    pub(crate) name: &'static str,
    /// What it would do.
    pub(crate) why: &'static str,
}

/// What `client` needs to be pointed at `target`. `environment` looks up the variables the client would inherit.
pub(crate) fn setup(
    client: Client,
    target: &Target,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Setup {
    let mut setup = Setup::default();
    let wished = target.model.as_ref().map(|model| model.name.as_str());
    match client {
        Client::Claude => setup.claude(target),
        Client::Codex => setup.openai_key(target),
        Client::Opencode => setup.opencode(target, environment),
        Client::Gemini => setup.gemini(target, target.first_model()),
        Client::Qwen => setup.openai(target, target.first_model()),
        Client::Openai => setup.openai(target, wished),
        Client::Other => {
            setup.claude(target);
            setup.openai(target, wished);
            setup.gemini(target, wished);
        }
    }
    setup.no_proxy(environment);
    setup
}

impl Setup {
    /// Whether the user's gateway key is among the values.
    pub(crate) fn holds_key(&self) -> bool {
        let is_key = |variable: &Variable| matches!(variable.value, Value::Key { .. });
        self.set.iter().any(is_key)
    }

    fn claude(&mut self, target: &Target) {
        self.text(
            "ANTHROPIC_BASE_URL",
            &target.base,
            "sends requests to lingate",
        );
        match target.credential {
            Credential::Local => self.text(
                "ANTHROPIC_AUTH_TOKEN",
                LOCAL_TOKEN,
                "stands in for a login; not an API key, which would ask for approval",
            ),
            Credential::Key => self.key("ANTHROPIC_AUTH_TOKEN", "", "your key for this gateway"),
            // The caller's own key or login goes to the provider.
            Credential::Caller => {}
            Credential::CallerAndKey => self.key(
                "ANTHROPIC_CUSTOM_HEADERS",
                "x-lingate-key: ",
                "your key for this gateway, beside your own login for the provider",
            ),
        }
        if let Some(model) = &target.model {
            self.text("ANTHROPIC_MODEL", &model.claude, "the model to start with");
        }
        if let Some(small) = &target.small {
            self.text(
                "ANTHROPIC_DEFAULT_HAIKU_MODEL",
                &small.claude,
                "the model for background work",
            );
        }
        if let Some(context) = target.context {
            self.text(
                "CLAUDE_CODE_MAX_CONTEXT_TOKENS",
                &context.to_string(),
                "the model's context window, which the client can only guess",
            );
        }
        self.text(
            "CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY",
            "1",
            "lists lingate's models under /model",
        );
        self.text(
            "CLAUDE_CODE_GATEWAY_HINT_HEADERS",
            "1",
            "says which requests are background work",
        );
        if matches!(target.credential, Credential::Local | Credential::Key) {
            self.remove("ANTHROPIC_API_KEY", "would compete with the token above");
        }
        for name in [
            "CLAUDE_CODE_USE_BEDROCK",
            "CLAUDE_CODE_USE_VERTEX",
            "CLAUDE_CODE_USE_FOUNDRY",
        ] {
            self.remove(name, "would send requests past lingate");
        }
    }

    fn openai(&mut self, target: &Target, model: Option<&str>) {
        let base = format!("{}/v1", target.base);
        self.text("OPENAI_BASE_URL", &base, "sends requests to lingate");
        self.text("OPENAI_API_BASE", &base, "the same, for older clients");
        self.openai_key(target);
        if let Some(model) = model {
            self.text("OPENAI_MODEL", model, "the model to start with");
        }
    }

    fn openai_key(&mut self, target: &Target) {
        self.credential("OPENAI_API_KEY", target.credential);
    }

    fn gemini(&mut self, target: &Target, model: Option<&str>) {
        self.text(
            "GOOGLE_GEMINI_BASE_URL",
            &target.base,
            "sends requests to lingate",
        );
        self.credential("GEMINI_API_KEY", target.credential);
        if let Some(model) = model {
            self.text("GEMINI_MODEL", model, "the model to start with");
        }
        self.remove(
            "GOOGLE_GENAI_USE_VERTEXAI",
            "would send requests past lingate",
        );
        self.remove("GOOGLE_GENAI_USE_GCA", "would ask for a login");
        if matches!(target.credential, Credential::Local | Credential::Key) {
            self.remove("GOOGLE_API_KEY", "would compete with the key above");
        }
    }

    fn opencode(&mut self, target: &Target, environment: &dyn Fn(&str) -> Option<String>) {
        self.openai_key(target);
        let inherited = environment(arguments::OPENCODE_VARIABLE);
        let content = arguments::opencode(target, inherited.as_deref());
        self.text(
            arguments::OPENCODE_VARIABLE,
            &content,
            "adds lingate as a provider, over the config files",
        );
    }

    /// Where a proxy is set, the loopback must be excepted, or the client would ask the proxy for our address.
    fn no_proxy(&mut self, environment: &dyn Fn(&str) -> Option<String>) {
        let proxies = [
            "HTTP_PROXY",
            "http_proxy",
            "HTTPS_PROXY",
            "https_proxy",
            "ALL_PROXY",
            "all_proxy",
        ];
        if proxies.iter().all(|name| environment(name).is_none()) {
            return;
        }
        for name in ["NO_PROXY", "no_proxy"] {
            let inherited = environment(name).unwrap_or_default();
            let mut hosts: Vec<&str> = inherited
                .split(',')
                .map(str::trim)
                .filter(|host| !host.is_empty())
                .collect();
            for host in ["127.0.0.1", "localhost", "::1"] {
                if !hosts.contains(&host) && !hosts.contains(&"*") {
                    hosts.push(host);
                }
            }
            self.text(
                name,
                &hosts.join(","),
                "keeps requests to lingate away from your proxy",
            );
        }
    }

    fn credential(&mut self, name: &'static str, credential: Credential) {
        match credential {
            Credential::Local => self.text(
                name,
                LOCAL_TOKEN,
                "stands in for a key, which the client asks for",
            ),
            Credential::Key | Credential::CallerAndKey => {
                self.key(name, "", "your key for this gateway")
            }
            Credential::Caller => {}
        }
    }

    fn text(&mut self, name: &'static str, value: &str, why: &'static str) {
        let value = Value::Text(value.to_owned());
        self.set.push(Variable { name, value, why });
    }

    fn key(&mut self, name: &'static str, before: &'static str, why: &'static str) {
        let value = Value::Key { before };
        self.set.push(Variable { name, value, why });
    }

    fn remove(&mut self, name: &'static str, why: &'static str) {
        self.unset.push(Removal { name, why });
    }
}

#[cfg(test)]
mod tests {
    use super::super::ModelName;
    use super::*;

    fn target(credential: Credential) -> Target {
        Target {
            base: "http://127.0.0.1:8484".to_owned(),
            credential,
            model: None,
            default: None,
            small: None,
            context: None,
            models: Vec::new(),
        }
    }

    fn named(name: &str) -> ModelName {
        ModelName {
            name: name.to_owned(),
            claude: format!("anthropic/{name}"),
        }
    }

    fn names(setup: &Setup) -> Vec<&'static str> {
        setup.set.iter().map(|variable| variable.name).collect()
    }

    fn value(setup: &Setup, name: &str) -> Option<Value> {
        let variable = setup.set.iter().find(|variable| variable.name == name);
        variable.map(|variable| variable.value.clone())
    }

    fn text(text: &str) -> Option<Value> {
        Some(Value::Text(text.to_owned()))
    }

    #[test]
    fn claude_gets_a_token_and_no_key() {
        let setup = setup(Client::Claude, &target(Credential::Local), &|_| None);
        assert_eq!(
            names(&setup),
            [
                "ANTHROPIC_BASE_URL",
                "ANTHROPIC_AUTH_TOKEN",
                "CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY",
                "CLAUDE_CODE_GATEWAY_HINT_HEADERS",
            ]
        );
        assert_eq!(value(&setup, "ANTHROPIC_AUTH_TOKEN"), text("lingate-local"));
        assert!(
            setup
                .unset
                .iter()
                .any(|removal| removal.name == "ANTHROPIC_API_KEY")
        );
    }

    #[test]
    fn the_callers_own_credential_is_left_alone() {
        for client in [
            Client::Claude,
            Client::Openai,
            Client::Gemini,
            Client::Other,
        ] {
            let setup = setup(client, &target(Credential::Caller), &|_| None);
            let touched = names(&setup)
                .into_iter()
                .chain(setup.unset.iter().map(|removal| removal.name));
            let credentials: Vec<&str> = touched
                .filter(|name| name.contains("KEY") || name.contains("AUTH"))
                .collect();
            assert!(credentials.is_empty(), "{client:?}: {credentials:?}");
        }
        let both = setup(Client::Claude, &target(Credential::CallerAndKey), &|_| None);
        let before = "x-lingate-key: ";
        assert_eq!(
            value(&both, "ANTHROPIC_CUSTOM_HEADERS"),
            Some(Value::Key { before })
        );
    }

    #[test]
    fn models_and_context_are_said_where_they_are_asked_for() {
        let target = Target {
            model: Some(named("kimi")),
            small: Some(named("moonshot/fast")),
            context: Some(262_144),
            ..target(Credential::Local)
        };
        let check = |client: Client, name: &str, expected: &str| {
            assert_eq!(
                value(&setup(client, &target, &|_| None), name),
                text(expected),
                "{client:?} {name}"
            );
        };
        check(Client::Claude, "ANTHROPIC_MODEL", "anthropic/kimi");
        check(
            Client::Claude,
            "ANTHROPIC_DEFAULT_HAIKU_MODEL",
            "anthropic/moonshot/fast",
        );
        check(Client::Claude, "CLAUDE_CODE_MAX_CONTEXT_TOKENS", "262144");
        check(Client::Qwen, "OPENAI_MODEL", "kimi");
        check(Client::Qwen, "OPENAI_BASE_URL", "http://127.0.0.1:8484/v1");
        check(Client::Gemini, "GEMINI_MODEL", "kimi");
        check(
            Client::Gemini,
            "GOOGLE_GEMINI_BASE_URL",
            "http://127.0.0.1:8484",
        );
    }

    #[test]
    fn the_loopback_is_excepted_from_a_proxy() {
        let check = |variables: &[(&str, &str)], expected: Option<&str>| {
            let look_up = |name: &str| {
                let found = variables.iter().find(|(set, _)| *set == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            let setup = setup(Client::Claude, &target(Credential::Local), &look_up);
            assert_eq!(
                value(&setup, "NO_PROXY"),
                expected.and_then(text),
                "{variables:?}"
            );
        };
        check(&[], None);
        check(&[("NO_PROXY", "intranet")], None);
        check(
            &[("HTTPS_PROXY", "http://p:1")],
            Some("127.0.0.1,localhost,::1"),
        );
        check(
            &[
                ("http_proxy", "http://p:1"),
                ("NO_PROXY", "intranet, localhost"),
            ],
            Some("intranet,localhost,127.0.0.1,::1"),
        );
        check(
            &[("http_proxy", "http://p:1"), ("NO_PROXY", "*")],
            Some("*"),
        );
    }
}
