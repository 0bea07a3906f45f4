//! How a provider is told who asks: with a key as it is ([`apply`]), or with an access token that a credential of ours is
//! exchanged for first ([`gcp`]).

pub(crate) mod gcp;
mod grant;
mod key;

pub(crate) use key::{CREDENTIALS, N_CREDENTIALS, UnfitKey, apply, shown_credential};
