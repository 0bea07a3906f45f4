//! A small HTTP/1.1 client that knows when each piece arrived. One request, one connection.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, Request as HttpRequest, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::canary;

/// No answer of a test takes longer.
const LIMIT: Duration = Duration::from_secs(60);

/// Headers in which clients show their keys.
const CREDENTIALS: [&str; 3] = ["authorization", "x-api-key", "x-goog-api-key"];

/// A request to be sent.
#[derive(Clone, Debug)]
pub struct Request {
    method: Method,
    url: String,
    headers: Vec<(String, String)>,
    body: Bytes,
}

/// A POST of JSON.
pub fn post(url: &str, body: &Value) -> Request {
    Request::new(Method::POST, url)
        .header("content-type", "application/json")
        .body(body.to_string())
}

/// A GET.
pub fn get(url: &str) -> Request {
    Request::new(Method::GET, url)
}

/// Sends these bytes to `HOST:PORT` and returns everything until the other side closes, or for as long as `limit`.
pub async fn raw(address: &str, bytes: &[u8], limit: Duration) -> Vec<u8> {
    let mut socket = TcpStream::connect(address)
        .await
        .expect("the server accepts connections");
    socket.write_all(bytes).await.expect("the server reads");
    let mut answer = Vec::new();
    // A reset or the limit ends the answer like a close does: what came until then is the result.
    let _ = tokio::time::timeout(limit, socket.read_to_end(&mut answer)).await;
    canary::none(&canary::found_in("an answer", &answer));
    answer
}

impl Request {
    /// A request without headers and body.
    pub fn new(method: Method, url: &str) -> Request {
        Request {
            method,
            url: url.to_owned(),
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    /// With a header more. A credential is planted as a [`canary`].
    pub fn header(mut self, name: &str, value: &str) -> Request {
        if CREDENTIALS.iter().any(|own| name.eq_ignore_ascii_case(own)) {
            canary::plant(value.split_once(' ').map_or(value, |(_, key)| key));
        }
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a body.
    pub fn body(mut self, body: impl Into<Bytes>) -> Request {
        self.body = body.into();
        self
    }

    /// Sends it and waits for the head of the answer.
    pub async fn send(self) -> Response {
        self.try_send()
            .await
            .unwrap_or_else(|error| panic!("no answer: {error}"))
    }

    /// As [`Request::send`], for servers that may refuse.
    pub async fn try_send(self) -> Result<Response, String> {
        let sent = Instant::now();
        let answer = tokio::time::timeout(LIMIT, self.exchange());
        let (driver, answer) = answer
            .await
            .map_err(|_| format!("nothing within {LIMIT:?}"))??;
        let (head, body) = answer.into_parts();
        let (status, headers) = (head.status.as_u16(), head.headers);
        for (name, value) in &headers {
            let place = format!("header {name} of an answer");
            canary::none(&canary::found_in(&place, value.as_bytes()));
        }
        Ok(Response {
            status,
            headers,
            sent,
            head_after: sent.elapsed(),
            body,
            search: canary::Search::default(),
            _driver: driver,
        })
    }

    async fn exchange(self) -> Result<(JoinSet<()>, http::Response<Incoming>), String> {
        let uri: Uri = self
            .url
            .parse()
            .map_err(|error| format!("{}: {error}", self.url))?;
        let authority = uri
            .authority()
            .ok_or_else(|| format!("{} has no host", self.url))?
            .as_str()
            .to_owned();
        let socket = TcpStream::connect(&authority)
            .await
            .map_err(|error| format!("connect {authority}: {error}"))?;
        let _ = socket.set_nodelay(true);
        let io = TokioIo::new(socket);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(io)
            .await
            .map_err(|error| error.to_string())?;
        let mut driver = JoinSet::new();
        driver.spawn(async move {
            // Its errors also reach the body that is being read.
            let _ = connection.await;
        });
        let target = uri.path_and_query().map_or("/", |target| target.as_str());
        let mut request = HttpRequest::builder().method(self.method).uri(target);
        if !self
            .headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("host"))
        {
            request = request.header("host", authority);
        }
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        let request = request
            .body(Full::new(self.body))
            .map_err(|error| error.to_string())?;
        let answer = sender
            .send_request(request)
            .await
            .map_err(|error| error.to_string())?;
        Ok((driver, answer))
    }
}

/// An answer whose body is still to be read. Dropping it closes the connection.
pub struct Response {
    /// 200.
    pub status: u16,
    /// Names in lower case.
    pub headers: HeaderMap,
    /// When the request was sent.
    pub sent: Instant,
    /// How long the head took.
    pub head_after: Duration,
    body: Incoming,
    search: canary::Search,
    _driver: JoinSet<()>,
}

impl Response {
    /// A header's value; empty where it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// The next piece of the body; an error when it broke off.
    pub async fn piece(&mut self) -> Option<Result<Bytes, String>> {
        loop {
            let frame = tokio::time::timeout(LIMIT, self.body.frame()).await;
            let frame =
                frame.unwrap_or_else(|_| panic!("the body paused for more than {LIMIT:?}"))?;
            match frame.map(hyper::body::Frame::into_data) {
                Ok(Ok(data)) => {
                    canary::none(&self.search.feed("the body of an answer", &data));
                    return Some(Ok(data));
                }
                Ok(Err(_trailers)) => {}
                Err(error) => return Some(Err(error.to_string())),
            }
        }
    }

    /// The whole body.
    ///
    /// # Panics
    /// When it breaks off.
    pub async fn bytes(mut self) -> Bytes {
        let mut whole = BytesMut::new();
        while let Some(piece) = self.piece().await {
            whole.extend_from_slice(
                &piece.unwrap_or_else(|error| panic!("the body broke off: {error}")),
            );
        }
        whole.freeze()
    }

    /// The whole body as text.
    pub async fn text(self) -> String {
        String::from_utf8_lossy(&self.bytes().await).into_owned()
    }

    /// The whole body as JSON.
    pub async fn json(self) -> Value {
        let text = self.text().await;
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("not JSON ({error}): {text}"))
    }

    /// The body as server-sent events.
    pub fn events(self) -> Events {
        Events {
            response: self,
            buffer: String::new(),
            broken: None,
        }
    }
}

/// One server-sent event, or one comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// How long after the request it was complete.
    pub after: Duration,
    /// The `event:` line's value; `:` for a comment; empty where there was none.
    pub name: String,
    /// The `data:` lines, joined; a comment's text.
    pub data: String,
}

