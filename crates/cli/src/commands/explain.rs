//! `lingate explain`: what would become of one request, with nothing sent.
//!
//! The answer is the gateway's own (`lingate_gateway::explain`); here it is read from a file and written for people.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::Path;
use std::process::ExitCode;

use bytestring::ByteString;
use lingate_config::{Config, SystemEnvironment};
use lingate_gateway::{Explained, Explanation, Outgoing, Reason};
use lingate_route::{Candidate, Class, Step, Target, TargetRef};
use lingate_wire::Wire;
use serde_json::{Value as Json, json};

use super::session::check_profile;
use super::state_directory;
use crate::args::Explain;
use crate::background;
use crate::configuration::{Listen, load};
use crate::failure::Failure;
use crate::output;

/// Prints the way of the request, or why it would be refused (code 1).
pub(crate) async fn run(
    args: Explain,
    environment: &SystemEnvironment,
) -> Result<ExitCode, Failure> {
    let file = args.report.file.config.as_deref();
    let loaded = load(file, Listen::default(), environment)?;
    let config = loaded.config;
    check_profile(&config, args.profile.as_deref())?;
    let body = read(&args.body)?;
    let wire = match args.wire {
        Some(wire) => wire,
        None => detected(&body)?,
    };
    let profile = args.profile.as_deref();
    let headers = args.header.into_iter().collect();
    let explanation = lingate_gateway::explain(&config, wire, &body, profile, headers)
        .map_err(|failure| Failure::problem(failure.message))?;
    let left_alone = left_alone(&loaded.fingerprint, &explanation, environment).await;
    if args.report.format.json {
        let mut object = object(&config, wire, &explanation);
        if let Some(members) = object.as_object_mut() {
            members.insert("left_alone_now".to_owned(), json!(left_alone));
        }
        output::json_lines([object])?;
    } else {
        output::write(&text(&config, wire, &explanation))?;
        for (target, why) in &left_alone {
            output::line(&format!("left alone now: {target} ({why})"))?;
        }
    }
    let serves = explanation
        .candidates
        .iter()
        .any(|explained| explained.outgoing.is_ok());
    Ok(if serves {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The candidates that a running gateway of this configuration would leave alone now, and why.
async fn left_alone(
    fingerprint: &str,
    explanation: &Explanation,
    environment: &SystemEnvironment,
) -> BTreeMap<String, String> {
    let directory = state_directory(environment).ok();
    let entries = directory.and_then(|directory| background::running(&directory).ok());
    let mut entries = entries.into_iter().flatten();
    let Some(entry) = entries.find(|entry| entry.fingerprint == fingerprint) else {
        return BTreeMap::new();
    };
    let providers = background::providers(&entry).await.unwrap_or_default();
    let candidates = explanation.candidates.iter().map(|own| &own.candidate);
    candidates
        .filter_map(|own| {
            let why = background::obstacle(&providers, &own.provider, &own.model)?;
            Some((format!("{}/{}", own.provider, own.model), why))
        })
        .collect()
}

fn read(path: &Path) -> Result<ByteString, Failure> {
    let read = if path == Path::new("-") {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(path)
    };
    read.map(ByteString::from)
        .map_err(|error| Failure::usage(format!("cannot read `{}`: {error}", path.display())))
}

/// The wire whose members the body has. Anthropic and Chat share most: what only one of them has decides.
fn detected(body: &str) -> Result<Wire, Failure> {
    let body: Json = serde_json::from_str(body)
        .map_err(|error| Failure::usage(format!("the request is not JSON: {error}")))?;
    let has = |name: &&str| body.get(name).is_some();
    if has(&"contents") {
        return Ok(Wire::Gemini);
    }
    if has(&"input") {
        return Ok(Wire::Responses);
    }
    let Some(messages) = body.get("messages").and_then(Json::as_array) else {
        return Err(
            Failure::usage("the request is of no known wire: it has no `messages`")
                .hint("say which with `--wire`"),
        );
    };
    let of_chat = [
        "stop",
        "stream_options",
        "max_completion_tokens",
        "response_format",
        "reasoning_effort",
    ];
    let of_anthropic = ["system", "stop_sequences", "thinking", "output_config"];
    if of_anthropic.iter().any(has) {
        return Ok(Wire::Anthropic);
    }
    let is_chat_message = |message: &Json| {
        let role = message.get("role").and_then(Json::as_str);
        matches!(role, Some("developer" | "tool")) || message.get("tool_calls").is_some()
    };
    let tools = body.get("tools").and_then(Json::as_array);
    let is_chat_tool = |tool: &Json| tool.get("function").is_some();
    let is_chat = of_chat.iter().any(has)
        || messages.iter().any(is_chat_message)
        || tools.is_some_and(|tools| tools.iter().any(is_chat_tool));
    // The output limit must be there on the Anthropic wire.
    Ok(if is_chat || !has(&"max_tokens") {
        Wire::Chat
    } else {
        Wire::Anthropic
    })
}

/// Why a candidate stands where it does.
fn place(candidate: &Candidate) -> String {
    match &candidate.target {
        Some(TargetRef { model, index, .. }) => format!("target {} of model `{model}`", index + 1),
        None => "named with its provider".to_owned(),
    }
}

/// Targets of the model that take no part, because their providers are disabled.
fn disabled(config: &Config, explanation: &Explanation) -> Vec<String> {
    let origin = explanation
        .candidates
        .first()
        .and_then(|explained| explained.candidate.target.as_ref());
    let Some(TargetRef { profile, model, .. }) = origin else {
        return Vec::new();
    };
    let routes = &config.routes;
    let scope = match profile {
        Some(name) => routes.profiles.get(name),
        None => Some(&routes.global),
    };
    let model = scope.and_then(|scope| scope.models.iter().find(|own| own.name == *model));
    let is_disabled = |target: &&Target| {
        let provider = config.provider(&target.provider);
        provider.is_none_or(|provider| !provider.enabled)
    };
    let targets = model
        .map(|model| model.targets.as_slice())
        .unwrap_or_default();
    let targets = targets.iter().filter(is_disabled);
    targets
        .map(|target| format!("{}/{}", target.provider, target.model))
        .collect()
}

fn text(config: &Config, wire: Wire, explanation: &Explanation) -> String {
    let mut text = format!(
        "asked for: {} ({wire} client{}, class {})\n",
        explanation.model,
        if explanation.stream { ", streamed" } else { "" },
        class_name(explanation.class)
    );
    text.push_str("because of:\n");
    for step in &explanation.steps {
        text.push_str(&format!("  {step}\n"));
    }
    for (number, explained) in (1..).zip(&explanation.candidates) {
        let Candidate {
            provider, model, ..
        } = &explained.candidate;
        let place = place(&explained.candidate);
        text.push_str(&format!(
            "\ncandidate {number}: {provider}/{model}, {place}\n"
        ));
        limits_text(explained, &mut text);
        match &explained.outgoing {
            Err(failure) => text.push_str(&format!("  cannot serve: {}\n", failure.message)),
            Ok(outgoing) => outgoing_text(outgoing, &mut text),
        }
    }
    for left in &explanation.left_out {
        let name = target_name(&left.candidate);
        text.push_str(&format!("\nleft out: {name}, {}\n", left.unfit));
    }
    for name in disabled(config, explanation) {
        text.push_str(&format!("\nleft out: {name}, its provider is disabled\n"));
    }
    text
}

/// As rules spell it.
const fn class_name(class: Class) -> &'static str {
    match class {
        Class::Main => "main",
        Class::Subagent => "subagent",
        Class::Auxiliary => "auxiliary",
    }
}

fn target_name(candidate: &Candidate) -> String {
    format!("{}/{}", candidate.provider, candidate.model)
}

fn limits_text(explained: &Explained, text: &mut String) {
    if let Some(context) = explained.context {
        text.push_str(&format!("  context: {context} tokens\n"));
    }
    if let Some(to) = &explained.overflow {
        text.push_str(&format!(
            "  what does not fit its context: {to} (`overflow`)\n"
        ));
    }
    if let Some(concurrency) = explained.concurrency {
        text.push_str(&format!(
            "  requests at a time: {concurrency} (`concurrency`), others wait their turn\n"
        ));
    }
}

fn outgoing_text(outgoing: &Outgoing, text: &mut String) {
    let plan = &outgoing.plan;
    let reasons: Vec<String> = plan.reasons.iter().map(Reason::to_string).collect();
    let why = if reasons.is_empty() {
        "same wire, and nothing to change".to_owned()
    } else {
        reasons.join("; ")
    };
    let lane = plan.lane.name();
    text.push_str(&format!("  wire: {}\n  lane: {lane} ({why})\n", plan.wire));
    let mut list = |name: &str, items: &[&str]| {
        if !items.is_empty() {
            text.push_str(&format!("  {name}: {}\n", items.join(", ")));
        }
    };
    list("quirks that apply", &plan.quirks);
    list("quirks that change this request", &outgoing.hits);
    let losses: Vec<&str> = outgoing.losses.iter().map(String::as_str).collect();
    list("not carried over", &losses);
    match &plan.url {
        Some(url) => text.push_str(&format!("  POST {url}\n")),
        None => text.push_str("  answered by the built-in demo\n"),
    }
    for (name, value) in &outgoing.headers {
        let value = value.as_deref().unwrap_or("(hidden)");
        text.push_str(&format!("    {name}: {value}\n"));
    }
    let body = format!("{:#}", body(outgoing));
    text.push_str(&format!(
        "  body, {} bytes:\n    {}\n",
        outgoing.body.len(),
        body.replace('\n', "\n    ")
    ));
}

fn object(config: &Config, wire: Wire, explanation: &Explanation) -> Json {
    let steps: Vec<String> = explanation.steps.iter().map(Step::to_string).collect();
    let candidates: Vec<Json> = explanation.candidates.iter().map(candidate).collect();
    let left_out: Vec<Json> = (explanation.left_out.iter())
        .map(|left| {
            let name = target_name(&left.candidate);
            json!({ "target": name, "reason": left.unfit.name(), "why": left.unfit.to_string() })
        })
        .collect();
    json!({
        "model": explanation.model,
        "client_wire": wire.name(),
        "stream": explanation.stream,
        "class": class_name(explanation.class),
        "steps": steps,
        "candidates": candidates,
        "left_out": left_out,
        "disabled": disabled(config, explanation),
    })
}

fn candidate(explained: &Explained) -> Json {
    let candidate = &explained.candidate;
    let mut object = json!({
        "provider": &*candidate.provider,
        "model": &*candidate.model,
        "why": place(candidate),
        "context": explained.context,
        "overflow": explained.overflow,
        "concurrency": explained.concurrency,
    });
    let more = match &explained.outgoing {
        Err(failure) => json!({ "error": failure.message }),
        Ok(outgoing) => {
            let plan = &outgoing.plan;
            let reasons: Vec<String> = plan.reasons.iter().map(Reason::to_string).collect();
            let headers: serde_json::Map<String, Json> = outgoing
                .headers
                .iter()
                .map(|(name, value)| (name.clone(), json!(value)))
                .collect();
            json!({
                "upstream_wire": plan.wire.name(),
                "lane": plan.lane.name(),
                "lane_reasons": reasons,
                "url": plan.url,
                "quirks": plan.quirks,
                "quirk_hits": outgoing.hits,
                "losses": outgoing.losses,
                "headers": headers,
                "body": body(outgoing),
            })
        }
    };
    if let (Json::Object(object), Json::Object(more)) = (&mut object, more) {
        object.extend(more);
    }
    object
}

/// The body as JSON; as text if a client's own is none.
fn body(outgoing: &Outgoing) -> Json {
    serde_json::from_slice(&outgoing.body).unwrap_or_else(|_| {
        std::str::from_utf8(&outgoing.body).map_or(Json::Null, |text| Json::String(text.to_owned()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_shows_its_wire() {
        let check = |members: &str, expected: Wire| {
            let body = format!("{{\"model\":\"m\",{members}}}");
            let wire = detected(&body).unwrap_or_else(|failure| panic!("{failure}"));
            assert_eq!(wire, expected, "{members}");
        };
        check(r#""max_tokens":1,"messages":[]"#, Wire::Anthropic);
        check(r#""messages":[],"system":"x","stop":"y""#, Wire::Anthropic);
        check(r#""messages":[]"#, Wire::Chat);
        check(r#""max_tokens":1,"messages":[],"stop":["x"]"#, Wire::Chat);
        check(r#""max_tokens":1,"messages":[{"role":"tool"}]"#, Wire::Chat);
        check(
            r#""max_tokens":1,"messages":[],"tools":[{"type":"function","function":{}}]"#,
            Wire::Chat,
        );
        check(
            r#""max_tokens":1,"messages":[],"tools":[{"name":"x","input_schema":{}}]"#,
            Wire::Anthropic,
        );
        check(r#""input":"x""#, Wire::Responses);
        check(r#""contents":[]"#, Wire::Gemini);
        for wrong in ["", "[]", "{}", "{"] {
            assert!(detected(wrong).is_err(), "{wrong}");
        }
    }
}
