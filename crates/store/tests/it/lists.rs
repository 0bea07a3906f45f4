//! Pages, conversations and sums.

use lingate_store::{End, Exchange, Filter, GroupBy, Options, Page};
use lingate_wire::turn::Usage;

use crate::support::{Kept, at, exchange};

#[test]
fn pages_have_every_row_once() {
    let kept = Kept::new(Options::default());
    kept.put((0..25).map(exchange));
    let reader = kept.reader();
    let mut page = Page {
        before: None,
        limit: 10,
        skip: 0,
    };
    let mut seen = Vec::new();
    for expected in [10, 10, 5] {
        let listing = reader.list(&Filter::default(), page).unwrap();
        assert_eq!(listing.items.len(), expected);
        // What comes in between does not move the pages.
        kept.put([exchange(100 + seen.len() as u64)]);
        seen.extend(listing.items.iter().map(|exchange| exchange.id));
        page.before = listing.next;
    }
    assert_eq!(page.before, None);
    let newest_first: Vec<_> = (0..25).rev().map(|number| exchange(number).id).collect();
    assert_eq!(seen, newest_first);
}

#[test]
fn pages_have_numbers_too() {
    let kept = Kept::new(Options::default());
    kept.put((0..25).map(exchange));
    let reader = kept.reader();
    let seconds = |skip| {
        let page = Page {
            before: None,
            limit: 10,
            skip,
        };
        let listing = reader.list(&Filter::default(), page).unwrap();
        let first = listing
            .items
            .first()
            .map(|exchange| (exchange.time - at(0)).get_seconds());
        (first, listing.items.len(), listing.next.is_some())
    };
    assert_eq!(seconds(10), (Some(14), 10, true));
    assert_eq!(seconds(20), (Some(4), 5, false));
    assert_eq!(seconds(30), (None, 0, false));
    let filter = Filter::parse("since:10s", at(25_000)).unwrap();
    assert_eq!(reader.count(&filter, 1000).unwrap(), 10);
    assert_eq!(reader.count(&Filter::default(), 20).unwrap(), 20);
}

#[test]
fn no_page_is_longer_than_the_limit() {
    let kept = Kept::new(Options::default());
    kept.put((0..1100).map(exchange));
    for (asked, given) in [(0, 1), (3, 3), (usize::MAX, 1000)] {
        let page = Page {
            before: None,
            limit: asked,
            skip: 0,
        };
        let listing = kept.reader().list(&Filter::default(), page).unwrap();
        assert_eq!(listing.items.len(), given);
    }
}

#[test]
fn conversations_are_summed_up() {
    let kept = Kept::new(Options::default());
    let in_session = |number, session: &str| Exchange {
        session: Some(session.to_owned()),
        ..exchange(number)
    };
    kept.put([
        in_session(0, "a"),
        in_session(1, "b"),
        Exchange {
            status: Some(500),
            cost_micro_usd: None,
            model: "glm".into(),
            ..in_session(2, "a")
        },
        Exchange {
            session: None,
            ..exchange(3)
        },
    ]);
    let reader = kept.reader();
    let sessions = reader.sessions(Page::default()).unwrap();
    let names: Vec<_> = sessions
        .items
        .iter()
        .map(|session| session.session.as_str())
        .collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(sessions.next, None);
    let a = reader.session("a").unwrap().unwrap();
    assert_eq!(
        (a.exchanges, a.errors, a.unpriced, a.tokens),
        (2, 1, 1, 2300)
    );
    assert_eq!((a.first, a.last), (at(0), at(2000)));
    assert_eq!((a.cost_micro_usd, a.model.as_str()), (Some(1234), "glm"));
    assert_eq!(reader.session("c").unwrap(), None);
    let first = reader
        .sessions(Page {
            before: None,
            limit: 1,
            skip: 0,
        })
        .unwrap();
    let second = reader
        .sessions(Page {
            before: first.next,
            limit: 1,
            skip: 0,
        })
        .unwrap();
    assert_eq!(second.items[0].session, "b");
    assert_eq!(second.next, None);
}

