//! What the repository promises about itself and no compiler checks: the invariants of ARCHITECTURE.md that are about
//! source text, and the documents. Every test reads the files git knows of or would take, and names each offence with
//! its place.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may fail"
)]

mod code;
mod documents;
mod provider_names;
mod purity;
mod source;
