//! Follows the JSON of a call's arguments while it arrives: strictly, so that it is known at once where it breaks, and
//! with the repairs that have one reading only (R5, R13).
//!
//! A stricter relative of `wire::json::Arguments`: text that turns out not to be JSON is handed on as it stands, because
//! here a later marker decides whether it belonged to the call at all.

/// Follows one call's arguments.
#[derive(Debug, Clone, Default)]
pub(crate) struct JsonInput {
    place: Place,
    /// Whether each open bracket is an object's, innermost last.
    brackets: Vec<bool>,
    /// The object came encoded once more, as a string.
    outer: Option<Outer>,
    /// What was read before the object opened, to be handed on if it never does.
    head: String,
    /// White space behind what is not JSON: dropped if the call ends there.
    tail: String,
}

/// Deepest nesting that is followed; what is deeper is refused by everything behind.
const MAX_DEPTH: usize = 128;

/// Most bytes kept of what stands before the object, and of white space behind what is not JSON.
const MAX_HEAD: usize = 256;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Place {
    #[default]
    Start,
    /// The words `true`, `false` and `null` at the top or inside: what is still to come.
    Word(&'static str),
    Number,
    FirstKey,
    Key,
    Colon,
    Value,
    FirstItem,
    AfterValue,
    String {
        is_key: bool,
    },
    Escape {
        is_key: bool,
    },
    /// Inside `\u`, with this many digits to come.
    Unicode {
        is_key: bool,
        to_come: u8,
    },
    Null,
    Complete,
    Invalid,
}

#[derive(Debug, Clone, Copy)]
enum Outer {
    Inside,
    Escape,
    Unicode { n_digits: u8, unit: u32 },
}

impl JsonInput {
    /// Takes text, appends what it amounts to, and returns how much of it was taken: all, unless the object is complete.
    pub(crate) fn push(&mut self, text: &str, out: &mut String) -> usize {
        let mut rest = text;
        while let Some(letter) = rest.chars().next() {
            if self.place == Place::Complete {
                break;
            }
            let mut n_taken = letter.len_utf8();
            if self.outer.is_none() && matches!(self.place, Place::String { .. }) {
                // Most of all arguments are the insides of strings.
                let plain = rest
                    .bytes()
                    .position(|byte| byte < 0x20 || byte == b'"' || byte == b'\\')
                    .unwrap_or(rest.len());
                if plain > 0 {
                    out.push_str(rest.get(..plain).unwrap_or_default());
                    n_taken = plain;
                } else {
                    self.letter(letter, out);
                }
            } else {
                self.outer_letter(letter, out);
            }
            rest = rest.get(n_taken..).unwrap_or_default();
        }
        text.len() - rest.len()
    }

    /// Takes the end; returns whether the arguments are complete. Nothing and `null` stand for `{}`.
    pub(crate) fn finish(&mut self, out: &mut String) -> bool {
        match self.place {
            Place::Start | Place::Null if self.outer.is_none() => {
                out.push_str("{}");
                true
            }
            Place::Complete => true,
            Place::Start | Place::Null | Place::Word(_) => {
                out.push_str(std::mem::take(&mut self.head).trim_end());
                false
            }
            _ => false,
        }
    }

    /// Whether nothing but white space has come.
    pub(crate) fn is_blank(&self) -> bool {
        self.place == Place::Start && self.outer.is_none()
    }

    /// Whether `null` is all that has come.
    pub(crate) fn is_null(&self) -> bool {
        self.place == Place::Null
    }

    /// Whether the object is closed.
    pub(crate) fn is_complete(&self) -> bool {
        self.place == Place::Complete
    }

    /// Whether what came cannot become an object.
    pub(crate) fn is_invalid(&self) -> bool {
        self.place == Place::Invalid
    }

    /// Whether a string is open.
    pub(crate) fn is_in_string(&self) -> bool {
        match self.place {
            Place::String { .. } | Place::Escape { .. } | Place::Unicode { .. } => true,
            Place::Complete | Place::Invalid => false,
            _ => self.outer.is_some(),
        }
    }

    /// Whether the object came as a string.
    pub(crate) fn is_double_encoded(&self) -> bool {
        self.outer.is_some()
    }

    fn outer_letter(&mut self, letter: char, out: &mut String) {
        if self.place == Place::Invalid {
            return self.verbatim(letter, out);
        }
        if self.is_before_object() {
            if !letter.is_ascii_whitespace() || (1..MAX_HEAD).contains(&self.head.len()) {
                self.head.push(letter);
            }
            if self.outer.is_none() && self.place == Place::Start && letter == '"' {
                self.outer = Some(Outer::Inside);
                return;
            }
        }
        let Some(outer) = self.outer else {
            return self.letter(letter, out);
        };
        match outer {
            Outer::Inside if letter == '\\' => self.outer = Some(Outer::Escape),
            Outer::Inside if letter == '"' && self.head.trim_start() == "\"\"" => {
                out.push_str("{}");
                self.outer = None;
                self.place = Place::Complete;
            }
            // The object is not complete, or nobody would have asked.
            Outer::Inside if letter == '"' => self.fail('"', out),
            Outer::Inside => self.letter(letter, out),
            Outer::Escape => {
                self.outer = Some(Outer::Inside);
                match letter {
                    'u' => {
                        self.outer = Some(Outer::Unicode {
                            n_digits: 0,
                            unit: 0,
                        })
                    }
                    'n' => self.letter('\n', out),
                    'r' => self.letter('\r', out),
                    't' => self.letter('\t', out),
                    'b' => self.letter('\u{8}', out),
                    'f' => self.letter('\u{c}', out),
                    literal => self.letter(literal, out),
                }
            }
            Outer::Unicode { n_digits, unit } => {
                let Some(digit) = letter.to_digit(16) else {
                    return self.fail(letter, out);
                };
                let unit = unit << 4 | digit;
                if n_digits < 3 {
                    self.outer = Some(Outer::Unicode {
                        n_digits: n_digits + 1,
                        unit,
                    });
                    return;
                }
                self.outer = Some(Outer::Inside);
                match char::from_u32(unit).filter(char::is_ascii) {
                    Some(ascii) => self.letter(ascii, out),
                    // Handed on as the inner document's own escape: it may be half of a pair.
                    None => {
                        for letter in format!("\\u{unit:04x}").chars() {
                            if self.place != Place::Invalid {
                                self.letter(letter, out);
                            }
                        }
                    }
                }
            }
        }
    }

    fn is_before_object(&self) -> bool {
        self.brackets.is_empty()
            && matches!(self.place, Place::Start | Place::Word(_) | Place::Null)
    }

    /// From here on it is not JSON: what was held back belongs to it as it stands.
    fn fail(&mut self, letter: char, out: &mut String) {
        if self.is_before_object() {
            // The letter is the last of it.
            let head = std::mem::take(&mut self.head);
            let body = head.trim_end();
            out.push_str(body);
            head.get(body.len()..)
                .unwrap_or_default()
                .clone_into(&mut self.tail);
        } else {
            out.push(letter);
        }
        self.place = Place::Invalid;
    }

    fn verbatim(&mut self, letter: char, out: &mut String) {
        if matches!(letter, ' ' | '\n' | '\r' | '\t') && self.tail.len() < MAX_HEAD {
            self.tail.push(letter);
        } else {
            out.push_str(&self.tail);
            self.tail.clear();
            out.push(letter);
        }
    }

    fn letter(&mut self, letter: char, out: &mut String) {
        let is_space = matches!(letter, ' ' | '\n' | '\r' | '\t');
        let next = match self.place {
            Place::Start | Place::Null if is_space => return,
            Place::Start => match letter {
                '{' => Some(self.opened(true)),
                'n' => {
                    self.place = Place::Word("ull");
                    return;
                }
                _ => None,
            },
            Place::Word(to_come) if self.brackets.is_empty() => {
                match to_come.strip_prefix(letter) {
                    Some("") => self.place = Place::Null,
                    Some(to_come) => self.place = Place::Word(to_come),
                    None => self.fail(letter, out),
                }
                return;
            }
            Place::Word(to_come) => to_come.strip_prefix(letter).map(|to_come| match to_come {
                "" => Place::AfterValue,
                more => Place::Word(more),
            }),
            Place::Number if matches!(letter, '0'..='9' | '.' | 'e' | 'E' | '+' | '-') => {
                Some(Place::Number)
            }
            Place::Number | Place::AfterValue => self.after_value(letter, is_space),
            Place::FirstKey | Place::Key | Place::Colon | Place::Value | Place::FirstItem
                if is_space =>
            {
                Some(self.place)
            }
            Place::FirstKey if letter == '}' => self.closed('}'),
            Place::FirstKey | Place::Key => {
                (letter == '"').then_some(Place::String { is_key: true })
            }
            Place::Colon => (letter == ':').then_some(Place::Value),
            Place::FirstItem if letter == ']' => self.closed(']'),
            Place::Value | Place::FirstItem => self.value(letter),
            Place::String { is_key } => match letter {
                '"' if is_key => Some(Place::Colon),
                '"' => Some(Place::AfterValue),
                '\\' => Some(Place::Escape { is_key }),
                '\0'..='\u{1f}' => {
                    push_escape(letter, out);
                    return;
                }
                _ => Some(self.place),
            },
            Place::Escape { is_key } => match letter {
                'u' => Some(Place::Unicode { is_key, to_come: 4 }),
                '"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't' => Some(Place::String { is_key }),
                _ => None,
            },
            Place::Unicode { is_key, to_come } if letter.is_ascii_hexdigit() => {
                Some(match to_come {
                    1 => Place::String { is_key },
                    more => Place::Unicode {
                        is_key,
                        to_come: more - 1,
                    },
                })
            }
            Place::Unicode { .. } | Place::Null | Place::Complete | Place::Invalid => None,
        };
        match next {
            Some(place) => {
                out.push(letter);
                self.place = place;
            }
            None => self.fail(letter, out),
        }
    }

    fn value(&mut self, letter: char) -> Option<Place> {
        Some(match letter {
            '"' => Place::String { is_key: false },
            '{' if self.brackets.len() < MAX_DEPTH => self.opened(true),
            '[' if self.brackets.len() < MAX_DEPTH => self.opened(false),
            't' => Place::Word("rue"),
            'f' => Place::Word("alse"),
            'n' => Place::Word("ull"),
            '-' | '0'..='9' => Place::Number,
            _ => return None,
        })
    }

    fn after_value(&mut self, letter: char, is_space: bool) -> Option<Place> {
        match letter {
            ',' if self.brackets.last() == Some(&true) => Some(Place::Key),
            ',' => Some(Place::Value),
            '}' | ']' => self.closed(letter),
            _ => is_space.then_some(Place::AfterValue),
        }
    }

    fn opened(&mut self, is_object: bool) -> Place {
        self.brackets.push(is_object);
        if is_object {
            Place::FirstKey
        } else {
            Place::FirstItem
        }
    }

    fn closed(&mut self, letter: char) -> Option<Place> {
        if self.brackets.last() != Some(&(letter == '}')) {
            return None;
        }
        self.brackets.pop();
        Some(if self.brackets.is_empty() {
            Place::Complete
        } else {
            Place::AfterValue
        })
    }
}

/// The escape of a control character that stands bare in a string.
fn push_escape(letter: char, out: &mut String) {
    match letter {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        other => {
            out.push_str("\\u00");
            let code = u32::from(other);
            out.extend(
                [code >> 4, code & 0xf]
                    .into_iter()
                    .filter_map(|digit| char::from_digit(digit, 16)),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What text amounts to, whole and cut everywhere: `+` behind what is complete, `!` behind what is not JSON.
    #[track_caller]
    fn check(text: &str, expected: &str) {
        let run = |pieces: [&str; 2]| {
            let mut json = JsonInput::default();
            let mut out = String::new();
            for piece in pieces {
                json.push(piece, &mut out);
            }
            let is_invalid = json.is_invalid();
            if json.finish(&mut out) {
                out.push('+');
            } else if is_invalid {
                out.push('!');
            }
            out
        };
        for at in (0..=text.len()).filter(|at| text.is_char_boundary(*at)) {
            let (before, behind) = text.split_at(at);
            assert_eq!(run([before, behind]), expected, "{text} cut at {at}");
        }
    }

    #[test]
    fn objects_pass_as_they_are() {
        for object in [
            "{}",
            "{ }",
            r#"{"a": [1, -2.5e+3 , true,false ,null, "", [], {}], "b" :{"c":"}]\"\\\u00e9é😀"}}"#,
        ] {
            check(object, &format!("{object}+"));
            check(&format!(" \n{object} and more"), &format!("{object}+"));
        }
    }

    #[test]
    fn safe_repairs() {
        check("", "{}+");
        check(" \n", "{}+");
        check(" null ", "{}+");
        check(" \"\" ", "{}+");
        check("{\"a\":\"b\n\t\u{1}\"}", r#"{"a":"b\n\t\u0001"}+"#);
        check(
            r#""{\"a\":\"b\\nc\\u00e9\u00e9\u0041\"}""#,
            r#"{"a":"b\nc\u00e9\u00e9A"}+"#,
        );
    }

    #[test]
    fn what_is_not_json_passes_as_it_is() {
        check(r#"{"a"#, r#"{"a"#);
        check(r#"{"a":1"#, r#"{"a":1"#);
        check(r#"{"a": bad} "#, r#"{"a": bad}!"#);
        check("{\"a\" 1}", "{\"a\" 1}!");
        check("{\"a\":1,}", "{\"a\":1,}!");
        check("{\"a\":[1,]}", "{\"a\":[1,]}!");
        check("{\"a\":[1}", "{\"a\":[1}!");
        check("{\"a\":tru e}", "{\"a\":tru e}!");
        check(r#"{"a":"\x"}"#, r#"{"a":"\x"}!"#);
        check(r#"{"a":"\u12g4"}"#, r#"{"a":"\u12g4"}!"#);
        check("[1]", "[1]!");
        check("12", "12!");
        check("nul", "nul");
        check("nothing at all", "nothing at all!");
        check("\"a string\"", "\"a string\"!");
        check("\" \\n[1]\"", "\" \\n[1]\"!");
        check("é", "é!");
    }

    #[test]
    fn depth_is_bounded() {
        let deep = format!("{{\"a\":{}", "[".repeat(MAX_DEPTH));
        check(&deep, &format!("{deep}!"));
    }
}
