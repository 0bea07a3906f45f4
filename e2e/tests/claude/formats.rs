//! Hosts that leave every other family's calls in the text, as the model writes them: Claude Code finishes its work all the same.

use lingate_e2e::{Claude, Gateway, Home, Provider};
use lingate_testkit::{Agent, Answer, Part, Received, Reply, Script, Step, Upstream};
use serde_json::{Value, json};

use crate::expect;

const PROMPT: &str = "Please do the MARKUP task.";
const THOUGHT: &str = "I have to act.";
const ANSWER: &str = "All is written & <done>.";

/// A family's way of writing a reply.
struct Format {
    name: &'static str,
    model: &'static str,
    /// What stands in the way of a reader: markers inside an argument.
    content: &'static str,
    /// A thought, if there is one, a text or calls.
    write: fn(thought: &str, text: &str, calls: &[Call]) -> String,
}

/// A call's name, its arguments, and its number in the conversation.
struct Call {
    name: String,
    arguments: Value,
}

/// What `open-models` reads.
const FORMATS: [Format; 18] = [
    Format {
        name: "Kimi K3",
        model: "kimi-k3",
        content: "first <|open|>think<|sep|> & \"line\"\nsecond\n",
        write: |thought, text, calls| {
            let channel = |name: &str, inner: &str| match inner {
                "" => String::new(),
                inner => format!("<|open|>{name}<|sep|>{inner}<|close|>{name}<|sep|>"),
            };
            let tools = channel("tools", &all(calls, xtml));
            channel("think", thought)
                + &channel("response", text)
                + &tools
                + "<|close|>message<|sep|>"
        },
    },
    Format {
        name: "Kimi K3, opened by the prompt",
        model: "moonshotai/Kimi-K3",
        content: "first\nsecond\n",
        write: |_, text, calls| {
            let tools = all(calls, xtml);
            let open = if tools.is_empty() {
                ""
            } else {
                "<|open|>tools<|sep|>"
            };
            format!("{text}<|close|>response<|sep|>{open}{tools}")
        },
    },
    Format {
        name: "Hermes",
        model: "Hermes-4-70B",
        content: "first </tool_call> line\nsecond\n",
        write: |thought, text, calls| {
            tagged(thought)
                + text
                + &all(calls, |call| {
                    format!("<tool_call>\n{}\n</tool_call>\n", named(call))
                })
        },
    },
    Format {
        name: "Qwen 3, arguments first, in a string, end missing",
        model: "Qwen/Qwen3-32B",
        content: "first <tool_call> line\nsecond\n",
        write: |thought, text, calls| {
            let call = |call: &Call| {
                let arguments = json!({"arguments": call.arguments.to_string(), "name": call.name});
                format!("<tool_call>\n{arguments}")
            };
            tagged(thought) + text + &all(calls, call)
        },
    },
    Format {
        name: "Qwen3-Coder",
        model: "Qwen/Qwen3-Coder-480B-A35B-Instruct",
        content: "first <tool_call> line\n<function=x>second\n",
        write: |_, text, calls| {
            text.to_owned()
                + &all(calls, |call| {
                    format!(
                        "<tool_call>\n{}</tool_call>\n",
                        elements(call, "</parameter>\n")
                    )
                })
        },
    },
    Format {
        name: "Qwen3-Coder, without its wrapper",
        model: "qwen3-coder:30b",
        content: "first\nsecond\n",
        write: |_, text, calls| text.to_owned() + &all(calls, |call| elements(call, "")),
    },
    Format {
        name: "GLM 4.6",
        model: "zai-org/GLM-4.6",
        content: "first <tool_call> & line\nsecond\n",
        write: |thought, text, calls| {
            tagged(thought) + text + &all(calls, |call| arg_keys(call, "\n"))
        },
    },
    Format {
        name: "GLM 4.7",
        model: "glm-4.7",
        content: "first\nsecond\n",
        write: |thought, text, calls| {
            tagged(thought) + text + &all(calls, |call| arg_keys(call, ""))
        },
    },
    Format {
        name: "DeepSeek V3",
        model: "deepseek-ai/DeepSeek-V3-0324",
        content: "first <｜tool▁call▁end｜> line\n```\nsecond\n",
        write: |_, text, calls| {
            text.to_owned()
                + &section(calls, |Call { name, arguments }| {
                    format!("function<｜tool▁sep｜>{name}\n```json\n{arguments}\n```")
                })
        },
    },
    Format {
        name: "DeepSeek V3.1",
        model: "deepseek-ai/DeepSeek-V3.1-Terminus",
        content: "first <｜tool▁calls▁end｜> line\nsecond\n",
        write: |thought, text, calls| {
            tagged(thought)
                + text
                + &section(calls, |Call { name, arguments }| {
                    format!("{name}<｜tool▁sep｜>{arguments}")
                })
        },
    },
    Format {
        name: "DeepSeek V3.2",
        model: "deepseek-v3.2",
        content: "first <｜DSML｜invoke name=\"x\"> line\nsecond\n",
        write: |thought, text, calls| tagged(thought) + text + &dsml(calls, "function_calls"),
    },
    Format {
        name: "DeepSeek V4",
        model: "deepseek-v4-pro",
        content: "first & line\nsecond\n",
        write: |thought, text, calls| tagged(thought) + text + &dsml(calls, "tool_calls"),
    },
    Format {
        name: "MiniMax M2",
        model: "MiniMaxAI/MiniMax-M2",
        content: "first <invoke name=\"x\"> line\nsecond\n",
        write: |thought, text, calls| {
            let calls = all(calls, |call| invoke(call, '"'));
            let calls = match calls.as_str() {
                "" => String::new(),
                calls => format!("<minimax:tool_call>\n{calls}</minimax:tool_call>"),
            };
            tagged(thought) + text + &calls
        },
    },
    Format {
        name: "MiniMax M3, without its wrapper",
        model: "MiniMax-M3",
        content: "first\nsecond\n",
        write: |thought, text, calls| {
            tagged(thought).replace("think>", "mm:think>")
                + text
                + &all(calls, |call| invoke(call, '\''))
        },
    },
    Format {
        name: "harmony",
        model: "openai/gpt-oss-120b",
        content: "first <|call|> line\n<|channel|>final<|message|>second\n",
        write: |thought, text, calls| {
            let call = |Call { name, arguments }: &Call| {
                format!(
                    "<|channel|>commentary to=functions.{name} <|constrain|>json<|message|>{arguments}<|call|>"
                )
            };
            harmony(thought, text, &all(calls, call))
        },
    },
    Format {
        name: "harmony, the recipient before the channel",
        model: "gpt-oss:20b",
        content: "first\nsecond\n",
        write: |thought, text, calls| {
            let call = |Call { name, arguments }: &Call| {
                format!(
                    " to=functions.{name}<|channel|>commentary json<|message|>{arguments}<|call|>"
                )
            };
            harmony(thought, text, &all(calls, call))
        },
    },
    Format {
        name: "harmony, its tokens dropped",
        model: "gpt-oss-20b",
        content: "first assistantfinal line\nsecond }\n",
        write: |thought, text, calls| {
            let thought = match thought {
                "" => String::new(),
                thought => format!("analysis{thought}assistant"),
            };
            let call = |Call { name, arguments }: &Call| {
                format!("commentary to=functions.{name} json{arguments}")
            };
            match text {
                "" => thought + &all(calls, call),
                // At the head nothing tells the channel's name from a word of the answer.
                text if thought.is_empty() => text.to_owned(),
                text => format!("{thought}final{text}"),
            }
        },
    },
    Format {
        name: "Llama 3",
        model: "llama-3.3-70b-versatile",
        content: "first </function> line\nsecond\n",
        write: |_, text, calls| {
            text.to_owned()
                + &all(calls, |Call { name, arguments }| {
                    format!("<function={name}>{arguments}</function>")
                })
        },
    },
];

