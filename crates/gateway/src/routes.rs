//! The routing table in force: the configuration's, or the same with another default model.
//!
//! A switch lasts as long as the process. It replaces the defaults of profiles too, so that every session of this
//! gateway follows it; names that a model, an alias or a rule serves are not touched.

use std::sync::Arc;

use lingate_config::Config;
use lingate_route::{Cause, Table, Unresolved, check_destination};

/// The table, and what its default was switched to.
#[derive(Clone)]
pub(crate) struct Routes {
    table: Arc<Table>,
    switched: Option<String>,
}

impl Routes {
    /// The configuration's own.
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            table: Arc::new(config.routes.clone()),
            switched: None,
        }
    }

    /// The table that requests are resolved with.
    pub(crate) fn table(&self) -> Arc<Table> {
        Arc::clone(&self.table)
    }

    /// What the default was switched to.
    pub(crate) fn switched(&self) -> Option<&str> {
        self.switched.as_deref()
    }

    /// The configuration's, with `model` as the default.
    pub(crate) fn switched_to(config: &Config, model: &str) -> Result<Self, Unresolved> {
        let mut table = config.routes.clone();
        check_destination(&table, None, model).map_err(|error| plain(error, model))?;
        for scope in table.profiles.values_mut() {
            scope.default = None;
        }
        table.global.default = Some(model.to_owned());
        Ok(Self {
            table: Arc::new(table),
            switched: Some(model.to_owned()),
        })
    }

    /// Another configuration's, with the same switch if it leads somewhere there.
    pub(crate) fn carried_to(&self, config: &Config) -> Self {
        let Some(model) = &self.switched else {
            return Self::of(config);
        };
        Self::switched_to(config, model).unwrap_or_else(|error| {
            tracing::warn!("the default model is the configured one again: {error}");
            Self::of(config)
        })
    }
}

/// A name that leads straight to nothing is an unknown one, and no dead end of the file's.
fn plain(mut error: Unresolved, model: &str) -> Unresolved {
    if error.cause == Cause::DeadEnd(model.to_owned()) {
        error.cause = Cause::Unknown;
    }
    error
}

#[cfg(test)]
mod tests {
    use lingate_config::{FixedEnvironment, LoadOptions};
    use lingate_route::{Ask, resolve};

    use super::*;

    const FILE: &str = r#"
        default = "one"
        [providers.x]
        base_url = "http://127.0.0.1:1"
        speaks = ["chat"]
        auth = "none"
        [models.one]
        targets = ["x/1"]
        [models.two]
        targets = ["x/2"]
        [profiles.team]
        default = "x/3"
    "#;

    fn config(file: &str) -> Config {
        let environment = FixedEnvironment::new([]);
        let config = Config::from_text(None, file, &LoadOptions::default(), &environment);
        config.unwrap_or_else(|problems| panic!("{problems}"))
    }

    fn served(routes: &Routes, profile: Option<&str>, model: &str) -> String {
        let ask = Ask {
            profile,
            ..Ask::plain(model)
        };
        let resolution = resolve(&routes.table(), &ask).unwrap();
        resolution.candidates[0].model.to_string()
    }

    #[track_caller]
    fn check(routes: &Routes, expected: [&str; 3]) {
        let asked = [(None, "unknown"), (Some("team"), "unknown"), (None, "one")];
        let got = asked.map(|(profile, model)| served(routes, profile, model));
        assert_eq!(got, expected);
    }

    #[test]
    fn a_switch_changes_every_default_and_nothing_else() {
        let config = config(FILE);
        check(&Routes::of(&config), ["1", "3", "1"]);
        let two = Routes::switched_to(&config, "two").unwrap();
        assert_eq!(two.switched(), Some("two"));
        check(&two, ["2", "2", "1"]);
        let any = Routes::switched_to(&config, "x/*").unwrap();
        check(&any, ["unknown", "unknown", "1"]);
    }

    #[test]
    fn a_name_that_nothing_serves_is_refused() {
        let error = Routes::switched_to(&config(FILE), "twoo").err().unwrap();
        assert_eq!(error.to_string(), "no model `twoo`: did you mean `two`?");
    }

    #[test]
    fn a_switch_goes_on_while_it_leads_somewhere() {
        let switched = Routes::switched_to(&config(FILE), "two").unwrap();
        let moved = config(&FILE.replace("x/2", "x/4"));
        let carried = switched.carried_to(&moved);
        assert_eq!(carried.switched(), Some("two"));
        check(&carried, ["4", "4", "1"]);
        let renamed = config(&FILE.replace("models.two", "models.three"));
        let carried = switched.carried_to(&renamed);
        assert_eq!(carried.switched(), None);
        check(&carried, ["1", "3", "1"]);
        let plain = Routes::of(&moved).carried_to(&renamed);
        assert_eq!(plain.switched(), None);
    }
}
