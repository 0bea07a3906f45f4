//! One script against one gateway before one scripted provider.

use std::collections::HashMap;
use std::time::Duration;

use lingate_e2e::{Gateway, Home, Provider, media};
use lingate_testkit::{Process, Received, Upstream, Wire, complaints};
use serde_json::Value;

use crate::installed::Set;
use crate::model::{FAULTS, Model};

/// A slow interpreter on a busy machine, and every case once.
const LIMIT: Duration = Duration::from_secs(100);

/// What a script reported and what its provider received.
pub(crate) struct Run {
    results: HashMap<String, Value>,
    pub(crate) requests: Vec<Received>,
    wire: Wire,
    label: String,
}

impl Run {
    /// Runs a script to its end; none where its SDK is not installed.
    pub(crate) async fn of(set: Set, script: &str, wire: Wire) -> Option<Run> {
        let home = Home::new();
        std::fs::write(home.project("red.png"), media::png(220, 20, 20)).unwrap();
        std::fs::write(home.project("page.pdf"), media::pdf("A page for the test")).unwrap();
        let mut command = set.command(&home, script)?;
        let model = Model::new(wire);
        let upstream = Upstream::start(model.clone()).await;
        let speaks = match wire {
            Wire::Chat => "chat",
            Wire::Anthropic => "anthropic",
        };
        let provider = Provider {
            base_url: &upstream.url(),
            speaks,
            more: "",
        };
        let gateway = Gateway::serve(&home, &provider.config()).await;
        let faults: Vec<&str> = FAULTS.iter().map(|(name, _)| *name).collect();
        command
            .env("LINGATE_URL", &gateway.url)
            .env("LINGATE_MODEL", "mock")
            .env("LINGATE_FAULTS", faults.join(" "));
        let finished = Process::spawn(&mut command).finish(LIMIT).await;
        let label = format!("{set:?} {script} before {wire:?}");
        assert_eq!(finished.code, Some(0), "{label}: {finished}");
        if std::env::var_os("LINGATE_SHOW").is_some() {
            eprintln!("{label}\n{}\n{}", finished.stdout, finished.stderr);
        }
        assert_eq!(model.faults(), [""; 0], "{label}");
        assert!(!gateway.log().contains(Provider::KEY), "{label}: the log holds the key");
        assert_eq!(gateway.stop().await.code, Some(0), "{label}");
        home.is_quiet().await;

        let lines = finished.stdout.lines().map(|line| {
            let mut value: Value = serde_json::from_str(line)
                .unwrap_or_else(|error| panic!("{label}: {error}: {line}"));
            let case = value.as_object_mut().and_then(|keys| keys.remove("case"));
            (case.unwrap_or_default().as_str().unwrap_or_default().to_owned(), value)
        });
        let run = Run {
            results: lines.collect(),
            requests: upstream.requests(),
            wire,
            label,
        };
        run.requests_are_sound();
        Some(run)
    }
}

impl Run {
    fn requests_are_sound(&self) {
        for request in &self.requests {
            let key = match self.wire {
                Wire::Chat => request.header("authorization").trim_start_matches("Bearer "),
                Wire::Anthropic => request.header("x-api-key"),
            };
            assert_eq!(key, Provider::KEY, "{}: request {}", self.label, request.n);
            assert!(
                !format!("{:?}{}", request.headers, request.text()).contains("the-clients-own-key"),
                "{}: request {} holds the client's key",
                self.label,
                request.n
            );
            if self.wire == Wire::Chat {
                let complaints = complaints(request);
                assert!(
                    complaints.is_empty(),
                    "{}: request {}: {complaints:#?}\n{}",
                    self.label,
                    request.n,
                    request.text()
                );
            }
        }
    }
}
