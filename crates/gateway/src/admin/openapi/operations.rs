//! What there is to ask: one row an operation.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::documents;
use crate::admin::ask::Ask;
use crate::admin::livestore::Pulled;
use crate::admin::logs::list::LogPage;
use crate::admin::logs::one::{Log, LogSummary};
use crate::admin::logs::search::SearchResult;
use crate::admin::logs::values::FieldValues;
use crate::admin::parameters::Parameter;
use crate::admin::sessions::{SessionLogs, SessionPage};
use crate::admin::state::RecordDocument;
use crate::admin::stats::StatsDocument;
use crate::front::route::Access;

/// Adds a type's schema to the document, and says how it is referred to.
type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// A parameter that stands in a path: its name, what it is, and its schema.
type InPath = (&'static str, &'static str, fn() -> Schema);

/// One method of one path.
pub(super) struct Operation {
    pub method: &'static str,
    pub path: &'static str,
    pub id: &'static str,
    pub tag: &'static str,
    pub summary: &'static str,
    pub access: Access,
    pub in_path: &'static [InPath],
    pub parameters: &'static [Parameter],
    pub headers: &'static [(&'static str, &'static str)],
    pub body: Option<SchemaOf>,
    pub answer: Answer,
    /// Further statuses, and what they mean.
    pub also: &'static [(u16, &'static str)],
}

/// What is answered when all is well.
pub(super) enum Answer {
    Json(SchemaOf),
    Text(&'static str, &'static str),
    Empty,
    Blob,
}

fn of<T: JsonSchema>(schemas: &mut SchemaGenerator) -> Schema {
    schemas.subschema_for::<T>()
}

const ID: InPath = (
    "id",
    "The id of an exchange, the first eight or more digits of it, or its row's number.",
    || json_schema!({ "type": "string", "pattern": "^[0-9a-fA-F-]{1,36}$" }),
);
const KIND: InPath = (
    "kind",
    "Whose body: the client's request or the answer to it, the request to the provider or what that answered.",
    || json_schema!({ "type": "string", "enum": ["request", "response", "provider-request", "provider-response"] }),
);
const SESSION: InPath = (
    "session",
    "The id that the client gave the conversation.",
    || json_schema!({ "type": "string", "minLength": 1 }),
);
const PROVIDER: InPath = (
    "provider",
    "The provider's name in the configuration.",
    || json_schema!({ "type": "string", "minLength": 1 }),
);

const INVALID: (u16, &str) = (400, "A parameter that cannot be meant.");
const MISSING: (u16, &str) = (404, "There is none.");
const NO_RECORD: (u16, &str) = (503, "Nothing is recorded, or too much is asked at a time.");

/// A question to the record.
const RECORD: Operation = Operation {
    method: "get",
    path: "",
    id: "",
    tag: "record",
    summary: "",
    access: Access::Admin,
    in_path: &[],
    parameters: &[],
    headers: &[],
    body: None,
    answer: Answer::Empty,
    also: &[INVALID, NO_RECORD],
};

/// What an operator sees and does.
const CONTROL: Operation = Operation {
    tag: "control",
    also: &[],
    ..RECORD
};

/// What an operator does about a provider.
const ACTION: Operation = Operation {
    method: "post",
    in_path: &[PROVIDER],
    answer: Answer::Json(of::<documents::Provider>),
    also: &[
        (400, "The configuration has it off."),
        (404, "There is no such provider."),
    ],
    ..CONTROL
};

pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        path: "/api/logs",
        id: "listLogs",
        summary: "Exchanges, newest first",
        parameters: Ask::Logs.parameters(),
        answer: Answer::Json(of::<LogPage>),
        ..RECORD
    },
    Operation {
        path: "/api/logs/search",
        id: "searchLogs",
        summary: "Texts in bodies, newest exchanges first",
        parameters: Ask::Search.parameters(),
        answer: Answer::Json(of::<SearchResult>),
        ..RECORD
    },
    Operation {
        path: "/api/logs/values",
        id: "listValues",
        summary: "The different values of a field, for suggestions",
        parameters: Ask::Values.parameters(),
        answer: Answer::Json(of::<FieldValues>),
        ..RECORD
    },
    Operation {
        path: "/api/logs/{id}",
        id: "getLog",
        summary: "One exchange, with its details",
        in_path: &[ID],
        answer: Answer::Json(of::<Log>),
        also: &[INVALID, MISSING, NO_RECORD],
        ..RECORD
    },
    Operation {
        path: "/api/logs/{id}/summary",
        id: "getLogSummary",
        summary: "What became of one exchange",
        in_path: &[ID],
        answer: Answer::Json(of::<LogSummary>),
        also: &[INVALID, MISSING, NO_RECORD],
        ..RECORD
    },
    Operation {
        path: "/api/logs/{id}/blobs/{kind}",
        id: "getBlob",
        summary: "One of an exchange's bodies",
        in_path: &[ID, KIND],
        parameters: crate::admin::logs::blob::PARAMETERS,
        headers: &[("If-None-Match", "Entity tags of what the client has.")],
        answer: Answer::Blob,
        also: &[(304, "The client has it."), INVALID, MISSING, NO_RECORD],
        ..RECORD
    },
    Operation {
        path: "/api/sessions",
        id: "listSessions",
        summary: "Conversations, the one last used first",
        parameters: Ask::Sessions.parameters(),
        answer: Answer::Json(of::<SessionPage>),
        ..RECORD
    },
    Operation {
        path: "/api/sessions/{session}",
        id: "getSession",
        summary: "One conversation, with its exchanges",
        in_path: &[SESSION],
        parameters: crate::admin::sessions::ONE_PARAMETERS,
        answer: Answer::Json(of::<SessionLogs>),
        also: &[INVALID, MISSING, NO_RECORD],
        ..RECORD
    },
    Operation {
        path: "/api/stats",
        id: "getStats",
        summary: "Sums over exchanges",
        parameters: Ask::Stats.parameters(),
        answer: Answer::Json(of::<StatsDocument>),
        ..RECORD
    },
    Operation {
        path: "/api/tail",
        id: "tailLogs",
        summary: "Exchanges as they end, without an end: events `begin` and `lost` (`TailPlace`) and `exchange` (`Item`)",
        parameters: Ask::Tail.parameters(),
        headers: &[(
            "Last-Event-ID",
            "The place behind which to go on, as events have it for an id.",
        )],
        answer: Answer::Text("text/event-stream", "Server-sent events."),
        ..RECORD
    },
    Operation {
        path: "/api/livestore/pull",
        id: "pullLogs",
        summary: "Ended exchanges, newest first, in the protocol of an older proxy's dashboard",
        parameters: Ask::Pull.parameters(),
        answer: Answer::Json(of::<Pulled>),
        ..RECORD
    },
    Operation {
        path: "/api/record",
        id: "getRecord",
        summary: "How the record is doing, and how large it is",
        answer: Answer::Json(of::<RecordDocument>),
        ..RECORD
    },
    Operation {
        path: "/api/openapi.json",
        id: "getDocument",
        tag: "control",
        summary: "This document",
        answer: Answer::Json(|_| json_schema!({ "type": "object" })),
        also: &[INVALID],
        ..RECORD
    },
    Operation {
        path: "/api/providers",
        id: "listProviders",
        summary: "How the providers stand",
        answer: Answer::Json(of::<documents::Providers>),
        ..CONTROL
    },
    Operation {
        path: "/api/providers/{provider}/drain",
        id: "drainProvider",
        summary: "Sends nothing new there",
        ..ACTION
    },
    Operation {
        path: "/api/providers/{provider}/enable",
        id: "enableProvider",
        summary: "Uses it again, with nothing held against it",
        ..ACTION
    },
    Operation {
        path: "/api/providers/{provider}/probe",
        id: "probeProvider",
        summary: "Probes it now",
        ..ACTION
    },
    Operation {
        path: "/api/reload",
        id: "getReload",
        summary: "The configuration in force, and the last reload",
        answer: Answer::Json(of::<documents::InForce>),
        ..CONTROL
    },
    Operation {
        method: "post",
        path: "/api/reload",
        id: "reload",
        summary: "Reads the configuration again",
        answer: Answer::Json(of::<documents::InForce>),
        also: &[(
            422,
            "The configuration was refused; the last good one stays in force. The body is that of 200.",
        )],
        ..CONTROL
    },
    Operation {
        path: "/api/default",
        id: "getDefault",
        summary: "The model that serves names that nothing else does",
        access: Access::Owner,
        answer: Answer::Json(of::<documents::Default>),
        ..CONTROL
    },
    Operation {
        method: "post",
        path: "/api/default",
        id: "setDefault",
        summary: "Switches it, for every session that runs",
        access: Access::Owner,
        body: Some(of::<documents::DefaultWish>),
        answer: Answer::Json(of::<documents::Default>),
        also: &[(400, "No such wish."), (404, "No such model.")],
        ..CONTROL
    },
    Operation {
        method: "post",
        path: "/api/stop",
        id: "stop",
        summary: "Ends the gateway after its sessions; with `?now` at once",
        access: Access::Owner,
        answer: Answer::Json(of::<documents::Stopping>),
        ..CONTROL
    },
    Operation {
        path: "/api/lease",
        id: "lease",
        summary: "Keeps a gateway that `lingate run` started for as long as the connection is held",
        access: Access::Owner,
        answer: Answer::Text("text/plain", "A line now and then."),
        ..CONTROL
    },
    Operation {
        path: "/api/hello",
        id: "hello",
        tag: "clients",
        summary: "A client's look whether somebody is there",
        access: Access::Open,
        answer: Answer::Empty,
        ..CONTROL
    },
    Operation {
        method: "post",
        path: "/api/event_logging/batch",
        id: "logEvents",
        tag: "clients",
        summary: "Telemetry of clients: taken, and thrown away",
        access: Access::Open,
        answer: Answer::Json(|_| json_schema!({ "type": "object" })),
        ..CONTROL
    },
];
