//! One model's price, and what a reply costs at it.

use lingate_wire::turn::Usage;

use crate::money::MicroUsd;

/// US dollars per million tokens, by kind of token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rates {
    /// Input that no cache served.
    pub input: MicroUsd,
    /// Output, reasoning included unless it has a price of its own.
    pub output: MicroUsd,
    /// Input read from the prompt cache.
    pub cache_read: MicroUsd,
    /// Input written to the five-minute cache.
    pub cache_write_5m: MicroUsd,
    /// Input written to the one-hour cache.
    pub cache_write_1h: MicroUsd,
    /// Reasoning, where it is not paid for as output.
    pub reasoning: Option<MicroUsd>,
}

impl Rates {
    /// Rates of a model without prices of its own for caches: they cost what input costs.
    #[must_use]
    pub const fn flat(input: MicroUsd, output: MicroUsd) -> Self {
        Self {
            input,
            output,
            cache_read: input,
            cache_write_5m: input,
            cache_write_1h: input,
            reasoning: None,
        }
    }

    /// What the usage costs; `None` if nothing was told of it.
    fn cost(&self, usage: &Usage) -> Option<MicroUsd> {
        if usage.is_empty() {
            return None;
        }
        let of = |tokens: Option<u64>, rate: MicroUsd| {
            u128::from(tokens.unwrap_or(0)) * u128::from(rate.0)
        };
        let output = match (self.reasoning, usage.reasoning) {
            (Some(rate), Some(reasoning)) => {
                let output = usage.output.unwrap_or(reasoning);
                let reasoning = reasoning.min(output);
                of(Some(reasoning), rate) + of(Some(output - reasoning), self.output)
            }
            _ => of(usage.output, self.output),
        };
        let millionths_of_micro = of(usage.input, self.input)
            + of(usage.cache_read, self.cache_read)
            + of(usage.cache_write_5m, self.cache_write_5m)
            + of(usage.cache_write_1h, self.cache_write_1h)
            + output;
        let micro = (millionths_of_micro + 500_000) / 1_000_000;
        Some(MicroUsd(u64::try_from(micro).unwrap_or(u64::MAX)))
    }
}

/// Rates of requests with more input than a threshold; they hold for the whole request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tier {
    /// Input tokens, caches included, above which these rates hold.
    pub above: u64,
    /// The rates.
    pub rates: Rates,
}

/// What a model costs at a provider.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Price {
    /// Below every threshold.
    pub rates: Rates,
    /// By threshold, ascending; mostly empty.
    pub tiers: Vec<Tier>,
}

impl Price {
    /// One rate for every size of request.
    #[must_use]
    pub const fn of(rates: Rates) -> Self {
        Self {
            rates,
            tiers: Vec::new(),
        }
    }

    /// Whether nothing is asked for anything.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        let all = std::iter::once(&self.rates).chain(self.tiers.iter().map(|tier| &tier.rates));
        all.into_iter().all(|rates| {
            [
                rates.input,
                rates.cache_read,
                rates.cache_write_5m,
                rates.cache_write_1h,
                rates.output,
            ]
            .iter()
            .all(|rate| rate.0 == 0)
        })
    }

    /// What one reply costs, rounded to the nearest millionth of a dollar, halves up. `None` if its usage was not told.
    ///
    /// An exchange of several attempts is the sum of its replies' costs, because thresholds hold for each request.
    #[must_use]
    pub fn cost(&self, usage: &Usage) -> Option<MicroUsd> {
        self.rates_of(usage).cost(usage)
    }

    /// The rates that hold for a request of which this usage was told.
    #[must_use]
    pub fn rates_of(&self, usage: &Usage) -> &Rates {
        let input = usage.total_input().unwrap_or(0);
        let tier = self.tiers.iter().rev().find(|tier| input > tier.above);
        tier.map_or(&self.rates, |tier| &tier.rates)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn usd(text: &str) -> MicroUsd {
        MicroUsd::parse(text).unwrap()
    }

    /// A model with a price for every kind of token, dearer above 200,000 tokens of input.
    fn price() -> Price {
        let rates = Rates {
            input: usd("3"),
            output: usd("15"),
            cache_read: usd("0.30"),
            cache_write_5m: usd("3.75"),
            cache_write_1h: usd("6"),
            reasoning: None,
        };
        let dear = Rates {
            input: usd("6"),
            output: usd("22.5"),
            ..rates
        };
        let tiers = vec![Tier {
            above: 200_000,
            rates: dear,
        }];
        Price { rates, tiers }
    }

    fn usage(counts: [u64; 6]) -> Usage {
        let [input, read, short, long, output, reasoning] = counts.map(Some);
        Usage {
            input,
            cache_read: read,
            cache_write_5m: short,
            cache_write_1h: long,
            output,
            reasoning,
        }
    }

    #[test]
    fn every_kind_of_token_has_its_price() {
        for (counts, expected) in [
            ([1_000_000, 0, 0, 0, 0, 0], 6_000_000),
            ([1_000, 0, 0, 0, 0, 0], 3_000),
            ([0, 1_000, 0, 0, 0, 0], 300),
            ([0, 0, 1_000, 0, 0, 0], 3_750),
            ([0, 0, 0, 1_000, 0, 0], 6_000),
            ([0, 0, 0, 0, 1_000, 0], 15_000),
            ([0, 0, 0, 0, 1_000, 400], 15_000),
            ([200_000, 0, 0, 0, 0, 0], 600_000),
            ([1, 200_000, 0, 0, 0, 0], 60_006),
            ([17, 1_203, 0, 0, 421, 0], 6_727),
        ] {
            let cost = price().cost(&usage(counts));
            assert_eq!(cost, Some(MicroUsd(expected)), "{counts:?}");
        }
    }

    #[test]
    fn the_sum_is_rounded_not_its_parts() {
        let rates = Rates::flat(usd("0.4"), usd("0.4"));
        let check = |input, output, expected| {
            let usage = usage([input, 0, 0, 0, output, 0]);
            assert_eq!(Price::of(rates).cost(&usage), Some(MicroUsd(expected)));
        };
        check(1, 0, 0);
        check(1, 1, 1);
        check(2, 0, 1);
    }

    #[test]
    fn reasoning_may_have_a_price_of_its_own() {
        let rates = Rates {
            reasoning: Some(usd("4")),
            ..Rates::flat(usd("1"), usd("2"))
        };
        let check = |output, reasoning, expected| {
            let usage = Usage {
                output,
                reasoning,
                ..Usage::default()
            };
            assert_eq!(Price::of(rates).cost(&usage), Some(MicroUsd(expected)));
        };
        check(Some(10), Some(4), 28);
        check(Some(10), None, 20);
        check(None, Some(4), 16);
        check(Some(3), Some(9), 12);
    }

    #[test]
    fn what_was_not_told_has_no_cost() {
        assert_eq!(price().cost(&Usage::default()), None);
    }

    proptest! {
        #[test]
        fn never_less_for_more(counts in prop::array::uniform6(0_u64..300_000), more in 0_u64..100_000) {
            let before = price().cost(&usage(counts));
            let mut counts = counts;
            counts[0] += more;
            prop_assert!(price().cost(&usage(counts)) >= before);
        }

        #[test]
        fn any_count_has_a_cost(counts in prop::array::uniform6(any::<u64>())) {
            prop_assert!(price().cost(&usage(counts)).is_some());
        }
    }
}
