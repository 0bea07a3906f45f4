//! Other systems' files, as people have them, and the configuration that comes out: it loads, holds no key, and every
//! member that did not carry over is told.

use lingate_config::import::{Format, ImportError, Imported, Source, import};
use lingate_config::{Config, FixedEnvironment, LoadOptions};

/// Every text that stands for a key in the files below.
const SECRET: &str = "SECRET";

fn imported(format: Format, sources: &[(&str, &str)]) -> Imported {
    let sources: Vec<Source<'_>> = sources
        .iter()
        .map(|(name, text)| Source { name, text })
        .collect();
    import(format, &sources).unwrap_or_else(|error| panic!("{error}"))
}

/// The text, the variables to set, and the notes; what comes out has to load with those variables set.
fn shown(format: Format, sources: &[(&str, &str)], others: &[(&str, &str)]) -> String {
    let imported = imported(format, sources);
    let mut shown = imported.text.clone();
    for secret in &imported.secrets {
        shown.push_str(&format!(
            "# export {} # {}\n",
            secret.variable, secret.place
        ));
    }
    for note in &imported.notes {
        shown.push_str(&format!("# {} {}\n", note.place, note.text));
    }
    assert!(!shown.contains(SECRET), "{shown}");
    let variables = imported
        .secrets
        .iter()
        .map(|secret| (secret.variable.as_str(), secret.value.expose()))
        .chain(others.iter().copied());
    let environment = FixedEnvironment::new(variables);
    let loaded = Config::from_text(None, &imported.text, &LoadOptions::default(), &environment);
    if let Err(problems) = loaded {
        panic!("{problems}\n{shown}");
    }
    shown
}

#[test]
fn kimi_proxy() {
    let yaml = "
default_strategy: round_robin
models:
  - name: kimi-k2-thinking
    provider: vertex
    model: moonshotai/kimi-k2-thinking-maas
    ensure_tool_call: true
  - name: kimi-k2-thinking
    provider: openrouter
    model: moonshotai/kimi-k2-thinking
    apiKey: $OPENROUTER_DEFAULT_KEY
    weight: 2
    strategy: weighted_random
  - name: gemini
    provider: vertex
    model: gemini-3.7-flash
    provider_config: { location: global, thinkingConfig: { includeThoughts: true } }
  - name: local
    profile: team
    provider: openai
    model: qwen3
    provider_config: { baseUrl: 'http://10.0.0.7:8000/v1', apiKey: sk-SECRET-team }
  - name: nobody
    provider: cohere
    model: x
";
    let env = "
PORT=8000
HOST=0.0.0.0
OPENAI_BASE_URL=https://api.openai.com
OPENAI_API_KEY=sk-SECRET-openai
export OPENROUTER_API_KEY=\"sk-or-SECRET\"  # the shared one
OPENROUTER_PROVIDERS=moonshotai,groq
OPENROUTER_SORT=price
VERTEX_PROJECT_ID=proj-1
VERTEX_LOCATION=us-central1
GOOGLE_APPLICATION_CREDENTIALS=/etc/sa.json
ENSURE_TOOL_CALL_MAX_ATTEMPTS=4
LOG_DB_PATH=./data/logs.db
STREAM_DELAY=10
HOMEGROWN=1
";
    let account = r#"{"type":"service_account","client_email":"a","private_key":"-----BEGIN PRIVATE KEY-----"}"#;
    insta::assert_snapshot!(shown(
        Format::KimiProxy,
        &[("model-config.yaml", yaml), (".env", env)],
        &[("GOOGLE_APPLICATION_CREDENTIALS", account)],
    ));
}

#[test]
fn louter() {
    let toml = r#"
custom_instructions = "Answer briefly."
timeout_seconds = 120
allowed_tools = ["Read", "Bash"]
[performance]
enable_metrics = true
[backends.local]
url = "http://127.0.0.1:11434"
priority = 1
fallback = "cloud"
tool_format = "xml"
max_tokens_field = "max_tokens"
max_tokens = 8192
temperature_override = 0.2
capabilities = ["text", "function_calling"]
[backends.local.model_mapping]
"claude-sonnet-4-5" = "qwen2.5-coder"
"gpt-4" = "qwen2.5-coder"
[backends.cloud]
url = "https://api.openai.com"
api_key = "sk-SECRET-cloud"
custom_instruction = "Be exact."
custom_instruction_mode = "prepend"
[backends.cloud.model_mapping]
"claude-sonnet-4-5" = "gpt-5.6-sol"
[backends.google]
url = "https://generativelanguage.googleapis.com"
protocol = "gemini"
api_key = "${GEMINI_KEY}"
region = "eu"
[backends.google.model_mapping]
"gemini-pro" = "gemini-3.7-flash"
"#;
    insta::assert_snapshot!(shown(
        Format::Louter,
        &[("config.toml", toml)],
        &[("GEMINI_KEY", "AIza-1")],
    ));
}

