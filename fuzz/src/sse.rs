//! The parser of event streams: how a stream is cut changes nothing, and what is written is read back.

use bytes::Bytes;
use lingate_wire::sse::{Frame, SseParser, write_event};

use crate::cut;

/// Runs one input.
pub fn check(input: &[u8]) {
    let Some((seed, stream)) = input.split_first() else {
        return;
    };
    let whole = frames(&[stream]);
    let cut = frames(&cut::pieces(stream, *seed));
    assert_eq!(whole, cut, "cutting changed the frames");
    let Ok(frames) = whole else { return };
    for frame in frames {
        let name = frame.event.as_deref().unwrap_or("message");
        // We write JSON, which is one line, under names of our own.
        if frame.data.contains(['\r', '\n']) || name.contains(['\r', '\n']) || name.is_empty() {
            continue;
        }
        let mut written = Vec::new();
        write_event(&mut written, name, &frame.data);
        let again = self::frames(&[&written]).expect("what we write can be read");
        let data: Vec<&str> = again.iter().map(|frame| &*frame.data).collect();
        assert_eq!(data, [&*frame.data], "{written:?}");
    }
}

fn frames(pieces: &[&[u8]]) -> Result<Vec<Frame>, String> {
    let mut parser = SseParser::new();
    let mut frames = Vec::new();
    for piece in pieces {
        parser
            .push(Bytes::copy_from_slice(piece), &mut frames)
            .map_err(|error| error.to_string())?;
    }
    parser
        .finish(&mut frames)
        .map_err(|error| error.to_string())?;
    Ok(frames)
}
