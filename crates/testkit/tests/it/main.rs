//! The testkit against its own client: a tool that lies is worse than none.

mod agent;
mod canary;
mod misbehaviour;
mod process;
mod strict;
mod upstream;
