//! In which order targets are asked: the strategies of the contract.

use core::time::Duration;

use crate::table::{Return, Strategy};

use super::draw::{Draw, affinity};

/// A target as a strategy sees it.
#[derive(Debug, Clone)]
pub(super) struct Contender {
    /// Its fingerprint.
    pub id: u64,
    pub weight: u32,
    /// It may be asked now.
    pub is_usable: bool,
    /// It takes the caller's own credential.
    pub is_callers: bool,
    /// Attempts under way.
    pub load: u32,
    pub latency: Option<Duration>,
    /// Its share of new sessions, up to 1, while it starts slowly.
    pub share: f64,
}

/// What the order depends on besides the targets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish {
    pub strategy: Strategy,
    pub return_to: Return,
    /// The session, by its fingerprint.
    pub session: Option<u64>,
    /// The target's fingerprint where the session is.
    pub place: Option<u64>,
    /// Requests for this model before.
    pub turn: u64,
}

/// Every contender by its place in the list, the one to ask first in front; what cannot be used now is behind.
pub(super) fn ranked(contenders: &[Contender], wish: &Wish, draw: &mut Draw) -> Vec<usize> {
    let mut order = preferred(contenders, wish, draw);
    let is_usable = |index: &usize| {
        contenders
            .get(*index)
            .is_some_and(|contender| contender.is_usable)
    };
    let (mut usable, out): (Vec<usize>, Vec<usize>) = order.drain(..).partition(is_usable);
    if let Some(place) = stays(contenders, wish, &usable) {
        usable.retain(|index| *index != place);
        usable.insert(0, place);
    }
    usable.into_iter().chain(out).collect()
}

/// Where the session stays, if the strategy keeps sessions and nothing calls it back.
fn stays(contenders: &[Contender], wish: &Wish, usable: &[usize]) -> Option<usize> {
    if wish.strategy.is_per_request() {
        return None;
    }
    let preferred = contenders.get(*usable.first()?)?;
    let is_ordered = wish.strategy == Strategy::Ordered;
    // The caller's own subscription is paid for: a session is back as soon as its limit is over.
    if is_ordered && (wish.return_to == Return::Now || preferred.is_callers) {
        return None;
    }
    let place = wish.place?;
    let is_place = |index: &&usize| contenders.get(**index).is_some_and(|own| own.id == place);
    usable.iter().find(is_place).copied()
}

fn preferred(contenders: &[Contender], wish: &Wish, draw: &mut Draw) -> Vec<usize> {
    let mut order: Vec<usize> = (0..contenders.len()).collect();
    let get = |index: &usize| contenders.get(*index);
    let usable = |order: &[usize]| -> Vec<usize> {
        let is_usable = |index: &&usize| get(index).is_some_and(|own| own.is_usable);
        order.iter().filter(is_usable).copied().collect()
    };
    match wish.strategy {
        Strategy::Ordered | Strategy::First => {}
        Strategy::RoundRobin => {
            let n = u64::try_from(order.len()).unwrap_or(1).max(1);
            order.rotate_left(usize::try_from(wish.turn % n).unwrap_or(0));
        }
        Strategy::Random => {
            let usable = usable(&order);
            first(&mut order, usable.get(draw.below(usable.len())).copied());
        }
        Strategy::WeightedRandom => {
            let chosen = needle(contenders, &usable(&order), draw);
            first(&mut order, chosen);
        }
        Strategy::LeastLatency => order.sort_by_key(|index| get(index).and_then(|own| own.latency)),
        Strategy::Spread => {
            let session = wish.session.unwrap_or_else(|| draw.bits());
            let like = |index: &usize| {
                get(index).map_or(0.0, |own| {
                    affinity(session, own.id, f64::from(own.weight) * own.share)
                })
            };
            order.sort_by(|a, b| like(b).total_cmp(&like(a)));
            let usable = usable(&order);
            if let [favourite, second, ..] = *usable
                && let (Some(one), Some(other)) =
                    (contenders.get(favourite), contenders.get(second))
                && is_much_busier(one, other)
            {
                first(&mut order, Some(second));
            }
        }
    }
    order
}

/// Of two that a session likes best, the second is taken only if it is clearly the better choice: a restart, which forgets
/// load and latency, should find the session at the same place.
fn is_much_busier(one: &Contender, other: &Contender) -> bool {
    let cost = |contender: &Contender| {
        let latency = contender.latency.unwrap_or_default().as_secs_f64().max(0.1);
        latency * (1.0 + f64::from(contender.load) / f64::from(contender.weight.max(1)))
    };
    cost(one) > 2.0 * cost(other)
}

/// A needle in the cumulative weights.
fn needle(contenders: &[Contender], usable: &[usize], draw: &mut Draw) -> Option<usize> {
    let weight = |index: usize| {
        let contender = contenders.get(index);
        contender.map_or(0.0, |own| f64::from(own.weight.max(1)) * own.share)
    };
    let total: f64 = usable.iter().map(|index| weight(*index)).sum();
    let mut needle = draw.unit() * total;
    let hit = usable.iter().copied().find(|index| {
        needle -= weight(*index);
        needle < 0.0
    });
    hit.or_else(|| usable.last().copied())
}

