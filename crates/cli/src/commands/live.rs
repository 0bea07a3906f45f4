//! `lingate providers --live`, `drain`, `enable` and `probe`: how the providers of the running gateways stand, and what is
//! done about them.

use lingate_config::SystemEnvironment;
use serde_json::Value;

use super::{chosen, state_directory};
use crate::args::{ProviderAction, Report};
use crate::background::{self, because, running};
use crate::failure::Failure;
use crate::output;

/// Lists every provider of every running gateway.
pub(crate) async fn run(args: Report, environment: &SystemEnvironment) -> Result<(), Failure> {
    let directory = state_directory(environment)?;
    let entries = running(&directory).map_err(|error| {
        Failure::problem(format!(
            "cannot read `{}`: {error}",
            directory.path().display()
        ))
    })?;
    if entries.is_empty() {
        return Err(Failure::problem("no gateway runs".to_owned()));
    }
    let mut found = Vec::new();
    for entry in entries {
        let seen = background::providers(&entry)
            .await
            .map_err(|error| Failure::problem(format!("{} does not tell: {error}", entry.url())))?;
        found.extend(seen.into_iter().map(|provider| (entry.url(), provider)));
    }
    if args.format.json {
        return output::json_lines(found.into_iter().map(|(url, mut provider)| {
            if let Some(members) = provider.as_object_mut() {
                members.insert("gateway".to_owned(), url.into());
            }
            provider
        }));
    }
    show(&found)
}

/// Does something about a provider, at the gateway of this configuration.
pub(crate) async fn act(
    action: ProviderAction,
    environment: &SystemEnvironment,
) -> Result<(), Failure> {
    let (word, target) = match action {
        ProviderAction::Drain(target) => ("drain", target),
        ProviderAction::Enable(target) => ("enable", target),
        ProviderAction::Probe(target) => ("probe", target),
    };
    let directory = state_directory(environment)?;
    let file = target.file.config.as_deref();
    let mut found = Vec::new();
    for entry in chosen::gateways(&directory, file, target.all, environment)? {
        let url = entry.url();
        let provider = background::act_on_provider(&entry, &target.id, word)
            .await
            .map_err(|error| Failure::problem(format!("{url}: {error}")))?;
        found.push((url, provider));
    }
    show(&found)
}

/// A row for each provider, and one for everything that is not as it should be.
fn show(found: &[(String, Value)]) -> Result<(), Failure> {
    let rows: Vec<_> = found
        .iter()
        .flat_map(|(url, provider)| rows(url, provider))
        .collect();
    output::table(
        [
            "gateway",
            "provider",
            "state",
            "in flight",
            "ttft",
            "what",
            "why",
        ],
        &rows,
    )
}

fn rows(url: &str, provider: &Value) -> Vec<[String; 7]> {
    let id = text(provider, "id");
    let list = |name: &str| -> Vec<Value> {
        let list = provider.get(name).and_then(Value::as_array);
        list.cloned().unwrap_or_default()
    };
    let detail = |state: &str, own: &Value, ttft: String, what: String, why: String| {
        let in_flight = own.get("in_flight").map(ToString::to_string);
        [
            String::new(),
            String::new(),
            state.to_owned(),
            in_flight.unwrap_or_default(),
            ttft,
            what,
            why,
        ]
    };
    let mut rows = vec![[
        url.to_owned(),
        id,
        text(provider, "state"),
        text(provider, "in_flight"),
        String::new(),
        String::new(),
        String::new(),
    ]];
    for key in list("keys") {
        let label = text(&key, "label");
        if text(&key, "state") != "ok" {
            rows.push(detail(
                "out",
                &key,
                String::new(),
                label.clone(),
                because(&key),
            ));
        }
        for limit in key
            .get("limits")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            let what = format!("{label}, {}", text(limit, "model"));
            rows.push(detail(
                "limited",
                limit,
                String::new(),
                what,
                because(limit),
            ));
        }
    }
    for target in list("targets") {
        let ttft = target.get("ttft_p50_ms").filter(|ttft| !ttft.is_null());
        let ttft = ttft.map_or_else(String::new, |ttft| format!("{ttft} ms"));
        let mut why = because(&target);
        if let Some(share) = target.get("schema_accuracy").and_then(Value::as_f64) {
            let calls = text(&target, "tool_calls");
            let told = format!(
                "{:.1} % of {calls} tool calls fitted their schema",
                share * 100.0
            );
            why = [why, told]
                .into_iter()
                .filter(|own| !own.is_empty())
                .collect::<Vec<_>>()
                .join("; ");
        }
        let (state, model) = (text(&target, "state"), text(&target, "model"));
        rows.push(detail(&state, &target, ttft, model, why));
    }
    for probe in list("probes") {
        let key = text(&probe, "key");
        let what = if key.is_empty() {
            "probe".to_owned()
        } else {
            format!("probe with {key}")
        };
        let why = format!("{} {}", text(&probe, "at"), text(&probe, "words"));
        rows.push(detail(
            &text(&probe, "verdict"),
            &probe,
            String::new(),
            what,
            why.trim_end().to_owned(),
        ));
    }
    rows
}

/// A member as people read it; nothing for null.
fn text(object: &Value, name: &str) -> String {
    match object.get(name) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_wrong_has_a_row_with_its_reason() {
        let provider = json!({
            "id": "up", "state": "degraded", "in_flight": 1,
            "keys": [
                {"label": "up#1", "state": "out", "reason": "credential", "until": "T", "in_flight": 0, "limits": []},
                {"label": "up#2", "state": "ok", "reason": null, "until": null, "in_flight": 1,
                 "limits": [{"model": "m", "reason": "rate-limit", "until": "U"}]},
            ],
            "targets": [{"model": "m", "state": "ok", "reason": null, "until": null, "in_flight": 1,
                "ttft_p50_ms": 120, "tool_calls": 4, "schema_accuracy": 0.5}],
            "probes": [{"at": "V", "key": "up#1", "verdict": "unreachable", "words": "nothing listens"}],
        });
        let rows = rows("http://g", &provider);
        let shown: Vec<String> = rows.iter().map(|row| row[2..].join("|")).collect();
        assert_eq!(
            shown,
            [
                "degraded|1|||",
                "out|0||up#1|credential, until T",
                "limited|||up#2, m|rate-limit, until U",
                "ok|1|120 ms|m|50.0 % of 4 tool calls fitted their schema",
                "unreachable|||probe with up#1|V nothing listens",
            ]
        );
        assert_eq!(rows[0][..2], ["http://g", "up"]);
    }
}
