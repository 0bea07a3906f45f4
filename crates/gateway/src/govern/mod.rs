//! What holds an agent that runs on: budgets, and a word when a conversation goes in circles.
//!
//! Both are looked at once an exchange, before anything is asked upstream ([`admit`], [`affordable`]), and what was spent
//! is noted when attempts end ([`Account::charge`]). Nothing here waits, reads a file or looks at streamed events.
//!
//! What runs at the same time is not foreseen: requests that were let in before the last dollar was spent go on to their
//! end, so a budget may be overshot by what is in flight.

mod account;
mod ledger;
mod loops;

use std::sync::Arc;

use lingate_config::Billing;
use lingate_route::Candidate;
use lingate_wire::turn::Failure;

pub(crate) use account::{Account, measure};
pub(crate) use ledger::Ledger;

use crate::clock;
use crate::exchange::asked::Asked;
use crate::exchange::upstream::Upstream;
use crate::record::Draft;
use crate::shared::Shared;
use crate::upstream::auth::shown_credential;

/// Opens the exchange's account, and says whether its conversation goes in circles.
///
/// # Errors
/// A refusal, if it does so more often than `loops.stop_after` allows.
pub(crate) fn admit(shared: &Shared, asked: &Asked, draft: &Draft) -> Result<(), Failure> {
    let account = Account::of(shared, asked, clock::accepted(&draft.id));
    if let Some(notice) = account.notice() {
        draft.tell_budget(notice);
    }
    draft.charged_to(Arc::new(account));
    loops::look(shared, asked, draft)
}

/// The candidates that may be asked: all of them, or, once a budget is spent, those that cost nothing.
///
/// # Errors
/// A refusal that names the budget, if none is left.
pub(crate) fn affordable(
    shared: &Shared,
    asked: &Asked,
    draft: &Draft,
    mut candidates: Vec<Candidate>,
) -> Result<Vec<Candidate>, Failure> {
    // What is run again from the record asks nobody.
    let Some(account) = draft.account().filter(|_| shared.script.is_none()) else {
        return Ok(candidates);
    };
    let Some(refusal) = account.refusal(clock::accepted(&draft.id)) else {
        return Ok(candidates);
    };
    candidates.retain(|candidate| is_free(shared, asked, candidate));
    if candidates.is_empty() {
        draft.warn("budget");
        draft.gather(|gathered| gathered.refused(&refusal));
        account.refused(&draft.id);
        return Err(refusal);
    }
    Ok(candidates)
}

/// How a request to this upstream is paid for.
pub(crate) fn billing(asked: &Asked, upstream: &Upstream<'_>) -> Billing {
    let credential = shown_credential(upstream.provider.auth, upstream.key, &asked.headers);
    upstream.provider.billing(credential)
}

/// Whether a request to this candidate costs nothing: a subscription pays for it, its price is nothing, or it has none and
/// runs on the user's own machines.
fn is_free(shared: &Shared, asked: &Asked, candidate: &Candidate) -> bool {
    let Ok(mut upstream) = Upstream::of(&shared.config, candidate, asked.wire) else {
        return false;
    };
    let keys = &upstream.provider.keys;
    let by_subscription = match keys.is_empty() {
        true => billing(asked, &upstream) == Billing::Subscription,
        false => keys.iter().all(|key| {
            upstream.key = Some(key);
            billing(asked, &upstream) == Billing::Subscription
        }),
    };
    let price = shared.books.price(&shared.config, candidate, &upstream);
    by_subscription
        || price.map_or(upstream.provider.is_local(), |priced| {
            priced.price.is_nothing()
        })
}
