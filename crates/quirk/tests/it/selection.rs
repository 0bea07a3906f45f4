//! Which quirks which upstream gets, and what is documented about them.

use std::collections::HashSet;

use lingate_quirk::{
    ReasoningHistory, Repair, Settings, Target, Temperature, all, markdown, names, select,
};
use lingate_wire::Wire;
use lingate_wire::turn::{Failure, FailureKind, Params, Turn};

use crate::translate::Upstream;

#[track_caller]
fn check(declared: &str, model: &str, wire: Wire, expected: &[&str]) {
    let declared: Vec<String> = declared.split_whitespace().map(str::to_owned).collect();
    let target = Target {
        provider: "p",
        host: "api.example",
        model,
        wire,
    };
    // Those of replies have tests of their own.
    let found: Vec<&str> = select(&declared, &target)
        .quirks()
        .filter(|quirk| quirk.stage.is_none())
        .map(|quirk| quirk.name)
        .collect();
    assert_eq!(found, expected, "{declared:?} {model} {wire}");
}

#[test]
fn a_group_brings_what_is_meant_for_the_model() {
    check(
        "openrouter kimi-k2",
        "moonshotai/kimi-k2-0905",
        Wire::Chat,
        &[
            "openrouter-spelling",
            "no-content-filler",
            "empty-content",
            "kimi-tool-names",
            "tool-names",
            "tool-call-ids",
            "tool-schema",
            "openai-tool-schema",
            "allowed-tools",
            "k2-temperature",
            "kimi-output-limit",
            "reasoning-history",
            "output-limit-retry",
            "mandatory-reasoning",
            "forced-call-retry",
        ],
    );
    check(
        "openrouter kimi-k2",
        "anthropic/claude-sonnet-5",
        Wire::Chat,
        &[
            "openrouter-spelling",
            "tool-names",
            "openai-tool-schema",
            "allowed-tools",
            "output-limit-retry",
            "mandatory-reasoning",
            "forced-call-retry",
        ],
    );
    check("moonshot", "kimi-k2.6", Wire::Anthropic, &[]);
    check(
        "anthropic",
        "claude-opus-5-5",
        Wire::Anthropic,
        &[
            "anthropic-tool-names",
            "anthropic-call-ids",
            "anthropic-tool-schema",
            "anthropic-allowed-tools",
            "claude-thinking",
            "claude-sampling",
        ],
    );
    check("", "kimi-k2.6", Wire::Chat, &[]);
}

#[test]
fn a_quirk_by_its_own_name_comes_for_every_model() {
    check(
        "tool-call-ids",
        "my-finetune",
        Wire::Chat,
        &["tool-call-ids"],
    );
    check("tool-call-ids", "my-finetune", Wire::Anthropic, &[]);
}

#[test]
fn unknown_names_are_reported() {
    let declared = ["moonshot", "mooonshot", "tool-schema"].map(str::to_owned);
    let target = Target {
        provider: "p",
        host: "h",
        model: "kimi-k3",
        wire: Wire::Chat,
    };
    assert_eq!(select(&declared, &target).unknown(), ["mooonshot"]);
}

#[test]
fn names_are_one_namespace() {
    let all_names: Vec<&str> = names().collect();
    let distinct: HashSet<&str> = all_names.iter().copied().collect();
    assert_eq!(distinct.len(), all_names.len(), "{all_names:?}");
    for group in [
        "moonshot",
        "kimi-k2",
        "kimi-k2-implicit",
        "openai",
        "deepseek",
        "vllm",
        "llama-cpp",
    ] {
        assert!(distinct.contains(group), "{group}");
    }
}

