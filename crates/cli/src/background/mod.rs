//! Gateways that run on this machine, and how `run`, `status` and `stop` find and reach them.
//!
//! A gateway registers itself in a file that it keeps locked for as long as it lives, so a dead one is told from a
//! live one without looking at process ids. A client of `run` holds a lease: one open request, which the kernel
//! closes when the client's launcher is gone, however it went.

mod control;
mod directory;
mod launch;
mod obstacles;
mod registry;

pub(crate) use control::{
    DefaultModel, Health, InForce, Reload, act_on_provider, default_model, health, in_force,
    providers, stop, switch_default,
};
pub(crate) use directory::{StateDirectory, private};
pub(crate) use launch::{Wanted, join_or_start, keep};
pub(crate) use obstacles::{because, obstacle};
pub(crate) use registry::{Ending, Entry, Registration, reachable, register, running};
