//! Which upstream serves the model a client asked for.
//!
//! Pure functions over a [`Table`] that the configuration built: no IO, no clock, no environment. Names are
//! resolved in the order of the contract: rules, configured models (also as `anthropic/NAME`, with or without
//! `[1m]`), `provider/model`, aliases, the default. [`resolve`] says what serves a request and why, [`resolve_fitting`]
//! leaves out those who cannot take it, [`published`] says what a client may be told exists; all read the same table, so
//! the list never promises a name that does not resolve. [`health`] chooses among the candidates: strategies, sessions,
//! breakers, pools of keys.

mod alias;
mod ask;
mod fit;
mod glob;
pub mod health;
mod nearest;
mod published;
pub mod queue;
mod resolution;
mod resolve;
mod rule;
mod table;

pub use alias::{Alias, AliasError};
pub use ask::{Ask, Class};
pub use fit::{Facts, Fitting, LeftOut, Unfit, fitted, resolve_fitting};
pub use glob::glob_matches;
pub use nearest::nearest;
pub use published::{PublishedModel, published};
pub use resolution::{Candidate, Cause, Resolution, Step, TargetRef, Unresolved};
pub use resolve::{check_destination, resolve, resolve_name};
pub use rule::{Looks, Rule, When};
pub use table::{KnownModel, Model, Provider, Return, Scope, Strategy, Table, Target};
