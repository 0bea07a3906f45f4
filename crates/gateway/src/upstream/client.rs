//! Connections to providers: one pool per way of connecting, HTTP/2 where the host offers it, no redirects.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper_rustls::ConfigBuilderExt as _;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use lingate_config::{Config, HttpVersion, Kind, Provider};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

/// How long an unused connection is kept.
const IDLE: Duration = Duration::from_secs(90);

/// Most bytes read of an HTTP/1 reply before the client has taken what came: a slow client holds up its upstream.
const READ_AHEAD: usize = 64 * 1024;
/// The same for one stream of HTTP/2.
const STREAM_WINDOW: u32 = 128 * 1024;
/// For all streams of an HTTP/2 connection; wide, because one that nobody reads must not hold up the others.
const CONNECTION_WINDOW: u32 = 32 << 20;

/// A pooled client.
pub(crate) type HttpClient = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// Everything that makes two providers need pools of their own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Way {
    /// Longest time until the connection stands.
    pub connect: Duration,
    /// HTTP/1.1 only.
    pub is_http1_only: bool,
    /// PEM file of the certificate authorities that count for this provider.
    pub ca_file: Option<PathBuf>,
}

impl Way {
    /// How this provider is connected to.
    pub(crate) fn of(provider: &Provider) -> Self {
        Self {
            connect: provider.timeouts.connect,
            is_http1_only: provider.http == HttpVersion::One,
            ca_file: provider.ca_file.clone(),
        }
    }
}

/// The pools.
pub(crate) struct Clients {
    by_way: HashMap<Way, HttpClient>,
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
}

impl Clients {
    /// The pools that the providers in use need.
    pub(crate) fn of(config: &Config) -> Result<Self, TlsError> {
        let providers = config.providers.iter();
        let used = providers.filter(|provider| provider.enabled && provider.kind == Kind::Upstream);
        Self::new(used.map(Way::of))
    }

    /// Makes a pool for each way.
    fn new(ways: impl IntoIterator<Item = Way>) -> Result<Self, TlsError> {
        let mut by_way = HashMap::new();
        for way in ways {
            if let Entry::Vacant(entry) = by_way.entry(way) {
                let client = client(entry.key())?;
                entry.insert(client);
            }
        }
        Ok(Self { by_way })
    }

    pub(crate) fn get(&self, way: &Way) -> Option<&HttpClient> {
        self.by_way.get(way)
    }
}

fn client(way: &Way) -> Result<HttpClient, TlsError> {
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    // Two peers that both wait for more bytes lose 44 ms a stream.
    http.set_nodelay(true);
    http.set_connect_timeout(Some(way.connect));
    http.set_keepalive(Some(Duration::from_secs(60)));
    let tls = HttpsConnectorBuilder::new()
        .with_tls_config(tls_config(way)?)
        .https_or_http();
    let connector = if way.is_http1_only {
        tls.enable_http1().wrap_connector(http)
    } else {
        tls.enable_all_versions().wrap_connector(http)
    };
    let mut builder = Client::builder(TokioExecutor::new());
    builder
        .pool_idle_timeout(IDLE)
        .pool_timer(TokioTimer::new())
        .timer(TokioTimer::new())
        .http1_max_buf_size(READ_AHEAD)
        .http2_initial_stream_window_size(STREAM_WINDOW)
        .http2_initial_connection_window_size(CONNECTION_WINDOW);
    Ok(builder.build(connector))
}

/// The platform's certificate authorities, or those of the provider's `ca_file` in their place. A machine without any
/// (a bare container) gets Mozilla's.
fn tls_config(way: &Way) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = || {
        ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
    };
    if let Some(path) = &way.ca_file {
        return Ok(builder()?
            .with_root_certificates(roots_of(path)?)
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

fn roots_of(path: &Path) -> Result<RootCertStore, TlsError> {
    let fail = |reason: String| TlsError::CaFile {
        path: path.to_owned(),
        reason,
    };
    let mut roots = RootCertStore::empty();
    let certificates =
        CertificateDer::pem_file_iter(path).map_err(|error| fail(error.to_string()))?;
    for certificate in certificates {
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
