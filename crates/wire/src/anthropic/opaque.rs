//! Members whose insides this wire never reads: they are carried as one span.

/// Names of such members: tool schemas, tool inputs and their examples.
pub(super) const MEMBERS: &[&str] = &["input", "input_schema", "input_examples", "schema"];
