//! `count_tokens`: from a provider of the same wire that counts itself, else an estimate, and marked as one.
//!
//! What is counted is what a request for a reply would send. A provider's own count follows the lane's rules like any
//! answer; whatever keeps it from counting (no such endpoint, overload, silence) is no reason to fail, ours serves then.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Uri};
use lingate_route::{Candidate, Table};
use lingate_store::End;
use lingate_wire::Wire;
use lingate_wire::bridge::{self, Lane};
use lingate_wire::json::{Value, Writer, scan};
use lingate_wire::turn::{Failure, FailureKind};
use tokio::time::Instant;

use super::asked::Asked;
use super::attempt::{self, Attempt};
use super::destination::destination;
use super::policy::{Plan, failover};
use super::run::Call;
use super::upstream::Upstream;
use crate::clock;
use crate::front::body::Unread;
use crate::front::respond::{self, Body};
use crate::lane::{self, estimate};
use crate::record::{Gathered, Telling};
use crate::shared::Shared;
use crate::upstream::address::{anthropic_count_address, gemini_count_address};
use crate::upstream::blame::Blame;
use crate::upstream::body::UpstreamBody;
use crate::upstream::client::Way;
use crate::upstream::decoding::Decoding;
use crate::upstream::headers;

/// Clients ask for many counts at once and wait for them.
const COUNT_LIMIT: Duration = Duration::from_secs(5);
/// Most bytes of a provider's answer.
const ANSWER_CAP: usize = 64 * 1024;
/// Set where the count is ours and not the provider's.
const ESTIMATE: HeaderName = HeaderName::from_static("x-lingate-estimate");

/// Counts a request's input tokens.
pub(crate) async fn run(shared: Arc<Shared>, call: Call) -> Response<Body> {
    let wire = call.wire;
    let exchange = call.id;
    let id = exchange.to_string();
    let (books, accepted) = (&shared.books, call.accepted);
    let gathered = Gathered::new(books, exchange, accepted, wire, call.path());
    let mut counting = Counting {
        accepted,
        gathered: gathered.map(Box::new),
    };
    let (mut response, failure) = match answer(&shared, call, &id, &mut counting).await {
        Ok(response) => (response, None),
        // Nobody hears it, and the row ends as one whose client is gone.
        Err(Unread::Left) => return respond::failure(&Unread::Left.into(), wire, &id),
        Err(Unread::Refused(failure)) => (respond::failure(&failure, wire, &id), Some(failure)),
    };
    respond::set(response.headers_mut(), respond::LINGATE_ID, &id);
    counting.answered(&response, failure.as_ref());
    response
}

/// A count on its way, for the record: its row is closed whatever happens.
struct Counting {
    accepted: Instant,
    gathered: Option<Box<Gathered>>,
}

impl Counting {
    fn received(&mut self, asked: &Asked) {
        if let Some(gathered) = &mut self.gathered {
            let (model, session) = (asked.peek.model.decode(), asked.session());
            gathered.received(asked, &model, session);
        }
    }

    fn unreadable(&mut self, body: &Bytes) {
        if let Some(gathered) = &mut self.gathered {
            gathered.open(body.clone());
        }
    }

    fn answered(mut self, response: &Response<Body>, failure: Option<&Failure>) {
        let Some(mut gathered) = self.gathered.take() else {
            return;
        };
        gathered.hear(response);
        let header = |name| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
        let duration = clock::now() - self.accepted;
        gathered.close(|row, _| {
            row.status = Some(response.status().as_u16());
            row.end = Some(End::Answered);
            row.duration_ms = u64::try_from(duration.as_millis()).ok();
            row.provider = header("x-lingate-provider");
            row.lane = header("x-lingate-lane");
            if let Some(failure) = failure {
                row.error_kind = Some(failure.kind.name().to_owned());
                row.error = Some(failure.message.clone());
            }
        });
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        if let Some(gathered) = self.gathered.take() {
            gathered.close(|row, _| row.end = Some(End::ClientGone));
        }
    }
}

