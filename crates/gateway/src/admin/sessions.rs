//! `GET /api/sessions`: conversations, the one last used first, and one of them with its exchanges.

use std::sync::Arc;
use std::time::Duration;

use http::{Response, StatusCode};
use lingate_store::filter::{Condition, Pattern, WordField};
use lingate_store::{Filter, Page, Reader, Session};
use schemars::JsonSchema;
use serde::Serialize;

use super::document;
use super::logs::item::Item;
use super::parameters::{Asked, Kind, Parameter};
use super::readers::Pace;
use super::refusal::Refusal;
use crate::front::respond::Body;
use crate::shared::Process;

/// A conversation is found by an index; this is for what ought not to be.
const PATIENCE: Duration = Duration::from_millis(500);

const BEFORE: Parameter = Parameter {
    name: "before",
    kind: Kind::Id,
    about: "Where to go on: `next` of the page before.",
};

const LIMIT: Parameter = Parameter {
    name: "limit",
    kind: Kind::Integer {
        least: 1,
        most: 200,
        default: 50,
    },
    about: "How many items; never more than 200.",
};

pub(crate) const PARAMETERS: &[Parameter] = &[BEFORE, LIMIT];
pub(crate) const ONE_PARAMETERS: &[Parameter] = &[BEFORE, LIMIT];

/// A page of conversations.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct SessionPage {
    /// The one last used first.
    pub items: Vec<Session>,
    /// `before` of the next page; null if this is the last.
    pub next: Option<String>,
}

/// A conversation with a page of its exchanges.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct SessionLogs {
    #[serde(flatten)]
    pub session: Session,
    /// Its exchanges, newest first, with those that still run.
    pub items: Vec<Item>,
    /// `before` of the next page; null if this is the last.
    pub next: Option<String>,
}

pub(crate) async fn list(process: &Arc<Process>, asked: &Asked) -> Result<Response<Body>, Refusal> {
    let page = page(asked);
    let work = move |reader: &Reader, _: &_| reader.sessions(page);
    let sessions = document::readers(process)?
        .ask(process, Pace::Quick, work)
        .await?;
    let told = SessionPage {
        items: sessions.items,
        next: sessions.next.map(|id| id.to_string()),
    };
    Ok(document::json(StatusCode::OK, &told))
}

pub(crate) async fn one(
    process: &Arc<Process>,
    name: String,
    asked: &Asked,
) -> Result<Response<Body>, Refusal> {
    let page = page(asked);
    let mut filter = Filter::default();
    filter.and(Condition::Word(
        WordField::Session,
        Pattern::Exact(name.clone()),
    ));
    let found = document::readers(process)?
        .ask(process, Pace::Quick, move |reader, patience| {
            let Some(session) = reader.session(&name)? else {
                return Ok(None);
            };
            let listing = reader.list_until(&filter, page, &mut || patience.is_over(PATIENCE))?;
            Ok(Some((session, listing)))
        })
        .await?;
    let Some((session, listing)) = found else {
        return Err(Refusal::missing(
            "Session not found",
            "no exchange of a conversation of this id has ended, or all are too old; /api/sessions lists conversations",
        ));
    };
    let told = SessionLogs {
        session,
        items: listing.items.into_iter().map(Item::from).collect(),
        next: listing.next.map(|id| id.to_string()),
    };
    Ok(document::json(StatusCode::OK, &told))
}

fn page(asked: &Asked) -> Page {
    Page {
        before: asked.id("before"),
        limit: asked.size("limit"),
        skip: 0,
    }
}