#[test]
fn cc_proxy() {
    let one = r#"{"port": 3456, "backends": [
        {"name": "official", "base_url": "https://api.anthropic.com", "token": "sk-ant-SECRET", "enabled": true}
    ]}"#;
    insta::assert_snapshot!(
        "cc_proxy_one",
        shown(Format::CcProxy, &[("config.json", one)], &[])
    );
    let several = r#"{
        "port": 3456,
        "backends": [
            {"name": "Relay A", "base_url": "https://relay.example.com/claude", "token": "SECRET-a", "enabled": true},
            {"name": "Relay B", "base_url": "https://relay-b.example.com", "token": "SECRET-b", "enabled": false},
            {"name": "kimi", "base_url": "https://api.moonshot.ai/anthropic", "token": "sk-SECRET-kimi", "enabled": true, "model": "kimi-k3"},
            {"name": "glm", "base_url": "https://open.example.com/v4", "token": "SECRET-glm", "platform": "openai", "model": "glm-5.3", "note": "slow"}
        ],
        "retry": {"max_attempts": 5, "timeout_seconds": 300},
        "health_check": {"enabled": true, "interval_seconds": 60},
        "failover": {"circuit_breaker": {"failure_threshold": 3}, "rate_limit": {"cooldown_seconds": 60}}
    }"#;
    insta::assert_snapshot!(
        "cc_proxy_several",
        shown(Format::CcProxy, &[("config.json", several)], &[])
    );
}

#[test]
fn claude_code_router() {
    let json = r#"{
        "APIKEY": "SECRET-of-mine", "HOST": "0.0.0.0", "PORT": 3456, "LOG": true,
        "PROXY_URL": "http://127.0.0.1:7890", "API_TIMEOUT_MS": 600000,
        "CUSTOM_ROUTER_PATH": "$HOME/router.js",
        "Providers": [
            {"name": "openrouter", "api_base_url": "https://openrouter.ai/api/v1/chat/completions", "api_key": "$OPENROUTER_API_KEY",
             "models": ["anthropic/claude-sonnet-4"], "transformer": {"use": ["openrouter"],
             "moonshotai/kimi-k2": {"use": [["openrouter", {"provider": {"only": ["moonshotai/fp8"]}}]]}}},
            {"name": "deepseek", "api_base_url": "https://api.deepseek.com/chat/completions", "api_key": "sk-SECRET-ds",
             "models": ["deepseek-chat"], "transformer": {"use": ["deepseek"], "deepseek-chat": {"use": ["tooluse"]}}},
            {"name": "ollama", "api_base_url": "http://localhost:11434/v1/chat/completions", "api_key": "ollama", "models": ["qwen3:8b"]},
            {"name": "gemini", "api_base_url": "https://generativelanguage.googleapis.com/v1beta/models/", "api_key": "SECRET-gem",
             "models": ["gemini-3.7-flash"], "transformer": {"use": ["gemini"]}},
            {"name": "modelscope", "api_base_url": "https://api-inference.modelscope.cn/v1/chat/completions", "api_key": "SECRET-ms",
             "models": ["Qwen/Qwen3"], "transformer": {"use": [["maxtoken", {"max_tokens": 65536}], ["sampling", {"top_k": 3}], "enhancetool"]}}
        ],
        "Router": {"default": "deepseek,deepseek-chat", "background": "ollama,qwen3:8b", "think": "deepseek,deepseek-reasoner",
            "longContext": "openrouter,google/gemini-3", "longContextThreshold": 80000, "webSearch": "gemini,gemini-3.7-flash",
            "image": "nobody,x"}
    }"#;
    insta::assert_snapshot!(shown(
        Format::ClaudeCodeRouter,
        &[("config.json", json)],
        &[("OPENROUTER_API_KEY", "sk-or")],
    ));
}

