//! A streamed answer's body: the commit stages as the client sees them.
//!
//! Stage 1: the head is out and nothing but keep-alives; whatever the attempts do is still invisible. Stage 2: content is
//! out; from here another attempt may continue the message, and else the stream ends whole or in the wire's error event.
//! The encoder outlives the attempts. Dropping the body (the client left) drops the upstream's.

use std::convert::Infallible;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use http_body_util::{BodyExt as _, Either, StreamBody};
use hyper::body::Frame;
use lingate_wire::bridge::{self, Lane, ReplyOptions};
use lingate_wire::gemini::Framing;
use lingate_wire::json::Text;
use lingate_wire::turn::{Event, Failure, FailureKind};
use lingate_wire::{ReplyContext, StreamEncoder, Wire};
use tokio::time::{Instant, Sleep};

use super::answer::Answer;
use super::chain::{Tally, encode};
use super::live::{Live, Next};
use super::message::Message;
use crate::clock;
use crate::front::respond::Body;
use crate::record::{AttemptEnd, Draft, Ending, Tape};
use crate::shared::Process;

/// Silence towards the client after which a keep-alive is sent; Claude Code shows a banner after 20 s.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Time without an event after which one that changes nothing is sent: Claude Code's event watchdog fires at 300 s.
const NUDGE: Duration = Duration::from_secs(240);

/// The attempts of an exchange, as the relay drives them.
pub(crate) trait Attempts: Send {
    /// Makes attempts up to one whose reply is to be shown, or to the end.
    fn run(self: Box<Self>) -> Pending;

    /// What of their replies is one message.
    fn message(&mut self) -> &mut Message;

    /// The reply that was shown is complete; tells whether another attempt continues it, to be run then.
    fn goes_on(&mut self, tally: &Tally) -> bool;

    /// The reply that was shown broke off.
    fn broke(&mut self, failure: &Failure);
}

/// Attempts under way.
pub(crate) type Pending = Pin<Box<dyn Future<Output = Reached> + Send>>;

/// What attempts came to, and what comes after them.
pub(crate) struct Reached {
    pub attempts: Box<dyn Attempts>,
    pub result: Result<Answer, Failure>,
}

/// How the client's stream is written.
#[derive(Clone)]
pub(crate) struct ClientSide {
    pub wire: Wire,
    /// The model as asked.
    pub model: Text,
    /// When the exchange began, in seconds since 1970.
    pub created: u64,
    /// How the client wants its reply.
    pub options: ReplyOptions,
}

impl ClientSide {
    /// What an encoder of the reply must know.
    pub(crate) fn reply_context(&self, draft: &Draft) -> ReplyContext {
        ReplyContext {
            exchange: draft.id_text(),
            model: self.model.clone(),
            created: self.created,
            input_estimate: draft.input_estimate(),
        }
    }
}

/// The body of a streamed answer.
pub(crate) struct ClientStream {
    state: State,
    side: ClientSide,
    encoder: Option<Box<dyn StreamEncoder>>,
    draft: Arc<Draft>,
    process: Arc<Process>,
    keep_alive: Pin<Box<Sleep>>,
    last_write: Instant,
    /// When something other than a keep-alive was last written.
    last_event: Instant,
    /// Passthrough: the last byte written ended an event, so something may be put in.
    is_at_boundary: bool,
    /// Hears what goes out; asked for with the first piece.
    tape: Option<Option<Arc<Tape>>>,
}

enum State {
    Waiting(Pending),
    Live(Box<Live>, Box<dyn Attempts>),
    Over,
}

impl ClientStream {
    /// A stream whose reply is there.
    pub(crate) fn live(
        live: Box<Live>,
        attempts: Box<dyn Attempts>,
        side: ClientSide,
        draft: Arc<Draft>,
        process: Arc<Process>,
    ) -> Self {
        let state = State::Live(live, attempts);
        Self::new(state, side, draft, process)
    }

    /// A stream that is opened while the attempts go on.
    pub(crate) fn waiting(
        attempts: Pending,
        side: ClientSide,
        draft: Arc<Draft>,
        process: Arc<Process>,
    ) -> Self {
        Self::new(State::Waiting(attempts), side, draft, process)
    }

