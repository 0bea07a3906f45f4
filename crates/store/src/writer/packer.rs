//! Details on their way into a row.

use std::borrow::Cow;
use std::mem;

use crate::Mask;
use crate::record::{Details, MAX_DETAILS};

/// Details of so many bytes of JSON are compressed. Shorter ones fit a page of the database as they are, and it would take
/// more to make them a quarter smaller than all else that becomes of them.
const LARGE_DETAILS: usize = 4000;

/// zstd's level for them.
const DETAILS_LEVEL: i32 = -5;

/// Room for details, as JSON and compressed, that is not given back after each.
const ROOM: usize = 64 << 10;

/// Makes details what is stored of them. Made once: its tables are larger than what it is given.
pub(crate) struct Packer {
    compressor: zstd::bulk::Compressor<'static>,
    /// Room, used again for each.
    json: Vec<u8>,
    packed: Vec<u8>,
}

impl Packer {
    pub(crate) fn new() -> std::io::Result<Self> {
        Ok(Self {
            compressor: zstd::bulk::Compressor::new(DETAILS_LEVEL)?,
            json: Vec::new(),
            packed: Vec::new(),
        })
    }

    /// JSON without secrets, compressed if it is large. Only a lack of memory fails; then details are missing.
    pub(super) fn pack(&mut self, details: &Details, mask: &Mask) -> &[u8] {
        self.write(details);
        if let Cow::Owned(masked) = mask.bytes(&self.json) {
            self.json = masked;
        }
        if self.json.len() > MAX_DETAILS {
            // Nobody could read it back.
            self.write(&Details::default());
        }
        if self.json.len() < LARGE_DETAILS {
            return &self.json;
        }
        self.packed.clear();
        self.packed.shrink_to(ROOM);
        let room = zstd::zstd_safe::compress_bound(self.json.len());
        self.packed.reserve(room);
        let packed = (self.compressor).compress_to_buffer(&self.json, &mut self.packed);
        self.packed
            .get(..packed.unwrap_or_default())
            .unwrap_or_default()
    }

    fn write(&mut self, details: &Details) {
        self.json.clear();
        self.json.shrink_to(ROOM);
        self.json = details.write_json(mem::take(&mut self.json));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_details_are_readable_and_large_ones_small() {
        let mut packer = Packer::new().unwrap();
        let mask = Mask::new(["corp-secret-1"]);
        let mut packed = |losses: usize| {
            let details = Details {
                losses: vec!["messages[3].corp-secret-1".to_owned(); losses],
                ..Details::default()
            };
            let json = serde_json::to_string(&details).unwrap();
            (
                packer.pack(&details, &mask).to_vec(),
                mask.text(&json).into_owned(),
            )
        };
        let (small, json) = packed(9);
        assert!(json.len() < LARGE_DETAILS && json.contains("*****"));
        assert_eq!(small, json.as_bytes());
        let (large, json) = packed(900);
        assert!(large.len() < json.len() / 9, "{} bytes", large.len());
        assert_eq!(
            zstd::bulk::decompress(&large, MAX_DETAILS).unwrap(),
            json.as_bytes()
        );
        // What is too large for anybody to read is left out.
        let (none, _) = packed(MAX_DETAILS / 20);
        assert_eq!(none, serde_json::to_vec(&Details::default()).unwrap());
    }
}
