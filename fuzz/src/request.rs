//! Requests: whatever a client sends is decoded or refused, and what is decoded can be encoded for every wire.

use bytestring::ByteString;
use lingate_wire::turn::SealKey;
use lingate_wire::{Decoded, Encoded, Known, UpstreamContext, Wire, bridge, chat};

/// Runs one input.
pub fn check(input: &[u8]) {
    let Some((wire, body)) = input.split_first() else {
        return;
    };
    let client = crate::chosen(*wire);
    let Some(decoded) = crate::text(body).and_then(|body| decoded(client, &body)) else {
        return;
    };
    known(client, body, &decoded);
    for upstream in crate::wires() {
        let Some(encoded) = encoded(upstream, &decoded) else {
            continue;
        };
        assert_eq!(
            Some(&encoded),
            self::encoded(upstream, &decoded).as_ref(),
            "not deterministic"
        );
        let body = String::from_utf8(encoded.body).expect("a body is text");
        let body = ByteString::from(body);
        if let Err(error) = serde_json::from_str::<&serde_json::value::RawValue>(&body) {
            panic!("{client} to {upstream} is not JSON: {error}\n{body}");
        }
        assert!(
            self::decoded(upstream, &body).is_some(),
            "{client} to {upstream} cannot be read:\n{body}"
        );
    }
}

/// What is decoded like a known request is what it is by itself.
fn known(wire: Wire, body: &[u8], decoded: &Decoded) {
    let Some(text) = crate::text(body) else {
        return;
    };
    let half = text.floor_char_boundary(text.len() / 2);
    let changed = ByteString::from([&text[..half], " ", &text[half..]].concat());
    let (Ok(doc), Ok(whole)) = (
        bridge::scan_request(wire, &text),
        bridge::scan_request(wire, &changed),
    ) else {
        return;
    };
    let Some(resumed) = bridge::scan_request_like(wire, &doc, changed.as_bytes()) else {
        return;
    };
    let mut decoded = decoded.clone();
    decoded.turn.quote_inputs();
    let known = Known {
        doc: &doc,
        decoded: &decoded,
    };
    assert_eq!(
        bridge::decode_request_like(wire, &known, &resumed.doc).ok(),
        bridge::decode_request(wire, &whole).ok(),
        "{changed}"
    );
}

fn decoded(wire: Wire, body: &ByteString) -> Option<Decoded> {
    let doc = bridge::scan_request(wire, body).ok()?;
    bridge::peek(wire, &doc).ok()?;
    bridge::decode_request(wire, &doc).ok()
}

fn encoded(wire: Wire, decoded: &Decoded) -> Option<Encoded> {
    let seal = SealKey::new("provider", "provider#1", "model");
    let upstream = UpstreamContext {
        model: "model",
        seal: &seal,
    };
    bridge::encode_request(wire, decoded, &upstream, &chat::Dialect::default()).ok()
}
