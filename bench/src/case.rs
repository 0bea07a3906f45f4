//! What is measured: bodies, lanes, shapes of answers, and the ratios that are aimed at.

use crate::answers::{self, Answer};
use crate::question::{LARGE, Question, SMALL};
use crate::wire::Wire;

/// One measured exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Case {
    /// The request's body.
    pub size: Size,
    /// How the gateway passes it on.
    pub lane: Lane,
    /// The answer's shape.
    pub shape: Shape,
    /// Connections that ask at once.
    pub connections: usize,
}

/// The request's body, before its unique last turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    /// 300 bytes.
    Small,
    /// 124 kB: a coding agent's, with tools and a long history.
    Large,
}

/// How the gateway passes a request on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Byte for byte but for the model's name.
    Passthrough,
    /// From the client's wire to the upstream's and back.
    Translate(Wire, Wire),
}

/// What most translated requests are.
const USUAL: Lane = Lane::Translate(Wire::Anthropic, Wire::Chat);

/// The other wires, with a small body and a stream.
const OTHERS: [Lane; 5] = [
    Lane::Translate(Wire::Responses, Wire::Chat),
    Lane::Translate(Wire::Gemini, Wire::Chat),
    Lane::Translate(Wire::Anthropic, Wire::Responses),
    Lane::Translate(Wire::Anthropic, Wire::Gemini),
    Lane::Translate(Wire::Chat, Wire::Anthropic),
];

/// The answer's shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// One JSON body.
    Json,
    /// [`answers::EVENTS`] events, each sent by itself.
    Stream,
}

/// Every case, the quick ones first.
pub(crate) fn all() -> Vec<Case> {
    let mut cases = Vec::new();
    for connections in [32, 1] {
        for size in [Size::Small, Size::Large] {
            for lane in [Lane::Passthrough, USUAL] {
                for shape in [Shape::Json, Shape::Stream] {
                    cases.push(Case {
                        size,
                        lane,
                        shape,
                        connections,
                    });
                }
            }
        }
    }
    cases.extend(OTHERS.map(|lane| Case {
        size: Size::Small,
        lane,
        shape: Shape::Stream,
        connections: 32,
    }));
    cases
}

impl Case {
    /// As it is called in the report.
    pub(crate) fn name(&self) -> String {
        format!("{}, {} connection(s)", self.exchange(), self.connections)
    }

    /// Its name without the connections.
    pub(crate) fn exchange(&self) -> String {
        let size = match self.size {
            Size::Small => "300 B",
            Size::Large => "124 kB",
        };
        let lane = match self.lane {
            Lane::Passthrough => "passthrough".to_owned(),
            USUAL => "translated".to_owned(),
            Lane::Translate(client, upstream) => {
                format!("{} to {}", client.name(), upstream.name())
            }
        };
        let shape = match self.shape {
            Shape::Json => "JSON",
            Shape::Stream => "stream",
        };
        format!("{size} {shape} {lane}")
    }

    /// The most CPU per request that is aimed at, as a multiple of the bare forwarder's.
    pub(crate) fn target(&self) -> Option<f64> {
        match (self.size, self.lane, self.shape, self.connections) {
            (Size::Small, USUAL, Shape::Json, 32) => Some(1.6),
            (Size::Large, Lane::Passthrough, Shape::Json, 32) => Some(2.5),
            (Size::Large, USUAL, Shape::Json, 32) => Some(3.6),
            (Size::Small, USUAL, Shape::Stream, 32) => Some(1.35),
            _ => None,
        }
    }

    /// Whether it is what a coding agent asks most: a long conversation, and a stream for an answer.
    pub(crate) fn is_agents_stream(&self) -> bool {
        self.size == Size::Large && self.shape == Shape::Stream
    }

    /// What is asked.
    pub(crate) fn question(&self) -> anyhow::Result<Question> {
        let body = match self.size {
            Size::Small => SMALL,
            Size::Large => LARGE,
        };
        let (client, upstream) = self.lane.wires();
        let provider = match self.lane {
            Lane::Passthrough => "same",
            Lane::Translate(..) => upstream.name(),
        };
        let model = format!("bench-{provider}/bench-model");
        Question::new(body, client, &model, self.shape == Shape::Stream)
    }

    /// What the upstream answers.
    pub(crate) fn answer(&self) -> Answer {
        let (_, upstream) = self.lane.wires();
        match (upstream, self.shape) {
            (Wire::Anthropic, Shape::Json) => answers::anthropic_json(),
            (_, Shape::Json) => answers::chat_json(),
            (Wire::Anthropic, Shape::Stream) => answers::anthropic_stream(),
            (Wire::Chat, Shape::Stream) => answers::chat_stream(),
            (Wire::Responses, Shape::Stream) => answers::responses_stream(),
            (Wire::Gemini, Shape::Stream) => answers::gemini_stream(),
        }
    }
}

impl Lane {
    /// Whether it is how most translated requests go.
    pub(crate) fn is_usual(self) -> bool {
        self == USUAL
    }

    /// The client's and the upstream's.
    const fn wires(self) -> (Wire, Wire) {
        match self {
            Self::Passthrough => (Wire::Anthropic, Wire::Anthropic),
            Self::Translate(client, upstream) => (client, upstream),
        }
    }
}
