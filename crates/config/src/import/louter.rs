//! louter's `config.toml`: backends with a mapping of clients' names, priorities and fallbacks.

use lingate_wire::Wire;

use super::draft::{Draft, Found};
use super::render::{inline, quoted};
use super::section::Section;

struct Backend {
    name: String,
    id: String,
    priority: f64,
    weight: u32,
    fallback: Option<String>,
    mapping: Vec<(String, String)>,
    settings: Vec<(&'static str, String)>,
}

pub(super) fn read(mut root: Section, draft: &mut Draft) {
    let mut global = Vec::new();
    let instruction = root.text("override_system_instruction");
    let place = root.place("custom_instructions");
    match (instruction, root.text("custom_instructions")) {
        (Some(text), other) => {
            global.push(("instruction", quoted(&text)));
            global.push(("instruction_mode", quoted("override")));
            if other.is_some() {
                draft.note(place, "`override_system_instruction` replaces it");
            }
        }
        (None, Some(text)) => global.push(("instruction", quoted(&text))),
        (None, None) => {}
    }
    let tools = root.texts("allowed_tools");
    if !tools.is_empty() {
        global.push(("tools_allowed", inline(&tools.into())));
    }
    if let Some(turns) = root.number("max_conversation_turns") {
        global.push(("max_turns", turns.to_string()));
    }
    if let Some(seconds) = root.number("timeout_seconds") {
        let text = format!(
            "a limit of {seconds} s on whole requests cuts long streams; each silence has one here (`timeouts`)"
        );
        draft.note(root.place("timeout_seconds"), text);
    }
    root.of_no_account(&["performance", "openai_token_counting_mode"]);

    let mut backends = Vec::new();
    for (name, mut section) in root.section("backends").named_sections() {
        backends.extend(backend(&mut section, name, draft));
        section.rest(draft);
    }
    backends.sort_by(|left, right| left.priority.total_cmp(&right.priority));
    let mut overruled = Vec::new();
    for backend in &backends {
        for (asked, served) in &backend.mapping {
            let chain = fallbacks(backend, &backends, asked, served);
            let model = draft.model(None, asked);
            // Settings are the model's here: those of the backend that comes first count.
            if model.targets.is_empty() {
                for (key, value) in backend.settings.iter().chain(&global) {
                    model.set(key, value.clone());
                }
            } else if !backend.settings.is_empty() {
                overruled.push(backend.name.clone());
            }
            for (target, weight) in chain {
                model.serve(target, weight);
            }
        }
    }
    overruled.dedup();
    for name in overruled {
        let text = "its settings do not count for names that an earlier backend has too";
        draft.note(root.place(&format!("backends.{name}")), text);
    }
    draft.default = backends.first().map(|first| match first.mapping.first() {
        Some((asked, _)) => asked.clone(),
        None => format!("{}/*", first.id),
    });
    root.rest(draft);
}

fn backend(section: &mut Section, name: String, draft: &mut Draft) -> Option<Backend> {
    let wire = match section.text("protocol").as_deref() {
        Some("gemini") => Wire::Gemini,
        _ => Wire::Chat,
    };
    let url_place = section.place("url");
    let url = section.text("url").unwrap_or_default();
    let key_place = section.place("api_key");
    let key = section.text("api_key");
    let found = Found {
        name: &name,
        url: &url,
        url_place: &url_place,
        wire: Some(wire),
        key: key.as_deref().map(|key| (key, key_place)),
    };
    let Some(id) = draft.provider_at(&found) else {
        draft.note(url_place, "without an address there is no provider");
        return None;
    };
    let mut settings = Vec::new();
    if let Some(limit) = section.number("max_tokens") {
        settings.push(("max_output", limit.to_string()));
    }
    let own = section.number("temperature");
    if let Some(temperature) = section.number("temperature_override").or(own) {
        settings.push(("temperature", temperature.to_string()));
    }
    if section.text("tool_format").as_deref() == Some("xml") {
        settings.push(("tool_format", quoted("xml")));
    }
    let field = section.text("max_tokens_field");
    if let Some(field @ ("max_tokens" | "max_completion_tokens" | "both")) = field.as_deref() {
        settings.push(("max_tokens_field", quoted(field)));
    }
    if let Some(text) = section.text("custom_instruction") {
        settings.push(("instruction", quoted(&text)));
        let mode = section.text("custom_instruction_mode");
        if let Some(mode @ ("prepend" | "override")) = mode.as_deref() {
            settings.push(("instruction_mode", quoted(mode)));
        }
    }
    section.of_no_account(&["custom_instruction_mode"]);
    let capabilities = section.texts("capabilities");
    if !capabilities.is_empty() {
        let mut input = vec!["text"];
        let known = [("vision", "image"), ("audio", "audio"), ("video", "video")];
        input.extend(
            known
                .iter()
                .filter(|(theirs, _)| capabilities.iter().any(|known| known == theirs))
                .map(|(_, ours)| *ours),
        );
        settings.push(("input", inline(&serde_json::json!(input))));
    }
    let weight = section.number("weight").unwrap_or(1.0).round().max(1.0);
    Some(Backend {
        id,
        priority: section.number("priority").unwrap_or(100.0),
        weight: format!("{weight}").parse().unwrap_or(1),
        fallback: section.text("fallback"),
        mapping: section.section("model_mapping").named_texts(),
        settings,
        name,
    })
}

/// The backend's own model, then its fallback's for the same name, and so on; circles end.
fn fallbacks(first: &Backend, all: &[Backend], asked: &str, served: &str) -> Vec<(String, u32)> {
    let mut chain = vec![(format!("{}/{served}", first.id), first.weight)];
    let mut seen = vec![&first.name];
    let mut next = first.fallback.as_ref();
    while let Some(backend) = next.and_then(|name| all.iter().find(|known| known.name == *name)) {
        if seen.contains(&&backend.name) {
            break;
        }
        seen.push(&backend.name);
        let mapped = backend.mapping.iter().find(|(name, _)| name == asked);
        // Without a mapping the name goes there as it was asked.
        let model = mapped.map_or(asked, |(_, model)| model);
        chain.push((format!("{}/{model}", backend.id), backend.weight));
        next = backend.fallback.as_ref();
    }
    chain
}
