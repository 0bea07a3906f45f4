//! Finds the differences between the events of a stream while they pass.

use lingate_wire::json::common_prefix;

use crate::leb128;
use crate::parts::common_suffix;

use super::arrivals::Arrivals;
use super::streamed::{PartEnd, Streamed};

/// Fewer bytes are not repeated. The numbers of a copy take at most nine, so that what has copies is shorter than what has
/// none.
const LEAST: usize = 16;

/// An event with at most so many bytes that the one before has not is not searched for fewer.
pub(crate) const SHORT: usize = 32;

/// Longer events are not compared.
const LONGEST: usize = 32 << 10;

/// A part that is so long ends with its event.
const PART: usize = 96 << 10;

/// Most bytes that the copies of an event take.
const COPY: usize = 9;

/// Room for what a stream has of its own that is made with its second piece, for copies and for arrivals.
const ROOM: usize = 8 << 10;
const NUMBERS: usize = 512;

/// A stream that goes on. Of each event only what is neither at the beginning nor at the end of the one before is kept. Events
/// end in blank lines; however the pieces are cut, the same is kept. Anything else may pass here, too, and is kept as it is.
#[derive(Debug, Default)]
pub struct StreamCoder {
    own: Vec<u8>,
    copies: Vec<u8>,
    parts: Vec<PartEnd>,
    /// Where the last part ended.
    part: PartEnd,
    length: usize,
    arrivals: Arrivals,
    state: State,
    /// The last event, where there is one to compare with, or one before it that has the same around its middle. That of the
    /// last one is what the own bytes end with.
    last: Vec<u8>,
    /// How long the last event is.
    last_length: usize,
    /// What has come of the next.
    begun: Vec<u8>,
    /// How many bytes the last event and the one before both begin and end with.
    around: Around,
    /// How long the last copy of the part is.
    copied: usize,
    /// Own bytes before it, and before the part.
    own_copied: usize,
    /// There is room for so many events like the last, at least.
    alike_left: usize,
}

/// What the own bytes end with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    /// With the part's first event as far as it has come: all of it, or nothing.
    #[default]
    First,
    /// With the part's first event, which has ended.
    FirstEnded,
    /// With what the last event has of its own; its tail follows.
    Compared,
}

/// How many bytes an event and the one before both begin and end with; the two ends are apart. The first ends before a quote and
/// the second begins with one, or is empty: texts that begin or end alike by chance say nothing of the next, and no secret
/// reaches over a quote.
#[derive(Debug, Clone, Copy, Default)]
struct Around {
    head: usize,
    tail: usize,
}

impl Around {
    /// What the next event has in its middle, if it has this around it: it mostly differs where the last one did, and that is
    /// two comparisons and no search.
    #[inline]
    fn within<'e>(self, event: &'e [u8], last: &[u8]) -> Option<&'e [u8]> {
        let around = self.head + self.tail;
        let length = event.len().checked_sub(around)?;
        let (head, rest) = event.split_at_checked(self.head)?;
        let (middle, tail) = rest.split_at_checked(length)?;
        let is_like_last = length <= SHORT
            && around >= LEAST
            && self.head > 0
            && rest.first() == Some(&b'"')
            && last.starts_with(head)
            && last.ends_with(tail);
        is_like_last.then_some(middle)
    }

    /// What an event and the last have in common.
    fn of(event: &[u8], last: &[u8]) -> Self {
        let same = event.get(..common_prefix(event, last));
        let quote = same.and_then(|same| memchr::memrchr(b'"', same));
        let head = quote.unwrap_or_default();
        let [rest, other] = [event, last].map(|bytes| bytes.get(head..).unwrap_or_default());
        let tail = ending(rest, common_suffix(rest, other));
        let quote = memchr::memchr(b'"', tail).unwrap_or(tail.len());
        Self {
            head,
            tail: tail.len() - quote,
        }
    }
}

