//! Prices by provider and model.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::format;
use crate::price::Price;

/// The file `prices/table.json`.
const BUNDLED: &str = include_str!("../../../prices/table.json");

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    format::own(BUNDLED)
        .map(|mut table| {
            table.version = format!("bundled {}", table.version);
            table
        })
        .unwrap_or_default()
});

/// The table that comes with the program. Read when it is first asked for.
#[must_use]
pub fn bundled() -> &'static Table {
    &TABLE
}

/// Names of a provider in tables that are made elsewhere, to its name here.
///
/// Data of the provider's preset; several names may mean one provider, and one name several.
#[derive(Debug, Clone, Default)]
pub struct Names(pub Vec<(String, String)>);

impl Names {
    /// Our providers that a foreign table calls `foreign`.
    pub(crate) fn of<'a>(&'a self, foreign: &'a str) -> impl Iterator<Item = &'a str> {
        let own = self.0.iter().filter(move |(name, _)| name == foreign);
        own.map(|(_, provider)| provider.as_str())
    }
}

/// Prices by provider and model, of one date.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table {
    /// What a record says its cost was reckoned with.
    pub version: String,
    pub(crate) providers: BTreeMap<String, BTreeMap<String, Price>>,
}

impl Table {
    /// What the model costs at the provider; both as the provider's preset names them.
    ///
    /// Without an entry of its own, a model has the price of its undated name (`claude-haiku-4-5-20251001`), and of its name
    /// without what follows a colon or an `@` (`:nitro`, `@20251001`).
    #[must_use]
    pub fn price(&self, provider: &str, model: &str) -> Option<&Price> {
        let models = self.providers.get(provider)?;
        let plain = model.split(['@', ':']).next().unwrap_or(model);
        models
            .get(model)
            .or_else(|| models.get(plain))
            .or_else(|| models.get(undated(plain)?))
    }

    /// Number of models.
    #[must_use]
    pub fn len(&self) -> usize {
        self.providers.values().map(BTreeMap::len).sum()
    }

    /// Whether it has no price at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.providers.is_empty()
    }

    /// Every price, in order of provider and model.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, &Price)> {
        self.providers.iter().flat_map(|(provider, models)| {
            let priced = models.iter();
            priced.map(move |(model, price)| (provider.as_str(), model.as_str(), price))
        })
    }

    /// Adds a model's price.
    pub(crate) fn insert(&mut self, provider: &str, model: &str, price: Price) {
        let models = self.providers.entry(provider.to_owned()).or_default();
        models.insert(model.to_owned(), price);
    }
}

/// The name without a date of eight digits at its end.
fn undated(model: &str) -> Option<&str> {
    let (name, date) = model.rsplit_once('-')?;
    let is_date = date.len() == 8 && date.bytes().all(|byte| byte.is_ascii_digit());
    is_date.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MicroUsd, Rates};

    #[test]
    fn a_model_is_found_by_the_names_providers_give_it() {
        let mut table = Table::default();
        let price = |micro| Price::of(Rates::flat(MicroUsd(micro), MicroUsd(micro)));
        table.insert("x", "claude-haiku-4-5", price(1));
        table.insert("x", "kimi:free", price(2));
        table.insert("x", "kimi", price(3));
        let check = |provider, model, expected: Option<u64>| {
            let found = table.price(provider, model);
            assert_eq!(found.map(|price| price.rates.input.0), expected, "{model}");
        };
        check("x", "claude-haiku-4-5", Some(1));
        check("x", "claude-haiku-4-5-20251001", Some(1));
        check("x", "claude-haiku-4-5@20251001", Some(1));
        check("x", "claude-haiku-4-5-2025100", None);
        check("x", "kimi:free", Some(2));
        check("x", "kimi:nitro", Some(3));
        check("y", "kimi", None);
        check("x", "", None);
    }

    #[test]
    fn the_bundled_table_is_whole() {
        assert!(
            bundled().version.starts_with("bundled 20"),
            "{}",
            bundled().version
        );
        assert!(bundled().len() > 500, "{}", bundled().len());
    }

    #[test]
    fn the_bundled_table_reads_as_it_is_written() {
        let mut table = bundled().clone();
        table.version = table.version.replace("bundled ", "");
        assert_eq!(format::write_own(&table), BUNDLED);
    }
}
