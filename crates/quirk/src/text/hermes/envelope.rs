//! The object around a call's name and arguments: read up to where the arguments can stream, then to its end.

/// Reads an object up to its arguments, once its name is known, or up to its end.
#[derive(Debug, Default)]
pub(super) struct Envelope {
    place: Place,
    key: String,
    name: Option<String>,
    /// Arguments that came before the name.
    kept: Option<String>,
    /// How many objects are open: a member `function` may hold another.
    n_open: usize,
}

/// What has been read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing yet.
    Nothing,
    /// It is no call.
    Prose,
    /// The name, and the arguments begin.
    Arguments,
    /// The name, and the object ended, or its arguments had come already.
    Kept,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    #[default]
    Start,
    BeforeKey,
    Key {
        is_escaped: bool,
    },
    Colon,
    Value,
    Name {
        is_escaped: bool,
    },
    Other(Skipped),
    AfterValue,
}

/// A value that is passed over.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Skipped {
    is_kept: bool,
    n_open: usize,
    is_in_string: bool,
    is_escaped: bool,
}

impl Envelope {
    /// Takes text: how many bytes were taken, and what was found.
    pub(super) fn text(&mut self, text: &str) -> (usize, Found) {
        for (at, letter) in text.char_indices() {
            match self.letter(letter) {
                Found::Nothing => {}
                Found::Kept => return (at + letter.len_utf8(), Found::Kept),
                found => return (at, found),
            }
        }
        (text.len(), Found::Nothing)
    }

    /// The name, as far as it is known.
    pub(super) fn name(&self) -> Option<&str> {
        self.name
            .as_deref()
            .filter(|_| !matches!(self.place, Place::Name { .. }))
    }

    /// Arguments that came before the name.
    pub(super) fn take_kept(&mut self) -> String {
        self.kept.take().unwrap_or_default()
    }

    /// Reads what is left of the object.
    pub(super) fn rest(&self) -> Rest {
        Rest {
            n_open: self.n_open,
            ..Rest::default()
        }
    }

    fn letter(&mut self, letter: char) -> Found {
        let is_space = matches!(letter, ' ' | '\n' | '\r' | '\t');
        match self.place {
            Place::Key { is_escaped } => match letter {
                '"' if !is_escaped => self.place = Place::Colon,
                _ => {
                    self.key.push(letter);
                    let is_escaped = letter == '\\' && !is_escaped;
                    self.place = Place::Key { is_escaped };
                }
            },
            Place::Name { is_escaped } => match letter {
                '"' if !is_escaped => {
                    self.place = Place::AfterValue;
                    if self.kept.is_some() {
                        return Found::Kept;
                    }
                }
                '\\' if !is_escaped => self.place = Place::Name { is_escaped: true },
                _ => {
                    self.name.get_or_insert_default().push(letter);
                    self.place = Place::Name { is_escaped: false };
                }
            },
            Place::Other(skipped) => return self.other(skipped, letter),
            _ if is_space => {}
            Place::Start if letter == '{' => {
                self.n_open = 1;
                self.place = Place::BeforeKey;
            }
            Place::BeforeKey if letter == '"' => {
                self.key.clear();
                self.place = Place::Key { is_escaped: false };
            }
            Place::Colon if letter == ':' => self.place = Place::Value,
            Place::Value => return self.value(letter),
            Place::BeforeKey | Place::AfterValue if letter == '}' => return self.ended(),
            Place::AfterValue if letter == ',' => self.place = Place::BeforeKey,
            Place::Start | Place::BeforeKey | Place::Colon | Place::AfterValue => {
                return Found::Prose;
            }
        }
        Found::Nothing
    }

    fn value(&mut self, letter: char) -> Found {
        let is_arguments = matches!(self.key.as_str(), "arguments" | "parameters");
        match self.key.as_str() {
            "name" | "function" if letter == '"' && self.name.is_none() => {
                self.name = Some(String::new());
                self.place = Place::Name { is_escaped: false };
                return Found::Nothing;
            }
            "function" if letter == '{' => {
                self.n_open += 1;
                self.place = Place::BeforeKey;
                return Found::Nothing;
            }
            _ if is_arguments && self.name.is_some() && matches!(letter, '{' | '"') => {
                return Found::Arguments;
            }
            _ => {}
        }
        if is_arguments {
            self.kept = Some(String::new());
        }
        self.other(
            Skipped {
                is_kept: is_arguments,
                ..Skipped::default()
            },
            letter,
        )
    }

    fn other(&mut self, mut skipped: Skipped, letter: char) -> Found {
        let was_in_string = skipped.is_in_string;
        let is_end = skipped.n_open == 0 && !was_in_string && matches!(letter, ',' | '}' | ']');
        if is_end {
            self.place = Place::AfterValue;
            if skipped.is_kept && self.name.is_some() && letter == ',' {
                self.place = Place::BeforeKey;
                return Found::Kept;
            }
            return self.letter(letter);
        }
        if was_in_string {
            skipped.is_in_string = letter != '"' || skipped.is_escaped;
            skipped.is_escaped = letter == '\\' && !skipped.is_escaped;
        } else {
            match letter {
                '"' => skipped.is_in_string = true,
                '{' | '[' => skipped.n_open += 1,
                '}' | ']' => skipped.n_open -= 1,
                '<' => return Found::Prose,
                _ => {}
            }
        }
        if let Some(kept) = self.kept.as_mut().filter(|_| skipped.is_kept) {
            kept.push(letter);
        }
        self.place = Place::Other(skipped);
        Found::Nothing
    }

    /// An object ended.
    fn ended(&mut self) -> Found {
        self.n_open -= 1;
        self.place = Place::AfterValue;
        match (self.n_open, &self.name) {
            (0, Some(_)) => Found::Kept,
            (0, None) => Found::Prose,
            // The arguments may stand beside the object with the name.
            _ => Found::Nothing,
        }
    }
}

/// Reads an object from behind its arguments to its end.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rest {
    n_open: usize,
    is_in_string: bool,
    is_escaped: bool,
}

impl Rest {
    /// The arguments were a string, whose end is still to come.
    pub(super) fn ends_string(&mut self) {
        self.is_in_string = true;
    }

    pub(super) fn is_in_string(&self) -> bool {
        self.is_in_string
    }

    /// Whether the object has ended.
    pub(super) fn is_over(&self) -> bool {
        self.n_open == 0
    }

    /// Takes text up to the end of the object, or to where markers count again or no longer.
    pub(super) fn text(&mut self, text: &str) -> usize {
        for (at, letter) in text.char_indices() {
            let was_in_string = self.is_in_string;
            if was_in_string {
                self.is_in_string = letter != '"' || self.is_escaped;
                self.is_escaped = letter == '\\' && !self.is_escaped;
            } else {
                match letter {
                    '"' => self.is_in_string = true,
                    '{' | '[' => self.n_open += 1,
                    '}' | ']' => self.n_open = self.n_open.saturating_sub(1),
                    _ => {}
                }
            }
            if self.is_over() || was_in_string != self.is_in_string {
                return at + letter.len_utf8();
            }
        }
        text.len()
    }
}