#[test]
fn sums_are_exact() {
    let kept = Kept::new(Options::default());
    const DAY: u64 = 24 * 3600;
    kept.put([
        Exchange {
            tools: vec!["Bash".into(), "Read".into()],
            ..exchange(1)
        },
        Exchange {
            tools: vec!["Bash".into()],
            cost_micro_usd: Some(1),
            ..exchange(2)
        },
        Exchange {
            model: "glm".into(),
            cost_micro_usd: None,
            ..exchange(DAY)
        },
        Exchange {
            model: "glm".into(),
            end: Some(End::Broken),
            usage: Usage::default(),
            ..exchange(9 * DAY)
        },
    ]);
    let reader = kept.reader();
    let check = |by, offset, expected: &[(&str, u64, i64)]| {
        let stats = reader.stats(&Filter::default(), by, offset, 100).unwrap();
        let groups: Vec<_> = stats
            .groups
            .iter()
            .map(|group| {
                (
                    group.group.as_deref().unwrap_or("-"),
                    group.exchanges,
                    group.cost_micro_usd.unwrap_or(0),
                )
            })
            .collect();
        assert_eq!(groups, expected, "{by:?}");
        let total = stats.total;
        assert_eq!(
            (
                total.exchanges,
                total.errors,
                total.unpriced,
                total.cost_micro_usd
            ),
            (4, 1, 1, Some(2469))
        );
        assert_eq!(
            (
                total.usage.input,
                total.usage.cache_read,
                total.usage.output
            ),
            (Some(300), Some(3000), Some(150))
        );
        assert_eq!(
            (total.usage.reasoning, total.duration.average_ms()),
            (None, Some(800))
        );
    };
    check(
        GroupBy::Day,
        0,
        &[
            ("2026-11-30", 1, 1234),
            ("2026-11-22", 1, 0),
            ("2026-11-21", 2, 1235),
        ],
    );
    check(
        GroupBy::Day,
        -3600,
        &[
            ("2026-11-29", 1, 1234),
            ("2026-11-21", 1, 0),
            ("2026-11-20", 2, 1235),
        ],
    );
    check(
        GroupBy::Week,
        0,
        &[("2026-11-30", 1, 1234), ("2026-11-16", 3, 1235)],
    );
    check(GroupBy::Month, 0, &[("2026-11", 4, 2469)]);
    check(
        GroupBy::Hour,
        0,
        &[
            ("2026-11-30T00", 1, 1234),
            ("2026-11-22T00", 1, 0),
            ("2026-11-21T00", 2, 1235),
        ],
    );
    check(GroupBy::Model, 0, &[("kimi", 2, 1235), ("glm", 2, 1234)]);
    check(GroupBy::Provider, 0, &[("moonshot", 4, 2469)]);
    check(GroupBy::Session, 0, &[("s-1", 4, 2469)]);
    check(GroupBy::Key, 0, &[("-", 4, 2469)]);
    check(GroupBy::Class, 0, &[("main", 4, 2469)]);
    check(GroupBy::UpstreamModel, 0, &[("kimi-k2", 4, 2469)]);
    check(GroupBy::Status, 0, &[("200", 4, 2469)]);
    check(
        GroupBy::End,
        0,
        &[("answered", 3, 1235), ("broken", 1, 1234)],
    );
    check(GroupBy::Tool, 0, &[("Bash", 2, 1235), ("Read", 1, 1234)]);
    check(GroupBy::Quirk, 0, &[]);
    let filter = Filter::parse("model:glm tool:*", at(0)).unwrap();
    assert_eq!(
        reader.stats(&filter, GroupBy::Tool, 0, 9).unwrap().groups,
        []
    );
    let few = reader
        .stats(&Filter::default(), GroupBy::Day, 0, 2)
        .unwrap();
    assert_eq!((few.groups.len(), few.truncated), (2, true));
}
