//! Connections to providers: one pool per way of connecting, HTTP/2 where the host offers it, no redirects.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use hyper_rustls::ConfigBuilderExt as _;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Builder, Client};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use lingate_config::{Auth, Config, HttpVersion, KeyRef, Kind, Provider, Proxy};
use lingate_wire::turn::Failure;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use super::auth::gcp::Tokens;
use super::pooled::HttpClient;
use super::proxy::Transport;
use super::traffic::Dialer;

/// How long an unused connection is kept.
const IDLE: Duration = Duration::from_secs(90);

/// Most bytes of one read of an HTTP/1 reply, and of its head. One such piece waits while the next is read, so a slow
/// client holds up its upstream with two of them read (`front/limits.rs` has the whole count).
const READ_AHEAD: usize = 24 * 1024;
/// The same for one stream of HTTP/2.
const STREAM_WINDOW: u32 = 64 * 1024;
/// For all streams of an HTTP/2 connection; wide, because one that nobody reads must not hold up the others.
const CONNECTION_WINDOW: u32 = 32 << 20;

/// Everything that makes two providers need pools of their own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Way {
    /// Longest time until the connection stands.
    pub connect: Duration,
    /// HTTP/1.1 only.
    pub is_http1_only: bool,
    /// PEM file of the certificate authorities that count for this provider.
    pub ca_file: Option<PathBuf>,
    /// The proxy that stands between.
    pub proxy: Option<Arc<Proxy>>,
    /// Whether anything goes over TLS. What does not needs no authorities, and reading the machine's is most of a start.
    pub uses_tls: bool,
}

impl Way {
    /// How hosts are connected to that are no providers, where the environment has this proxy.
    pub(crate) fn plain(proxy: Option<&Arc<Proxy>>) -> Self {
        Self {
            connect: Duration::from_secs(5),
            is_http1_only: false,
            ca_file: None,
            proxy: proxy.cloned(),
            uses_tls: true,
        }
    }

    /// How this provider is connected to.
    pub(crate) fn of(provider: &Provider) -> Self {
        Self {
            connect: provider.timeouts.connect,
            is_http1_only: provider.http == HttpVersion::One,
            ca_file: provider.ca_file.clone(),
            proxy: provider.proxy.clone(),
            uses_tls: provider.uses_tls(),
        }
    }
}

/// The pools.
#[derive(Clone)]
pub(crate) struct Clients {
    by_way: HashMap<Way, Connector>,
    /// What credentials were exchanged for, over these connections.
    tokens: Arc<Tokens>,
}

/// A pool, and what its TLS was set up from.
#[derive(Clone)]
struct Connector {
    client: HttpClient,
    /// What the `ca_file` held.
    authorities: Option<Arc<[u8]>>,
}

/// A pool cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The library refuses its configuration.
    #[error("cannot set up TLS: {0}")]
    Setup(#[from] rustls::Error),
    /// A provider's `ca_file` cannot be used.
    #[error("`ca_file` {path}: {reason}", path = .path.display())]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A proxy's URL cannot be used.
    #[error("proxy {0} cannot be used")]
    Proxy(String),
}

impl Clients {
    /// The pools that the providers in use need.
    pub(crate) fn of(config: &Config) -> Result<Self, TlsError> {
        Self::new(ways(config), &HashMap::new(), Arc::default())
    }

    /// None: nobody can be reached.
    pub(crate) fn none() -> Self {
        Self {
            by_way: HashMap::new(),
            tokens: Arc::default(),
        }
    }

    /// Those of another configuration: what is connected the same way keeps its pool, with the connections in it.
    pub(crate) fn carried_to(&self, config: &Config) -> Result<Self, TlsError> {
        Self::new(ways(config), &self.by_way, Arc::clone(&self.tokens))
    }

