//! What signals mean to a gateway that serves.

use std::io;
use std::time::Duration;

use lingate_gateway::{Handle, Trigger};
use rustix::io::Errno;
use tokio::signal::unix::{self, SignalKind};

use crate::service_manager::Notifier;

/// How long after a hangup a terminal may still look as if it were there: the system tells its processes first and takes
/// it from them behind that.
const TERMINAL_GOES: Duration = Duration::from_millis(100);

/// The signals of a gateway: the first two end it, a hangup reloads it, unless the terminal it was started in is gone.
pub(crate) struct Signals {
    terminate: unix::Signal,
    interrupt: unix::Signal,
    hangup: unix::Signal,
    /// Whether it was started in a terminal.
    in_terminal: bool,
}

impl Signals {
    /// From here on they are waited for.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: unix::signal(SignalKind::terminate())?,
            interrupt: unix::signal(SignalKind::interrupt())?,
            hangup: unix::signal(SignalKind::hangup())?,
            in_terminal: has_terminal(),
        })
    }

    /// Reloads until it is told to end.
    pub(crate) async fn end(&mut self, handle: &Handle, notifier: &Notifier) {
        while i32::from(self.next().await) == SignalKind::hangup().as_raw_value() {
            if self.in_terminal && is_terminal_going().await {
                return;
            }
            notifier.reloading();
            handle.reload(Trigger::Signal).await;
            notifier.ready();
        }
    }

    /// The number of the next one that means an end.
    pub(crate) async fn next_end(&mut self) -> u8 {
        loop {
            let signal = self.next().await;
            if i32::from(signal) != SignalKind::hangup().as_raw_value() {
                return signal;
            }
        }
    }

    /// The number of the next one.
    async fn next(&mut self) -> u8 {
        let kind = tokio::select! {
            _ = self.terminate.recv() => SignalKind::terminate(),
            _ = self.interrupt.recv() => SignalKind::interrupt(),
            _ = self.hangup.recv() => SignalKind::hangup(),
        };
        u8::try_from(kind.as_raw_value()).unwrap_or_default()
    }
}

/// Whether standard error is the terminal that this process belongs to. That it *is a terminal* says too little: where
/// only the shell is gone it still is one, but nobody's.
fn has_terminal() -> bool {
    match rustix::termios::tcgetpgrp(io::stderr()) {
        // Its group in the foreground is one that has no number in this container.
        Ok(_) | Err(Errno::OPNOTSUPP) => true,
        Err(_) => false,
    }
}

/// Whether the terminal is gone, now or within a moment.
async fn is_terminal_going() -> bool {
    let gone = async {
        while has_terminal() {
            tokio::time::sleep(TERMINAL_GOES / 10).await;
        }
    };
    tokio::time::timeout(TERMINAL_GOES, gone).await.is_ok()
}
