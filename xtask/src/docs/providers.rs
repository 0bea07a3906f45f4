//! `docs/generated/providers.md`: the presets, with their addresses as the configuration resolves them.

use std::fmt::Write as _;

use anyhow::{Context, anyhow};
use lingate_config::{
    Auth, Config, FixedEnvironment, LoadOptions, Modality, Preset, Provider, ThinkingFact, presets,
};

/// The page.
///
/// # Errors
/// If a preset alone does not make a provider.
pub(super) fn render() -> anyhow::Result<String> {
    let config = all_configured()?;
    let mut page = String::from(
        "# Providers\n\n\
         What is known without a word of configuration, written from the presets in `providers/`. They stand in order \
         of preference: with several keys in the environment, the first provider names the default model; `*` keeps the \
         name that was asked for. Each value can be overridden under `[providers.ID]`.\n\n\
         | provider | id | variable | default model | small model |\n|---|---|---|---|---|\n",
    );
    for preset in presets() {
        // Writing to a string cannot fail.
        let _ = writeln!(
            page,
            "| {} | `{}` | {} | {} | {} |",
            preset.display_name,
            preset.name,
            code(preset.env.iter().map(String::as_str)),
            code(preset.default_model.as_deref()),
            code(preset.small_model.as_deref()),
        );
    }
    for preset in presets() {
        let provider = config
            .provider(&preset.name)
            .with_context(|| format!("providers/{}.toml makes no provider", preset.name))?;
        section(&mut page, preset, provider);
    }
    Ok(page)
}

/// A configuration that names every preset; what is not in use needs no key.
fn all_configured() -> anyhow::Result<Config> {
    let mut text = String::from("from_env = false\n");
    for preset in presets() {
        let _ = writeln!(text, "[providers.{}]\nenabled = false", preset.name);
    }
    let options = LoadOptions::default();
    Config::from_text(None, &text, &options, &FixedEnvironment::default())
        .map_err(|problems| anyhow!("the presets make no configuration: {problems}"))
}

fn section(page: &mut String, preset: &Preset, provider: &Provider) {
    let _ = write!(page, "\n## {}\n\n", preset.display_name);
    let _ = writeln!(page, "* Id: `{}`", preset.name);
    let _ = writeln!(page, "* Key: {}", key(preset, provider.auth));
    for wire in &provider.speaks {
        if let Some(endpoint) = provider.endpoint(*wire) {
            let _ = writeln!(page, "* Speaks {wire}: `{endpoint}`");
        }
    }
    if !provider.quirks.is_empty() {
        let quirks = code(provider.quirks.iter().map(String::as_str));
        let _ = writeln!(page, "* Quirks: {quirks}");
    }
    let _ = writeln!(page, "* Documentation: <{}>", preset.docs);
    let _ = writeln!(page, "* Checked: {}", preset.as_of);
    facts(page, preset);
}

/// Whether it needs a key, where that is made and found, how it is sent.
fn key(preset: &Preset, auth: Auth) -> String {
    let sent = match auth {
        Auth::None => return "none needed".to_owned(),
        Auth::Client => return "the client's own".to_owned(),
        Auth::Bearer => "`Authorization: Bearer`",
        Auth::XApiKey => "`x-api-key`",
        Auth::Both => "`Authorization: Bearer` and `x-api-key`",
        Auth::Gcp => "a token that the credential is exchanged for, in `Authorization: Bearer`",
    };
    let found = match preset.env.as_slice() {
        [] => "`api_key` in the configuration".to_owned(),
        names if preset.auto => code(names.iter().map(String::as_str)),
        names => format!(
            "{}, with `[providers.{}]` in the configuration",
            code(names.iter().map(String::as_str)),
            preset.name
        ),
    };
    match &preset.key_page {
        Some(made_at) => format!("{found}, made at <{made_at}>, sent as {sent}"),
        None => format!("{found}, sent as {sent}"),
    }
}

fn facts(page: &mut String, preset: &Preset) {
    let mut models = preset.models().peekable();
    if models.peek().is_none() {
        return;
    }
    page.push_str(
        "\n| model | name | context | output limit | reads | thinks |\n|---|---|--:|--:|---|---|\n",
    );
    for (model, facts) in models {
        let tokens =
            |limit: Option<u64>| limit.map(|tokens| tokens.to_string()).unwrap_or_default();
        let reads: Vec<&str> = facts.input.iter().copied().map(modality).collect();
        let thinks = match facts.thinking {
            Some(ThinkingFact::Optional) => "as asked",
            Some(ThinkingFact::Always) => "always",
            Some(ThinkingFact::Never) => "never",
            None => "",
        };
        let _ = writeln!(
            page,
            "| `{model}` | {} | {} | {} | {} | {thinks} |",
            facts.name.as_deref().unwrap_or_default(),
            tokens(facts.context),
            tokens(facts.max_output),
            reads.join(", "),
        );
    }
}

const fn modality(modality: Modality) -> &'static str {
    match modality {
        Modality::Text => "text",
        Modality::Image => "image",
        Modality::Document => "document",
        Modality::Audio => "audio",
        Modality::Video => "video",
    }
}

/// Names in code type, the preferred one first.
fn code<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    names.join(" or ")
}
