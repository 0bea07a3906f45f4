//! One attempt: one request to one upstream, up to its first content or its failure.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use jiff::Timestamp;
use lingate_config::{Auth, KeyRef, Provider};
use lingate_quirk::{Repair, Settings};
use lingate_wire::Wire;
use lingate_wire::bridge::{self, Lane};
use lingate_wire::stage::End;
use lingate_wire::turn::{Event, Failure, FailureKind};
use tokio::time::Instant;

use super::asked::Asked;
use super::policy::{Plan, Schemas};
use super::upstream::Upstream;
use crate::clock;
use crate::lane::{self, Prepared};
use crate::record::{AttemptEnd, Draft, Telling};
use crate::relay::answer::{Answer, Whole, WholeBody};
use crate::relay::chain::{Chain, Tally};
use crate::relay::live::{Limits, Live};
use crate::replay::Step;
use crate::shared::Shared;
use crate::upstream::address::address;
use crate::upstream::blame::Blame;
use crate::upstream::body::{DemoBody, UpstreamBody, WHOLE_CAP, chain_of};
use crate::upstream::decoding::Decoding;
use crate::upstream::limits::{self, whole_seconds};
use crate::upstream::payload::Payload;
use crate::upstream::{agent, demo, headers};

/// Most bytes of an error body that are read.
const ERROR_CAP: usize = 256 * 1024;
/// Most characters of a redirect's target that are told.
const LONGEST_LOCATION: usize = 200;
/// Says in a failure's message that there was no connection.
pub(crate) const UNREACHABLE: &str = " cannot be reached: ";
/// The default of the limits on waiting.
const USUAL_WAIT: Duration = Duration::from_secs(120);
/// How long clients wait for a reply that is not streamed.
pub(crate) const WHOLE_WAIT: Duration = Duration::from_secs(600);
/// Longest time with signs of life only; the client's own watchdog fires at 300 s.
const PROGRESS: Duration = Duration::from_secs(270);
/// The Anthropic API version that translated requests are written for.
const ANTHROPIC_VERSION: HeaderValue = HeaderValue::from_static("2023-06-01");

/// What one attempt is made from.
#[derive(Clone, Copy)]
pub(crate) struct Attempt<'a> {
    pub asked: &'a Asked,
    pub upstream: &'a Upstream<'a>,
    /// The upstream's, with what was learnt of it and the repairs of this exchange.
    pub settings: &'a Settings,
    pub plan: &'a Plan,
    /// Compiled, for calls that are validated.
    pub schemas: &'a Arc<Schemas>,
    /// What a record is to be told of it.
    pub telling: Telling,
}

/// Why an attempt failed, and what a repair would need.
pub(crate) struct Failed {
    pub failure: Failure,
    /// The upstream's own error answer, which a passthrough client gets as it is.
    pub verbatim: Option<Box<Whole>>,
    /// What one retry would do differently.
    pub repair: Option<Repair>,
}

impl Failed {
    /// The exchange ends with it.
    pub(crate) fn into_answer(self) -> Result<Answer, Failure> {
        match self.verbatim {
            Some(whole) => Ok(Answer::Refused(whole, self.failure)),
            None => Err(self.failure),
        }
    }
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        Self {
            failure,
            verbatim: None,
            repair: None,
        }
    }
}