fn first(order: &mut Vec<usize>, chosen: Option<usize>) {
    if let Some(chosen) = chosen {
        order.retain(|index| *index != chosen);
        order.insert(0, chosen);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `a1`, `a2`, ... with weights 1, 2, ...; `!` behind the number is out, `$` the caller's own.
    fn contenders(list: &str) -> Vec<Contender> {
        let one = |text: &str| {
            let weight = text.trim_matches(|c: char| !c.is_ascii_digit());
            let weight: u32 = weight.parse().unwrap();
            Contender {
                id: u64::from(weight) * 1000,
                weight,
                is_usable: !text.contains('!'),
                is_callers: text.contains('$'),
                load: 0,
                latency: None,
                share: 1.0,
            }
        };
        list.split(' ').map(one).collect()
    }

    fn wish(strategy: Strategy) -> Wish {
        Wish {
            strategy,
            return_to: Return::NextSession,
            session: Some(1),
            place: None,
            turn: 0,
        }
    }

    #[track_caller]
    fn check(list: &str, wish: &Wish, expected: &[usize]) {
        let order = ranked(&contenders(list), wish, &mut Draw::new(1));
        assert_eq!(order, expected, "{list} {wish:?}");
    }

    #[test]
    fn ordered_stays_where_it_is() {
        let at = |weight: u64, return_to| Wish {
            place: Some(weight * 1000),
            return_to,
            ..wish(Strategy::Ordered)
        };
        let (later, now) = (Return::NextSession, Return::Now);
        check("1 2 3", &wish(Strategy::Ordered), &[0, 1, 2]);
        check("1! 2 3", &wish(Strategy::Ordered), &[1, 2, 0]);
        check("1 2 3", &at(2, later), &[1, 0, 2]);
        check("1 2! 3", &at(2, later), &[0, 2, 1]);
        check("1! 2! 3!", &at(2, later), &[0, 1, 2]);
        check("1 2 3", &at(2, now), &[0, 1, 2]);
        check("1! 2 3", &at(3, now), &[1, 2, 0]);
        check("1$ 2 3", &at(2, later), &[0, 1, 2]);
        check("1!$ 2 3", &at(3, later), &[2, 1, 0]);
        check("1 2 3", &at(9, later), &[0, 1, 2]);
    }

    #[test]
    fn per_request_strategies_know_no_session() {
        let of = |strategy, turn| Wish {
            place: Some(2000),
            turn,
            ..wish(strategy)
        };
        check("1 2 3", &of(Strategy::First, 0), &[0, 1, 2]);
        check("1! 2 3", &of(Strategy::First, 0), &[1, 2, 0]);
        for (turn, expected) in [
            (0, [0, 1, 2]),
            (1, [1, 2, 0]),
            (5, [2, 0, 1]),
            (6, [0, 1, 2]),
        ] {
            check("1 2 3", &of(Strategy::RoundRobin, turn), &expected);
        }
        check("1 2! 3", &of(Strategy::RoundRobin, 1), &[2, 0, 1]);
    }

    #[test]
    fn the_quickest_is_first_and_the_unknown_is_tried() {
        let mut list = contenders("1 2 3");
        for (contender, millis) in list.iter_mut().zip([300, 100, 200]) {
            contender.latency = Some(Duration::from_millis(millis));
        }
        let ask = wish(Strategy::LeastLatency);
        assert_eq!(ranked(&list, &ask, &mut Draw::new(1)), [1, 2, 0]);
        list[0].latency = None;
        assert_eq!(ranked(&list, &ask, &mut Draw::new(1)), [0, 1, 2]);
        list[0].is_usable = false;
        assert_eq!(ranked(&list, &ask, &mut Draw::new(1)), [1, 2, 0]);
    }

    /// Shares of the first place, in percent.
    fn shares(list: &[Contender], strategy: Strategy) -> Vec<i64> {
        let (mut draw, mut counts) = (Draw::new(11), vec![0_i64; list.len()]);
        for session in 0..10_000 {
            let ask = Wish {
                session: Some(session),
                ..wish(strategy)
            };
            counts[ranked(list, &ask, &mut draw)[0]] += 1;
        }
        counts.iter().map(|count| count / 100).collect()
    }

    #[track_caller]
    fn near(got: &[i64], expected: &[i64]) {
        let is_near = |(a, b): (&i64, &i64)| (a - b).abs() <= 2;
        assert!(
            got.iter().zip(expected).all(is_near),
            "{got:?} for {expected:?}"
        );
    }

    #[test]
    fn chance_is_even_or_weighted() {
        near(
            &shares(&contenders("1 2 5"), Strategy::Random),
            &[33, 33, 33],
        );
        near(
            &shares(&contenders("1 2! 5"), Strategy::Random),
            &[50, 0, 50],
        );
        near(
            &shares(&contenders("1 2 5"), Strategy::WeightedRandom),
            &[12, 25, 62],
        );
        near(
            &shares(&contenders("1 2 5!"), Strategy::WeightedRandom),
            &[33, 66, 0],
        );
        near(
            &shares(&contenders("1 2 5"), Strategy::Spread),
            &[12, 25, 62],
        );
        let mut slow = contenders("1 2 5");
        slow[2].share = 0.2;
        near(&shares(&slow, Strategy::WeightedRandom), &[25, 50, 25]);
        near(&shares(&slow, Strategy::Spread), &[25, 50, 25]);
    }

    #[test]
    fn spread_looks_at_load_and_then_stays() {
        let mut list = contenders("1 1");
        list[1].id = 5;
        let ask = wish(Strategy::Spread);
        let home = ranked(&list, &ask, &mut Draw::new(1))[0];
        assert_eq!(
            ranked(&list, &ask, &mut Draw::new(99))[0],
            home,
            "no chance in it"
        );
        list[home].load = 1;
        assert_eq!(ranked(&list, &ask, &mut Draw::new(1))[0], home);
        list[home].load = 2;
        assert_eq!(ranked(&list, &ask, &mut Draw::new(1))[0], 1 - home);
        let stays = Wish {
            place: Some(list[home].id),
            ..ask
        };
        assert_eq!(ranked(&list, &stays, &mut Draw::new(1))[0], home);
    }
}