    /// A pool for each way, of those there are or a new one.
    fn new(
        ways: impl IntoIterator<Item = Way>,
        known: &HashMap<Way, Connector>,
        tokens: Arc<Tokens>,
    ) -> Result<Self, TlsError> {
        let mut by_way = HashMap::new();
        for way in ways {
            if let Entry::Vacant(entry) = by_way.entry(way) {
                let way = entry.key();
                let authorities = way.ca_file.as_deref().map(read_authorities).transpose()?;
                let same = known
                    .get(way)
                    .filter(|known| known.authorities == authorities);
                let connector = match same {
                    Some(known) => known.clone(),
                    None => Connector {
                        client: HttpClient::new(
                            &mut builder(),
                            dialer(way, authorities.as_deref())?,
                        ),
                        authorities,
                    },
                };
                entry.insert(connector);
            }
        }
        Ok(Self { by_way, tokens })
    }

    pub(crate) fn get(&self, way: &Way) -> Option<&HttpClient> {
        self.by_way.get(way).map(|connector| &connector.client)
    }

    /// What a provider is shown in place of `key`, where that is a credential to be exchanged for a token.
    ///
    /// # Errors
    /// If the exchange fails.
    pub(crate) async fn shown_key(
        &self,
        provider: &Provider,
        key: Option<&KeyRef>,
    ) -> Result<Option<KeyRef>, Failure> {
        let Some(client) = self.get(&Way::of(provider)) else {
            return Ok(None);
        };
        self.tokens.shown(client, provider, key).await
    }

    /// A provider refused what was `shown` in place of `key`: whether another token is worth a try.
    pub(crate) async fn key_refused(
        &self,
        provider: &Provider,
        key: Option<&KeyRef>,
        shown: &KeyRef,
    ) -> bool {
        match key {
            Some(key) if provider.auth == Auth::Gcp => {
                self.tokens.refused(key, &shown.secret).await
            }
            _ => false,
        }
    }
}

/// How the providers in use are connected to.
fn ways(config: &Config) -> impl Iterator<Item = Way> {
    let providers = config.providers.iter();
    let used = providers.filter(|provider| provider.enabled && provider.kind == Kind::Upstream);
    let plain = |_| Way::plain(config.proxy.as_ref());
    let prices = config.record.prices.iter().map(plain);
    used.map(Way::of).chain(prices)
}

fn read_authorities(path: &Path) -> Result<Arc<[u8]>, TlsError> {
    let read = std::fs::read(path).map_err(|error| TlsError::CaFile {
        path: path.to_owned(),
        reason: error.to_string(),
    });
    read.map(Arc::from)
}

/// What connects this way.
pub(super) fn dialer(way: &Way, authorities: Option<&[u8]>) -> Result<Dialer, TlsError> {
    let config = tls_config(way, authorities)?;
    let transport = transport(way)?;
    let tls = HttpsConnectorBuilder::new()
        .with_tls_config(config)
        .https_or_http();
    let connector = if way.is_http1_only {
        tls.enable_http1().wrap_connector(transport)
    } else {
        tls.enable_all_versions().wrap_connector(transport)
    };
    Ok(Dialer::new(connector, way.connect))
}

/// What TLS goes over.
pub(super) fn transport(way: &Way) -> Result<Transport, TlsError> {
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    // Two peers that both wait for more bytes lose 44 ms a stream.
    http.set_nodelay(true);
    http.set_keepalive(Some(Duration::from_secs(60)));
    let Some(proxy) = &way.proxy else {
        return Ok(Transport::straight(http));
    };
    // A provider's `ca_file` is for the provider.
    let to_proxy = HttpsConnectorBuilder::new()
        .with_tls_config(tls_config(way, None)?)
        .https_or_http()
        .enable_http1()
        .wrap_connector(http.clone());
    Transport::through(proxy, http, to_proxy).ok_or_else(|| TlsError::Proxy(proxy.to_string()))
}

pub(super) fn builder() -> Builder {
    let mut builder = Client::builder(TokioExecutor::new());
    builder
        .pool_idle_timeout(IDLE)
        .pool_timer(TokioTimer::new())
        .timer(TokioTimer::new())
        .http1_max_buf_size(READ_AHEAD)
        .http2_initial_stream_window_size(STREAM_WINDOW)
        .http2_initial_connection_window_size(CONNECTION_WINDOW);
    builder
}

