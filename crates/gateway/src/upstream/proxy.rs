//! TCP connections to providers: straight, or through the proxy that stands between. TLS goes over whatever comes of it, so
//! a proxy sees no more than the host's name.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Uri;
use http::uri::{Authority, Scheme};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;
use lingate_config::{Proxy, is_loopback};
use tokio::net::TcpStream;
use tower_service::Service;

/// Makes connections. Holds a proxy's password: has no `Debug`.
#[derive(Clone)]
pub(super) struct Transport {
    straight: HttpConnector,
    through: Option<Through>,
}

/// A proxy, and the hosts that are reached through it.
#[derive(Clone)]
struct Through {
    /// As it may be told.
    shown: String,
    is_environments: bool,
    hosts: Arc<Matcher>,
    by: By,
}

/// How a proxy is asked.
#[derive(Clone)]
enum By {
    /// HTTP's CONNECT, itself over TLS where the proxy's URL says so.
    Connect(Box<Tunnel<HttpsConnector<HttpConnector>>>),
    /// SOCKS 5.
    Socks(SocksV5<HttpConnector>),
}

/// A proxy did not connect.
#[derive(Debug)]
pub(super) struct ProxyFailed {
    proxy: String,
    cause: Box<dyn Error + Send + Sync>,
}

type Failed = Box<dyn Error + Send + Sync>;

impl Transport {
    /// Straight to every host.
    pub(super) const fn straight(straight: HttpConnector) -> Self {
        Self {
            straight,
            through: None,
        }
    }

    /// Through `proxy` to the hosts that it is meant for, straight to others. `to_proxy` connects to one that is spoken to
    /// over TLS. `None` if its URL cannot be used.
    pub(super) fn through(
        proxy: &Proxy,
        straight: HttpConnector,
        to_proxy: HttpsConnector<HttpConnector>,
    ) -> Option<Self> {
        let through = Through::new(proxy, &straight, to_proxy)?;
        Some(Self {
            straight,
            through: Some(through),
        })
    }
}

impl Through {
    fn new(
        proxy: &Proxy,
        straight: &HttpConnector,
        to_proxy: HttpsConnector<HttpConnector>,
    ) -> Option<Self> {
        let url = proxy.url().expose();
        let hosts = match proxy.exceptions() {
            Some(exceptions) => Matcher::builder().https(url).no(exceptions),
            None => Matcher::builder().all(url),
        };
        let asked = Matcher::builder().all(url).build();
        let asked = asked.intercept(&Uri::from_static("https://any.invalid"))?;
        let address = with_port(asked.uri())?;
        let by = match address.scheme_str() {
            Some(scheme @ ("socks5" | "socks5h")) => {
                let socks = SocksV5::new(address.clone(), straight.clone());
                // The `h` asks the proxy to look names up.
                let socks = socks.local_dns(scheme == "socks5");
                By::Socks(match asked.raw_auth() {
                    Some((user, password)) => socks.with_auth(user.to_owned(), password.to_owned()),
                    None => socks,
                })
            }
            _ => {
                let tunnel = Tunnel::new(address, to_proxy);
                By::Connect(Box::new(match asked.basic_auth() {
                    Some(credentials) => tunnel.with_auth(credentials.clone()),
                    None => tunnel,
                }))
            }
        };
        Some(Self {
            shown: proxy.to_string(),
            is_environments: proxy.exceptions().is_some(),
            hosts: Arc::new(hosts.build()),
            by,
        })
    }

    /// Whether this host is reached through it.
    fn is_for(&self, to: &Uri) -> bool {
        let is_here = || to.host().is_some_and(|host| is_loopback(bare(host)));
        self.hosts.intercept(to).is_some() && !(self.is_environments && is_here())
    }
}

/// Without the brackets of an IPv6 address.
fn bare(host: &str) -> &str {
    let inner = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    inner.unwrap_or(host)
}

