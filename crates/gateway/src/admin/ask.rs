//! The paths of the record's API.

use http::Method;
use lingate_store::BodyKind;

use super::parameters::Parameter;
use super::{livestore, logs, sessions, stats, tail};
use crate::front::route::percent_decoded;

/// What is asked of the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Pages of exchanges.
    Logs,
    /// One exchange, by its id, the beginning of it, or its row's number.
    Log(String),
    /// What a list shows of it.
    Summary(String),
    /// One of its bodies.
    Blob(String, BodyKind),
    /// Texts in bodies.
    Search,
    /// The different values of a field.
    Values,
    /// Conversations.
    Sessions,
    /// One conversation.
    Session(String),
    /// Sums.
    Stats,
    /// Exchanges as they end.
    Tail,
    /// Pages in the oldest protocol.
    Pull,
    /// How the record is doing.
    Record,
    /// The document that describes all this.
    Document,
}

impl Ask {
    /// What the path `/api/...` asks.
    pub(crate) fn of_path(path: &str) -> Option<Self> {
        let mut parts = path.strip_prefix("/api/")?.split('/');
        let part = |text: &str| (!text.is_empty()).then(|| percent_decoded(text));
        let parts = [
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
        ];
        Some(match parts {
            [Some("logs"), None, ..] => Self::Logs,
            [Some("logs"), Some("search"), None, ..] => Self::Search,
            [Some("logs"), Some("values"), None, ..] => Self::Values,
            [Some("logs"), Some(id), None, ..] => Self::Log(part(id)?),
            [Some("logs"), Some(id), Some("summary"), None, _] => Self::Summary(part(id)?),
            [Some("logs"), Some(id), Some("blobs"), Some(kind), None] => {
                Self::Blob(part(id)?, BodyKind::named(kind)?)
            }
            [Some("sessions"), None, ..] => Self::Sessions,
            [Some("sessions"), Some(id), None, ..] => Self::Session(part(id)?),
            [Some("stats"), None, ..] => Self::Stats,
            [Some("tail"), None, ..] => Self::Tail,
            [Some("livestore"), Some("pull"), None, ..] => Self::Pull,
            [Some("record"), None, ..] => Self::Record,
            [Some("openapi.json"), None, ..] => Self::Document,
            _ => return None,
        })
    }

    /// The methods that it answers.
    pub(crate) const fn methods(&self) -> &'static [Method] {
        match self {
            Self::Tail => &[Method::GET],
            _ => &[Method::GET, Method::HEAD],
        }
    }

    /// What may stand behind the `?`.
    pub(crate) const fn parameters(&self) -> &'static [Parameter] {
        match self {
            Self::Logs => logs::list::PARAMETERS,
            Self::Blob(..) => logs::blob::PARAMETERS,
            Self::Search => logs::search::PARAMETERS,
            Self::Values => logs::values::PARAMETERS,
            Self::Sessions => sessions::PARAMETERS,
            Self::Session(_) => sessions::ONE_PARAMETERS,
            Self::Stats => stats::PARAMETERS,
            Self::Tail => tail::PARAMETERS,
            Self::Pull => livestore::PARAMETERS,
            Self::Log(_) | Self::Summary(_) | Self::Record | Self::Document => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_has_its_question() {
        let log = |id: &str| Some(Ask::Log(id.to_owned()));
        for (path, expected) in [
            ("/api/logs", Some(Ask::Logs)),
            ("/api/logs/search", Some(Ask::Search)),
            ("/api/logs/values", Some(Ask::Values)),
            ("/api/logs/019a", log("019a")),
            ("/api/logs/a%2Fb", log("a/b")),
            ("/api/logs/019a/summary", Some(Ask::Summary("019a".into()))),
            (
                "/api/logs/019a/blobs/request",
                Some(Ask::Blob("019a".into(), BodyKind::ClientRequest)),
            ),
            (
                "/api/logs/019a/blobs/provider-response",
                Some(Ask::Blob("019a".into(), BodyKind::ProviderResponse)),
            ),
            ("/api/sessions", Some(Ask::Sessions)),
            ("/api/sessions/a%2Fb", Some(Ask::Session("a/b".into()))),
            ("/api/stats", Some(Ask::Stats)),
            ("/api/tail", Some(Ask::Tail)),
            ("/api/livestore/pull", Some(Ask::Pull)),
            ("/api/record", Some(Ask::Record)),
            ("/api/openapi.json", Some(Ask::Document)),
        ] {
            assert_eq!(Ask::of_path(path), expected, "{path}");
        }
        for path in [
            "/api",
            "/api/",
            "/api/log",
            "/api/logs/",
            "/api/logs//summary",
            "/api/logs/019a/path",
            "/api/logs/019a/blobs",
            "/api/logs/019a/blobs/",
            "/api/logs/019a/blobs/all",
            "/api/logs/019a/blobs/request/x",
            "/api/logs/019a/summary/",
            "/api/sessions/",
            "/api/sessions/a/b",
            "/api/livestore",
            "/api/stats/",
            "/apis/logs",
            "/logs",
        ] {
            assert_eq!(Ask::of_path(path), None, "{path}");
        }
    }
}