/// The platform's certificate authorities, or those of the provider's `ca_file` in their place. A machine without any
/// (a bare container) gets Mozilla's.
fn tls_config(way: &Way, authorities: Option<&[u8]>) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = || {
        ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
    };
    if let (Some(path), Some(pem)) = (&way.ca_file, authorities) {
        return Ok(builder()?
            .with_root_certificates(roots_of(path, pem)?)
            .with_no_client_auth());
    }
    if !way.uses_tls {
        let nobody = RootCertStore::empty();
        return Ok(builder()?
            .with_root_certificates(nobody)
            .with_no_client_auth());
    }
    match builder()?.try_with_platform_verifier() {
        Ok(builder) => Ok(builder.with_no_client_auth()),
        Err(error) => {
            tracing::warn!(
                "no certificate authorities on this machine ({error}); using Mozilla's bundled list"
            );
            let roots = RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
            Ok(builder()?
                .with_root_certificates(roots)
                .with_no_client_auth())
        }
    }
}

fn roots_of(path: &Path, pem: &[u8]) -> Result<RootCertStore, TlsError> {
    let fail = |reason: String| TlsError::CaFile {
        path: path.to_owned(),
        reason,
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| fail(error.to_string()))?;
        roots
            .add(certificate)
            .map_err(|error| fail(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(fail("holds no certificate in PEM form".to_owned()));
    }
    Ok(roots)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use bytes::Bytes;
    use http::Response;
    use http_body_util::{BodyExt as _, StreamBody};
    use hyper::body::Frame;
    use hyper::server::conn::http2;
    use hyper::service::service_fn;
    use hyper_util::rt::TokioIo;
    use tokio::net::TcpListener;

    use super::super::payload::Payload;
    use super::*;

    const PIECE: usize = 4096;

    /// HTTP/1.1 is measured through the whole gateway (`tests/it/slow_readers.rs`); a scripted provider that offers
    /// HTTP/2 would need certificates.
    #[tokio::test]
    async fn a_reply_over_http2_that_nobody_reads_is_held_up_and_another_is_not() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let given = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&given);
        let serve = async move {
            let (socket, _) = listener.accept().await.unwrap();
            let service = service_fn(|_| {
                let counter = Arc::clone(&counter);
                let pieces = futures_util::stream::unfold((), move |()| {
                    counter.fetch_add(PIECE, Ordering::Relaxed);
                    let frame = Frame::data(Bytes::from_static(&[b'a'; PIECE]));
                    std::future::ready(Some((Ok::<_, Infallible>(frame), ())))
                });
                std::future::ready(Ok::<_, Infallible>(Response::new(StreamBody::new(pieces))))
            });
            http2::Builder::new(TokioExecutor::new())
                .max_send_buf_size(PIECE)
                .serve_connection(TokioIo::new(socket), service)
                .await
        };
        let client: Client<_, Payload> = builder().http2_only(true).build(HttpConnector::new());
        let ask = async {
            let unread = client.get(url.parse().unwrap()).await.unwrap();
            tokio::time::sleep(Duration::from_millis(300)).await;
            let held = given.load(Ordering::Relaxed);
            assert!(held <= STREAM_WINDOW as usize + 4 * PIECE, "{held}");
            let mut other = client.get(url.parse().unwrap()).await.unwrap();
            let mut read = 0;
            while read < 1 << 20 {
                let frame = other.body_mut().frame().await.unwrap().unwrap();
                read += frame.into_data().unwrap().len();
            }
            drop(unread);
        };
        let asked = tokio::time::timeout(Duration::from_secs(20), ask);
        tokio::select! {
            ended = serve => panic!("the server ended: {ended:?}"),
            asked = asked => asked.expect("the other reply comes"),
        }
    }
}
