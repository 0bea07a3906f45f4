//! Listeners that nobody else has.

use std::net::SocketAddr;

use tokio::net::TcpListener;

/// A listener on loopback, and its address on a port of the system's choice.
pub(crate) async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("loopback has a free port");
    let address = listener
        .local_addr()
        .expect("a bound listener has an address");
    (listener, address)
}
