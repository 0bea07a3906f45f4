//! A recorded request, as it is sent again; and shown without being sent.
//!
//! What it asks for is kept to the byte. Who asks is not: a replay is ours, so it goes out under our own name, without the
//! client's credentials, session and description of itself, unless `--as-recorded` asks for the last two. Credentials are
//! never in the record; ours is `$LINGATE_KEY`, where the gateway wants one.

use std::process::ExitCode;

use bytestring::ByteString;
use lingate_config::SystemEnvironment;
use lingate_store::{BodyKind, Error, Exchange, Header, KeptBody, Reader, Record};
use lingate_wire::json::{Writer, scan};
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::damaged::Damaged;
use super::{Chosen, online};
use crate::args::LogsReplay;
use crate::commands::VERSION;
use crate::failure::Failure;
use crate::output;

/// Headers that change what is answered, and say nothing of who asks.
const ASKING: [&str; 5] = [
    "accept",
    "anthropic-beta",
    "anthropic-version",
    "content-type",
    "x-claude-code-request-class",
];

/// Never sent again: framing, encodings that were undone, what a proxy added, and our own.
const NEVER: [&str; 10] = [
    "accept-encoding",
    "cache-control",
    "cf-ray",
    "connection",
    "content-encoding",
    "content-length",
    "date",
    "host",
    "server",
    "transfer-encoding",
];

/// A request that is ready to be sent.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub id: Uuid,
    /// Path and query.
    pub target: String,
    pub headers: Vec<Header>,
    pub body: ByteString,
    /// How it was then.
    pub row: Exchange,
}

impl Request {
    /// Of a recorded exchange; `None` if there is nothing to send, which is said unless it is only gone.
    pub(super) fn read(
        args: &LogsReplay,
        reader: &Reader,
        id: Uuid,
        damaged: &Damaged,
    ) -> Result<Option<Self>, Failure> {
        let Some((record, body)) = damaged.pass(id, kept(reader, id))? else {
            return Ok(None);
        };
        let request = match body {
            Some(body) => Self::of(args, record, body.bytes),
            None => Err("its request was not kept".to_owned()),
        };
        Ok(request
            .inspect_err(|why| output::say(&format!("{id}: {why}")))
            .ok())
    }

    fn of(args: &LogsReplay, record: Record, body: Vec<u8>) -> Result<Self, String> {
        let row = record.exchange;
        let body = ByteString::try_from(body).map_err(|_| "its request is no text".to_owned())?;
        let kept = &record.details.client_request_headers;
        let mut target = match &row.profile {
            Some(profile) => format!("/{profile}{}", row.path),
            None => row.path.clone(),
        };
        if let Some(query) = &record.details.stood.query {
            target.push('?');
            target.push_str(query);
        }
        let (target, body) = match &args.model {
            None => (target, body),
            Some(model) => asking(model, &target, &body)?,
        };
        Ok(Self {
            id: row.id,
            target,
            headers: headers(kept, args.as_recorded),
            body,
            row,
        })
    }

    /// As one object.
    fn object(&self) -> Value {
        let headers = self.headers.iter();
        let headers =
            headers.map(|Header(name, value)| (name.to_string(), Value::from(value.as_str())));
        json!({
            "id": self.id.to_string(),
            "method": "POST",
            "path": self.target,
            "headers": headers.collect::<serde_json::Map<_, _>>(),
            "body": serde_json::from_str(&self.body).unwrap_or_else(|_| Value::from(&*self.body)),
        })
    }
}

/// What the record holds of a request; `None` if the exchange is gone.
fn kept(reader: &Reader, id: Uuid) -> Result<Option<(Record, Option<KeptBody>)>, Error> {
    let Some(record) = reader.get(id)? else {
        return Ok(None);
    };
    let body = reader.body(id, BodyKind::ClientRequest, None)?;
    Ok(Some((record, body)))
}

/// The headers that go out.
fn headers(kept: &[Header], as_recorded: bool) -> Vec<Header> {
    let goes = |name: &str| {
        !NEVER.contains(&name)
            && !name.starts_with("x-lingate-")
            && (as_recorded || ASKING.contains(&name))
    };
    let mut headers: Vec<Header> = kept.iter().filter(|own| goes(&own.0)).cloned().collect();
    let has = |headers: &[Header], name: &str| headers.iter().any(|own| own.0 == name);
    if !has(&headers, "content-type") {
        headers.insert(0, Header("content-type".into(), "application/json".into()));
    }
    if !has(&headers, "user-agent") {
        headers.push(Header(
            "user-agent".into(),
            format!("lingate/{VERSION}").into(),
        ));
    }
    headers
}

