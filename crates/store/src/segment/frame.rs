//! One frame of a segment file.
//!
//! ```text
//! 0  "LgF2"
//! 4  u32  length of the content
//! 8  u32  length as stored
//! 12 u32  CRC-32 of the 12 bytes before and of what follows
//! 16      the content, compressed with zstd
//! ```
//!
//! Numbers are little-endian. In frames of "LgF3" what is compressed is the content with its repeats left out (`content.rs`).
//! Frames of "LgF1" have the first half of the content's blake3 hash before their CRC-32; they are read, and not written any
//! more: the hash costs more than all that compresses the content.

use super::content::{self, Content};

/// Length of a frame without its content.
pub(crate) const HEADER: usize = 16;

/// No frame has more content.
pub(crate) const MAX_CONTENT: usize = 256 << 10;

const PLAIN: &[u8; 4] = b"LgF2";

/// Frames whose content has its repeats left out.
const SHORTENED: &[u8; 4] = b"LgF3";

/// Frames with a hash.
const OLDER: &[u8; 4] = b"LgF1";

/// Length of the hash. It begins where others have their checksum, so that so much more than the content follows the header.
const HASH: usize = 16;

/// Bytes before the checksum, which it covers.
const COVERED: usize = HEADER - CHECKSUM;
const CHECKSUM: usize = 4;

/// What a frame's first bytes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    content: usize,
    stored: usize,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    Shortened,
    Older,
}

impl Header {
    /// How many bytes follow it.
    pub(crate) fn following(self) -> usize {
        self.stored + self.hash()
    }

    /// How many of them are a hash.
    fn hash(self) -> usize {
        if self.kind == Kind::Older { HASH } else { 0 }
    }
}

/// Appends a frame to `out`. The content is empty then.
pub(crate) fn encode(
    content: &mut Content,
    compressor: &mut zstd::bulk::Compressor<'_>,
    out: &mut Vec<u8>,
) -> std::io::Result<()> {
    let length = content.len();
    let (magic, stored) = content.take_coded(|coded, is_shortened| {
        let magic = if is_shortened { SHORTENED } else { PLAIN };
        (magic, compressor.compress(coded))
    });
    let stored = stored?;
    let mut head = Vec::with_capacity(HEADER);
    head.extend_from_slice(magic);
    for length in [length, stored.len()] {
        let length = u32::try_from(length).map_err(std::io::Error::other)?;
        head.extend_from_slice(&length.to_le_bytes());
    }
    let crc = checksum([&head, &stored]);
    out.extend_from_slice(&head);
    out.extend_from_slice(&crc.to_le_bytes());
    out.extend_from_slice(&stored);
    Ok(())
}

/// Reads a frame's header.
pub(crate) fn header(bytes: &[u8; HEADER]) -> Result<Header, &'static str> {
    let mut rest = bytes.as_slice();
    let kind = match take::<4>(&mut rest) {
        Some(magic) if magic == *PLAIN => Kind::Plain,
        Some(magic) if magic == *SHORTENED => Kind::Shortened,
        Some(magic) if magic == *OLDER => Kind::Older,
        _ => return Err("no frame begins here"),
    };
    let (Some(content), Some(stored)) = (take(&mut rest), take(&mut rest)) else {
        return Err("the header is cut");
    };
    let header = Header {
        content: u32::from_le_bytes(content) as usize,
        stored: u32::from_le_bytes(stored) as usize,
        kind,
    };
    let bound = zstd::zstd_safe::compress_bound(MAX_CONTENT);
    if header.content > MAX_CONTENT || header.stored > bound {
        return Err("a frame of that length is never written");
    }
    Ok(header)
}

/// The content of the frame with this header and what follows it.
pub(crate) fn content(
    head: &[u8; HEADER],
    header: &Header,
    following: &[u8],
) -> Result<Vec<u8>, &'static str> {
    let (covered, begun) = head.split_at(COVERED);
    let known = header.hash();
    let (rest, stored) = following.split_at_checked(known).unwrap_or_default();
    // A hash, if there is one, and the checksum.
    let checks = [begun, rest].concat();
    let (hash, crc) = checks.split_at(known);
    if checksum([covered, hash, stored]).to_le_bytes() != *crc {
        return Err("the checksum does not fit");
    }
    // What is left of a content is never longer.
    let mut content = zstd::bulk::decompress(stored, header.content)
        .map_err(|_| "the content does not decompress")?;
    if header.kind == Kind::Shortened {
        content = content::decode(&content, header.content)
            .ok_or("the content repeats what is not there")?;
    }
    let is_hashed = || hash.is_empty() || blake3::hash(&content).as_bytes().starts_with(hash);
    if content.len() != header.content || !is_hashed() {
        return Err("the content is not what was written");
    }
    Ok(content)
}

fn checksum<const N: usize>(covered: [&[u8]; N]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    covered.iter().for_each(|bytes| crc.update(bytes));
    crc.finalize()
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, others) = rest.split_first_chunk()?;
    *rest = others;
    Some(*first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::differences::Streamed;

    fn decode(frame: &[u8]) -> Result<Vec<u8>, &'static str> {
        let head = frame.first_chunk().ok_or("too short")?;
        let header = header(head)?;
        let end = HEADER + header.following();
        content(head, &header, frame.get(HEADER..end).ok_or("too short")?)
    }

    #[test]
    fn older_frames_are_read() {
        let text = b"text of an older frame".as_slice();
        let stored = zstd::bulk::compress(text, 1).unwrap();
        let mut frame = OLDER.to_vec();
        for length in [text.len(), stored.len()] {
            frame.extend_from_slice(&(length as u32).to_le_bytes());
        }
        let check = |hash: &[u8], expected: Result<&[u8], &str>| {
            let mut frame = [&frame, hash].concat();
            frame.extend_from_slice(&checksum([&frame, &stored]).to_le_bytes());
            frame.extend_from_slice(&stored);
            assert_eq!(decode(&frame).as_deref(), expected.as_ref().copied());
        };
        check(&blake3::hash(text).as_bytes()[..HASH], Ok(text));
        let other = Err("the content is not what was written");
        check(&blake3::hash(b"other").as_bytes()[..HASH], other);
    }

    #[test]
    fn every_damaged_bit_and_every_cut_is_noticed() {
        let text = b"some text, some text, some more text".as_slice();
        let events = [1, 2, 3].map(|n| format!("data: {{\"some text\":\"{n}\"}}, and more\n\n"));
        let streamed = Streamed::of(events.iter().map(String::as_bytes).zip(1..));
        let mut plain = Content::default();
        plain.put(text);
        check_damage(plain, text, PLAIN);
        let mut shortened = Content::default();
        shortened.put(text);
        for part in streamed.parts() {
            shortened.put_part(&part, &crate::Mask::default());
        }
        check_damage(shortened, &[text, &streamed.bytes()].concat(), SHORTENED);
    }

    fn check_damage(mut content: Content, bytes: &[u8], magic: &[u8]) {
        let mut frame = Vec::new();
        let mut compressor = zstd::bulk::Compressor::new(1).unwrap();
        encode(&mut content, &mut compressor, &mut frame).unwrap();
        assert!(frame.starts_with(magic));
        assert_eq!(decode(&frame).unwrap(), bytes);
        for bit in 0..frame.len() * 8 {
            let mut damaged = frame.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&damaged).is_err(), "bit {bit}");
        }
        for cut in 0..frame.len() {
            assert!(decode(&frame[..cut]).is_err(), "cut at {cut}");
        }
    }
}
