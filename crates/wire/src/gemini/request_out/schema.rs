//! JSON Schema as `parametersJsonSchema` and `responseJsonSchema` take it (documented keywords of 2026-11).
//!
//! A schema that holds nothing else is copied. In others references are put in where they point to, a constant becomes an
//! enumeration of one, a union of all is merged, and what the API does not know is left out and told.

use bytestring::ByteString;

use crate::json::{Doc, Kind, Value, Writer, scan_reply};

/// How deep references may lead; what refers to itself ends there, as any value.
const MAX_REFERENCES: usize = 4;

/// Keywords that the API reads.
const KNOWN: &[&str] = &[
    "type",
    "format",
    "title",
    "description",
    "enum",
    "default",
    "items",
    "prefixItems",
    "minItems",
    "maxItems",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minProperties",
    "maxProperties",
    "pattern",
    "anyOf",
    "oneOf",
    "properties",
    "additionalProperties",
    "required",
    "propertyOrdering",
    "nullable",
];

/// Keywords that say nothing about values: leaving them out is no loss.
const SILENT: &[&str] = &[
    "$schema",
    "$id",
    "$anchor",
    "$comment",
    "$defs",
    "definitions",
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
];

/// Writes a schema, and gives the keywords that were left out, each once.
pub(super) fn write(schema: &ByteString, w: &mut Writer) -> Vec<String> {
    let Ok(doc) = scan_reply(schema, &[]) else {
        w.raw(r#"{"type":"object"}"#);
        return vec!["*".to_owned()];
    };
    if is_plain(doc.root()) {
        w.raw(schema);
        return Vec::new();
    }
    let mut rewriter = Rewriter {
        doc: &doc,
        w,
        lost: Vec::new(),
        n_references: 0,
    };
    rewriter.schema(doc.root());
    rewriter.lost
}

/// Whether a schema holds only what the API reads.
fn is_plain(schema: Value<'_>) -> bool {
    schema.members().all(|(key, value)| match &*key {
        "properties" => value.members().all(|(_, property)| is_plain(property)),
        "items" | "additionalProperties" => is_plain(value),
        "anyOf" | "oneOf" | "prefixItems" => value.items().all(is_plain),
        key => KNOWN.contains(&key) && key != "oneOf",
    })
}

struct Rewriter<'d, 'w> {
    doc: &'d Doc,
    w: &'w mut Writer,
    lost: Vec<String>,
    n_references: usize,
}

impl<'d> Rewriter<'d, '_> {
    fn schema(&mut self, schema: Value<'d>) {
        if schema.kind() != Kind::Object {
            self.w.raw(schema.raw());
            return;
        }
        self.w.begin_object();
        let mut written = Vec::new();
        self.members(schema, &mut written);
        self.w.end_object();
    }

    /// Writes a schema's members into the object that is open. A keyword that stands there already is left out: what is
    /// said first, outside a reference or union, is closer to the value.
    fn members(&mut self, schema: Value<'d>, written: &mut Vec<String>) {
        let mut later = Vec::new();
        for (key, value) in schema.members() {
            if written.iter().any(|known| *known == *key) {
                self.lose(&key);
                continue;
            }
            match &*key {
                "$ref" => later.push(value),
                "allOf" => later.extend(value.items()),
                "const" if !written.iter().any(|known| known == "enum") => {
                    self.w
                        .key("enum")
                        .begin_array()
                        .raw(value.raw())
                        .end_array();
                    written.push("enum".to_owned());
                }
                "properties" => {
                    self.w.key("properties").begin_object();
                    for (name, property) in value.members() {
                        self.w.member(&name);
                        self.schema(property);
                    }
                    self.w.end_object();
                    written.push(key.into_owned());
                }
                "items" | "additionalProperties" => {
                    self.w.member(&key);
                    self.schema(value);
                    written.push(key.into_owned());
                }
                "anyOf" | "oneOf" | "prefixItems" => {
                    self.w.member(&key).begin_array();
                    value.items().for_each(|item| self.schema(item));
                    self.w.end_array();
                    written.push(key.into_owned());
                }
                known if KNOWN.contains(&known) => {
                    self.w.member(&key).raw(value.raw());
                    written.push(key.into_owned());
                }
                silent if SILENT.contains(&silent) => {}
                other => self.lose(other),
            }
        }
        for value in later {
            self.beside(value, written);
        }
    }

    /// Writes what a reference points to, or a member of a union, into the object that is open.
    fn beside(&mut self, value: Value<'d>, written: &mut Vec<String>) {
        let Some(pointer) = value.str() else {
            return self.members(value, written);
        };
        let target = self.target(&pointer);
        match target {
            Some(target) if self.n_references < MAX_REFERENCES => {
                self.n_references += 1;
                self.members(target, written);
                self.n_references -= 1;
            }
            _ => self.lose("$ref"),
        }
    }

    /// What a pointer into the same document points to.
    fn target(&self, pointer: &str) -> Option<Value<'d>> {
        let path = pointer.strip_prefix('#')?;
        let mut steps = path.split('/').skip(1);
        steps.try_fold(self.doc.root(), |at, step| {
            at.get(&step.replace("~1", "/").replace("~0", "~"))
        })
    }

    fn lose(&mut self, keyword: &str) {
        if !self.lost.iter().any(|lost| lost == keyword) {
            self.lost.push(keyword.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(schema: &str, expected: &str, lost: &[&str]) {
        let mut w = Writer::default();
        let found = write(&schema.into(), &mut w);
        assert_eq!(String::from_utf8(w.into_bytes()).unwrap(), expected);
        assert_eq!(found, lost, "{schema}");
    }

    #[test]
    fn known_keywords_are_copied_byte_for_byte() {
        let plain = r#"{ "type":"object", "properties":{"const":{"type":["string","null"]},"n":{"type":"integer","minimum":1e0}},"additionalProperties":false }"#;
        check(plain, plain, &[]);
    }

    #[test]
    fn references_constants_and_unions_are_put_in() {
        check(
            r##"{"$schema":"x","type":"object","properties":{"a":{"$ref":"#/$defs/A","description":"own"},"b":{"const":"x"}},"$defs":{"A":{"type":"string","description":"far"}}}"##,
            r#"{"type":"object","properties":{"a":{"description":"own","type":"string"},"b":{"enum":["x"]}}}"#,
            &["description"],
        );
        check(
            r##"{"allOf":[{"type":"object","properties":{"a":{"type":"string"}}},{"$ref":"#/definitions/R"}],"definitions":{"R":{"required":["a"]}}}"##,
            r#"{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}"#,
            &[],
        );
    }

    #[test]
    fn what_refers_to_itself_ends() {
        check(
            r##"{"type":"object","properties":{"next":{"$ref":"#"}},"not":{}}"##,
            r#"{"type":"object","properties":{"next":{"type":"object","properties":{"next":{"type":"object","properties":{"next":{"type":"object","properties":{"next":{"type":"object","properties":{"next":{}}}}}}}}}}}"#,
            &["$ref", "not"],
        );
        check("{", r#"{"type":"object"}"#, &["*"]);
        check(
            r##"{"type":"string","$ref":"#/nowhere","exclusiveMinimum":3}"##,
            r#"{"type":"string"}"#,
            &["exclusiveMinimum", "$ref"],
        );
    }
}
