//! The URL rule: what people paste as a base URL, and where requests go. U1-U8 are the cases of a provider whose
//! bases, wires and keys were once resolved in several places, each a little differently.

use lingate_config::{Config, Provider};
use lingate_wire::Wire;

use crate::support::{endpoint, load, problems, provider};

const KIMI_MESSAGES: &str = "https://api.kimi.com/coding/v1/messages";
const KIMI_CHAT: &str = "https://api.kimi.com/coding/v1/chat/completions";

fn loaded(text: &str, variables: &[(&str, &str)]) -> Config {
    load(text, variables).unwrap_or_else(|problems| panic!("{text}\n{problems}"))
}

#[track_caller]
fn check(base: &str, wire: Wire, expected: &str) {
    let text = format!("[providers.x]\nbase_url = \"{base}\"\nspeaks = [\"{wire}\"]\n");
    let config = loaded(&text, &[]);
    assert_eq!(
        endpoint(provider(&config, "x"), wire),
        expected,
        "{base} on {wire}"
    );
}

#[test]
fn base_urls() {
    use Wire::{Anthropic, Chat, Gemini, Responses};
    for (base, wire, expected) in [
        // U1, U2
        ("https://api.kimi.com/coding/v1", Anthropic, KIMI_MESSAGES),
        ("https://api.kimi.com/coding", Anthropic, KIMI_MESSAGES),
        ("https://api.kimi.com/coding/", Anthropic, KIMI_MESSAGES),
        // U3
        ("https://api.kimi.com/coding/v1", Chat, KIMI_CHAT),
        ("https://api.kimi.com/coding", Chat, KIMI_CHAT),
        // U4
        (
            "https://h/anthropic",
            Anthropic,
            "https://h/anthropic/v1/messages",
        ),
        (
            "https://h/anthropic/",
            Anthropic,
            "https://h/anthropic/v1/messages",
        ),
        (
            "https://h/anthropic/v1",
            Anthropic,
            "https://h/anthropic/v1/messages",
        ),
        // U5
        ("https://h/v1", Chat, "https://h/v1/chat/completions"),
        // Doubled and trailing parts change nothing.
        ("https://h/v1/v1/", Chat, "https://h/v1/chat/completions"),
        ("https://h//v1//", Anthropic, "https://h/v1/messages"),
        // A full endpoint is kept, and serves as a base for another wire.
        (
            "https://h/a/v1/messages",
            Anthropic,
            "https://h/a/v1/messages",
        ),
        (
            "https://h/v1/chat/completions/",
            Chat,
            "https://h/v1/chat/completions",
        ),
        (
            "https://h/v1/chat/completions",
            Anthropic,
            "https://h/v1/messages",
        ),
        (
            "https://h/chat/completions",
            Chat,
            "https://h/v1/chat/completions",
        ),
        // Other versions.
        (
            "https://h/api/paas/v4",
            Chat,
            "https://h/api/paas/v4/chat/completions",
        ),
        (
            "https://h/v1/projects/p/endpoints/openapi",
            Chat,
            "https://h/v1/projects/p/endpoints/openapi/chat/completions",
        ),
        ("https://h", Responses, "https://h/v1/responses"),
        ("https://h", Gemini, "https://h/v1beta/models"),
        ("https://h/v1beta/models", Gemini, "https://h/v1beta/models"),
        // A version inside a path, and words that only look like one.
        (
            "https://h/v1/proxy",
            Chat,
            "https://h/v1/proxy/v1/chat/completions",
        ),
        (
            "https://h/vault",
            Chat,
            "https://h/vault/v1/chat/completions",
        ),
        // Port, address and query stay.
        (
            "http://[::1]:8080/?key=1",
            Chat,
            "http://[::1]:8080/v1/chat/completions?key=1",
        ),
    ] {
        check(base, wire, expected);
    }
}

