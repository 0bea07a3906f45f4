//! The permits that an exchange holds where only so many requests may be at a time: one for its client key, one at the
//! provider that is asked. Dropped with the exchange, they go to who is next.

use std::time::Duration;

use lingate_config::Provider;
use lingate_route::health::fingerprint;
use lingate_route::queue::Party;
use lingate_wire::turn::Failure;

use super::asked::Asked;
use crate::front::keys::Caller;
use crate::front::queue::{Gate, Permit};
use crate::record::Draft;
use crate::shared::Shared;

/// Longest wait for a permit. Clients that stream are kept alive meanwhile; others wait ten minutes for a reply.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longest wait where another target may have room: about what a large prompt costs to be read anew there.
const PATIENCE_WITH_OTHERS: Duration = Duration::from_secs(10);

/// What one exchange holds.
#[derive(Default)]
pub(super) struct Permits {
    of_client: Option<Permit>,
    at_provider: Option<Permit>,
    /// It waits for one: whoever it waits for is not at fault.
    pub is_waiting: bool,
}

impl Permits {
    /// Waits for the client key's permit; once for an exchange.
    ///
    /// # Errors
    /// A rate limit of ours if there is none in time.
    pub(super) async fn for_client(
        &mut self,
        shared: &Shared,
        asked: &Asked,
        draft: &Draft,
    ) -> Result<(), Failure> {
        let Caller::Key(key) = &asked.caller else {
            return Ok(());
        };
        let Some(capacity) = key.concurrency.filter(|_| self.of_client.is_none()) else {
            return Ok(());
        };
        let gate = Gate::Key(key.name.clone());
        let permit = self.wait(shared, asked, draft, gate, capacity, PATIENCE);
        self.of_client = Some(permit.await?);
        Ok(())
    }

    /// Waits for a permit at the provider that is asked next; that of the one before is given back.
    ///
    /// # Errors
    /// A rate limit of ours if there is none in time.
    pub(super) async fn at_provider(
        &mut self,
        shared: &Shared,
        asked: &Asked,
        draft: &Draft,
        provider: &Provider,
        has_others: bool,
    ) -> Result<(), Failure> {
        let Some(capacity) = provider.concurrency else {
            self.at_provider = None;
            return Ok(());
        };
        let gate = Gate::Provider(provider.id.clone());
        if self
            .at_provider
            .as_ref()
            .is_some_and(|own| own.is_of(&gate))
        {
            return Ok(());
        }
        self.at_provider = None;
        let patience = if has_others {
            PATIENCE_WITH_OTHERS
        } else {
            PATIENCE
        };
        let permit = self.wait(shared, asked, draft, gate, capacity, patience);
        self.at_provider = Some(permit.await?);
        Ok(())
    }

    async fn wait(
        &mut self,
        shared: &Shared,
        asked: &Asked,
        draft: &Draft,
        gate: Gate,
        capacity: u32,
        patience: Duration,
    ) -> Result<Permit, Failure> {
        self.is_waiting = true;
        let queues = &shared.queues;
        let entered = queues.enter(&shared.metrics, gate, capacity, party(asked), patience);
        let entered = entered.await;
        self.is_waiting = false;
        let (permit, wait) = entered?;
        draft.queued(wait);
        Ok(permit)
    }
}

/// A session's subagents take turns as one: twenty of them are no more than one to the sessions beside it.
fn party(asked: &Asked) -> Party {
    Party {
        caller: fingerprint([asked.caller.name()]),
        session: asked.session().map_or(0, |session| fingerprint([session])),
        class: asked.class(),
    }
}
