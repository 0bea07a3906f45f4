//! One request's way: decode, apply, encode.

use bytestring::ByteString;
use lingate_quirk::{EventStage, Selection, Settings, State, Target, select, shape_prompt};
use lingate_wire::turn::SealKey;
use lingate_wire::{Decoded, UpstreamContext, Wire, anthropic, bridge, chat};
use serde_json::{Value, json};

/// An upstream and what is configured for it.
#[derive(Clone)]
pub(crate) struct Upstream {
    /// Declared quirks and groups.
    pub quirks: &'static [&'static str],
    /// The model's name at the provider.
    pub model: &'static str,
    /// Its settings.
    pub settings: Settings,
    /// The wire spoken to it.
    pub wire: Wire,
}

/// What became of a request.
pub(crate) struct Sent {
    /// The body as bytes of text.
    pub body: String,
    /// Names of the quirks that changed something.
    pub hits: Vec<&'static str>,
    /// What quirks and settings left out.
    pub losses: Vec<String>,
    /// What the reply passes through.
    pub stages: Vec<EventStage>,
}

impl Upstream {
    /// An upstream with default settings.
    pub(crate) fn new(quirks: &'static [&'static str], model: &'static str) -> Self {
        Self {
            quirks,
            model,
            settings: Settings::default(),
            wire: Wire::Chat,
        }
    }

    /// Anthropic's own endpoint.
    pub(crate) fn anthropic(model: &'static str) -> Self {
        Self {
            wire: Wire::Anthropic,
            ..Self::new(&["anthropic"], model)
        }
    }

    /// Moonshot's own K2.6.
    pub(crate) fn moonshot() -> Self {
        Self::new(&["moonshot"], "kimi-k2.6")
    }

    /// K2 Thinking at another host.
    pub(crate) fn third_party() -> Self {
        Self::new(&["kimi-k2"], "moonshotai/Kimi-K2-Thinking")
    }

    /// The same with other settings.
    pub(crate) fn with(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// Its quirks.
    pub(crate) fn selection(&self) -> Selection {
        let declared: Vec<String> = self.quirks.iter().map(|&name| name.to_owned()).collect();
        select(&declared, &self.target())
    }

    /// A fresh state for one attempt.
    pub(crate) fn state(&self) -> State {
        State::new(&self.target(), self.settings.clone())
    }

    fn target(&self) -> Target<'static> {
        Target {
            provider: "p",
            host: "api.example",
            model: self.model,
            wire: self.wire,
        }
    }

    /// Sends an Anthropic client's request. `model` and `max_tokens` are filled in.
    pub(crate) fn send(&self, request: &Value) -> Sent {
        let request = filled(request, json!({ "model": "m", "max_tokens": 4096 }));
        let body = ByteString::from(request.to_string());
        let doc = anthropic::scan_request(&body).unwrap();
        self.finish(anthropic::decode_request(&doc).unwrap())
    }

    /// Sends a Chat client's request.
    pub(crate) fn send_chat(&self, body: &str) -> Sent {
        let doc = chat::scan_request(&body.into()).unwrap();
        self.finish(chat::decode_request(&doc).unwrap())
    }

    fn finish(&self, mut decoded: Decoded) -> Sent {
        let mut state = self.state();
        shape_prompt(&mut decoded.turn, &mut state);
        self.selection()
            .apply(&mut decoded.turn, &mut decoded.params, &mut state);
        let context = UpstreamContext {
            model: self.model,
            seal: &SealKey::new("p", "p#1", self.model),
        };
        let encoded =
            bridge::encode_request(self.wire, &decoded, &context, &state.dialect).unwrap();
        let stages = self.selection().stages(&state);
        Sent {
            body: String::from_utf8(encoded.body).unwrap(),
            hits: state.hits,
            losses: state.losses,
            stages,
        }
    }
}

impl Sent {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

fn filled(request: &Value, defaults: Value) -> Value {
    let mut request = request.clone();
    for (name, value) in defaults.as_object().unwrap() {
        if request.get(name).is_none() {
            request[name] = value.clone();
        }
    }
    request
}
