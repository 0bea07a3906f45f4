//! Every client and backend but Claude Code on scripted providers: `make test-clients`.

mod edits;
mod launched;
mod llama_cpp;
mod open_models;
mod real_wires;
mod verify;
