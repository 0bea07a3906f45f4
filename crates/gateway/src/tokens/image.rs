//! Tokens of a picture, by the Anthropic API's formula: width times height over 750, scaled down to 1568 pixels on the
//! long edge and 1,600 tokens (platform documentation, Vision, read 2026-11). Hosts of open models that cut pictures into
//! 28 by 28 pixels a token come within 5 % of it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lingate_wire::json::Text;
use lingate_wire::turn::MediaSource;

/// The most that one picture costs, and what one costs whose size is not known.
const MOST: u64 = 1_600;
/// Longer edges are scaled down to this many pixels.
const LONG_EDGE: f64 = 1568.0;
const PIXELS_PER_TOKEN: f64 = 750.0;
/// Bytes of base64 in which a picture tells its size; a JPEG's stands behind its thumbnail and colour profile.
const HEAD: usize = 128 * 1024;

/// Tokens of a picture.
pub(crate) fn tokens(source: &MediaSource) -> u64 {
    match source {
        MediaSource::Base64 { data, .. } => size(data).map_or(MOST, |(w, h)| of_size(w, h)),
        MediaSource::Url(_)
        | MediaSource::File(_)
        | MediaSource::Text(_)
        | MediaSource::Blocks(_) => MOST,
    }
}

/// Tokens of a picture of this many pixels.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between 0 and 1,600, and only after the least of the two"
)]
fn of_size(width: f64, height: f64) -> u64 {
    let scale = (LONG_EDGE / width.max(height).max(1.0)).min(1.0);
    let tokens = (width * scale * height * scale / PIXELS_PER_TOKEN).ceil();
    tokens.clamp(1.0, MOST as f64) as u64
}

/// Width and height, from the head of the file.
#[expect(clippy::cast_precision_loss, reason = "pixels of a picture")]
fn size(data: &Text) -> Option<(f64, f64)> {
    let text = data.decode();
    let whole = text.len().min(HEAD) / 4 * 4;
    let bytes = STANDARD.decode(text.as_bytes().get(..whole)?).ok()?;
    let size = imagesize::blob_size(&bytes).ok()?;
    Some((size.width as f64, size.height as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_formula_and_its_caps() {
        for (width, height, expected) in [
            (1, 1, 1),
            (200, 200, 54),
            (1000, 1000, 1334),
            (1092, 1092, 1590),
            // Scaled down to 1568 by 882, which is above the cap.
            (3840, 2160, 1600),
            (1568, 100, 210),
            (15680, 1000, 210),
            (0, 0, 1),
        ] {
            assert_eq!(
                of_size(f64::from(width), f64::from(height)),
                expected,
                "{width} x {height}"
            );
        }
    }

    /// The head of a file of each kind, without its pixels.
    fn heads(width: u16, height: u16) -> Vec<(&'static str, Vec<u8>)> {
        let (w, h) = (width.to_be_bytes(), height.to_be_bytes());
        let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0".to_vec();
        png.extend([w[0], w[1], 0, 0, h[0], h[1], 8, 6, 0, 0, 0, 0, 0, 0, 0]);
        let mut gif = b"GIF89a".to_vec();
        gif.extend([w[1], w[0], h[1], h[0], 0, 0, 0]);
        // An application segment, as a thumbnail would be, then the frame.
        let mut jpeg = vec![0xff, 0xd8, 0xff, 0xe1, 0x40, 0x00];
        jpeg.resize(4 + 0x4000, 0);
        jpeg.extend([0xff, 0xc0, 0, 17, 8, h[0], h[1], w[0], w[1], 3]);
        jpeg.extend([0; 16]);
        let (w, h) = (width - 1, height - 1);
        let mut webp = b"RIFF\x24\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0".to_vec();
        webp.extend([w.to_le_bytes()[0], w.to_le_bytes()[1], 0]);
        webp.extend([h.to_le_bytes()[0], h.to_le_bytes()[1], 0, 0, 0, 0, 0]);
        vec![("png", png), ("gif", gif), ("jpeg", jpeg), ("webp", webp)]
    }

    fn of(bytes: &[u8]) -> u64 {
        tokens(&MediaSource::Base64 {
            media_type: "image/png".into(),
            data: STANDARD.encode(bytes).into(),
        })
    }

    #[test]
    fn the_size_stands_in_the_head() {
        for (kind, head) in heads(1000, 600) {
            assert_eq!(of(&head), 800, "{kind}");
        }
    }

    /// What peers send is cut and wrong; it costs the most then, and never a panic.
    #[test]
    fn anything_else_is_of_unknown_size() {
        for (_, head) in heads(1000, 600) {
            for end in 0..head.len().min(64) {
                assert!((1..=MOST).contains(&of(&head[..end])));
            }
        }
        assert_eq!(of(b"not a picture at all"), MOST);
        let url = MediaSource::Url("https://example.com/a.png".into());
        assert_eq!(tokens(&url), MOST);
        let broken = MediaSource::Base64 {
            media_type: "image/png".into(),
            data: "!!".into(),
        };
        assert_eq!(tokens(&broken), MOST);
    }
}