    fn new(state: State, side: ClientSide, draft: Arc<Draft>, process: Arc<Process>) -> Self {
        Self {
            state,
            side,
            encoder: None,
            draft,
            process,
            keep_alive: Box::pin(tokio::time::sleep(KEEP_ALIVE)),
            last_write: clock::now(),
            last_event: clock::now(),
            is_at_boundary: true,
            tape: None,
        }
    }

    /// As a response's body.
    pub(crate) fn into_body(mut self) -> Body {
        let early = self.early();
        let first = (!early.is_empty()).then_some(early);
        let stream = futures_util::stream::unfold(
            (Box::new(self), first),
            |(mut stream, first)| async move {
                let bytes = match first {
                    Some(bytes) => bytes,
                    None => stream.next().await?,
                };
                stream.heard(&bytes);
                Some((Ok::<_, Infallible>(Frame::data(bytes)), (stream, None)))
            },
        );
        Either::Right(StreamBody::new(stream).boxed_unsync())
    }

    /// Lets the record hear what goes out.
    fn heard(&mut self, bytes: &Bytes) {
        let draft = &self.draft;
        let tape = self
            .tape
            .get_or_insert_with(|| draft.gather(|gathered| gathered.answer()).flatten());
        if let Some(tape) = tape {
            tape.note(bytes, self.last_write);
        }
    }

    /// What goes out with the head of a stream that waits.
    fn early(&mut self) -> Bytes {
        let mut out = Vec::new();
        if matches!(self.state, State::Waiting(_)) {
            self.write_keep_alive(&mut out);
        }
        out.into()
    }

    /// The next piece, never empty; `None` when the answer is over. A panic ends the stream with an error event.
    async fn next(&mut self) -> Option<Bytes> {
        match AssertUnwindSafe(self.piece()).catch_unwind().await {
            Ok(piece) => piece,
            Err(_panic) => Some(self.panicked()),
        }
    }

    /// The end of a reply that a fault of ours ended. What was used of it is paid for, and the upstream is not blamed.
    fn panicked(&mut self) -> Bytes {
        self.process.metrics.panics.inc();
        self.last_write = clock::now();
        self.draft.panicked();
        let state = std::mem::replace(&mut self.state, State::Over);
        let failure = Failure::new(
            FailureKind::Server,
            "a fault in the gateway ended this reply",
        );
        let ended = catch_unwind(AssertUnwindSafe(|| {
            if let State::Live(live, _) = &state {
                self.draft.tally(live.tally());
                self.knows_what_passed(live);
            }
            self.broken(Vec::new(), failure.clone())
        }));
        ended.unwrap_or_else(|_panic| {
            // What failed is the encoder: another one knows nothing of the reply, but how to say that it failed.
            self.encoder = None;
            self.broken(Vec::new(), failure)
        })
    }

    /// Tells the encoder, which has written nothing of a passthrough so far, what went past it.
    fn knows_what_passed(&mut self, live: &Live) {
        if live.lane() == Lane::Passthrough {
            let encoder = self
                .encoder
                .get_or_insert_with(|| encoder(&self.side, &self.draft));
            live.tell_passed(encoder.as_mut());
        }
    }

    async fn piece(&mut self) -> Option<Bytes> {
        loop {
            let next = match &mut self.state {
                State::Over => return None,
                State::Waiting(attempts) => {
                    tokio::select! {
                        biased;
                        reached = attempts => match self.reached(reached) {
                            Some(bytes) => return Some(bytes),
                            None => continue,
                        },
                        () = self.keep_alive.as_mut() => None,
                    }
                }
                State::Live(live, attempts) => {
                    if live.lane() == Lane::Translate && self.encoder.is_none() {
                        self.encoder = Some(encoder(&self.side, &self.draft));
                    }
                    tokio::select! {
                        biased;
                        next = live.next(self.encoder.as_deref_mut(), attempts.message()) => Some(next),
                        () = self.keep_alive.as_mut() => None,
                    }
                }
            };
            let Some(next) = next else {
                if let Some(bytes) = self.on_keep_alive() {
                    return Some(bytes);
                }
                continue;
            };
            let bytes = self.on_next(next);
            if !bytes.is_empty() {
                self.last_write = clock::now();
                self.last_event = self.last_write;
                // An array is written element by element, and between them white space is nothing.
                self.is_at_boundary = self.side.options.framing == Framing::Array
                    || bytes.ends_with(b"\n\n")
                    || bytes.ends_with(b"\r\n\r\n");
                return Some(bytes);
            }
        }
    }