async fn answer(
    shared: &Shared,
    mut call: Call,
    id: &str,
    counting: &mut Counting,
) -> Result<Response<Body>, Unread> {
    let headers = &mut call.parts.headers;
    let body = call.body.received(shared, headers).await?;
    let asked = (shared.histories)
        .scan(call.wire, call.caller.name(), &body)
        .and_then(|scanned| {
            let (profile, facts, parts) = (call.profile, call.facts, call.parts);
            Asked::read(call.wire, profile, facts, parts, scanned)
        })
        .inspect_err(|_| counting.unreadable(&body))?;
    counting.received(&asked);
    call.caller.may_ask(&asked.peek.model.decode())?;
    // A name that nothing serves is as wrong here as in a request for a reply.
    let table = shared.routes.table();
    let fitting = destination(&shared.config, &table, &shared.calibration.bytes, &asked)?;
    let candidates = fitting.resolution.candidates;
    let Some(candidate) = first_well(shared, &table, &asked, &candidates) else {
        return Ok(counted_here(
            call.wire,
            estimate::input_tokens(asked.decoded()?),
        ));
    };
    let mut upstream = Upstream::of(&shared.config, candidate, asked.wire)?;
    upstream.refuses_foreign_thinking = shared.learnt.moved.holds(&asked, &upstream);
    let sending = Sending::of(shared, &asked, &upstream, id);
    if let Some(answer) = counted_by_provider(shared, &asked, &upstream, &sending).await {
        return Ok(answer);
    }
    let tokens = estimated(shared, &asked, &upstream, sending).await?;
    Ok(counted_here(call.wire, tokens))
}

/// The candidate that a request for a reply would begin with, as far as that does not depend on chance: who is left alone
/// now is not asked to count either.
fn first_well<'c>(
    shared: &Shared,
    table: &Table,
    asked: &Asked,
    candidates: &'c [Candidate],
) -> Option<&'c Candidate> {
    if candidates.len() < 2 {
        return candidates.first();
    }
    let query = failover::query(&shared.config, table, asked, candidates);
    let skips = shared.health.skips(&query);
    let is_well = |index: &usize| !skips.iter().any(|skip| skip.index == *index);
    let well = (0..candidates.len()).find(is_well).unwrap_or(0);
    candidates.get(well)
}

/// Our own count, in the client's wire.
fn counted_here(wire: Wire, tokens: u64) -> Response<Body> {
    let member = match wire {
        Wire::Gemini => "totalTokens",
        Wire::Anthropic | Wire::Chat | Wire::Responses => "input_tokens",
    };
    let mut writer = Writer::default();
    writer.begin_object().key(member).u64(tokens).end_object();
    let mut response = respond::json(StatusCode::OK, writer.into_bytes());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(ESTIMATE, HeaderValue::from_static("true"));
    response
}

/// What a request for a reply would send.
struct Sending {
    lane: Lane,
    wire: Wire,
    body: ByteString,
}

impl Sending {
    fn of(shared: &Shared, asked: &Asked, upstream: &Upstream<'_>, id: &str) -> Self {
        let lane = upstream.lane(asked);
        let settings = shared.learnt.settings(upstream);
        let attempt = Attempt {
            asked,
            upstream,
            settings: &settings,
            plan: &Plan::default(),
            schemas: &shared.schemas,
            telling: Telling::Nothing,
        };
        let prepared = lane::prepare(lane, &attempt, id);
        let body = prepared
            .ok()
            .and_then(|prepared| prepared.body.whole().try_into().ok());
        match body {
            Some(body) => Self {
                lane,
                wire: upstream.wire,
                body,
            },
            // What could not be sent can be counted still: clients count a tool by itself.
            None => Self {
                lane: Lane::Translate,
                wire: asked.wire,
                body: asked.doc.text().into(),
            },
        }
    }
}

/// Our own count of what would be sent: by a tokenizer, corrected by what is known of the model.
async fn estimated(
    shared: &Shared,
    asked: &Asked,
    upstream: &Upstream<'_>,
    sending: Sending,
) -> Result<u64, Failure> {
    let (provider, model) = (&upstream.provider.id, &upstream.model);
    let bytes = estimate::size(asked.decoded()?);
    shared.counter.asked(provider, model, clock::now());
    let pieces = shared
        .counter
        .count(&shared.tasks, sending.wire, sending.body)
        .await
        .unwrap_or(bytes);
    Ok(shared.calibration.count(provider, model, bytes, pieces))
}

