//! A gateway on a port of its own, in this process.

use std::sync::Arc;

use lingate_config::{Config, FixedEnvironment, LoadOptions, Problems};
use lingate_gateway::{Gateway, Handle, Limits, Options};
use lingate_testkit::canary;
use lingate_testkit::client::{self, Event, Request, Response};
use lingate_wire::{Wire, anthropic, chat, gemini, responses};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::again::Again;
use crate::traces::Traces;

/// A running gateway; ends when dropped, and then nothing that it left may hold a key.
pub(crate) struct Lingate {
    pub url: String,
    pub instance: String,
    pub handle: Handle,
    stop: CancellationToken,
    running: JoinHandle<()>,
    _again: Option<Again>,
    _traces: Traces,
}

impl Lingate {
    /// Starts on the configuration given.
    pub(crate) async fn start(config: &str) -> Self {
        Self::start_with(config, &[]).await
    }

    /// Starts on the configuration and the environment given.
    pub(crate) async fn start_with(config: &str, environment: &[(&str, &str)]) -> Self {
        Self::start_all(config, environment, Limits::default()).await
    }

    /// Starts with other limits on a client's time.
    pub(crate) async fn start_within(config: &str, limits: Limits) -> Self {
        Self::start_all(config, &[], limits).await
    }

    async fn start_all(config: &str, environment: &[(&str, &str)], limits: Limits) -> Self {
        let options = Options {
            limits,
            ..Options::default()
        };
        Self::start_as(config, environment, options).await
    }

    /// Starts with these options.
    pub(crate) async fn start_as(
        config: &str,
        environment: &[(&str, &str)],
        options: Options,
    ) -> Self {
        canary::plant_settings(config);
        for (name, value) in environment {
            canary::plant_variable(name, value);
        }
        let environment = FixedEnvironment::new(environment.iter().copied());
        let config = configuration(config, &environment).unwrap_or_else(|all| panic!("{all}"));
        let traces = Traces::of(options.recorder.as_ref());
        let config = Arc::new(config);
        // A record of the test's own may hold what no gateway served.
        let again =
            (options.recorder.is_none()).then(|| Again::of(traces.recorder(), Arc::clone(&config)));
        let options = Options {
            version: "0.0.0-test",
            recorder: Some(traces.recorder()),
            ..options
        };
        let gateway = Gateway::bind(config, options).await.expect("a free port");
        let url = format!("http://{}", gateway.local_addr());
        let instance = gateway.instance().to_owned();
        let handle = gateway.handle();
        let stop = CancellationToken::new();
        let running = tokio::spawn(gateway.run(stop.clone()));
        Self {
            url,
            instance,
            handle,
            stop,
            running,
            _again: again,
            _traces: traces,
        }
    }

    /// Tells it to end; what runs goes on.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }

    /// Ends it, and waits for that.
    pub(crate) async fn end(mut self) {
        self.stop.cancel();
        (&mut self.running).await.expect("it ends well");
    }

    /// Starts in front of one Chat upstream, which serves every name.
    pub(crate) async fn to_chat(upstream: &str) -> Self {
        Self::start(&to_one(upstream, "chat")).await
    }

    /// Starts in front of one Anthropic upstream, which serves every name.
    pub(crate) async fn to_anthropic(upstream: &str) -> Self {
        Self::start(&to_one(upstream, "anthropic")).await
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Request {
        client::post(&format!("{}{path}", self.url), body)
    }

    pub(crate) fn get(&self, path: &str) -> Request {
        client::get(&format!("{}{path}", self.url))
    }
}

/// The configuration of this text, on any free port.
pub(crate) fn configuration(
    text: &str,
    environment: &FixedEnvironment,
) -> Result<Config, Problems> {
    let options = LoadOptions {
        port: Some(0),
        ..LoadOptions::default()
    };
    Config::from_text(Some("lingate.toml".into()), text, &options, environment)
}

impl Drop for Lingate {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn to_one(upstream: &str, wire: &str) -> String {
    format!(
        r#"
        default = "up/served-model"
        [providers.up]
        base_url = "{upstream}"
        speaks = ["{wire}"]
        api_key = "sk-upstream"
        "#
    )
}

/// A small Anthropic request.
pub(crate) fn messages(is_stream: bool) -> Value {
    json!({
        "model": "claude-opus-5-5",
        "max_tokens": 100,
        "stream": is_stream,
        "messages": [{"role": "user", "content": "hello"}],
    })
}

/// A small Chat request.
pub(crate) fn completions(is_stream: bool) -> Value {
    json!({
        "model": "gpt-x",
        "stream": is_stream,
        "messages": [{"role": "user", "content": "hello"}],
    })
}

/// Reads a stream whole and has the wire's strict acceptor read it too.
pub(crate) async fn events(wire: Wire, response: Response) -> Vec<Event> {
    let mut events = response.events();
    let all = events.all().await;
    assert_eq!(
        (events.broken(), events.rest()),
        (None, ""),
        "the body ends properly"
    );
    let mut bytes = String::new();
    for event in all.iter().filter(|event| event.name != ":") {
        if !event.name.is_empty() {
            bytes.push_str(&format!("event: {}\n", event.name));
        }
        bytes.push_str(&format!("data: {}\n\n", event.data));
    }
    accept(wire, &bytes);
    all
}

/// Fails the test if `stream` is not what its wire allows.
pub(crate) fn accept(wire: Wire, stream: &str) {
    let verdict = match wire {
        Wire::Anthropic => {
            let mut acceptor = anthropic::grammar::Acceptor::new();
            acceptor
                .feed(stream.as_bytes())
                .and_then(|()| acceptor.finish())
                .map_err(|v| v.0)
        }
        Wire::Responses => responses::grammar::check(stream.as_bytes()),
        Wire::Gemini => {
            let mut acceptor = gemini::grammar::Acceptor::new(gemini::Framing::Sse);
            acceptor
                .feed(stream.as_bytes())
                .and_then(|()| acceptor.finish())
                .map_err(|v| v.0)
        }
        Wire::Chat => {
            let mut acceptor = chat::grammar::Acceptor::new();
            acceptor
                .feed(stream.as_bytes())
                .and_then(|()| acceptor.finish())
                .map_err(|v| v.0)
        }
    };
    if let Err(violation) = verdict {
        panic!("{violation}\n{stream}");
    }
}

/// All text of an Anthropic stream.
pub(crate) fn text_of(events: &[Event]) -> String {
    events
        .iter()
        .map(Event::json)
        .filter_map(|event| event["delta"]["text"].as_str().map(str::to_owned))
        .collect()
}
