//! What goes to standard output: lines, tables for people, one JSON object a line for programs.
//!
//! Nothing here is coloured, so that output reads the same on a terminal, in a pipe and in a log. A reader that
//! went away (`lingate models | head -1`) is no failure.

use std::borrow::Cow;
use std::io::{self, Write};

use serde::Serialize;

use crate::failure::Failure;

/// Writes one line to standard output.
pub(crate) fn line(text: &str) -> Result<(), Failure> {
    write(&format!("{text}\n"))
}

/// A text of somebody else without what a terminal would obey, or what turns the order of letters round.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    match text.contains(is_harmful) {
        false => Cow::Borrowed(text),
        true => Cow::Owned(text.replace(is_harmful, " ")),
    }
}

/// What a terminal would obey, or what turns the order of letters round.
fn is_harmful(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Writes `text` to standard output as it is.
pub(crate) fn write(text: &str) -> Result<(), Failure> {
    write_bytes(text.as_bytes())
}

/// Writes bytes to standard output as they are.
pub(crate) fn write_bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(bytes).and_then(|()| stdout.flush());
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::problem(format!(
            "cannot write to standard output: {error}"
        ))),
        _ => Ok(()),
    }
}

/// Tells the person something that is no result; a standard error that is gone is nobody to tell.
pub(crate) fn say(text: &str) {
    let _ = writeln!(io::stderr().lock(), "lingate: {text}");
}

/// Writes one object a line.
pub(crate) fn json_lines<T: Serialize>(items: impl IntoIterator<Item = T>) -> Result<(), Failure> {
    for item in items {
        line(&to_json(&item)?)?;
    }
    Ok(())
}

/// Writes a table: columns as wide as their widest cell, two spaces between them.
pub(crate) fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> Result<(), Failure> {
    write(&render(head, rows))
}

/// One line. What a terminal would obey stands escaped in it, which is the same to whoever reads JSON.
fn to_json(item: &impl Serialize) -> Result<String, Failure> {
    let json = serde_json::to_string(item)
        .map_err(|error| Failure::problem(format!("cannot write JSON: {error}")))?;
    if !json.contains(is_harmful) {
        return Ok(json);
    }
    let mut escaped = String::with_capacity(json.len() + 16);
    for char in json.chars() {
        match is_harmful(char) {
            // All of them are one unit of UTF-16.
            true => escaped.push_str(&format!("\\u{:04x}", u32::from(char))),
            false => escaped.push(char),
        }
    }
    Ok(escaped)
}

fn render<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let head = head.map(Cow::Borrowed);
    let rows: Vec<_> = (rows.iter())
        .map(|row| row.each_ref().map(|cell| plain(cell)))
        .collect();
    let mut widths = [0; N];
    for row in [&head].into_iter().chain(&rows) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in [&head].into_iter().chain(&rows) {
        let mut line = String::new();
        for (width, cell) in widths.iter().zip(row) {
            line.push_str(&format!("{cell:width$}  "));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_lines_end_with_their_text() {
        let rows = [
            ["a".to_owned(), "1".to_owned()],
            ["longer".to_owned(), String::new()],
            ["ümläut".to_owned(), "3".to_owned()],
            ["\u{1b}]0;x\u{7}\ny\u{202e}".to_owned(), "4".to_owned()],
        ];
        assert_eq!(
            render(["name", "n"], &rows),
            "name       n\na          1\nlonger\nümläut     3\n ]0;x  y   4\n"
        );
    }

    #[test]
    fn json_holds_nothing_that_a_terminal_obeys_and_reads_as_it_was() {
        let texts = [
            "a",
            "é\n日",
            "\u{1b}[2J",
            "\u{9b}2J\u{7f}",
            "\u{202e}\u{2066}x",
        ];
        for text in texts {
            let json = to_json(&text).unwrap();
            assert!(!json.contains(is_harmful), "{json:?}");
            assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        }
        assert_eq!(to_json(&"\u{9b}").unwrap(), r#""\u009b""#);
    }
}