/// Runs one attempt, which is given up at `until`, whatever its own limits say.
pub(crate) async fn run(
    shared: &Shared,
    attempt: &Attempt<'_>,
    draft: &Draft,
    until: Option<Instant>,
) -> Result<Answer, Failed> {
    let Attempt {
        asked, upstream, ..
    } = *attempt;
    let lane = upstream.lane(asked);
    draft.attempt(&upstream.provider.id, &upstream.model, upstream.wire, lane);
    let mut prepared = lane::prepare(lane, attempt, &draft.id_text())?;
    if let Some(tokens) = prepared.input_estimate {
        draft.set_input_estimate(tokens);
        let told = draft.input_estimate();
        draft.gather(|gathered| gathered.estimated(tokens.total(), told));
    }
    draft.translated(
        &prepared.hits,
        std::mem::take(&mut prepared.changes),
        std::mem::take(&mut prepared.losses),
    );
    let observation = shared.counter.observe(
        &shared.tasks,
        (&upstream.provider.id, &upstream.model),
        clock::now,
        &shared.calibration,
        || Some((upstream.wire, prepared.body.whole().try_into().ok()?)),
    );
    if let Some(observation) = observation {
        draft.observed(observation);
    }
    let Prepared {
        body,
        chain,
        repair,
        ..
    } = prepared;
    let credential = upstream.key;
    let shown = shown_key(shared, upstream.provider, credential, draft).await?;
    let own = shown.as_ref().map(|key| upstream.showing(key));
    let upstream = own.as_ref().unwrap_or(upstream);
    let mut blame = upstream.blame(&asked.headers);
    let again = shown.as_ref().map(|shown| (shown, body.clone()));
    let mut response = send(shared, asked, upstream, lane, body, draft, until)
        .await
        .map_err(|failure| blame.told(failure))?;
    if let Some((token, body)) = again
        && response.status() == StatusCode::UNAUTHORIZED
        && (shared
            .clients
            .key_refused(upstream.provider, credential, token))
        .await
        && let Some(key) = shown_key(shared, upstream.provider, credential, draft).await?
    {
        // Tokens are withdrawn before their time: one more, made anew.
        hear(draft, &mut response);
        let failed = Box::pin(refused(upstream, lane, response, &blame, draft.wall())).await;
        draft.attempt_ended(AttemptEnd::Failed, Some(&failed.failure));
        draft.attempt_again("new_token");
        let upstream = upstream.showing(&key);
        blame = upstream.blame(&asked.headers);
        response = Box::pin(send(shared, asked, &upstream, lane, body, draft, until))
            .await
            .map_err(|failure| blame.told(failure))?;
    }
    let told = |failure| Failed::from(blame.told(failure));
    hear(draft, &mut response);
    let is_known = is_known(shared, draft, Step::has_end);
    let limits = Limits {
        idle: upstream.provider.timeouts.idle.filter(|_| !is_known),
        progress: (upstream.provider.has_deadline && !is_known).then_some(PROGRESS),
    };
    let answered = Answered {
        lane,
        wire: upstream.wire,
        status: response.status(),
        headers: blame.cleared(match lane {
            Lane::Passthrough => headers::forwarded_answer(response.headers()),
            Lane::Translate => headers::translated_answer(response.headers(), || draft.wall()),
        }),
        is_event_stream: is_event_stream(response.headers()),
        limits,
        blame: blame.clone(),
    };
    if !response.status().is_success() {
        let refused = refused(upstream, lane, response, &blame, draft.wall());
        let mut failed = Box::pin(refused).await;
        if let Some(refusal) = agent::refusal(upstream.provider, &asked.headers, &failed.failure) {
            return Err(refusal.into());
        }
        if let Some((selection, state)) = &repair {
            if let Some((reply, quirk)) = selection.recovered(&failed.failure, state) {
                draft.recovered(quirk, words(&failed.failure), &reply);
                let answered = Answered::recovered(upstream, lane, limits, blame.clone());
                return (answered.give(reply, None, chain, asked.peek.stream, draft)).map_err(told);
            }
            failed.repair = selection.on_failure(&failed.failure, state);
        }
        return Err(failed);
    }
    // On the heap: a future is moved whole, together with everything that awaits it.
    let read = answered.read(response.into_body(), chain, asked.peek.stream, draft);
    let read = Box::pin(read);
    let limit = patience(upstream.provider.timeouts.first_content, asked.peek.stream);
    let limit = limit.filter(|_| !is_known);
    let failure = match within(limit, until, "first_content", read).await {
        Err(failure) if failure.generation.is_some() => failure,
        result => return result.map_err(told),
    };
    let recovered = repair.and_then(|(selection, state)| selection.recovered(&failure, &state));
    let Some((reply, quirk)) = recovered else {
        return Err(told(failure));
    };
    draft.recovered(quirk, words(&failure), &reply);
    // The error used the chain up.
    let chain = lane::prepare(lane, attempt, &draft.id_text())?.chain;
    let answered = Answered::recovered(upstream, lane, limits, blame.clone());
    (answered.give(reply, None, chain, asked.peek.stream, draft)).map_err(told)
}

