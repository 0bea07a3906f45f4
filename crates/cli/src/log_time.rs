//! The time at which a log line begins: `2026-11-22T09:05:03.000120Z`, as the library's own writes it, in one piece.
//!
//! Every exchange writes a line, and a date put together by formatters costs more than the rest of what leads it.

use std::fmt;

use jiff::Timestamp;
use jiff::tz::Offset;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

/// Writes the time.
#[derive(Debug, Default)]
pub(crate) struct LogTime;

impl FormatTime for LogTime {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let text = text(Timestamp::now());
        writer.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

/// The time of a line that begins now.
pub(crate) fn now() -> String {
    let text = text(Timestamp::now());
    std::str::from_utf8(&text).unwrap_or_default().to_owned()
}

/// A moment in UTC, to the microsecond.
fn text(at: Timestamp) -> [u8; 27] {
    let at = Offset::UTC.to_datetime(at);
    let [y1, y2, y3, y4] = digits(at.year().unsigned_abs().into());
    let [_, _, m1, m2] = digits(at.month().unsigned_abs().into());
    let [_, _, d1, d2] = digits(at.day().unsigned_abs().into());
    let [_, _, h1, h2] = digits(at.hour().unsigned_abs().into());
    let [_, _, min1, min2] = digits(at.minute().unsigned_abs().into());
    let [_, _, s1, s2] = digits(at.second().unsigned_abs().into());
    let micros = at.subsec_nanosecond().unsigned_abs() / 1000;
    let [_, f1, f2, f3] = digits(micros / 1000);
    let [_, f4, f5, f6] = digits(micros % 1000);
    [
        y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', min1, min2, b':', s1, s2,
        b'.', f1, f2, f3, f4, f5, f6, b'Z',
    ]
}

/// The last four digits of a number.
fn digits(number: u32) -> [u8; 4] {
    [1000, 100, 10, 1].map(|place| b'0' + (number / place % 10) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_everywhere() {
        for (at, expected) in [
            ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000000Z"),
            (
                "2026-11-22T09:05:03.000120999Z",
                "2026-11-22T09:05:03.000120Z",
            ),
            ("2024-02-29T23:59:59.987654Z", "2024-02-29T23:59:59.987654Z"),
            ("2026-12-31T10:20:30.5+02:00", "2026-12-31T08:20:30.500000Z"),
        ] {
            let text = text(at.parse().unwrap());
            assert_eq!(std::str::from_utf8(&text), Ok(expected));
        }
    }
}
