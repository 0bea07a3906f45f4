//! Lane 1: the request stays what it was, but for the model.

use lingate_wire::{bridge, splice};
use serde_json::Value as Json;

/// A name with everything that has to be escaped.
const MODEL: &str = "host/mod\"el\\ \u{7f}\u{e9}\n";

/// Runs one input.
pub fn check(input: &[u8]) {
    let Some((wire, body)) = input.split_first() else {
        return;
    };
    let wire = crate::chosen(*wire);
    let Some(body) = crate::text(body) else {
        return;
    };
    let Ok(doc) = bridge::scan_request(wire, &body) else {
        return;
    };
    let Ok(peek) = bridge::peek(wire, &doc) else {
        return;
    };
    let Some(span) = peek.model_span else { return };
    let spliced = splice::model(body.as_bytes(), &span, MODEL).concat();
    assert!(spliced.starts_with(&body.as_bytes()[..span.start]));
    assert!(spliced.ends_with(&body.as_bytes()[span.end..]));
    let (Ok(mut before), Ok(after)) = (
        serde_json::from_str::<Json>(&body),
        serde_json::from_slice::<Json>(&spliced),
    ) else {
        // Numbers that no double holds.
        return;
    };
    assert_eq!(before["model"], *peek.model.decode());
    before["model"] = MODEL.into();
    assert_eq!(before, after);
}