/// Lets the record hear an answer.
fn hear(draft: &Draft, response: &mut Response<UpstreamBody>) {
    let (status, headers) = (response.status().as_u16(), response.headers());
    let tape = draft.gather(|gathered| {
        gathered.head_came(headers);
        gathered.answered(status, headers)
    });
    response.body_mut().recorded(tape.flatten());
}

/// What the model wrote, as far as a failure tells.
fn words(failure: &Failure) -> &str {
    failure.generation.as_deref().unwrap_or(&failure.message)
}

/// A successful head.
struct Answered {
    lane: Lane,
    wire: Wire,
    status: StatusCode,
    headers: HeaderMap,
    is_event_stream: bool,
    limits: Limits,
    blame: Blame,
}

impl Answered {
    /// What stands in for the head of a reply that was found in a failure.
    fn recovered(upstream: &Upstream<'_>, lane: Lane, limits: Limits, blame: Blame) -> Self {
        Self {
            lane,
            wire: upstream.wire,
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            is_event_stream: false,
            limits,
            blame,
        }
    }

    /// Reads up to the first content of a stream, or all of a whole reply. A host may answer a stream request with a whole
    /// reply and the other way round; either way the client gets what it asked for.
    async fn read(
        self,
        mut body: UpstreamBody,
        chain: Box<Chain>,
        wants_stream: bool,
        draft: &Draft,
    ) -> Result<Answer, Failure> {
        let mut first = Bytes::new();
        if !self.is_event_stream {
            // Some hosts stream under another content type, or none.
            first = body.chunk().await.transpose()?.unwrap_or_default();
            if !looks_like_events(&first) {
                let bytes = body.whole_behind(first, WHOLE_CAP).await?;
                return self.read_whole(bytes, chain, wants_stream, draft);
            }
        }
        let lane = if wants_stream {
            self.lane
        } else {
            Lane::Translate
        };
        let (headers, wire, limits) = (self.headers.clone(), self.wire, self.limits);
        let blame = self.blame.clone();
        let mut live = Box::new(Live::new(headers, lane, wire, body, chain, limits, blame));
        live.begin(first);
        if wants_stream {
            let reached = live.until_content().await;
            draft.used(&live.tally().usage);
            return reached.map(|()| Answer::Live(live));
        }
        let read = live.read_to_end().await;
        draft.used(&live.tally().usage);
        let (events, tally) = read?;
        let reply = WholeBody::Events(events);
        Ok(Answer::Whole(Box::new(self.whole(reply, tally))))
    }

    fn read_whole(
        self,
        bytes: Bytes,
        mut chain: Box<Chain>,
        wants_stream: bool,
        draft: &Draft,
    ) -> Result<Answer, Failure> {
        let text = ByteString::try_from(bytes.clone()).map_err(|_| {
            Failure::new(
                FailureKind::Malformed,
                "the upstream's reply is not valid UTF-8",
            )
        })?;
        let reply = bridge::decode_response(self.wire, &text)?;
        chain.reads_whole(&text, &reply);
        self.give(reply, Some(bytes), chain, wants_stream, draft)
    }

