//! One object a line: the row and its details as `logs show --json` has them, the bodies with what they hold.

use lingate_store::Record;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Export, Target, Whole};
use crate::cassette::redacted_text;
use crate::failure::Failure;

pub(super) fn write(export: &Export<'_>, ids: &[Uuid], target: &mut Target) -> Result<(), Failure> {
    for id in ids {
        if let Some(whole) = export.read(*id)? {
            export.line(&object(export, whole), target)?;
        }
    }
    Ok(())
}

fn object(export: &Export<'_>, whole: Whole) -> Value {
    let Whole { mut record, bodies } = whole;
    if export.is_redacted {
        redact(&mut record);
    }
    let mut object = serde_json::to_value(&record).unwrap_or_default();
    let bodies = bodies.iter().map(|body| {
        let mut value = serde_json::to_value(&body.info).unwrap_or_default();
        let content = serde_json::to_value(export.content(&body.bytes)).unwrap_or_default();
        if let (Some(members), Value::Object(content)) = (value.as_object_mut(), content) {
            // It is made of what was neither masked nor redacted: whoever guesses the content could tell by it.
            members.remove("etag");
            members.extend(content);
            let arrivals = body
                .arrivals
                .iter()
                .map(|arrival| json!([arrival.end, arrival.at_us]));
            members.insert("arrivals".to_owned(), arrivals.collect());
        }
        value
    });
    let bodies = bodies.collect();
    if let Some(members) = object.as_object_mut() {
        members.insert("bodies".to_owned(), bodies);
    }
    object
}

/// What a row says in the model's or the user's words.
fn redact(record: &mut Record) {
    let exchange = &mut record.exchange;
    let details = &mut record.details;
    let attempts = details
        .attempts
        .iter_mut()
        .map(|attempt| &mut attempt.error);
    let hits = details
        .hits
        .iter_mut()
        .flat_map(|hit| [&mut hit.before, &mut hit.after]);
    let texts = [&mut exchange.preview, &mut exchange.error].into_iter();
    for text in texts.chain(attempts).chain(hits).flatten() {
        *text = redacted_text(text);
    }
}
