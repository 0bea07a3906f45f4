//! Where each name of a configuration leads, by lane and quirks: the table that `check` prints.

use lingate_config::Config;
use lingate_gateway::{Plan, Reason, lane_of};
use lingate_route::{Alias, Candidate, Scope, Unresolved, check_destination, resolve_name};
use lingate_wire::Wire;
use lingate_wire::turn::Failure;
use serde_json::{Value as Json, json};

/// The clients whose lanes are shown: those whose wires are served.
const CLIENTS: [Wire; 2] = [Wire::Anthropic, Wire::Chat];

/// A name that can be asked for, and what serves it.
pub(super) struct Route {
    /// A model, an alias, `default`, `small` or `rule N`, with its profile.
    pub(super) asked: String,
    /// In order of preference, or why nothing serves it.
    pub(super) targets: Result<Vec<Target>, String>,
}

/// One target of a route.
pub(super) struct Target {
    pub(super) candidate: Candidate,
    /// For each of [`CLIENTS`].
    ways: Vec<Way>,
}

impl Target {
    fn name(&self) -> String {
        format!("{}/{}", self.candidate.provider, self.candidate.model)
    }

    fn plans(&self) -> impl Iterator<Item = &Plan> {
        self.ways.iter().filter_map(|way| way.plan.as_ref().ok())
    }
}

/// How a client's request gets to a target.
struct Way {
    client: Wire,
    /// Or why there is none.
    plan: Result<Plan, Failure>,
}

/// Every route, in the order in which names are looked at.
pub(super) fn all(config: &Config) -> Vec<Route> {
    let mut routes = Vec::new();
    for (rule, number) in config.routes.rules.iter().zip(1..) {
        let profile = rule.when.profile.as_deref();
        let resolution = check_destination(&config.routes, profile, &rule.to);
        routes.push(route(
            config,
            format!("rule {number}"),
            resolution.map(|found| found.candidates),
        ));
    }
    scope(config, None, &config.routes.global, &mut routes);
    for (name, own) in &config.routes.profiles {
        scope(config, Some(name), own, &mut routes);
    }
    routes
}

/// One row for each target.
pub(super) fn rows(routes: &[Route]) -> Vec<[String; 5]> {
    let mut rows = Vec::new();
    for route in routes {
        let mut asked = route.asked.clone();
        match &route.targets {
            Err(reason) => rows.push([
                asked,
                reason.clone(),
                String::new(),
                String::new(),
                String::new(),
            ]),
            Ok(targets) => {
                for target in targets {
                    rows.push(row(std::mem::take(&mut asked), target));
                }
            }
        }
    }
    rows
}

