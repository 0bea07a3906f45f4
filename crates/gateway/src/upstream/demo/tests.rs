use std::time::Duration;

use serde_json::{Value, json};

use super::reply;

/// A reply as a client puts it together.
#[derive(Debug, Default, PartialEq)]
struct Heard {
    text: String,
    /// Id, name and arguments.
    calls: Vec<(String, String, Value)>,
    finish: String,
    usage: Option<Value>,
    took: Duration,
}

/// Accepts a stream as strictly as the wire has it, and a whole body likewise; both must say the same.
fn hear(request: &Value) -> Heard {
    let mut streamed = request.clone();
    streamed["stream"] = json!(true);
    streamed["stream_options"] = json!({"include_usage": true});
    let mut whole = request.clone();
    whole["stream"] = json!(false);
    let heard = hear_stream(&streamed);
    let said = hear_whole(&whole);
    assert_eq!(
        (&heard.text, &heard.calls, &heard.finish),
        (&said.text, &said.calls, &said.finish)
    );
    heard
}

fn hear_stream(request: &Value) -> Heard {
    let steps = reply(request.to_string().as_bytes());
    let mut heard = Heard {
        took: steps.iter().map(|step| step.pause).sum(),
        ..Heard::default()
    };
    let body: Vec<u8> = steps.iter().flat_map(|step| step.bytes.to_vec()).collect();
    let body = String::from_utf8(body).unwrap();
    let mut arguments = String::new();
    let mut events: Vec<&str> = body.strip_suffix("\n\n").unwrap().split("\n\n").collect();
    assert_eq!(events.pop(), Some("data: [DONE]"));
    for (at, event) in events.iter().enumerate() {
        let chunk: Value = serde_json::from_str(event.strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(chunk["object"], "chat.completion.chunk");
        assert_eq!(chunk["model"], request["model"]);
        let Some(choice) = chunk["choices"].get(0) else {
            assert_eq!(at, events.len() - 1, "usage comes last");
            heard.usage = Some(chunk["usage"].clone());
            continue;
        };
        assert_eq!(heard.finish, "", "nothing behind the finish");
        let delta = &choice["delta"];
        assert_eq!(
            delta.get("role").is_some(),
            at == 0,
            "the role comes first and once"
        );
        heard
            .text
            .push_str(delta["content"].as_str().unwrap_or_default());
        if let Some(call) = delta.pointer("/tool_calls/0") {
            if let Some(id) = call["id"].as_str() {
                let name = call["function"]["name"].as_str().unwrap();
                heard
                    .calls
                    .push((id.to_owned(), name.to_owned(), Value::Null));
            }
            arguments.push_str(call["function"]["arguments"].as_str().unwrap());
        }
        heard
            .finish
            .push_str(choice["finish_reason"].as_str().unwrap_or_default());
    }
    if let Some(call) = heard.calls.first_mut() {
        call.2 = serde_json::from_str(&arguments).unwrap();
    }
    heard
}

fn hear_whole(request: &Value) -> Heard {
    let steps = reply(request.to_string().as_bytes());
    let [step] = steps.as_slice() else {
        panic!("one step, not {}", steps.len())
    };
    let body: Value = serde_json::from_slice(&step.bytes).unwrap();
    assert_eq!(body["object"], "chat.completion");
    let choice = &body["choices"][0];
    let call = |call: &Value| {
        let function = &call["function"];
        let arguments = serde_json::from_str(function["arguments"].as_str().unwrap()).unwrap();
        (
            call["id"].as_str().unwrap().to_owned(),
            function["name"].as_str().unwrap().to_owned(),
            arguments,
        )
    };
    let message = &choice["message"];
    Heard {
        text: message["content"].as_str().unwrap_or_default().to_owned(),
        calls: message["tool_calls"]
            .as_array()
            .into_iter()
            .flatten()
            .map(call)
            .collect(),
        finish: choice["finish_reason"].as_str().unwrap().to_owned(),
        usage: Some(body["usage"].clone()),
        took: step.pause,
    }
}

/// A function with string properties, all of them required but those that end in `?`.
fn tool(name: &str, properties: &[&str]) -> Value {
    let typed = |property: &&str| {
        (
            property.trim_end_matches('?').to_owned(),
            json!({"type": "string"}),
        )
    };
    let required: Vec<&&str> = properties
        .iter()
        .filter(|property| !property.ends_with('?'))
        .collect();
    let members: serde_json::Map<String, Value> = properties.iter().map(typed).collect();
    let parameters = json!({"type": "object", "properties": members, "required": required});
    json!({"type": "function", "function": {"name": name, "parameters": parameters}})
}

fn claude_code() -> Value {
    json!({
        "model": "demo",
        "max_completion_tokens": 32000,
        "messages": [
            {"role": "system", "content": "You are an agent."},
            {"role": "user", "content": [{"type": "text", "text": "reminder"}, {"type": "text", "text": "hi"}]},
            {"role": "user", "content": "<system-reminder>\n# Environment\n - Primary working directory: /home/a/b c\n - Shell: bash\n</system-reminder>"},
        ],
        "tools": [
            tool("Bash", &["command", "description?"]),
            tool("Edit", &["file_path", "old_string", "new_string"]),
            tool("NotebookEdit", &["notebook_path", "new_source"]),
            tool("Read", &["file_path", "pages?"]),
            tool("Write", &["file_path", "content"]),
        ],
    })
}

/// Plays the client: carries out the demo's calls with `results` until it makes none, and returns all it said.
fn play(request: &mut Value, results: &[&str]) -> Vec<Heard> {
    let mut heard = vec![hear(request)];
    for result in results {
        let last = heard.last().unwrap();
        assert_eq!(last.finish, "tool_calls");
        let (id, name, arguments) = last.calls[0].clone();
        let function = json!({"name": name, "arguments": arguments.to_string()});
        let call = json!({"id": id, "type": "function", "function": function});
        let messages = request["messages"].as_array_mut().unwrap();
        messages.push(json!({"role": "assistant", "content": last.text, "tool_calls": [call]}));
        messages.push(json!({"role": "tool", "tool_call_id": id, "content": result}));
        heard.push(hear(request));
    }
    let last = heard.last().unwrap();
    assert_eq!((last.finish.as_str(), last.calls.len()), ("stop", 0));
    request["messages"]
        .as_array_mut()
        .unwrap()
        .push(json!({"role": "assistant", "content": last.text}));
    heard
}

#[test]
fn it_writes_reads_sums_up_and_then_has_no_more_to_say() {
    let mut request = claude_code();
    let heard = play(
        &mut request,
        &["File created successfully", "1\t# lingate demo"],
    );
    let [write, read, end] = heard.as_slice() else {
        panic!("three answers, not {}", heard.len())
    };
    assert_eq!(write.calls[0].0, "call_demo_0");
    assert_eq!(write.calls[0].1, "Write");
    assert_eq!(write.calls[0].2["file_path"], "/home/a/b c/lingate-demo.md");
    assert!(
        write.calls[0].2["content"]
            .as_str()
            .unwrap()
            .contains("built-in demo")
    );
    assert_eq!(
        read.calls[0],
        (
            "call_demo_1".to_owned(),
            "Read".to_owned(),
            json!({"file_path": "/home/a/b c/lingate-demo.md"})
        )
    );
    assert!(end.text.contains("MOONSHOT_API_KEY"), "{}", end.text);
    for one in &heard {
        assert!(one.text.contains("demo"), "{}", one.text);
        assert!(
            one.usage.as_ref().unwrap()["completion_tokens"]
                .as_u64()
                .unwrap()
                > 0
        );
    }
    let took: Duration = heard.iter().map(|one| one.took).sum();
    assert!(
        (Duration::from_secs(2)..Duration::from_secs(20)).contains(&took),
        "{took:?}"
    );

    request["messages"]
        .as_array_mut()
        .unwrap()
        .push(json!({"role": "user", "content": "and now?"}));
    let after = hear(&request);
    assert!(
        after.text.contains("not a model") && after.calls.is_empty(),
        "{}",
        after.text
    );
}

#[test]
fn every_client_s_own_tools_are_used() {
    let check = |tools: &[Value], write: &str, read: &str| {
        let mut request = json!({"model": "demo", "messages": [{"role": "user", "content": "hi"}], "tools": tools});
        let heard = play(&mut request, &["ok", "ok"]);
        let spelled = |at: usize| format!("{} {}", heard[at].calls[0].1, heard[at].calls[0].2);
        assert!(spelled(0).starts_with(write), "{}", spelled(0));
        assert_eq!(spelled(1), read);
    };
    check(
        &[
            tool("read", &["filePath", "offset?"]),
            tool("write", &["content", "filePath"]),
        ],
        r##"write {"filePath":"lingate-demo.md","content":"# lingate"##,
        r#"read {"filePath":"lingate-demo.md"}"#,
    );
    check(
        &[
            tool("read_file", &["file_path"]),
            tool("edit", &["file_path", "old_string"]),
            tool("write_file", &["file_path", "content"]),
        ],
        r#"write_file {"file_path":"lingate-demo.md","content":"#,
        r#"read_file {"file_path":"lingate-demo.md"}"#,
    );
    check(
        &[
            tool("ReadFile", &["path"]),
            tool("WriteFile", &["path", "content", "mode?"]),
        ],
        r#"WriteFile {"path":"lingate-demo.md","content":"#,
        r#"ReadFile {"path":"lingate-demo.md"}"#,
    );
    check(
        &[
            tool("bash", &["command", "description"]),
            tool("view", &["path"]),
            tool("create", &["path", "file_text"]),
        ],
        r#"create {"path":"lingate-demo.md","file_text":"#,
        r#"view {"path":"lingate-demo.md"}"#,
    );
    check(
        &[tool("exec_command", &["cmd", "workdir?"])],
        r##"exec_command {"cmd":"cat > 'lingate-demo.md' <<'EOF'\n# lingate"##,
        r#"exec_command {"cmd":"cat 'lingate-demo.md'"}"#,
    );
}

#[test]
fn errors_are_told_and_end_the_script() {
    let check = |results: &[&str], expected: &str| {
        let heard = play(&mut claude_code(), results);
        let end = &heard.last().unwrap().text;
        assert!(
            end.contains(expected) && end.contains("That was lingate's built-in demo"),
            "{end}"
        );
    };
    check(
        &["Error: EACCES: permission denied\nat line 1"],
        "EACCES: permission denied\"",
    );
    check(
        &["<tool_use_error>no such tool</tool_use_error>"],
        "no such tool",
    );
    check(&["ok", "Error: file vanished"], "file vanished");
    check(
        &[
            "Error: File has not been read yet. Read it first before writing to it.",
            "1\tolder",
        ],
        "has read the file",
    );
}

#[test]
fn a_call_without_a_result_is_a_failed_one() {
    let mut request = claude_code();
    let write = hear(&request).calls.remove(0);
    let function = json!({"name": write.1, "arguments": write.2.to_string()});
    let call = json!({"id": write.0, "type": "function", "function": function});
    request["messages"]
        .as_array_mut()
        .unwrap()
        .push(json!({"role": "assistant", "content": null, "tool_calls": [call]}));
    assert!(hear(&request).text.contains("no result"));
}

#[test]
fn without_tools_there_is_only_text() {
    let mut request = claude_code();
    request["tool_choice"] = json!("none");
    let none_allowed = hear(&request);
    let no_tools = hear(&json!({"model": "demo", "messages": [{"role": "user", "content": "hi"}]}));
    let no_use =
        hear(&json!({"model": "demo", "messages": [], "tools": [tool("get_weather", &["city"])]}));
    for heard in [&none_allowed, &no_tools, &no_use] {
        assert_eq!((heard.finish.as_str(), heard.calls.len()), ("stop", 0));
        assert!(
            heard.text.contains("built-in demo") && heard.text.contains("lingate init"),
            "{}",
            heard.text
        );
    }
}

#[test]
fn requests_beside_the_conversation_get_what_fits() {
    let schema = json!({"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]});
    let mut request = claude_code();
    request["response_format"] =
        json!({"type": "json_schema", "json_schema": {"name": "output", "schema": schema}});
    assert_eq!(hear(&request).text, r#"{"title":"lingate demo"}"#);

    request["response_format"] = json!({"type": "json_object"});
    assert!(
        serde_json::from_str::<Value>(&hear(&request).text)
            .unwrap()
            .is_object()
    );

    let title = json!({"model": "demo", "messages": [
        {"role": "system", "content": "You are a title generator."},
        {"role": "user", "content": "Generate a title for this conversation:\n"},
    ]});
    assert_eq!(hear(&title).text, "lingate demo");

    let mut request = claude_code();
    request["max_completion_tokens"] = json!(1);
    let heard = hear(&request);
    assert_eq!(
        (
            heard.text.as_str(),
            heard.finish.as_str(),
            heard.calls.len()
        ),
        ("Hello! ", "length", 0)
    );
    assert_eq!(heard.usage.unwrap()["completion_tokens"], 1);

    let mut request = claude_code();
    request["tool_choice"] = json!({"type": "function", "function": {"name": "Bash"}});
    let heard = hear(&request);
    assert_eq!(heard.calls[0].1, "Bash");
    assert_eq!(heard.calls[0].2["command"], "lingate demo");
}

#[test]
fn usage_comes_only_where_it_was_asked_for() {
    let heard = hear_stream(
        &json!({"model": "demo", "stream": true, "messages": [{"role": "user", "content": "hi"}]}),
    );
    assert_eq!(heard.usage, None);
}

#[test]
fn anything_is_answered() {
    for body in [
        "",
        "nonsense",
        "[]",
        "{}",
        r#"{"messages":7,"tools":{}}"#,
        r#"{"messages":[null,{"role":"assistant"}]}"#,
    ] {
        let steps = reply(body.as_bytes());
        assert_eq!(steps.len(), 1, "{body}");
    }
}
