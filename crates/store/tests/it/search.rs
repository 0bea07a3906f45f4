//! Texts in bodies.

use lingate_store::{BodyKind, Filter, Options, Page, Search};

use crate::support::{Kept, at, body, exchange};

fn record() -> Kept {
    let kept = Kept::new(Options::default());
    for number in 0..200_u64 {
        let mut exchange = exchange(number);
        exchange.model = if number % 2 == 0 { "even" } else { "odd" }.to_owned();
        let request = format!(
            "{{\"messages\":[{{\"role\":\"user\",\"content\":\"number {number} says \\\"hi\\\"\\n{}\"}}]}}",
            "pad ".repeat(100)
        );
        let reply = format!("data: {{\"text\":\"Needle{}\"}}\n\n", number % 50);
        kept.put_with(
            exchange,
            vec![
                body(BodyKind::ClientRequest, request),
                body(BodyKind::ClientResponse, reply),
            ],
        );
    }
    kept.flush();
    kept
}

fn search(kept: &Kept, filter: &str, limit: usize) -> Vec<i64> {
    let search = Search {
        filter: Filter::parse(filter, at(200_000)).unwrap(),
        kinds: Vec::new(),
        page: Page {
            before: None,
            limit,
            skip: 0,
        },
    };
    let hits = kept.reader().search(&search, &mut || false).unwrap();
    assert!(!hits.truncated);
    let seconds = |found: &lingate_store::Found| (found.exchange.time - at(0)).get_seconds();
    hits.items.iter().map(seconds).collect()
}

#[test]
fn texts_find_their_exchanges_newest_first() {
    let kept = record();
    let check = |filter: &str, expected: &[i64]| {
        assert_eq!(search(&kept, filter, 100), expected, "{filter}")
    };
    check("\"needle49\"", &[199, 149, 99, 49]);
    check("NEEDLE49 model:odd since:60s", &[199, 149]);
    check("\"number 7 says \\\"hi\\\"\"", &[7]);
    check("needle49 \"number 99\"", &[99]);
    check("needle49 -\"number 99\"", &[199, 149, 49]);
    check("\"hi\\\"\" model:even since:6s", &[198, 196, 194]);
    check("nowhere", &[]);
    assert_eq!(search(&kept, "needle49", 3), [199, 149, 99]);
}

#[test]
fn a_search_goes_on_where_it_stopped() {
    let kept = record();
    let mut search = Search {
        filter: Filter::parse("needle49", at(0)).unwrap(),
        kinds: vec![BodyKind::ClientResponse],
        page: Page {
            before: None,
            limit: 100,
            skip: 0,
        },
    };
    let reader = kept.reader();
    let (mut found, mut rounds, mut searched) = (Vec::new(), 0, 0);
    loop {
        let mut left = 30;
        let hits = reader
            .search(&search, &mut || {
                left -= 1;
                left < 0
            })
            .unwrap();
        rounds += 1;
        searched += hits.searched;
        found.extend(hits.items.into_iter().map(|hit| hit.exchange.id));
        assert_eq!(hits.truncated, hits.next.is_some());
        search.page.before = hits.next;
        if hits.next.is_none() {
            break;
        }
    }
    let expected: Vec<_> = [199, 149, 99, 49].map(|number| exchange(number).id).into();
    assert_eq!((found, searched), (expected, 200));
    assert!(rounds >= 6, "{rounds}");
}

#[test]
fn only_the_bodies_that_are_asked_for() {
    let kept = record();
    let find = |kinds: &[BodyKind]| {
        let search = Search {
            filter: Filter::parse("needle49", at(0)).unwrap(),
            kinds: kinds.to_vec(),
            page: Page {
                before: None,
                limit: 1,
                skip: 0,
            },
        };
        kept.reader().search(&search, &mut || false).unwrap().items
    };
    assert_eq!(find(&[BodyKind::ClientRequest]), []);
    let hits = find(&[BodyKind::ClientRequest, BodyKind::ClientResponse]);
    assert_eq!(hits[0].kind, Some(BodyKind::ClientResponse));
    assert_eq!(hits[0].excerpt, "data: {\"text\":\"Needle49\"}\n\n");
}
