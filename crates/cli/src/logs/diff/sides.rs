//! The two exchanges that are compared, with what is needed of their bodies.

use lingate_store::filter::{Condition, Pattern, Term, WordField};
use lingate_store::{Attempt, BodyKind, Exchange, Filter, Page, Reader, Record};
use lingate_wire::Wire;
use uuid::Uuid;

use super::super::answer::{self, Answer};
use super::super::failed;
use crate::failure::Failure;

/// One of the two.
pub(super) struct Side {
    pub(super) record: Record,
    /// What the client sent; `None` if it was not kept.
    pub(super) client_request: Option<Vec<u8>>,
    /// What went to the provider last; `None` if it was not kept.
    pub(super) provider_request: Option<Vec<u8>>,
    /// What the client got.
    pub(super) answer: Option<Answer>,
}

impl Side {
    pub(super) fn read(reader: &Reader, id: Uuid) -> Result<Self, Failure> {
        let record = reader.get(id).map_err(|error| failed(&error))?;
        let record = record.ok_or_else(|| Failure::problem(format!("exchange `{id}` is gone")))?;
        let body = |kind| {
            let body = reader
                .body(id, kind, None)
                .map_err(|error| failed(&error))?;
            Ok::<_, Failure>(body.map(|body| body.bytes))
        };
        let answer = body(BodyKind::ClientResponse)?;
        let wire = record.exchange.client_wire.unwrap_or(Wire::Chat);
        Ok(Self {
            client_request: body(BodyKind::ClientRequest)?,
            provider_request: body(BodyKind::ProviderRequest)?,
            answer: answer.map(|body| answer::read(wire, &body)),
            record,
        })
    }

    pub(super) const fn exchange(&self) -> &Exchange {
        &self.record.exchange
    }

    /// The attempt that the provider request belongs to.
    pub(super) fn attempt(&self) -> Option<&Attempt> {
        self.record.details.attempts.last()
    }

    /// The wire of the provider request.
    pub(super) fn provider_wire(&self) -> Option<Wire> {
        let own = self.attempt().and_then(|attempt| attempt.wire.parse().ok());
        own.or(self.exchange().upstream_wire)
    }
}

/// What was asked before in the same conversation: the last exchange of the session at the same path and of the same
/// agent and class.
pub(super) fn previous(reader: &Reader, id: Uuid) -> Result<Uuid, Failure> {
    let exchange = reader.exchange(id).map_err(|error| failed(&error))?;
    let exchange = exchange.ok_or_else(|| Failure::problem(format!("exchange `{id}` is gone")))?;
    let Some(session) = &exchange.session else {
        return Err(Failure::problem(format!(
            "exchange `{id}` belongs to no session: nothing is known to come before it"
        ))
        .hint("`lingate logs diff A B` compares any two"));
    };
    let exact = |field, value: &str| Term {
        negated: false,
        condition: Condition::Word(field, Pattern::Exact(value.to_owned())),
    };
    let mut terms = vec![
        exact(WordField::Session, session),
        exact(WordField::Path, &exchange.path),
    ];
    terms.extend(
        exchange
            .class
            .iter()
            .map(|class| exact(WordField::Class, class)),
    );
    let page = Page {
        before: Some(id),
        limit: 50,
        skip: 0,
    };
    let listing = reader
        .list(&Filter { terms }, page)
        .map_err(|error| failed(&error))?;
    let before = listing
        .items
        .iter()
        .find(|other| other.agent == exchange.agent);
    before.map(|exchange| exchange.id).ok_or_else(|| {
        Failure::problem(format!("exchange `{id}` is the first of its session")).hint(format!(
            "`lingate logs list session:{session}` shows the session"
        ))
    })
}
