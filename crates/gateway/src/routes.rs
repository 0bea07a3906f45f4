//! The routing table in force: the configuration's, or the same with another default model.
//!
//! A switch lasts as long as the process. It replaces the defaults of profiles too, so that every session of this
//! gateway follows it; names that a model, an alias or a rule serves are not touched.

use std::sync::{Arc, PoisonError, RwLock};

use lingate_config::Config;
use lingate_route::{Cause, Table, Unresolved, check_destination};

/// The table, and what its default was switched to.
pub(crate) struct Routes {
    in_force: RwLock<InForce>,
}

struct InForce {
    table: Arc<Table>,
    switched: Option<String>,
}

impl Routes {
    /// The configuration's own.
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            in_force: RwLock::new(InForce {
                table: Arc::new(config.routes.clone()),
                switched: None,
            }),
        }
    }

    /// The table that the next request is resolved with.
    pub(crate) fn table(&self) -> Arc<Table> {
        let in_force = self.in_force.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&in_force.table)
    }

    /// What the default was switched to.
    pub(crate) fn switched(&self) -> Option<String> {
        let in_force = self.in_force.read().unwrap_or_else(PoisonError::into_inner);
        in_force.switched.clone()
    }

    /// Makes `model` the default; `None` goes back to the configuration's.
    pub(crate) fn switch(&self, config: &Config, model: Option<&str>) -> Result<(), Unresolved> {
        let mut table = config.routes.clone();
        if let Some(model) = model {
            check_destination(&table, None, model).map_err(|error| plain(error, model))?;
            for scope in table.profiles.values_mut() {
                scope.default = None;
            }
            table.global.default = Some(model.to_owned());
        }
        let next = InForce {
            table: Arc::new(table),
            switched: model.map(str::to_owned),
        };
        *self
            .in_force
            .write()
            .unwrap_or_else(PoisonError::into_inner) = next;
        Ok(())
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

    fn config() -> Config {
        let environment = FixedEnvironment::new([]);
        let config = Config::from_text(None, FILE, &LoadOptions::default(), &environment);
        config.unwrap_or_else(|problems| panic!("{problems}"))
    }

    fn served(routes: &Routes, profile: Option<&str>, model: &str) -> String {
        let ask = Ask {
            profile,
            ..Ask::plain(model)
        };
        let resolution = resolve(&routes.table(), &ask).unwrap();
        resolution.candidates[0].model.clone()
    }

    #[test]
    fn a_switch_changes_every_default_and_nothing_else() {
        let config = config();
        let routes = Routes::of(&config);
        let check = |expected: [&str; 3]| {
            let asked = [(None, "unknown"), (Some("team"), "unknown"), (None, "one")];
            let got = asked.map(|(profile, model)| served(&routes, profile, model));
            assert_eq!(got, expected);
        };
        check(["1", "3", "1"]);
        routes.switch(&config, Some("two")).unwrap();
        assert_eq!(routes.switched().as_deref(), Some("two"));
        check(["2", "2", "1"]);
        routes.switch(&config, Some("x/*")).unwrap();
        check(["unknown", "unknown", "1"]);
        routes.switch(&config, None).unwrap();
        assert_eq!(routes.switched(), None);
        check(["1", "3", "1"]);
    }

    #[test]
    fn a_name_that_nothing_serves_changes_nothing() {
        let config = config();
        let routes = Routes::of(&config);
        let error = routes.switch(&config, Some("twoo")).unwrap_err();
        assert_eq!(error.to_string(), "no model `twoo`: did you mean `two`?");
        assert_eq!(served(&routes, None, "unknown"), "1");
    }
}
