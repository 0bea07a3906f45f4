//! Parameters.

use bytestring::ByteString;

use super::Encoder;
use crate::Wire;
use crate::codec::is_told;
use crate::turn::{Effort, OutputFormat, Params, ThinkingMode, Tool, ToolChoice, Turn};

/// The output limit where the client sets none: this API asks for one, and agents need room for whole files.
const DEFAULT_MAX_TOKENS: u64 = 32_000;

/// The least that a thinking budget may be.
const MIN_BUDGET: u64 = 1024;

/// Objects whose members are parameters of the hub, so that what is left of them is in `extra` by path.
const OBJECTS: [&str; 7] = [
    "thinking.",
    "output_config.",
    "output_format.",
    "tool_choice.",
    "metadata.",
    "cache_control.",
    "system[",
];

impl Encoder<'_> {
    /// Writes everything but the conversation. `has_lost_thinking`: the tool loop under way has lost its thinking.
    pub(super) fn params(&mut self, turn: &Turn, params: &Params, has_lost_thinking: bool) {
        self.tool_choice(turn, params);
        self.metadata(params);
        // A limit that is no count stays among the others, for the API to say what is wrong with it.
        if !(self.is_own && params.extra.iter().any(|(key, _)| *key == "max_tokens")) {
            self.json
                .key("max_tokens")
                .u64(params.max_tokens.unwrap_or(DEFAULT_MAX_TOKENS));
        }
        self.thinking_mode(params, has_lost_thinking);
        self.others(turn, params);
        self.output_config(params);
        self.stop_sequences(params);
        self.sampling(params);
        if turn.cache.is_some() {
            self.json
                .key("cache_control")
                .begin_object()
                .key("type")
                .str("ephemeral");
            if turn.cache == Some(crate::turn::CacheHint::OneHour) {
                self.json.key("ttl").str("1h");
            }
            self.below(params, "cache_control.", |_| true);
            self.json.end_object();
        }
        if params.stream {
            self.json.key("stream").bool(true);
        }
    }

    fn tool_choice(&mut self, turn: &Turn, params: &Params) {
        let is_sayable = |tool: &Tool| match tool {
            Tool::Hosted { declaration, .. } => declaration.wire == Wire::Anthropic,
            Tool::Function { .. } | Tool::Freeform { .. } => true,
        };
        let is_serial = params.parallel_tool_calls == Some(false);
        let choice = match &params.tool_choice {
            Some(choice) => choice,
            None if is_serial => &ToolChoice::Auto,
            None => return,
        };
        if !turn.tools.iter().any(|tool| is_sayable(tool)) {
            // Without tools there is nothing to choose from, and the API says so with an error.
            let is_demand =
                |choice: &ToolChoice| !matches!(choice, ToolChoice::Auto | ToolChoice::None);
            if params.tool_choice.as_ref().is_some_and(is_demand)
                || self.has_below(params, "tool_choice.")
            {
                self.losses.add("tool_choice");
            }
            return;
        }
        self.json.key("tool_choice").begin_object().key("type");
        match choice {
            ToolChoice::Auto => self.json.str("auto"),
            ToolChoice::Required => self.json.str("any"),
            ToolChoice::None => self.json.str("none"),
            ToolChoice::Tool(name) => self.json.str("tool").key("name").text(name),
            ToolChoice::Among { names, is_required } => match &**names {
                [name] if *is_required => self.json.str("tool").key("name").text(name),
                _ => {
                    // This API chooses among all tools or calls for one.
                    self.losses.add("tool_choice.tools");
                    self.json.str(if *is_required { "any" } else { "auto" })
                }
            },
        };
        if is_serial && (self.is_own || *choice != ToolChoice::None) {
            self.json.key("disable_parallel_tool_use").bool(true);
        }
        self.below(params, "tool_choice.", |_| true);
        self.json.end_object();
    }

    /// Some upstreams keep their prompt cache by the user's id, so a cache key stands in for it.
    fn metadata(&mut self, params: &Params) {
        if let (Some(_), Some(_)) = (&params.user, &params.cache_key) {
            self.losses.add("prompt_cache_key");
        }
        let user = params.user.as_ref().or(params.cache_key.as_ref());
        if user.is_none() && !self.has_below(params, "metadata.") {
            return;
        }
        self.json.key("metadata").begin_object();
        if let Some(user) = user {
            self.json.key("user_id").text(user);
        }
        self.below(params, "metadata.", |_| true);
        self.json.end_object();
    }

    fn thinking_mode(&mut self, params: &Params, has_lost_thinking: bool) {
        // A client of another wire asks by effort alone.
        let effort = params
            .effort
            .filter(|_| !self.is_own)
            .map(|effort| match effort {
                Effort::None => ThinkingMode::Disabled,
                _ => ThinkingMode::Adaptive,
            });
        let Some(mut mode) = params.thinking.or(effort) else {
            self.lose_below(params, "thinking.");
            return;
        };
        // With a budget the API wants a tool loop to begin with its thinking; where that is gone, thinking waits for the
        // next turn.
        if has_lost_thinking && matches!(mode, ThinkingMode::Enabled { .. }) {
            self.losses.add("thinking");
            mode = ThinkingMode::Disabled;
        }
        self.json.key("thinking").begin_object();
        match mode {
            ThinkingMode::Enabled { budget_tokens } => {
                self.json.key("type").str("enabled");
                let is_other = self.has_below(params, "thinking.budget_tokens");
                if budget_tokens.is_some() || !is_other {
                    let budget = budget_tokens
                        .unwrap_or_else(|| params.max_tokens.unwrap_or(DEFAULT_MAX_TOKENS) / 2);
                    self.json.key("budget_tokens").u64(budget.max(MIN_BUDGET));
                }
                self.below(params, "thinking.", |key| match key {
                    "type" => false,
                    "budget_tokens" => budget_tokens.is_none(),
                    _ => true,
                });
            }
            ThinkingMode::Adaptive => {
                if !self.has_below(params, "thinking.type") {
                    self.json.key("type").str("adaptive");
                }
                self.below(params, "thinking.", |_| true);
            }
            ThinkingMode::Disabled => {
                self.json.key("type").str("disabled");
                // Said of thoughts: a host refuses it where there are none, and a stage may have switched them off.
                self.lose_below(params, "thinking.");
            }
        }
        self.json.end_object();
    }

    fn output_config(&mut self, params: &Params) {
        let effort = params
            .effort
            .filter(|effort| self.is_own || *effort != Effort::None);
        let schema = match &params.format {
            Some(OutputFormat::JsonSchema {
                name,
                schema,
                strict,
            }) => {
                if strict.is_some() && !self.is_own {
                    self.losses.add("response_format.json_schema.strict");
                }
                Some((name, schema))
            }
            Some(OutputFormat::JsonObject) | None => None,
        };
        if schema.is_none() {
            self.lose_below(params, "output_config.format.");
            self.lose_below(params, "output_format.");
        }
        let mut others = below(&params.extra, "output_config.");
        let has_others = self.is_own && others.any(|(key, _)| !key.starts_with("format."));
        if effort.is_none() && schema.is_none() && !has_others {
            return;
        }
        self.json.key("output_config").begin_object();
        if let Some(effort) = effort {
            let name = match effort {
                Effort::Minimal => Effort::Low.name(),
                other => other.name(),
            };
            self.json.key("effort").str(name);
        }
        if let Some((name, schema)) = schema {
            self.json.key("format").begin_object();
            self.json.key("type").str("json_schema");
            // A label: the wire has none, and some of its hosts do.
            if let Some(name) = name.as_ref().filter(|_| self.is_own) {
                self.json.key("name").text(name);
            }
            self.json.key("schema").raw(schema);
            self.below(params, "output_config.format.", |_| true);
            self.below(params, "output_format.", |_| true);
            self.json.end_object();
        }
        self.below(params, "output_config.", |key| !key.starts_with("format."));
        self.json.end_object();
    }

    fn stop_sequences(&mut self, params: &Params) {
        if params.stop.is_empty() {
            return;
        }
        self.json.key("stop_sequences").begin_array();
        for (nth, stop) in params.stop.iter().enumerate() {
            // The API refuses white space as a stop sequence.
            if !self.is_own && stop.is_blank() {
                self.losses.add(format!("stop[{nth}]"));
            } else {
                self.json.text(stop);
            }
        }
        self.json.end_array();
    }

    fn sampling(&mut self, params: &Params) {
        for (key, value) in [
            ("temperature", &params.temperature),
            ("top_p", &params.top_p),
            ("top_k", &params.top_k),
        ] {
            let Some(value) = value else { continue };
            // Other wires go up to 2.
            let is_too_high = key == "temperature"
                && !self.is_own
                && value.parse::<f64>().is_ok_and(|value| value > 1.0);
            if is_too_high {
                self.losses.add(key);
            }
            self.json
                .key(key)
                .raw(if is_too_high { "1" } else { value });
        }
    }

    /// The body's other members: copied on this wire, lost from another.
    fn others(&mut self, turn: &Turn, params: &Params) {
        if params.seed.is_some() {
            self.losses.add("seed");
        }
        for (key, value) in &params.extra {
            if !self.is_own {
                if !is_told(turn.origin, key, value) {
                    self.losses.add(key.to_string());
                }
            } else if key.starts_with("system[") {
                let nth = key
                    .strip_prefix("system[")
                    .and_then(|rest| rest.split_once(']')?.0.parse::<usize>().ok());
                let block = nth.and_then(|nth| turn.system.get(nth));
                if block.is_none_or(|block| block.raw(Wire::Anthropic).is_none()) {
                    self.losses.add(key.to_string());
                }
            } else if !OBJECTS.iter().any(|object| key.starts_with(object)) {
                self.json.member(key).raw(value);
            }
        }
    }

    /// Writes what is left of an object's members, those that are meant, into the object that is open.
    fn below(&mut self, params: &Params, object: &str, is_meant: impl Fn(&str) -> bool) {
        if self.is_own {
            for (key, value) in below(&params.extra, object).filter(|(key, _)| is_meant(key)) {
                self.json.member(key).raw(value);
            }
        }
    }

    /// Notes what is left of an object's members, where the object is not written or means something else now.
    fn lose_below(&mut self, params: &Params, object: &str) {
        if self.is_own {
            for (key, _) in below(&params.extra, object) {
                self.losses.add(format!("{object}{key}"));
            }
        }
    }

    fn has_below(&self, params: &Params, object: &str) -> bool {
        self.is_own && below(&params.extra, object).next().is_some()
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