    /// Gives a whole reply, which came in these bytes, as the client wants it.
    fn give(
        self,
        reply: Vec<Event>,
        bytes: Option<Bytes>,
        mut chain: Box<Chain>,
        wants_stream: bool,
        draft: &Draft,
    ) -> Result<Answer, Failure> {
        if wants_stream {
            let mut headers = self.headers;
            headers.remove(CONTENT_TYPE);
            let live = Live::of_whole(headers, self.wire, chain, reply, self.limits, self.blame);
            draft.used(&live.tally().usage);
            return match live.fault() {
                Some(failure) => Err(failure.clone()),
                None => Ok(Answer::Live(Box::new(live))),
            };
        }
        let mut events = Vec::new();
        chain.whole(reply, &mut events);
        chain.end(&End::Clean, &mut events);
        draft.used(&chain.tally().usage);
        if let Some(failure) = chain.fault() {
            return Err(failure.clone());
        }
        let unchanged = bytes.and_then(|bytes| match self.lane {
            Lane::Passthrough => Some(bytes),
            Lane::Translate => chain.echo().and_then(|echo| echo.unchanged(&bytes)),
        });
        let body = unchanged.map_or(WholeBody::Events(events), WholeBody::Verbatim);
        let whole = self.whole(body, chain.into_tally());
        Ok(Answer::Whole(Box::new(whole)))
    }

    fn whole(self, body: WholeBody, tally: Tally) -> Whole {
        Whole {
            status: self.status,
            headers: self.headers,
            body,
            tally,
        }
    }
}

/// What is shown in place of a credential that is exchanged for a token.
async fn shown_key(
    shared: &Shared,
    provider: &Provider,
    credential: Option<&KeyRef>,
    draft: &Draft,
) -> Result<Option<KeyRef>, Failure> {
    if shared.script.is_some() || provider.auth != Auth::Gcp {
        return Ok(None);
    }
    let shown = Box::pin(shared.clients.shown_key(provider, credential)).await;
    shown.inspect_err(|failure| {
        draft.gather(|gathered| gathered.no_head_came(failure));
    })
}

/// Sends the request; gives the answer's head and a body not yet read.
pub(crate) async fn send(
    shared: &Shared,
    asked: &Asked,
    upstream: &Upstream<'_>,
    lane: Lane,
    body: Payload,
    draft: &Draft,
    until: Option<Instant>,
) -> Result<Response<UpstreamBody>, Failure> {
    draft.gather(|gathered| {
        gathered.is_sending();
        gathered.sends(&body);
    });
    if let Some(script) = &shared.script {
        script.sends(draft.attempts()).await;
    }
    let is_stream = asked.peek.stream;
    // A future is moved whole: this one stays where it is.
    let sent = pin!(async {
        match (&shared.script, upstream.url) {
            (Some(script), _) => script.answer(draft.attempts()).await,
            (None, None) => Ok(demo_answer(&body.whole(), is_stream)),
            (None, Some(url)) => {
                let sent = send_to(url, shared, asked, upstream, lane, body, draft).await;
                sent.inspect_err(|failure| {
                    draft.gather(|gathered| gathered.no_head_came(failure));
                })
            }
        }
    });
    let limit = patience(upstream.provider.timeouts.headers, is_stream);
    let is_known = is_known(shared, draft, Step::has_head);
    within(limit.filter(|_| !is_known), until, "headers", sent).await
}

/// Whether the record says of the attempt in flight that a limit on waiting did not end it. A machine that is busy notices
/// both too late, what comes and that a limit has passed; what it went by is not the clock's to say.
fn is_known(shared: &Shared, draft: &Draft, what: fn(&Step) -> bool) -> bool {
    let step = shared.script.as_ref();
    step.and_then(|script| script.step(draft.attempts()))
        .is_some_and(what)
}

