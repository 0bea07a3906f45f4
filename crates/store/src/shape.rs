//! What the JSON of a field looks like where its type alone does not say: stand-ins for schemas, never values.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

/// An id: a UUID.
pub(crate) struct Id;

/// A time: RFC 3339, in UTC, to the millisecond.
pub(crate) struct Time;

/// A wire's name.
pub(crate) struct WireName;

/// Tokens by kind; null where nobody told.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct Tokens {
    /// Fresh input.
    input: Option<u64>,
    /// Input read from a cache.
    cache_read: Option<u64>,
    /// Input written to the five-minute cache.
    cache_write_5m: Option<u64>,
    /// Input written to the one-hour cache.
    cache_write_1h: Option<u64>,
    /// Output, reasoning included.
    output: Option<u64>,
    /// Reasoning within the output.
    reasoning: Option<u64>,
}

macro_rules! inline {
    ($type:ident, $schema:tt) => {
        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
}

inline!(Id, { "type": "string", "format": "uuid" });
inline!(Time, { "type": "string", "format": "date-time" });
inline!(WireName, { "type": "string", "enum": ["anthropic", "chat", "responses", "gemini"] });
