//! What presets' addresses leave open: filled from the file, the environment, defaults and each other.

use lingate_config::{GcpCredential, Provider, presets};

use crate::support::{endpoint, environment, load, load_in, problems, provider};

const CREDENTIAL: &str = r#"{"type":"service_account","client_email":"a@p","private_key":"-----BEGIN PRIVATE KEY-----"}"#;
const LOGIN: &str =
    r#"{"type":"authorized_user","client_id":"i","client_secret":"s","refresh_token":"r"}"#;

/// The endpoint of a provider on its first wire.
fn first(provider: &Provider) -> String {
    let wire = provider.speaks.first().copied();
    wire.map_or_else(String::new, |wire| endpoint(provider, wire))
}

#[track_caller]
fn check(id: &str, entry: &str, variables: &[(&str, &str)], expected: &str) {
    let text = format!("[providers.{id}]\napi_key = '{CREDENTIAL}'\n{entry}\n");
    let config = load(&text, variables).unwrap_or_else(|problems| panic!("{text}\n{problems}"));
    assert_eq!(
        first(provider(&config, id)),
        expected,
        "{entry} {variables:?}"
    );
}

#[test]
fn a_location_decides_the_host() {
    for (location, host) in [
        ("global", "aiplatform.googleapis.com"),
        ("us", "aiplatform.us.rep.googleapis.com"),
        ("eu", "aiplatform.eu.rep.googleapis.com"),
        ("us-east5", "us-east5-aiplatform.googleapis.com"),
    ] {
        let under = format!("https://{host}/v1/projects/p-1/locations/{location}");
        for (id, path) in [
            ("vertex", "endpoints/openapi/chat/completions"),
            ("vertex-claude", "publishers/anthropic/models"),
            ("vertex-gemini", "publishers/google/models"),
        ] {
            let expected = format!("{under}/{path}");
            let named = [("VERTEX_PROJECT_ID", "p-1"), ("VERTEX_LOCATION", location)];
            check(id, "", &named, &expected);
            // Claude Code's own names.
            let its = [
                ("ANTHROPIC_VERTEX_PROJECT_ID", "p-1"),
                ("CLOUD_ML_REGION", location),
            ];
            check(id, "", &its, &expected);
            // The file wins.
            let entry = format!("variables = {{ project = \"p-1\", location = \"{location}\" }}");
            let other = [
                ("VERTEX_PROJECT_ID", "p-2"),
                ("VERTEX_LOCATION", "asia-east1"),
            ];
            check(id, &entry, &other, &expected);
        }
    }
    check(
        "bedrock-claude",
        "",
        &[("AWS_REGION", "eu-west-1")],
        "https://bedrock-mantle.eu-west-1.api.aws/anthropic/v1/messages",
    );
}

#[test]
fn whole_endpoints_and_other_hosts() {
    let named = |endpoint| {
        [
            ("VERTEX_PROJECT_ID", "p"),
            ("VERTEX_CHAT_ENDPOINT", endpoint),
        ]
    };
    let whole = "https://h.example.com/x/endpoints/openapi/chat/completions";
    check("vertex", "", &named(whole), whole);
    check(
        "vertex",
        "",
        &named("https://h.example.com/x/endpoints/openapi"),
        whole,
    );
    // The file's own URL wins: a host alone stands before the preset's paths, a path replaces them.
    check(
        "vertex-claude",
        "base_url = \"http://127.0.0.1:9\"",
        &named(whole),
        "http://127.0.0.1:9/v1/projects/p/locations/global/publishers/anthropic/models",
    );
    check(
        "vertex",
        "base_url = \"http://127.0.0.1:9/own/v1\"",
        &named(whole),
        "http://127.0.0.1:9/own/v1/chat/completions",
    );
}

