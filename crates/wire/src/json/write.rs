//! Builds a JSON document by appending, so that every span is copied once.

use bytestring::ByteString;

use super::escape::push_escaped;
use super::raw::Raw;
use super::special::first_special;
use super::text::Text;

/// Appends JSON to a buffer and puts the commas.
///
/// It does not check nesting: each `begin_*` needs its `end_*`, and each value in an object its [`Writer::key`].
#[derive(Debug, Default)]
pub struct Writer {
    out: Vec<u8>,
    needs_comma: bool,
}

impl Writer {
    /// An empty document with room for `capacity` bytes.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            out: Vec::with_capacity(capacity),
            needs_comma: false,
        }
    }

    /// Continues behind what `out` already holds.
    #[must_use]
    pub fn append_to(out: Vec<u8>) -> Self {
        Self {
            out,
            needs_comma: false,
        }
    }

    /// The bytes written.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    /// `{`
    pub fn begin_object(&mut self) -> &mut Self {
        self.open(b'{')
    }

    /// `}`
    pub fn end_object(&mut self) -> &mut Self {
        self.close(b'}')
    }

    /// `[`
    pub fn begin_array(&mut self) -> &mut Self {
        self.open(b'[')
    }

    /// `]`
    pub fn end_array(&mut self) -> &mut Self {
        self.close(b']')
    }

    /// The name of a member that we know: nothing in it needs an escape, and nobody looks. Its value must follow.
    pub fn key(&mut self, key: &'static str) -> &mut Self {
        debug_assert!(
            first_special(key.as_bytes()) == key.len(),
            "`{key}` is for `member`"
        );
        self.name(|out| out.extend_from_slice(key.as_bytes()), key.len())
    }

    /// The name of any member, such as one that came with a document. Its value must follow.
    pub fn member(&mut self, name: &str) -> &mut Self {
        self.name(|out| push_escaped(out, name), name.len())
    }

    #[inline]
    fn name(&mut self, spell: impl FnOnce(&mut Vec<u8>), length: usize) -> &mut Self {
        // Once for all of it, in most cases.
        self.out.reserve(length + 4);
        self.comma();
        self.out.push(b'"');
        spell(&mut self.out);
        self.out.extend_from_slice(b"\":");
        self.needs_comma = false;
        self
    }

    /// A string.
    pub fn str(&mut self, text: &str) -> &mut Self {
        self.comma();
        self.out.push(b'"');
        push_escaped(&mut self.out, text);
        self.out.push(b'"');
        self
    }

    /// A string that holds a JSON value.
    pub fn quoted(&mut self, json: &Raw) -> &mut Self {
        self.comma();
        self.out.push(b'"');
        json.push_quoted(&mut self.out);
        self.out.push(b'"');
        self
    }

    /// Members or a value whose first words are always the same, such as `{"type":"text","text":`, up to where a value or
    /// another member follows.
    #[inline]
    pub fn frame(&mut self, json: &'static str) -> &mut Self {
        self.comma();
        self.out.extend_from_slice(json.as_bytes());
        self.needs_comma = !matches!(json.as_bytes().last(), Some(b':' | b'[' | b'{'));
        self
    }

    /// A string, copied in its received spelling.
    pub fn text(&mut self, text: &Text) -> &mut Self {
        self.comma();
        self.out.push(b'"');
        text.push_json(&mut self.out);
        self.out.push(b'"');
        self
    }

    /// A string made of several pieces.
    pub fn text_parts<'t>(&mut self, parts: impl IntoIterator<Item = &'t Text>) -> &mut Self {
        self.comma();
        self.out.push(b'"');
        for part in parts {
            part.push_json(&mut self.out);
        }
        self.out.push(b'"');
        self
    }

    /// A value that is JSON already.
    pub fn raw(&mut self, json: &str) -> &mut Self {
        self.comma();
        self.out.extend_from_slice(json.as_bytes());
        self
    }

    /// A whole number.
    pub fn u64(&mut self, number: u64) -> &mut Self {
        self.comma();
        let mut digits = itoa::Buffer::new();
        (self.out).extend_from_slice(digits.format(number).as_bytes());
        self
    }

    /// `true` or `false`.
    pub fn bool(&mut self, value: bool) -> &mut Self {
        self.raw(if value { "true" } else { "false" })
    }

    /// `null`.
    pub fn null(&mut self) -> &mut Self {
        self.raw("null")
    }

    /// Members copied as they were received: key (plain) and raw value.
    pub fn members<'a>(
        &mut self,
        members: impl IntoIterator<Item = &'a (ByteString, ByteString)>,
    ) -> &mut Self {
        for (key, raw) in members {
            self.member(key).raw(raw);
        }
        self
    }

    fn open(&mut self, bracket: u8) -> &mut Self {
        self.comma();
        self.out.push(bracket);
        self.needs_comma = false;
        self
    }

    fn close(&mut self, bracket: u8) -> &mut Self {
        self.out.push(bracket);
        self.needs_comma = true;
        self
    }

    /// Puts the comma that the value or key about to be written needs, and notes that the next one needs one too.
    fn comma(&mut self) {
        if self.needs_comma {
            self.out.push(b',');
        }
        self.needs_comma = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_any_kind_are_spelled_as_json_demands() {
        let mut json = Writer::default();
        json.begin_object().key("a").u64(1);
        json.member("b \"c\"\n").null();
        json.members([&(ByteString::from("\\"), ByteString::from("[2]"))]);
        let (one, two) = (Text::from("x\n"), Text::from("\"y"));
        json.key("d").text_parts([&one, &two]).end_object();
        let expected = r#"{"a":1,"b \"c\"\n":null,"\\":[2],"d":"x\n\"y"}"#;
        assert_eq!(String::from_utf8(json.into_bytes()).unwrap(), expected);
    }

    #[test]
    fn a_frame_is_a_value_that_goes_on() {
        let mut json = Writer::default();
        json.begin_array().u64(1).frame(r#"{"a":[{"b":"#).u64(2);
        json.key("c").u64(3).end_object().end_array().end_object();
        json.frame(r#"[{"d":4"#).frame(r#""e":"#).u64(5);
        let expected = r#"[1,{"a":[{"b":2,"c":3}]},[{"d":4,"e":5"#;
        assert_eq!(String::from_utf8(json.into_bytes()).unwrap(), expected);
    }

    #[test]
    #[should_panic(expected = "is for `member`")]
    fn a_name_of_ours_needs_no_escape() {
        Writer::default().key("a\"");
    }
}
