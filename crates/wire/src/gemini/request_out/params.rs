//! Parameters: `generationConfig` and the body's other members.

use bytestring::ByteString;

use super::model::{Level, Thinking};
use super::{Out, schema};
use crate::Wire;
use crate::turn::{Effort, OutputFormat, ThinkingMode, ThoughtDisplay, Tool};

/// Most stop sequences that the API takes.
const MAX_STOPS: usize = 5;

/// Most tokens that the API lets a reply have; it refuses more.
const MAX_OUTPUT: u64 = 65_536;

impl Out<'_> {
    /// Writes everything but the conversation and the tools.
    pub(super) fn params(&mut self) {
        let decoded = self.decoded;
        for (key, value) in &decoded.params.extra {
            let is_lost = match key.strip_prefix("systemInstruction.") {
                _ if !self.is_own() => true,
                // No part that is known, or what one says besides its text.
                Some(rest) if rest.starts_with("parts[") => {
                    rest.ends_with(']') || !self.copies_system()
                }
                Some(_) => decoded.turn.system.is_empty(),
                None => false,
            };
            if is_lost {
                if !decoded.tells(key, value) {
                    self.losses.add(key.to_string());
                }
            } else if !key.contains('.') {
                self.w.member(key).raw(value);
            }
        }
        if decoded.params.user.is_some() {
            self.losses.add(match decoded.turn.origin {
                Wire::Anthropic => "metadata.user_id",
                _ => "user",
            });
        }
        self.generation_config();
    }

    fn generation_config(&mut self) {
        let mut inner = crate::json::Writer::default();
        std::mem::swap(&mut self.w, &mut inner);
        self.w.begin_object();
        self.sampling();
        self.limits();
        if let Some(seed) = &self.decoded.params.seed {
            self.w.key("seed").raw(seed);
        }
        self.below("generationConfig.", &["thinkingConfig."]);
        self.format();
        self.thinking();
        self.w.end_object();
        std::mem::swap(&mut self.w, &mut inner);
        let config = String::from_utf8(inner.into_bytes()).unwrap_or_default();
        if config != "{}" {
            self.w.key("generationConfig").raw(&config);
        }
    }

    fn sampling(&mut self) {
        let params = &self.decoded.params;
        for (key, value) in [
            ("temperature", &params.temperature),
            ("topP", &params.top_p),
            ("topK", &params.top_k),
        ] {
            if let Some(value) = value {
                self.w.member(key).raw(value);
            }
        }
    }

    fn limits(&mut self) {
        let params = &self.decoded.params;
        if let Some(most) = params.max_tokens {
            let is_too_many = most > MAX_OUTPUT && !self.is_own();
            if is_too_many {
                self.losses.add("max_tokens");
            }
            let most = if is_too_many { MAX_OUTPUT } else { most };
            self.w.key("maxOutputTokens").u64(most);
        }
        if params.stop.is_empty() {
            return;
        }
        self.w.key("stopSequences").begin_array();
        for (nth, stop) in params.stop.iter().enumerate() {
            if nth < MAX_STOPS || self.is_own() {
                self.w.text(stop);
            } else {
                self.losses.add(format!("stop[{nth}]"));
            }
        }
        self.w.end_array();
    }

    fn format(&mut self) {
        let decoded = self.decoded;
        let Some(format) = &decoded.params.format else {
            return;
        };
        let is_function = |tool: &Tool| !matches!(tool, Tool::Hosted { .. });
        let has_functions = decoded.turn.tools.iter().any(|tool| is_function(tool));
        if has_functions && !self.generation.has_format_with_tools && !self.is_own() {
            // Refused beside tools by these models.
            return self.losses.add("response_format");
        }
        // Another type stays among the other members, for the API to say what is wrong with it.
        let mut own = below(&self.decoded.params.extra, "generationConfig.");
        if !(self.is_own() && own.any(|(key, _)| key == "responseMimeType")) {
            self.w.key("responseMimeType").str("application/json");
        }
        if let OutputFormat::JsonSchema { schema, strict, .. } = format {
            self.w.key("responseJsonSchema");
            if self.is_own() {
                self.w.raw(schema);
                return;
            }
            for keyword in schema::write(schema, &mut self.w) {
                self.losses.add(format!("response_format.schema.{keyword}"));
            }
            if strict.is_some() {
                self.losses.add("response_format.strict");
            }
        }
    }

    fn thinking(&mut self) {
        let params = &self.decoded.params;
        let is_shown = match params.thoughts {
            Some(display) => Some(display == ThoughtDisplay::Shown),
            None if self.is_own() => None,
            None => {
                let is_on = params.thinking.is_some_and(ThinkingMode::is_on)
                    || params.thinking.is_none()
                        && params.effort.is_some_and(|effort| effort > Effort::None);
                is_on.then_some(true)
            }
        };
        let measure = self.measure();
        let rest = "generationConfig.thinkingConfig.";
        let is_asked = is_shown.is_some() || measure.is_some() || self.has_below(rest);
        let cannot_think = self.generation.thinking == Thinking::None && !self.is_own();
        if !is_asked || cannot_think {
            return;
        }
        self.w.key("thinkingConfig").begin_object();
        if let Some(is_shown) = is_shown {
            self.w.key("includeThoughts").bool(is_shown);
        }
        match measure {
            Some(Measure::Budget(tokens)) => {
                self.w.key("thinkingBudget").raw(&tokens.to_string());
            }
            Some(Measure::Level(level)) => {
                self.w.key("thinkingLevel").str(level.name());
            }
            None => {}
        }
        self.below(rest, &[]);
        self.w.end_object();
    }

    /// How much the model is to think, in the terms of its generation; `None` leaves it to the model.
    fn measure(&mut self) -> Option<Measure> {
        let params = &self.decoded.params;
        let mode = params.thinking;
        let effort = params.effort;
        if self.is_own() && mode.is_some() {
            return mode.map(|mode| Measure::Budget(budget_as_asked(mode)));
        }
        match self.generation.thinking {
            Thinking::None => {
                if mode.is_some_and(ThinkingMode::is_on) {
                    self.losses.add("thinking");
                }
                if effort.is_some_and(|effort| effort > Effort::None) {
                    self.losses.add("effort");
                }
                None
            }
            Thinking::Level { lowest, has_medium } => {
                let wanted = match (mode, effort) {
                    (Some(ThinkingMode::Disabled), _) => Level::Minimal,
                    (_, Some(effort)) => level_of(effort),
                    (
                        Some(ThinkingMode::Enabled {
                            budget_tokens: Some(tokens),
                        }),
                        None,
                    ) => level_of_budget(tokens),
                    _ => return None,
                };
                let level = wanted.max(lowest);
                Some(Measure::Level(if level == Level::Medium && !has_medium {
                    Level::High
                } else {
                    level
                }))
            }
            Thinking::Budget { least, most } => {
                let within = |tokens: u64| {
                    Measure::Budget(i64::try_from(tokens.clamp(least.max(1), most)).unwrap_or(-1))
                };
                let off = Measure::Budget(i64::try_from(least).unwrap_or(0));
                Some(match (mode, effort) {
                    (Some(ThinkingMode::Disabled), _) | (None, Some(Effort::None)) => off,
                    (
                        Some(ThinkingMode::Enabled {
                            budget_tokens: Some(tokens),
                        }),
                        _,
                    ) => within(tokens),
                    (_, Some(effort)) => within(budget_of(effort, most)),
                    (Some(_), None) => Measure::Budget(-1),
                    (None, None) => return None,
                })
            }
        }
    }

    /// Writes what is left of an object's members into the object that is open, but for those of the objects in it.
    pub(super) fn below(&mut self, object: &str, inner: &[&str]) {
        let decoded = self.decoded;
        if !self.is_own() {
            return;
        }
        for (key, value) in below(&decoded.params.extra, object) {
            if !inner.iter().any(|inner| key.starts_with(inner)) {
                self.w.member(key).raw(value);
            }
        }
    }

    /// Whether anything is left of an object's members.
    pub(super) fn has_below(&self, object: &str) -> bool {
        self.is_own() && below(&self.decoded.params.extra, object).next().is_some()
    }
}

