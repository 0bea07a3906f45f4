//! What a service manager such as systemd hands to a gateway, and what it is told: a listening socket (`LISTEN_FDS`), which
//! stays open between two processes so that no connection is refused while the gateway is replaced, and the state it is
//! in (`NOTIFY_SOCKET`).

use std::net::TcpListener;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use lingate_config::Environment;
use listenfd::ListenFd;
use rustix::time::{ClockId, clock_gettime};

use crate::failure::Failure;

/// The socket that was handed to this process, if one was.
///
/// # Errors
/// If it is none that a gateway can listen on, or if there are several.
pub(crate) fn listener() -> Result<Option<TcpListener>, Failure> {
    let mut handed = ListenFd::from_env();
    if handed.len() > 1 {
        return Err(Failure::usage(format!(
            "{} sockets were handed over (`LISTEN_FDS`); a gateway listens on one",
            handed.len()
        )));
    }
    if handed.len() == 0 {
        return Ok(None);
    }
    handed.take_tcp_listener(0).map_err(|error| {
        Failure::usage(format!(
            "the socket that was handed over (`LISTEN_FDS`) cannot be listened on: {error}"
        ))
        .hint("the unit needs `ListenStream=IP:PORT`")
    })
}

/// Tells the service manager, if there is one.
#[derive(Debug)]
pub(crate) struct Notifier(Option<(UnixDatagram, SocketAddr)>);

impl Notifier {
    /// The one that `NOTIFY_SOCKET` names.
    pub(crate) fn of(environment: &dyn Environment) -> Self {
        let address = environment
            .var("NOTIFY_SOCKET")
            .and_then(|name| address(&name));
        Self(address.and_then(|address| Some((UnixDatagram::unbound().ok()?, address))))
    }

    /// Connections are accepted, or again after a reload.
    pub(crate) fn ready(&self) {
        self.tell("READY=1");
    }

    /// A reload has begun; [`Self::ready`] ends it.
    pub(crate) fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let micros = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1000;
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={micros}"));
    }

    /// No connection is accepted any more; what runs goes on to its end.
    pub(crate) fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=ending once running requests are done");
    }

    /// A service manager that does not listen is no reason to fail.
    fn tell(&self, state: &str) {
        if let Some((socket, address)) = &self.0
            && let Err(error) = socket.send_to_addr(state.as_bytes(), address)
        {
            tracing::warn!("the service manager was not told: {error}");
        }
    }
}

/// A path, or with `@` a name of Linux's abstract space.
fn address(name: &str) -> Option<SocketAddr> {
    #[cfg(target_os = "linux")]
    if let Some(name) = name.strip_prefix('@') {
        use std::os::linux::net::SocketAddrExt as _;
        return SocketAddr::from_abstract_name(name.as_bytes()).ok();
    }
    SocketAddr::from_pathname(name).ok()
}

#[cfg(test)]
mod tests {
    use lingate_config::FixedEnvironment;

    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn states_are_told_in_the_protocols_words() {
        let scratch = Scratch::new();
        let path = scratch.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        let notifier = Notifier::of(&FixedEnvironment::new([(
            "NOTIFY_SOCKET",
            path.to_str().unwrap(),
        )]));
        let heard = || {
            let mut buffer = [0; 256];
            let length = manager.recv(&mut buffer).unwrap();
            String::from_utf8(buffer[..length].to_vec()).unwrap()
        };
        notifier.ready();
        assert_eq!(heard(), "READY=1");
        notifier.reloading();
        let reloading = heard();
        let micros = reloading
            .strip_prefix("RELOADING=1\nMONOTONIC_USEC=")
            .unwrap();
        assert!(micros.parse::<u64>().unwrap() > 0, "{reloading}");
        notifier.stopping();
        assert!(heard().starts_with("STOPPING=1\n"));
    }

    #[test]
    fn without_one_nothing_is_told() {
        Notifier::of(&FixedEnvironment::new([])).ready();
        let gone = Notifier::of(&FixedEnvironment::new([("NOTIFY_SOCKET", "/nowhere/x")]));
        gone.ready();
        assert!(
            Notifier::of(&FixedEnvironment::new([(
                "NOTIFY_SOCKET",
                "@lingate-test-x"
            )]))
            .0
            .is_some()
        );
    }
}
