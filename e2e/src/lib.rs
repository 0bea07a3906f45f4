//! Real clients against the real `lingate` binary.
//!
//! Each test has a [`Home`] of its own: a temporary folder that is `$HOME` and working directory at once, an
//! environment with nothing from the caller in it, and a mark by which every process that the test caused is found
//! again. What a test asserts is what the client did (files, exit code, transcript) and what the provider received.
//!
//! Clients are installed by `e2e/install`; one that is missing skips its tests with a note, see [`install`].

mod claude;
pub mod coder;
pub mod edit;
mod gateway;
mod home;
pub mod install;
pub mod launched;
pub mod llama_cpp;
pub mod media;
mod replayed;
mod terminal;

pub use claude::{Claude, Transcript};
pub use coder::Coder;
pub use gateway::{Gateway, Provider, lingate};
pub use home::Home;
pub use llama_cpp::LlamaCpp;
pub use terminal::Terminal;
