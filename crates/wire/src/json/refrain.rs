//! What a stream's events repeat word for word around the one text that is new in each.
//!
//! Nearly all events of a reply are alike but for a few letters. An event that stands between the same bytes as the one
//! before is that event with another string in it, so it is understood without being scanned and looked through again.

use bytestring::ByteString;

use super::escape::escape_length;
use super::special::first_special;
use super::text::Text;

/// The bytes around the text.
#[derive(Debug)]
pub(crate) struct Refrain {
    before: String,
    after: String,
}

impl Refrain {
    /// Of a valid document in which `text` stands as the contents of a string; `None` if it does not.
    pub(crate) fn of(document: &ByteString, text: &Text) -> Option<Self> {
        let span = text.span_in(document)?;
        Some(Self {
            before: document.get(..span.start)?.to_owned(),
            after: document.get(span.end..)?.to_owned(),
        })
    }

    /// The text of a document that is like the one learnt but for it. `None` if it is another, or not valid; the text is
    /// never empty.
    pub(crate) fn text(&self, document: &ByteString) -> Option<Text> {
        let rest = document.strip_prefix(self.before.as_str())?;
        let text = rest.strip_suffix(self.after.as_str())?;
        let has_escapes = contents(text.as_bytes())?;
        (!text.is_empty()).then(|| Text::from_json(document.slice_ref(text), has_escapes))
    }
}

/// Whether bytes that are all of a string's contents have escapes; `None` if no string holds them.
fn contents(bytes: &[u8]) -> Option<bool> {
    let mut at = 0;
    let mut has_escapes = false;
    loop {
        at += first_special(bytes.get(at..)?);
        match bytes.get(at) {
            None => return Some(has_escapes),
            Some(b'\\') => {
                has_escapes = true;
                at += escape_length(bytes, at)?;
            }
            Some(_) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::scan;

    /// Learns from the text at `/t` of a document.
    fn learnt(document: &str) -> Refrain {
        let document = ByteString::from(document);
        let doc = scan(&document).unwrap();
        Refrain::of(&document, &doc.root().get("t").unwrap().text().unwrap()).unwrap()
    }

    #[test]
    fn a_text_is_read_as_the_scanner_reads_it_or_not_at_all() {
        let refrain = learnt(r#"{"a":1,"t":"one","b":[]}"#);
        for (contents, is_read) in [
            ("two", true),
            (r"a \n \u00e9 \ud83d\ude00 \\", true),
            (r#"a \" b"#, true),
            ("é😀", true),
            ("", false),
            (r#"" , "#, false),
            (r#"x","c":"y"#, false),
            (r"\", false),
            (r"\x", false),
            (r"\u00g0", false),
            ("a\nb", false),
        ] {
            let document = ByteString::from(format!(r#"{{"a":1,"t":"{contents}","b":[]}}"#));
            let text = refrain.text(&document);
            assert_eq!(text.is_some(), is_read, "{document}");
            if let Some(text) = text {
                let doc = scan(&document).unwrap();
                assert_eq!(doc.root().get("t").unwrap().text(), Some(text));
            }
        }
    }

    #[test]
    fn another_document_is_not_read() {
        let refrain = learnt(r#"{"a":1,"t":"one"}"#);
        for other in [
            r#"{"a":2,"t":"one"}"#,
            r#"{"a":1,"t":"one","b":1}"#,
            r#"{"a":1,"t":"one"} "#,
            r#"{"a":1,"t":7}"#,
            r#"{"a":1,"t":""#,
            "",
        ] {
            assert_eq!(refrain.text(&other.into()), None, "{other}");
        }
    }

    #[test]
    fn a_text_from_elsewhere_has_none() {
        let document = ByteString::from(r#"{"t":"one"}"#);
        assert!(Refrain::of(&document, &Text::from("one")).is_none());
    }
}
