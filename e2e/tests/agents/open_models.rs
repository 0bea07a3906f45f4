//! A real model that is made to write calls, or that never calls: llama.cpp with SmolLM2 behind the settings for open models.

use lingate_e2e::{Gateway, Home, LlamaCpp};
use lingate_testkit::client::{get, post};
use serde_json::{Value, json};

/// A call as the instruction of `tool_format = "xml"` asks for it, and nothing else.
const CALL: &str = r#"root ::= "<tool_call>\n<function=get_weather>\n<parameter=city>\n" [A-Z] [a-z]{2,8} "\n</parameter>\n<parameter=days>\n" DAYS "\n</parameter>\n</function>\n</tool_call>""#;
/// A sentence without one.
const SENTENCE: &str = "root ::= [A-Z] [a-z ,']{8,40} [.!?]";

/// A gateway in front of the model, which may say only what the grammar allows.
async fn gateway(home: &Home, llama: &LlamaCpp, settings: &str, grammar: &str) -> Gateway {
    let body = format!("body = {{ grammar = {} }}\n", json!(grammar));
    let config = format!(
        "default = \"small\"\nfrom_env = false\n\n[server]\nlisten = \"127.0.0.1:0\"\n\n[providers.local]\n\
         base_url = \"{}\"\nspeaks = [\"chat\"]\nauth = \"none\"\nquirks = [\"llama-cpp\"]\n{body}\n\
         [models.small]\ntargets = [\"local/smollm2\"]\n{settings}\n",
        llama.url()
    );
    Gateway::serve(home, &config).await
}

/// What a client reads.
#[derive(Debug, Default)]
struct Said {
    text: String,
    calls: Vec<(String, Value)>,
    stop: String,
}

fn word(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// One question on a client's wire, with a tool; `choice` is Anthropic's word for how it may be called.
async fn ask(gateway: &Gateway, is_chat: bool, is_stream: bool, choice: &str) -> Said {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
        "required": ["city", "days"], "additionalProperties": false});
    let mut body = json!({
        "model": "small", "max_tokens": 80, "stream": is_stream,
        "messages": [{"role": "user", "content": "How is the weather in Oslo?"}],
    });
    let path = if is_chat {
        let function =
            json!({"name": "get_weather", "description": "The weather", "parameters": schema});
        body["tools"] = json!([{"type": "function", "function": function}]);
        body["tool_choice"] = json!(if choice == "any" { "required" } else { choice });
        "/v1/chat/completions"
    } else {
        body["tools"] =
            json!([{"name": "get_weather", "description": "The weather", "input_schema": schema}]);
        body["tool_choice"] = json!({"type": choice});
        "/v1/messages"
    };
    let response = post(&format!("{}{path}", gateway.url), &body).send().await;
    assert_eq!(response.status, 200);
    match (is_chat, is_stream) {
        (false, false) => of_message(&response.json().await),
        (false, true) => of_message_stream(&values(response).await),
        (true, false) => of_completion(&response.json().await),
        (true, true) => of_completion_stream(&values(response).await),
    }
}

/// The events of a stream that is legal from its first to its last.
async fn values(response: lingate_testkit::client::Response) -> Vec<Value> {
    let events = response.events().all().await;
    let values = events.iter().filter(|event| event.data != "[DONE]");
    values.map(|event| event.json()).collect()
}

fn of_message(message: &Value) -> Said {
    let mut said = Said {
        stop: word(&message["stop_reason"]),
        ..Said::default()
    };
    for block in message["content"].as_array().into_iter().flatten() {
        match block["type"].as_str() {
            Some("tool_use") => said
                .calls
                .push((word(&block["name"]), block["input"].clone())),
            _ => said.text += &word(&block["text"]),
        }
    }
    said
}

fn of_message_stream(events: &[Value]) -> Said {
    let (mut said, mut inputs, mut open) = (Said::default(), Vec::new(), None);
    let (first, last) = (
        events.first().expect("a stream has events"),
        events.last().expect("a stream has events"),
    );
    assert_eq!(
        (&first["type"], &last["type"]),
        (&json!("message_start"), &json!("message_stop"))
    );
    for event in events {
        match event["type"].as_str().unwrap_or_default() {
            "content_block_start" => {
                assert_eq!(
                    open.replace(event["index"].clone()),
                    None,
                    "one block at a time"
                );
                let block = &event["content_block"];
                if block["type"] == "tool_use" {
                    inputs.push((word(&block["name"]), String::new()));
                }
            }
            "content_block_delta" => {
                assert_eq!(open, Some(event["index"].clone()));
                said.text += &word(&event["delta"]["text"]);
                if let Some(piece) = event["delta"]["partial_json"].as_str() {
                    inputs.last_mut().expect("a call is open").1 += piece;
                }
            }
            "content_block_stop" => assert_eq!(open.take(), Some(event["index"].clone())),
            "message_delta" => said.stop = word(&event["delta"]["stop_reason"]),
            "message_start" | "message_stop" | "ping" => {}
            other => panic!("{other}: {event}"),
        }
    }
    said.calls = parsed(inputs);
    said
}

