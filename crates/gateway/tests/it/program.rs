//! A program on each wire, as far as tests need one: it writes requests, puts answers together the way clients of the wire
//! do, and sends back the history it was given.

use lingate_testkit::client::{Response, post};
use lingate_wire::Wire;
use serde_json::{Value, json};

use crate::harness::accept;

/// A conversation on one wire.
pub(crate) struct Program {
    pub wire: Wire,
    pub is_stream: bool,
    /// What the model is called.
    pub model: String,
    /// Members of the request besides the conversation.
    pub body: Value,
    /// Messages, items or contents.
    pub history: Vec<Value>,
    /// A Chat client that knows no `reasoning_details`, and a Gemini client that is not shown thoughts.
    pub is_plain: bool,
    url: String,
    headers: Vec<(String, String)>,
}

/// What an answer says, whichever wire it came on.
#[derive(Debug, Default)]
pub(crate) struct Said {
    pub status: u16,
    pub lane: String,
    pub text: String,
    pub thinking: String,
    /// Id (empty where the wire has none), name, arguments.
    pub calls: Vec<(String, String, Value)>,
    /// `stop`, `length`, `calls`, or what the wire calls it.
    pub stop: String,
    /// Prompt tokens with the cached ones, cached ones, output tokens with reasoning, reasoning tokens.
    pub usage: [u64; 4],
    /// The message of an error, before the stream or in it.
    pub failure: Option<String>,
    /// The body as received.
    pub raw: String,
}

impl Said {
    pub(crate) fn names(&self) -> Vec<&str> {
        self.calls
            .iter()
            .map(|(_, name, _)| name.as_str())
            .collect()
    }
}

