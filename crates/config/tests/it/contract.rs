//! The example of the contract: every key of it parses, validates and arrives.

use std::time::Duration;

use lingate_config::{Budget, Context, Kind};
use lingate_price::MicroUsd;
use lingate_quirk::{ReasoningHistory, Temperature};
use lingate_route::{Ask, Strategy, resolve};
use lingate_wire::Wire;

use crate::support::{endpoint, load, provider};

const CONTRACT: &str = include_str!("../../testdata/contract.toml");
const VARIABLES: &[(&str, &str)] = &[
    ("MOONSHOT_API_KEY", "sk-one"),
    ("OPENROUTER_API_KEY", "sk-or-two"),
];

#[test]
fn example_loads() {
    let config = load(CONTRACT, VARIABLES).unwrap_or_else(|problems| panic!("{problems}"));

    assert_eq!(config.server.drain, Duration::from_secs(600));
    assert_eq!(config.server.max_body, 32 << 20);
    let alice = &config.keys[0];
    assert_eq!((alice.name.as_str(), alice.concurrency), ("alice", Some(8)));
    assert_eq!(alice.budget.day, Some(MicroUsd(20_000_000)));
    assert_eq!(alice.budget.session, Some(MicroUsd(5_000_000)));
    assert_eq!(config.budget, Budget::default());
    assert!(alice.allows("claude-opus-5-5") && !alice.allows("gpt-5"));
    assert_eq!(config.record.keep_bytes, 5 << 30);
    assert_eq!(
        config.record.dir.as_deref(),
        Some("/home/user/.local/share/lingate".as_ref())
    );
    assert_eq!(config.record.prices, None);
    assert_eq!(config.failover.deadline, Some(Duration::from_secs(270)));
    assert_eq!(config.failover.breaker.open_max, Duration::from_secs(300));

    let ids: Vec<&str> = config
        .providers
        .iter()
        .map(|provider| provider.id.as_str())
        .collect();
    assert_eq!(
        ids,
        ["moonshot", "anthropic", "local", "openrouter", "demo"]
    );
    let local = provider(&config, "local");
    assert_eq!(
        endpoint(local, Wire::Chat),
        "http://127.0.0.1:8080/v1/chat/completions"
    );
    assert!(local.is_local() && local.has_deadline);
    assert_eq!(local.quirks, ["kimi-k2"]);
    assert_eq!(provider(&config, "demo").kind, Kind::Demo);

    let resolution =
        resolve(&config.routes, &Ask::plain("claude-opus-5-5")).expect("an alias serves it");
    let upstreams: Vec<String> = resolution
        .candidates
        .iter()
        .map(|candidate| {
            format!(
                "{} {} {}",
                candidate.provider, candidate.model, candidate.weight
            )
        })
        .collect();
    assert_eq!(
        upstreams,
        ["moonshot kimi-k2.6 1", "openrouter moonshotai/kimi-k2.6 2"]
    );
    let settings = config
        .model_settings(&resolution.candidates[1])
        .expect("a configured model");
    assert_eq!(settings.context, Context::Tokens(262_144));
    assert_eq!(settings.reasoning_history, ReasoningHistory::Auto);
    assert_eq!(settings.temperature, Temperature::Client);
    let price = settings.price.expect("a price");
    assert_eq!(
        (price.input, price.cache_write_5m),
        (MicroUsd(600_000), MicroUsd(600_000))
    );
    let target = config
        .target_settings(&resolution.candidates[1])
        .expect("a configured target");
    assert_eq!(target.context, Some(262_144));
    assert_eq!(config.routes.global.models[0].strategy, Strategy::Ordered);

    let in_profile = Ask {
        profile: Some("team"),
        ..Ask::plain("kimi")
    };
    let resolution = resolve(&config.routes, &in_profile).expect("the profile's own model");
    assert_eq!(&*resolution.candidates[0].provider, "local");
}

/// A provider's own proxy, else the environment's; one of the environment that cannot be used is none.
#[test]
fn proxies() {
    let check = |variables: &[(&str, &str)], expected: [Option<&str>; 3], warnings: &[&str]| {
        let text = "[providers.p]\nbase_url = \"https://p.test\"\nauth = \"none\"\nproxy = \"socks5://h:1\"\n\
             [providers.q]\nbase_url = \"https://q.test\"\nauth = \"none\"\nproxy = \"\"\n";
        let config = load(text, variables).unwrap_or_else(|problems| panic!("{problems}"));
        let of = |id: &str| config.provider(id).unwrap().proxy.as_ref();
        let found = [of("p"), of("q"), config.proxy.as_ref()];
        let found = found.map(|proxy| proxy.map(ToString::to_string));
        assert_eq!(found.each_ref().map(Option::as_deref), expected);
        let told: Vec<String> = config.warnings.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), warnings.len(), "{told:?}");
        for (told, expected) in told.iter().zip(warnings) {
            assert!(told.contains(expected), "{told}");
        }
    };
    let own = Some("socks5://h:1");
    check(&[], [own, None, None], &[]);
    let all = Some("http://all:3128");
    check(
        &[("HTTPS_PROXY", "http://u:pw@all:3128")],
        [own, all, all],
        &[],
    );
    let wrong = "variable HTTPS_PROXY must start with `http://`, `https://`, `socks5://` or `socks5h://`; no proxy is used";
    check(
        &[("HTTPS_PROXY", "quic://all:3128")],
        [own, None, None],
        &[wrong],
    );
}