    /// The attempts came to something; gives the answer's last bytes if it was not a reply.
    fn reached(&mut self, reached: Reached) -> Option<Bytes> {
        let failure = match reached.result {
            Ok(Answer::Live(mut live)) => {
                self.draft.first_content();
                if self.encoder.is_some() {
                    live.forget_origin();
                }
                self.state = State::Live(live, reached.attempts);
                return None;
            }
            // Too late for a status of its own.
            Ok(Answer::Refused(_, failure)) | Err(failure) => failure,
            Ok(Answer::Whole(_)) => not_a_stream(),
        };
        self.state = State::Over;
        self.last_write = clock::now();
        Some(self.cut(Vec::new(), failure, reached.attempts))
    }

    fn on_next(&mut self, next: Next) -> Bytes {
        let bytes = match next {
            Next::Bytes(bytes) => return bytes,
            Next::Done(ref bytes) | Next::Broken(ref bytes, _) | Next::Failed(ref bytes, _) => {
                bytes.clone()
            }
        };
        let State::Live(live, mut attempts) = std::mem::replace(&mut self.state, State::Over)
        else {
            return bytes;
        };
        match next {
            Next::Bytes(_) => {}
            Next::Done(_) => return self.done(bytes.into(), live, attempts),
            Next::Broken(_, failure) => {
                self.draft.tally(live.tally());
                attempts.broke(&failure);
                self.knows_what_passed(&live);
                return self.cut(bytes.into(), failure, attempts);
            }
            Next::Failed(_, failure) => {
                self.draft.tally(live.tally());
                attempts.broke(&failure);
                self.draft.end(Ending::Broken, Some(failure));
            }
        }
        bytes
    }

    /// A reply is complete: the message ends, or another attempt continues it.
    fn done(
        &mut self,
        mut bytes: Vec<u8>,
        live: Box<Live>,
        mut attempts: Box<dyn Attempts>,
    ) -> Bytes {
        if attempts.goes_on(live.tally()) {
            self.state = State::Waiting(attempts.run());
            return bytes.into();
        }
        self.draft.tally(live.tally());
        let mut events = Vec::new();
        attempts.message().finish(&mut events);
        self.encode(&mut events, &mut bytes);
        self.draft.end(Ending::Answered, None);
        if live.has_rest() {
            // Beside the client, who has everything.
            self.process.tasks.spawn(live.read_out());
        }
        bytes.into()
    }

    /// An attempt failed with the answer under way. What another attempt was only to continue ends as it would have
    /// without that attempt.
    fn cut(
        &mut self,
        mut bytes: Vec<u8>,
        failure: Failure,
        mut attempts: Box<dyn Attempts>,
    ) -> Bytes {
        let mut events = Vec::new();
        if !attempts.message().cut(&mut events) {
            return self.broken(bytes, failure);
        }
        self.encode(&mut events, &mut bytes);
        self.draft.end(Ending::Answered, Some(failure));
        bytes.into()
    }

    fn encode(&mut self, events: &mut Vec<Event>, out: &mut Vec<u8>) {
        if !events.is_empty() {
            let encoder = self
                .encoder
                .get_or_insert_with(|| encoder(&self.side, &self.draft));
            encode(events, encoder.as_mut(), out);
        }
    }

    /// The reply breaks off: what there is, and the wire's error event.
    fn broken(&mut self, mut bytes: Vec<u8>, failure: Failure) -> Bytes {
        if !self.is_at_boundary && !bytes.ends_with(b"\n\n") {
            bytes.extend_from_slice(b"\n\n");
        }
        let mut encoder = self
            .encoder
            .take()
            .unwrap_or_else(|| encoder(&self.side, &self.draft));
        encoder.fail(&failure, &mut bytes);
        tracing::warn!(
            exchange.id = %self.draft.id,
            reason = ?failure.kind,
            "the answer broke off: {}",
            failure.message,
        );
        self.draft.end(Ending::Broken, Some(failure));
        bytes.into()
    }