/// A URL with its port in it: a proxy is told the port that is meant, and is itself asked at its scheme's.
fn with_port(uri: &Uri) -> Option<Uri> {
    let usual = match uri.scheme_str()? {
        "http" => 80,
        "https" => 443,
        _ => 1080,
    };
    let port = uri.port_u16().unwrap_or(usual);
    let authority: Authority = format!("{}:{port}", uri.host()?).parse().ok()?;
    let scheme: Scheme = uri.scheme()?.clone();
    let uri = Uri::builder().scheme(scheme).authority(authority);
    uri.path_and_query("/").build().ok()
}

impl Service<Uri> for Transport {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = Failed;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Failed>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        // Those of a proxy are made of connectors like this one.
        self.straight.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let through = self.through.as_mut().filter(|through| through.is_for(&to));
        let Some((through, to)) = through.zip(with_port(&to)) else {
            let connecting = self.straight.call(to);
            return Box::pin(async move { Ok(MaybeHttpsStream::Http(connecting.await?)) });
        };
        let proxy = through.shown.clone();
        let failed = move |cause| -> Failed { Box::new(ProxyFailed { proxy, cause }) };
        match &mut through.by {
            By::Connect(tunnel) => {
                let connecting = tunnel.call(to);
                Box::pin(async move { connecting.await.map_err(|error| failed(error.into())) })
            }
            By::Socks(socks) => {
                let connecting = socks.call(to);
                Box::pin(async move {
                    let connected = connecting.await.map_err(|error| failed(error.into()))?;
                    Ok(MaybeHttpsStream::Http(connected))
                })
            }
        }
    }
}

impl fmt::Display for ProxyFailed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "proxy {}", self.proxy)
    }
}

impl Error for ProxyFailed {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.cause)
    }
}

#[cfg(test)]
mod tests {
    use lingate_config::{Config, FixedEnvironment, LoadOptions};

    use super::*;
    use crate::upstream::client::{self, Way};

    /// Which of these hosts are reached through the proxy of a provider.
    fn reached<'u>(own: &str, environment: &[(&str, &str)], hosts: &[&'u str]) -> Vec<&'u str> {
        let text = format!(
            "[providers.p]\nbase_url = \"https://p.test\"\nauth = \"none\"\nproxy = \"{own}\"\n"
        );
        let environment = FixedEnvironment::new(environment.iter().copied());
        let config = Config::from_text(None, &text, &LoadOptions::default(), &environment);
        let config = config.unwrap_or_else(|problems| panic!("{problems}"));
        let way = Way::of(config.provider("p").unwrap());
        let transport = client::transport(&way).unwrap();
        let is_for = |host: &&str| {
            let to = Uri::try_from(*host).unwrap();
            let through = transport.through.as_ref();
            through.is_some_and(|through| through.is_for(&to))
        };
        hosts.iter().copied().filter(is_for).collect()
    }

    #[test]
    fn a_proxy_is_for_the_hosts_that_are_meant() {
        const ALL: [&str; 6] = [
            "https://a.test/v1",
            "https://b.a.test:8443/v1",
            "https://10.1.2.3/v1",
            "http://a.test/v1",
            "https://localhost:9/v1",
            "https://[::1]:9/v1",
        ];
        let check = |own: &str, no: &str, expected: &[&str]| {
            let environment = [("HTTPS_PROXY", "http://all.test:3128"), ("no_proxy", no)];
            assert_eq!(reached(own, &environment, &ALL), expected, "{own} {no}");
        };
        assert!(reached("", &[("NO_PROXY", "x")], &ALL).is_empty());
        check("", "", &ALL[..3]);
        check("", "b.a.test", &[ALL[0], ALL[2]]);
        check("", "a.test, 10.0.0.0/8", &[]);
        check("", "*", &[]);
        // Whoever names one for a provider means all of its hosts.
        check("socks5h://own.test", "*", &ALL);
    }

    #[test]
    fn a_host_is_told_with_its_port() {
        let check = |url: &str, expected: &str| {
            let url = Uri::try_from(url).unwrap();
            assert_eq!(with_port(&url).unwrap(), expected);
        };
        check("https://a.test/v1?q", "https://a.test:443/");
        check("http://a.test:81", "http://a.test:81/");
        check("http://[::1]", "http://[::1]:80/");
        check("socks5://p.test", "socks5://p.test:1080/");
    }
}