/// Sends the request over the network.
async fn send_to(
    url: &Uri,
    shared: &Shared,
    asked: &Asked,
    upstream: &Upstream<'_>,
    lane: Lane,
    body: Payload,
    draft: &Draft,
) -> Result<Response<UpstreamBody>, Failure> {
    let made = |body| request(asked, upstream, lane, url, body);
    let request = made(body.clone())?;
    draft.gather(|gathered| {
        let key = upstream.key.map(|key| key.label.clone());
        gathered.sent(request.method(), request.uri(), request.headers(), key);
    });
    let client = shared
        .clients
        .get(&upstream.way)
        .ok_or_else(|| Failure::new(FailureKind::Server, "no connection pool for this provider"))?;
    let again = || {
        draft.sent_again();
        Some(upstream.addressed(made(body).ok()?))
    };
    let response = client
        .send(upstream.addressed(request), again)
        .await
        .map_err(|error| unreachable_upstream(upstream, url, &error))?;
    let decoding = Decoding::of(response.headers())?;
    Ok(response.map(|body| UpstreamBody::http(body, decoding)))
}

/// The request as it goes out.
pub(crate) fn request(
    asked: &Asked,
    upstream: &Upstream<'_>,
    lane: Lane,
    url: &Uri,
    body: Payload,
) -> Result<Request<Payload>, Failure> {
    let mut headers = match lane {
        Lane::Passthrough => headers::forwarded_request(&asked.headers),
        Lane::Translate => translated_headers(asked, upstream.wire),
    };
    if let Some(known) = &upstream.provider.betas {
        headers::keep_betas(&mut headers, known);
    }
    if upstream.has_model_in_path() {
        // The body says it.
        headers.remove("anthropic-version");
    }
    if let Some(name) = &upstream.provider.session_header
        && !headers.contains_key(name)
        && let Some(session) = asked.cache_key()
        && let Ok(session) = HeaderValue::try_from(&*session.decode())
    {
        headers.insert(name, session);
    }
    let configured = upstream.target.map(|target| &target.headers);
    for (name, value) in upstream
        .provider
        .headers
        .iter()
        .chain(configured.into_iter().flatten())
    {
        headers.insert(name, value.clone());
    }
    upstream
        .show_key(&mut headers, &asked.headers)
        .map_err(|error| Failure::new(FailureKind::Authentication, error.to_string()))?;
    let mut request = Request::new(body);
    *request.method_mut() = Method::POST;
    let query = (asked.query.as_deref()).filter(|_| lane == Lane::Passthrough);
    let (wire, is_stream) = (upstream.wire, asked.peek.stream);
    let api = upstream.provider.anthropic_api;
    *request.uri_mut() = address(url, wire, api, &upstream.model, is_stream, query);
    *request.headers_mut() = headers;
    Ok(request)
}

/// The client's user agent and the preset's headers; on the Anthropic wire also the version, and from an Anthropic client
/// all of `anthropic-*`, which is an open list.
fn translated_headers(asked: &Asked, upstream: Wire) -> HeaderMap {
    let mut headers = headers::translated_request(&asked.headers, asked.peek.stream);
    if upstream == Wire::Anthropic {
        headers.insert("anthropic-version", ANTHROPIC_VERSION);
        if asked.wire == Wire::Anthropic {
            for (name, value) in asked
                .headers
                .iter()
                .filter(|(name, _)| name.as_str().starts_with("anthropic-"))
            {
                headers.insert(name, value.clone());
            }
        }
    }
    headers
}

