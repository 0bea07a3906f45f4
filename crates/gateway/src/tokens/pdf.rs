//! Tokens of a document, by its pages: the Anthropic API shows the model each as text and as a picture, which costs 1,500
//! to 3,000 tokens for the text and as much as a picture besides (platform documentation, PDF support, read 2026-11).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lingate_wire::json::Text;
use memchr::memmem::find_iter;

/// Tokens of one page, the text of an ordinary one and a part of its picture.
pub(crate) const PAGE: u64 = 2_250;
/// Bytes that make one page where no page is found; newer files keep their pages compressed.
const BYTES_PER_PAGE: u64 = 50_000;
/// No provider takes more.
const MOST_PAGES: u64 = 1_000;

/// Tokens of a file by its size alone.
pub(crate) fn by_size(data: &Text) -> u64 {
    let bytes = data.wire_len() as u64 * 3 / 4;
    bytes.div_ceil(BYTES_PER_PAGE).clamp(1, MOST_PAGES) * PAGE
}

/// Tokens of a file by its pages, which takes a look at all of it.
pub(crate) fn by_pages(data: &Text) -> u64 {
    let bytes = STANDARD
        .decode(data.decode().as_bytes())
        .unwrap_or_default();
    match pages(&bytes) {
        0 => by_size(data),
        pages => pages.min(MOST_PAGES) * PAGE,
    }
}

/// Page objects that stand in the open, or as many as the root of the page tree counts.
fn pages(file: &[u8]) -> u64 {
    let values = |key: &'static [u8]| {
        find_iter(file, key)
            .filter_map(move |at| Some(file.get(at + key.len()..)?.trim_ascii_start()))
    };
    let is_page = |value: &&[u8]| {
        let behind = value.strip_prefix(b"/Page");
        behind.is_some_and(|rest| !rest.first().is_some_and(u8::is_ascii_alphanumeric))
    };
    let objects = values(b"/Type").filter(is_page).count() as u64;
    let counts = values(b"/Count").filter_map(|value| {
        let digits = value
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .take(9);
        let number = digits.fold(None, |sum: Option<u64>, digit| {
            Some(sum.unwrap_or(0) * 10 + u64::from(digit - b'0'))
        });
        number.filter(|number| *number <= MOST_PAGES)
    });
    objects.max(counts.max().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_found_where_they_stand_in_the_open() {
        for (file, expected) in [
            ("", 0),
            (
                "%PDF-1.4 1 0 obj <</Type /Catalog>> 2 0 obj <</Type/Pages/Count 2>>",
                2,
            ),
            (
                "<</Type /Page /Parent 2 0 R>> <</Type/Page>> <</Type\n/Page\n>>",
                3,
            ),
            ("<</Type /PageLabel>> <</Type /Pages>>", 0),
            ("<</Type /Pages /Count 12>> <</Type /Page>>", 12),
            ("/Count 99999999999999999999999 /Count -3 /Count", 0),
            ("/Type", 0),
        ] {
            assert_eq!(pages(file.as_bytes()), expected, "{file}");
        }
    }

    #[test]
    fn a_file_without_any_counts_by_its_size() {
        let data = |bytes: &[u8]| Text::from(STANDARD.encode(bytes));
        for (bytes, pages) in [(0, 1), (10, 1), (120_000, 3)] {
            let data = data(&vec![b'x'; bytes]);
            assert_eq!(
                (by_size(&data), by_pages(&data)),
                (pages * PAGE, pages * PAGE)
            );
        }
        let two = data(b"%PDF <</Type /Page>> <</Type /Page>>");
        assert_eq!((by_size(&two), by_pages(&two)), (PAGE, 2 * PAGE));
        assert_eq!(by_pages(&"not base64".into()), PAGE);
    }
}