/// How much a model thinks.
enum Measure {
    /// At most so many tokens; -1 leaves it to the model.
    Budget(i64),
    Level(Level),
}

fn budget_as_asked(mode: ThinkingMode) -> i64 {
    match mode {
        ThinkingMode::Disabled => 0,
        ThinkingMode::Enabled {
            budget_tokens: Some(tokens),
        } => i64::try_from(tokens).unwrap_or(-1),
        ThinkingMode::Enabled { .. } | ThinkingMode::Adaptive => -1,
    }
}

const fn level_of(effort: Effort) -> Level {
    match effort {
        Effort::None | Effort::Minimal => Level::Minimal,
        Effort::Low => Level::Low,
        Effort::Medium => Level::Medium,
        Effort::High | Effort::XHigh | Effort::Max => Level::High,
    }
}

/// The levels that the API's own compatibility layer takes for these budgets.
const fn level_of_budget(tokens: u64) -> Level {
    match tokens {
        0..=1024 => Level::Low,
        1025..=8192 => Level::Medium,
        _ => Level::High,
    }
}

/// The budgets that the API's own compatibility layer takes for these efforts.
const fn budget_of(effort: Effort, most: u64) -> u64 {
    match effort {
        Effort::None | Effort::Minimal | Effort::Low => 1024,
        Effort::Medium => 8192,
        Effort::High => 24_576,
        Effort::XHigh | Effort::Max => most,
    }
}

fn below<'p>(
    extra: &'p [(ByteString, ByteString)],
    object: &str,
) -> impl Iterator<Item = (&'p str, &'p ByteString)> {
    extra
        .iter()
        .filter_map(move |(key, value)| Some((key.strip_prefix(object)?, value)))
}
