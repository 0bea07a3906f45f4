//! What attempts used, and what that costs: every attempt is paid for at its own upstream's price.

use std::sync::Arc;

use lingate_config::Billing;
use lingate_price::MicroUsd;
use lingate_wire::turn::Usage;

use super::{Details, Draft};
use crate::govern::Account;
use crate::record::books::Priced;

impl Draft {
    /// What the upstream of the next attempt asks for its tokens (`None` is "unpriced"), and who pays.
    pub(crate) fn priced(&self, priced: Option<Priced>, billing: Billing) {
        let mut details = self.details();
        details.priced = priced;
        details.billing = Some(billing);
    }

    /// Who pays.
    pub(crate) fn charged_to(&self, account: Arc<Account>) {
        self.details().account = Some(account);
    }

    /// The account that it is charged to.
    pub(crate) fn account(&self) -> Option<Arc<Account>> {
        self.details().account.clone()
    }

    /// Somebody should look at it: a word for the record.
    pub(crate) fn warn(&self, warning: &'static str) {
        let mut details = self.details();
        if !details.warnings.contains(&warning) {
            details.warnings.push(warning);
        }
    }

    /// How far a budget is spent, for the client.
    pub(crate) fn tell_budget(&self, notice: String) {
        self.details().notices.push(("x-lingate-budget", notice));
    }

    /// What is to be looked at, for the client.
    pub(crate) fn tell_warning(&self, notice: String) {
        self.details().notices.push(("x-lingate-warning", notice));
    }

    /// Headers that tell the client.
    pub(crate) fn notices(&self) -> Vec<(&'static str, String)> {
        self.details().notices.clone()
    }

    /// What the attempt in flight has used so far.
    pub(crate) fn used(&self, usage: &Usage) {
        self.details().usage = usage.believable();
    }

    /// What an attempt that has ended used counts, whatever follows.
    pub(super) fn spend(&self, details: &mut Details) {
        self.count_tokens(details);
        let usage = std::mem::take(&mut details.usage);
        details.charge(&usage);
        details.earlier.add(&usage);
    }

    pub(super) fn count_tokens(&self, details: &Details) {
        let own = self.metrics.provider(&details.provider);
        own.count_tokens(&details.usage);
    }
}

impl Details {
    /// What an attempt used is paid for at its upstream's price.
    pub(super) fn charge(&mut self, usage: &Usage) {
        if usage.is_empty() {
            return;
        }
        let priced = self.priced.as_ref();
        match priced.and_then(|priced| priced.price.cost(usage)) {
            Some(cost) => {
                let before = self.cost.unwrap_or_default();
                self.cost = Some(before.saturating_add(cost));
                self.bill(cost);
            }
            None => self.is_unpriced = true,
        }
    }

    /// What no subscription pays for counts against budgets.
    fn bill(&mut self, cost: MicroUsd) {
        if self.billing != Some(Billing::Metered) {
            return;
        }
        self.billed = self.billed.saturating_add(cost);
        if let Some(account) = &self.account {
            account.charge(cost);
        }
    }
}