/// So many bytes at the end.
fn ending(bytes: &[u8], length: usize) -> &[u8] {
    bytes.get(bytes.len() - length..).unwrap_or_default()
}

fn ends_event(bytes: &[u8]) -> bool {
    matches!(bytes, [.., b'\n', b'\n'] | [.., b'\n', b'\r', b'\n'])
}

impl StreamCoder {
    /// Another piece came, so many microseconds after the exchange was accepted.
    pub fn push(&mut self, piece: &[u8], at_us: u64) {
        if !self.push_alike(piece, at_us) {
            self.push_other(piece, at_us);
        }
    }

    /// The same if it is what most pieces are, and takes no more room than there is: an event that differs from the last where
    /// that did from the one before. Whether it is.
    #[inline]
    pub fn push_alike(&mut self, piece: &[u8], at_us: u64) -> bool {
        let is_event = self.begun.is_empty() && piece.len() <= LONGEST && ends_event(piece);
        let middle = self.around.within(piece, &self.last);
        let (true, Some(middle)) = (is_event, middle) else {
            return false;
        };
        if self.alike_left == 0 {
            self.alike_left = self.alike_room();
        }
        let Some(alike_left) = self.alike_left.checked_sub(1) else {
            return false;
        };
        self.alike_left = alike_left;
        self.came(piece, at_us);
        self.copy(self.around.head + self.around.tail);
        self.own.extend_from_slice(middle);
        self.last_length = piece.len();
        self.event_ended();
        true
    }

    #[inline]
    fn came(&mut self, piece: &[u8], at_us: u64) {
        self.length += piece.len();
        self.arrivals.push(self.length as u64, at_us);
    }

    fn push_other(&mut self, mut piece: &[u8], at_us: u64) {
        self.alike_left = 0;
        self.arrivals
            .push((self.length + piece.len()) as u64, at_us);
        loop {
            let end = self.event_end(piece);
            let (first, rest) = piece.split_at_checked(end).unwrap_or((piece, &[]));
            self.length += first.len();
            self.put(first);
            if rest.is_empty() {
                return;
            }
            piece = rest;
        }
    }

    /// Where the event that goes on with these bytes ends: behind a blank line, or with all of them.
    fn event_end(&self, piece: &[u8]) -> usize {
        // Part of the blank line may be there already.
        let before = match self.state {
            State::First => self.own.get(self.part.own..).unwrap_or_default(),
            State::FirstEnded => &[],
            State::Compared => &self.begun,
        };
        let mut breaks = memchr::memchr_iter(b'\n', piece).map(|at| at + 1);
        let is_end = |end: &usize| match piece.get(..*end).unwrap_or_default() {
            [b'\n'] => before.ends_with(b"\n") || before.ends_with(b"\n\r"),
            [b'\r', b'\n'] => before.ends_with(b"\n"),
            begun => ends_event(begun),
        };
        breaks.find(is_end).unwrap_or(piece.len())
    }

    /// Puts bytes that go on with an event, and no further than it.
    fn put(&mut self, piece: &[u8]) {
        if self.state == State::FirstEnded {
            let first = self.own.get(self.part.own..).unwrap_or_default();
            self.last.extend_from_slice(first);
            self.last_length = first.len();
            self.around = Around::default();
            self.state = State::Compared;
        }
        if self.state == State::First {
            self.own.extend_from_slice(piece);
            self.first_goes_on();
        } else if self.begun.len() + piece.len() > LONGEST {
            self.end_part(piece.len());
            self.own.append(&mut self.begun);
            self.own.extend_from_slice(piece);
            self.first_goes_on();
        } else if self.begun.is_empty() && ends_event(piece) {
            self.event(piece);
        } else {
            self.begun.extend_from_slice(piece);
            if ends_event(&self.begun) {
                self.begun_ends();
            }
        }
    }

    /// Nothing follows.
    #[must_use]
    pub fn finish(mut self) -> Streamed {
        if !self.begun.is_empty() {
            self.begun_ends();
        }
        self.end_part(0);
        Streamed {
            own: self.own.into(),
            copies: self.copies,
            parts: self.parts,
            length: self.length,
            arrivals: self.arrivals.bytes,
        }
    }

