//! The gateway: a listener, and one exchange per request.
//!
//! The folders are the request's way, in order: `front` reads and guards, `exchange` runs the attempts, `upstream`
//! reaches providers, `lane` shapes what goes there, `relay` streams what comes back, `record` keeps what happened. Start
//! at `exchange/run.rs`.

mod admin;
mod clock;
mod cork;
mod exchange;
mod explain;
mod front;
mod gateway;
mod generations;
mod govern;
mod ids;
mod lane;
mod metrics;
mod probe;
mod record;
mod relay;
mod replay;
mod routes;
mod shared;
mod tokens;
mod upstream;
mod verify;
mod watch;

pub use explain::{Explained, Explanation, Outgoing, Plan, Reason, explain, lane_of};
pub use front::limits::Limits;
pub use gateway::{BindError, Gateway, Handle, Options};
pub use generations::{InForce, Loaded, Outcome, Reload, Source, Trigger};
pub use metrics::metrics_reference;
pub use probe::{ProbeAnswer, ProbeError, Prober};
pub use replay::{
    Answer, Change, Outcome as ReplayOutcome, Place, Reason as ReplayReason, Recorded, Replay,
    Replayed,
};
pub use upstream::client::TlsError;
pub use verify::{Seen, SeenCall, Unanswered, Verified, Verifier, VerifyError};
