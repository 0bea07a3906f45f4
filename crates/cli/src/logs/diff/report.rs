//! A comparison as text for people.

use serde_json::Value;

use super::super::grid::{Cell, Column, grid};
use super::super::rows;
use super::super::screen::{Screen, Tone, cut};
use super::brief::brief;
use super::json::{Change, Kind};
use super::marks::marked;
use super::sides::Side;
use super::{Found, Moved, Prefix};

/// After this many seconds many providers have forgotten a prefix.
const CACHE_LIVES_MS: i64 = 300_000;
/// A line of a change is no longer, whatever the width.
const MOST: usize = 300;

/// The whole report.
pub(super) fn text(found: &Found, before: &Side, after: &Side, screen: Screen) -> String {
    let mut out = String::new();
    for (mark, side) in [("before", before), ("after", after)] {
        let mark = screen.paint(Tone::Head, &format!("{mark:<8}"));
        out.push_str(&format!(
            "{mark}{}\n",
            rows::shown_line(side.exchange(), screen)
        ));
    }
    let lengths = |one: &Option<Vec<u8>>, other: &Option<Vec<u8>>| {
        let length = |body: &Option<Vec<u8>>| body.as_ref().map_or(0, Vec::len);
        format!("{} -> {} bytes", length(one), length(other))
    };
    heading(
        &mut out,
        "client request",
        &lengths(&before.client_request, &after.client_request),
        screen,
    );
    changes(&mut out, found.client_request.as_deref(), screen);
    heading(
        &mut out,
        "provider request",
        &lengths(&before.provider_request, &after.provider_request),
        screen,
    );
    match (&found.client_request, &found.provider_request) {
        (Some(client), Some(provider)) if client == provider && !client.is_empty() => {
            out.push_str("  the same differences\n");
        }
        (_, provider) => changes(&mut out, provider.as_deref(), screen),
    }
    heading(&mut out, "cached prefix", "", screen);
    cache(&mut out, found, after, screen);
    heading(&mut out, "answer", "", screen);
    answers(&mut out, found, before, after, screen);
    out
}

fn heading(out: &mut String, name: &str, more: &str, screen: Screen) {
    out.push_str(&format!("\n{}", screen.paint(Tone::Head, name)));
    if !more.is_empty() {
        out.push_str(&format!("  {}", screen.paint(Tone::Faint, more)));
    }
    out.push('\n');
}

fn changes(out: &mut String, changes: Option<&[Change]>, screen: Screen) {
    let Some(changes) = changes else {
        out.push_str("  not kept, or not JSON\n");
        return;
    };
    if changes.is_empty() {
        out.push_str("  no difference\n");
    }
    for change in changes {
        out.push_str(&line(change, screen));
        out.push('\n');
    }
}

/// A change as one line.
fn line(change: &Change, screen: Screen) -> String {
    let (mark, tone) = match change.kind {
        Kind::Added => ("+", Tone::Added),
        Kind::Removed => ("-", Tone::Removed),
        Kind::Changed => ("~", Tone::Warning),
        Kind::Moved => (">", Tone::Warning),
        Kind::Respelled => ("=", Tone::Faint),
    };
    let path = if change.path.is_empty() {
        "(all)"
    } else {
        &change.path
    };
    let head = format!(
        "  {} {}  ",
        screen.paint(tone, mark),
        screen.paint(Tone::Plain, path)
    );
    let room = screen.width().map_or(MOST, |width| {
        width
            .saturating_sub(path.chars().count() + 6)
            .clamp(20, MOST)
    });
    let shown = |value: &Value| screen.paint(Tone::Plain, &cut(&brief(value), room));
    let body = match (change.kind, &change.before, &change.after) {
        (Kind::Moved, Some(was), Some(name)) => format!("{} from [{was}]", shown(name)),
        (Kind::Respelled, _, Some(Value::String(_))) => "the same text, now a string".to_owned(),
        (Kind::Respelled, _, _) => "the same text, now a list of one".to_owned(),
        (_, Some(Value::String(one)), Some(Value::String(other))) => marked(one, other, screen),
        (_, Some(one), Some(other)) => marked(&brief(one), &brief(other), screen),
        (_, one, other) => one
            .as_ref()
            .or(other.as_ref())
            .map(shown)
            .unwrap_or_default(),
    };
    head + &body
}

fn cache(out: &mut String, found: &Found, after: &Side, screen: Screen) {
    for Moved {
        what,
        before,
        after,
    } in &found.moved
    {
        let text = format!("the {what} moved: {before} -> {after}");
        out.push_str(&format!("  {}\n", screen.paint(Tone::Bad, &text)));
    }
    match &found.prefix {
        None => {
            out.push_str("  cannot be told: a provider request was not kept, or the wires differ\n")
        }
        Some(prefix) => {
            let (tone, verdict) = verdict(prefix, !found.moved.is_empty());
            out.push_str(&format!("  {}\n", screen.paint(tone, &verdict)));
            let percent = 100 * prefix.kept_bytes / prefix.bytes.max(1);
            let tokens = found.kept_tokens.unwrap_or_default();
            out.push_str(&format!(
                "  {} of {} bytes of the prompt are the same ({percent} %), about {tokens} tokens\n",
                prefix.kept_bytes, prefix.bytes
            ));
            if let Some(parting) = &prefix.parts {
                for (name, text, at) in [
                    ("before", &parting.before, parting.before_at),
                    ("after", &parting.after, parting.after_at),
                ] {
                    let text = screen.paint(Tone::Plain, text);
                    out.push_str(&format!("    {name:<7}byte {at:<8} …{text}…\n"));
                }
            }
            for name in &prefix.also {
                let text = format!("`{name}` differs, which providers keep caches apart by");
                out.push_str(&format!("  {}\n", screen.paint(Tone::Warning, &text)));
            }
        }
    }
    if found.apart_ms > CACHE_LIVES_MS {
        let text = format!(
            "{} minutes lie between the two: many caches forget after 5",
            found.apart_ms / 60_000
        );
        out.push_str(&format!("  {}\n", screen.paint(Tone::Warning, &text)));
    }
    let usage = &after.exchange().usage;
    if let (Some(read), Some(all)) = (usage.cache_read, usage.total_input()) {
        out.push_str(&format!(
            "  the provider read {read} of {all} tokens from its cache\n"
        ));
    }
}

