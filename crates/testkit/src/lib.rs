//! Dev-only tools for testing lingate from outside.
//!
//! [`Upstream`] plays a provider: it records what it was asked and answers from a [`Script`], byte by byte if need be.
//! [`Misbehaviour`] names the ways in which real providers fail; [`Agent`] plays a model that works through a scenario
//! with the client's own tools; [`Proxy`] damages what an upstream answers, at any byte; [`Tunnels`] is a proxy of the ordinary
//! kind, and [`TlsFront`] stands before an upstream where TLS matters. [`client`] reads answers with
//! the time at which each piece arrived, and [`Process`] runs a program that cannot outlive its test. [`canary`] finds
//! secrets that were planted.
//!
//! Nothing here uses lingate's own translators: a mistake in those must not hide itself. Everything panics on misuse,
//! with a message for the author of the test; everything listens on loopback, on a port of the system's choice.

mod agent;
pub mod canary;
pub mod client;
mod conversation;
mod fixture;
mod hangup;
mod loopback;
mod misbehaviour;
mod process;
mod proxy;
mod strict;
mod tls_front;
mod traced;
mod tunnels;
mod upstream;
mod wire;

pub use agent::{Agent, Step};
pub use fixture::Fixtures;
pub use hangup::Hangup;
pub use misbehaviour::{Misbehaviour, OverflowWords};
pub use process::{Finished, Process};
pub use proxy::{Fault, Place, Proxy};
pub use strict::complaints;
pub use tls_front::TlsFront;
pub use traced::Traced;
pub use tunnels::{TunnelAsked, Tunnels};
pub use upstream::{Answer, Ending, Received, Script, Upstream};
pub use wire::{Part, Reply, Usage, Wire, anthropic, chat, gemini, responses};