#[test]
fn every_quirk_is_documented_and_does_something() {
    for quirk in all() {
        let name = quirk.name;
        assert!(!quirk.groups.is_empty(), "{name}: nobody gets it");
        assert!(
            !quirk.summary.is_empty() && !quirk.evidence.is_empty(),
            "{name}"
        );
        let n_hooks = [
            quirk.spelling.is_some(),
            quirk.request.is_some(),
            quirk.stage.is_some(),
            quirk.on_failure.is_some(),
            quirk.recover.is_some(),
        ]
        .into_iter()
        .filter(|has_hook| *has_hook)
        .count();
        assert!(n_hooks > 0, "{name}");
        for evidence in quirk.evidence {
            assert!(
                evidence.date.len() >= 7 && evidence.date.starts_with("202"),
                "{name}: {}",
                evidence.date
            );
        }
    }
}

#[test]
fn wording_alone_is_no_reason_to_translate() {
    assert!(
        !Upstream::new(&["openrouter"], "openai/gpt-6")
            .selection()
            .has_repairs()
    );
    assert!(Upstream::moonshot().selection().has_repairs());
    assert!(!Settings::default().shape_requests());
    assert!(
        !Settings {
            max_output: Some(32_000),
            ..Settings::default()
        }
        .shape_requests()
    );
    assert!(
        Settings {
            temperature: Temperature::Omit,
            ..Settings::default()
        }
        .shape_requests()
    );
}

#[test]
fn the_page_is_what_is_published() {
    insta::assert_snapshot!(markdown());
}

const MISSING: &str = "thinking is enabled but reasoning_content is missing in assistant tool call message at index 2";

#[track_caller]
fn check_repair(
    upstream: &Upstream,
    policy: ReasoningHistory,
    message: &str,
    expected: Option<Repair>,
) {
    let upstream = upstream.clone().with(Settings {
        reasoning_history: policy,
        ..Settings::default()
    });
    let failure = Failure::new(FailureKind::InvalidRequest, message).with_status(400);
    let mut state = upstream.state();
    let mut turn = Turn {
        origin: Wire::Anthropic,
        model: "m".into(),
        system: Vec::new(),
        messages: Vec::new(),
        tools: Vec::new().into(),
        cache: None,
    };
    let mut params = Params::default();
    upstream
        .selection()
        .apply(&mut turn, &mut params, &mut state);
    state.max_tokens = Some(32_000);
    let found = upstream.selection().on_failure(&failure, &state);
    assert_eq!(found, expected, "{policy:?} {message}");
}

#[test]
fn a_known_refusal_is_answered_once() {
    use ReasoningHistory::{Auto, Omit, Placeholder, PlaceholderOn400};
    let kimi = Upstream::moonshot();
    let other = Upstream::new(&[], "some-model");
    check_repair(&kimi, Auto, MISSING, Some(Repair::ReasoningPlaceholder));
    check_repair(&kimi, Omit, MISSING, None);
    check_repair(&kimi, Placeholder, MISSING, None);
    check_repair(&other, Auto, MISSING, Some(Repair::ReasoningPlaceholder));
    // It was there already.
    let deepseek = Upstream::new(&["deepseek"], "deepseek-v4-pro");
    check_repair(&deepseek, Auto, MISSING, None);
    check_repair(
        &other,
        PlaceholderOn400,
        MISSING,
        Some(Repair::ReasoningPlaceholder),
    );
    let too_many = "max_tokens must be less than or equal to `16384`";
    check_repair(
        &kimi,
        Auto,
        too_many,
        Some(Repair::ModelOutputLimit(16_384)),
    );
    check_repair(
        &other,
        Auto,
        too_many,
        Some(Repair::ModelOutputLimit(16_384)),
    );
    let no_room = "'max_tokens' is too large: 32000. This model's maximum context length is 32768 tokens and your request has 13000 input tokens (32000 > 32768 - 13000).";
    check_repair(&other, Auto, no_room, Some(Repair::OutputLimit(19_768)));
    check_repair(&other, Auto, "max_tokens must be at most 64000", None);
    let mandatory = "Reasoning is mandatory for this endpoint and cannot be disabled.";
    check_repair(&other, Auto, mandatory, Some(Repair::Thinking));
    let forced = "Thinking mode does not support this tool_choice";
    check_repair(&other, Auto, forced, Some(Repair::NoThinking));
    check_repair(&kimi, Auto, "no such model", None);
}

