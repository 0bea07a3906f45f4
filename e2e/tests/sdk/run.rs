//! One script against one gateway before one scripted provider.

use std::collections::BTreeMap;
use std::time::Duration;

use lingate_e2e::{Gateway, Home, Provider, media};
use lingate_testkit::{Ending, Process, Received, Upstream, Wire, complaints};
use serde_json::{Map, Value};

use crate::installed::Set;
use crate::model::{Model, fault_cases};

/// A slow interpreter on a busy machine, and every case once.
const LIMIT: Duration = Duration::from_secs(100);

/// What a script reported, by case.
pub(crate) type Results = BTreeMap<String, Value>;

/// What a script reported and what its provider received.
pub(crate) struct Run {
    results: Results,
    requests: Vec<Received>,
    label: String,
}

impl Run {
    /// Runs a script to its end; none where its SDK is not installed.
    pub(crate) async fn of(set: Set, script: &str, wire: Wire) -> Option<Run> {
        Run::of_clients(set, script, wire, &[]).await
    }

    /// The same for a script that plays clients of several wires.
    pub(crate) async fn of_clients(
        set: Set,
        script: &str,
        wire: Wire,
        clients: &[Wire],
    ) -> Option<Run> {
        let home = Home::new();
        std::fs::write(home.project("red.png"), media::png(220, 20, 20)).unwrap();
        std::fs::write(home.project("page.pdf"), media::pdf("A page for the test")).unwrap();
        let mut command = set.command(&home, script)?;
        let label = format!("{set:?} {script} before {wire:?}");
        let model = Model::new(wire);
        let upstream = Upstream::start(model.clone()).await;
        let provider = Provider {
            base_url: &upstream.url(),
            speaks: wire.name(),
            more: "",
        };
        // Names that nobody configured stay what they are: some cases need a model of their own.
        let config = provider.config();
        let config = config.replace("default = \"mock\"", "default = \"scripted/*\"");
        let gateway = Gateway::serve(&home, &config).await;
        command
            .env("LINGATE_URL", &gateway.url)
            .env("LINGATE_MODEL", "mock")
            .env("LINGATE_FAULTS", fault_cases(wire).join(" "))
            .env(
                "LINGATE_CLIENTS",
                clients
                    .iter()
                    .map(|wire| wire.name())
                    .collect::<Vec<_>>()
                    .join(" "),
            );
        let finished = Process::spawn(&mut command).finish(LIMIT).await;
        assert_eq!(finished.code, Some(0), "{label}: {finished}");

        let run = Run {
            results: results(&finished.stdout),
            requests: upstream.requests(),
            label,
        };
        run.sound(wire);
        // While the gateway still runs: its own end would close the connection, too.
        for request in run.about("ENDLESS") {
            let ending = request.ending(Duration::from_secs(30)).await;
            let label = &run.label;
            assert!(
                matches!(ending, Ending::HungUp { .. }),
                "{label}: an abandoned answer went on: {ending:?}"
            );
        }
        let label = &run.label;
        assert_eq!(model.faults(), [""; 0], "{label}");
        for key in [Provider::KEY, CLIENT_KEY] {
            assert!(!gateway.log().contains(key), "{label}: a key in the log");
            assert!(
                !finished.stdout.contains(key),
                "{label}: a key in an answer"
            );
        }
        assert_eq!(gateway.stop().await.code, Some(0), "{label}");
        home.is_quiet().await;
        Some(run)
    }

    /// Compares what the script reported with a table, see [`compare`].
    pub(crate) fn check(&self, expected: &Map<String, Value>) {
        compare(&self.label, &self.results, expected);
    }

    /// The provider's requests that hold this text, in order.
    pub(crate) fn about(&self, text: &str) -> Vec<&Received> {
        let holds = |request: &&Received| request.text().contains(text);
        self.requests.iter().filter(holds).collect()
    }

    /// The last request that holds this text, as JSON.
    pub(crate) fn body(&self, text: &str) -> Value {
        let requests = self.about(text);
        let last = requests.last();
        last.unwrap_or_else(|| panic!("{}: nothing was asked about {text}", self.label))
            .json()
    }

    /// What holds for every request: the provider's own key and nothing of the client's, and nothing that a
    /// strict provider refuses.
    fn sound(&self, wire: Wire) {
        for request in &self.requests {
            let whole = format!("{:?}{}", request.headers, request.text());
            let key = match wire {
                Wire::Chat | Wire::Responses => request.header("authorization"),
                Wire::Anthropic => request.header("x-api-key"),
                Wire::Gemini => request.header("x-goog-api-key"),
            };
            let mut wrong = match wire {
                Wire::Chat | Wire::Responses | Wire::Gemini if !counts(request) => {
                    complaints(request)
                }
                _ => Vec::new(),
            };
            if !key.ends_with(Provider::KEY) || whole.contains(CLIENT_KEY) {
                wrong.push(format!("keys: {whole}"));
            }
            let (label, n) = (&self.label, request.n);
            assert!(wrong.is_empty(), "{label}: request {n}: {wrong:#?}");
        }
    }
}

/// Whether a request asks for a count only, of which this is all that a provider says.
fn counts(request: &Received) -> bool {
    request.path().ends_with(":countTokens")
}

/// As in the scripts' report module.
const CLIENT_KEY: &str = "the-clients-own-key";

/// Asserts that exactly these cases were reported, with at least these values. Of a `message`, the expected words need
/// only be a part.
pub(crate) fn compare(label: &str, results: &Results, expected: &Map<String, Value>) {
    let reported: Vec<&String> = results.keys().collect();
    let mut named: Vec<&String> = expected.keys().collect();
    named.sort();
    assert_eq!(reported, named, "{label}: cases");
    let mut wrong = Vec::new();
    for (case, expected) in expected {
        let result = &results[case];
        let values = expected.as_object().expect("a case is an object");
        let fits = |(key, value): (&String, &Value)| match (value, &result[key]) {
            (Value::String(words), Value::String(message)) if key == "message" => {
                message.contains(words)
            }
            (value, actual) => value == actual,
        };
        let raised = |side: &Value| side.get("raised").is_some();
        if !values.iter().all(fits) || raised(result) != raised(expected) {
            wrong.push(format!(
                "{case}:\n  expected {expected}\n  got      {result}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{label}:\n{}", wrong.join("\n"));
}

/// A script's lines by their cases.
pub(crate) fn results(stdout: &str) -> Results {
    let lines = stdout.lines().map(|line| {
        let mut result: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let name = result["case"].take();
        let name = name.as_str().expect("a result names its case").to_owned();
        (name, result)
    });
    lines.collect()
}
