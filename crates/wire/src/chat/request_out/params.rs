//! Everything that is not conversation.

use bytestring::ByteString;

use crate::Wire;
use crate::json::{Kind, Text, scan_reply};
use crate::turn::OutputFormat;

use super::super::READ;
use super::super::dialect::{CacheSpelling, MaxTokens};
use super::Out;
use super::thinking;

/// How many stop sequences the wire takes.
const MAX_STOP: usize = 4;

/// Written from what the host needs to be asked, whatever the client asked.
const STREAM_OPTIONS: &str = "stream_options";

/// Under these paths stands what is left of the format a client of this wire asks for.
const FORMAT_REST: &str = "response_format.";
const SCHEMA_REST: &str = "response_format.json_schema.";

impl Out<'_> {
    /// Writes the parameters.
    pub(super) fn params(&mut self) {
        self.max_tokens();
        self.sampling();
        self.stop();
        self.format();
        self.thinking();
        self.identity();
        self.cache();
        self.stream();
        self.extra();
        self.host_members();
    }

    fn max_tokens(&mut self) {
        let Some(mut limit) = self.decoded.params.max_tokens else {
            return;
        };
        if limit == 0 && !self.is_same_wire() {
            // Asks for nothing but a warm cache, which other hosts do not know: the least they make is one token.
            self.losses.add("max_tokens");
            limit = 1;
        }
        if matches!(
            self.dialect.max_tokens,
            MaxTokens::MaxTokens | MaxTokens::Both
        ) {
            self.w.key("max_tokens").u64(limit);
        }
        if matches!(
            self.dialect.max_tokens,
            MaxTokens::MaxCompletionTokens | MaxTokens::Both
        ) {
            self.w.key("max_completion_tokens").u64(limit);
        }
    }

    fn sampling(&mut self) {
        let params = &self.decoded.params;
        if let Some(temperature) = &params.temperature {
            self.w.key("temperature").raw(temperature);
        }
        if let Some(top_p) = &params.top_p {
            self.w.key("top_p").raw(top_p);
        }
        match &params.top_k {
            Some(top_k) if self.dialect.has_top_k || self.is_same_wire() => {
                self.w.key("top_k").raw(top_k);
            }
            Some(_) => self.losses.add("top_k"),
            None => {}
        }
        if let Some(seed) = &params.seed {
            self.w.key("seed").raw(seed);
        }
    }

    fn stop(&mut self) {
        let stop = &self.decoded.params.stop;
        // White space alone would end most replies at once, and hosts refuse an empty sequence.
        let (kept, left): (Vec<_>, Vec<_>) = stop
            .iter()
            .enumerate()
            .filter(|(_, sequence)| !sequence.is_empty())
            .partition(|(at, _)| *at < MAX_STOP || self.is_same_wire());
        let member = if self.is_same_wire() {
            "stop"
        } else {
            "stop_sequences"
        };
        for (at, _) in left {
            self.losses.add(format!("{member}[{at}]"));
        }
        if !kept.is_empty() {
            self.w.key("stop").begin_array();
            for (_, sequence) in kept {
                self.w.text(sequence);
            }
            self.w.end_array();
        }
    }

    fn format(&mut self) {
        let params = &self.decoded.params;
        let Some(format) = &params.format else {
            return self.lose_rest(FORMAT_REST);
        };
        self.w.key("response_format").begin_object().key("type");
        match format {
            OutputFormat::JsonSchema {
                name,
                schema,
                strict,
            } if self.dialect.has_json_schema => {
                self.w.str("json_schema").key("json_schema").begin_object();
                let is_same_wire = self.is_same_wire();
                let has_own = |key: &str| {
                    let is_it = |own: &str| own.strip_prefix(SCHEMA_REST) == Some(key);
                    is_same_wire && params.extra.iter().any(|(own, _)| is_it(own))
                };
                if name.is_some() || !has_own("name") {
                    self.w
                        .key("name")
                        .text(name.as_ref().unwrap_or(&Text::from_static("output")));
                }
                let strict = strict.or_else(|| (!is_same_wire).then_some(true));
                if let Some(strict) = strict {
                    self.w.key("strict").bool(strict);
                }
                self.w.key("schema").raw(schema);
                self.write_rest(SCHEMA_REST);
                self.w.end_object();
            }
            // The schema stands in the system prompt.
            OutputFormat::JsonSchema { .. } | OutputFormat::JsonObject => {
                self.w.str("json_object");
                self.lose_rest(SCHEMA_REST);
            }
        }
        self.write_rest(FORMAT_REST);
        self.w.end_object();
    }

    /// Writes what a client of this wire said in an object besides what is read, into the object that is open.
    fn write_rest(&mut self, object: &str) {
        if !self.is_same_wire() {
            return;
        }
        for (key, raw) in &self.decoded.params.extra {
            if let Some(key) = key.strip_prefix(object).filter(|key| !key.contains('.')) {
                self.w.member(key).raw(raw);
            }
        }
    }

    /// Notes it where the object is not written.
    fn lose_rest(&mut self, object: &str) {
        if !self.is_same_wire() {
            return;
        }
        for (key, _) in &self.decoded.params.extra {
            if key.starts_with(object) {
                self.losses.add(key.to_string());
            }
        }
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

    fn cache(&mut self) {
        if let Some(key) = &self.decoded.params.cache_key {
            if self.dialect.has_cache_key {
                self.w.key("prompt_cache_key").text(key);
            } else if self.is_same_wire() {
                self.losses.add("prompt_cache_key");
            }
        }
        match (self.decoded.turn.cache, self.dialect.cache) {
            // OpenAI finds the breakpoint itself unless told otherwise: that is what the hint asks for.
            (None, _) | (Some(_), CacheSpelling::Breakpoint) => {}
            (Some(hint), CacheSpelling::CacheControl) => self.cache_hint(hint),
            (Some(_), CacheSpelling::None) => self.losses.add("cache_control"),
        }
    }

    fn stream(&mut self) {
        let params = &self.decoded.params;
        let is_own =
            |(key, raw): &&(ByteString, ByteString)| *key == STREAM_OPTIONS && *raw != "null";
        let own = params.extra.iter().find(is_own);
        if !params.stream {
            if own.is_some() && self.is_same_wire() {
                self.losses.add(STREAM_OPTIONS);
            }
            return;
        }
        self.w.key("stream").bool(true);
        if self.dialect.asks_usage {
            self.w.key(STREAM_OPTIONS).begin_object();
            self.w.key("include_usage").bool(true);
            if let Some((_, raw)) = own.filter(|_| self.is_same_wire()) {
                self.other_options(raw);
            }
            self.w.end_object();
        } else if let Some((key, raw)) = own.filter(|_| self.is_same_wire()) {
            self.w.member(key).raw(raw);
        }
    }

    /// Writes what the client asks of its stream besides usage.
    fn other_options(&mut self, raw: &ByteString) {
        // What nearly all send has room for nothing else.
        if raw.len() <= r#"{"include_usage": false}"#.len() && raw.contains(r#""include_usage""#) {
            return;
        }
        match scan_reply(raw, &[]) {
            Ok(doc) if doc.root().kind() == Kind::Object => {
                for (key, value) in doc.root().members() {
                    if key != "include_usage" {
                        self.w.member(&key).raw(value.raw());
                    } else if value.bool().is_none() {
                        self.losses.add(format!("{STREAM_OPTIONS}.{key}"));
                    }
                }
            }
            _ => self.losses.add(STREAM_OPTIONS),
        }
    }

    /// The client's own members: sent again on their own wire, lost on this one if they are another's.
    fn extra(&mut self) {
        for (key, raw) in &self.decoded.params.extra {
            if !self.is_same_wire() {
                self.losses.add(key.to_string());
            } else if key.starts_with("messages[") {
                if !self.copies_system() {
                    self.losses.add(key.to_string());
                }
            } else if let Some(rest) = key.strip_prefix("tools[") {
                let at = rest
                    .split(']')
                    .next()
                    .and_then(|at| at.parse::<usize>().ok());
                let tool = at.and_then(|at| self.decoded.turn.tools.get(at));
                if tool.is_none_or(|tool| tool.raw(Wire::Chat).is_none()) {
                    self.losses.add(key.to_string());
                }
            } else if key.starts_with("tool_choice.")
                || key.starts_with("cache_control.")
                // Sent on it would stand beside what a setting or a quirk says.
                || READ.contains(&&**key)
            {
                self.losses.add(key.to_string());
            } else if !key.starts_with(FORMAT_REST)
                && *key != STREAM_OPTIONS
                && !thinking::MEMBERS.contains(&&**key)
            {
                self.w.member(key).raw(raw);
            }
        }
    }

    /// What the host wants to be told in every request.
    fn host_members(&mut self) {
        let params = &self.decoded.params;
        let is_same_wire = self.is_same_wire();
        let is_sent = |name: &str| is_same_wire && params.extra.iter().any(|(key, _)| *key == name);
        for member in self.dialect.members {
            let applies =
                !member.for_streamed_tools || params.stream && !self.decoded.turn.tools.is_empty();
            if applies && !is_sent(member.name) {
                self.w.key(member.name).raw(member.raw);
            }
        }
    }
}