/// U6: the same bases by explicit configuration, as an entry with a pool of keys, by the environment's key, by the
/// key's prefix, per wire, and as one of several targets.
#[test]
fn every_way_to_the_same_url() {
    let explicit = |base: &str| {
        format!("[providers.p]\npreset = \"kimi-coding\"\nbase_url = \"{base}\"\napi_key = \"k\"\n")
    };
    let pool = |base: &str| {
        format!(
            "[providers.p]\npreset = \"kimi-coding\"\nbase_url = \"{base}\"\napi_keys = [\"k\", \"l\"]\n"
        )
    };
    let per_wire = |base: &str| {
        format!(
            "[providers.p]\nbase_url = {{ anthropic = \"{base}\", chat = \"{base}\" }}\napi_key = \"k\"\n"
        )
    };
    let fallback = |base: &str| {
        format!(
            "[providers.p]\nbase_url = \"{base}\"\napi_key = \"k\"\n[models.m]\ntargets = [\"demo/demo\", \"p/k\"]\n"
        )
    };
    for base in [
        "https://api.kimi.com/coding/v1",
        "https://api.kimi.com/coding",
        "https://api.kimi.com/coding/",
    ] {
        for text in [explicit(base), pool(base), per_wire(base), fallback(base)] {
            let config = loaded(&text, &[]);
            let provider = provider(&config, "p");
            assert_eq!(endpoint(provider, Wire::Anthropic), KIMI_MESSAGES, "{text}");
            assert_eq!(endpoint(provider, Wire::Chat), KIMI_CHAT, "{text}");
            assert_eq!(provider.wire_for(Wire::Gemini), Wire::Anthropic, "{text}");
        }
    }
    for variables in [
        [("KIMI_CODING_API_KEY", "sk-kimi-a")],
        [("KIMI_API_KEY", "sk-kimi-a")],
    ] {
        let config = loaded("", &variables);
        let provider = provider(&config, "kimi-coding");
        assert_eq!(endpoint(provider, Wire::Anthropic), KIMI_MESSAGES);
        assert_eq!(endpoint(provider, Wire::Chat), KIMI_CHAT);
    }
}

/// U7: a key's prefix chooses the preset's URL; an explicit URL wins.
#[test]
fn key_prefixes() {
    const MOONSHOT: &str = "https://api.moonshot.ai/v1/chat/completions";
    for (key, base, expected) in [
        ("sk-kimi-a", None, KIMI_CHAT),
        ("sk-a", None, MOONSHOT),
        ("sk-kimi-a", Some("https://api.moonshot.ai/v1"), MOONSHOT),
        (
            "sk-kimi-a",
            Some("https://proxy.test/x"),
            "https://proxy.test/x/v1/chat/completions",
        ),
    ] {
        let base = base
            .map(|base| format!("base_url = \"{base}\"\n"))
            .unwrap_or_default();
        let text = format!("[providers.moonshot]\napi_key = \"{key}\"\n{base}");
        let config = loaded(&text, &[]);
        assert_eq!(
            endpoint(provider(&config, "moonshot"), Wire::Chat),
            expected,
            "{text}"
        );
    }
}