/// What became of the cache.
fn verdict(prefix: &Prefix, has_moved: bool) -> (Tone, String) {
    if has_moved {
        let text = "a miss that routing caused: no cache knows what was sent elsewhere";
        return (Tone::Bad, text.to_owned());
    }
    match &prefix.parts {
        None => (
            Tone::Good,
            "the second goes on where the first ends: the whole prompt can be read from the cache"
                .to_owned(),
        ),
        Some(parting) => (
            Tone::Warning,
            format!(
                "the cache ends at byte {}, in {}",
                parting.after_at, parting.path
            ),
        ),
    }
}

fn answers(out: &mut String, found: &Found, before: &Side, after: &Side, screen: Screen) {
    let cells = |side: &Side| -> [String; 10] {
        let exchange = side.exchange();
        let answer = side.answer.clone().unwrap_or_default();
        let usage = &exchange.usage;
        let time =
            |time: Option<u64>| time.map_or_else(|| "-".to_owned(), |time| format!("{time} ms"));
        let calls = answer.calls.iter();
        let calls: Vec<_> = calls
            .map(|call| format!("{} {}", call.name, call.input))
            .collect();
        [
            rows::end(exchange),
            answer.text,
            calls.join("; "),
            exchange.stop.clone().unwrap_or_else(|| "-".to_owned()),
            exchange
                .error
                .clone()
                .or(answer.failure)
                .unwrap_or_default(),
            rows::tokens(usage.total_input()),
            rows::tokens(usage.output),
            rows::cost_of(exchange),
            time(exchange.ttft_ms),
            time(exchange.duration_ms),
        ]
    };
    let names = [
        "end",
        "text",
        "calls",
        "stop",
        "error",
        "in",
        "out",
        "cost",
        "first content",
        "last byte",
    ];
    let (one, other) = (cells(before), cells(after));
    let rows: Vec<_> = (names.iter().zip(one.iter().zip(&other)))
        .filter(|(_, (one, other))| !one.is_empty() || !other.is_empty())
        .map(|(name, (one, other))| {
            let tone = if one == other {
                Tone::Plain
            } else {
                Tone::Warning
            };
            let cell = |tone, text: &String| Cell::new(tone, cut(text, 60));
            [
                Cell::new(Tone::Faint, name),
                cell(Tone::Plain, one),
                cell(tone, other),
            ]
        })
        .collect();
    let head = [
        Column::text(""),
        Column::text("before").down_to(12),
        Column::text("after").down_to(12),
    ];
    for line in grid(screen, &head, &rows).lines() {
        out.push_str(&format!("  {line}\n"));
    }
    let texts = before.answer.as_ref().zip(after.answer.as_ref());
    let is_same_question = found.client_request.as_ref().is_some_and(Vec::is_empty);
    if let Some((one, other)) =
        texts.filter(|(one, other)| is_same_question && one.text != other.text)
    {
        out.push_str(&format!(
            "  text: {}\n",
            marked(&one.text, &other.text, screen)
        ));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_change_is_one_harmless_line() {
        let change = |kind, before: Option<Value>, after: Option<Value>| Change {
            path: "tools[3].description".to_owned(),
            kind,
            before,
            after,
        };
        let screen = Screen::of(Some(60), false);
        for (change, expected) in [
            (
                change(
                    Kind::Changed,
                    Some(json!("red\u{1b}[2J")),
                    Some(json!("rid\u{1b}[2J")),
                ),
                "  ~ tools[3].description  r[-e-]{+i+}d [2J",
            ),
            (
                change(Kind::Added, None, Some(json!("a\nb"))),
                "  + tools[3].description  a b",
            ),
            (
                change(Kind::Removed, Some(json!("x".repeat(99))), None),
                "  - tools[3].description  xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…",
            ),
            (
                change(Kind::Moved, Some(json!(1)), Some(json!("Bash"))),
                "  > tools[3].description  Bash from [1]",
            ),
        ] {
            assert_eq!(line(&change, screen), expected);
        }
    }

    #[test]
    fn what_became_of_the_cache() {
        let prefix = Prefix {
            kept_bytes: 1,
            bytes: 2,
            parts: None,
            also: Vec::new(),
        };
        assert_eq!(verdict(&prefix, true).0, Tone::Bad);
        assert_eq!(verdict(&prefix, false).0, Tone::Good);
    }
}