    /// Bytes that came.
    #[must_use]
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether nothing came.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The first event of a part has more bytes.
    fn first_goes_on(&mut self) {
        let event = self.own.get(self.part.own..).unwrap_or_default();
        if ends_event(event) {
            self.state = State::FirstEnded;
            if event.len() > LONGEST {
                self.end_part(0);
            }
        }
    }

    /// What was begun is an event.
    fn begun_ends(&mut self) {
        let mut begun = std::mem::take(&mut self.begun);
        self.event(&begun);
        begun.clear();
        self.begun = begun;
    }

    /// What follows begins another event.
    #[inline]
    fn event_ended(&mut self) {
        if self.length - self.part.length >= PART {
            self.end_part(0);
        }
    }

    /// Makes what is kept as the last event be that.
    fn settle(&mut self) {
        let Around { head, tail } = self.around;
        let middle = ending(&self.own, self.last_length - head - tail);
        let length = self.last.len();
        self.last.resize(length.max(self.last_length), 0);
        let to = head + middle.len();
        self.last.copy_within(length - tail..length, to);
        if let Some(place) = self.last.get_mut(head..to) {
            place.copy_from_slice(middle);
        }
        self.last.truncate(self.last_length);
    }

    /// Puts an event behind the last one, but for its tail.
    fn event(&mut self, event: &[u8]) {
        self.settle();
        let tail = self.around.tail;
        if (self.around.within(event, &self.last)).is_none() {
            self.around = Around::of(event, &self.last);
        }
        // Own bytes begin with a quote, or a line end.
        let head = self.around.head;
        let line_end = usize::from(head == 0);
        if (tail + head).saturating_sub(line_end) >= LEAST {
            self.copy(tail + head - line_end);
            self.own.extend_from_slice(ending(&self.last, line_end));
        } else {
            self.own.extend_from_slice(ending(&self.last, tail));
            let head = event.get(..head).unwrap_or_default();
            self.own.extend_from_slice(head);
        }
        let middle = event.get(head..event.len() - self.around.tail);
        self.own.extend_from_slice(middle.unwrap_or_default());
        self.last.clear();
        self.last.extend_from_slice(event);
        self.last_length = event.len();
        self.event_ended();
    }

    /// So many bytes from the last event's tail on stand an event's length before that, too: its tail at the end of the one
    /// before, and what follows at its own beginning.
    #[inline]
    fn copy(&mut self, length: usize) {
        let since = self.own.len() - self.own_copied;
        let distance = self.last_length;
        let own = 2 * since as u64;
        if length == self.copied && distance == since + length {
            leb128::put(&mut self.copies, own + 1);
        } else {
            self.copied = length;
            for number in [own, distance as u64, length as u64] {
                leb128::put(&mut self.copies, number);
            }
        }
        self.own_copied = self.own.len();
    }

    /// Ends the part with the last event. `without` bytes, and what is begun, belong to the next.
    fn end_part(&mut self, without: usize) {
        let tail = self.around.tail;
        if tail >= LEAST {
            self.copy(tail);
        } else {
            self.own.extend_from_slice(ending(&self.last, tail));
        }
        self.part = PartEnd {
            own: self.own.len(),
            copies: self.copies.len(),
            length: self.length - without - self.begun.len(),
            since: self.own.len() - self.own_copied,
        };
        if self.parts.last().map_or(0, |part| part.length) < self.part.length {
            self.parts.push(self.part);
        }
        self.around = Around::default();
        self.copied = 0;
        self.own_copied = self.own.len();
        self.state = State::First;
        self.last.clear();
        self.last_length = 0;
        self.alike_left = 0;
    }
}

