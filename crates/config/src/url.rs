//! The one place that turns a base URL into the URL a request is sent to.
//!
//! People paste bases with and without `/v1`, with a trailing slash, or the full endpoint; all mean the same. A
//! base that ends in an endpoint has it taken off, a base that ends in a version gets the wire's tail, any other
//! gets version and tail. Nothing here knows a provider.

use http::Uri;
use http::uri::{Authority, PathAndQuery, Scheme};
use lingate_wire::Wire;

/// The schema format of base URLs.
pub(crate) const FORMAT: &str = "lingate-url";

/// An absolute `http` or `https` URL without credentials or fragment, its path in segments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BaseUrl {
    scheme: Scheme,
    authority: Authority,
    segments: Vec<String>,
    query: Option<String>,
}

/// The text is no base URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UrlError {
    #[error("is not a URL")]
    Syntax,
    #[error("must start with `https://` or `http://`")]
    Scheme,
    #[error("holds a user name or password")]
    Credentials,
    #[error("holds a fragment (`#`)")]
    Fragment,
}

impl UrlError {
    pub(crate) fn hint(self) -> Option<String> {
        match self {
            Self::Syntax | Self::Scheme => {
                Some("write it like `https://api.example.com/v1`".to_owned())
            }
            Self::Credentials => Some("use `api_key`".to_owned()),
            Self::Fragment => None,
        }
    }

    pub(crate) fn holds_secret(self) -> bool {
        self == Self::Credentials
    }
}

/// What follows the version on each wire, and the version if the base has none.
const fn shape(wire: Wire) -> (&'static str, &'static [&'static str]) {
    match wire {
        Wire::Anthropic => ("v1", &["messages"]),
        Wire::Chat => ("v1", &["chat", "completions"]),
        Wire::Responses => ("v1", &["responses"]),
        // The model and the method follow: `/v1beta/models/{model}:generateContent`.
        Wire::Gemini => ("v1beta", &["models"]),
    }
}

impl BaseUrl {
    pub(crate) fn parse(text: &str) -> Result<Self, UrlError> {
        if text.contains('#') {
            return Err(UrlError::Fragment);
        }
        let parts = text
            .trim()
            .parse::<Uri>()
            .map_err(|_| UrlError::Syntax)?
            .into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
            return Err(UrlError::Scheme);
        };
        if scheme != Scheme::HTTP && scheme != Scheme::HTTPS {
            return Err(UrlError::Scheme);
        }
        if authority.as_str().contains('@') {
            return Err(UrlError::Credentials);
        }
        let path = parts
            .path_and_query
            .unwrap_or_else(|| PathAndQuery::from_static("/"));
        let segments = path.path().split('/').filter(|segment| !segment.is_empty());
        Ok(Self {
            scheme,
            authority,
            segments: segments.map(str::to_owned).collect(),
            query: path.query().map(str::to_owned),
        })
    }

    /// Where requests of `wire` go.
    pub(crate) fn endpoint(&self, wire: Wire) -> Option<Uri> {
        let (version, tail) = shape(wire);
        self.join(version, tail)
    }

    /// Where the provider lists its models, on every wire's terms.
    pub(crate) fn models(&self) -> Option<Uri> {
        self.join("v1", &["models"])
    }

    /// The same host under another path.
    pub(crate) fn with_path(&self, path: &str) -> Option<Uri> {
        let path = path.strip_prefix('/')?;
        let text = format!("{}://{}/{path}", self.scheme, self.authority);
        text.parse().ok()
    }

    /// Whether requests would go in clear text.
    pub(crate) fn is_plain(&self) -> bool {
        self.scheme == Scheme::HTTP
    }

    /// The host in lower case, without the brackets of an IPv6 address.
    pub(crate) fn host(&self) -> String {
        let host = self.authority.host().to_ascii_lowercase();
        host.trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned()
    }

    /// The port, the scheme's if none is written.
    pub(crate) fn port(&self) -> u16 {
        let default = if self.is_plain() { 80 } else { 443 };
        self.authority.port_u16().unwrap_or(default)
    }

    /// The path without endpoint and version: what a provider's URLs have in common.
    pub(crate) fn root(&self) -> &[String] {
        let (root, _) = self.split();
        root
    }

    /// The wire that the path itself names: an endpoint at its end, or the last segment before the version.
    pub(crate) fn wire_in_path(&self) -> Option<Wire> {
        let named = |wire: &Wire| ends_with(&self.segments, shape(*wire).1);
        // Gemini's tail is the model list on every wire: it says nothing.
        let endpoint = [Wire::Anthropic, Wire::Chat, Wire::Responses]
            .into_iter()
            .find(named);
        endpoint.or_else(|| {
            let last = self.root().last()?;
            Wire::ALL
                .into_iter()
                .find(|wire| *wire == Wire::Anthropic && wire.name() == last)
        })
    }

    fn join(&self, version: &str, tail: &[&str]) -> Option<Uri> {
        let (root, own_version) = self.split();
        let mut path = String::new();
        let version = own_version.unwrap_or(version);
        for segment in root
            .iter()
            .map(String::as_str)
            .chain([version])
            .chain(tail.iter().copied())
        {
            path.push('/');
            path.push_str(segment);
        }
        let query = self
            .query
            .as_ref()
            .map(|query| format!("?{query}"))
            .unwrap_or_default();
        let text = format!("{}://{}{path}{query}", self.scheme, self.authority);
        text.parse().ok()
    }

    /// The path before version and endpoint, and the version. Doubled versions count once.
    fn split(&self) -> (&[String], Option<&str>) {
        let mut root = self.segments.as_slice();
        for wire in Wire::ALL {
            let tail = shape(wire).1;
            if ends_with(root, tail) {
                root = root.split_at(root.len() - tail.len()).0;
                break;
            }
        }
        let mut version = None;
        while let Some((last, rest)) = root.split_last() {
            if !is_version(last) || version.is_some_and(|version| version != last) {
                break;
            }
            version = Some(last.as_str());
            root = rest;
        }
        (root, version)
    }
}

/// `v1`, `v4`, `v1beta`, and the `openapi` of hosts that put it where the version stands.
fn is_version(segment: &str) -> bool {
    let numbered = |rest: &str| {
        rest.starts_with(|c: char| c.is_ascii_digit())
            && rest.chars().all(|c| c.is_ascii_alphanumeric())
    };
    segment == "openapi" || segment.strip_prefix('v').is_some_and(numbered)
}

fn ends_with(segments: &[String], tail: &[&str]) -> bool {
    let Some(start) = segments.len().checked_sub(tail.len()) else {
        return false;
    };
    let (_, end) = segments.split_at(start);
    end.iter().map(String::as_str).eq(tail.iter().copied())
}