/// How often a call is asked for: the file, else the environment, else 3; never more than 5.
#[test]
fn attempts_for_a_tool_call() {
    let attempts = |own: &str, variable: &str| {
        let text = format!("[models.a]\ntargets = [\"demo/demo\"]\n{own}\n");
        let config = load(&text, &[("ENSURE_TOOL_CALL_MAX_ATTEMPTS", variable)])?;
        let resolution = resolve(&config.routes, &Ask::plain("a")).expect("the model");
        let settings = config.model_settings(&resolution.candidates[0]);
        Ok::<_, String>(settings.expect("its settings").ensure_tool_call)
    };
    let on = "ensure_tool_call = true\n";
    for (own, variable, expected) in [
        ("", "4", None),
        (
            "ensure_tool_call = false\nensure_tool_call_max_attempts = 2",
            "",
            None,
        ),
        (on, "", Some(3)),
        (on, "4", Some(4)),
        (on, "17", Some(5)),
        (
            &format!("{on}ensure_tool_call_max_attempts = 2"),
            "4",
            Some(2),
        ),
    ] {
        assert_eq!(
            attempts(own, variable),
            Ok(expected),
            "{own:?} {variable:?}"
        );
    }
    for (own, variable, words) in [
        (on, "many", "ENSURE_TOOL_CALL_MAX_ATTEMPTS: `many`"),
        (on, "0", "ENSURE_TOOL_CALL_MAX_ATTEMPTS: `0`"),
        (
            "ensure_tool_call_max_attempts = 6",
            "",
            "ensure_tool_call_max_attempts",
        ),
    ] {
        let problems = attempts(own, variable).expect_err("it is wrong");
        assert!(problems.contains(words), "{problems}");
    }
}

/// A preset that names a quirk nobody wrote would silently repair nothing.
#[test]
fn quirks_of_presets_exist() {
    let known: Vec<&str> = lingate_quirk::names().collect();
    for preset in lingate_config::presets() {
        let text = format!("[providers.{}]\nenabled = false\n", preset.name);
        let config = load(&text, &[]).unwrap_or_else(|problems| panic!("{problems}"));
        for quirk in &provider(&config, &preset.name).quirks {
            assert!(
                known.contains(&quirk.as_str()),
                "{}: no quirk {quirk}",
                preset.name
            );
        }
    }
}

/// The gateway checks again once it knows its port.
#[test]
fn own_listener_is_refused() {
    for (base, listen, refused) in [
        ("http://127.0.0.1:9/v1", "127.0.0.1:9", true),
        ("http://localhost:9", "127.0.0.1:9", true),
        ("http://[::1]:9", "0.0.0.0:9", true),
        ("http://gateway.example.com:9", "0.0.0.0:9", true),
        ("http://127.0.0.1:8", "127.0.0.1:9", false),
        ("https://api.example.com:9", "127.0.0.1:9", false),
        ("http://192.168.0.7", "192.168.0.7:80", true),
    ] {
        let text = format!(
            "[server]\nhosts = [\"gateway.example.com\"]\n[providers.x]\nbase_url = \"{base}\"\n"
        );
        let config = load(&text, &[]).unwrap_or_else(|problems| panic!("{problems}"));
        let listen = listen.parse().expect("an address");
        assert_eq!(
            config.refuse_own_listener(listen).is_err(),
            refused,
            "{base} at {listen}"
        );
    }
}

/// A weight below one counts as one, as in the systems whose files are taken over.
#[test]
fn a_weight_below_one_is_one() {
    let file = r#"
        [providers.x]
        base_url = "http://127.0.0.1:1"
        speaks = ["chat"]
        auth = "none"
        [models.m]
        strategy = "weighted_random"
        targets = [{ to = "x/a", weight = 0 }, { to = "x/b", weight = -3 }, { to = "x/c", weight = 4 }]
    "#;
    let environment = lingate_config::FixedEnvironment::new([]);
    let options = lingate_config::LoadOptions::default();
    let config = lingate_config::Config::from_text(None, file, &options, &environment);
    let config = config.unwrap_or_else(|problems| panic!("{problems}"));
    let resolution = resolve(&config.routes, &Ask::plain("m")).unwrap();
    let weights: Vec<u32> = resolution.candidates.iter().map(|one| one.weight).collect();
    assert_eq!(weights, [1, 1, 4]);
}