/// The memory that it takes.
impl StreamCoder {
    /// Bytes that it holds, but for where its parts end.
    #[must_use]
    pub fn held(&self) -> usize {
        let buffers = [
            &self.own,
            &self.copies,
            &self.arrivals.bytes,
            &self.last,
            &self.begun,
        ];
        buffers.iter().map(|buffer| buffer.capacity()).sum()
    }

    /// For how many events like the last there is room, with the end of a part behind them.
    fn alike_room(&self) -> usize {
        let left = |buffer: &Vec<u8>| buffer.capacity() - buffer.len();
        let own = left(&self.own).saturating_sub(self.around.tail) / SHORT;
        let copies = (left(&self.copies) / COPY).saturating_sub(1);
        own.min(copies)
            .min(left(&self.arrivals.bytes) / Arrivals::ROOM)
    }

    /// Makes room for a piece, if more is needed and `may_hold` says that it may hold so many bytes more. Whether there is room.
    /// Asked for first is so much that most of a stream fits, then what the piece takes.
    pub fn make_room(&mut self, piece: &[u8], mut may_hold: impl FnMut(usize) -> bool) -> bool {
        let rooms = self.rooms(piece);
        if rooms.iter().all(Room::is_enough) {
            return true;
        }
        // The first piece may be all there is, unless it is an event.
        let is_stream = !self.is_empty() || ends_event(piece);
        for is_ample in [true, false] {
            if is_ample && !is_stream {
                continue;
            }
            let sizes = rooms.each_ref().map(|room| room.grown(is_ample));
            let more = sizes
                .iter()
                .zip(&rooms)
                .map(|(size, room)| size - room.size);
            if may_hold(more.sum()) {
                self.reserve(sizes);
                return true;
            }
        }
        false
    }

    fn reserve(&mut self, sizes: [usize; 5]) {
        let buffers = [
            &mut self.own,
            &mut self.copies,
            &mut self.arrivals.bytes,
            &mut self.last,
            &mut self.begun,
        ];
        for (buffer, size) in buffers.into_iter().zip(sizes) {
            buffer.reserve_exact(size - buffer.len());
        }
    }

    /// What a piece takes of each buffer.
    fn rooms(&self, piece: &[u8]) -> [Room; 5] {
        let more = piece.len();
        // Events that may end in it; the first of them with a blank line that began before.
        let breaks = memchr::memchr_iter(b'\n', piece).map(|at| piece.get(at + 1..));
        let is_blank =
            |behind: &Option<&[u8]>| matches!(behind, Some([b'\n', ..] | [b'\r', b'\n', ..]));
        let ends =
            breaks.filter(is_blank).count() + usize::from(matches!(piece, [b'\n' | b'\r', ..]));
        let before = match self.state {
            State::First | State::FirstEnded => self.own.len() - self.part.own,
            State::Compared => self.begun.len(),
        };
        let is_compared = self.state != State::First || ends > 0;
        let (event, copies) = if is_compared {
            // Of each event, and of a part's end.
            ((before + more).min(LONGEST), 2 * COPY * (ends + 2))
        } else {
            (0, 0)
        };
        let is_begun = !self.begun.is_empty() || ends != 1 || !ends_event(piece);
        let own = self.own.len() + self.around.tail + self.begun.len() + more;
        let room = |buffer: &Vec<u8>, least, ample| Room {
            size: buffer.capacity(),
            least,
            ample,
        };
        let copies = self.copies.len() + copies;
        let arrivals = self.arrivals.bytes.len() + Arrivals::ROOM;
        [
            room(&self.own, own, ROOM),
            room(&self.copies, copies, NUMBERS),
            room(&self.arrivals.bytes, arrivals, NUMBERS),
            room(&self.last, event.max(self.last_length), 0),
            room(&self.begun, if is_begun { event } else { 0 }, 0),
        ]
    }
}

/// How large a buffer is.
struct Room {
    size: usize,
    /// How large it has to be.
    least: usize,
    /// How large it is made at least where there is room for all.
    ample: usize,
}

impl Room {
    fn is_enough(&self) -> bool {
        self.least <= self.size
    }

