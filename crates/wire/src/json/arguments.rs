//! Watches a tool call's arguments arrive in pieces: where the object ends, and what can safely be repaired.
//!
//! Clean input passes byte for byte. Four repairs are safe because they have one reading only (R5 and R13 of the wire
//! facts): nothing or `null` becomes `{}`, a bare control character inside a string is escaped, what follows the
//! complete object is dropped, and an object encoded once more as a string is unwrapped. Everything else that is not
//! JSON is [`ArgumentsState::Invalid`]: official SDKs throw the whole stream away on it.

use super::escape::push_escape;
use super::scan::MAX_DEPTH;

/// How far the arguments have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArgumentsState {
    /// Nothing but white space so far (or a `null`): stands for `{}`.
    Empty,
    /// The object is open.
    Partial,
    /// The object is closed.
    Complete,
    /// What came cannot become a JSON object.
    Invalid,
}

/// An incremental reader of one call's arguments.
#[derive(Debug, Clone, Default)]
pub struct Arguments {
    /// Set when the object arrives encoded as a string: the escapes of that outer string.
    outer: Option<OuterString>,
    lexer: Lexer,
    is_repaired: bool,
}

impl Arguments {
    /// Takes the next piece and appends what may be passed on to `out`.
    pub fn push(&mut self, piece: &str, out: &mut String) {
        let mut bytes = Vec::with_capacity(piece.len());
        for &byte in piece.as_bytes() {
            self.byte(byte, &mut bytes);
        }
        // Every byte written is a byte of `piece` in order, or ASCII; a scalar cut by dropping is impossible, since
        // bytes outside strings are ASCII or make the arguments invalid.
        match String::from_utf8(bytes) {
            Ok(text) => out.push_str(&text),
            Err(_) => self.lexer.place = Place::Invalid,
        }
    }

    /// How far they have come.
    #[must_use]
    pub fn state(&self) -> ArgumentsState {
        match self.lexer.place {
            Place::Start | Place::Null(_) => ArgumentsState::Empty,
            Place::Done => ArgumentsState::Complete,
            Place::Invalid => ArgumentsState::Invalid,
            Place::Value | Place::String | Place::Escape | Place::Unicode(_) => {
                ArgumentsState::Partial
            }
        }
    }

    /// Whether anything was changed on the way.
    #[must_use]
    pub fn is_repaired(&self) -> bool {
        self.is_repaired
    }