/// What `open-models` reads behind `implicit-thinking`: the prompt has opened the thoughts.
const OPENED: [Format; 5] = [
    Format {
        name: "Kimi K3, in its thoughts",
        model: "kimi-k3",
        content: "first\nsecond\n",
        write: |thought, text, calls| {
            let close = "<|close|>think<|sep|><|open|>response<|sep|>";
            let tools = all(calls, xtml);
            format!(
                "{thought}{close}{text}<|close|>response<|sep|><|open|>tools<|sep|>{tools}<|close|>tools<|sep|>"
            )
        },
    },
    Format {
        name: "Qwen 3 Thinking",
        model: "Qwen/Qwen3-235B-A22B-Thinking-2507",
        content: "first </tool_call> line\nsecond\n",
        write: |thought, text, calls| {
            let call = |call: &Call| format!("<tool_call>\n{}\n</tool_call>", named(call));
            opened(thought) + text + &all(calls, call)
        },
    },
    Format {
        name: "GLM 4.7 Flash, calling in its thoughts",
        model: "zai-org/GLM-4.7-Flash",
        content: "first\nsecond\n",
        write: |thought, text, calls| match calls {
            [] => opened(thought) + text,
            calls => thought.to_owned() + &all(calls, |call| arg_keys(call, "")),
        },
    },
    Format {
        name: "DeepSeek R1",
        model: "deepseek-ai/DeepSeek-R1-0528",
        content: "first\nsecond\n",
        write: |thought, text, calls| {
            let call = |Call { name, arguments }: &Call| {
                format!("function<｜tool▁sep｜>{name}\n```json\n{arguments}\n```")
            };
            opened(thought) + text + &section(calls, call)
        },
    },
    Format {
        name: "MiniMax M2.1",
        model: "MiniMax-M2.1",
        content: "first\nsecond\n",
        write: |thought, text, calls| {
            opened(thought) + text + &all(calls, |call| invoke(call, '"'))
        },
    },
];