impl Event {
    /// The data as JSON, or null where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_default()
    }
}

/// Server-sent events as they arrive.
pub struct Events {
    response: Response,
    buffer: String,
    broken: Option<String>,
}

impl Events {
    /// The next event; none at the end of the body, however it ended.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((block, rest)) = self.buffer.split_once("\n\n") {
                let event = event(block, self.response.sent.elapsed());
                self.buffer = rest.to_owned();
                return Some(event);
            }
            match self.response.piece().await? {
                // Servers under test write `\n` only, and whole characters: anything else shows as a failed comparison.
                Ok(piece) => self.buffer.push_str(&String::from_utf8_lossy(&piece)),
                Err(error) => self.broken = Some(error),
            }
            if self.broken.is_some() {
                return None;
            }
        }
    }

    /// Every event until the end.
    pub async fn all(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        events
    }

    /// Why the body broke off, if it did.
    pub fn broken(&self) -> Option<&str> {
        self.broken.as_deref()
    }

    /// Bytes after the last complete event.
    pub fn rest(&self) -> &str {
        &self.buffer
    }
}

fn event(block: &str, after: Duration) -> Event {
    let mut event = Event {
        after,
        name: String::new(),
        data: String::new(),
    };
    let mut data = Vec::new();
    for line in block.lines() {
        match line.split_once(':') {
            Some(("", comment)) => {
                event.name = ":".to_owned();
                data.push(comment.trim_start());
            }
            Some(("event", name)) => event.name = name.trim_start().to_owned(),
            Some(("data", value)) => data.push(value.strip_prefix(' ').unwrap_or(value)),
            Some(_) | None => {}
        }
    }
    event.data = data.join("\n");
    event
}