fn of_completion(completion: &Value) -> Said {
    let choice = &completion["choices"][0];
    let calls = choice["message"]["tool_calls"]
        .as_array()
        .into_iter()
        .flatten();
    let calls = calls.map(|call| {
        (
            word(&call["function"]["name"]),
            word(&call["function"]["arguments"]),
        )
    });
    Said {
        text: word(&choice["message"]["content"]),
        calls: parsed(calls.collect()),
        stop: word(&choice["finish_reason"]),
    }
}

fn of_completion_stream(chunks: &[Value]) -> Said {
    let (mut said, mut calls) = (Said::default(), Vec::new());
    for choice in chunks
        .iter()
        .flat_map(|chunk| chunk["choices"].as_array().into_iter().flatten())
    {
        said.text += &word(&choice["delta"]["content"]);
        for call in choice["delta"]["tool_calls"]
            .as_array()
            .into_iter()
            .flatten()
        {
            if call["id"].is_string() {
                calls.push((word(&call["function"]["name"]), String::new()));
            }
            calls.last_mut().expect("a call has begun").1 += &word(&call["function"]["arguments"]);
        }
        said.stop += &word(&choice["finish_reason"]);
    }
    said.calls = parsed(calls);
    said
}

fn parsed(calls: Vec<(String, String)>) -> Vec<(String, Value)> {
    let parse = |(name, input): (String, String)| {
        (
            name,
            serde_json::from_str(&input).expect("arguments are JSON"),
        )
    };
    calls.into_iter().map(parse).collect()
}

const CLIENTS: [(bool, bool); 4] = [(false, false), (false, true), (true, false), (true, true)];

fn ends_with_call(said: &Said) -> bool {
    ["tool_use", "tool_calls"].contains(&said.stop.as_str())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_in_xml_is_a_call() {
    let home = Home::new();
    let Some(llama) = LlamaCpp::start(&home, &["-c", "4096"]).await else {
        return;
    };
    for (validate, choice) in [("off", "auto"), ("retry", "any")] {
        let settings = format!("tool_format = \"xml\"\nvalidate_tool_calls = \"{validate}\"");
        let gateway = gateway(&home, &llama, &settings, &CALL.replace("DAYS", "[1-9]")).await;
        for (is_chat, is_stream) in CLIENTS {
            let said = ask(&gateway, is_chat, is_stream, choice).await;
            assert_eq!(said.text, "", "{said:?}");
            let [(name, input)] = said.calls.as_slice() else {
                panic!("chat: {is_chat}, streamed: {is_stream}: {said:?}");
            };
            assert!(name == "get_weather" && input["days"].is_u64(), "{said:?}");
            assert!(
                input["city"].as_str().is_some_and(|city| city.len() > 2),
                "{said:?}"
            );
            assert!(ends_with_call(&said), "{said:?}");
        }
        assert_eq!(gateway.stop().await.code, Some(0));
    }
}

/// The model cannot do better, however often it is asked.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_never_fits_is_asked_for_once_more() {
    let home = Home::new();
    let Some(llama) = LlamaCpp::start(&home, &["-c", "4096"]).await else {
        return;
    };
    for (mode, n_attempts) in [("repair", 4), ("retry", 8)] {
        let settings = format!("tool_format = \"xml\"\nvalidate_tool_calls = \"{mode}\"");
        let gateway = gateway(&home, &llama, &settings, &CALL.replace("DAYS", "\"many\"")).await;
        for (is_chat, is_stream) in CLIENTS {
            let said = ask(&gateway, is_chat, is_stream, "auto").await;
            let [(_, input)] = said.calls.as_slice() else {
                panic!("chat: {is_chat}, streamed: {is_stream}: {said:?}");
            };
            assert!(input["days"] == "many" && ends_with_call(&said), "{said:?}");
        }
        assert_eq!(attempts(&gateway).await, n_attempts, "{mode}");
        assert_eq!(gateway.stop().await.code, Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_never_calls_is_asked_three_times() {
    let home = Home::new();
    let Some(llama) = LlamaCpp::start(&home, &["-c", "4096"]).await else {
        return;
    };
    let gateway = gateway(
        &home,
        &llama,
        "ensure_tool_call = true\ntool_format = \"xml\"",
        SENTENCE,
    )
    .await;
    for (is_chat, is_stream) in CLIENTS {
        let said = ask(&gateway, is_chat, is_stream, "auto").await;
        assert_eq!(said.calls, [], "{said:?}");
        assert_eq!(said.text.split("\n\n").count(), 3, "{said:?}");
        assert!(
            ["end_turn", "stop"].contains(&said.stop.as_str()),
            "{said:?}"
        );
    }
    assert_eq!(attempts(&gateway).await, 12);
    assert_eq!(gateway.stop().await.code, Some(0));
}

/// How many requests the server has had, of any outcome.
async fn attempts(gateway: &Gateway) -> u64 {
    let metrics = get(&format!("{}/metrics", gateway.url))
        .send()
        .await
        .text()
        .await;
    let lines = metrics
        .lines()
        .filter(|line| line.starts_with("lingate_attempts_total{"));
    lines
        .filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
        .sum()
}