/// The same for another model: it stands in the body, or, on the Gemini wire, in the path. Nothing else changes.
fn asking(model: &str, target: &str, body: &ByteString) -> Result<(String, ByteString), String> {
    if let Some((before, rest)) = target.split_once("/models/")
        && let Some(verb) = rest.find(':')
    {
        let verb = rest.get(verb..).unwrap_or_default();
        return Ok((format!("{before}/models/{model}{verb}"), body.clone()));
    }
    let doc = scan(body).map_err(|error| format!("its request is no JSON: {error}"))?;
    let mut writer = Writer::with_capacity(body.len() + model.len());
    writer.begin_object();
    for (key, value) in doc.root().members() {
        writer.member(&key);
        match &*key {
            "model" => writer.raw(&Value::from(model).to_string()),
            _ => writer.raw(value.raw()),
        };
    }
    writer.end_object();
    let body = ByteString::try_from(writer.into_bytes());
    let body = body.map_err(|_| "its request is no text".to_owned())?;
    Ok((target.to_owned(), body))
}

/// Every request as one object a line.
pub(super) fn print(
    args: &LogsReplay,
    reader: &Reader,
    mut chosen: Chosen,
) -> Result<ExitCode, Failure> {
    let damaged = Damaged::default();
    while let Some(id) = chosen.next(reader)? {
        if let Some(request) = Request::read(args, reader, id, &damaged)? {
            output::json_lines([request.object()])?;
        }
    }
    damaged.end()?;
    Ok(ExitCode::SUCCESS)
}

/// What would be sent, and where.
pub(super) fn tell(
    args: &LogsReplay,
    reader: &Reader,
    mut chosen: Chosen,
    environment: &SystemEnvironment,
) -> Result<ExitCode, Failure> {
    let to = online::address(args, environment).map_or_else(
        |failure| format!("(nowhere: {failure})"),
        |to| to.to_string(),
    );
    let damaged = Damaged::default();
    let mut count = 0;
    while let Some(id) = chosen.next(reader)? {
        let Some(request) = Request::read(args, reader, id, &damaged)? else {
            continue;
        };
        count += 1;
        if args.format.json {
            output::json_lines([request.object()])?;
            continue;
        }
        output::line(&output::plain(&format!("POST {to}{}", request.target)))?;
        for Header(name, value) in &request.headers {
            output::line(&output::plain(&format!("  {name}: {value}")))?;
        }
        output::line(&format!(
            "  {} bytes, as recorded in {id}",
            request.body.len()
        ))?;
    }
    output::say(&format!("{count} would be sent, nothing was"));
    damaged.end()?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(name: &str, value: &str) -> Header {
        Header(name.into(), value.into())
    }

    #[test]
    fn a_replay_goes_out_under_its_own_name() {
        let kept = [
            header("accept-encoding", "gzip"),
            header("anthropic-beta", "one"),
            header("content-length", "7"),
            header("user-agent", "claude-cli/2"),
            header("x-claude-code-session-id", "s"),
            header("x-lingate-id", "i"),
        ];
        let names = |as_recorded| -> Vec<String> {
            let headers = headers(&kept, as_recorded);
            headers
                .into_iter()
                .map(|own| format!("{}: {}", own.0, own.1))
                .collect()
        };
        let own = format!("user-agent: lingate/{VERSION}");
        assert_eq!(
            names(false),
            [
                "content-type: application/json",
                "anthropic-beta: one",
                &own
            ]
        );
        assert_eq!(
            names(true),
            [
                "content-type: application/json",
                "anthropic-beta: one",
                "user-agent: claude-cli/2",
                "x-claude-code-session-id: s"
            ]
        );
    }

    #[test]
    fn another_model_is_the_only_change() {
        let check = |target: &str, body: &str, expected: (&str, &str)| {
            let (target, body) = asking("a/\"b\"", target, &body.into()).unwrap();
            assert_eq!((&*target, &*body), expected);
        };
        check(
            "/v1/messages",
            "{\"a\": 1.0,\"model\":\"x\",\"b\":[ 2 ]}",
            (
                "/v1/messages",
                "{\"a\":1.0,\"model\":\"a/\\\"b\\\"\",\"b\":[ 2 ]}",
            ),
        );
        check(
            "/v1beta/models/x:streamGenerateContent?alt=sse",
            "{}",
            ("/v1beta/models/a/\"b\":streamGenerateContent?alt=sse", "{}"),
        );
        asking("m", "/v1/messages", &"{".into()).unwrap_err();
    }
}
