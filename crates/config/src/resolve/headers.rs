//! `headers = { }` of providers and targets.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::document::dotted;
use crate::report::{Path, Report};

/// Headers that belong to the connection or the body, which the gateway alone sets.
const RESERVED: [&str; 6] = [
    "connection",
    "content-length",
    "content-type",
    "host",
    "te",
    "transfer-encoding",
];

/// The headers at `path`; values may be secrets and are never shown.
pub(super) fn headers(
    entries: &BTreeMap<String, String>,
    path: Path<'_>,
    report: &mut Report,
) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in entries {
        let path = [path, &["headers", name.as_str()]].concat();
        let Ok(header) = HeaderName::try_from(name.as_str()) else {
            report.error(&path, format!("`{name}` is not a header's name"), None);
            continue;
        };
        if RESERVED.contains(&header.as_str()) {
            report.error(
                &path,
                format!("header `{header}` is set by the gateway"),
                Some("leave it out".to_owned()),
            );
            continue;
        }
        let Ok(mut value) = HeaderValue::try_from(value.as_str()) else {
            let message = format!(
                "`{}` holds a character that no header may hold",
                dotted(&path)
            );
            report.error(&path, message, None);
            continue;
        };
        value.set_sensitive(true);
        headers.insert(header, value);
    }
    headers
}