/// The quirks of each target that has some: `provider/model: a, b`, each target once.
pub(super) fn quirks(routes: &[Route]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for target in routes
        .iter()
        .filter_map(|route| route.targets.as_ref().ok())
        .flatten()
    {
        let mut quirks: Vec<&str> = Vec::new();
        for quirk in target.plans().flat_map(|plan| &plan.quirks) {
            if !quirks.contains(quirk) {
                quirks.push(quirk);
            }
        }
        let line = format!("{}: {}", target.name(), quirks.join(", "));
        if !quirks.is_empty() && !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines
}

/// A route as JSON.
pub(super) fn object(route: &Route) -> Json {
    let targets = route
        .targets
        .as_ref()
        .map(|targets| targets.iter().map(target_object).collect::<Vec<_>>());
    json!({
        "kind": "route",
        "asked": route.asked,
        "targets": targets.as_ref().ok(),
        "error": targets.as_ref().err(),
    })
}

fn scope(config: &Config, profile: Option<&str>, own: &Scope, routes: &mut Vec<Route>) {
    let table = &config.routes;
    let named = |name: &str| {
        profile.map_or_else(|| name.to_owned(), |profile| format!("{profile}: {name}"))
    };
    for model in &own.models {
        let resolution = resolve_name(table, profile, &model.name);
        routes.push(route(
            config,
            named(&model.name),
            resolution.map(|found| found.candidates),
        ));
    }
    let aliases = own
        .aliases
        .iter()
        .map(|alias| (alias.pattern(), Alias::to(alias)));
    let defaults = [
        ("default", own.default.as_deref()),
        ("small", own.small.as_deref()),
    ];
    let defaults = defaults
        .into_iter()
        .filter_map(|(name, to)| Some((name.to_owned(), to?)));
    for (name, to) in aliases.chain(defaults) {
        let resolution = check_destination(table, profile, to);
        routes.push(route(
            config,
            named(&name),
            resolution.map(|found| found.candidates),
        ));
    }
}

fn route(config: &Config, asked: String, candidates: Result<Vec<Candidate>, Unresolved>) -> Route {
    let targets = candidates.map(|candidates| {
        candidates
            .iter()
            .filter_map(|found| target(config, found))
            .collect()
    });
    Route {
        asked,
        targets: targets.map_err(|error| error.to_string()),
    }
}

fn target(config: &Config, candidate: &Candidate) -> Option<Target> {
    config.provider(&candidate.provider)?;
    Some(Target {
        candidate: candidate.clone(),
        ways: CLIENTS
            .into_iter()
            .map(|client| Way {
                client,
                plan: lane_of(config, candidate, client),
            })
            .collect(),
    })
}

fn row(asked: String, target: &Target) -> [String; 5] {
    let lane = |client: Wire| {
        let way = target.ways.iter().find(|way| way.client == client);
        match way.map(|way| &way.plan) {
            Some(Ok(plan)) => plan.lane.name().to_owned(),
            Some(Err(_)) => "not served".to_owned(),
            None => String::new(),
        }
    };
    let mut wires: Vec<&str> = target.plans().map(|plan| plan.wire.name()).collect();
    wires.dedup();
    [
        asked,
        target.name(),
        wires.join(", "),
        lane(Wire::Anthropic),
        lane(Wire::Chat),
    ]
}

fn target_object(target: &Target) -> Json {
    let ways = target.ways.iter().map(|way| match &way.plan {
        Err(failure) => json!({ "client_wire": way.client.name(), "error": failure.message }),
        Ok(plan) => {
            let reasons: Vec<String> = plan.reasons.iter().map(Reason::to_string).collect();
            json!({
                "client_wire": way.client.name(),
                "upstream_wire": plan.wire.name(),
                "url": plan.url,
                "lane": plan.lane.name(),
                "lane_reasons": reasons,
                "quirks": plan.quirks,
            })
        }
    });
    json!({ "provider": &*target.candidate.provider, "model": &*target.candidate.model, "ways": ways.collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use lingate_config::{FixedEnvironment, LoadOptions};

    use super::*;

    fn routes(file: &str) -> Vec<Route> {
        let config = Config::from_text(
            None,
            file,
            &LoadOptions::default(),
            &FixedEnvironment::new([]),
        );
        all(&config.unwrap_or_else(|problems| panic!("{problems}")))
    }

    #[test]
    fn every_name_is_a_row() {
        let routes = routes(
            r#"
            default = "plain/*"
            small = "mine"
            [providers.plain]
            base_url = "http://127.0.0.1:1/v1"
            speaks = ["anthropic"]
            auth = "none"
            [providers.chat]
            base_url = "http://127.0.0.1:2"
            speaks = ["chat"]
            auth = "none"
            [models.mine]
            targets = ["plain/a", "chat/b"]
            [aliases]
            "claude-*" = "mine"
            [[rules]]
            when = { image = true }
            use = "chat/c"
            [profiles.team]
            default = "chat/d"
            "#,
        );
        let rows: Vec<String> = rows(&routes).iter().map(|row| row.join(" | ")).collect();
        let expected = [
            "rule 1 | chat/c | chat | translated | passthrough",
            "mine | plain/a | anthropic | passthrough | translated",
            " | chat/b | chat | translated | passthrough",
            "claude-* | plain/a | anthropic | passthrough | translated",
            " | chat/b | chat | translated | passthrough",
            "default | plain/* | anthropic | passthrough | translated",
        ];
        for expected in expected {
            assert!(
                rows.iter().any(|row| row == expected),
                "{expected} is not in {rows:#?}"
            );
        }
        assert!(
            rows.iter()
                .any(|row| row.starts_with("team: default | chat/d")),
            "{rows:#?}"
        );
        assert!(quirks(&routes).is_empty(), "none is declared");
        let objects: Vec<Json> = routes.iter().map(object).collect();
        let mine = objects
            .iter()
            .find(|object| object["asked"] == "mine")
            .unwrap();
        assert_eq!(
            mine["targets"][0]["ways"][0]["url"],
            "http://127.0.0.1:1/v1/messages"
        );
    }

    #[test]
    fn what_a_models_settings_force_is_shown() {
        let file = |setting: &str| {
            format!(
                "[providers.x]\nbase_url = \"http://127.0.0.1:1\"\nspeaks = [\"anthropic\"]\nauth = \"none\"\n\
                 [models.mine]\ntargets = [\"x/a\"]\n{setting}"
            )
        };
        let check = |setting: &str, lane: &str, reasons: usize| {
            let routes = routes(&file(setting));
            let way = &object(&routes[0])["targets"][0]["ways"][0];
            assert_eq!(way["lane"], lane, "{setting}");
            assert_eq!(way["lane_reasons"].as_array().unwrap().len(), reasons);
        };
        check("", "passthrough", 0);
        check("temperature = 0.5", "translated", 1);
    }

    #[test]
    fn a_target_shows_its_quirks_once() {
        let routes = routes(
            "default = \"mine\"\n[providers.moonshot]\napi_key = \"k\"\n[models.mine]\ntargets = [\"moonshot/kimi-k2.6\"]",
        );
        let lines = quirks(&routes);
        let of_model = lines
            .iter()
            .filter(|line| line.starts_with("moonshot/kimi-k2.6: "));
        assert_eq!(of_model.clone().count(), 1, "{lines:#?}");
        assert!(
            of_model.clone().all(|line| line.contains("tool-schema")),
            "{lines:#?}"
        );
    }
}
