//! Strict HTTP/1 framing, ahead of the parser.
//!
//! Hyper reads liberally where RFC 9112 lets it: bare LF, both length headers at once (the one it ignores is gone from
//! the request), equal lengths twice, any chunk extension. Each is how a request is smuggled past one of two servers, and
//! none is what a real client sends. [`Scanner`] follows the framing of a connection's requests as the bytes arrive and
//! stops at the first thing that two servers could read differently. It reads nothing else: the body passes by unseen.

/// Most bytes of a head or of trailers that are followed; hyper refuses a head long before that.
const MAX_FIELDS: usize = 512 * 1024;
/// Most bytes of the line that begins a chunk.
const MAX_CHUNK_LINE: usize = 256;

/// What a connection may not go on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The offset of the offending byte in the bytes just followed.
    pub at: usize,
    /// Whether it is in a head; else in a body.
    pub is_head: bool,
    /// What is wrong with it.
    pub what: &'static str,
}

/// Follows the requests of one connection.
#[derive(Debug, Default)]
pub(crate) struct Scanner {
    state: State,
    /// The line under way, without what has not arrived.
    line: Vec<u8>,
    /// Bytes of the head or the trailers so far.
    fields: usize,
    head: Head,
}

#[derive(Debug, Clone, Copy, Default)]
enum State {
    #[default]
    RequestLine,
    Header,
    /// Bytes left of a body of known length.
    Body(u64),
    ChunkLine,
    /// Bytes left of a chunk, its CRLF aside.
    Chunk(u64),
    ChunkEnd,
    Trailer,
}

/// What a head says about its body.
#[derive(Debug, Default)]
struct Head {
    is_http10: bool,
    length: Option<u64>,
    is_chunked: bool,
}

impl Scanner {
    /// Follows the next bytes; after a refusal there are none.
    pub(crate) fn follow(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        let mut rest = bytes;
        while !rest.is_empty() {
            match &mut self.state {
                State::Body(left) | State::Chunk(left) => {
                    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                    rest = rest.get(taken..).unwrap_or_default();
                    *left -= taken as u64;
                    match self.state {
                        State::Body(0) => self.state = State::RequestLine,
                        State::Chunk(0) => self.state = State::ChunkEnd,
                        _ => {}
                    }
                }
                _ => {
                    let end = memchr::memchr(b'\n', rest);
                    let taken = end.map_or(rest.len(), |end| end + 1);
                    let (line, after) = rest.split_at_checked(taken).unwrap_or((rest, &[]));
                    let result = match end {
                        // Most lines arrive whole.
                        Some(_) if self.line.is_empty() => self.end_line(line),
                        Some(_) => {
                            let mut whole = std::mem::take(&mut self.line);
                            whole.extend_from_slice(line);
                            let result = self.end_line(&whole);
                            // The allocation serves the next line.
                            whole.clear();
                            self.line = whole;
                            result
                        }
                        None => {
                            self.line.extend_from_slice(line);
                            self.check_room(self.line.len())
                        }
                    };
                    result.map_err(|what| Refusal {
                        at: bytes.len() - after.len() - 1,
                        is_head: matches!(self.state, State::RequestLine | State::Header),
                        what,
                    })?;
                    rest = after;
                }
            }
        }
        Ok(())
    }

    /// A line is there, with its LF.
    fn end_line(&mut self, line: &[u8]) -> Result<(), &'static str> {
        self.state = self.next_state(line)?;
        self.check_room(line.len())?;
        self.fields += line.len();
        if !matches!(
            self.state,
            State::RequestLine | State::Header | State::Trailer
        ) {
            self.fields = 0;
        }
        Ok(())
    }

    fn next_state(&mut self, line: &[u8]) -> Result<State, &'static str> {
        let line = line
            .strip_suffix(b"\r\n")
            .ok_or("a line ends in a bare LF")?;
        Ok(match self.state {
            // Left over from a client's last request: RFC 9112, 2.2.
            State::RequestLine if line.is_empty() => State::RequestLine,
            State::RequestLine => {
                check_bytes(line)?;
                self.head = Head {
                    is_http10: line.ends_with(b" HTTP/1.0"),
                    ..Head::default()
                };
                State::Header
            }
            State::Header if line.is_empty() => self.head.body()?,
            State::Header => {
                self.head.field(line)?;
                State::Header
            }
            State::ChunkLine => match chunk_size(line)? {
                0 => State::Trailer,
                size => State::Chunk(size),
            },
            State::ChunkEnd if line.is_empty() => State::ChunkLine,
            State::ChunkEnd => return Err("a chunk is longer than it said"),
            State::Trailer if line.is_empty() => State::RequestLine,
            State::Trailer => {
                let (name, _) = field(line)?;
                if [&b"content-length"[..], b"transfer-encoding", b"host"]
                    .iter()
                    .any(|framing| framing.eq_ignore_ascii_case(name))
                {
                    return Err("a trailer carries framing");
                }
                State::Trailer
            }
            State::Body(_) | State::Chunk(_) => return Err("a body is read as a line"),
        })
    }

    /// Bounds a line that has ended, and what is kept of one that does not.
    fn check_room(&self, length: usize) -> Result<(), &'static str> {
        match self.state {
            State::ChunkEnd if length > 2 => Err("a chunk is longer than it said"),
            State::ChunkLine if length > MAX_CHUNK_LINE => Err("the line of a chunk is too long"),
            _ if self.fields + length > MAX_FIELDS => Err("there are too many headers"),
            _ => Ok(()),
        }
    }
}

