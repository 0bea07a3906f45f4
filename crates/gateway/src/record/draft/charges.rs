//! What attempts used, and what that costs: every attempt is paid for at its own upstream's price.

use std::sync::Arc;

use lingate_config::Billing;
use lingate_price::{MicroUsd, Rates};
use lingate_wire::turn::Usage;

use super::{Details, Draft, Paid};
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

    /// What the attempt in flight has used so far.
    pub(crate) fn used(&self, usage: &Usage) {
        self.details().usage = usage.believable();
    }

    /// What an attempt that has ended used counts, whatever follows.
    pub(super) fn spend(&self, details: &mut Details) {
        self.count_tokens(details);
        let usage = std::mem::take(&mut details.usage);
        self.charge(details, &usage);
        details.earlier.add(&usage);
    }

    /// What an attempt used is paid for, and counted where it was used.
    pub(super) fn charge(&self, details: &mut Details, usage: &Usage) {
        if let Some(cost) = details.charge(usage) {
            self.series(details).cost.inc_by(cost.0);
        }
    }

    pub(super) fn count_tokens(&self, details: &mut Details) {
        let usage = details.usage;
        self.series(details).count_tokens(&usage);
    }
}

impl Details {
    /// What an attempt used is paid for at its upstream's price: what that is, if it is known.
    fn charge(&mut self, usage: &Usage) -> Option<MicroUsd> {
        if usage.is_empty() {
            return None;
        }
        let priced = self.priced.as_ref();
        let counted = priced.and_then(|priced| Some((priced, priced.price.cost(usage)?)));
        let Some((priced, cost)) = counted else {
            self.is_unpriced = true;
            return None;
        };
        let paid = self.paid_at(priced, *priced.price.rates_of(usage));
        self.paid = Some(Box::new(paid));
        let before = self.cost.unwrap_or_default();
        self.cost = Some(before.saturating_add(cost));
        self.bill(cost);
        Some(cost)
    }

    /// Rates of the attempt in flight or the last.
    pub(super) fn paid_at(&self, priced: &Priced, rates: Rates) -> Paid {
        Paid {
            model: self.upstream_model.clone(),
            table: priced.table.clone(),
            rates,
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

#[cfg(test)]
mod tests {
    use lingate_price::{Price, Tier};
    use lingate_wire::Wire;
    use lingate_wire::bridge::Lane;
    use uuid::Uuid;

    use super::*;
    use crate::clock;
    use crate::lane::calibration::Calibration;
    use crate::metrics::Metrics;
    use crate::record::draft::AttemptEnd;

    /// Each provider's cost is its own, and what is told is what was counted with.
    #[test]
    fn attempts_are_paid_for_where_they_were_made() {
        let metrics = Arc::new(Metrics::new());
        let draft = Draft::open(
            Uuid::nil(),
            clock::now(),
            Wire::Chat,
            Arc::clone(&metrics),
            Arc::new(Calibration::default()),
        );
        let rates = |dollars: u64| Rates::flat(MicroUsd(dollars * 1_000_000), MicroUsd(0));
        let priced = || Priced {
            price: Price {
                rates: rates(1),
                tiers: vec![Tier {
                    above: 1000,
                    rates: rates(2),
                }],
            },
            table: "t".to_owned(),
        };
        for (provider, tokens, paid) in [("one", 10, 1), ("two", 2000, 2), ("two", 0, 2)] {
            draft.attempt(provider, "m", Wire::Chat, Lane::Translate);
            draft.priced(Some(priced()), Billing::Metered);
            draft.used(&Usage {
                input: (tokens > 0).then_some(tokens),
                ..Usage::default()
            });
            draft.attempt_ended(AttemptEnd::Failed, None);
            let details = draft.details();
            assert_eq!(
                details.paid.as_ref().map(|paid| paid.rates),
                Some(rates(paid))
            );
        }
        drop(draft);
        let text = metrics.text();
        for (provider, cost) in [("one", 10), ("two", 4000)] {
            let line = format!("cost_micro_usd_total{{provider=\"{provider}\"}} {cost}\n");
            assert!(text.contains(&line), "{text}");
        }
    }
}
