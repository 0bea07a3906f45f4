//! What only the record wants to know of an exchange.
//!
//! The draft has what the log line and the metrics want; this is the rest, and none of it is gathered where nothing is
//! recorded. All of it is copied or shared, never waited for.

use std::sync::Arc;

use futures_util::FutureExt as _;
use http::{HeaderMap, Method, Response};
use http_body_util::{BodyExt as _, Either};
use lingate_store::{
    Alike, Attempt, Bodies, Body, BodyBytes, BodyKind, Bytes, Details, End, Exchange, Mark,
    Recorder, SmolStr, headers,
};
use lingate_wire::Wire;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::books::Books;
use super::tape::{Taken, Tape};
use crate::clock;
use crate::exchange::asked::Asked;
use crate::front::respond;
use crate::upstream::payload::Payload;

/// Moments of an exchange that are told.
const MOST_TIMINGS: usize = 1000;

/// An exchange as the record will show it, so far.
pub(crate) struct Gathered {
    recorder: Recorder,
    /// Cancelled when what runs is ended by force.
    ending: CancellationToken,
    accepted: Instant,
    /// The row as it was opened, with what only the client's request tells.
    asked: Exchange,
    is_open: bool,
    /// Why the next attempt is made; empty for the first.
    reason: SmolStr,
    pub(super) details: Details,
    bodies: Vec<Body>,
    /// Replies of upstreams, by attempt.
    replies: Vec<(u16, Arc<Tape>)>,
    answer: Option<Arc<Tape>>,
}

impl Gathered {
    /// Of a request that was just accepted at `path`; none where nothing is recorded.
    pub(crate) fn new(
        books: &Books,
        id: Uuid,
        accepted: Instant,
        wire: Wire,
        path: &str,
    ) -> Option<Self> {
        let recorder = books.recorder.clone()?;
        Some(Self {
            recorder,
            ending: books.ending.clone(),
            accepted,
            asked: Exchange {
                id,
                time: clock::accepted(&id),
                client_wire: Some(wire),
                path: path.to_owned(),
                ..Exchange::default()
            },
            is_open: false,
            reason: SmolStr::default(),
            details: Details::default(),
            bodies: Vec::new(),
            replies: Vec::new(),
            answer: None,
        })
    }

    /// The request is here whole: its row is opened, so that it is there even if the process dies.
    pub(crate) fn received(&mut self, asked: &Asked, model: &str, session: Option<&str>) {
        let (row, caller) = (&mut self.asked, asked.caller.name());
        model.clone_into(&mut row.model);
        row.session = session.map(str::to_owned);
        row.agent = asked.agent().map(str::to_owned);
        row.class = Some(asked.class().name().to_owned());
        row.profile.clone_from(&asked.profile);
        row.key = (!caller.is_empty()).then(|| caller.to_owned());
        row.stream = asked.peek.stream;
        self.details.client_request_headers = allowed(&asked.headers);
        self.mark("body_read");
        self.open_with(asked.doc.body().clone(), asked.alike());
    }

    /// A request that could not be read: all there is of it.
    pub(crate) fn open(&mut self, body: Bytes) {
        self.open_with(body, None);
    }

    fn open_with(&mut self, body: Bytes, alike: Option<Alike>) {
        self.is_open = true;
        let body = Body {
            alike,
            ..Body::whole(BodyKind::ClientRequest, 0, body)
        };
        let (now, later) = match self.recorder.bodies() {
            Bodies::Full => (vec![body], None),
            Bodies::Errors => (Vec::new(), Some(body)),
            Bodies::Metadata => (Vec::new(), None),
        };
        let given = now.clone();
        if !self.recorder.open(self.asked.clone(), now) {
            // There was no room: once more at the end.
            self.bodies.extend(given);
        }
        self.bodies.extend(later);
    }

    /// The attempt that comes next is made because of this.
    pub(crate) fn because(&mut self, reason: &str) {
        self.reason = reason.into();
    }

    /// Another attempt begins.
    pub(crate) fn attempt(&mut self, attempt: Attempt) {
        let started_us = self.since_us();
        let mut reason = std::mem::take(&mut self.reason);
        if reason.is_empty() {
            reason = SmolStr::new_static("first");
        }
        self.details.attempts.push(Attempt {
            started_us,
            reason,
            ..attempt
        });
    }

    /// The same request goes out once more, for this reason.
    pub(crate) fn attempt_again(&mut self, number: u16, reason: &str) {
        if let Some(Attempt {
            provider,
            model,
            wire,
            lane,
            ..
        }) = self.details.attempts.last().cloned()
        {
            self.because(reason);
            self.attempt(Attempt {
                number,
                provider,
                model,
                wire,
                lane,
                ..Attempt::default()
            });
            self.stands_again(number);
        }
    }

    /// Its request goes out.
    pub(crate) fn sends(&mut self, payload: &Payload) {
        let attempt = self.number();
        if self.keeps_bodies() {
            self.bodies.push(Body {
                kind: BodyKind::ProviderRequest,
                attempt,
                bytes: BodyBytes::Pieces(payload.pieces().cloned().collect()),
                alike: None,
            });
        }
        self.mark("sent");
    }

