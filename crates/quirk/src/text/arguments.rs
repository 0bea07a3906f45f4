//! Arguments that are JSON: where they end, when markers may stand inside strings (R4, R7).

use super::calls::Calls;
use super::json::JsonInput;

/// Most bytes that are kept back behind a marker in an open string. JSON that broke there would have shown it by then.
const MOST_HELD: usize = 64 * 1024;
/// Most times per reply that such a marker is given the benefit of the doubt and turns out to have been real, which means
/// reading what follows it once more.
const MOST_REREADS: u32 = 8;

/// Reads the JSON arguments of the call that is open in [`Calls`].
///
/// A marker outside strings ends them. Inside an open string a marker is tentative: the bytes from there on are kept back
/// until the object is complete (then the marker was part of the string) or turns out to be broken (then it was the end,
/// and what follows it is read again).
#[derive(Debug, Default)]
pub(crate) struct JsonArguments {
    json: JsonInput,
    tentative: Option<Tentative>,
    n_rereads: u32,
}

#[derive(Debug, Default)]
struct Tentative {
    /// What came from the marker on, as received.
    raw: String,
    /// What it amounts to as JSON.
    input: String,
}

/// What became of a piece.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Read {
    /// The arguments go on.
    More,
    /// The object is complete, and the call closed.
    Complete,
    /// The marker ended the arguments, and the call is closed.
    Ended,
    /// The arguments ended earlier, and the call is closed: this is to be read again. It begins with a marker.
    Reread(String),
}

impl JsonArguments {
    /// Begins the next call's arguments.
    pub(crate) fn begin(&mut self) {
        self.json = JsonInput::default();
        self.tentative = None;
    }

    /// Takes text without markers: how many bytes were taken, and what became of them.
    pub(crate) fn text(&mut self, text: &str, calls: &mut Calls) -> (usize, Read) {
        let Some(tentative) = &mut self.tentative else {
            let n_taken = calls.write(|out| self.json.push(text, out));
            return (n_taken, self.judged(calls));
        };
        let room = MOST_HELD.saturating_sub(tentative.raw.len());
        let piece = text.get(..text.ceil_char_boundary(room)).unwrap_or(text);
        let n_taken = self.json.push(piece, &mut tentative.input);
        tentative
            .raw
            .push_str(piece.get(..n_taken).unwrap_or_default());
        (n_taken, self.judged(calls))
    }

    /// Takes a marker that ends arguments unless it stands in a string.
    pub(crate) fn mark(&mut self, mark: &str, calls: &mut Calls) -> Read {
        if self.tentative.is_none() && (!self.json.is_in_string() || self.n_rereads == MOST_REREADS)
        {
            self.close(calls);
            return Read::Ended;
        }
        let tentative = self.tentative.get_or_insert_default();
        tentative.raw.push_str(mark);
        self.json.push(mark, &mut tentative.input);
        self.judged(calls)
    }

    /// Takes the end of the reply.
    pub(crate) fn end(&mut self, calls: &mut Calls) -> Read {
        if let Some(tentative) = self.tentative.take() {
            return self.fall_back(tentative, calls);
        }
        if self.json.is_null() {
            self.close(calls);
        } else {
            calls.cut();
        }
        Read::Ended
    }

    /// Whether the object came as a string, whose closing quote was not taken.
    pub(crate) fn is_encoded(&self) -> bool {
        self.json.is_double_encoded()
    }

    fn judged(&mut self, calls: &mut Calls) -> Read {
        if let Some(tentative) = self.tentative.take() {
            if self.json.is_invalid() {
                return self.fall_back(tentative, calls);
            }
            if !self.json.is_complete() && tentative.raw.len() < MOST_HELD {
                self.tentative = Some(tentative);
                return Read::More;
            }
            calls.diag("marker_inside_string_kept");
            calls.write(|out| out.push_str(&tentative.input));
        }
        if !self.json.is_complete() {
            return Read::More;
        }
        self.close(calls);
        Read::Complete
    }

    fn fall_back(&mut self, tentative: Tentative, calls: &mut Calls) -> Read {
        self.n_rereads += 1;
        calls.diag("invalid_json");
        calls.close();
        Read::Reread(tentative.raw)
    }

    fn close(&mut self, calls: &mut Calls) {
        if self.json.is_blank() || self.json.is_null() {
            calls.diag("empty_args");
        }
        if self.json.is_double_encoded() {
            calls.diag("double_encoded_args");
        }
        if !calls.write(|out| self.json.finish(out)) {
            calls.diag("invalid_json");
        }
        calls.close();
    }
}