    fn byte(&mut self, byte: u8, out: &mut Vec<u8>) {
        if self.outer.is_none() && self.lexer.place == Place::Start && byte == b'"' {
            self.outer = Some(OuterString::default());
            self.is_repaired = true;
            return;
        }
        match &mut self.outer {
            None => self.is_repaired |= self.lexer.byte(byte, out),
            Some(outer) => {
                for inner in outer.byte(byte).into_iter().flatten() {
                    self.is_repaired |= self.lexer.byte(inner, out);
                }
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Place {
    #[default]
    Start,
    /// Inside the word `null`, with this many letters read.
    Null(u8),
    Value,
    String,
    Escape,
    /// Inside `\u`, with this many digits read.
    Unicode(u8),
    Done,
    Invalid,
}

/// Follows brackets and strings. Commas, colons and bare words are not checked here: the finished object is.
#[derive(Debug, Clone, Default)]
struct Lexer {
    place: Place,
    /// One bit a level, innermost last: set for `{`.
    brackets: Vec<bool>,
}

impl Lexer {
    /// Returns whether the byte was changed or dropped.
    fn byte(&mut self, byte: u8, out: &mut Vec<u8>) -> bool {
        match self.place {
            Place::Start => return self.start(byte, out),
            Place::Null(read) => return self.null(read, byte),
            Place::Value => self.value(byte, out),
            Place::String => return self.string(byte, out),
            Place::Escape => {
                self.place = match byte {
                    b'u' => Place::Unicode(0),
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Place::String,
                    _ => Place::Invalid,
                };
                out.push(byte);
            }
            Place::Unicode(read) => {
                self.place = match (byte.is_ascii_hexdigit(), read) {
                    (true, 3) => Place::String,
                    (true, _) => Place::Unicode(read + 1),
                    (false, _) => Place::Invalid,
                };
                out.push(byte);
            }
            Place::Done => return !byte.is_ascii_whitespace(),
            Place::Invalid => {}
        }
        false
    }

    fn start(&mut self, byte: u8, out: &mut Vec<u8>) -> bool {
        match byte {
            b' ' | b'\n' | b'\r' | b'\t' => {}
            b'{' => {
                self.place = Place::Value;
                self.value(byte, out);
            }
            b'n' => self.place = Place::Null(1),
            _ => self.place = Place::Invalid,
        }
        false
    }

    fn null(&mut self, read: u8, byte: u8) -> bool {
        let expected = b"null".get(usize::from(read)).copied();
        if expected == Some(byte) {
            self.place = Place::Null(read + 1);
        } else if expected.is_some() || !byte.is_ascii_whitespace() {
            self.place = Place::Invalid;
        }
        true
    }

    fn value(&mut self, byte: u8, out: &mut Vec<u8>) {
        out.push(byte);
        match byte {
            b'"' => self.place = Place::String,
            b'{' | b'[' => {
                self.brackets.push(byte == b'{');
                if self.brackets.len() > MAX_DEPTH {
                    self.place = Place::Invalid;
                }
            }
            b'}' | b']' => match self.brackets.pop() {
                Some(is_object) if is_object == (byte == b'}') => {
                    if self.brackets.is_empty() {
                        self.place = Place::Done;
                    }
                }
                _ => self.place = Place::Invalid,
            },
            b' ' | b'\n' | b'\r' | b'\t' | b',' | b':' | b'-' | b'+' | b'.' | b'0'..=b'9' => {}
            // Letters of true, false, null and exponents.
            b'a' | b'e' | b'f' | b'l' | b'n' | b'r' | b's' | b't' | b'u' | b'E' => {}
            _ => self.place = Place::Invalid,
        }
    }

    fn string(&mut self, byte: u8, out: &mut Vec<u8>) -> bool {
        match byte {
            b'"' => self.place = Place::Value,
            b'\\' => self.place = Place::Escape,
            0..0x20 => {
                push_escape(out, byte);
                return true;
            }
            _ => {}
        }
        out.push(byte);
        false
    }
}

/// Undoes the escapes of the outer string, byte by byte.
#[derive(Debug, Clone, Default)]
struct OuterString {
    state: OuterState,
}

#[derive(Debug, Clone, Default)]
enum OuterState {
    #[default]
    Inside,
    Escape,
    Unicode {
        digits: u8,
        unit: u32,
    },
    Closed,
}

impl OuterString {
    /// Up to six bytes of the inner text; a `\u` escape is handed on as the inner document's own escape.
    fn byte(&mut self, byte: u8) -> [Option<u8>; 6] {
        let one = |byte| [Some(byte), None, None, None, None, None];
        match &mut self.state {
            OuterState::Closed => one(byte),
            OuterState::Inside => match byte {
                b'\\' => {
                    self.state = OuterState::Escape;
                    [None; 6]
                }
                b'"' => {
                    self.state = OuterState::Closed;
                    [None; 6]
                }
                other => one(other),
            },
            OuterState::Escape => {
                self.state = OuterState::Inside;
                one(match byte {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 0x08,
                    b'f' => 0x0c,
                    b'u' => {
                        self.state = OuterState::Unicode { digits: 0, unit: 0 };
                        return [None; 6];
                    }
                    literal => literal,
                })
            }
            OuterState::Unicode { digits, unit } => {
                let value = char::from(byte).to_digit(16).unwrap_or(0);
                *unit = (*unit << 4) | value;
                *digits += 1;
                if *digits < 4 {
                    return [None; 6];
                }
                let unit = *unit;
                self.state = OuterState::Inside;
                match u8::try_from(unit) {
                    Ok(ascii) if ascii < 0x80 => one(ascii),
                    _ => {
                        let hex = |shift: u32| {
                            char::from_digit((unit >> shift) & 0xf, 16).map(|c| c as u8)
                        };
                        [Some(b'\\'), Some(b'u'), hex(12), hex(8), hex(4), hex(0)]
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(pieces: &[&str]) -> (String, ArgumentsState, bool) {
        let mut arguments = Arguments::default();
        let mut out = String::new();
        for piece in pieces {
            arguments.push(piece, &mut out);
        }
        (out, arguments.state(), arguments.is_repaired())
    }

    fn check(input: &str, output: &str, state: ArgumentsState) {
        let whole = run(&[input]);
        assert_eq!((whole.0.as_str(), whole.1), (output, state), "{input}");
        for (cut, _) in input.char_indices() {
            assert_eq!(
                run(&[&input[..cut], &input[cut..]]),
                whole,
                "{input} cut at {cut}"
            );
        }
    }

    #[test]
    fn clean_arguments_pass_untouched() {
        for input in [
            "{}",
            r#"{"a": 1.50e3, "b":[true,null,{"c":"} \" ]"}]}"#,
            "{\"é\":\"😀\\u00e9\"}",
        ] {
            check(input, input, ArgumentsState::Complete);
            assert!(!run(&[input]).2);
        }
    }

    #[test]
    fn the_four_safe_repairs() {
        check("", "", ArgumentsState::Empty);
        check(" \n", "", ArgumentsState::Empty);
        check("null", "", ArgumentsState::Empty);
        check(
            "{\"a\":\"x\ny\"}",
            "{\"a\":\"x\\ny\"}",
            ArgumentsState::Complete,
        );
        check(
            "{\"a\":1} trailing }{",
            "{\"a\":1}",
            ArgumentsState::Complete,
        );
        check(
            r#""{\"a\":\"b\\nc\"}""#,
            r#"{"a":"b\nc"}"#,
            ArgumentsState::Complete,
        );
        check(
            r#""{\"a\":\"\u00e9\u0041\"}""#,
            r#"{"a":"\u00e9A"}"#,
            ArgumentsState::Complete,
        );
    }

    #[test]
    fn what_cannot_be_an_object_is_invalid_or_partial() {
        check(
            r#"{"a":"rm -rf /tm"#,
            r#"{"a":"rm -rf /tm"#,
            ArgumentsState::Partial,
        );
        check("{\"a\":[1,2}", "{\"a\":[1,2}", ArgumentsState::Invalid);
        assert_eq!(run(&["[1]"]).1, ArgumentsState::Invalid);
        assert_eq!(run(&["rm -rf"]).1, ArgumentsState::Invalid);
        assert_eq!(run(&["{rm: 1}"]).1, ArgumentsState::Invalid);
    }
}