    /// How its request went out.
    pub(crate) fn sent(
        &mut self,
        method: &Method,
        url: &http::Uri,
        headers: &HeaderMap,
        key: Option<String>,
    ) {
        let Some(attempt) = self.details.attempts.last_mut() else {
            return;
        };
        let (scheme, authority) = (url.scheme_str(), url.authority());
        attempt.url = format!(
            "{method} {}://{}{}",
            scheme.unwrap_or("http"),
            // Without what may stand before the host.
            authority.map_or("", |authority| authority
                .as_str()
                .rsplit('@')
                .next()
                .unwrap_or_default()),
            url.path(),
        );
        attempt.request_headers = allowed(headers);
        attempt.key = key;
    }

    /// Its answer's head is here; gives what is to hear its body.
    pub(crate) fn answered(&mut self, status: u16, headers: &HeaderMap) -> Option<Arc<Tape>> {
        self.mark("headers");
        let attempt = self.details.attempts.last_mut()?;
        attempt.status = Some(status);
        attempt.response_headers = allowed(headers);
        let number = attempt.number;
        self.keeps_bodies().then(|| {
            let tape = Arc::new(Tape::new(self.accepted));
            self.replies.push((number, Arc::clone(&tape)));
            tape
        })
    }

    /// It ended; only the first end counts.
    pub(crate) fn attempt_ended(&mut self, outcome: &str, error: Option<&str>) {
        let ended = self.since_us();
        if let Some(attempt) = self.details.attempts.last_mut()
            && attempt.ended_us.is_none()
        {
            attempt.ended_us = Some(ended);
            attempt.outcome = outcome.into();
            attempt.error = error.map(str::to_owned);
        }
    }

    /// A moment.
    pub(crate) fn mark(&mut self, what: &'static str) {
        self.marked(SmolStr::new_static(what));
    }

    fn marked(&mut self, what: SmolStr) {
        let at_us = self.since_us();
        if self.details.timings.len() >= MOST_TIMINGS {
            return;
        }
        self.details.timings.push(Mark { what, at_us });
    }

    /// The answer goes out. A stream tells the record of its body itself, by [`Self::answer`].
    pub(crate) fn hear(&mut self, response: &Response<respond::Body>) {
        self.details.client_response_headers = allowed(response.headers());
        self.mark("answered");
        if let (Some(tape), Either::Left(whole)) = (self.answer(), response.body())
            && let Some(Some(Ok(frame))) = whole.clone().frame().now_or_never()
            && let Some(bytes) = frame.data_ref()
        {
            tape.note(bytes, clock::now());
        }
    }

    /// What is to hear the answer's body.
    pub(crate) fn answer(&mut self) -> Option<Arc<Tape>> {
        self.keeps_bodies().then(|| {
            let tape = self
                .answer
                .get_or_insert_with(|| Arc::new(Tape::new(self.accepted)));
            Arc::clone(tape)
        })
    }

    /// It is over: the row is closed. `finish` fills in what the draft knows.
    pub(crate) fn close(mut self, finish: impl FnOnce(&mut Exchange, &mut Details)) {
        if !self.is_open {
            self.open(Bytes::new());
        }
        self.mark("last_byte");
        let replies = std::mem::take(&mut self.replies);
        for (attempt, tape) in replies {
            let mut taken = tape.take();
            self.body_ended(attempt, taken.end.take());
            self.first_byte(&taken);
            self.keep(BodyKind::ProviderResponse, attempt, taken);
        }
        if let Some(tape) = self.answer.take() {
            self.keep(BodyKind::ClientResponse, 0, tape.take());
        }
        let mut row = std::mem::take(&mut self.asked);
        finish(&mut row, &mut self.details);
        if row.end == Some(End::ClientGone) && self.ending.is_cancelled() {
            row.end = Some(End::Shutdown);
        }
        row.ended = Some(clock::wall());
        self.forget_texts(row.went_well());
        self.recorder.close(row, self.details, self.bodies);
    }

    /// A reply's first byte came before what follows it.
    fn first_byte(&mut self, taken: &Taken) {
        let Some(at_us) = taken.body.first().map(|first| first.at_us) else {
            return;
        };
        let timings = &mut self.details.timings;
        let at = timings.partition_point(|mark| mark.at_us <= at_us);
        let what = SmolStr::new_static("first_byte");
        timings.insert(at, Mark { what, at_us });
    }

    fn keep(&mut self, kind: BodyKind, attempt: u16, taken: Taken) {
        if taken.is_shed {
            self.recorder.shed_body();
        }
        if taken.missing > 0 {
            let what = format!("{}_cut {} bytes", kind.name(), taken.missing);
            self.marked(what.into());
        }
        let body = Body::streamed(kind, attempt, taken.body);
        self.bodies.push(body);
    }

    pub(super) fn bodies_kept(&self) -> Bodies {
        self.recorder.bodies()
    }

    pub(super) fn keeps_bodies(&self) -> bool {
        self.recorder.bodies() != Bodies::Metadata
    }

    /// The number of the attempt in flight, or the last.
    pub(super) fn number(&self) -> u16 {
        self.details
            .attempts
            .last()
            .map_or(0, |attempt| attempt.number)
    }

    pub(super) fn since_us(&self) -> u64 {
        u64::try_from((clock::now() - self.accepted).as_micros()).unwrap_or(u64::MAX)
    }
}

/// Headers by the store's allow-list; it masks what they hold when it writes.
pub(crate) fn allowed(given: &HeaderMap) -> Vec<lingate_store::Header> {
    let mut allowed = Vec::with_capacity(given.len());
    for (name, value) in given {
        let name = name.as_str();
        if let (true, Ok(value)) = (headers::kept(name), value.to_str()) {
            allowed.push(lingate_store::Header(name.into(), value.into()));
        }
    }
    allowed
}