#[test]
fn litellm() {
    let yaml = "
model_list:
  - model_name: kimi
    litellm_params: { model: moonshot/kimi-k2.6, api_key: os.environ/MOONSHOT_API_KEY, rpm: 60 }
  - model_name: kimi
    litellm_params: { model: together_ai/moonshotai/Kimi-K2.6, api_key: SECRET-together, weight: 2 }
  - model_name: claude-sonnet
    litellm_params:
      model: anthropic/claude-sonnet-5-5
      api_key: SECRET-ant
    model_info: { mode: chat, supports_vision: true }
  - model_name: local
    litellm_params:
      model: openai/qwen3
      api_base: http://10.0.0.7:8000/v1
      max_tokens: 4096
      input_cost_per_token: 0.0000001
      output_cost_per_token: 0.00000025
  - model_name: vertex
    litellm_params: { model: vertex_ai/moonshotai/kimi-k2-thinking-maas, vertex_project: proj-1, vertex_location: us-central1 }
  - model_name: lost
    litellm_params: { model: watsonx/granite }
litellm_settings:
  drop_params: true
  success_callback: [langfuse]
  fallbacks: [{ kimi: [local, gone] }]
  context_window_fallbacks: [{ local: [kimi] }]
router_settings:
  routing_strategy: simple-shuffle
  model_group_alias: { gpt-4: kimi }
  redis_host: localhost
general_settings:
  master_key: sk-SECRET-master
  database_url: postgresql://u:SECRET@h/db
";
    let account = r#"{"type":"service_account","client_email":"a","private_key":"-----BEGIN PRIVATE KEY-----"}"#;
    insta::assert_snapshot!(shown(
        Format::Litellm,
        &[("config.yaml", yaml)],
        &[
            ("MOONSHOT_API_KEY", "sk-m"),
            ("GOOGLE_APPLICATION_CREDENTIALS", account)
        ],
    ));
}

#[test]
fn cc_switch() {
    let json = r#"{
        "version": 2,
        "claude": {"current": "k", "providers": {
            "k": {"id": "k", "name": "Kimi", "websiteUrl": "https://kimi.com", "settingsConfig": {"env": {
                "ANTHROPIC_BASE_URL": "https://api.moonshot.ai/anthropic", "ANTHROPIC_AUTH_TOKEN": "sk-SECRET-k",
                "ANTHROPIC_MODEL": "kimi-k3", "ANTHROPIC_DEFAULT_OPUS_MODEL": "kimi-k3",
                "ANTHROPIC_DEFAULT_SONNET_MODEL": "kimi-k2.6", "ANTHROPIC_DEFAULT_HAIKU_MODEL": "kimi-k2.7-code-highspeed"}}},
            "r": {"id": "r", "name": "My Relay", "settingsConfig": {"env": {
                "ANTHROPIC_BASE_URL": "https://relay.example.com", "ANTHROPIC_API_KEY": "SECRET-r"}}, "custom": 1},
            "official": {"id": "official", "name": "Claude", "settingsConfig": {"env": {}}}}},
        "codex": {"current": "c", "providers": {
            "c": {"id": "c", "name": "Codex relay", "settingsConfig": {"auth": {"OPENAI_API_KEY": "SECRET-c"},
                "config": "model = \"gpt-5.6-sol\"\nmodel_provider = \"relay\"\n[model_providers.relay]\nbase_url = \"https://codex.example.com/v1\"\nwire_api = \"responses\"\n"}},
            "login": {"id": "login", "name": "OpenAI", "settingsConfig": {"auth": {"tokens": {}}, "config": ""}}}},
        "mcp": {"claude": {"servers": {}}}
    }"#;
    insta::assert_snapshot!(
        "cc_switch_file",
        shown(Format::CcSwitch, &[("config.json", json)], &[])
    );

    let rows = r#"[
        {"id":"a","app_type":"claude","name":"GLM","settings_config":"{\"env\":{\"ANTHROPIC_BASE_URL\":\"https://api.z.ai/api/anthropic\",\"ANTHROPIC_AUTH_TOKEN\":\"SECRET-z\",\"ANTHROPIC_MODEL\":\"glm-5.3\"}}","website_url":null,"meta":"{}","is_current":1},
        {"id":"b","app_type":"gemini","name":"Gemini","settings_config":"{}","is_current":0}
    ]"#;
    insta::assert_snapshot!(
        "cc_switch_rows",
        shown(Format::CcSwitch, &[("providers.json", rows)], &[])
    );

    let settings = r#"{"env": {"ANTHROPIC_BASE_URL": "https://api.deepseek.com/anthropic", "ANTHROPIC_AUTH_TOKEN": "SECRET-d"}}"#;
    insta::assert_snapshot!(
        "cc_switch_settings",
        shown(Format::CcSwitch, &[("deepseek.json", settings)], &[])
    );
}