#[test]
fn what_is_missing_or_wrong() {
    let check = |text: &str, variables: &[(&str, &str)], expected: &str| {
        let shown = problems(text, variables);
        assert!(shown.contains(expected), "{text}\n{shown}");
    };
    let key = format!("api_key = '{CREDENTIAL}'\n");
    check(
        &format!("[providers.vertex]\n{key}"),
        &[],
        "provider `vertex` needs its `project`: the Google Cloud project that is billed\n  hint: set \
         `VERTEX_PROJECT_ID` or `ANTHROPIC_VERTEX_PROJECT_ID`, or write `variables = { project = \"...\" }`",
    );
    check(
        &format!("[providers.vertex]\n{key}variables = {{ projct = \"p\" }}"),
        &[("VERTEX_PROJECT_ID", "p")],
        "no variable `projct` in provider `vertex`\n  hint: did you mean `project`?",
    );
    check(
        "[providers.ollama]\nvariables = { a = \"b\" }",
        &[],
        "its addresses leave nothing open",
    );
    // Nothing a variable holds may lead the key elsewhere.
    for value in ["evil.test/", "a@evil.test", "x?y", "x#", "../..", "a b"] {
        check(
            "[providers.bedrock]\napi_key = \"k\"",
            &[("AWS_REGION", value)],
            "`region` of provider `bedrock` holds a character it may not hold",
        );
    }
    check(
        "[providers.vertex]\nvariables = { project = \"p\" }",
        &[("VERTEX_CHAT_ENDPOINT", "nowhere")],
        "environment variable VERTEX_CHAT_ENDPOINT is not a URL",
    );
    check(
        "[providers.vertex]\napi_key = \"sk-123\"\nvariables = { project = \"p\" }",
        &[],
        "the key of provider `vertex` from lingate.toml:2: the credential file cannot be read",
    );
    check(
        "from_env = false\n[providers.vertex]\nvariables = { project = \"p\" }",
        &[],
        "no key for provider `vertex`",
    );
}

#[test]
fn credentials_are_found_like_google_s_own_tools_find_them() {
    let text = "[providers.vertex]\nvariables = { project = \"p\" }";
    let login = "/home/user/.config/gcloud/application_default_credentials.json";
    let named = |value: &'static str| environment(&[("GOOGLE_APPLICATION_CREDENTIALS", value)]);
    for (environment, kind, origin) in [
        (
            named(CREDENTIAL),
            "account",
            "environment variable GOOGLE_APPLICATION_CREDENTIALS",
        ),
        (
            named("~/sa.json").with_file("/home/user/sa.json", CREDENTIAL),
            "account",
            "environment variable GOOGLE_APPLICATION_CREDENTIALS",
        ),
        (environment(&[]).with_file(login, LOGIN), "user", login),
        (environment(&[]), "machine", "the machine's metadata server"),
    ] {
        let config = load_in(text, &environment).unwrap_or_else(|problems| panic!("{problems}"));
        let [key] = provider(&config, "vertex").keys.as_slice() else {
            panic!("one key");
        };
        let found = match GcpCredential::parse(key.secret.expose()) {
            Ok(GcpCredential::ServiceAccount(_)) => "account",
            Ok(GcpCredential::User(_)) => "user",
            Ok(GcpCredential::Metadata { .. }) => "machine",
            Err(_) => "none",
        };
        assert_eq!((found, key.origin.as_str()), (kind, origin));
    }
}

/// A credential alone says nothing of what it is meant for.
#[test]
fn the_environment_adds_a_provider_when_it_says_enough() {
    let has = |variables: &[(&str, &str)]| {
        let config = load("", variables).unwrap_or_else(|problems| panic!("{problems}"));
        let ids = config.providers.iter().map(|provider| provider.id.clone());
        ids.filter(|id| id != "demo").collect::<Vec<_>>()
    };
    let credential = ("GOOGLE_APPLICATION_CREDENTIALS", CREDENTIAL);
    assert!(has(&[credential]).is_empty());
    assert_eq!(
        has(&[credential, ("VERTEX_PROJECT_ID", "p")]),
        ["vertex", "vertex-claude", "vertex-gemini"]
    );
    assert_eq!(
        has(&[("AWS_BEARER_TOKEN_BEDROCK", "k")]),
        ["bedrock-claude", "bedrock"]
    );
    assert!(has(&[("ANTHROPIC_FOUNDRY_API_KEY", "k")]).is_empty());
}

/// Facts age: each preset says when they were looked at, and every default is a model it knows or keeps.
#[test]
fn facts_are_dated() {
    for preset in presets() {
        let date = |text: &str| {
            let parts: Vec<usize> = text.split('-').map(str::len).collect();
            parts == [4, 2, 2] && text >= "2026-01-01"
        };
        assert!(date(&preset.as_of), "{}", preset.name);
        for (model, facts) in preset.models() {
            assert_eq!(facts.as_of, preset.as_of, "{model}");
            assert!(facts.name.is_some(), "{}: {model}", preset.name);
        }
        for model in [&preset.default_model, &preset.small_model]
            .into_iter()
            .flatten()
        {
            let known = model == "*" || preset.models().any(|(name, _)| name == model);
            assert!(known, "{}: no facts on {model}", preset.name);
        }
    }
}
