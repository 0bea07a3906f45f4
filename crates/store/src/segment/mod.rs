//! Bodies on disk: append-only files of compressed, checksummed frames.
//!
//! A segment belongs to the run of the gateway that writes it and holds everything its bodies are made of, so it is
//! deleted whole. What is in it beyond the length its row names was never promised to anybody.

mod append;
mod content;
mod frame;
mod read;

pub(crate) use append::Appender;
pub(crate) use read::Frames;