/// A key in the query of an address is moved like any other, and nothing of a query stays that may be one.
#[test]
fn keys_in_addresses() {
    let check = |address: &str, expected: &str, keys: &[&str]| {
        let json = format!(
            r#"{{"backends": [{{"name": "own", "base_url": "{address}", "enabled": true}}]}}"#
        );
        let sources = [("config.json", json.as_str())];
        let text = shown(Format::CcProxy, &sources, &[]);
        assert!(
            text.contains(&format!("base_url = \"{expected}\"\n")),
            "{text}"
        );
        let found = imported(Format::CcProxy, &sources);
        let moved: Vec<&str> = found.secrets.iter().map(|own| own.value.expose()).collect();
        assert_eq!(moved, keys, "{address}");
        assert_eq!(text.contains("${OWN_API_KEY}"), !keys.is_empty(), "{text}");
        let place = "config.json: backends[0].base_url";
        let notes = found.notes.iter().filter(|note| note.place == place);
        let is_cut = address.contains(SECRET) || !keys.is_empty();
        assert_eq!(notes.count(), usize::from(is_cut), "{text}");
    };
    let host = "https://h.example/v1";
    check(host, host, &[]);
    check(&format!("{host}?key=SECRET-1"), host, &["SECRET-1"]);
    check(&format!("{host}?alt=SECRET"), host, &[]);
    check(&format!("{host}?SECRET"), host, &[]);
    let versioned = format!("{host}?api-version=2026-01-01");
    check(&versioned, &versioned, &[]);
    check(
        &format!("{versioned}&token=SECRET-2"),
        &versioned,
        &["SECRET-2"],
    );

    let json = r#"{"Providers": [{"name": "gemini", "models": ["m"],
        "transformer": {"use": ["gemini"]},
        "api_base_url": "https://generativelanguage.googleapis.com/v1beta/models/?key=SECRET-g"}]}"#;
    let text = shown(Format::ClaudeCodeRouter, &[("config.json", json)], &[]);
    assert!(text.contains("api_key = \"${GEMINI_API_KEY}\""), "{text}");
}

/// A dollar and a brace are letters in a foreign file: nothing of this machine may come out of them.
#[test]
fn what_would_be_a_reference_here_is_none_there() {
    let told = "${file:/there/is/none} ${UNSET} $${A}";
    let louter = format!(
        "custom_instructions = \"{told}\"\n[backends.b]\nurl = \"http://h.test/v1\"\n\
         [backends.b.model_mapping]\n\"m\" = \"x-${{UNSET}}\"\n"
    );
    // It loads, where a reference would find neither the file nor the variable.
    let text = shown(Format::Louter, &[("config.toml", &louter)], &[]);
    assert!(text.contains("$${file:/there/is/none} $${UNSET}"), "{text}");
    assert!(text.contains("/x-$${UNSET}"), "{text}");

    let json = r#"{"Providers": [{"name": "own", "models": ["m"], "api_key": "${file:/etc/shadow}",
        "api_base_url": "https://own.test/${file:/etc/shadow}/v1"}]}"#;
    let text = imported(Format::ClaudeCodeRouter, &[("config.json", json)]).text;
    let (own, escaped) = (
        text.matches("${file:").count(),
        text.matches("$${file:").count(),
    );
    assert_eq!(own, escaped, "{text}");
}

#[test]
fn what_is_no_such_file() {
    let check = |format, name: &str, text: &str, expected: &str| {
        let error = import(format, &[Source { name, text }]).map(|found| found.text);
        assert_eq!(
            error.map_err(|error| error.to_string()),
            Err(expected.to_owned())
        );
    };
    check(
        Format::CcProxy,
        "c.json",
        "{\n  \"token\": SECRET }",
        "c.json is not JSON: line 2, column 12",
    );
    check(
        Format::Louter,
        "c.toml",
        "a = 1\nb = = SECRET",
        "c.toml is not TOML: line 2",
    );
    check(
        Format::CcProxy,
        "c.json",
        "{}",
        "c.json holds no provider that could be imported",
    );
    let yaml = import(
        Format::Litellm,
        &[Source {
            name: "c.yaml",
            text: "a: [SECRET\nb: }",
        }],
    );
    let Err(ImportError::Syntax { reason, .. }) = yaml else {
        panic!("it is no YAML");
    };
    assert!(
        reason.starts_with("line ") && !reason.contains(SECRET),
        "{reason}"
    );
}
