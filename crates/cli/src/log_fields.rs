//! How the fields of a log line are written: as `name=value` with a space between, names styled where the writer wants
//! styles.
//!
//! It looks as the library's own does, but for two things. What a value says may come from a peer: no control character of
//! it reaches a terminal, and no line end begins a line that looks like another entry. And where nothing is styled no time
//! is spent on styles that write nothing: every exchange writes a line.

use std::fmt::{self, Debug, Write as _};

use tracing::field::{Field, Visit};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::Writer;

/// Room for the fields of an exchange's line.
const USUAL_LENGTH: usize = 768;

/// Writes fields.
#[derive(Debug, Default)]
pub(crate) struct LogFields;

impl<'w> FormatFields<'w> for LogFields {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut plain = Plain {
            is_styled: writer.has_ansi_escapes(),
            // Put together here and handed over once: each piece would be a call that cannot be inlined.
            out: String::with_capacity(USUAL_LENGTH),
            has_field: false,
            result: Ok(()),
        };
        fields.record(&mut plain);
        plain.result?;
        writer.write_str(&plain.out)
    }
}

struct Plain {
    out: String,
    is_styled: bool,
    has_field: bool,
    result: fmt::Result,
}

impl Plain {
    fn field(&mut self, field: &Field, value: fmt::Arguments<'_>) -> fmt::Result {
        self.separate();
        self.name(field)?;
        Escaping(&mut self.out).write_fmt(value)
    }

    /// The message has no name.
    fn name(&mut self, field: &Field) -> fmt::Result {
        match field.name() {
            "message" => Ok(()),
            name if self.is_styled => {
                write!(self.out, "\u{1b}[3m{name}\u{1b}[0m\u{1b}[2m=\u{1b}[0m")
            }
            name => {
                self.out.push_str(name);
                self.out.push('=');
                Ok(())
            }
        }
    }

    /// A text in quotes that needs no escapes between them.
    fn quoted(&mut self, field: &Field, text: &str) -> fmt::Result {
        self.separate();
        self.name(field)?;
        self.out.push('"');
        self.out.push_str(text);
        self.out.push('"');
        Ok(())
    }

    fn decimal(&mut self, field: &Field, value: u64) -> fmt::Result {
        self.separate();
        self.name(field)?;
        self.out.push_str(itoa::Buffer::new().format(value));
        Ok(())
    }

    fn separate(&mut self) {
        if std::mem::replace(&mut self.has_field, true) {
            self.out.push(' ');
        }
    }
}

impl Visit for Plain {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.record_debug(field, &format_args!("{value}"));
        } else if !is_simple(value) || value.contains('"') {
            self.record_debug(field, &value);
        } else if self.result.is_ok() {
            self.result = self.quoted(field, value);
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if self.result.is_ok() {
            self.result = self.decimal(field, value);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if self.result.is_ok() {
            self.result = self.field(field, format_args!("{value:?}"));
        }
    }
}

/// Whether all of a text is printable ASCII, and none of it the sign of an escape. Eight bytes at a time: every exchange's
/// line is looked through.
fn is_simple(text: &str) -> bool {
    let (words, rest) = text.as_bytes().as_chunks::<8>();
    let mut last = [b' '; 8];
    for (padded, byte) in last.iter_mut().zip(rest) {
        *padded = *byte;
    }
    let words = words.iter().chain([&last]);
    words.fold(0, |found, word| found | odd(*word)) == 0
}

/// The highest bits of bytes that are no printable ASCII, or a backslash; what stands behind such a byte may be found too.
const fn odd(word: [u8; 8]) -> u64 {
    const ONES: u64 = u64::MAX / 0xff;
    let word = u64::from_le_bytes(word);
    let escapes = word ^ (ONES * b'\\' as u64);
    let controls = word.wrapping_sub(ONES * b' ' as u64) & !word;
    let zeros = escapes.wrapping_sub(ONES) & !escapes;
    // 0x7f and all that is not ASCII.
    let others = word.wrapping_add(ONES) | word;
    (controls | zeros | others) & (ONES << 7)
}

/// Escapes what a terminal would obey, and what begins a line.
struct Escaping<'w>(&'w mut String);

impl fmt::Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if is_simple(text) {
            self.0.push_str(text);
            return Ok(());
        }
        let is_harmful = |char: char| char.is_control() && char != '\t';
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
            ("plain é\tb", "plain é\tb"),
            ("a\r\nfake row", "a\\r\\nfake row"),
            ("a\u{1b}[2Jb", "a\\u{1b}[2Jb"),
            ("\u{7}\u{9b}", "\\u{7}\\u{9b}"),
        ] {
            assert_eq!(escaped(text), expected);
        }
    }

    #[test]
    fn every_byte_that_is_not_simple_is_found_wherever_it_stands() {
        for byte in 0..=0x7f_u8 {
            let expected = matches!(byte, b' '..=b'~') && byte != b'\\';
            for (before, behind) in [(0, 0), (3, 9), (7, 0), (8, 1), (17, 30)] {
                let text =
                    ["~".repeat(before), " ".repeat(behind)].join(&char::from(byte).to_string());
                assert_eq!(is_simple(&text), expected, "{text:?}");
            }
        }
        assert!(!is_simple("12345678é"));
        assert!(is_simple(""));
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
                number = 7_u64,
                small = 0_u32,
                below = -7,
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
            let log = log.fmt_fields(LogFields).finish();
            tracing::subscriber::with_default(log, write);
        } else {
            tracing::subscriber::with_default(log.finish(), write);
        }
        let bytes = lines.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_peer_forges_no_line() {
        for is_styled in [false, true] {
            let lines = Lines::default();
            let writer = lines.clone();
            let log = tracing_subscriber::fmt()
                .with_ansi(is_styled)
                .with_writer(move || writer.clone())
                .fmt_fields(LogFields)
                .finish();
            let model = "x\u{1b}]0;pwn\u{7}\nfake row";
            tracing::subscriber::with_default(log, || {
                tracing::info!(model = %model, text = model, some = ?Some(model), "asked {model}");
            });
            let bytes = lines.0.lock().unwrap().clone();
            let text = String::from_utf8(bytes).unwrap();
            assert_eq!(text.lines().count(), 1, "{text:?}");
            assert!(
                !text.contains("\u{1b}]") && !text.contains('\u{7}'),
                "{text:?}"
            );
            assert_eq!(text.matches("\\nfake row").count(), 4, "{text:?}");
        }
    }

    #[test]
    fn lines_look_as_the_librarys_own() {
        assert_eq!(line(true), line(false));
        assert!(
            line(true).contains(r#"number=7 small=0 below=-7 shown=x y debug=Some(1) some="s""#)
        );
    }
}
