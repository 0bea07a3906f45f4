//! A provider key, kept from every place that text ends up in.

use secrecy::{ExposeSecret, SecretString};

/// A secret text: no `Debug`, no `Display`, no serialisation, wiped when dropped.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Takes the text over.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(SecretString::from(text))
    }

    /// The text itself, for the one place that sends it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}
