//! cc-proxy's `config.json`: backends of the Anthropic wire, tried in their order.

use lingate_wire::Wire;

use super::draft::{Draft, Found, NO_URL};
use super::render::quoted;
use super::section::Section;
use crate::preset::preset;

pub(super) fn read(mut root: Section, draft: &mut Draft) {
    let place = root.place("port");
    let port = root.number("port");
    draft.listen_on(None, port);
    let mut retry = root.section("retry");
    if let Some(seconds) = retry.number("timeout_seconds") {
        let text = format!(
            "a limit of {seconds} s on whole requests cuts long streams; each silence has one here (`timeouts`, 120 s)"
        );
        draft.note(retry.place("timeout_seconds"), text);
    }
    if let Some(attempts) = retry.number("max_attempts") {
        let attempts = format!("{attempts}").parse().unwrap_or(3);
        draft.attempts = Some(u32::clamp(attempts, 1, 12));
    }
    retry.rest(draft);
    let mut health = root.section("health_check");
    health.of_no_account(&["enabled", "interval_seconds"]);
    health.rest(draft);
    failover(&mut root, draft);

    let mut kept = Vec::new();
    let mut renamed = Vec::new();
    for mut backend in root.sections("backends") {
        let name = backend.text("name").unwrap_or_default();
        let url_place = backend.place("base_url");
        let Some(url) = backend.text("base_url") else {
            draft.note(url_place, "without a base URL there is no provider");
            continue;
        };
        let wire = match backend.text("platform").as_deref() {
            Some("openai") => Wire::Chat,
            _ => Wire::Anthropic,
        };
        let key_place = backend.place("token");
        let token = backend.text("token");
        let found = Found {
            name: &name,
            url: &url,
            url_place: &url_place,
            wire: Some(wire),
            key: token.as_deref().map(|token| (token, key_place)),
        };
        let Some(id) = draft.provider_at(&found) else {
            draft.note(url_place, NO_URL);
            continue;
        };
        if backend.flag("enabled") == Some(false)
            && let Some(provider) = draft.provider(&id)
        {
            provider.set("enabled", "false".to_owned());
        }
        match backend.text("model") {
            Some(model) => renamed.push(format!("{id}/{model}")),
            None => kept.push(id),
        }
        backend.rest(draft);
    }
    models(kept, renamed, &place, draft);
    root.rest(draft);
}

fn failover(root: &mut Section, draft: &mut Draft) {
    let mut failover = root.section("failover");
    let mut breaker = failover.section("circuit_breaker");
    let why = "`failover.breaker` has defaults of its own; write it there if they do not fit";
    breaker.without_meaning(
        &[
            "failure_threshold",
            "open_timeout_seconds",
            "half_open_requests",
        ],
        why,
        draft,
    );
    breaker.rest(draft);
    let mut limit = failover.section("rate_limit");
    let why = "a limited key waits as long as the provider says";
    limit.without_meaning(&["cooldown_seconds"], why, draft);
    limit.rest(draft);
    failover.rest(draft);
}

/// One model over all backends, for each of Claude's current names where a backend keeps what was asked for.
fn models(kept: Vec<String>, renamed: Vec<String>, place: &str, draft: &mut Draft) {
    let names: Vec<&str> = preset("anthropic")
        .into_iter()
        .flat_map(|preset| preset.models().map(|(name, _)| name))
        .collect();
    match (kept.as_slice(), renamed.as_slice()) {
        ([], []) => {}
        ([only], []) => draft.default = Some(format!("{only}/*")),
        ([], _) => {
            for target in renamed {
                draft.model(None, "claude").serve(target, 1);
            }
            draft.default = Some("claude".to_owned());
        }
        ([first, ..], _) => {
            for name in names {
                let targets = kept.iter().map(|id| format!("{id}/{name}"));
                let all: Vec<String> = targets.chain(renamed.iter().cloned()).collect();
                let model = draft.model(None, name);
                all.into_iter().for_each(|target| model.serve(target, 1));
            }
            draft.default = Some(format!("{first}/*"));
            let text = format!(
                "only the current names of Claude's models are served by all backends in turn; others go to {}",
                quoted(first)
            );
            draft.note(place.replace("port", "backends"), text);
        }
    }
}