impl Head {
    fn field(&mut self, line: &[u8]) -> Result<(), &'static str> {
        let (name, value) = field(line)?;
        if name.eq_ignore_ascii_case(b"content-length") {
            let value = value.trim_ascii();
            if self.length.is_some() {
                return Err("there is more than one `Content-Length`");
            }
            let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
            let number = std::str::from_utf8(value).ok().filter(|_| is_number);
            let number = number.and_then(|number| number.parse().ok());
            self.length = Some(number.ok_or("`Content-Length` is not a number")?);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if self.is_chunked {
                return Err("there is more than one `Transfer-Encoding`");
            }
            if self.is_http10 {
                return Err("HTTP/1.0 has no `Transfer-Encoding`");
            }
            if !value.trim_ascii().eq_ignore_ascii_case(b"chunked") {
                return Err("`Transfer-Encoding` is not `chunked`");
            }
            self.is_chunked = true;
        }
        Ok(())
    }

    /// The state after the head.
    fn body(&self) -> Result<State, &'static str> {
        match (self.length, self.is_chunked) {
            (Some(_), true) => Err("there are both `Content-Length` and `Transfer-Encoding`"),
            (None, true) => Ok(State::ChunkLine),
            (None | Some(0), false) => Ok(State::RequestLine),
            (Some(length), false) => Ok(State::Body(length)),
        }
    }
}

/// A field's name, and its value with the blanks around it.
fn field(line: &[u8]) -> Result<(&[u8], &[u8]), &'static str> {
    check_bytes(line)?;
    if line.starts_with(b" ") || line.starts_with(b"\t") {
        return Err("a header goes on in a second line");
    }
    let colon = memchr::memchr(b':', line).ok_or("a header has no colon")?;
    let (name, value) = line.split_at_checked(colon).unwrap_or((line, &[]));
    if name.is_empty() || memchr::memchr2(b' ', b'\t', name).is_some() {
        return Err("a header's name has a blank");
    }
    Ok((name, value.get(1..).unwrap_or_default()))
}

/// No control character but the tab: some servers end a line at CR, or a string at NUL.
fn check_bytes(line: &[u8]) -> Result<(), &'static str> {
    // Without an end on the way: that is what vector instructions are for.
    let has_control = |bytes: &[u8; 16]| {
        let is_control = |byte: u8| (byte < b' ' && byte != b'\t') | (byte == 0x7f);
        bytes
            .iter()
            .fold(false, |has, byte| has | is_control(*byte))
    };
    let (blocks, rest) = line.as_chunks();
    let mut last = [b' '; 16];
    for (padded, byte) in last.iter_mut().zip(rest) {
        *padded = *byte;
    }
    let mut blocks = blocks.iter().chain([&last]);
    if blocks.any(has_control) {
        return Err("the head has a control character");
    }
    Ok(())
}

/// The size of a chunk. Extensions mean nothing to anybody; what is no plain `;name=value` is a trick.
fn chunk_size(line: &[u8]) -> Result<u64, &'static str> {
    let end = memchr::memchr(b';', line).unwrap_or(line.len());
    let (digits, extensions) = line.split_at_checked(end).unwrap_or((line, &[]));
    let is_token = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'"' | b',');
    if !extensions.iter().all(is_token) || extensions.ends_with(b";") {
        return Err("a chunk's extension is odd");
    }
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_hexdigit) {
        return Err("a chunk's size is not a number");
    }
    let digits = std::str::from_utf8(digits).unwrap_or_default();
    u64::from_str_radix(digits, 16).map_err(|_| "a chunk's size is too large")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Follows `bytes` whole and in every cut of two; the verdict must be the same.
    fn follow(bytes: &[u8]) -> Result<(), Refusal> {
        let whole = Scanner::default().follow(bytes);
        for cut in 1..bytes.len() {
            let (head, tail) = bytes.split_at(cut);
            let mut scanner = Scanner::default();
            let cut_up = scanner.follow(head).and_then(|()| {
                scanner.follow(tail).map_err(|refusal| Refusal {
                    at: refusal.at + cut,
                    ..refusal
                })
            });
            assert_eq!(cut_up, whole, "cut at {cut}: {}", bytes.escape_ascii());
        }
        whole
    }

    #[test]
    fn plain_requests_pass_in_a_row() {
        for bytes in [
            &b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\n\r\n"[..],
            b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nab\nPOST / HTTP/1.1\r\nCONTENT-LENGTH:\t0 \r\n\r\n\r\nGET / HTTP/1.0\r\n\r\n",
            b"POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n3;a=b\r\n\n\n\n\r\n00a\r\n0123456789\r\n0\r\nx: y\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        ] {
            assert_eq!(follow(bytes), Ok(()), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn refusals_name_the_byte() {
        let check = |bytes: &[u8], at: usize, is_head: bool| {
            let refusal = follow(bytes).unwrap_err();
            assert_eq!(
                (refusal.at, refusal.is_head),
                (at, is_head),
                "{}",
                bytes.escape_ascii()
            );
        };
        check(b"GET / HTTP/1.1\n", 14, true);
        check(b"GET / HTTP/1.1\r\na: b\n", 20, true);
        check(
            b"POST / HTTP/1.1\r\ncontent-length: 1\r\n\r\nxPOST / HTTP/1.1\n",
            54,
            true,
        );
        check(
            b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nx\r\n",
            49,
            false,
        );
    }

    #[test]
    fn a_line_without_an_end_is_not_kept() {
        let mut scanner = Scanner::default();
        let long = vec![b'a'; MAX_FIELDS];
        assert_eq!(scanner.follow(&long), Ok(()));
        assert!(scanner.follow(b"a").is_err());
    }
}
