//! What a request must look like before anything is done for it.
//!
//! A page in the user's browser can reach loopback: by a foreign `Origin`, by a form post, or under its own name
//! through DNS rebinding. All three are refused here, before a body is read; no CORS header is ever sent
//! (`docs/adr/0003-no-cors.md`). What makes a connection something else than requests in a row is refused too.

use http::header::{CONTENT_TYPE, HOST, ORIGIN, UPGRADE};
use http::uri::Authority;
use http::{HeaderMap, HeaderName, Method, Uri};
use lingate_wire::turn::{Failure, FailureKind};

use super::limits::{HEAD_BYTES, HEAD_LINES};

/// How the page that a browser asks for stands to this host.
static FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// Names of this machine that are always fine to be asked for.
const LOOPBACK_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// Refuses to turn a connection into a tunnel or another protocol: what the client sends behind such a request is no
/// request, so the connection has to end with the refusal.
pub(crate) fn check_protocol(
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<(), Failure> {
    if method == Method::CONNECT {
        return Err(Failure::new(
            FailureKind::MethodNotAllowed,
            "this gateway is no proxy for CONNECT; give it to the client as its base URL",
        ));
    }
    if headers.contains_key(UPGRADE) {
        return Err(Failure::new(
            FailureKind::InvalidRequest,
            "`Upgrade` is not served here; leave it out, HTTP/1.1 and HTTP/2 (by prior knowledge) are",
        ));
    }
    // HTTP/1 is counted while it is parsed.
    if headers.len() > HEAD_LINES {
        return Err(Failure::new(
            FailureKind::HeadTooLarge,
            format!("there are more than {HEAD_LINES} header lines"),
        ));
    }
    // Without blanks, colons and ends of lines, which nobody sees any more.
    let lines = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len());
    let target = uri.path().len() + uri.query().map_or(0, str::len);
    if target + lines.sum::<usize>() > HEAD_BYTES {
        return Err(Failure::new(
            FailureKind::HeadTooLarge,
            format!("the request's head is larger than {HEAD_BYTES} bytes"),
        ));
    }
    Ok(())
}

/// Refuses requests for foreign hosts and from foreign pages.
pub(crate) fn check_source(
    headers: &HeaderMap,
    uri: &Uri,
    hosts: &[String],
) -> Result<(), Failure> {
    let host = asked_host(headers, uri)?;
    let is_ours = |name: &str| {
        LOOPBACK_NAMES
            .iter()
            .any(|own| own.eq_ignore_ascii_case(name))
            || hosts.iter().any(|own| own.eq_ignore_ascii_case(name))
    };
    if !is_ours(name_of(host)) && !hosts.iter().any(|own| own.eq_ignore_ascii_case(host)) {
        return Err(Failure::new(
            FailureKind::MisdirectedRequest,
            format!(
                "this gateway is not `{host}`; names it may be asked for go into `server.hosts`"
            ),
        ));
    }
    for origin in headers.get_all(ORIGIN) {
        let is_same = origin
            .to_str()
            .ok()
            .and_then(|origin| origin.split_once("://"))
            .is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host));
        if !is_same {
            return Err(foreign_page("its `Origin` is another site"));
        }
    }
    if let Some(site) = headers.get(&FETCH_SITE)
        && !matches!(site.as_bytes(), b"same-origin" | b"none")
    {
        return Err(foreign_page(
            "`Sec-Fetch-Site` says that another site sent it",
        ));
    }
    Ok(())
}

/// Posts carry JSON: a form or plain text is what a page may send without asking.
pub(crate) fn check_content_type(method: &Method, headers: &HeaderMap) -> Result<(), Failure> {
    if method != Method::POST {
        return Ok(());
    }
    let content_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("");
    let media_type = content_type.split(';').next().unwrap_or("").trim();
    if media_type.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Failure::new(
        FailureKind::UnsupportedMediaType,
        format!(
            "content type `{media_type}` is not read here; send `content-type: application/json`"
        ),
    ))
}