fn all(calls: &[Call], write: impl Fn(&Call) -> String) -> String {
    calls.iter().map(write).collect()
}

fn tagged(thought: &str) -> String {
    match thought {
        "" => String::new(),
        thought => format!("<think>\n{thought}\n</think>\n\n"),
    }
}

/// Thoughts without the tag that opens them.
fn opened(thought: &str) -> String {
    format!("{thought}\n</think>\n\n")
}

/// What raw text stands for a value.
fn raw(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn each(call: &Call, write: impl Fn(&str, &Value) -> String) -> String {
    let arguments = call.arguments.as_object().into_iter().flatten();
    arguments.map(|(key, value)| write(key, value)).collect()
}

fn xtml(call: &Call) -> String {
    let arguments = each(call, |key, value| {
        let kind = match value {
            Value::String(_) => "string",
            Value::Bool(_) => "boolean",
            _ => "number",
        };
        let value = raw(value);
        format!(
            "<|open|>argument key=\"{key}\" type=\"{kind}\"<|sep|>{value}<|close|>argument<|sep|>"
        )
    });
    format!(
        "<|open|>call tool=\"{}\" index=\"1\"<|sep|>{arguments}<|close|>call<|sep|>",
        call.name
    )
}

fn named(call: &Call) -> Value {
    json!({"name": call.name, "arguments": call.arguments})
}

/// Qwen3-Coder's elements, with booleans as Python writes them.
fn elements(call: &Call, end: &str) -> String {
    let parameters = each(call, |key, value| {
        let value = match value {
            Value::Bool(true) => "True".to_owned(),
            Value::Bool(false) => "False".to_owned(),
            value => raw(value),
        };
        format!("<parameter={key}>\n{value}\n{end}")
    });
    format!("<function={}>\n{parameters}</function>\n", call.name)
}

fn arg_keys(call: &Call, line: &str) -> String {
    let arguments = each(call, |key, value| {
        let value = raw(value);
        format!("<arg_key>{key}</arg_key>{line}<arg_value>{value}</arg_value>{line}")
    });
    format!("<tool_call>{}{line}{arguments}</tool_call>", call.name)
}

/// DeepSeek's calls between tokens.
fn section(calls: &[Call], write: impl Fn(&Call) -> String) -> String {
    let calls = all(calls, |call| {
        format!("<｜tool▁call▁begin｜>{}<｜tool▁call▁end｜>", write(call))
    });
    match calls.as_str() {
        "" => String::new(),
        calls => format!("<｜tool▁calls▁begin｜>{calls}<｜tool▁calls▁end｜><｜end▁of▁sentence｜>"),
    }
}

fn dsml(calls: &[Call], wrapper: &str) -> String {
    let call = |call: &Call| {
        let parameters = each(call, |key, value| {
            let (is_string, value) = (value.is_string(), raw(value));
            format!(
                "<｜DSML｜parameter name=\"{key}\" string=\"{is_string}\">{value}</｜DSML｜parameter>\n"
            )
        });
        format!(
            "<｜DSML｜invoke name=\"{}\">\n{parameters}</｜DSML｜invoke>\n",
            call.name
        )
    };
    match all(calls, call).as_str() {
        "" => String::new(),
        calls => format!("\n\n<｜DSML｜{wrapper}>\n{calls}</｜DSML｜{wrapper}>"),
    }
}

fn invoke(call: &Call, quote: char) -> String {
    let parameters = each(call, |key, value| {
        format!(
            "<parameter name={quote}{key}{quote}>{}</parameter>\n",
            raw(value)
        )
    });
    format!(
        "<invoke name={quote}{}{quote}>\n{parameters}</invoke>\n",
        call.name
    )
}

fn harmony(thought: &str, text: &str, calls: &str) -> String {
    let mut said = String::new();
    if !thought.is_empty() {
        said += &format!("<|channel|>analysis<|message|>{thought}<|end|><|start|>assistant");
    }
    match text {
        "" => said + calls,
        text => said + &format!("<|channel|>final<|message|>{text}<|return|>"),
    }
}

/// A host: what the agent does, as this family writes it.
struct Host {
    agent: Agent,
    format: &'static Format,
    refuses: Refuses,
}

/// Whether it takes its own model's call for a mistake, and sends what the model wrote along with the refusal, as Groq does.
#[derive(Clone, Copy, PartialEq)]
enum Refuses {
    Nothing,
    /// With a status.
    Calls,
    /// In the stream, behind text that has gone out already.
    BehindText,
}

/// What is said before a call that is refused in the stream.
const SAID: &str = "I am on it. ";

impl Script for Host {
    fn answer(&self, request: &Received) -> Answer {
        let reply = self.agent.reply(request);
        let (mut thought, mut text, mut calls) = (String::new(), String::new(), Vec::new());
        for part in &reply.parts {
            match part {
                Part::Reasoning(said) => thought += said,
                Part::Text(said) => text += said,
                Part::Call {
                    name, arguments, ..
                } => calls.push(Call {
                    name: name.clone(),
                    arguments: serde_json::from_str(arguments).expect("the agent writes JSON"),
                }),
            }
        }
        if self.refuses != Refuses::Nothing && !calls.is_empty() {
            let is_behind_text = self.refuses == Refuses::BehindText;
            if is_behind_text {
                text = SAID.to_owned();
            }
            let written = (self.format.write)(&thought, &text, &calls);
            let error = json!({ "error": {
                "message": "Failed to call a function. See 'failed_generation' for more details.",
                "type": "invalid_request_error",
                "code": "tool_use_failed",
                "failed_generation": written,
            } });
            if !is_behind_text {
                return Answer::json(400, &error);
            }
            let chunk = json!({ "id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [
                { "index": 0, "delta": { "role": "assistant", "content": SAID }, "finish_reason": null }
            ] });
            return Answer::sse([
                format!("data: {chunk}\n\n"),
                format!("event: error\ndata: {error}\n\n"),
            ]);
        }
        let written = (self.format.write)(&thought, &text, &calls);
        Reply::text(&written).answer(request)
    }
}

