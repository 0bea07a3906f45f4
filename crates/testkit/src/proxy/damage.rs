//! What a fault makes of the bytes of an answer: a state machine over the pieces that come in.

use std::time::Duration;

/// What goes wrong with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// From there on every piece comes later by this much.
    Latency(Duration),
    /// From there on so many bytes a write.
    Slice(usize),
    /// Once nothing for a while.
    Pause(Duration),
    /// Nothing more, with the connection open.
    Stall,
    /// The connection ends in both directions.
    Cut,
    /// The answer's direction ends, and the connection stays open in the other.
    HalfClose,
    /// A TCP reset.
    Reset,
    /// A chunked body ends in an orderly way with the chunk at hand: nothing of the rest, and no error. Before the body,
    /// and where the body has a length, as [`Fault::Cut`].
    Truncate,
    /// Bytes that belong to nothing, and are no text either.
    Garbage,
    /// So many bytes are missing.
    Lose(usize),
    /// So many bytes come twice.
    Repeat(usize),
    /// One byte has its highest bit turned over.
    Flip,
    /// Every connection is reset as soon as it is made, wherever the place.
    Refuse,
    /// Connections are made, and nothing comes back, wherever the place.
    BlackHole,
}

/// Where in an answer a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Before this byte, the head's included.
    Byte(usize),
    /// So many bytes behind the first time that this text stands there.
    Behind(&'static str, usize),
}

/// Noise that is neither text nor the framing of a body.
const GARBAGE: &[u8] = b"\xff\xfe\x00\xc3garbage\xff";
/// How the frames of scripted streams end, each in a chunk of its own.
const END_OF_CHUNK: &[u8] = b"\n\n\r\n";
/// The end of a chunked body.
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// One thing to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    Write(Vec<u8>),
    Pause(Duration),
    /// Ends the answer's direction.
    Shutdown,
    /// Ends the connection.
    Close,
    Reset,
}

/// The fault of one connection.
#[derive(Clone, Debug)]
pub(super) struct Damage {
    fault: Fault,
    place: Place,
    /// Everything of the answer so far: scripted answers are small.
    seen: Vec<u8>,
    /// Bytes that were dealt with.
    done: usize,
    has_struck: bool,
    /// Where it struck.
    struck_at: usize,
    /// Bytes that are still to be lost.
    losing: usize,
    is_silent: bool,
}

impl Damage {
    pub(super) fn new(fault: Fault, place: Place) -> Self {
        Self {
            fault,
            place,
            seen: Vec::new(),
            done: 0,
            has_struck: false,
            struck_at: 0,
            losing: 0,
            is_silent: false,
        }
    }

    pub(super) fn fault(&self) -> Fault {
        self.fault
    }

    /// Whether nothing more comes on this connection.
    pub(super) fn is_silent(&self) -> bool {
        self.is_silent
    }

    /// The client asks: what comes next is a new answer.
    pub(super) fn arm(&mut self) {
        *self = Self::new(self.fault, self.place);
    }

    /// What becomes of the next bytes of the answer.
    pub(super) fn on(&mut self, bytes: &[u8]) -> Vec<Step> {
        self.seen.extend_from_slice(bytes);
        let mut steps = Vec::new();
        if !self.has_struck {
            let place = self.found().unwrap_or(usize::MAX);
            if place >= self.seen.len() {
                self.pass(self.seen.len(), &mut steps);
                return steps;
            }
            // A place that was recognised late has gone by in part.
            self.pass(place.max(self.done), &mut steps);
            self.has_struck = true;
            self.struck_at = self.done;
            self.strike(&mut steps);
            if let Some(Step::Close | Step::Reset) = steps.last() {
                return steps;
            }
        }
        self.go_on(&mut steps);
        steps
    }

    /// Where the fault strikes, once that is known.
    fn found(&self) -> Option<usize> {
        match self.place {
            Place::Byte(byte) => Some(byte),
            Place::Behind(text, more) => {
                let text = text.as_bytes();
                let at = self.seen.windows(text.len()).position(|own| own == text)?;
                Some(at + text.len() + more)
            }
        }
    }

    /// Bytes up to there go through.
    fn pass(&mut self, up_to: usize, steps: &mut Vec<Step>) {
        let piece = self.seen[self.done..up_to].to_vec();
        self.done = up_to;
        if !piece.is_empty() {
            steps.push(Step::Write(piece));
        }
    }

    /// What happens once, at the place.
    fn strike(&mut self, steps: &mut Vec<Step>) {
        match self.fault {
            Fault::Latency(_) | Fault::Slice(_) | Fault::Refuse => {}
            Fault::Truncate if self.is_chunked() => {}
            Fault::Pause(pause) => steps.push(Step::Pause(pause)),
            Fault::Stall | Fault::BlackHole => self.is_silent = true,
            Fault::Cut | Fault::Truncate => steps.push(Step::Close),
            Fault::HalfClose => {
                steps.push(Step::Shutdown);
                self.is_silent = true;
            }
            Fault::Reset => steps.push(Step::Reset),
            Fault::Garbage => steps.push(Step::Write(GARBAGE.to_vec())),
            Fault::Lose(length) => self.losing = length,
            Fault::Repeat(length) => {
                let end = self.seen.len().min(self.done + length);
                steps.push(Step::Write(self.seen[self.done..end].to_vec()));
            }
            Fault::Flip => {
                steps.push(Step::Write(vec![self.seen[self.done] ^ 0x80]));
                self.done += 1;
            }
        }
    }

