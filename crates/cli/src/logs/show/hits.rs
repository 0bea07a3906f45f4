//! What quirks changed, as the record has it: where, what it read and what it reads now.

use lingate_store::Hit;

use super::super::screen::cut;
use super::frames::Event;

/// Hits that say nothing of a place in the stream: by name, with what they did where that is known.
pub(super) fn unplaced(hits: &[Hit]) -> Vec<String> {
    let hits = hits.iter().filter(|hit| offset(hit).is_none());
    let mut names: Vec<String> = Vec::new();
    for hit in hits {
        let place = hit.place.as_deref().map(|place| format!(" at {place}"));
        let text = format!("{}{}{}", hit.quirk, place.unwrap_or_default(), change(hit));
        if !names.contains(&text) {
            names.push(text);
        }
    }
    names
}

/// The place of a hit in the provider's stream.
fn offset(hit: &Hit) -> Option<usize> {
    let place = hit.place.as_deref()?;
    let digits = place
        .find(|char: char| !char.is_ascii_digit())
        .unwrap_or(place.len());
    place.get(..digits)?.parse().ok()
}

/// What a hit did.
pub(super) fn change(hit: &Hit) -> String {
    let short = |text: &str| format!("{:?}", cut(text, 60));
    let told = |text: &Option<String>| text.as_deref().filter(|text| !text.is_empty()).map(short);
    match (told(&hit.before), told(&hit.after)) {
        (None, None) => String::new(),
        (Some(before), Some(after)) => format!(": {before} -> {after}"),
        (Some(before), None) => format!(": {before} cut"),
        (None, Some(after)) => format!(": {after} added"),
    }
}

/// The event of the provider that a hit lies in.
pub(super) fn row_of(hit: &Hit, upstream: &[Event]) -> Option<usize> {
    let offset = offset(hit)?;
    let lies = |event: &Event| event.attempt == hit.attempt && event.range.contains(&offset);
    let last = |event: &Event| event.attempt == hit.attempt && event.range.end <= offset;
    upstream
        .iter()
        .position(lies)
        .or_else(|| upstream.iter().rposition(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hits_without_a_place_are_named_once() {
        let hit = |quirk: &str, place: Option<&str>| Hit {
            quirk: quirk.to_owned(),
            place: place.map(str::to_owned),
            ..Hit::default()
        };
        let hits = [
            hit("a", None),
            hit("a", None),
            hit("b", Some("tools[1]")),
            hit("c", Some("12")),
        ];
        assert_eq!(unplaced(&hits), ["a", "b at tools[1]"]);
        assert_eq!(offset(&hit("c", Some("12..15"))), Some(12));
    }
}
