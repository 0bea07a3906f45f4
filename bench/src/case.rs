//! What is measured: bodies, lanes, shapes of answers, and the ratios that are aimed at.

use crate::answers::{self, Answer};
use crate::question::{LARGE, Question, SMALL};

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
    /// Anthropic to Chat and back.
    Translate,
}

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
            for lane in [Lane::Passthrough, Lane::Translate] {
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
            Lane::Passthrough => "passthrough",
            Lane::Translate => "translated",
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
            (Size::Small, Lane::Translate, Shape::Json, 32) => Some(1.6),
            (Size::Large, Lane::Passthrough, Shape::Json, 32) => Some(2.5),
            (Size::Large, Lane::Translate, Shape::Json, 32) => Some(3.6),
            (Size::Small, Lane::Translate, Shape::Stream, 32) => Some(1.35),
            _ => None,
        }
    }

    /// What is asked.
    pub(crate) fn question(&self) -> anyhow::Result<Question> {
        let body = match self.size {
            Size::Small => SMALL,
            Size::Large => LARGE,
        };
        let model = match self.lane {
            Lane::Passthrough => "same/bench-model",
            Lane::Translate => "other/bench-model",
        };
        Question::new(body, model, self.shape == Shape::Stream)
    }

    /// What the upstream answers.
    pub(crate) fn answer(&self) -> Answer {
        match (self.lane, self.shape) {
            (Lane::Passthrough, Shape::Json) => answers::anthropic_json(),
            (Lane::Passthrough, Shape::Stream) => answers::anthropic_stream(),
            (Lane::Translate, Shape::Json) => answers::chat_json(),
            (Lane::Translate, Shape::Stream) => answers::chat_stream(),
        }
    }
}
