//! The listener's address.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::FormatError;

pub(super) const FORMAT: &str = "lingate-address";

/// Where the gateway listens unless told otherwise.
pub const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8484);

/// `IP` or `IP:PORT`; the port is the default's if left out.
pub(crate) fn parse_listen(text: &str) -> Result<SocketAddr, FormatError> {
    let bare = text
        .parse()
        .map(|ip: IpAddr| SocketAddr::new(ip, DEFAULT_LISTEN.port()));
    text.parse().or(bare).map_err(|_| {
        FormatError::new(
            "is not an address",
            "write `IP:PORT`, as in `127.0.0.1:8484` or `[::1]:8484`",
        )
    })
}