/// U8: a host that only looks like the provider's gets none of its keys and none of its wires.
#[test]
fn look_alike_hosts() {
    let evil = "https://api.kimi.com.evil.test/coding";
    let variables = [("KIMI_CODING_API_KEY", "sk-kimi-secret")];

    let text = format!("[providers.x]\nbase_url = \"{evil}\"\n");
    let config = loaded(&text, &variables);
    let x = provider(&config, "x");
    assert!(x.keys.is_empty());
    assert_eq!(x.speaks, [Wire::Chat]);

    let text = format!("[providers.kimi-coding]\nbase_url = \"{evil}\"\n");
    insta::assert_snapshot!(problems(&text, &variables), @r##"
    lingate.toml:1: no key for provider `kimi-coding`
      hint: `KIMI_CODING_API_KEY` is not sent to api.kimi.com.evil.test, which is not the provider's own host; to send it, write `api_key = "${KIMI_CODING_API_KEY}"`
    "##);
}

#[test]
fn wires_are_detected() {
    use Wire::{Anthropic, Chat, Responses};
    for (base, expected) in [
        ("https://api.openai.com/v1", &[Responses, Chat][..]),
        ("https://API.OPENAI.COM", &[Responses, Chat]),
        ("https://api.x.ai/v1", &[Responses, Chat]),
        ("https://host.test/anthropic", &[Anthropic]),
        ("https://host.test/anthropic/v1/", &[Anthropic]),
        ("https://host.test/v1/messages", &[Anthropic]),
        ("https://host.test/v1/responses", &[Responses]),
        ("https://api.kimi.com/coding", &[Anthropic, Chat]),
        ("https://api.kimi.com/coding/v1", &[Anthropic, Chat]),
        ("https://api.kimi.com/codingx", &[Chat]),
        ("https://api.kimi.com/other", &[Chat]),
        ("https://xapi.openai.com/v1", &[Chat]),
        ("https://api.openai.com.evil.test/v1", &[Chat]),
        ("https://host.test", &[Chat]),
        ("http://127.0.0.1:8080", &[Chat]),
    ] {
        let config = loaded(&format!("[providers.x]\nbase_url = \"{base}\"\n"), &[]);
        assert_eq!(provider(&config, "x").speaks, expected, "{base}");
    }
}

#[test]
fn client_wire_is_used_if_spoken() {
    let config = loaded(
        "[providers.x]\nbase_url = \"https://h\"\nspeaks = [\"responses\", \"chat\"]\n",
        &[],
    );
    let x: &Provider = provider(&config, "x");
    assert_eq!(x.wire_for(Wire::Chat), Wire::Chat);
    assert_eq!(x.wire_for(Wire::Anthropic), Wire::Responses);
    assert_eq!(endpoint(x, Wire::Anthropic), "none");
    assert_eq!(
        x.models_url().map(ToString::to_string).as_deref(),
        Some("https://h/v1/models")
    );
}

#[test]
fn paths_override_the_rule() {
    let text = "[providers.x]\nbase_url = \"https://h:1/a\"\nspeaks = [\"chat\", \"anthropic\"]\npaths = { anthropic = \"/m/msg\" }\n";
    let config = loaded(text, &[]);
    let x = provider(&config, "x");
    assert_eq!(endpoint(x, Wire::Anthropic), "https://h:1/m/msg");
    assert_eq!(endpoint(x, Wire::Chat), "https://h:1/a/v1/chat/completions");
}

/// A key of any kind.
const CREDENTIAL: &str = r#"{"type":"service_account","client_email":"a@p","private_key":"-----BEGIN PRIVATE KEY-----"}"#;

/// What presets' addresses leave open, without those that have a default.
const OPEN: [(&str, &str); 3] = [
    ("VERTEX_PROJECT_ID", "proj-1"),
    ("AZURE_OPENAI_RESOURCE", "res-1"),
    ("ANTHROPIC_FOUNDRY_RESOURCE", "res-2"),
];

/// Where each preset's requests go: a change here is a change of what users reach.
#[test]
fn presets() {
    let mut lines = Vec::new();
    for preset in lingate_config::presets() {
        let text = format!("[providers.{}]\napi_key = '{CREDENTIAL}'\n", preset.name);
        let config = loaded(&text, &OPEN);
        let provider = provider(&config, &preset.name);
        for wire in &provider.speaks {
            lines.push(format!(
                "{} {wire} {}",
                preset.name,
                endpoint(provider, *wire)
            ));
        }
    }
    insta::assert_snapshot!(lines.join("\n"), @r##"
    moonshot chat https://api.moonshot.ai/v1/chat/completions
    moonshot-cn chat https://api.moonshot.cn/v1/chat/completions
    kimi-coding anthropic https://api.kimi.com/coding/v1/messages
    kimi-coding chat https://api.kimi.com/coding/v1/chat/completions
    kimi-coding-cn anthropic https://api.kimi.com/coding/v1/messages
    kimi-coding-cn chat https://api.kimi.com/coding/v1/chat/completions
    anthropic anthropic https://api.anthropic.com/v1/messages
    openai responses https://api.openai.com/v1/responses
    openai chat https://api.openai.com/v1/chat/completions
    gemini gemini https://generativelanguage.googleapis.com/v1beta/models
    openrouter chat https://openrouter.ai/api/v1/chat/completions
    openrouter anthropic https://openrouter.ai/api/v1/messages
    openrouter responses https://openrouter.ai/api/v1/responses
    groq chat https://api.groq.com/openai/v1/chat/completions
    groq responses https://api.groq.com/openai/v1/responses
    deepseek chat https://api.deepseek.com/v1/chat/completions
    deepseek anthropic https://api.deepseek.com/anthropic/v1/messages
    zai chat https://api.z.ai/api/paas/v4/chat/completions
    zai anthropic https://api.z.ai/api/anthropic/v1/messages
    zai-coding chat https://api.z.ai/api/coding/paas/v4/chat/completions
    zai-coding anthropic https://api.z.ai/api/anthropic/v1/messages
    minimax chat https://api.minimax.io/v1/chat/completions
    minimax anthropic https://api.minimax.io/anthropic/v1/messages
    alibaba chat https://dashscope-intl.aliyuncs.com/compatible-mode/v1/chat/completions
    alibaba anthropic https://dashscope-intl.aliyuncs.com/apps/anthropic/v1/messages
    opencode-zen chat https://opencode.ai/zen/v1/chat/completions
    opencode-go chat https://opencode.ai/zen/go/v1/chat/completions
    together chat https://api.together.xyz/v1/chat/completions
    fireworks chat https://api.fireworks.ai/inference/v1/chat/completions
    novita chat https://api.novita.ai/openai/v1/chat/completions
    baseten chat https://inference.baseten.co/v1/chat/completions
    cerebras chat https://api.cerebras.ai/v1/chat/completions
    mistral chat https://api.mistral.ai/v1/chat/completions
    ollama chat http://127.0.0.1:11434/v1/chat/completions
    ollama anthropic http://127.0.0.1:11434/v1/messages
    llama-cpp chat http://127.0.0.1:8080/v1/chat/completions
    vllm chat http://127.0.0.1:8000/v1/chat/completions
    sglang chat http://127.0.0.1:30000/v1/chat/completions
    xai responses https://api.x.ai/v1/responses
    xai chat https://api.x.ai/v1/chat/completions
    vertex chat https://aiplatform.googleapis.com/v1/projects/proj-1/locations/global/endpoints/openapi/chat/completions
    vertex-claude anthropic https://aiplatform.googleapis.com/v1/projects/proj-1/locations/global/publishers/anthropic/models
    vertex-gemini gemini https://aiplatform.googleapis.com/v1/projects/proj-1/locations/global/publishers/google/models
    bedrock-claude anthropic https://bedrock-mantle.us-east-1.api.aws/anthropic/v1/messages
    bedrock chat https://bedrock-mantle.us-east-1.api.aws/v1/chat/completions
    azure responses https://res-1.services.ai.azure.com/openai/v1/responses
    azure chat https://res-1.services.ai.azure.com/openai/v1/chat/completions
    azure-claude anthropic https://res-2.services.ai.azure.com/anthropic/v1/messages
    "##);
}

#[test]
fn a_known_host_keeps_its_quirks_under_any_name() {
    let config = loaded(
        "[providers.mine]\nbase_url = \"https://api.moonshot.ai/v1\"\napi_key = \"sk-x\"\n\
         [providers.look]\nbase_url = \"https://api.moonshot.ai.evil.test/v1\"\n\
         [providers.plain]\nbase_url = \"https://api.moonshot.ai/v1\"\nquirks = []\n",
        &[],
    );
    assert_eq!(provider(&config, "mine").quirks, ["moonshot"]);
    assert!(provider(&config, "mine").model_facts("kimi-k2.6").is_some());
    assert!(provider(&config, "look").quirks.is_empty());
    assert!(provider(&config, "plain").quirks.is_empty());
}
