//! `lingate logs show`: everything about one exchange, and what the provider sent beside what the client got.

mod align;
mod fields;
mod frames;
mod hits;
mod streams;
mod wholes;

use std::io::IsTerminal as _;

use lingate_config::Environment;
use lingate_store::{BodyKind, Reader};
use uuid::Uuid;

use super::screen::Screen;
use super::{failed, named, open};
use crate::args::LogsShow;
use crate::failure::Failure;
use crate::output;

pub(super) fn run(args: &LogsShow, environment: &dyn Environment) -> Result<(), Failure> {
    let reader = open(&args.file, environment)?;
    let id = named(&reader, &args.id)?;
    if let Some(kind) = &args.body {
        return body(&reader, id, kind, args);
    }
    let record = reader.get(id).map_err(|error| failed(&error))?;
    let Some(record) = record else {
        return Err(Failure::problem(format!("exchange `{id}` is gone")));
    };
    if args.format.json {
        return output::json_lines([&record]);
    }
    let screen = Screen::stdout(environment);
    output::write(&fields::text(&record, screen))?;
    output::write(&streams::text(&reader, &record, args.raw, screen)?)
}

/// A body, byte for byte; to a terminal without what it would obey, unless that is asked for.
fn body(reader: &Reader, id: Uuid, kind: &str, args: &LogsShow) -> Result<(), Failure> {
    let found = match BodyKind::named(kind) {
        Some(kind) => reader.body(id, kind, args.attempt),
        None => Ok(None),
    };
    let body = found.map_err(|error| failed(&error))?.ok_or_else(|| {
        Failure::problem(format!("exchange `{id}` has no {kind} that was kept"))
            .hint("`record.bodies` says which are kept, `record.keep_days` for how long")
    })?;
    if std::io::stdout().is_terminal() && !args.raw {
        return output::write(&harmless(&body.bytes));
    }
    output::write_bytes(&body.bytes)
}

/// Lines of text, with every other character that a terminal would obey escaped.
fn harmless(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for line in chunk.valid().split_inclusive(['\n', '\t']) {
            let end = line
                .chars()
                .last()
                .filter(|char| matches!(char, '\n' | '\t'));
            let line = line.trim_end_matches(['\n', '\t']);
            if output::plain(line) == line {
                text.push_str(line);
            } else {
                text.extend(line.chars().map(|char| {
                    match output::plain(char.encode_utf8(&mut [0; 4])) == " " && char != ' ' {
                        true => format!("\\u{{{:x}}}", u32::from(char)),
                        false => char.to_string(),
                    }
                }));
            }
            text.extend(end);
        }
        text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_gets_nothing_to_obey() {
        for (bytes, expected) in [
            (&b"{\"a\": 1}"[..], "{\"a\": 1}\n"),
            (b"a\nb\tc\n", "a\nb\tc\n"),
            (b"a\x1b]0;x\x07\r\n", "a\\u{1b}]0;x\\u{7}\\u{d}\n"),
            (b"\xc2\x9b2J \xff", "\\u{9b}2J \\xff\n"),
            ("\u{202e}é".as_bytes(), "\\u{202e}é\n"),
        ] {
            assert_eq!(harmless(bytes), expected);
        }
    }
}
