//! A response object: a whole reply, or one piece of a stream.

use super::reply_part::ReplyPart;
use super::{finish, usage};
use crate::ReplyContext;
use crate::json::{Kind, Value, Writer, scan_reply};
use crate::turn::{Stop, StopReason, Usage};

/// The end of a reply.
pub(super) struct Finished<'r> {
    pub(super) stop: Option<&'r Stop>,
    pub(super) usage: &'r Usage,
}

/// Writes a response that holds `parts`, and the reply's end where it comes with them.
pub(super) fn write(
    context: &ReplyContext,
    parts: &[ReplyPart],
    end: Option<&Finished<'_>>,
    json: &mut Writer,
) {
    json.begin_object().key("candidates").begin_array();
    json.begin_object().key("content").begin_object();
    json.key("parts").begin_array();
    for part in parts {
        if !matches!(part, ReplyPart::Sources(_)) {
            part.write(json);
        }
    }
    json.end_array().key("role").str("model").end_object();
    if let Some(end) = end {
        let reason = end.stop.map_or(StopReason::EndTurn, |stop| stop.reason);
        json.key("finishReason").str(finish::word(reason));
    }
    json.key("index").u64(0);
    sources(parts, json);
    json.end_object().end_array();
    if let Some(end) = end {
        json.key("usageMetadata");
        usage::write(end.usage, json);
    }
    json.key("modelVersion").text(&context.model);
    json.key("responseId").str(&context.exchange);
    json.end_object();
}

/// Writes the candidate's members that say where its text comes from; of two of one name the later holds.
fn sources(parts: &[ReplyPart], json: &mut Writer) {
    let mut written: Vec<String> = Vec::new();
    for part in parts.iter().rev() {
        let ReplyPart::Sources(raw) = part else {
            continue;
        };
        let Ok(doc) = scan_reply(raw, &[]) else {
            continue;
        };
        let named = |(name, value): &(std::borrow::Cow<'_, str>, Value<'_>)| {
            value.kind() == Kind::Object && !written.iter().any(|known| *known == **name)
        };
        if let Some((name, value)) = doc.root().members().find(named) {
            json.member(&name).raw(value.raw());
            written.push(name.into_owned());
        }
    }
}