fn scenario(home: &Home, content: &str) -> Agent {
    let file = home.project_str("new.txt");
    let steps = [
        Step::call("Write", json!({"file_path": file, "content": content})).thinking(THOUGHT),
        Step::call("Read", json!({"file_path": file, "limit": 2})).thinking(THOUGHT),
        Step::call(
            "Edit",
            json!({"file_path": file, "old_string": "second", "new_string": "2nd – «zweite»", "replace_all": false}),
        ),
        Step::say(ANSWER),
    ];
    Agent::new().on("MARKUP", steps)
}

async fn session(format: &'static Format, groups: &'static [&'static str]) {
    session_at(format, groups, Refuses::Nothing).await;
}

async fn session_at(format: &'static Format, groups: &'static [&'static str], refuses: Refuses) {
    let name = format.name;
    let home = Home::new();
    let agent = scenario(&home, format.content);
    let host = Host {
        agent: agent.clone(),
        format,
        refuses,
    };
    let upstream = Upstream::start(host).await;
    let config = format!(
        "default = \"host/{}\"\nfrom_env = false\n\n[server]\nlisten = \"127.0.0.1:0\"\n\n[providers.host]\n\
         base_url = \"{}\"\nspeaks = [\"chat\"]\napi_key = \"{}\"\nquirks = {groups:?}\n",
        format.model,
        upstream.url(),
        Provider::KEY,
    );
    let gateway = Gateway::serve(&home, &config).await;
    let Some(claude) = Claude::at(&home, &gateway.url) else {
        return;
    };
    let transcript = claude
        .args(&["--tools", "Write,Read,Edit"])
        .session(PROMPT)
        .await;
    assert_eq!(transcript.success(), ANSWER, "{name}");
    let calls = transcript.calls();
    let names: Vec<&str> = calls.iter().map(|(_, name, _)| *name).collect();
    assert_eq!(names, ["Write", "Read", "Edit"], "{name}: {transcript}");
    let (_, _, edit) = calls[2];
    assert_eq!(edit["replace_all"], false, "{name}: typed by the schema");
    assert_eq!(calls[1].2["limit"], 2, "{name}: typed by the schema");
    let results = transcript.results();
    assert!(
        results.iter().all(|result| !result.is_error),
        "{name}: {results:?}"
    );
    let edited = format.content.replace("second", "2nd – «zweite»");
    assert_eq!(home.read("project/new.txt"), edited, "{name}");
    let n_thoughts = (format.write)(THOUGHT, "", &[]).matches(THOUGHT).count() * 2;
    assert_eq!(
        transcript.thoughts().trim(),
        THOUGHT.repeat(n_thoughts),
        "{name}"
    );

    let requests = expect::sound(&upstream, &agent);
    let conversation = expect::conversation(&requests, PROMPT);
    assert_eq!(conversation.len(), 4, "{name}");
    expect::prefix_is_stable(&conversation);
    // What goes back to the model is clean: calls under ids of their own, and nothing of the markup in the text.
    let last = conversation[3].json();
    let mut ids = Vec::new();
    for message in last["messages"].as_array().expect("there are messages") {
        if message["role"] == "assistant" {
            let said = format!("{}{}", message["content"], message["reasoning_content"]);
            assert!(!said.contains('<'), "{name}: {said}");
            let calls = message["tool_calls"].as_array().into_iter().flatten();
            ids.extend(calls.filter_map(|call| Some(call["id"].as_str()?.to_owned())));
        }
    }
    ids.dedup();
    assert_eq!(ids.len(), 3, "{name}: {ids:?}");
    assert_eq!(gateway.stop().await.code, Some(0));
    home.is_quiet().await;
}

// In parts, so that none takes long.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_finished_whatever_the_family_writes() {
    let formats = FORMATS.iter().step_by(2);
    expect::all(formats.map(|format| session(format, &["open-models"]))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_finished_whatever_the_other_families_write() {
    let formats = FORMATS.iter().skip(1).step_by(2);
    expect::all(formats.map(|format| session(format, &["open-models"]))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_finished_where_the_prompt_has_opened_the_thoughts() {
    let groups = &["open-models", "implicit-thinking"];
    expect::all(OPENED.iter().map(|format| session(format, groups))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_finished_where_the_host_refuses_its_models_calls() {
    let served = [
        "Qwen/Qwen3-32B",
        "openai/gpt-oss-120b",
        "gpt-oss:20b",
        "gpt-oss-20b",
        "llama-3.3-70b-versatile",
    ];
    let formats = FORMATS
        .iter()
        .filter(|format| served.contains(&format.model));
    let groups = &["groq", "open-models"];
    expect::all(formats.map(|format| session_at(format, groups, Refuses::Calls))).await;
    // Models that think in the same text would have to say something in front of their thoughts.
    let formats = FORMATS
        .iter()
        .filter(|format| format.model == "llama-3.3-70b-versatile");
    let refuses = Refuses::BehindText;
    expect::all(formats.map(|format| session_at(format, groups, refuses))).await;
}
