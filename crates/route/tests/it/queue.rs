//! The fair queue, by example and against what must hold of any run.

use std::collections::BTreeMap;

use lingate_route::Class;
use lingate_route::queue::{Entry, Party, Queue, Ticket};
use proptest::prelude::*;

/// `m1`, `s2`, `a1/7`: class, caller, and the session if it matters.
fn party(text: &str) -> Party {
    let (class, rest) = text.split_at(1);
    let (caller, session) = rest.split_once('/').unwrap_or((rest, "0"));
    Party {
        class: match class {
            "m" => Class::Main,
            "s" => Class::Subagent,
            _ => Class::Auxiliary,
        },
        caller: caller.parse().expect("a number"),
        session: session.parse().expect("a number"),
    }
}

/// All but the first wait at a gate for one; the order in which they are let in.
#[track_caller]
fn check(comers: &str, expected: &str) {
    let mut queue = Queue::new(1, 100);
    let mut names = BTreeMap::new();
    let mut inside = None;
    for name in comers.split(' ') {
        let (ticket, is_inside) = match queue.enter(party(name)) {
            Entry::Admitted(ticket) => (Some(ticket), true),
            Entry::Waiting(ticket) => (Some(ticket), false),
            Entry::Full => (None, false),
        };
        let ticket = ticket.expect("room in the queue");
        names.insert(ticket, name);
        if is_inside {
            inside = Some(ticket);
        }
    }
    let mut order = Vec::new();
    while let Some(ticket) = inside {
        inside = queue.leave(ticket);
        order.extend(inside.map(|ticket| names[&ticket]));
    }
    assert_eq!(order.join(" "), expected, "{comers}");
    assert_eq!((queue.n_inside(), queue.n_waiting()), (0, 0));
}

#[test]
fn the_conversation_goes_before_its_subagents_and_callers_take_turns() {
    check("m1 m1 m1", "m1 m1");
    check("m1 a1 s1 m1", "m1 s1 a1");
    check("m1 s1 s1 s1 s2 s2 m3", "m3 s1 s2 s1 s2 s1");
    check("m1 s1/1 s1/1 s1/1 s1/2 s2/1", "s1/1 s2/1 s1/2 s1/1 s1/1");
}

#[test]
fn too_many_are_refused_and_who_gives_up_leaves_no_gap() {
    let mut queue = Queue::new(1, 2);
    let enter = |queue: &mut Queue| queue.enter(party("m1"));
    let Entry::Admitted(first) = enter(&mut queue) else {
        panic!()
    };
    let (Entry::Waiting(second), Entry::Waiting(third)) = (enter(&mut queue), enter(&mut queue))
    else {
        panic!()
    };
    assert_eq!(enter(&mut queue), Entry::Full);
    assert_eq!(queue.leave(second), None);
    assert!(matches!(enter(&mut queue), Entry::Waiting(_)));
    assert_eq!(queue.leave(first), Some(third));
    assert_eq!(queue.leave(first), None, "nobody leaves twice");
}

#[test]
fn another_size_lets_more_in_or_waits_until_fewer_are() {
    let mut queue = Queue::new(1, 9);
    let tickets: Vec<Entry> = (0..4).map(|_| queue.enter(party("m1"))).collect();
    let ticket = |at: usize| match tickets[at] {
        Entry::Admitted(ticket) | Entry::Waiting(ticket) => ticket,
        Entry::Full => panic!("{at}"),
    };
    assert_eq!(queue.resize(3, 9), [ticket(1), ticket(2)]);
    assert_eq!(queue.resize(1, 9), []);
    assert_eq!(queue.leave(ticket(0)), None);
    assert_eq!(queue.leave(ticket(1)), None);
    assert_eq!(queue.leave(ticket(2)), Some(ticket(3)));
    assert_eq!((Queue::new(0, 9).capacity(), queue.capacity()), (1, 1));
}

#[derive(Debug, Clone)]
enum Act {
    Enter(Party),
    Leave(usize),
    Resize(usize),
}