    fn on_keep_alive(&mut self) -> Option<Bytes> {
        let due = self.last_write + KEEP_ALIVE;
        let now = clock::now();
        if due > now {
            self.keep_alive.as_mut().reset(due);
            return None;
        }
        self.keep_alive.as_mut().reset(now + KEEP_ALIVE);
        if !self.is_at_boundary {
            return None;
        }
        let mut out = Vec::new();
        self.write_keep_alive(&mut out);
        self.last_write = now;
        Some(out.into())
    }

    /// In lane 2 on the wires whose clients count events, the reply's own first event and harmless ones behind it; for Gemini
    /// clients white space, because some of their readers stop at a comment; elsewhere comments.
    fn write_keep_alive(&mut self, out: &mut Vec<u8>) {
        let lane = match &self.state {
            State::Live(live, _) => Some(live.lane()),
            State::Waiting(_) | State::Over => self.draft.lane(),
        };
        let counts_events = matches!(self.side.wire, Wire::Anthropic | Wire::Responses);
        if self.side.wire == Wire::Gemini {
            out.extend_from_slice(match self.side.options.framing {
                Framing::Sse => b"\n\n",
                Framing::Array => b"\r\n",
            });
        } else if lane == Some(Lane::Translate) && counts_events {
            let encoder = self.encoder.get_or_insert_with(|| {
                let mut encoder = encoder(&self.side, &self.draft);
                encoder.open(out);
                encoder
            });
            if clock::now() - self.last_event >= NUDGE {
                self.last_event = clock::now();
                encoder.nudge(out);
            } else {
                encoder.keep_alive(out);
            }
        } else {
            out.extend_from_slice(b": keep-alive\n\n");
        }
    }
}

impl Drop for ClientStream {
    /// The client left in the middle: what was used until then is paid for.
    fn drop(&mut self) {
        if let State::Live(live, _) = &self.state {
            self.draft.tally(live.tally());
            self.draft.attempt_ended(AttemptEnd::Aborted, None);
        }
    }
}

fn encoder(side: &ClientSide, draft: &Draft) -> Box<dyn StreamEncoder> {
    bridge::stream_encoder_with(side.wire, side.reply_context(draft), &side.options)
}

