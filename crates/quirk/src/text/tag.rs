//! The head of an element: what stands between its marker and its end, and the attributes in it.

/// Most bytes of a head.
const MOST_HEAD: usize = 256;

/// A head that is being read.
#[derive(Debug, Default)]
pub(crate) struct Head {
    raw: String,
}

/// What is known of a head.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Read {
    /// It goes on.
    More,
    /// It is complete.
    Complete,
    /// No head looks like this.
    Broken,
}

impl Head {
    /// Begins a head of which this much was part of the marker.
    pub(crate) fn begin(&mut self, known: &str) {
        self.raw.clear();
        self.raw.push_str(known);
    }

    /// Takes text up to the `>` that ends the head: how many bytes were taken, and what is known now.
    pub(crate) fn text(&mut self, text: &str) -> (usize, Read) {
        for (at, letter) in text.char_indices() {
            match letter {
                '>' => return (at + 1, Read::Complete),
                _ if self.push(letter) => {}
                _ => return (at, Read::Broken),
            }
        }
        (text.len(), Read::More)
    }

    /// Takes text of a head that a marker ends; whether it may be one.
    pub(crate) fn text_before_mark(&mut self, text: &str) -> bool {
        text.chars().all(|letter| self.push(letter))
    }

    fn push(&mut self, letter: char) -> bool {
        let fits = !matches!(letter, '<' | '>' | '\n') && self.raw.len() < MOST_HEAD;
        if fits {
            self.raw.push(letter);
        }
        fits
    }

    /// The value of an attribute, in double quotes, single ones or none.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        let mut rest = self.raw.trim_start();
        while let Some((key, behind)) = rest.split_once('=') {
            let (value, behind) = match behind.strip_prefix(['"', '\'']) {
                Some(inside) => {
                    let quote = if behind.starts_with('"') { '"' } else { '\'' };
                    inside.split_once(quote).unwrap_or((inside, ""))
                }
                None => behind.split_once(' ').unwrap_or((behind, "")),
            };
            if key.trim() == name {
                return Some(value);
            }
            rest = behind;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(head: &str, expected: &[(&str, Option<&str>)]) {
        let mut read = Head::default();
        read.begin("name=");
        assert_eq!(read.text(head), (head.len(), Read::Complete), "{head}");
        for (name, value) in expected {
            assert_eq!(read.attribute(name), *value, "{head}: {name}");
        }
    }

    #[test]
    fn attributes_are_quoted_in_many_ways() {
        check("\"a b\">", &[("name", Some("a b")), ("string", None)]);
        check("'a' >", &[("name", Some("a"))]);
        check("a>", &[("name", Some("a"))]);
        check(
            "\"a\" string=\"false\">",
            &[("name", Some("a")), ("string", Some("false"))],
        );
        check(
            "a string='true'>",
            &[("name", Some("a")), ("string", Some("true"))],
        );
        check("\"a>", &[("name", Some("a"))]);
        check("\"\">", &[("name", Some(""))]);
    }

    #[test]
    fn prose_is_no_head() {
        let broken = |text: &str| {
            let mut head = Head::default();
            head.text(text).1 == Read::Broken
        };
        assert!(broken("a\n>"));
        assert!(broken("a <b>"));
        assert!(broken(&"a".repeat(MOST_HEAD + 1)));
        assert!(!broken("name=\"é\""));
    }
}
