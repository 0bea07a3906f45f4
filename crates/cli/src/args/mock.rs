//! What `lingate mock` can be told.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use crate::mock::{Fault, LIST, Pace};

#[derive(Args)]
#[command(after_help = LIST)]
pub(crate) struct Mock {
    /// Answer as the providers did: what `lingate logs export --cassette` wrote; else with one sentence
    #[arg(long, value_name = "FILE")]
    pub(crate) cassette: Option<PathBuf>,
    /// Address to listen on, of this machine alone; port 0 takes any free one
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:0")]
    pub(crate) listen: SocketAddr,
    /// 1 is the recorded speed, 10 ten times that, `max` without any pause
    #[arg(long, value_name = "N", default_value_t = Pace::Times(1.0))]
    pub(crate) speed: Pace,
    /// Get something wrong; may be given several times
    #[arg(long = "fault", value_name = "SPEC")]
    pub(crate) faults: Vec<Fault>,
}
