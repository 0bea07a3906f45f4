//! The official SDKs and the frameworks on top of them, as real clients before scripted providers of their own wire and
//! of foreign ones.
//!
//! A script (`e2e/sdk`) drives its SDK through the helpers that programs use and prints one JSON line per case: what
//! the SDK gave its caller, or which exception it raised. The tests here compare every line with a table, and look at
//! what the provider received.

mod anthropic;
mod budget;
mod chat;
mod frameworks;
mod genai;
mod installed;
#[cfg(feature = "agents")]
mod llama_cpp;
mod model;
mod responses;
mod run;
mod table;