/// The host the client meant, with its port if it said one.
fn asked_host<'a>(headers: &'a HeaderMap, uri: &'a Uri) -> Result<&'a str, Failure> {
    let mut named = headers.get_all(HOST).iter();
    let header = match (named.next(), named.next()) {
        (Some(host), None) => Some(host.to_str().unwrap_or("")),
        (None, _) => None,
        (Some(_), Some(_)) => return Err(misdirected("there is more than one `Host` header")),
    };
    let authority = uri.authority().map(Authority::as_str);
    match (header, authority) {
        (Some(host), Some(authority)) if !host.eq_ignore_ascii_case(authority) => {
            Err(misdirected("`Host` and the request's authority differ"))
        }
        (Some(host), _) | (None, Some(host)) if !host.is_empty() => Ok(host),
        _ => Err(misdirected("there is no `Host`")),
    }
}

/// A host without its port.
fn name_of(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port))
            if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            name
        }
        _ => host,
    }
}

fn misdirected(what: &str) -> Failure {
    Failure::new(FailureKind::MisdirectedRequest, what)
}

fn foreign_page(what: &str) -> Failure {
    Failure::new(
        FailureKind::Permission,
        format!("a web page may not use this gateway: {what}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: &[(&str, &str)]) -> Option<FailureKind> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                value.parse().unwrap(),
            );
        }
        check_source(
            &map,
            &Uri::from_static("/v1/messages"),
            &["gate.example".to_owned()],
        )
        .err()
        .map(|failure| failure.kind)
    }

    #[test]
    fn hosts() {
        for host in [
            "localhost",
            "LOCALHOST:1",
            "127.0.0.1:8484",
            "[::1]:80",
            "gate.example",
            "gate.example:443",
        ] {
            assert_eq!(check(&[("host", host)]), None, "{host}");
        }
        for host in [
            "",
            "evil.test",
            "evil.test:8484",
            "localhost.evil.test",
            "127.0.0.1.evil.test",
            "evil.test:80:8484",
            "localhost:4000/#@evil",
            "127.0.0.2",
            "[::1",
        ] {
            assert_eq!(
                check(&[("host", host)]),
                Some(FailureKind::MisdirectedRequest),
                "{host}"
            );
        }
        assert_eq!(check(&[]), Some(FailureKind::MisdirectedRequest));
        assert_eq!(
            check(&[("host", "localhost"), ("host", "evil.test")]),
            Some(FailureKind::MisdirectedRequest)
        );
    }

    #[test]
    fn pages() {
        let host = ("host", "localhost:8484");
        let cases = [
            (("origin", "http://localhost:8484"), None),
            (
                ("origin", "https://evil.test"),
                Some(FailureKind::Permission),
            ),
            (("origin", "null"), Some(FailureKind::Permission)),
            (
                ("origin", "http://localhost:9999"),
                Some(FailureKind::Permission),
            ),
            (("sec-fetch-site", "none"), None),
            (("sec-fetch-site", "same-origin"), None),
            (
                ("sec-fetch-site", "same-site"),
                Some(FailureKind::Permission),
            ),
            (
                ("sec-fetch-site", "cross-site"),
                Some(FailureKind::Permission),
            ),
        ];
        for (header, expected) in cases {
            assert_eq!(check(&[host, header]), expected, "{header:?}");
        }
    }

    #[test]
    fn only_json_is_posted() {
        let with = |content_type: &str| {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, content_type.parse().unwrap())]);
            check_content_type(&Method::POST, &headers).is_ok()
        };
        assert!(with("application/json"));
        assert!(with("Application/JSON; charset=utf-8"));
        assert!(!with("text/plain"));
        assert!(!with("application/x-www-form-urlencoded"));
        assert!(check_content_type(&Method::POST, &HeaderMap::new()).is_err());
        assert!(check_content_type(&Method::GET, &HeaderMap::new()).is_ok());
    }
}
