//! A request that goes on from a known one is decoded and encoded to the same as by itself.

use bytestring::ByteString;
use lingate_wire::turn::SealKey;
use lingate_wire::{Decoded, Encoded, Known, UpstreamContext, Wire, bridge, chat};

const BODY: &str = concat!(
    r#"{"model":"m","max_tokens":9,"system":[{"type":"text","text":"s","a":1}],"#,
    r#""tools":[{"name":"t","input_schema":{"type":"object"},"x":2},{"type":"bash_20250124","name":"bash"}],"#,
    r#""messages":[{"role":"user","content":"é\n","seen":true},"#,
    r#"{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"s"},{"type":"text","text":"a"},"#,
    r#"{"type":"tool_use","id":"toolu_1","name":"t","input":{"a":"\"é\\\n","b":[1.0, {}]},"caller":{}}]},"#,
    r#"{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":[{"type":"text","text":"r"}]},"#,
    r#"{"type":"image","source":{"type":"url","url":"u"}}]},"#,
    r#"{"role":"assistant","content":[{"type":"tool_use","id":"toolu_2","name":"t","input":{}}]},"#,
    r#"{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_2","is_error":true}]}],"stream":true}"#
);

fn encoded(decoded: &Decoded, upstream: Wire) -> Result<Encoded, String> {
    let seal = SealKey::new("provider", "provider#1", "model");
    let context = UpstreamContext {
        model: "model",
        seal: &seal,
    };
    bridge::encode_request(upstream, decoded, &context, &chat::Dialect::default())
        .map_err(|failure| failure.message)
}

/// Tells how many messages are shared.
#[track_caller]
fn check(wire: Wire, known: &str, body: &str) -> usize {
    let scan = |body: &str| bridge::scan_request(wire, &ByteString::from(body)).unwrap();
    let known = scan(known);
    let mut decoded = bridge::decode_request(wire, &known).unwrap();
    decoded.turn.quote_inputs();
    let before = format!("{decoded:?}");
    let by_itself = bridge::decode_request(wire, &scan(body)).unwrap();
    let body = ByteString::from(body);
    let doc = bridge::scan_request_like(wire, &known, body.as_bytes())
        .unwrap()
        .doc;
    let like = Known {
        doc: &known,
        decoded: &decoded,
    };
    let mut like = bridge::decode_request_like(wire, &like, &doc).unwrap();
    assert_eq!(format!("{like:?}"), format!("{by_itself:?}"));
    for upstream in Wire::ALL {
        assert_eq!(encoded(&like, upstream), encoded(&by_itself, upstream));
    }
    let both = like.turn.messages.iter().zip(&decoded.turn.messages);
    let shared = both.filter(|(one, other)| std::ptr::eq(&*one.blocks, &*other.blocks));
    let n_shared = shared.count();
    for message in &mut like.turn.messages {
        message.edit().blocks.clear();
    }
    like.turn.tools.clear();
    assert_eq!(format!("{decoded:?}"), before);
    n_shared
}

#[test]
fn what_is_new_changes_nothing_else() {
    for (from, to, n_shared) in [
        ("", "", 5),
        (r#""stream":true"#, r#""stream":false"#, 5),
        (r#""model":"m""#, r#""model":"other""#, 5),
        (r#""x":2"#, r#""x":3"#, 5),
        (r#""a":1"#, r#""a":2"#, 5),
        (r#""content":"é\n""#, r#""content":"ä\n""#, 0),
        (r#""thinking":"hm""#, r#""thinking":"hm!""#, 1),
        (r#"[1.0, {}]"#, r#"[1.0,{}]"#, 1),
        (r#""text":"r""#, r#""text":"r2""#, 2),
        (
            r#""is_error":true}]}"#,
            r#""is_error":true}]},{"role":"user","content":"more"}"#,
            5,
        ),
        (r#","is_error":true"#, "", 4),
        (
            r#""messages":["#,
            r#""messages":[{"role":"user","content":"new"},"#,
            0,
        ),
    ] {
        let body = BODY.replacen(from, to, 1);
        assert_eq!(check(Wire::Anthropic, BODY, &body), n_shared, "{to}");
        check(Wire::Anthropic, &body, BODY);
    }
}

#[test]
fn a_conversation_that_goes_on_is_shared() {
    let more = r#"{"role":"user","content":"new"}]"#;
    let body = BODY.replacen(r#"],"stream""#, &format!(r#",{more},"stream""#), 1);
    assert_eq!(check(Wire::Anthropic, BODY, &body), 5);
}

#[test]
fn other_wires_are_decoded_as_ever() {
    let chat =
        r#"{"model":"m","messages":[{"role":"user","content":"a"},{"role":"user","content":"b"}]}"#;
    let responses =
        r#"{"model":"m","input":[{"role":"user","content":"a"},{"role":"user","content":"b"}]}"#;
    let gemini = r#"{"contents":[{"role":"user","parts":[{"text":"a"}]},{"role":"user","parts":[{"text":"b"}]}]}"#;
    for (wire, body) in [
        (Wire::Chat, chat),
        (Wire::Responses, responses),
        (Wire::Gemini, gemini),
    ] {
        check(wire, body, &body.replacen("\"b\"", "\"c\"", 1));
    }
}