impl Program {
    pub(crate) fn new(url: &str, wire: Wire, is_stream: bool) -> Self {
        let body = match wire {
            Wire::Anthropic => json!({"max_tokens": 4096}),
            Wire::Chat if is_stream => json!({"stream_options": {"include_usage": true}}),
            Wire::Chat | Wire::Gemini => json!({}),
            Wire::Responses => json!({"store": false, "include": ["reasoning.encrypted_content"]}),
        };
        Self {
            wire,
            is_stream,
            model: "m".to_owned(),
            body,
            history: Vec::new(),
            is_plain: false,
            url: url.to_owned(),
            headers: Vec::new(),
        }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The user says something.
    pub(crate) fn user(mut self, text: &str) -> Self {
        self.say(text);
        self
    }

    pub(crate) fn say(&mut self, text: &str) {
        self.history.push(match self.wire {
            Wire::Gemini => json!({"role": "user", "parts": [{"text": text}]}),
            Wire::Anthropic | Wire::Chat => json!({"role": "user", "content": text}),
            Wire::Responses => {
                json!({"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]})
            }
        });
    }

    /// The user shows a picture and a document, both in base64.
    pub(crate) fn shows(mut self, png: &str, pdf: &str) -> Self {
        let (png_url, pdf_url) = (
            format!("data:image/png;base64,{png}"),
            format!("data:application/pdf;base64,{pdf}"),
        );
        self.history.push(match self.wire {
            Wire::Anthropic => json!({"role": "user", "content": [
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": png}},
                {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": pdf}},
                {"type": "text", "text": "Compare."},
            ]}),
            Wire::Chat => json!({"role": "user", "content": [
                {"type": "image_url", "image_url": {"url": png_url}},
                {"type": "file", "file": {"filename": "a.pdf", "file_data": pdf_url}},
                {"type": "text", "text": "Compare."},
            ]}),
            Wire::Responses => json!({"type": "message", "role": "user", "content": [
                {"type": "input_image", "image_url": png_url},
                {"type": "input_file", "filename": "a.pdf", "file_data": pdf_url},
                {"type": "input_text", "text": "Compare."},
            ]}),
            Wire::Gemini => json!({"role": "user", "parts": [
                {"inlineData": {"mimeType": "image/png", "data": png}},
                {"inlineData": {"mimeType": "application/pdf", "data": pdf}},
                {"text": "Compare."},
            ]}),
        });
        self
    }

    /// Offers tools with one parameter, `path`.
    pub(crate) fn tools(mut self, names: &[&str]) -> Self {
        let schema = json!({"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]});
        let tools: Vec<Value> = names
            .iter()
            .map(|name| match self.wire {
                Wire::Anthropic => json!({"name": name, "description": "d", "input_schema": schema}),
                Wire::Chat => {
                    json!({"type": "function", "function": {"name": name, "description": "d", "parameters": schema}})
                }
                Wire::Responses => {
                    json!({"type": "function", "name": name, "description": "d", "parameters": schema, "strict": false})
                }
                Wire::Gemini => json!({"name": name, "description": "d", "parametersJsonSchema": schema}),
            })
            .collect();
        self.body["tools"] = match self.wire {
            Wire::Gemini => json!([{"functionDeclarations": tools}]),
            Wire::Anthropic | Wire::Chat | Wire::Responses => tools.into(),
        };
        self
    }

    /// Asks for thinking, and to be shown it.
    pub(crate) fn thinks(mut self) -> Self {
        match self.wire {
            Wire::Anthropic => {
                self.body["thinking"] = json!({"type": "enabled", "budget_tokens": 1024})
            }
            Wire::Chat => self.body["reasoning_effort"] = "high".into(),
            Wire::Responses => {
                self.body["reasoning"] = json!({"effort": "high", "summary": "auto"})
            }
            Wire::Gemini => {
                self.body["generationConfig"]["thinkingConfig"] =
                    json!({"includeThoughts": true, "thinkingBudget": 1024});
            }
        }
        self
    }

    /// Asks for an answer of this schema.
    pub(crate) fn format(mut self, schema: &Value) -> Self {
        match self.wire {
            Wire::Anthropic => {
                self.body["output_config"] =
                    json!({"format": {"type": "json_schema", "schema": schema}});
            }
            Wire::Chat => {
                self.body["response_format"] = json!({"type": "json_schema", "json_schema": {"name": "city", "schema": schema}});
            }
            Wire::Responses => {
                self.body["text"] =
                    json!({"format": {"type": "json_schema", "name": "city", "schema": schema}});
            }
            Wire::Gemini => {
                self.body["generationConfig"]["responseMimeType"] = "application/json".into();
                self.body["generationConfig"]["responseJsonSchema"] = schema.clone();
            }
        }
        self
    }

    /// Answers the calls of an answer, in order.
    pub(crate) fn results(&mut self, said: &Said, texts: &[&str]) {
        let mut parts = Vec::new();
        for ((id, name, _), text) in said.calls.iter().zip(texts) {
            match self.wire {
                Wire::Anthropic => {
                    parts.push(json!({"type": "tool_result", "tool_use_id": id, "content": text}));
                }
                Wire::Chat => {
                    self.history
                        .push(json!({"role": "tool", "tool_call_id": id, "content": text}));
                }
                Wire::Responses => self
                    .history
                    .push(json!({"type": "function_call_output", "call_id": id, "output": text})),
                Wire::Gemini => {
                    let mut response = json!({"name": name, "response": {"output": text}});
                    if !id.is_empty() {
                        response["id"] = id.as_str().into();
                    }
                    parts.push(json!({"functionResponse": response}));
                }
            }
        }
        match self.wire {
            Wire::Anthropic => self.history.push(json!({"role": "user", "content": parts})),
            Wire::Gemini => self.history.push(json!({"role": "user", "parts": parts})),
            Wire::Chat | Wire::Responses => {}
        }
    }

    /// The path and body of the next request.
    pub(crate) fn request(&self) -> (String, Value) {
        let mut body = self.body.clone();
        let (path, member) = match self.wire {
            Wire::Anthropic => ("/v1/messages".to_owned(), "messages"),
            Wire::Chat => ("/v1/chat/completions".to_owned(), "messages"),
            Wire::Responses => ("/v1/responses".to_owned(), "input"),
            Wire::Gemini => {
                let method = match self.is_stream {
                    true => "streamGenerateContent?alt=sse",
                    false => "generateContent",
                };
                (
                    format!("/v1beta/models/{}:{method}", self.model),
                    "contents",
                )
            }
        };
        body[member] = self.history.clone().into();
        if self.wire != Wire::Gemini {
            body["model"] = self.model.as_str().into();
            body["stream"] = self.is_stream.into();
        }
        (path, body)
    }

    /// Sends the conversation, and takes the answer into it.
    pub(crate) async fn ask(&mut self) -> Said {
        let (path, body) = self.request();
        let mut request = post(&format!("{}{path}", self.url), &body);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let (said, answer) = self.read(request.send().await).await;
        self.keep(&answer);
        said
    }

    async fn read(&self, response: Response) -> (Said, Value) {
        let mut said = Said {
            status: response.status,
            lane: response.header("x-lingate-lane").to_owned(),
            ..Said::default()
        };
        let is_sse = response
            .header("content-type")
            .starts_with("text/event-stream");
        said.raw = response.text().await;
        let answer = if is_sse {
            // What is copied of an upstream's own stream keeps its looks.
            if said.lane == "translated" && !said.raw.contains("scripted-") {
                accept(self.wire, &said.raw);
            }
            assembled(self.wire, &said.raw)
        } else {
            serde_json::from_str(&said.raw).unwrap_or_else(|error| panic!("{error}: {}", said.raw))
        };
        let error = &answer["error"];
        if let Some(message) = error["message"].as_str() {
            said.failure = Some(message.to_owned());
        }
        match self.wire {
            Wire::Anthropic => anthropic(&answer, &mut said),
            Wire::Chat => chat(&answer, &mut said),
            Wire::Responses => responses(&answer, &mut said),
            Wire::Gemini => gemini(&answer, &mut said),
        }
        (said, answer)
    }

    /// The answer as the client sends it back.
    fn keep(&mut self, answer: &Value) {
        match self.wire {
            Wire::Anthropic if answer["content"].is_array() => {
                self.history
                    .push(json!({"role": "assistant", "content": answer["content"]}));
            }
            Wire::Chat if answer["choices"][0]["message"].is_object() => {
                let mut message = answer["choices"][0]["message"].clone();
                if self.is_plain {
                    let members = message.as_object_mut().unwrap();
                    members.retain(|name, _| matches!(&**name, "role" | "content" | "tool_calls"));
                }
                self.history.push(message);
            }
            Wire::Responses => self.history.extend(list(&answer["output"]).iter().cloned()),
            Wire::Gemini => {
                let mut content = answer["candidates"][0]["content"].clone();
                // Its own CLI leaves thoughts out of the history.
                if let Some(parts) = content["parts"].as_array_mut() {
                    parts.retain(|part| part["thought"] != true);
                    self.history.push(content);
                }
            }
            Wire::Anthropic | Wire::Chat => {}
        }
    }
}

fn anthropic(answer: &Value, said: &mut Said) {
    for block in list(&answer["content"]) {
        match block["type"].as_str() {
            Some("text") => said.text += word(&block["text"]),
            Some("thinking") => said.thinking += word(&block["thinking"]),
            Some("tool_use") => said.calls.push((
                word(&block["id"]).to_owned(),
                word(&block["name"]).to_owned(),
                block["input"].clone(),
            )),
            _ => {}
        }
    }
    said.stop = match word(&answer["stop_reason"]) {
        "end_turn" => "stop",
        "max_tokens" => "length",
        "tool_use" => "calls",
        other => other,
    }
    .to_owned();
    let usage = &answer["usage"];
    let count = |key: &str| usage[key].as_u64().unwrap_or(0);
    let cached = count("cache_read_input_tokens");
    let prompt = count("input_tokens") + cached + count("cache_creation_input_tokens");
    said.usage = [prompt, cached, count("output_tokens"), 0];
}

fn chat(answer: &Value, said: &mut Said) {
    let choice = &answer["choices"][0];
    let message = &choice["message"];
    said.text = word(&message["content"]).to_owned();
    said.thinking = word(&message["reasoning_content"]).to_owned();
    for call in list(&message["tool_calls"]) {
        let function = &call["function"];
        said.calls.push((
            word(&call["id"]).to_owned(),
            word(&function["name"]).to_owned(),
            parsed(&function["arguments"]),
        ));
    }
    said.stop = match word(&choice["finish_reason"]) {
        "tool_calls" => "calls",
        other => other,
    }
    .to_owned();
    let usage = &answer["usage"];
    let count = |value: &Value| value.as_u64().unwrap_or(0);
    said.usage = [
        count(&usage["prompt_tokens"]),
        count(&usage["prompt_tokens_details"]["cached_tokens"]),
        count(&usage["completion_tokens"]),
        count(&usage["completion_tokens_details"]["reasoning_tokens"]),
    ];
}

fn responses(answer: &Value, said: &mut Said) {
    for item in list(&answer["output"]) {
        match item["type"].as_str() {
            Some("message") => {
                for part in list(&item["content"]) {
                    said.text += word(&part["text"]);
                }
            }
            Some("reasoning") => {
                for part in list(&item["summary"]).iter().chain(list(&item["content"])) {
                    said.thinking += word(&part["text"]);
                }
            }
            Some("function_call") => said.calls.push((
                word(&item["call_id"]).to_owned(),
                word(&item["name"]).to_owned(),
                parsed(&item["arguments"]),
            )),
            _ => {}
        }
    }
    said.stop = match (
        word(&answer["status"]),
        word(&answer["incomplete_details"]["reason"]),
    ) {
        ("completed", _) if said.calls.is_empty() => "stop",
        ("completed", _) => "calls",
        ("incomplete", "max_output_tokens") => "length",
        (other, _) => other,
    }
    .to_owned();
    let usage = &answer["usage"];
    let count = |value: &Value| value.as_u64().unwrap_or(0);
    said.usage = [
        count(&usage["input_tokens"]),
        count(&usage["input_tokens_details"]["cached_tokens"]),
        count(&usage["output_tokens"]),
        count(&usage["output_tokens_details"]["reasoning_tokens"]),
    ];
}

fn gemini(answer: &Value, said: &mut Said) {
    let candidate = &answer["candidates"][0];
    for part in list(&candidate["content"]["parts"]) {
        let call = &part["functionCall"];
        if call.is_object() {
            said.calls.push((
                word(&call["id"]).to_owned(),
                word(&call["name"]).to_owned(),
                call["args"].clone(),
            ));
        } else if part["thought"] == true {
            said.thinking += word(&part["text"]);
        } else {
            said.text += word(&part["text"]);
        }
    }
    said.stop = match word(&candidate["finishReason"]) {
        "STOP" if said.calls.is_empty() => "stop",
        "STOP" => "calls",
        "MAX_TOKENS" => "length",
        other => other,
    }
    .to_owned();
    let usage = &answer["usageMetadata"];
    let count = |key: &str| usage[key].as_u64().unwrap_or(0);
    let thoughts = count("thoughtsTokenCount");
    said.usage = [
        count("promptTokenCount"),
        count("cachedContentTokenCount"),
        count("candidatesTokenCount") + thoughts,
        thoughts,
    ];
}

/// A stream as the whole answer that a client makes of it; an error event becomes its `error`.
fn assembled(wire: Wire, stream: &str) -> Value {
    let stream = stream.replace("\r\n", "\n");
    let data = stream.lines().filter_map(|line| line.strip_prefix("data:"));
    let events = data.filter_map(|data| serde_json::from_str::<Value>(data.trim()).ok());
    let mut whole = json!({});
    for event in events {
        match wire {
            Wire::Anthropic => add_anthropic(&mut whole, &event),
            Wire::Chat => add_chat(&mut whole, &event),
            Wire::Responses => match event["type"].as_str() {
                Some("error") => whole["error"] = event.clone(),
                _ if event["response"].is_object() => whole = event["response"].clone(),
                _ => {}
            },
            Wire::Gemini => add_gemini(&mut whole, event),
        }
    }
    whole
}

fn add_anthropic(whole: &mut Value, event: &Value) {
    let index = usize::try_from(event["index"].as_u64().unwrap_or(0)).unwrap();
    match event["type"].as_str() {
        Some("message_start") => *whole = event["message"].clone(),
        Some("content_block_start") => {
            let blocks = whole["content"].as_array_mut().unwrap();
            assert_eq!(blocks.len(), index);
            blocks.push(event["content_block"].clone());
        }
        Some("content_block_delta") => {
            let block = &mut whole["content"][index];
            let delta = &event["delta"];
            for (member, of) in [
                ("text", "text"),
                ("thinking", "thinking"),
                ("signature", "signature"),
                ("partial_json", "json"),
            ] {
                if let Some(piece) = delta[member].as_str() {
                    let so_far = format!("{}{piece}", word(&block[of]));
                    block[of] = so_far.into();
                }
            }
        }
        Some("content_block_stop") => {
            let block = &mut whole["content"][index];
            if let Some(json) = block.as_object_mut().unwrap().remove("json") {
                block["input"] = parsed(&json);
            }
        }
        Some("message_delta") => {
            whole["stop_reason"] = event["delta"]["stop_reason"].clone();
            for (key, value) in event["usage"].as_object().unwrap() {
                whole["usage"][key] = value.clone();
            }
        }
        Some("error") => whole["error"] = event["error"].clone(),
        _ => {}
    }
}

fn add_chat(whole: &mut Value, chunk: &Value) {
    if chunk["error"].is_object() {
        whole["error"] = chunk["error"].clone();
    }
    if chunk["usage"].is_object() {
        whole["usage"] = chunk["usage"].clone();
    }
    let choice = &chunk["choices"][0];
    let Some(delta) = choice["delta"].as_object() else {
        return;
    };
    if whole["choices"].is_null() {
        whole["choices"] = json!([{}]);
    }
    let own = &mut whole["choices"][0];
    let message = &mut own["message"];
    for (key, value) in delta {
        match key.as_str() {
            "content" | "reasoning_content" => {
                if let Some(piece) = value.as_str() {
                    message[key] = format!("{}{piece}", word(&message[key])).into();
                }
            }
            "function_call" => {
                let call = value.as_object().unwrap();
                for (key, piece) in call {
                    let own = &mut message["function_call"][key];
                    *own = format!("{}{}", word(own), word(piece)).into();
                }
            }
            "reasoning_details" => {
                if message[key].is_null() {
                    message[key] = json!([]);
                }
                message[key]
                    .as_array_mut()
                    .unwrap()
                    .extend(list(value).iter().cloned());
            }
            "tool_calls" => {
                if message[key].is_null() {
                    message[key] = json!([]);
                }
                for piece in list(value) {
                    let at = usize::try_from(piece["index"].as_u64().unwrap()).unwrap();
                    let calls = message[key].as_array_mut().unwrap();
                    if calls.len() == at {
                        calls.push(piece.clone());
                        calls[at].as_object_mut().unwrap().remove("index");
                    } else {
                        let so_far = word(&calls[at]["function"]["arguments"]).to_owned();
                        calls[at]["function"]["arguments"] =
                            (so_far + word(&piece["function"]["arguments"])).into();
                    }
                }
            }
            _ => message[key] = value.clone(),
        }
    }
    if choice["finish_reason"].is_string() {
        own["finish_reason"] = choice["finish_reason"].clone();
    }
}

fn add_gemini(whole: &mut Value, mut chunk: Value) {
    if whole["candidates"].is_null() {
        *whole = chunk;
        return;
    }
    if chunk["error"].is_object() {
        whole["error"] = chunk["error"].take();
        return;
    }
    whole["usageMetadata"] = chunk["usageMetadata"].take();
    let candidate = chunk["candidates"][0].take();
    let own = &mut whole["candidates"][0];
    if let Some(reason) = candidate["finishReason"].as_str() {
        own["finishReason"] = reason.into();
    }
    let parts = own["content"]["parts"].as_array_mut().unwrap();
    for part in list(&candidate["content"]["parts"]) {
        let is_plain =
            |part: &Value| part["text"].is_string() && part["thoughtSignature"].is_null();
        match parts.last_mut() {
            Some(last)
                if is_plain(last) && is_plain(part) && last["thought"] == part["thought"] =>
            {
                last["text"] = format!("{}{}", word(&last["text"]), word(&part["text"])).into();
            }
            _ => parts.push(part.clone()),
        }
    }
}

/// Arguments; what is no JSON stays a string.
fn parsed(value: &Value) -> Value {
    let text = word(value);
    serde_json::from_str(if text.is_empty() { "{}" } else { text })
        .unwrap_or_else(|_| value.clone())
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}
