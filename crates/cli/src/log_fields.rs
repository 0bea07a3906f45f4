//! How the fields of a log line are written: as `name=value` with a space between, without styles.
//!
//! The library's own way looks the same where nothing is styled, and spends most of its time on styles that write nothing.
//! Every exchange writes a line.

use std::fmt::{self, Debug, Write as _};

use tracing::field::{Field, Visit};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::{DefaultFields, Writer};

/// Writes plain fields; styled ones where the writer wants styles.
#[derive(Debug, Default)]
pub(crate) struct LogFields(DefaultFields);

impl<'w> FormatFields<'w> for LogFields {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'w>, fields: R) -> fmt::Result {
        if writer.has_ansi_escapes() {
            return self.0.format_fields(writer, fields);
        }
        let mut plain = Plain {
            out: &mut writer,
            has_field: false,
            result: Ok(()),
        };
        fields.record(&mut plain);
        plain.result
    }
}

struct Plain<W> {
    out: W,
    has_field: bool,
    result: fmt::Result,
}

impl<W: fmt::Write> Plain<W> {
    fn field(&mut self, field: &Field, value: fmt::Arguments<'_>) -> fmt::Result {
        self.separate()?;
        // The message has no name. What it says may come from a peer, whose control characters no terminal should see.
        if field.name() == "message" {
            return Escaping(&mut self.out).write_fmt(value);
        }
        self.out.write_str(field.name())?;
        self.out.write_char('=')?;
        self.out.write_fmt(value)
    }

    /// A text in quotes that needs no escapes between them.
    fn quoted(&mut self, field: &Field, text: &str) -> fmt::Result {
        self.separate()?;
        self.out.write_str(field.name())?;
        self.out.write_str("=\"")?;
        self.out.write_str(text)?;
        self.out.write_char('"')
    }

    fn separate(&mut self) -> fmt::Result {
        if std::mem::replace(&mut self.has_field, true) {
            self.out.write_char(' ')?;
        }
        Ok(())
    }
}

impl<W: fmt::Write> Visit for Plain<W> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.record_debug(field, &format_args!("{value}"));
        } else if !value.bytes().all(is_simple) {
            self.record_debug(field, &value);
        } else if self.result.is_ok() {
            self.result = self.quoted(field, value);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if self.result.is_ok() {
            self.result = self.field(field, format_args!("{value:?}"));
        }
    }
}

/// Neither a terminal nor quotes mind it.
const fn is_simple(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\')
}

/// Escapes what a terminal would obey.
struct Escaping<'w, W>(&'w mut W);

impl<W: fmt::Write> fmt::Write for Escaping<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if text.bytes().all(|byte| is_simple(byte) || byte == b'"') {
            return self.0.write_str(text);
        }
        let is_harmful = |char: char| char.is_control() && !matches!(char, '\t' | '\n' | '\r');
        let mut rest = text;
        while let Some((at, harmful)) = rest.char_indices().find(|(_, char)| is_harmful(*char)) {
            let (clean, tail) = rest.split_at(at);
            self.0.write_str(clean)?;
            write!(self.0, "{}", harmful.escape_default())?;
            rest = tail.get(harmful.len_utf8()..).unwrap_or_default();
        }
        self.0.write_str(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(text: &str) -> String {
        let mut out = String::new();
        Escaping(&mut out).write_str(text).unwrap();
        out
    }

    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        for (text, expected) in [
            ("", ""),
            ("plain é\tb\n", "plain é\tb\n"),
            ("a\u{1b}[2Jb", "a\\u{1b}[2Jb"),
            ("\u{7}\u{9b}", "\\u{7}\\u{9b}"),
        ] {
            assert_eq!(escaped(text), expected);
        }
    }

    /// Collects the lines of one subscriber.
    #[derive(Clone, Default)]
    struct Lines(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// A line of every kind of field, with these fields or the library's own.
    fn line(is_ours: bool) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let log = tracing_subscriber::fmt()
            .without_time()
            .with_ansi(false)
            .with_writer(move || writer.clone());
        let write = || {
            tracing::warn!(
                text = "a \"b\"\n",
                path = "c:\\é\u{7f}'",
                simple = "x-y z~'",
                number = 7,
                shown = %"x y",
                debug = ?Some(1),
                none = None::<u64>,
                some = Some("s"),
                "message {} with \"quotes\"",
                1,
            );
            tracing::info!("nothing else");
        };
        if is_ours {
            let log = log.fmt_fields(LogFields::default()).finish();
            tracing::subscriber::with_default(log, write);
        } else {
            tracing::subscriber::with_default(log.finish(), write);
        }
        let bytes = lines.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn lines_look_as_the_librarys_own() {
        assert_eq!(line(true), line(false));
        assert!(line(true).contains(r#"number=7 shown=x y debug=Some(1) some="s""#));
    }
}
