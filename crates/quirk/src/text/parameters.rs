//! Arguments that are written as named values instead of JSON: typed by the tool's schema, put together as JSON.

use std::collections::BTreeSet;

use lingate_wire::json::{Doc, Kind, Value, Writer, scan};

use super::calls::Calls;

/// Writes the parameters of the call that is open in [`Calls`].
///
/// A value that the schema wants as a string streams as it comes; every other value is converted when it is complete.
#[derive(Debug, Default)]
pub(crate) struct Parameters {
    schema: Option<Doc>,
    trims_newlines: bool,
    n_written: usize,
    /// The names so far: of two values of one name the first counts, for it may have gone out.
    names: BTreeSet<String>,
    value: Option<Pending>,
}

/// The value that is being read.
#[derive(Debug)]
enum Pending {
    /// A string, as the schema wants it; nothing of it is kept but a newline that may be its last.
    String {
        has_begun: bool,
        newline: &'static str,
    },
    /// Anything else: what it is shows when it is complete.
    Raw {
        name: String,
        types: Types,
        raw: String,
    },
}

/// What the schema accepts; nothing set if it does not say.
#[derive(Debug, Clone, Copy, Default)]
struct Types {
    string: bool,
    number: bool,
    boolean: bool,
    null: bool,
    array: bool,
    object: bool,
}

/// Most bytes kept of a value that need not be a string.
const MOST_RAW: usize = 256 * 1024;

impl Parameters {
    /// Begins the parameters of a call of this tool. `trims_newlines`: one newline on each side of a value belongs to the
    /// markup.
    pub(crate) fn begin(&mut self, tool: &str, trims_newlines: bool, calls: &mut Calls) {
        self.schema = calls.asked().schema(tool);
        self.trims_newlines = trims_newlines;
        self.n_written = 0;
        self.names.clear();
        self.value = None;
        calls.write(|out| out.push('{'));
    }

    /// Begins a parameter. `is_string` overrules the schema where the markup itself says what it is.
    pub(crate) fn name(&mut self, name: &str, is_string: Option<bool>, calls: &mut Calls) {
        self.finish_value(calls);
        if !self.names.insert(name.to_owned()) {
            return calls.diag("repeated_parameter_dropped");
        }
        let types = self.types(name);
        let is_string_now = is_string.unwrap_or_else(|| types.is_string_only());
        self.value = Some(if is_string_now && !self.may_wrap(name) {
            self.key(name, calls);
            calls.write(|out| out.push('"'));
            Pending::String {
                has_begun: false,
                newline: "",
            }
        } else {
            let types = match is_string {
                Some(false) => Types {
                    string: false,
                    ..types
                },
                Some(true) | None => types,
            };
            Pending::Raw {
                name: name.to_owned(),
                types,
                raw: String::new(),
            }
        });
    }

    /// Writes a key; its value follows.
    fn key(&mut self, name: &str, calls: &mut Calls) {
        let comma = if self.n_written > 0 { "," } else { "" };
        self.n_written += 1;
        let key = quoted(name);
        calls.write(|out| {
            out.push_str(comma);
            out.push_str(&key);
            out.push(':');
        });
    }

    /// Whether a parameter that the tool does not have may hold all the others.
    fn may_wrap(&self, name: &str) -> bool {
        name == "arguments" && self.schema.is_some() && self.property(name).is_none()
    }