/// Attempts for a streaming client give streams; this keeps the match total.
fn not_a_stream() -> Failure {
    Failure::new(
        FailureKind::Malformed,
        "the upstream's reply is not a stream",
    )
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use lingate_config::{Config, FixedEnvironment, LoadOptions};
    use lingate_store::{self as store, Exchange, Reader, Store};
    use lingate_wire::sse::Frame as SseFrame;
    use lingate_wire::stage::{End, Sink, Stage};
    use lingate_wire::turn::{EmptyReply, Event, Opening, Sequencer, Slot};
    use lingate_wire::{anthropic, chat, gemini, responses};

    use super::*;
    use crate::gateway::Options;
    use crate::ids;
    use crate::relay::chain::Chain;
    use crate::relay::live::Limits;
    use crate::upstream::blame::Blame;
    use crate::upstream::body::{DemoBody, UpstreamBody};
    use crate::upstream::demo::Step;

    /// Opens a block at the first frame and panics at the second.
    struct Fragile(u32);

    impl Stage for Fragile {
        type In = SseFrame;
        type Out = Event;

        fn on(&mut self, _frame: SseFrame, sink: &mut Sink<Event>) {
            self.0 += 1;
            assert!(self.0 < 2, "the second frame");
            let block = Opening::RedactedThinking { data: "x".into() };
            sink.event(Event::Open {
                slot: Slot(0),
                block,
            });
        }

        fn end(&mut self, _end: End, _sink: &mut Sink<Event>) {}
    }

    struct OneAttempt(Message);

    impl Attempts for OneAttempt {
        fn run(self: Box<Self>) -> Pending {
            unreachable!("there is no other attempt")
        }

        fn message(&mut self) -> &mut Message {
            &mut self.0
        }

        fn goes_on(&mut self, _tally: &Tally) -> bool {
            false
        }

        fn broke(&mut self, _failure: &Failure) {}
    }

    /// What a stream says whose second frame panics, and its row.
    async fn panicking(wire: Wire) -> (String, Exchange) {
        let dir = tempfile::tempdir().unwrap();
        let record = Store::open(dir.path(), store::Options::default(), clock::wall()).unwrap();
        let options = Options {
            recorder: Some(record.recorder()),
            ..Options::default()
        };
        let environment = FixedEnvironment::new([]);
        let config = Config::from_text(None, "", &LoadOptions::default(), &environment).unwrap();
        let process = Process::new(&config, &options);
        let metrics = Arc::clone(&process.metrics);
        let id = ids::exchange();
        let draft = Draft::open(id, clock::now(), wire, Arc::clone(&metrics), Arc::default());
        draft.record(&process.books, "/");
        draft.attempt("p", "m", Wire::Chat, Lane::Translate);
        let frame = |n: u32| Step {
            pause: Duration::ZERO,
            bytes: Bytes::from(format!("data: {n}\n\n")),
        };
        let body = UpstreamBody::Demo(DemoBody::new(vec![frame(1), frame(2)]));
        let chain = Chain::new(
            Box::new(Fragile(0)),
            vec![Box::new(Sequencer::new(EmptyReply::Fault))],
        );
        let limits = Limits {
            idle: None,
            progress: None,
        };
        let blame = Blame::of_nobody();
        let live = Live::new(
            HeaderMap::new(),
            Lane::Translate,
            Wire::Chat,
            body,
            chain,
            limits,
            blame,
        );
        let side = ClientSide {
            wire,
            model: "m".into(),
            created: 0,
            options: ReplyOptions::default(),
        };
        let attempts = Box::new(OneAttempt(Message::default()));
        let draft = Arc::new(draft);
        let stream = ClientStream::live(Box::new(live), attempts, side, draft, Arc::new(process));
        #[expect(clippy::disallowed_methods, reason = "a test's body is small")]
        let bytes = stream.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(metrics.panics.get(), 1);
        assert!(record.recorder().flush(Duration::from_secs(60)));
        let reader = Reader::open(dir.path()).unwrap();
        let row = reader.get(id).unwrap().unwrap().exchange;
        (String::from_utf8(bytes.to_vec()).unwrap(), row)
    }

    #[tokio::test]
    async fn a_panic_ends_the_stream_with_an_error_event_and_reaches_no_connection() {
        for (wire, error) in [
            (Wire::Anthropic, "event: error\n"),
            (Wire::Chat, r#"data: {"error":"#),
            (Wire::Responses, "event: response.failed\n"),
            (Wire::Gemini, r#"data: {"error":"#),
        ] {
            let (text, row) = panicking(wire).await;
            assert!(text.contains(error), "{text}");
            let verdict = match wire {
                Wire::Anthropic => {
                    let mut acceptor = anthropic::grammar::Acceptor::new();
                    let fed = acceptor.feed(text.as_bytes());
                    fed.and_then(|()| acceptor.finish()).map_err(|why| why.0)
                }
                Wire::Chat => {
                    let mut acceptor = chat::grammar::Acceptor::new();
                    let fed = acceptor.feed(text.as_bytes());
                    fed.and_then(|()| acceptor.finish()).map_err(|why| why.0)
                }
                Wire::Responses => responses::grammar::check(text.as_bytes()),
                Wire::Gemini => {
                    let mut acceptor = gemini::grammar::Acceptor::new(Framing::Sse);
                    let fed = acceptor.feed(text.as_bytes());
                    fed.and_then(|()| acceptor.finish()).map_err(|why| why.0)
                }
            };
            assert!(verdict.is_ok(), "{verdict:?}: {text}");
            assert_eq!(row.end, Some(store::End::Panic), "{row:?}");
            assert_eq!(
                (row.attempts, row.error_kind.as_deref()),
                (1, Some("server"))
            );
        }
    }
}
