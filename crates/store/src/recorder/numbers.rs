//! What remains of an exchange when there is no room for more: its numbers, which are what costs are made of.

use jiff::Timestamp;
use lingate_wire::turn::Usage;
use uuid::Uuid;

use crate::record::{Billing, End, Exchange};

/// An exchange without anything that has a length of its own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Numbers {
    pub id: Uuid,
    pub time: Timestamp,
    pub ended: Option<Timestamp>,
    pub end: Option<End>,
    pub status: Option<u16>,
    pub attempts: u16,
    pub usage: Usage,
    pub tokens: Option<u64>,
    pub cost_micro_usd: Option<i64>,
    pub billing: Option<Billing>,
    pub billed_micro_usd: Option<i64>,
    pub duration_ms: Option<u64>,
}

impl From<&Exchange> for Numbers {
    fn from(exchange: &Exchange) -> Self {
        Self {
            id: exchange.id,
            time: exchange.time,
            ended: exchange.ended,
            end: exchange.end,
            status: exchange.status,
            attempts: exchange.attempts,
            usage: exchange.usage,
            tokens: exchange.tokens(),
            cost_micro_usd: exchange.cost_micro_usd,
            billing: exchange.billing,
            billed_micro_usd: exchange.billed_micro_usd,
            duration_ms: exchange.duration_ms,
        }
    }
}
