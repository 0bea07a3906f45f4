//! One frame of a segment file.
//!
//! ```text
//! 0  "LgF2"
//! 4  u32  length of the content
//! 8  u32  length as stored
//! 12 [16] the first half of the blake3 hash of what is stored
//! 28 u32  CRC-32 of the 28 bytes before and of what follows
//! 32      the content, compressed with zstd
//! ```
//!
//! Numbers are little-endian. Frames of "LgF1" have the hash of the content instead; they are read, and not written any
//! more: the content is ten times as long.

/// Length of a frame without its content.
pub(crate) const HEADER: usize = 32;

/// No frame has more content.
pub(crate) const MAX_CONTENT: usize = 256 << 10;

const MAGIC: &[u8; 4] = b"LgF2";

/// Frames whose hash is the content's.
const OLDER: &[u8; 4] = b"LgF1";

/// What a frame's first bytes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub content: u32,
    pub stored: u32,
    is_older: bool,
    hash: [u8; 16],
    crc: u32,
}

/// Appends a frame to `out`.
pub(crate) fn encode(
    content: &[u8],
    compressor: &mut zstd::bulk::Compressor<'_>,
    out: &mut Vec<u8>,
) -> std::io::Result<()> {
    let stored = compressor.compress(content)?;
    let mut head = Vec::with_capacity(HEADER);
    head.extend_from_slice(MAGIC);
    head.extend_from_slice(&length(content)?.to_le_bytes());
    head.extend_from_slice(&length(&stored)?.to_le_bytes());
    head.extend_from_slice(&hash(&stored));
    let crc = checksum(&head, &stored);
    out.extend_from_slice(&head);
    out.extend_from_slice(&crc.to_le_bytes());
    out.extend_from_slice(&stored);
    Ok(())
}

/// Reads a frame's header.
pub(crate) fn header(bytes: &[u8; HEADER]) -> Result<Header, &'static str> {
    let mut rest = bytes.as_slice();
    let is_older = match take::<4>(&mut rest) {
        Some(magic) if magic == *MAGIC => false,
        Some(magic) if magic == *OLDER => true,
        _ => return Err("no frame begins here"),
    };
    let (Some(content), Some(stored), Some(hash), Some(crc)) = (
        take(&mut rest),
        take(&mut rest),
        take(&mut rest),
        take(&mut rest),
    ) else {
        return Err("the header is cut");
    };
    let header = Header {
        content: u32::from_le_bytes(content),
        stored: u32::from_le_bytes(stored),
        is_older,
        hash,
        crc: u32::from_le_bytes(crc),
    };
    let bound = zstd::zstd_safe::compress_bound(MAX_CONTENT);
    if header.content as usize > MAX_CONTENT || header.stored as usize > bound {
        return Err("a frame of that length is never written");
    }
    Ok(header)
}

/// The content of the frame with this header and these stored bytes.
pub(crate) fn content(
    head: &[u8; HEADER],
    header: &Header,
    stored: &[u8],
) -> Result<Vec<u8>, &'static str> {
    let covered = head.get(..HEADER - 4).unwrap_or_default();
    if checksum(covered, stored) != header.crc {
        return Err("the checksum does not fit");
    }
    let content = zstd::bulk::decompress(stored, header.content as usize)
        .map_err(|_| "the content does not decompress")?;
    let hashed = if header.is_older { &content } else { stored };
    if content.len() != header.content as usize || hash(hashed) != header.hash {
        return Err("the content is not what was written");
    }
    Ok(content)
}

fn length(bytes: &[u8]) -> std::io::Result<u32> {
    u32::try_from(bytes.len()).map_err(std::io::Error::other)
}

fn hash(bytes: &[u8]) -> [u8; 16] {
    let hash = blake3::hash(bytes);
    hash.as_bytes().first_chunk().copied().unwrap_or_default()
}

fn checksum(head: &[u8], stored: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(head);
    crc.update(stored);
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

    fn decode(frame: &[u8]) -> Result<Vec<u8>, &'static str> {
        let head = frame.first_chunk().ok_or("too short")?;
        let header = header(head)?;
        let end = HEADER + header.stored as usize;
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
        frame.extend_from_slice(&hash(text));
        frame.extend_from_slice(&checksum(&frame, &stored).to_le_bytes());
        frame.extend_from_slice(&stored);
        assert_eq!(decode(&frame).unwrap(), text);
    }

    #[test]
    fn every_damaged_bit_and_every_cut_is_noticed() {
        let text = b"some text, some text, some more text".as_slice();
        let mut frame = Vec::new();
        let mut compressor = zstd::bulk::Compressor::new(1).unwrap();
        encode(text, &mut compressor, &mut frame).unwrap();
        assert_eq!(decode(&frame).unwrap(), text);
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