#[test]
fn a_repair_does_not_ask_for_itself_again() {
    for repair in [
        Repair::ReasoningPlaceholder,
        Repair::OutputLimit(16_384),
        Repair::ModelOutputLimit(16_384),
        Repair::Thinking,
        Repair::NoThinking,
    ] {
        let mut settings = Settings::default();
        repair.patch(&mut settings);
        let upstream = Upstream::moonshot().with(settings);
        for message in [
            MISSING,
            "max_tokens: at most 16384",
            "Reasoning is mandatory",
            "Thinking mode does not support this tool_choice",
        ] {
            let failure = Failure::new(FailureKind::InvalidRequest, message);
            let mut state = upstream.state();
            state.max_tokens = Some(16_384);
            assert_ne!(
                upstream.selection().on_failure(&failure, &state),
                Some(repair)
            );
        }
    }
}

/// Stages that read replies, each for its models.
#[test]
fn families_are_read_where_a_host_does_not() {
    let check = |declared: &str, host: &str, model: &str, expected: &[&str]| {
        let declared: Vec<String> = declared.split_whitespace().map(str::to_owned).collect();
        let target = Target {
            provider: "p",
            host,
            model,
            wire: Wire::Chat,
        };
        let selection = select(&declared, &target);
        let found: Vec<&str> = selection
            .quirks()
            .filter(|quirk| quirk.stage.is_some())
            .map(|quirk| quirk.name)
            .collect();
        assert_eq!(found, expected, "{declared:?} {host} {model}");
    };
    let local =
        |model: &str, expected: &[&str]| check("vllm open-models", "127.0.0.1", model, expected);
    local("moonshotai/Kimi-K3", &["kimi-k3-text"]);
    local("NousResearch/Hermes-4-70B", &["hermes-text"]);
    local("Qwen/Qwen3-32B", &["hermes-text"]);
    local("qwen3-coder:30b", &["qwen3-coder-text"]);
    local("Qwen/Qwen3.5-35B-A3B", &["qwen3-coder-text"]);
    local("qwen-plus", &["hermes-text", "qwen3-coder-text"]);
    local("zai-org/GLM-4.7-Flash", &["glm-text"]);
    local("glm-4-9b", &[]);
    local(
        "deepseek-ai/DeepSeek-R1-Distill-Qwen-32B",
        &["deepseek-text"],
    );
    local("MiniMaxAI/MiniMax-M3", &["minimax-text"]);
    local(
        "gpt-oss:20b",
        &["harmony-call-names", "harmony-bare-headers", "harmony-text"],
    );
    check(
        "open-models implicit-thinking",
        "127.0.0.1",
        "MiniMaxAI/MiniMax-M2",
        &["implicit-thinking-text", "minimax-text"],
    );
    check(
        "open-models implicit-thinking",
        "127.0.0.1",
        "Qwen/Qwen3-32B",
        &["hermes-text"],
    );
    local("Meta-Llama-3.3-70B", &["llama-text"]);
    local("moonshotai/Kimi-K2.6", &[]);
    local("my-model", &[]);
    check("open-models", "api.moonshot.ai", "kimi-k3", &[]);
    check("open-models", "api.z.ai", "glm-5.2", &[]);
    check("open-models", "api.deepseek.com", "deepseek-v4-pro", &[]);
    check("open-models", "api.minimax.io", "MiniMax-M3", &[]);
    check("open-models", "notz.ai", "glm-5.2", &["glm-text"]);
    check(
        "groq",
        "api.groq.com",
        "openai/gpt-oss-120b",
        &["harmony-call-names"],
    );
}
