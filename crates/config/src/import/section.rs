//! A table of a source, of which members are taken; what is left in the end is told.

use serde_json::{Map, Value};

use super::draft::Draft;

/// A table and where it stands.
pub(super) struct Section {
    members: Map<String, Value>,
    file: String,
    path: String,
}

impl Section {
    /// The whole of a file; what is no table is an empty one with the value as its member `[]`.
    pub(super) fn root(file: &str, value: Value) -> Self {
        let members = match value {
            Value::Object(members) => members,
            Value::Null => Map::new(),
            other => Map::from_iter([("[]".to_owned(), other)]),
        };
        Self {
            members,
            file: file.to_owned(),
            path: String::new(),
        }
    }

    /// `config.json: backends[0].token`.
    pub(super) fn place(&self, key: &str) -> String {
        match self.under(key).as_str() {
            "" => self.file.clone(),
            under => format!("{}: {under}", self.file),
        }
    }

    fn under(&self, key: &str) -> String {
        match self.path.as_str() {
            "" => key.to_owned(),
            path => format!("{path}.{key}"),
        }
    }

    pub(super) fn take(&mut self, key: &str) -> Option<Value> {
        self.members
            .shift_remove(key)
            .filter(|value| !value.is_null())
    }

    /// A text that is not empty; numbers count as texts.
    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        match self.members.get(key)? {
            Value::String(text) => {
                let text = text.trim().to_owned();
                self.members.shift_remove(key);
                (!text.is_empty()).then_some(text)
            }
            Value::Number(number) => {
                let text = number.to_string();
                self.members.shift_remove(key);
                Some(text)
            }
            _ => None,
        }
    }

    pub(super) fn number(&mut self, key: &str) -> Option<f64> {
        let number = match self.members.get(key)? {
            Value::Number(number) => number.as_f64()?,
            Value::String(text) => text.trim().parse().ok()?,
            _ => return None,
        };
        self.members.shift_remove(key);
        Some(number)
    }

    pub(super) fn flag(&mut self, key: &str) -> Option<bool> {
        let flag = self.members.get(key)?.as_bool()?;
        self.members.shift_remove(key);
        Some(flag)
    }

    /// Texts of a list; a text alone is a list of one.
    pub(super) fn texts(&mut self, key: &str) -> Vec<String> {
        match self.take(key) {
            Some(Value::String(text)) => vec![text],
            Some(Value::Array(items)) => items
                .iter()
                .filter_map(|item| item.as_str().map(str::to_owned))
                .collect(),
            Some(other) => {
                self.members.insert(key.to_owned(), other);
                Vec::new()
            }
            None => Vec::new(),
        }
    }

    /// The table under `key`; an empty one if there is none.
    pub(super) fn section(&mut self, key: &str) -> Self {
        let path = self.under(key);
        let members = match self.members.get(key) {
            Some(Value::Object(_)) => match self.members.shift_remove(key) {
                Some(Value::Object(members)) => members,
                _ => Map::new(),
            },
            _ => Map::new(),
        };
        Self {
            members,
            file: self.file.clone(),
            path,
        }
    }

    /// Tables of the list under `key`.
    pub(super) fn sections(&mut self, key: &str) -> Vec<Self> {
        let path = if key == "[]" {
            String::new()
        } else {
            self.under(key)
        };
        let items = match self.members.get(key) {
            Some(Value::Array(_)) => match self.members.shift_remove(key) {
                Some(Value::Array(items)) => items,
                _ => Vec::new(),
            },
            _ => Vec::new(),
        };
        let at = |(index, item): (usize, Value)| {
            let Value::Object(members) = item else {
                return None;
            };
            Some(Self {
                members,
                file: self.file.clone(),
                path: format!("{path}[{index}]"),
            })
        };
        items.into_iter().enumerate().filter_map(at).collect()
    }

    /// The table's members, each a table of its own.
    pub(super) fn named_sections(&mut self) -> Vec<(String, Self)> {
        let names: Vec<String> = self
            .members
            .iter()
            .filter(|(_, value)| value.is_object())
            .map(|(name, _)| name.clone())
            .collect();
        let sections = names.into_iter().map(|name| {
            let section = self.section(&name);
            (name, section)
        });
        sections.collect()
    }

    /// The table's texts, by name.
    pub(super) fn named_texts(&mut self) -> Vec<(String, String)> {
        let names: Vec<String> = self.members.keys().cloned().collect();
        let texts = names.into_iter().filter_map(|name| {
            let text = self.text(&name)?;
            Some((name, text))
        });
        texts.collect()
    }

    /// The names of its members.
    pub(super) fn names(&self) -> Vec<String> {
        self.members.keys().cloned().collect()
    }

    /// Takes members that have no meaning here, each with the same note.
    pub(super) fn without_meaning(&mut self, keys: &[&str], why: &str, draft: &mut Draft) {
        for key in keys {
            if self.take(key).is_some() {
                draft.note(self.place(key), why);
            }
        }
    }

    /// Takes members that say how the other system itself runs, and nothing of what it serves.
    pub(super) fn of_no_account(&mut self, keys: &[&str]) {
        for key in keys {
            self.members.shift_remove(*key);
        }
    }

    /// Notes what nobody took.
    pub(super) fn rest(self, draft: &mut Draft) {
        for (key, value) in &self.members {
            let is_nothing = value.is_null()
                || value.as_str().is_some_and(str::is_empty)
                || value.as_array().is_some_and(Vec::is_empty)
                || value.as_object().is_some_and(Map::is_empty);
            if !is_nothing {
                draft.note(self.place(key), "has no counterpart");
            }
        }
    }
}