    /// The members of an object that stands for all arguments: an object whose keys are the tool's parameters.
    fn unwrapped<'r>(&self, name: &str, raw: &'r str) -> Option<(&'r str, Vec<String>)> {
        if !self.may_wrap(name) {
            return None;
        }
        let raw = raw.trim();
        let object = scan(&raw.into()).ok()?;
        let keys = object.root().members().map(|(key, _)| key.into_owned());
        let keys: Vec<String> = keys.collect();
        let inner = raw.strip_prefix('{')?.strip_suffix('}')?.trim();
        let is_meant = |key: &String| self.property(key).is_some() && !self.names.contains(key);
        (object.root().kind() == Kind::Object && keys.iter().all(is_meant)).then_some((inner, keys))
    }

    /// Takes more of the value.
    pub(crate) fn value(&mut self, text: &str, calls: &mut Calls) {
        let trims_newlines = self.trims_newlines;
        match &mut self.value {
            Some(Pending::String { has_begun, newline }) => {
                let mut text = text;
                if trims_newlines && !*has_begun {
                    text = text.strip_prefix('\n').unwrap_or(text);
                }
                *has_begun = true;
                if text.is_empty() {
                    return;
                }
                let held = std::mem::take(newline);
                let text = match text.strip_suffix('\n').filter(|_| trims_newlines) {
                    Some(rest) => {
                        *newline = "\n";
                        rest
                    }
                    None => text,
                };
                let escaped = [escaped(held), escaped(text)].concat();
                calls.write(|out| out.push_str(&escaped));
            }
            Some(Pending::Raw { name, raw, .. }) => {
                raw.push_str(text);
                if raw.len() > MOST_RAW {
                    // Nothing but text is as long as that.
                    let (name, raw) = (std::mem::take(name), std::mem::take(raw));
                    self.key(&name, calls);
                    calls.write(|out| out.push('"'));
                    self.value = Some(Pending::String {
                        has_begun: false,
                        newline: "",
                    });
                    self.value(&raw, calls);
                }
            }
            None => {}
        }
    }

    /// Ends the value that is open, if one is.
    pub(crate) fn finish_value(&mut self, calls: &mut Calls) {
        match self.value.take() {
            None => {}
            Some(Pending::String { .. }) => calls.write(|out| out.push('"')),
            Some(Pending::Raw { name, types, raw }) => {
                if let Some((members, keys)) = self.unwrapped(&name, &raw) {
                    self.names.extend(keys);
                    calls.diag("arguments_unwrapped");
                    let comma = if self.n_written > 0 { "," } else { "" };
                    if !members.is_empty() {
                        self.n_written += 1;
                        calls.write(|out| out.extend([comma, members]));
                    }
                    return;
                }
                let json = types.convert(&raw, self.trims_newlines);
                self.key(&name, calls);
                calls.write(|out| out.push_str(&json));
            }
        }
    }

    /// Ends the call.
    pub(crate) fn close(&mut self, calls: &mut Calls) {
        self.finish_value(calls);
        calls.write(|out| out.push('}'));
        calls.close();
    }

    /// Ends the call because the reply ends inside it: what is not complete is left out.
    pub(crate) fn cut(&mut self, calls: &mut Calls) {
        self.value = None;
        calls.cut();
    }

    fn property(&self, name: &str) -> Option<Value<'_>> {
        self.schema.as_ref()?.root().get("properties")?.get(name)
    }

    fn types(&self, name: &str) -> Types {
        let mut types = Types::default();
        if let Some(property) = self.property(name) {
            types.add(property);
        }
        types
    }
}

impl Types {
    fn add(&mut self, schema: Value<'_>) {
        if let Some(kind) = schema.get("type") {
            for kind in kind
                .items()
                .chain((kind.kind() == Kind::String).then_some(kind))
            {
                match kind.str().as_deref() {
                    Some("string") => self.string = true,
                    Some("number" | "integer") => self.number = true,
                    Some("boolean") => self.boolean = true,
                    Some("null") => self.null = true,
                    Some("array") => self.array = true,
                    Some("object") => self.object = true,
                    _ => {}
                }
            }
        }
        for value in schema
            .get("enum")
            .into_iter()
            .flat_map(Value::items)
            .chain(schema.get("const"))
        {
            match value.kind() {
                Kind::String => self.string = true,
                Kind::Number => self.number = true,
                Kind::Bool => self.boolean = true,
                Kind::Null => self.null = true,
                Kind::Array => self.array = true,
                Kind::Object => self.object = true,
            }
        }
        for key in ["anyOf", "oneOf"] {
            for branch in schema.get(key).into_iter().flat_map(Value::items) {
                self.add(branch);
            }
        }
    }

    fn is_string_only(self) -> bool {
        self.string && !(self.number || self.boolean || self.null || self.array || self.object)
    }

    fn is_unknown(self) -> bool {
        !(self.string || self.number || self.boolean || self.null || self.array || self.object)
    }

    /// The value as JSON: the first reading that the schema accepts; a string where none does.
    fn convert(self, raw: &str, trims_newlines: bool) -> String {
        let trimmed = raw.trim();
        let is_any = self.is_unknown();
        let word = match trimmed {
            "True" => "true",
            "False" => "false",
            "None" => "null",
            other => other,
        };
        let kind = scan(&word.into()).ok().map(|doc| doc.root().kind());
        let fits = match kind {
            Some(Kind::Null) => self.null || is_any && trimmed == "null",
            Some(Kind::Bool) => self.boolean || is_any,
            Some(Kind::Number) => self.number || is_any,
            Some(Kind::Array) => self.array || is_any,
            Some(Kind::Object) => self.object || is_any,
            // Quotes belong to a string's value: markup like this does not quote.
            Some(Kind::String) | None => false,
        };
        if fits {
            return word.to_owned();
        }
        let mut text = raw;
        if trims_newlines {
            text = text.strip_prefix('\n').unwrap_or(text);
            text = text.strip_suffix('\n').unwrap_or(text);
        }
        quoted(text)
    }
}

/// A JSON string.
fn quoted(text: &str) -> String {
    let mut w = Writer::default();
    w.str(text);
    String::from_utf8(w.into_bytes()).unwrap_or_default()
}

