//! Appends events to a buffer.

use crate::json::Writer;

/// Appends an event with a name: `event: NAME`, `data: DATA` and the blank line. `data` is one line.
pub fn write_event(out: &mut Vec<u8>, name: &str, data: &str) {
    push_name(out, name);
    write_data(out, data);
}

/// Appends an event without a name: `data: DATA` and the blank line. `data` is one line.
pub fn write_data(out: &mut Vec<u8>, data: &str) {
    debug_assert!(!data.contains(['\n', '\r']), "event data is one line");
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(data.as_bytes());
    out.extend_from_slice(b"\n\n");
}

/// Appends a comment, which keeps a connection alive and means nothing. `text` is one line.
pub fn write_comment(out: &mut Vec<u8>, text: &str) {
    debug_assert!(!text.contains(['\n', '\r']), "a comment is one line");
    out.extend_from_slice(b": ");
    out.extend_from_slice(text.as_bytes());
    out.extend_from_slice(b"\n\n");
}

/// Appends an event whose data is the JSON that `build` writes, with a name if the wire has names.
pub fn write_json(out: &mut Vec<u8>, name: Option<&str>, build: impl FnOnce(&mut Writer)) {
    if let Some(name) = name {
        push_name(out, name);
    }
    out.extend_from_slice(b"data: ");
    let from = out.len();
    let mut json = Writer::append_to(std::mem::take(out));
    build(&mut json);
    *out = json.into_bytes();
    // A span copied from a received document may be laid out over several lines. In valid JSON a bare line end only ever
    // stands between tokens, so a space means the same.
    let data = out.get_mut(from..).unwrap_or_default();
    if memchr::memchr2(b'\n', b'\r', data).is_some() {
        for byte in data.iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')) {
            *byte = b' ';
        }
    }
    out.extend_from_slice(b"\n\n");
}

fn push_name(out: &mut Vec<u8>, name: &str) {
    debug_assert!(!name.contains(['\n', '\r']), "an event's name is one line");
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(write: impl FnOnce(&mut Vec<u8>), expected: &str) {
        let mut out = b"before|".to_vec();
        write(&mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            format!("before|{expected}")
        );
    }

    #[test]
    fn events_comments_and_json() {
        check(
            |out| write_event(out, "ping", "{}"),
            "event: ping\ndata: {}\n\n",
        );
        check(|out| write_data(out, "[DONE]"), "data: [DONE]\n\n");
        check(|out| write_comment(out, "keep-alive"), ": keep-alive\n\n");
        check(
            |out| {
                write_json(out, Some("a"), |json| {
                    json.begin_object()
                        .key("t")
                        .str("x\ny")
                        .key("raw")
                        .raw("[1,\n2]")
                        .end_object();
                });
            },
            "event: a\ndata: {\"t\":\"x\\ny\",\"raw\":[1, 2]}\n\n",
        );
        check(
            |out| {
                write_json(out, None, |json| {
                    json.null();
                })
            },
            "data: null\n\n",
        );
    }
}
