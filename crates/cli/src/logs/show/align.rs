//! Which events of the client's stream came of which event of the provider's.
//!
//! Nothing says so, but two things tell: the same words, and the time. Words first, for many events may come at once;
//! what has none stands with the last event of the provider that was there by then, between its neighbours.

use super::frames::Event;

/// One event of the provider, or none, and what the client got for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) upstream: Option<usize>,
    pub(super) client: Vec<usize>,
}

/// So many events of the provider are looked at for the same words.
const AHEAD: usize = 64;
/// So many, where a quirk took some of the words.
const NEAR: usize = 8;
/// Shorter words are in too many others.
const LEAST: usize = 2;

/// Every event of both sides, in order.
pub(super) fn align(upstream: &[Event], client: &[Event]) -> Vec<Row> {
    let places = places(upstream, client);
    let mut rows = Vec::new();
    let mut next = 0;
    let mut take = |place: Option<usize>| {
        let rest = places.get(next..).unwrap_or_default();
        let count = rest.iter().take_while(|own| **own <= place).count();
        let taken = (next..next + count).collect();
        next += count;
        taken
    };
    let before: Vec<usize> = take(None);
    if !before.is_empty() {
        rows.push(Row {
            upstream: None,
            client: before,
        });
    }
    for at in 0..upstream.len() {
        rows.push(Row {
            upstream: Some(at),
            client: take(Some(at)),
        });
    }
    rows
}

/// The place of each of the client's events: never before that of the one before.
fn places(upstream: &[Event], client: &[Event]) -> Vec<Option<usize>> {
    let mut by_words: Vec<Option<usize>> = Vec::with_capacity(client.len());
    let mut from = 0;
    for event in client {
        let found = by_words_of(upstream, event, from);
        from = found.map_or(from, |at| at + 1);
        by_words.push(found);
    }
    let mut places = Vec::with_capacity(client.len());
    let mut last = None;
    for (at, event) in client.iter().enumerate() {
        let place = by_words.get(at).copied().flatten().or_else(|| {
            let behind = by_words.get(at..).unwrap_or_default();
            let most = behind.iter().flatten().next().copied();
            by_time(upstream, event).map(|place| most.map_or(place, |most| place.min(most)))
        });
        last = last.max(place);
        places.push(last);
    }
    places
}

/// The first event from there on that says the same; blanks at the ends may have moved. Else a near one that says more.
fn by_words_of(upstream: &[Event], event: &Event, from: usize) -> Option<usize> {
    let words = event.said.trim();
    if words.is_empty() {
        return None;
    }
    let was_there = |own: &Event| own.at_us <= event.at_us || own.at_us.is_none();
    let ahead = || {
        let ahead = upstream.iter().enumerate().skip(from);
        ahead.filter(|(_, own)| was_there(own))
    };
    let same = ahead()
        .take(AHEAD)
        .find(|(_, own)| own.said.trim() == words);
    let holds = |own: &Event| words.len() >= LEAST && own.said.contains(words);
    let found = same.or_else(|| ahead().take(NEAR).find(|(_, own)| holds(own)));
    found.map(|(at, _)| at)
}

/// The last event that was there by then.
fn by_time(upstream: &[Event], event: &Event) -> Option<usize> {
    let Some(at) = event.at_us else {
        return upstream.len().checked_sub(1);
    };
    upstream
        .iter()
        .rposition(|own| own.at_us.is_some_and(|own| own <= at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(events: &[(u64, &str)]) -> Vec<Event> {
        let event = |(at, said): &(u64, &str)| Event {
            attempt: 1,
            range: 0..0,
            at_us: Some(*at),
            label: String::new(),
            said: (*said).to_owned(),
            raw: String::new(),
        };
        events.iter().map(event).collect()
    }

    fn check(
        upstream: &[(u64, &str)],
        client: &[(u64, &str)],
        expected: &[(Option<usize>, &[usize])],
    ) {
        let rows = align(&side(upstream), &side(client));
        let rows: Vec<_> = rows
            .iter()
            .map(|row| (row.upstream, row.client.as_slice()))
            .collect();
        assert_eq!(rows, expected, "{upstream:?} {client:?}");
    }

    #[test]
    fn words_tell_where_all_came_at_once() {
        check(
            &[(5, "a"), (5, "b"), (5, "")],
            &[(5, ""), (5, "a"), (5, "b"), (5, ""), (6, "")],
            &[(Some(0), &[0, 1]), (Some(1), &[2]), (Some(2), &[3, 4])],
        );
    }

    #[test]
    fn time_tells_where_words_were_changed() {
        check(
            &[(1, "<think>"), (5, "a"), (9, "b")],
            &[(1, ""), (6, "A"), (9, "b")],
            &[(Some(0), &[0]), (Some(1), &[1]), (Some(2), &[2])],
        );
    }

    #[test]
    fn words_tell_where_some_were_cut_and_blanks_moved() {
        check(
            &[(5, "<t>"), (5, "hm</t>"), (5, "Hello "), (5, "you")],
            &[(6, ""), (6, "hm"), (6, "Hello"), (6, " you")],
            &[
                (Some(0), &[]),
                (Some(1), &[0, 1]),
                (Some(2), &[2]),
                (Some(3), &[3]),
            ],
        );
    }

    #[test]
    fn what_came_before_the_provider_said_anything() {
        check(
            &[(9, "a")],
            &[(1, ""), (9, "a")],
            &[(None, &[0]), (Some(0), &[1])],
        );
        check(&[], &[(1, "")], &[(None, &[0])]);
        check(&[(1, "a")], &[], &[(Some(0), &[])]);
    }

    #[test]
    fn the_same_words_twice_stay_in_order() {
        check(
            &[(1, "x"), (2, "x"), (3, "x")],
            &[(1, "x"), (2, "x"), (3, "x")],
            &[(Some(0), &[0]), (Some(1), &[1]), (Some(2), &[2])],
        );
    }
}
