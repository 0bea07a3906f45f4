//! What an export will hold, in a few words.

use std::collections::BTreeSet;

use jiff::Timestamp;
use lingate_store::Reader;
use uuid::Uuid;

use super::super::damaged::is_of_one;
use super::super::{failed, rows};
use crate::failure::Failure;
use crate::output;

/// Counted before anything is written.
#[derive(Debug, Default)]
pub(super) struct Preview {
    exchanges: usize,
    bytes: u64,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    hosts: BTreeSet<String>,
    sessions: BTreeSet<String>,
    /// Exchanges of which no body is left.
    bare: usize,
}

impl Preview {
    pub(super) fn of(reader: &Reader, ids: &[Uuid]) -> Result<Self, Failure> {
        let mut preview = Self::default();
        for id in ids {
            let record = match reader.get(*id) {
                Ok(Some(record)) => record,
                Ok(None) => continue,
                // It is said when it is left out.
                Err(error) if is_of_one(&error) => continue,
                Err(error) => return Err(failed(&error)),
            };
            let time = record.exchange.time;
            preview.exchanges += 1;
            preview.first = Some(preview.first.map_or(time, |first| first.min(time)));
            preview.last = Some(preview.last.map_or(time, |last| last.max(time)));
            let bodies = record.bodies.iter().filter(|body| body.available);
            preview.bytes += bodies.clone().map(|body| body.bytes).sum::<u64>();
            preview.bare += usize::from(bodies.count() == 0);
            preview.sessions.extend(record.exchange.session);
            let hosts = record
                .details
                .attempts
                .iter()
                .filter_map(|attempt| host(&attempt.url));
            preview.hosts.extend(hosts.map(str::to_owned));
        }
        Ok(preview)
    }

    pub(super) fn text(&self, is_redacted: bool) -> String {
        let time = |time: Option<Timestamp>| time.map(rows::time).unwrap_or_default();
        let hosts: Vec<&str> = self.hosts.iter().map(String::as_str).collect();
        let mut text = format!(
            "{} exchanges of {} sessions, {} to {}, {} bytes of bodies, hosts: {}",
            self.exchanges,
            self.sessions.len(),
            time(self.first),
            time(self.last),
            self.bytes,
            if hosts.is_empty() {
                "none".to_owned()
            } else {
                hosts.join(", ")
            },
        );
        if self.bare > 0 {
            text.push_str(&format!("; of {} no body was kept", self.bare));
        }
        text.push_str(match is_redacted {
            true => "; texts are replaced by filler, names of tools, models and members are not",
            false => "; prompts, files and answers are in it as they were said (`--redact-texts` replaces them)",
        });
        output::plain(&text).into_owned()
    }
}

/// The host of `POST https://host/path`.
fn host(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    rest.split('/').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_names_what_will_be_shared() {
        assert_eq!(
            host("POST https://api.example.com/v1/x"),
            Some("api.example.com")
        );
        assert_eq!(host("POST http://127.0.0.1:99"), Some("127.0.0.1:99"));
        assert_eq!(host(""), None);
        let preview = Preview {
            exchanges: 2,
            bytes: 300,
            hosts: ["a.example".to_owned()].into(),
            bare: 1,
            ..Preview::default()
        };
        let text = preview.text(false);
        for part in [
            "2 exchanges",
            "300 bytes",
            "a.example",
            "of 1 no body",
            "--redact-texts",
        ] {
            assert!(text.contains(part), "{text}");
        }
        assert!(preview.text(true).contains("filler"));
    }
}
