//! How much room there is to write in, and whether in colour.
//!
//! Colours are for terminals: `NO_COLOR` turns them off, `CLICOLOR_FORCE` on where there is none. What is recorded comes
//! from peers, so a text is made harmless before it is styled: no control character of it reaches a terminal.

use std::io::{IsTerminal as _, stdout};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use lingate_config::Environment;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::output;

/// What a text is, which decides how it looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    /// A heading, or what the eye should find first.
    Head,
    /// What is seldom looked for.
    Faint,
    Good,
    Warning,
    Bad,
    /// Money.
    Cost,
    Added,
    Removed,
}

/// Where results are written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Screen {
    width: Option<usize>,
    is_coloured: bool,
}

impl Screen {
    /// No screen: what is written is for programs, or unknown.
    pub(crate) const PLAIN: Self = Self {
        width: None,
        is_coloured: false,
    };

    /// Standard output. It has a width if it is a terminal, or `COLUMNS` is set.
    pub(crate) fn stdout(environment: &dyn Environment) -> Self {
        let stdout = stdout();
        let columns = environment.var("COLUMNS");
        let columns = columns.and_then(|columns| columns.parse().ok());
        let width = if stdout.is_terminal() {
            let size = rustix::termios::tcgetwinsize(&stdout).ok();
            // A terminal that does not know its width says 0.
            size.map(|size| usize::from(size.ws_col))
                .filter(|width| *width > 0)
                .or(columns)
                .or(Some(80))
        } else {
            columns
        };
        Self {
            width: width.map(|width| width.max(20)),
            is_coloured: AutoStream::choice(&stdout) != ColorChoice::Never,
        }
    }

    /// A screen of tests.
    #[cfg(test)]
    pub(crate) const fn of(width: Option<usize>, is_coloured: bool) -> Self {
        Self { width, is_coloured }
    }

    /// Columns; `None` where lines may be as long as they like.
    pub(crate) const fn width(self) -> Option<usize> {
        self.width
    }

    /// Whether colours tell things apart.
    pub(crate) const fn is_coloured(self) -> bool {
        self.is_coloured
    }

    /// A text of one line in its tone.
    pub(crate) fn paint(self, tone: Tone, text: &str) -> String {
        let text = output::plain(text);
        let style = style(tone);
        if !self.is_coloured || style == Style::new() || text.is_empty() {
            return text.into_owned();
        }
        format!("{style}{text}{style:#}")
    }
}

fn style(tone: Tone) -> Style {
    let coloured = |colour: AnsiColor| Style::new().fg_color(Some(anstyle::Color::Ansi(colour)));
    match tone {
        Tone::Plain => Style::new(),
        Tone::Head => Style::new().bold(),
        Tone::Faint => Style::new().dimmed(),
        Tone::Good | Tone::Added => coloured(AnsiColor::Green),
        Tone::Warning => coloured(AnsiColor::Yellow),
        Tone::Bad | Tone::Removed => coloured(AnsiColor::Red),
        Tone::Cost => coloured(AnsiColor::Cyan),
    }
}

/// How many columns a text takes.
pub(crate) fn columns(text: &str) -> usize {
    text.width()
}

/// A text cut to so many columns, with `…` where something is missing.
pub(crate) fn cut(text: &str, most: usize) -> String {
    if columns(text) <= most {
        return text.to_owned();
    }
    let mut short = String::new();
    let mut left = most.saturating_sub(1);
    for char in text.chars() {
        let width = char.width().unwrap_or(0);
        let Some(less) = left.checked_sub(width) else {
            break;
        };
        left = less;
        short.push(char);
    }
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_by_what_they_take() {
        for (text, most, expected) in [
            ("short", 5, "short"),
            ("longer", 5, "long…"),
            ("", 0, ""),
            ("x", 0, "…"),
            ("日本語", 6, "日本語"),
            ("日本語", 5, "日本…"),
            ("日本語", 4, "日…"),
        ] {
            let short = cut(text, most);
            assert_eq!(short, expected, "{text} in {most}");
            assert!(columns(&short) <= most.max(1), "{short}");
        }
    }

    #[test]
    fn only_a_coloured_screen_gets_colours_and_none_gets_what_peers_wrote() {
        let evil = "a\u{1b}[2Jb\r\nc\u{9b}";
        let plain = Screen::of(None, false);
        assert_eq!(plain.paint(Tone::Bad, evil), "a [2Jb  c ");
        let coloured = Screen::of(None, true);
        assert_eq!(coloured.paint(Tone::Plain, "x"), "x");
        assert_eq!(coloured.paint(Tone::Bad, ""), "");
        assert_eq!(
            coloured.paint(Tone::Bad, evil),
            "\u{1b}[31ma [2Jb  c \u{1b}[0m"
        );
    }
}