/// The inside of a JSON string.
fn escaped(text: &str) -> String {
    let quoted = quoted(text);
    let inside = quoted
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    inside.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use lingate_wire::stage::Sink;
    use lingate_wire::turn::{Delta, Event};

    use super::*;
    use crate::text::asked::Asked;
    use crate::text::names::Name;

    const SCHEMA: &str = r#"{"properties":{
        "s":{"type":"string"},"n":{"type":"integer"},"b":{"type":"boolean"},"a":{"type":"array"},"o":{"type":"object"},
        "sn":{"type":["string","null"]},"e":{"enum":["x",1]},"any":{"anyOf":[{"type":"number"},{"type":"null"}]},"u":{}
    }}"#;

    fn run(values: &[(&str, &str)], is_string: Option<bool>, size: usize) -> String {
        let mut calls = Calls::new("q", Arc::new(Asked::declaring("f", SCHEMA)));
        let mut parameters = Parameters::default();
        calls.open(Name::Known("f".to_owned()));
        parameters.begin("f", true, &mut calls);
        for (name, value) in values {
            parameters.name(name, is_string, &mut calls);
            let letters: Vec<char> = value.chars().collect();
            for piece in letters.chunks(size) {
                parameters.value(&piece.iter().collect::<String>(), &mut calls);
                calls.flush();
            }
        }
        parameters.close(&mut calls);
        let mut sink = Sink::new();
        calls.out.drain(&mut sink);
        let inputs = sink.items.into_iter().filter_map(|event| match event {
            Event::Delta {
                delta: Delta::Input(text),
                ..
            } => Some(text.to_string()),
            _ => None,
        });
        inputs.collect()
    }

    #[track_caller]
    fn check(values: &[(&str, &str)], expected: &str) {
        for size in [1, 2, 3, 100] {
            assert_eq!(run(values, None, size), expected, "in pieces of {size}");
        }
    }

    #[test]
    fn values_are_what_the_schema_wants() {
        check(&[], "{}");
        check(&[("s", "\nSF\n"), ("n", "\n3\n")], r#"{"s":"SF","n":3}"#);
        check(&[("s", "42")], r#"{"s":"42"}"#);
        check(
            &[("s", "a"), ("n", "1"), ("s", "b"), ("n", "2")],
            r#"{"s":"a","n":1}"#,
        );
        check(&[("s", "null")], r#"{"s":"null"}"#);
        check(&[("n", "many")], r#"{"n":"many"}"#);
        check(&[("n", " -1.5e3 ")], r#"{"n":-1.5e3}"#);
        check(&[("b", "True")], r#"{"b":true}"#);
        check(&[("b", "false")], r#"{"b":false}"#);
        check(&[("a", "[\"a\", 1]")], r#"{"a":["a", 1]}"#);
        check(&[("o", "{\"a\":{}}")], r#"{"o":{"a":{}}}"#);
        check(&[("o", "{a:1}")], r#"{"o":"{a:1}"}"#);
        check(&[("sn", "null")], r#"{"sn":null}"#);
        check(&[("sn", "nil")], r#"{"sn":"nil"}"#);
        check(&[("sn", "1")], r#"{"sn":"1"}"#);
        check(&[("e", "x")], r#"{"e":"x"}"#);
        check(&[("e", "1")], r#"{"e":1}"#);
        check(&[("any", "None")], r#"{"any":null}"#);
        check(&[("any", "2")], r#"{"any":2}"#);
        check(&[("u", "2")], r#"{"u":2}"#);
        check(&[("u", "a b")], r#"{"u":"a b"}"#);
        check(&[("u", "True")], r#"{"u":true}"#);
        check(&[("unknown", "{}")], r#"{"unknown":{}}"#);
    }

    #[test]
    fn one_newline_on_each_side_belongs_to_the_markup() {
        check(&[("s", "\n\na \"b\"\\ \n\n")], r#"{"s":"\na \"b\"\\ \n"}"#);
        check(&[("s", "\n\n")], r#"{"s":""}"#);
        check(&[("s", "\n")], r#"{"s":""}"#);
        check(&[("s", "")], r#"{"s":""}"#);
        check(&[("u", "\n a\n b\n")], r#"{"u":" a\n b"}"#);
    }

    #[test]
    fn markup_that_tells_the_type_overrules_the_schema() {
        assert_eq!(run(&[("n", "3")], Some(true), 1), r#"{"n":"3"}"#);
        assert_eq!(run(&[("s", "3")], Some(false), 1), r#"{"s":3}"#);
        assert_eq!(run(&[("u", "[3]")], Some(false), 1), r#"{"u":[3]}"#);
    }

    #[test]
    fn what_is_too_long_to_keep_is_text() {
        let long = format!("[{}]", "1,".repeat(MOST_RAW / 2));
        let expected = format!("{{\"u\":\"{long}\"}}");
        assert_eq!(run(&[("u", &long)], None, 1000), expected);
    }
}
