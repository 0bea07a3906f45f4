//! Tables that fit the screen: texts are shortened first, then columns are left out, the least wanted first.

use super::screen::{Screen, Tone, columns, cut};

/// A column.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    name: &'static str,
    is_number: bool,
    /// It may be shortened to so many columns; 0 is never.
    least: usize,
    /// Where there is no room for all, the highest goes first; 0 stays.
    spare: u8,
}

impl Column {
    /// Text, to the left.
    pub(super) const fn text(name: &'static str) -> Self {
        Self {
            name,
            is_number: false,
            least: 0,
            spare: 0,
        }
    }

    /// A number, to the right.
    pub(super) const fn number(name: &'static str) -> Self {
        Self {
            is_number: true,
            ..Self::text(name)
        }
    }

    /// May be shortened.
    pub(super) const fn down_to(self, least: usize) -> Self {
        Self { least, ..self }
    }

    /// May be left out.
    pub(super) const fn spare(self, spare: u8) -> Self {
        Self { spare, ..self }
    }
}

/// A cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) tone: Tone,
}

impl Cell {
    /// Harmless from here on, for its width has to be known.
    pub(super) fn new(tone: Tone, text: impl AsRef<str>) -> Self {
        Self {
            text: crate::output::plain(text.as_ref()).into_owned(),
            tone,
        }
    }

    pub(super) fn plain(text: impl AsRef<str>) -> Self {
        Self::new(Tone::Plain, text)
    }
}

/// The table, its head first.
pub(super) fn grid<const N: usize>(
    screen: Screen,
    head: &[Column; N],
    rows: &[[Cell; N]],
) -> String {
    let widths = widths(screen, head, rows);
    let names = head.map(|column| Cell::new(Tone::Head, column.name));
    let mut text = String::new();
    for row in [&names].into_iter().chain(rows) {
        let mut line = String::new();
        // Blanks that nothing follows are not written.
        let mut gap = 0;
        for ((cell, column), width) in row.iter().zip(head).zip(widths) {
            let Some(width) = width else {
                continue;
            };
            let short = cut(&cell.text, width);
            let blanks = width - columns(&short);
            let (before, after) = match column.is_number {
                true => (blanks, 0),
                false => (0, blanks),
            };
            gap += before;
            if !short.is_empty() {
                line.push_str(&" ".repeat(gap));
                line.push_str(&screen.paint(cell.tone, &short));
                gap = 0;
            }
            gap += after + 2;
        }
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// How wide each column is; `None` is left out.
fn widths<const N: usize>(
    screen: Screen,
    head: &[Column; N],
    rows: &[[Cell; N]],
) -> [Option<usize>; N] {
    let mut wanted = head.map(|column| columns(column.name));
    for row in rows {
        for (width, cell) in wanted.iter_mut().zip(row) {
            *width = (*width).max(columns(&cell.text));
        }
    }
    let mut widths = wanted.map(Some);
    let Some(room) = screen.width() else {
        return widths;
    };
    let least = |width: usize, column: &Column| match column.least {
        0 => width,
        least => width.min(least.max(columns(column.name))),
    };
    loop {
        let shown = || {
            widths
                .iter()
                .zip(head)
                .filter_map(|(width, column)| Some(((*width)?, column)))
        };
        let gaps = 2 * shown().count().saturating_sub(1);
        let needed: usize = shown().map(|(width, column)| least(width, column)).sum();
        if needed + gaps <= room {
            break;
        }
        let spare = head
            .iter()
            .enumerate()
            .filter(|(at, column)| column.spare > 0 && widths.get(*at).is_some_and(Option::is_some))
            .max_by_key(|(_, column)| column.spare);
        let Some((at, _)) = spare else {
            break;
        };
        if let Some(width) = widths.get_mut(at) {
            *width = None;
        }
    }
    shrink(&mut widths, head, room, &least);
    widths
}

/// Takes from the widest that may be shortened until all fit.
fn shrink(
    widths: &mut [Option<usize>],
    head: &[Column],
    room: usize,
    least: &dyn Fn(usize, &Column) -> usize,
) {
    loop {
        let shown = widths.iter().flatten();
        let total = shown.clone().sum::<usize>() + 2 * shown.count().saturating_sub(1);
        if total <= room {
            return;
        }
        let widest = widths
            .iter_mut()
            .zip(head)
            .filter_map(|(width, column)| Some((width.as_mut()?, column)))
            .filter(|(width, column)| least(**width, column) < **width)
            .max_by_key(|(width, _)| **width);
        let Some((width, _)) = widest else {
            return;
        };
        *width -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: [Column; 4] = [
        Column::text("id"),
        Column::text("model").down_to(6),
        Column::number("in").spare(1),
        Column::number("ms").spare(2),
    ];

    fn check(width: Option<usize>, is_coloured: bool, expected: &str) {
        let rows = [
            ["1", "a-long-name", "12345", "7"],
            ["22", "日本", "", "88"],
            ["3", "x", "5", ""],
        ];
        let rows = rows.map(|row| row.map(Cell::plain));
        assert_eq!(
            grid(Screen::of(width, is_coloured), &HEAD, &rows),
            expected,
            "{width:?}"
        );
    }

    #[test]
    fn what_does_not_fit_is_shortened_then_left_out() {
        let whole = "id  model           in  ms\n\
                     1   a-long-name  12345   7\n\
                     22  日本                88\n\
                     3   x                5\n";
        check(None, false, whole);
        check(Some(26), false, whole);
        check(
            Some(21),
            false,
            "id  model      in  ms\n\
             1   a-lon…  12345   7\n\
             22  日本           88\n\
             3   x           5\n",
        );
        check(
            Some(20),
            false,
            "id  model         in\n\
             1   a-long-n…  12345\n\
             22  日本\n\
             3   x              5\n",
        );
        check(Some(5), false, "id  model\n1   a-lon…\n22  日本\n3   x\n");
    }

    #[test]
    fn the_head_stands_out_in_colour() {
        let text = grid(
            Screen::of(None, true),
            &[Column::text("id")],
            &[[Cell::new(Tone::Bad, "5\u{1b}x")]],
        );
        assert_eq!(text, "\u{1b}[1mid\u{1b}[0m\n\u{1b}[31m5 x\u{1b}[0m\n");
    }
}