fn act() -> impl Strategy<Value = Act> {
    let class = prop_oneof![
        Just(Class::Main),
        Just(Class::Subagent),
        Just(Class::Auxiliary)
    ];
    let party = (class, 0..3_u64, 0..3_u64).prop_map(|(class, caller, session)| Party {
        caller,
        session,
        class,
    });
    prop_oneof![
        5 => party.prop_map(Act::Enter),
        5 => (0..40_usize).prop_map(Act::Leave),
        1 => (1..6_usize).prop_map(Act::Resize),
    ]
}

const MOST_WAITING: usize = 12;

fn rank(class: Class) -> u8 {
    match class {
        Class::Main => 0,
        Class::Subagent => 1,
        Class::Auxiliary => 2,
    }
}

proptest! {
    /// Never too many inside; nobody waits beside a free place; who is let in overtook nobody of its own session
    /// and nobody of a higher class.
    #[test]
    fn what_holds_of_any_run(acts in prop::collection::vec(act(), 0..200)) {
        let mut queue = Queue::new(2, MOST_WAITING);
        let mut capacity = 2;
        let mut inside: Vec<Ticket> = Vec::new();
        let mut waiting: Vec<(Ticket, Party)> = Vec::new();
        for act in acts {
            let let_in = match act {
                Act::Enter(party) => {
                    match queue.enter(party) {
                        Entry::Admitted(ticket) => {
                            prop_assert!(waiting.is_empty(), "a newcomer took a place");
                            inside.push(ticket);
                        }
                        Entry::Waiting(ticket) => waiting.push((ticket, party)),
                        Entry::Full => prop_assert_eq!(waiting.len(), MOST_WAITING),
                    }
                    Vec::new()
                }
                Act::Leave(at) => {
                    let n = inside.len() + waiting.len();
                    if n == 0 {
                        continue;
                    }
                    let at = at % n;
                    let ticket = if at < inside.len() {
                        inside.remove(at)
                    } else {
                        waiting.remove(at - inside.len()).0
                    };
                    queue.leave(ticket).into_iter().collect()
                }
                Act::Resize(to) => {
                    capacity = to;
                    queue.resize(to, MOST_WAITING)
                }
            };
            for ticket in let_in {
                let at = waiting.iter().position(|(own, _)| *own == ticket);
                prop_assert!(at.is_some(), "let in who does not wait");
                let (_, party) = waiting.remove(at.unwrap());
                for (other, beside) in &waiting {
                    prop_assert!(rank(beside.class) >= rank(party.class));
                    if beside.class != party.class {
                        continue;
                    }
                    if (beside.caller, beside.session) == (party.caller, party.session) {
                        prop_assert!(*other > ticket, "not in order");
                    }
                }
                inside.push(ticket);
            }
            prop_assert_eq!(inside.len(), queue.n_inside());
            prop_assert_eq!(waiting.len(), queue.n_waiting());
            prop_assert!(waiting.is_empty() || inside.len() >= capacity, "a free place is not handed on");
        }
    }

    /// Between two turns of a caller that waits, every other waiting caller has one at most.
    #[test]
    fn callers_take_turns(callers in prop::collection::vec(0..4_u64, 1..60)) {
        let mut queue = Queue::new(1, 100);
        let mut whose = BTreeMap::new();
        let mut inside = None;
        for (n, caller) in (0..).zip(&callers) {
            let entry = queue.enter(Party { caller: *caller, session: n % 2, class: Class::Subagent });
            match entry {
                Entry::Admitted(ticket) => inside = Some(ticket),
                Entry::Waiting(ticket) => drop(whose.insert(ticket, *caller)),
                Entry::Full => unreachable!(),
            }
        }
        let mut since: BTreeMap<u64, Vec<u64>> = whose.values().map(|own| (*own, Vec::new())).collect();
        let mut left = whose.values().fold(BTreeMap::new(), |mut left, own| {
            *left.entry(*own).or_insert(0) += 1;
            left
        });
        while let Some(ticket) = inside {
            inside = queue.leave(ticket);
            let Some(caller) = inside.map(|ticket| whose[&ticket]) else { break };
            *left.get_mut(&caller).unwrap() -= 1;
            for (waits, came) in &mut since {
                if *waits != caller && left[waits] > 0 {
                    prop_assert!(!came.contains(&caller), "{caller} twice while {waits} waits");
                    came.push(caller);
                }
            }
            since.insert(caller, Vec::new());
        }
        prop_assert!(left.values().all(|left| *left == 0), "somebody was forgotten");
    }
}