/// The answer of a provider of the same wire, if it counts.
async fn counted_by_provider(
    shared: &Shared,
    asked: &Asked,
    upstream: &Upstream<'_>,
    sending: &Sending,
) -> Option<Response<Body>> {
    let endpoint = upstream.url?;
    let url: Uri = match (asked.wire, upstream.wire) {
        (Wire::Anthropic, Wire::Anthropic) => {
            anthropic_count_address(endpoint, upstream.provider.anthropic_api)
        }
        // A translated body would have to be wrapped anew; the estimate is as good.
        (Wire::Gemini, Wire::Gemini) if sending.lane == Lane::Passthrough => endpoint.clone(),
        _ => return None,
    };
    let body = match sending.lane {
        Lane::Passthrough => sending.body.as_bytes().clone(),
        Lane::Translate => countable(&sending.body, upstream)?,
    };
    let shown = shared.clients.shown_key(upstream.provider, upstream.key);
    let shown = tokio::time::timeout(COUNT_LIMIT, shown).await.ok()?.ok()?;
    let own = shown.as_ref().map(|key| upstream.showing(key));
    let upstream = own.as_ref().unwrap_or(upstream);
    let mut request = attempt::request(asked, upstream, sending.lane, &url, body.into()).ok()?;
    if upstream.wire == Wire::Gemini {
        *request.uri_mut() = gemini_count_address(endpoint, &upstream.model);
    } else if upstream.has_model_in_path() {
        *request.uri_mut() = url;
    }
    let client = shared.clients.get(&Way::of(upstream.provider))?;
    let counted = async {
        let response = client.request(request).await.ok()?;
        let (head, body) = response.into_parts();
        let decoding = Decoding::of(&head.headers).ok()?;
        let body = UpstreamBody::http(body, decoding)
            .whole(ANSWER_CAP)
            .await
            .ok()?;
        Some((head.status, head.headers, body))
    };
    let counted = tokio::time::timeout(COUNT_LIMIT, counted).await;
    let (status, received, mut body) = counted.ok().flatten()?;
    let blame = Blame::new(upstream.provider, upstream.key, &asked.headers);
    if !(status.is_success() && is_count(&body)) {
        body = blame.masked(
            is_passed_on(&blame, upstream.wire, sending.lane, status, &body).then_some(body)?,
        );
    }
    let forwarded = match sending.lane {
        Lane::Passthrough => headers::forwarded_answer(&received),
        Lane::Translate => headers::translated_answer(&received, clock::wall),
    };
    let forwarded = blame.cleared(forwarded);
    let mut response = respond::json(status, body);
    describe(response.headers_mut(), forwarded, upstream, sending.lane);
    Some(response)
}

fn describe(headers: &mut HeaderMap, forwarded: HeaderMap, upstream: &Upstream<'_>, lane: Lane) {
    for (name, value) in &forwarded {
        headers.insert(name, value.clone());
    }
    let name = HeaderName::from_static;
    respond::set(headers, name("x-lingate-lane"), lane.name());
    respond::set(headers, name("x-lingate-provider"), &upstream.provider.id);
}

fn is_count(body: &Bytes) -> bool {
    let Ok(text) = ByteString::try_from(body.clone()) else {
        return false;
    };
    scan(&text).is_ok_and(|doc| {
        doc.root()
            .get("input_tokens")
            .or_else(|| doc.root().get("totalTokens"))
            .and_then(Value::u64)
            .is_some()
    })
}

/// Whether the client is told what the provider answered: that its request, or its own credential, is at fault.
fn is_passed_on(blame: &Blame, wire: Wire, lane: Lane, status: StatusCode, body: &Bytes) -> bool {
    let failure = bridge::decode_error(wire, status.as_u16(), body);
    let is_own = bridge::is_own_error(wire, &failure, body);
    let failure = blame.told(failure);
    let is_clients = matches!(
        failure.kind,
        FailureKind::InvalidRequest
            | FailureKind::ContextOverflow { .. }
            | FailureKind::TooLarge
            | FailureKind::Authentication
            | FailureKind::Permission
    );
    lane == Lane::Passthrough && is_own && is_clients
}

/// A translated body without what belongs to a request for a reply only; counting refuses members it does not know. It
/// names the model even where requests have it in their path.
fn countable(body: &ByteString, upstream: &Upstream<'_>) -> Option<Bytes> {
    let doc = scan(body).ok()?;
    let mut writer = Writer::with_capacity(body.len());
    writer.begin_object();
    for (key, value) in doc.root().members() {
        if !matches!(&*key, "max_tokens" | "stream") {
            writer.member(&key).raw(value.raw());
        }
    }
    if upstream.has_model_in_path() {
        let model = serde_json::Value::from(upstream.model.as_str());
        writer.key("model").raw(&model.to_string());
    }
    writer.end_object();
    Some(writer.into_bytes().into())
}
