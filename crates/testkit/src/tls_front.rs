//! TLS before an upstream that speaks none.

use std::net::SocketAddr;
use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::{Upstream, loopback};

/// Takes off the TLS that clients of an upstream speak, on a loopback port and under a made-up host's name. Dropping it
/// closes its listener and every connection.
pub struct TlsFront {
    address: SocketAddr,
    certificate: String,
    _server: JoinSet<()>,
}

impl TlsFront {
    /// Starts before an upstream, as the host of this name.
    pub async fn start(upstream: &Upstream, host: &str) -> TlsFront {
        let own =
            generate_simple_self_signed([host.to_owned()]).expect("a certificate can be made");
        let CertifiedKey { cert, signing_key } = own;
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).expect("a key was made");
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring has the usual versions")
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .expect("the key is the certificate's");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let (listener, address) = loopback::listen().await;
        let to = upstream.address();
        let mut server = JoinSet::new();
        server.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                connections.spawn(async move {
                    let Ok(mut client) = acceptor.accept(client).await else {
                        return;
                    };
                    if let Ok(mut server) = TcpStream::connect(to).await {
                        let _ = copy_bidirectional(&mut client, &mut server).await;
                    }
                });
            }
        });
        TlsFront {
            address,
            certificate: cert.pem(),
            _server: server,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its certificate as PEM, which is its own authority.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }
}
