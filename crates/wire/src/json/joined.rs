//! A string made of texts that stay where they are.

use super::text::Text;

/// One text or several, one behind the other. Most are one, which takes no list.
#[derive(Debug, Clone)]
pub(crate) struct Joined {
    first: Text,
    more: Vec<Text>,
}

impl Joined {
    /// The texts, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Text> {
        std::iter::once(&self.first).chain(&self.more)
    }

    /// Puts a text before the others.
    pub(crate) fn prepend(&mut self, text: Text) {
        let second = std::mem::replace(&mut self.first, text);
        self.more.insert(0, second);
    }

    /// Puts texts behind the others.
    pub(crate) fn append(&mut self, texts: impl Into<Self>) {
        let Self { first, mut more } = texts.into();
        self.more.push(first);
        self.more.append(&mut more);
    }
}

impl From<Text> for Joined {
    fn from(text: Text) -> Self {
        Self {
            first: text,
            more: Vec::new(),
        }
    }
}

/// No text at all is an empty one.
impl From<Vec<Text>> for Joined {
    fn from(texts: Vec<Text>) -> Self {
        let mut texts = texts.into_iter();
        Self {
            first: texts.next().unwrap_or_default(),
            more: texts.collect(),
        }
    }
}

impl<const N: usize> From<[Text; N]> for Joined {
    fn from(texts: [Text; N]) -> Self {
        texts.to_vec().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(joined: &Joined, expected: &str) {
        let texts: Vec<String> = joined.iter().map(ToString::to_string).collect();
        assert_eq!(texts.join(" "), expected);
    }

    #[test]
    fn texts_stand_in_order() {
        let text = Text::from_static;
        check(&Vec::new().into(), "");
        check(&[text("a"), text("b"), text("c")].into(), "a b c");
        let mut joined = Joined::from(text("a"));
        check(&joined, "a");
        joined.append(text("b"));
        joined.prepend(text("0"));
        joined.append([text("c"), text("d")]);
        check(&joined, "0 a b c d");
    }
}