    /// What happens to everything from the place on.
    fn go_on(&mut self, steps: &mut Vec<Step>) {
        let end = self.seen.len();
        match self.fault {
            _ if self.is_silent => self.done = end,
            Fault::Latency(by) => {
                steps.push(Step::Pause(by));
                self.pass(end, steps);
            }
            Fault::Slice(length) => {
                while self.done < end {
                    self.pass(end.min(self.done + length.max(1)), steps);
                }
            }
            Fault::Lose(_) => {
                let lost = self.losing.min(end - self.done);
                self.losing -= lost;
                self.done += lost;
                self.pass(end, steps);
            }
            Fault::Truncate => self.truncate(steps),
            Fault::Pause(_)
            | Fault::Stall
            | Fault::Cut
            | Fault::HalfClose
            | Fault::Reset
            | Fault::Garbage
            | Fault::Repeat(_)
            | Fault::Flip
            | Fault::Refuse
            | Fault::BlackHole => self.pass(end, steps),
        }
    }

    /// Up to the end of the chunk, then the end of the body; the connection is as good as new, and the rest is swallowed.
    fn truncate(&mut self, steps: &mut Vec<Step>) {
        let rest = &self.seen[self.struck_at..];
        let ends = rest
            .windows(END_OF_CHUNK.len())
            .position(|own| own == END_OF_CHUNK);
        match ends {
            None => self.pass(self.seen.len(), steps),
            Some(at) => {
                self.pass(self.struck_at + at + END_OF_CHUNK.len(), steps);
                steps.push(Step::Write(LAST_CHUNK.to_vec()));
                self.is_silent = true;
            }
        }
    }

    fn is_chunked(&self) -> bool {
        let head = self.seen.windows(4).position(|own| own == b"\r\n\r\n");
        let is_behind_it = head.is_some_and(|end| self.done >= end + 4);
        let head = &self.seen[..head.unwrap_or(0)];
        is_behind_it && head.windows(7).any(|own| own == b"chunked")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n7\r\nabcde\n\n\r\n7\r\nfghij\n\n\r\n0\r\n\r\n";

    /// The answer in pieces of `size`, as it comes out: text, `|` between writes of a slice left out, `~` a pause, `#` the
    /// end, `!` a reset, `_` silence.
    fn out(fault: Fault, place: Place, size: usize) -> String {
        let mut damage = Damage::new(fault, place);
        let mut out = Vec::new();
        for piece in ANSWER.chunks(size) {
            for step in damage.on(piece) {
                match step {
                    Step::Write(bytes) => out.extend(bytes),
                    Step::Pause(_) => out.push(b'~'),
                    Step::Shutdown | Step::Close => out.push(b'#'),
                    Step::Reset => out.push(b'!'),
                }
            }
            if damage.is_silent() {
                out.push(b'_');
                break;
            }
            if matches!(out.last(), Some(b'#' | b'!')) {
                break;
            }
        }
        let text = String::from_utf8_lossy(&out);
        let body = text.rsplit("\r\n\r\n7").next().unwrap_or_default();
        body.replace("\r\n", "/").replace('\n', ".")
    }

    #[track_caller]
    fn check(fault: Fault, expected: &str) {
        for size in [1, 3, 7, 1000] {
            let got = out(fault, Place::Behind("cd", 1), size);
            assert_eq!(got, expected, "{fault:?} in pieces of {size}");
        }
    }

    #[test]
    fn each_does_what_its_name_says_however_the_answer_comes() {
        check(Fault::Slice(2), "/abcde../7/fghij../0//");
        check(Fault::Stall, "/abcde_");
        check(Fault::Cut, "/abcde#");
        check(Fault::HalfClose, "/abcde#_");
        check(Fault::Reset, "/abcde!");
        check(Fault::Truncate, "/abcde../0//_");
        check(Fault::Lose(4), "/abcde7/fghij../0//");
        check(Fault::Pause(Duration::ZERO), "/abcde~../7/fghij../0//");
        check(Fault::Flip, "/abcde\u{fffd}./7/fghij../0//");
        check(
            Fault::Garbage,
            "/abcde\u{fffd}\u{fffd}\0\u{fffd}garbage\u{fffd}../7/fghij../0//",
        );
    }

    #[test]
    fn what_comes_twice_is_what_is_there_and_delays_are_of_every_piece() {
        let place = Place::Behind("ab", 0);
        assert_eq!(
            out(Fault::Repeat(3), place, 1000),
            "/abcdecde../7/fghij../0//"
        );
        assert_eq!(out(Fault::Repeat(3), place, 1), "/abccde../7/fghij../0//");
        let late = out(Fault::Latency(Duration::ZERO), place, 25);
        assert_eq!(late.matches('~').count(), 2, "{late}");
    }

    #[test]
    fn an_answer_can_be_struck_before_its_body_and_every_time() {
        let mut damage = Damage::new(Fault::Cut, Place::Byte(4));
        for _ in 0..2 {
            damage.arm();
            let steps = damage.on(ANSWER);
            assert_eq!(steps[..2], [Step::Write(b"HTTP".to_vec()), Step::Close]);
        }
        let mut damage = Damage::new(Fault::Truncate, Place::Byte(4));
        let steps = damage.on(ANSWER);
        assert_eq!(steps[1], Step::Close, "no body to end yet");
    }
}