fn demo_answer(body: &[u8], is_stream: bool) -> Response<UpstreamBody> {
    let mut response = Response::new(UpstreamBody::Demo(DemoBody::new(demo::reply(body))));
    let content_type = if is_stream {
        "text/event-stream"
    } else {
        "application/json"
    };
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// Reads an error answer.
async fn refused(
    upstream: &Upstream<'_>,
    lane: Lane,
    response: Response<UpstreamBody>,
    blame: &Blame,
    now: Timestamp,
) -> Failed {
    let (head, mut body) = response.into_parts();
    let read = pin!(body.whole(ERROR_CAP));
    let bytes = within(Some(Duration::from_secs(10)), None, "headers", read)
        .await
        .unwrap_or_default();
    let mut failure = bridge::decode_error(upstream.wire, head.status.as_u16(), &bytes);
    let told = || limits::told(&head.headers, &bytes, &failure.message, now);
    failure.retry_after = failure.retry_after.or_else(|| match failure.kind {
        FailureKind::RateLimit | FailureKind::Billing => Some(whole_seconds(told()?)),
        _ => headers::retry_after(&head.headers, now),
    });
    if head.status.is_redirection() {
        failure = redirected(upstream, &head.headers).with_status(head.status.as_u16());
        return blame.told(failure).into();
    }
    let failure = blame.told(failure);
    // A refused credential of ours is never passed on as it is: the client would be sent to log in.
    let is_passed_on = lane == Lane::Passthrough
        && failure.kind != FailureKind::UpstreamCredential
        && bridge::is_own_error(upstream.wire, &failure, &bytes);
    let verbatim = is_passed_on.then(|| {
        Box::new(Whole {
            status: head.status,
            headers: blame.cleared(headers::forwarded_answer(&head.headers)),
            body: WholeBody::Verbatim(blame.masked(bytes)),
            tally: Tally::default(),
        })
    });
    Failed {
        failure,
        verbatim,
        repair: None,
    }
}

/// A redirect is a base URL that is not quite right. The query may hold anything and is not told.
fn redirected(upstream: &Upstream<'_>, headers: &HeaderMap) -> Failure {
    let to = headers.get(LOCATION).and_then(|to| to.to_str().ok());
    let to = to.map_or("nowhere", |to| {
        to.split(['?', '#']).next().unwrap_or_default()
    });
    let to: String = to.chars().take(LONGEST_LOCATION).collect();
    Failure::new(
        FailureKind::Server,
        format!(
            "provider `{}` redirects to {to}; redirects are never followed: set its `base_url`",
            upstream.provider.id
        ),
    )
}

fn unreachable_upstream(
    upstream: &Upstream<'_>,
    url: &Uri,
    error: &(dyn std::error::Error + 'static),
) -> Failure {
    let host = url
        .authority()
        .map_or_else(String::new, ToString::to_string);
    Failure::new(
        FailureKind::Server,
        format!(
            "provider `{}` at {host}{UNREACHABLE}{}",
            upstream.provider.id,
            chain_of(error)
        ),
    )
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| {
            const EVENTS: &str = "text/event-stream";
            let begin = value.trim_start().get(..EVENTS.len());
            begin.is_some_and(|begin| begin.eq_ignore_ascii_case(EVENTS))
        })
}

/// Whether a body is a stream of events whatever its head says.
fn looks_like_events(first: &[u8]) -> bool {
    let start = first.trim_ascii_start();
    ["data:", "event:", "id:", "retry:", ":"]
        .iter()
        .any(|field| start.starts_with(field.as_bytes()))
}

/// A limit of one attempt. A reply that is not streamed gives no sign of life before its end, so a limit of the usual
/// length is stretched to what clients wait; a shorter one is meant.
fn patience(limit: Option<Duration>, is_stream: bool) -> Option<Duration> {
    limit.map(|limit| {
        if is_stream || limit < USUAL_WAIT {
            limit
        } else {
            limit.max(WHOLE_WAIT)
        }
    })
}

/// Awaits within a named limit. One that is not over before the work is given up anyway needs no timer.
async fn within<T>(
    limit: Option<Duration>,
    until: Option<Instant>,
    name: &str,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let end = limit.map(|limit| (limit, clock::now() + limit));
    match end.filter(|(_, end)| until.is_none_or(|until| *end < until)) {
        None => work.await,
        Some((limit, end)) => tokio::time::timeout_at(end, work)
            .await
            .unwrap_or_else(|_elapsed| {
                Err(Failure::new(
                    FailureKind::Timeout,
                    format!(
                        "the upstream did not answer within {} s (`timeouts.{name}`)",
                        limit.as_secs_f64()
                    ),
                ))
            }),
    }
}