    /// How large it is made: twice as large if that is to be `ample`, else so much larger that not every crumb moves all that is
    /// kept.
    fn grown(&self, ample: bool) -> usize {
        let to = match ample {
            _ if self.is_enough() => return self.size,
            true => (2 * self.size).max(self.ample),
            false => self.size + self.size / 8,
        };
        self.least.max(to)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::parts::MAX_PART;

    /// Codes what came in pieces, each with no more room than was made for it.
    fn coded<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, is_ample: bool) -> Streamed {
        let mut coder = StreamCoder::default();
        for (piece, at_us) in pieces.into_iter().zip(1..) {
            let mut held = coder.held();
            if coder.push_alike(piece, at_us) {
                assert_eq!(coder.held(), held);
                continue;
            }
            let mut asked = Vec::new();
            if !coder.make_room(piece, |more| {
                asked.push(more);
                false
            }) {
                let accepted = if is_ample {
                    asked.first()
                } else {
                    asked.last()
                };
                let accepted = *accepted.unwrap();
                assert!(coder.make_room(piece, |more| more == accepted));
                held += accepted;
            }
            assert_eq!(coder.held(), held);
            assert!(coder.make_room(piece, |_| false));
            coder.push(piece, at_us);
            assert_eq!(coder.held(), held);
        }
        let (held, length) = (coder.held(), coder.len());
        let streamed = coder.finish();
        assert!(streamed.weight() <= held);
        assert_eq!(streamed.len(), length);
        streamed
    }

    /// What came comes back, each part by itself. How long the own bytes and the copies of each are.
    #[track_caller]
    fn check(pieces: &[&[u8]]) -> Vec<(usize, usize)> {
        let all = pieces.concat();
        let [streamed, tight] =
            [true, false].map(|is_ample| coded(pieces.iter().copied(), is_ample));
        assert_eq!(streamed, tight);
        assert!(streamed.bytes() == all);
        let ends = streamed
            .arrivals()
            .into_iter()
            .map(|arrival| arrival.end as usize);
        let lengths = pieces.iter().map(|piece| piece.len());
        let expected = lengths.scan(0, |end, length| {
            *end += length;
            Some(*end)
        });
        assert!(ends.eq(expected));
        let mut begin = 0;
        let parts = streamed.parts().map(|part| {
            let bytes = super::super::decode(&part.own, part.copies, part.length).unwrap();
            let before = &all[..begin];
            assert!(before.is_empty() || ends_event(before), "{begin}");
            begin += part.length;
            assert!(bytes == all[begin - part.length..begin]);
            assert!(part.copies.is_empty() || part.length <= MAX_PART);
            (part.own.len(), part.copies.len())
        });
        let parts = parts.collect();
        assert_eq!(begin, all.len());
        parts
    }

    fn event(text: &str) -> String {
        format!(
            "data: {{\"id\":\"c-1\",\"object\":\"chunk\",\"text\":\"{text}\",\"stop\":null}}\n\n"
        )
    }

    #[test]
    fn a_usual_event_is_its_text_and_a_byte() {
        let events: Vec<String> = (100..200).map(|n| event(&n.to_string())).collect();
        let pieces: Vec<&[u8]> = events.iter().map(String::as_bytes).collect();
        let parts = check(&pieces);
        // A quote and three digits of each, all of the first, and the first two that say how long a copy is.
        let [(own, copies)] = parts[..] else {
            panic!("{parts:?}")
        };
        assert!(own < 100 * 4 + events[0].len() + 10, "{own}");
        assert!(copies < 100 + 20, "{copies}");
        // In pieces that end elsewhere nothing is compared before its end has come.
        let halves = pieces.iter().flat_map(|piece| [&piece[..20], &piece[20..]]);
        assert_eq!(check(&halves.collect::<Vec<_>>()), parts);
    }

