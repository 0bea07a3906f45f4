//! What the strictest providers of each wire would refuse in a request.

mod anthropic;
mod chat;
mod gemini;
mod responses;

use serde_json::Value;

use crate::{Received, Wire};

/// Everything a strict provider would complain about; an empty list is a sound request of the wire that its path names.
/// Reasoning state has to be exactly what the scripted provider of this wire gave out.
pub fn complaints(request: &Received) -> Vec<String> {
    let Ok(body) = serde_json::from_slice::<Value>(&request.body) else {
        return vec!["the body is not JSON".to_owned()];
    };
    let mut found = Vec::new();
    match request.wire() {
        Wire::Chat => chat::complaints(&body, &mut found),
        Wire::Anthropic => anthropic::complaints(&body, &mut found),
        Wire::Responses => responses::complaints(&body, &mut found),
        Wire::Gemini => gemini::complaints(&body, &mut found),
    }
    if request.text().contains("\"x-anthropic-billing-header") && request.wire() != Wire::Anthropic
    {
        found.push("x-anthropic-billing-header is the client's business".to_owned());
    }
    found
}

fn unknown_keys(body: &Value, known: &[&str], found: &mut Vec<String>) {
    let keys = body.as_object().into_iter().flat_map(|body| body.keys());
    let unknown = keys.filter(|key| !known.contains(&key.as_str()));
    found.extend(unknown.map(|key| format!("unknown key {key}")));
}

/// Members that belong to another wire, wherever they stand.
fn foreign_members(body: &Value, members: &[&str], found: &mut Vec<String>) {
    let text = body.to_string();
    let foreign = members
        .iter()
        .filter(|member| text.contains(&format!("\"{member}\":")));
    found.extend(foreign.map(|member| format!("{member} belongs to another wire")));
}

fn is_name(name: &str, longest: usize) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    !name.is_empty() && name.len() <= longest && name.bytes().all(fits)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
