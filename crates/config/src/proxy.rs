//! Proxies between the gateway and a provider.

use std::fmt;
use std::hash::{Hash, Hasher};

use http::Uri;

use crate::environment::Environment;
use crate::secret::Secret;

/// The variables that name a proxy for hosts over TLS, and those that name the hosts that are reached without it; the first
/// that is set counts. Lower case first, as curl has it.
const HTTPS_PROXY: [&str; 2] = ["https_proxy", "HTTPS_PROXY"];
const NO_PROXY: [&str; 2] = ["no_proxy", "NO_PROXY"];

/// What is spoken with a proxy.
const SCHEMES: [&str; 4] = ["http", "https", "socks5", "socks5h"];

/// A proxy that connects to a host and passes on what comes: by HTTP's CONNECT, or SOCKS 5.
#[derive(Clone)]
pub struct Proxy {
    url: Secret,
    /// Scheme, host and port, which may be told.
    shown: String,
    /// The hosts that are reached without it, as `NO_PROXY` has them; none for a provider's own proxy, which is always
    /// meant.
    exceptions: Option<String>,
}

/// A text names no proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProxyError {
    #[error("is not a URL")]
    Syntax,
    #[error("must start with `http://`, `https://`, `socks5://` or `socks5h://`")]
    Scheme,
}

impl Proxy {
    /// A provider's own.
    pub(crate) fn own(url: &str) -> Result<Self, ProxyError> {
        Self::new(url, None)
    }

    /// The environment's, with the variable that names it.
    pub(crate) fn of_environment(
        environment: &dyn Environment,
    ) -> Option<(&'static str, Result<Self, ProxyError>)> {
        let first = |names: [&'static str; 2]| {
            let mut set = names.into_iter();
            set.find_map(|name| Some((name, environment.var(name)?)))
        };
        let (name, url) = first(HTTPS_PROXY)?;
        let exceptions = first(NO_PROXY).map_or_else(String::new, |(_, hosts)| hosts);
        if exceptions.split(',').any(|host| host.trim() == "*") {
            return None;
        }
        Some((name, Self::new(&url, Some(exceptions))))
    }

    fn new(url: &str, exceptions: Option<String>) -> Result<Self, ProxyError> {
        let url = url.trim();
        let url = match url.contains("://") {
            true => url.to_owned(),
            // As variables are often written.
            false => format!("http://{url}"),
        };
        let uri: Uri = url.parse().map_err(|_| ProxyError::Syntax)?;
        let (Some(scheme), Some(host)) = (uri.scheme_str(), uri.host()) else {
            return Err(ProxyError::Syntax);
        };
        if host.is_empty() {
            return Err(ProxyError::Syntax);
        }
        if !SCHEMES.contains(&scheme) {
            return Err(ProxyError::Scheme);
        }
        let port = uri
            .port()
            .map_or_else(String::new, |port| format!(":{port}"));
        Ok(Self {
            shown: format!("{scheme}://{host}{port}"),
            url: Secret::new(url),
            exceptions,
        })
    }

    /// Its whole URL, with the user's name and password if it asks for them.
    #[must_use]
    pub const fn url(&self) -> &Secret {
        &self.url
    }

    /// The hosts that are reached without it, as `NO_PROXY` has them, if it is the environment's: that one is for hosts
    /// over TLS, and never for loopback. A provider's own is always meant.
    #[must_use]
    pub fn exceptions(&self) -> Option<&str> {
        self.exceptions.as_deref()
    }

    /// Whether it is itself spoken to over TLS.
    #[must_use]
    pub fn uses_tls(&self) -> bool {
        self.shown.starts_with("https:")
    }

    /// The password in its URL.
    #[must_use]
    pub fn password(&self) -> Option<&str> {
        let (_, behind) = self.url.expose().split_once("://")?;
        let authority = behind.split(['/', '?']).next()?;
        let (user, _) = authority.rsplit_once('@')?;
        let (_, password) = user.split_once(':')?;
        Some(password).filter(|password| !password.is_empty())
    }
}

/// Scheme, host and port.
impl fmt::Display for Proxy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.shown)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Proxy({})", self.shown)
    }
}

impl PartialEq for Proxy {
    fn eq(&self, other: &Self) -> bool {
        self.url.expose() == other.url.expose() && self.exceptions == other.exceptions
    }
}

impl Eq for Proxy {}

impl Hash for Proxy {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.url.expose().hash(state);
        self.exceptions.hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::FixedEnvironment;

    #[test]
    fn a_proxy_is_shown_without_who_asks_it() {
        let check = |url: &str, shown: Result<&str, ProxyError>, password: Option<&str>| {
            let proxy = Proxy::own(url);
            let told = proxy.as_ref().map(ToString::to_string);
            assert_eq!(told.as_deref().map_err(|error| **error), shown, "{url}");
            assert_eq!(
                proxy.ok().as_ref().and_then(Proxy::password),
                password,
                "{url}"
            );
        };
        check("http://p.example:3128", Ok("http://p.example:3128"), None);
        check(
            "http://u:pa%40ss@p.example:3128/",
            Ok("http://p.example:3128"),
            Some("pa%40ss"),
        );
        check("socks5h://u@[::1]:1080", Ok("socks5h://[::1]:1080"), None);
        check("https://p.example", Ok("https://p.example"), None);
        check("p.example:3128", Ok("http://p.example:3128"), None);
        check("ftp://p.example", Err(ProxyError::Scheme), None);
        check("http://", Err(ProxyError::Syntax), None);
        check("no proxy", Err(ProxyError::Syntax), None);
    }

    #[test]
    fn the_environment_names_one() {
        let check = |variables: &[(&str, &str)], expected: Option<(&str, &str, &str)>| {
            let environment = FixedEnvironment::new(variables.iter().copied());
            let found = Proxy::of_environment(&environment).map(|(name, proxy)| {
                let proxy = proxy.unwrap();
                let exceptions = proxy.exceptions().unwrap().to_owned();
                (name, proxy.to_string(), exceptions)
            });
            let found = (found.as_ref()).map(|(name, proxy, no)| (*name, &**proxy, &**no));
            assert_eq!(found, expected, "{variables:?}");
        };
        check(&[], None);
        check(&[("HTTPS_PROXY", "http://p:1"), ("NO_PROXY", "*")], None);
        check(&[("HTTP_PROXY", "http://p:1"), ("NO_PROXY", "a")], None);
        check(
            &[("HTTPS_PROXY", "http://p:1")],
            Some(("HTTPS_PROXY", "http://p:1", "")),
        );
        check(
            &[
                ("HTTPS_PROXY", "p:1"),
                ("https_proxy", "socks5://q"),
                ("no_proxy", "a,b"),
            ],
            Some(("https_proxy", "socks5://q", "a,b")),
        );
    }
}
