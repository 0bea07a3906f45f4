//! What may be spent, what a loop is, and who is billed.

use std::num::NonZeroU32;

use lingate_config::{Billing, Budget, Loops};
use lingate_price::MicroUsd;

use crate::support::{load, provider};

#[test]
fn amounts_are_exact() {
    let budget = |text: &str| {
        let config = load(&format!("[budget]\n{text}\n"), &[]);
        config
            .map(|config| config.budget)
            .map_err(|error| error.to_string())
    };
    let dollars = |micro| Some(MicroUsd(micro));
    for (text, day, session) in [
        ("", None, None),
        ("day = \"50 USD\"", dollars(50_000_000), None),
        ("session = \"0.5 USD\"", None, dollars(500_000)),
        (
            "day = \"0 USD\"\nsession = \"0.000001 USD\"",
            dollars(0),
            dollars(1),
        ),
        ("day = \"19.99USD\"", dollars(19_990_000), None),
    ] {
        assert_eq!(budget(text), Ok(Budget { day, session }), "{text}");
    }
    for text in [
        "day = \"20 EUR\"",
        "day = \"20\"",
        "day = \"-1 USD\"",
        "day = \"0.0000001 USD\"",
        "day = \"1e3 USD\"",
        "day = \"99999999999999999999 USD\"",
        "session = \"$5\"",
    ] {
        let error = budget(text).unwrap_err();
        assert!(error.contains("lingate.toml:2"), "{error}");
        assert!(error.contains("is not a budget in US dollars"), "{error}");
    }
}

#[test]
fn loops_are_told_and_stopped_as_configured() {
    let check = |text: &str, warn: u32, stop: u32| {
        let config = load(text, &[]).unwrap_or_else(|problems| panic!("{problems}"));
        let expected = Loops {
            warn_after: NonZeroU32::new(warn),
            stop_after: NonZeroU32::new(stop),
        };
        assert_eq!(config.loops, expected, "{text}");
    };
    check("", 5, 0);
    check("[loops]\nstop_after = 8\n", 5, 8);
    check("[loops]\nwarn_after = 0\n", 0, 0);
}

#[test]
fn who_is_billed() {
    let text = "
[providers.kimi-coding]
api_key = \"sk-kimi-1\"
[providers.anthropic]
auth = \"client\"
[providers.own]
base_url = \"https://api.anthropic.com\"
auth = \"client\"
[providers.moonshot]
api_key = \"sk-1\"
[providers.flat]
base_url = \"https://flat.test\"
speaks = [\"chat\"]
api_key = \"k\"
billing = \"subscription\"
[providers.zai-coding]
api_key = \"k\"
billing = \"metered\"
";
    let config = load(text, &[]).unwrap_or_else(|problems| panic!("{problems}"));
    let check = |id: &str, credential: Option<&str>, expected: Billing| {
        let told = provider(&config, id).billing(credential);
        assert_eq!(told, expected, "{id} {credential:?}");
    };
    check("kimi-coding", Some("sk-kimi-1"), Billing::Subscription);
    check("kimi-coding", None, Billing::Subscription);
    check("anthropic", Some("sk-ant-oat01-x"), Billing::Subscription);
    check("anthropic", Some("sk-ant-api03-x"), Billing::Metered);
    check("anthropic", None, Billing::Metered);
    // A host is known under whatever name.
    check("own", Some("sk-ant-oat01-x"), Billing::Subscription);
    check("moonshot", Some("sk-1"), Billing::Metered);
    check("flat", Some("k"), Billing::Subscription);
    check("zai-coding", Some("k"), Billing::Metered);
    check("demo", None, Billing::Metered);
}

#[test]
fn a_key_left_out_of_the_moonshot_preset_is_the_plans() {
    let config = load("", &[("MOONSHOT_API_KEY", "sk-kimi-abc")]);
    let config = config.unwrap_or_else(|problems| panic!("{problems}"));
    let plan = config
        .providers
        .iter()
        .find(|provider| !provider.keys.is_empty());
    let plan = plan.expect("a provider with the key");
    assert_eq!(
        plan.billing(Some("sk-kimi-abc")),
        Billing::Subscription,
        "{}",
        plan.id
    );
}
