//! What an upstream's error says, for people.

use crate::json::{Kind, Value, scan_reply};

/// Longest message that is passed on, in characters: some hosts quote the whole request back.
const MAX_MESSAGE: usize = 500;

/// The readable part of a body: up to the first byte that is not UTF-8.
pub(super) fn readable(body: &[u8]) -> &str {
    match std::str::from_utf8(body) {
        Ok(text) => text,
        Err(error) => body
            .get(..error.valid_up_to())
            .and_then(|head| std::str::from_utf8(head).ok())
            .unwrap_or_default(),
    }
}

/// The message of a JSON error, wherever the host put it.
pub(super) fn of_json(root: Value<'_>, error: Value<'_>) -> Option<String> {
    let text = |value: Option<Value<'_>>| {
        Some(value?.str()?.trim().to_owned()).filter(|text| !text.is_empty())
    };
    let message = ["message", "msg", "error_msg", "errorMessage"]
        .into_iter()
        .find_map(|key| text(error.get(key)))
        .or_else(|| text(root.get("error")))
        .or_else(|| text(root.get("message")))
        .or_else(|| {
            text(
                root.get("base_resp")
                    .and_then(|base| base.get("status_msg")),
            )
        })
        .or_else(|| root.get("detail").and_then(of_detail))
        .or_else(|| of_detail(root.get("errors")?))?;
    // Aggregators say "Provider returned error" and keep what it said in `metadata.raw`.
    let inner = error
        .get("metadata")
        .and_then(|metadata| metadata.get("raw"))
        .and_then(of_nested);
    Some(match inner {
        Some(inner) => capped(&format!("{message}: {inner}")),
        None => capped(&message),
    })
}

/// FastAPI's `detail`: a string, an object with a message, or a list of what is wrong where.
fn of_detail(detail: Value<'_>) -> Option<String> {
    match detail.kind() {
        Kind::String => Some(detail.str()?.into_owned()),
        Kind::Object => of_json(detail, detail.get("error").unwrap_or(detail)),
        Kind::Array => {
            let items: Vec<String> = detail.items().filter_map(of_detail_item).collect();
            (!items.is_empty()).then(|| items.join("; "))
        }
        Kind::Null | Kind::Bool | Kind::Number => None,
    }
}

fn of_detail_item(item: Value<'_>) -> Option<String> {
    if let Some(text) = item.str() {
        return Some(text.into_owned());
    }
    let message = item.get("msg").or_else(|| item.get("message"))?.str()?;
    let place: Vec<String> = item
        .get("loc")
        .into_iter()
        .flat_map(Value::items)
        .map(|step| step.str().map_or_else(|| step.raw().to_owned(), Into::into))
        .collect();
    Some(if place.is_empty() {
        message.into_owned()
    } else {
        format!("{}: {message}", place.join("."))
    })
}

/// An upstream's own error body inside an aggregator's, as an object or as text.
fn of_nested(raw: Value<'_>) -> Option<String> {
    let from = |root: Value<'_>| {
        of_json(
            root,
            root.get("error")
                .filter(|error| error.kind() == Kind::Object)
                .unwrap_or(root),
        )
    };
    match raw.str() {
        None => from(raw),
        Some(text) => match scan_reply(&(&*text).into(), &[]) {
            Ok(doc) if doc.root().kind() == Kind::Object => from(doc.root()),
            _ => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        },
    }
}

/// What to say about a body that is not JSON.
pub(super) fn of_text(status: u16, text: &str) -> String {
    let text = text.trim();
    if text.is_empty() {
        return format!("the upstream answered {status} without a readable body");
    }
    if !is_html(text) {
        return capped(text);
    }
    match html_title(text) {
        Some(title) => capped(&format!(
            "the upstream answered {status} with an HTML page: {title}"
        )),
        None => format!("the upstream answered {status} with an HTML page"),
    }
}

/// What to say about JSON that holds no message.
pub(super) fn unreadable(status: Option<u16>, raw: &str) -> String {
    match status {
        Some(status) => capped(&format!("the upstream answered {status}: {raw}")),
        None => capped(&format!("the upstream answered with an error: {raw}")),
    }
}

/// Whether a body is a web page: a proxy's or firewall's answer rather than the API's.
pub(in crate::chat) fn is_html(text: &str) -> bool {
    let head: String = text
        .trim_start()
        .chars()
        .take(16)
        .collect::<String>()
        .to_ascii_lowercase();
    ["<!doctype", "<html", "<head", "<body"]
        .iter()
        .any(|tag| head.starts_with(tag))
}

fn html_title(text: &str) -> Option<&str> {
    let (_, behind) = text
        .split_once("<title>")
        .or_else(|| text.split_once("<TITLE>"))?;
    let title = behind.split('<').next()?.trim();
    (!title.is_empty()).then_some(title)
}

pub(super) fn capped(text: &str) -> String {
    match text.char_indices().nth(MAX_MESSAGE) {
        Some((at, _)) => format!("{}...", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}