    #[test]
    fn a_long_stream_has_parts_that_stand_for_themselves() {
        let events: Vec<String> = (0..9000).map(|n| event(&format!("word{n} "))).collect();
        let pieces: Vec<&[u8]> = events.iter().map(String::as_bytes).collect();
        let parts = check(&pieces);
        assert_eq!(parts.len(), pieces.concat().len() / PART + 1);
        let coded: usize = parts.iter().map(|(own, copies)| own + copies).sum();
        assert!(coded * 6 < pieces.concat().len(), "{coded}");
    }

    #[test]
    fn what_is_long_is_kept_as_it_is() {
        let long = event(&"x".repeat(LONGEST));
        let [short, other] = ["a", "b"].map(event);
        let [long, short, other] = [&long, &short, &other].map(|event| event.as_bytes());
        let is_kept = |own: usize, length: usize| (own, 0) == (length, 0);
        // First, in the middle, at the end, and twice.
        let parts = check(&[long, short, other]);
        assert!(
            is_kept(parts[0].0, long.len()) && parts.len() == 2,
            "{parts:?}"
        );
        let parts = check(&[short, other, long, short, other]);
        assert!(parts.len() == 3 && parts[1] == (long.len(), 0), "{parts:?}");
        let (begin, end) = long.split_at(LONGEST / 2);
        let parts = check(&[short, other, begin, end, short, other]);
        assert!(parts.len() == 3 && parts[1] == (long.len(), 0), "{parts:?}");
        let parts = check(&[short, other, begin, end]);
        assert!(parts.len() == 2 && parts[1] == (long.len(), 0), "{parts:?}");
        assert_eq!(check(&[long, long]), [(long.len(), 0); 2]);
        // What has no event at all.
        let body = vec![b'{'; 10 * LONGEST];
        let pieces: Vec<&[u8]> = body.chunks(5000).collect();
        assert_eq!(check(&pieces), [(body.len(), 0)]);
        assert_eq!(check(&[]), []);
        assert_eq!(check(&[b"\n\n"]), [(2, 0)]);
    }

    /// The same bytes are the same, however they were cut, and coded alike.
    #[test]
    fn what_came_otherwise_is_the_same() {
        let events = ["a", "b", "b", "cd"].map(event);
        let whole = events.concat();
        let all = |pieces: Vec<&str>| Streamed::of(pieces.into_iter().map(str::as_bytes).zip(1..));
        let by_event = all(whole.split_inclusive("\n\n").collect());
        for at in 0..whole.len() {
            let (one, other) = whole.split_at(at);
            let other = all(vec![one, other]);
            assert!(by_event.is_same(&other), "{at}");
            assert_eq!(
                (&by_event.own, &by_event.copies),
                (&other.own, &other.copies)
            );
        }
        assert!(!by_event.is_same(&all(vec![&whole[1..]])));
        let other = whole.replace("cd", "ce");
        assert!(!by_event.is_same(&all(other.split_inclusive("\n\n").collect())));
    }

    proptest! {
        #[test]
        fn anything_comes_back_however_it_came(
            stream in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..300),
                "(event: [ab]\ndata: \"a{20,30}\",\"[0-9]{0,3}\":b{20,30}(\n\n|\r\n\r\n|\n)){0,20}".prop_map(String::into_bytes),
                "(data: a{0,400}[xy]{0,40}b{0,400}\n\n){0,20}".prop_map(String::into_bytes),
                "[a\n]{0,200}".prop_map(String::into_bytes),
            ],
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
            by_line in any::<bool>(), times in 1..40_usize,
        ) {
            let stream = stream.repeat(times);
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
            if by_line {
                cuts.extend(memchr::memchr_iter(b'\n', &stream).map(|at| at + 1));
            }
            cuts.extend([0, stream.len()]);
            cuts.sort_unstable();
            cuts.dedup();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &stream[cut[0]..cut[1]]).collect();
            let parts = check(&pieces);
            // The same as if it had come at once.
            prop_assert_eq!(check(&[&stream]), parts);
        }
    }
}
