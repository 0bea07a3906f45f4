//! Everything that is not conversation.

use crate::json::Text;
use crate::turn::OutputFormat;

use super::{Out, rest};

/// The least that this API lets a reply have, in tokens.
const MIN_OUTPUT: u64 = 16;

/// The client's own members that stand before the cache key in Codex's requests.
const EARLY: [&str; 3] = ["store", "include", "service_tier"];

/// Members that are read. One that is left over is of a kind that nobody understands; sent on it would stand beside what a
/// setting or a quirk says.
const READ: [&str; 9] = [
    "max_output_tokens",
    "stream",
    "temperature",
    "top_p",
    "parallel_tool_calls",
    "user",
    "prompt_cache_key",
    "reasoning",
    "text",
];

impl Out<'_> {
    /// Writes the parameters.
    pub(super) fn params(&mut self) {
        self.reasoning();
        self.limits();
        self.sampling();
        if self.is_same_wire() {
            self.own(|key| EARLY.contains(&key));
        } else {
            self.not_stored();
        }
        if let Some(key) = &self.decoded.params.cache_key {
            self.w.key("prompt_cache_key").text(key);
        }
        self.text();
        self.identity();
        if self.is_same_wire() {
            self.own(|key| !EARLY.contains(&key));
            self.lose_rest_of_items();
        } else {
            for (key, raw) in &self.decoded.params.extra {
                if !self.decoded.tells(key, raw) {
                    self.losses.add(key.to_string());
                }
            }
        }
    }

    /// Nothing is kept at the provider for a client that never asked for it; sealed reasoning comes back instead.
    fn not_stored(&mut self) {
        self.w.key("store").bool(false);
        if self.may_think() {
            self.w.key("include").begin_array();
            self.w.str("reasoning.encrypted_content").end_array();
        }
    }

    fn limits(&mut self) {
        let Some(limit) = self.decoded.params.max_tokens else {
            return;
        };
        let least = if self.is_same_wire() { 0 } else { MIN_OUTPUT };
        if limit < least {
            self.losses.add("max_tokens");
        }
        self.w.key("max_output_tokens").u64(limit.max(least));
    }

    fn sampling(&mut self) {
        let params = &self.decoded.params;
        if let Some(temperature) = &params.temperature {
            self.w.key("temperature").raw(temperature);
        }
        if let Some(top_p) = &params.top_p {
            self.w.key("top_p").raw(top_p);
        }
        if params.top_k.is_some() {
            self.losses.add("top_k");
        }
        if params.seed.is_some() {
            self.losses.add("seed");
        }
        for at in 0..params.stop.len() {
            self.losses.add(format!("stop_sequences[{at}]"));
        }
    }

    fn text(&mut self) {
        let params = &self.decoded.params;
        let own: Vec<_> = params
            .extra
            .iter()
            .filter(|_| self.is_same_wire())
            .filter_map(|(key, raw)| Some((key.strip_prefix("text.")?, raw)))
            .collect();
        if own.is_empty() && params.format.is_none() {
            return;
        }
        self.w.key("text").begin_object();
        match &params.format {
            None => {}
            Some(OutputFormat::JsonObject) => {
                self.w.key("format").begin_object();
                self.w.key("type").str("json_object");
            }
            Some(OutputFormat::JsonSchema {
                name,
                schema,
                strict,
            }) => {
                self.w.key("format").begin_object();
                self.w.key("type").str("json_schema");
                if name.is_some() || !own.iter().any(|(key, _)| *key == "format.name") {
                    self.w
                        .key("name")
                        .text(name.as_ref().unwrap_or(&Text::from_static("output")));
                }
                let strict = strict.or_else(|| (!self.is_same_wire()).then_some(true));
                if let Some(strict) = strict {
                    self.w.key("strict").bool(strict);
                }
                self.w.key("schema").raw(schema);
            }
        }
        let (format, others): (Vec<_>, Vec<_>) =
            own.iter().partition(|(key, _)| key.starts_with("format."));
        for (key, raw) in format {
            if params.format.is_some() {
                self.w
                    .member(key.strip_prefix("format.").unwrap_or(key))
                    .raw(raw);
            } else {
                self.losses.add(format!("text.{key}"));
            }
        }
        if params.format.is_some() {
            self.w.end_object();
        }
        for (key, raw) in others {
            self.w.member(key).raw(raw);
        }
        self.w.end_object();
    }

    /// A user's id may be personal data: only a client that names it on this wire itself means the provider to have it.
    fn identity(&mut self) {
        let Some(user) = &self.decoded.params.user else {
            return;
        };
        if self.is_same_wire() {
            self.w.key("user").text(user);
        } else {
            self.losses.add("metadata.user_id");
        }
    }

    /// The client's own members, sent again.
    fn own(&mut self, is_meant: impl Fn(&str) -> bool) {
        for (key, raw) in &self.decoded.params.extra {
            let is_path =
                key.starts_with("reasoning.") || key.starts_with("text.") || rest::is_of_item(key);
            if is_path || !is_meant(key) {
                continue;
            }
            if key.starts_with("tool_choice.") || READ.contains(&&**key) {
                self.losses.add(key.to_string());
            } else {
                self.w.member(key).raw(raw);
            }
        }
    }
}
