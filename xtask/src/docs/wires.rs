//! `docs/generated/wires.md`: what becomes of each feature between each pair of wires.
//!
//! Nothing is claimed: every cell is a translation that is run. A request with the feature is written for the upstream's
//! wire as an attempt does it; what it says of losses and whether the feature's words arrive is the verdict.

use std::fmt::Write as _;

use lingate_wire::chat::Dialect;
use lingate_wire::turn::{
    Delta, Event, Opening, SealKey, Slot, Stop, StopReason, Usage, fit_tools, fold,
};
use lingate_wire::{ReplyContext, UpstreamContext, Wire, bridge};

/// A feature of requests: on each wire (in the order of [`Wire::ALL`]) the members that use it, empty where it has none,
/// and the words that must arrive.
struct Feature {
    name: &'static str,
    members: [&'static str; 4],
    words: &'static [&'static str],
}

/// Stands where nothing is said but a question.
const ASK: [&str; 4] = [
    r#""messages":[{"role":"user","content":"Ask"}]"#,
    r#""messages":[{"role":"user","content":"Ask"}]"#,
    r#""input":"Ask""#,
    r#""contents":[{"role":"user","parts":[{"text":"Ask"}]}]"#,
];

const FEATURES: &[Feature] = &[
    Feature {
        name: "text",
        members: ["ASK", "ASK", "ASK", "ASK"],
        words: &["Ask"],
    },
    Feature {
        name: "system prompt",
        members: [
            r#""system":"Be brief",ASK"#,
            r#""messages":[{"role":"system","content":"Be brief"},{"role":"user","content":"Ask"}]"#,
            r#""instructions":"Be brief",ASK"#,
            r#""systemInstruction":{"parts":[{"text":"Be brief"}]},ASK"#,
        ],
        words: &["Be brief"],
    },
    Feature {
        name: "tools, one of them to be called",
        members: [
            r#""tools":[{"name":"look_up","description":"Finds","input_schema":{"type":"object","properties":{"path":{"type":"string"}}}}],"tool_choice":{"type":"tool","name":"look_up"},ASK"#,
            r#""tools":[{"type":"function","function":{"name":"look_up","description":"Finds","parameters":{"type":"object","properties":{"path":{"type":"string"}}}}}],"tool_choice":{"type":"function","function":{"name":"look_up"}},ASK"#,
            r#""tools":[{"type":"function","name":"look_up","description":"Finds","parameters":{"type":"object","properties":{"path":{"type":"string"}}},"strict":false}],"tool_choice":{"type":"function","name":"look_up"},ASK"#,
            r#""tools":[{"functionDeclarations":[{"name":"look_up","description":"Finds","parametersJsonSchema":{"type":"object","properties":{"path":{"type":"string"}}}}]}],"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["look_up"]}},ASK"#,
        ],
        words: &["look_up", "Finds"],
    },
    Feature {
        name: "calls in parallel and their results",
        members: [
            r#""messages":[{"role":"user","content":"Ask"},{"role":"assistant","content":[{"type":"tool_use","id":"call_1","name":"f","input":{"n":11}},{"type":"tool_use","id":"call_2","name":"f","input":{"n":22}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"call_1","content":"eleven"},{"type":"tool_result","tool_use_id":"call_2","content":"twenty"}]}]"#,
            r#""messages":[{"role":"user","content":"Ask"},{"role":"assistant","tool_calls":[{"id":"call_1","type":"function","function":{"name":"f","arguments":"{\"n\":11}"}},{"id":"call_2","type":"function","function":{"name":"f","arguments":"{\"n\":22}"}}]},{"role":"tool","tool_call_id":"call_1","content":"eleven"},{"role":"tool","tool_call_id":"call_2","content":"twenty"}]"#,
            r#""input":[{"role":"user","content":"Ask"},{"type":"function_call","call_id":"call_1","name":"f","arguments":"{\"n\":11}"},{"type":"function_call","call_id":"call_2","name":"f","arguments":"{\"n\":22}"},{"type":"function_call_output","call_id":"call_1","output":"eleven"},{"type":"function_call_output","call_id":"call_2","output":"twenty"}]"#,
            r#""contents":[{"role":"user","parts":[{"text":"Ask"}]},{"role":"model","parts":[{"functionCall":{"name":"f","args":{"n":11}}},{"functionCall":{"name":"f","args":{"n":22}}}]},{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"output":"eleven"}}},{"functionResponse":{"name":"f","response":{"output":"twenty"}}}]}]"#,
        ],
        words: &["eleven", "twenty", "11", "22"],
    },
    Feature {
        name: "picture",
        members: [
            r#""messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}}]}]"#,
            r#""messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0KGgo="}}]}]"#,
            r#""input":[{"role":"user","content":[{"type":"input_image","image_url":"data:image/png;base64,iVBORw0KGgo="}]}]"#,
            r#""contents":[{"role":"user","parts":[{"inlineData":{"mimeType":"image/png","data":"iVBORw0KGgo="}}]}]"#,
        ],
        words: &["iVBORw0KGgo="],
    },
    Feature {
        name: "picture in a tool's result",
        members: [
            r#""messages":[{"role":"user","content":"Ask"},{"role":"assistant","content":[{"type":"tool_use","id":"call_1","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"call_1","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}}]}]}]"#,
            "",
            r#""input":[{"role":"user","content":"Ask"},{"type":"function_call","call_id":"call_1","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"call_1","output":[{"type":"input_image","image_url":"data:image/png;base64,iVBORw0KGgo="}]}]"#,
            "",
        ],
        words: &["iVBORw0KGgo="],
    },
    Feature {
        name: "document (PDF)",
        members: [
            r#""messages":[{"role":"user","content":[{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBERi0xLjQ="}}]}]"#,
            r#""messages":[{"role":"user","content":[{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,JVBERi0xLjQ="}}]}]"#,
            r#""input":[{"role":"user","content":[{"type":"input_file","filename":"a.pdf","file_data":"data:application/pdf;base64,JVBERi0xLjQ="}]}]"#,
            r#""contents":[{"role":"user","parts":[{"inlineData":{"mimeType":"application/pdf","data":"JVBERi0xLjQ="}}]}]"#,
        ],
        words: &["JVBERi0xLjQ="],
    },
    Feature {
        name: "sound",
        members: [
            "",
            r#""messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"UklGRg==","format":"wav"}}]}]"#,
            "",
            r#""contents":[{"role":"user","parts":[{"inlineData":{"mimeType":"audio/wav","data":"UklGRg=="}}]}]"#,
        ],
        words: &["UklGRg=="],
    },
    Feature {
        name: "schema of the answer",
        members: [
            r#""output_config":{"format":{"type":"json_schema","schema":{"type":"object","properties":{"city":{"type":"string"}}}}},ASK"#,
            r#""response_format":{"type":"json_schema","json_schema":{"name":"answer","schema":{"type":"object","properties":{"city":{"type":"string"}}}}},ASK"#,
            r#""text":{"format":{"type":"json_schema","name":"answer","schema":{"type":"object","properties":{"city":{"type":"string"}}}}},ASK"#,
            r#""generationConfig":{"responseMimeType":"application/json","responseJsonSchema":{"type":"object","properties":{"city":{"type":"string"}}}},ASK"#,
        ],
        words: &["\"city\""],
    },
    Feature {
        name: "thinking with its effort",
        members: [
            r#""thinking":{"type":"adaptive"},"output_config":{"effort":"high"},ASK"#,
            r#""reasoning_effort":"high",ASK"#,
            r#""reasoning":{"effort":"high"},ASK"#,
            r#""generationConfig":{"thinkingConfig":{"thinkingLevel":"HIGH"}},ASK"#,
        ],
        words: &["high"],
    },
    Feature {
        name: "temperature and `top_p`",
        members: [
            r#""temperature":0.25,"top_p":0.75,ASK"#,
            r#""temperature":0.25,"top_p":0.75,ASK"#,
            r#""temperature":0.25,"top_p":0.75,ASK"#,
            r#""generationConfig":{"temperature":0.25,"topP":0.75},ASK"#,
        ],
        words: &["0.25", "0.75"],
    },
    Feature {
        name: "stop sequences",
        members: [
            r#""stop_sequences":["HALT"],ASK"#,
            r#""stop":["HALT"],ASK"#,
            "",
            r#""generationConfig":{"stopSequences":["HALT"]},ASK"#,
        ],
        words: &["HALT"],
    },
    Feature {
        name: "seed",
        members: [
            "",
            r#""seed":4711,ASK"#,
            "",
            r#""generationConfig":{"seed":4711},ASK"#,
        ],
        words: &["4711"],
    },
    Feature {
        name: "free-form tool",
        members: [
            "",
            r#""tools":[{"type":"custom","custom":{"name":"patch","description":"Patches"}}],ASK"#,
            r#""tools":[{"type":"custom","name":"patch","description":"Patches"}],ASK"#,
            "",
        ],
        words: &["patch", "Patches"],
    },
    Feature {
        name: "tools in a namespace",
        members: [
            "",
            "",
            r#""tools":[{"type":"namespace","name":"files","description":"Files","tools":[{"type":"function","name":"look_up","description":"Finds","parameters":{"type":"object","properties":{}}}]}],ASK"#,
            "",
        ],
        words: &["look_up", "Finds"],
    },
    Feature {
        name: "tool that the provider runs, beside another",
        members: [
            r#""tools":[{"type":"web_search_20250305","name":"web_search"},{"name":"look_up","input_schema":{"type":"object"}}],ASK"#,
            "",
            r#""tools":[{"type":"web_search"},{"type":"function","name":"look_up","parameters":{"type":"object","properties":{}}}],ASK"#,
            r#""tools":[{"googleSearch":{}},{"functionDeclarations":[{"name":"look_up"}]}],ASK"#,
        ],
        words: &["look_up"],
    },
    Feature {
        name: "tool that the provider runs, alone",
        members: [
            r#""tools":[{"type":"web_search_20250305","name":"web_search"}],ASK"#,
            "",
            r#""tools":[{"type":"web_search"}],ASK"#,
            r#""tools":[{"googleSearch":{}}],ASK"#,
        ],
        words: &["Search"],
    },
    Feature {
        name: "prompt cache marker",
        members: [
            r#""messages":[{"role":"user","content":[{"type":"text","text":"Ask","cache_control":{"type":"ephemeral"}}]}]"#,
            "",
            "",
            "",
        ],
        words: &["Ask"],
    },
    Feature {
        name: "what an earlier reply left with the provider",
        members: [
            "",
            "",
            r#""previous_response_id":"resp_1",ASK"#,
            r#""cachedContent":"cachedContents/1",ASK"#,
        ],
        words: &["Ask"],
    },
];

/// The page.
///
/// # Errors
/// If a request of the table cannot be read.
pub(super) fn render() -> anyhow::Result<String> {
    let mut page = String::from(
        "# Wires\n\nWhat becomes of each feature from each client's wire to each upstream's. A request to an upstream of the \
         client's own wire is forwarded as it is, so that column is missing. *Lossless*: the upstream is told all of it; *lossy*: \
         what is named is left out, and told as a loss in the log and by `lingate explain`; *refused*: the request fails with \
         the reason. A host may word or refuse more than its wire; that is what [quirks](quirks.md) are for.\n",
    );
    for client in Wire::ALL {
        let others: Vec<Wire> = Wire::ALL
            .into_iter()
            .filter(|wire| *wire != client)
            .collect();
        write!(page, "\n## Requests of {client} clients\n\n| feature |")?;
        for upstream in &others {
            write!(page, " {upstream} |")?;
        }
        page.push_str("\n|---|---|---|---|\n");
        for feature in FEATURES {
            let Some(members) = said(feature, client) else {
                continue;
            };
            write!(page, "| {} |", feature.name)?;
            for upstream in &others {
                write!(
                    page,
                    " {} |",
                    verdict(client, *upstream, &members, feature.words)?
                )?;
            }
            page.push('\n');
        }
    }
    page.push_str(
        "\n## Replies\n\nReplies of every upstream's wire meet in one shape first, so what a client is told depends on its own wire \
         only.\n\n| feature | anthropic | chat | responses | gemini |\n|---|---|---|---|---|\n",
    );
    for (name, events, words) in replies() {
        write!(page, "| {name} |")?;
        for client in Wire::ALL {
            let context = ReplyContext {
                exchange: "0".to_owned(),
                model: "m".into(),
                created: 0,
                input_estimate: 0,
            };
            let options = bridge::ReplyOptions {
                shows_thoughts: true,
                ..bridge::ReplyOptions::default()
            };
            let reply = fold(events.clone());
            let body = bridge::encode_response_with(client, &reply, &context, &options);
            let body = String::from_utf8(body)?;
            let is_told = |word: &&str| body.contains(*word);
            let told = if words.iter().all(is_told) {
                "told"
            } else {
                "left out"
            };
            write!(page, " {told} |")?;
        }
        page.push('\n');
    }
    page.push_str(
        "\nReasoning state (signatures, encrypted reasoning, thought signatures) goes to the client sealed and comes back to the \
         upstream that made it, from every client wire; for Chat clients that drop `reasoning_details` the gateway keeps it \
         for a day by the ids of the calls.\n",
    );
    Ok(page)
}

/// A wire that has the feature, as a request's members.
fn said(feature: &Feature, client: Wire) -> Option<String> {
    let place = Wire::ALL.iter().position(|wire| *wire == client)?;
    let members = feature
        .members
        .get(place)
        .filter(|members| !members.is_empty())?;
    Some(members.replace("ASK", ASK.get(place)?))
}

fn verdict(client: Wire, upstream: Wire, members: &str, words: &[&str]) -> anyhow::Result<String> {
    let head = match client {
        Wire::Anthropic => r#""model":"m","max_tokens":64,"#,
        Wire::Chat | Wire::Responses => r#""model":"m","#,
        Wire::Gemini => "",
    };
    let body = format!("{{{head}{members}}}");
    let read =
        |failure: lingate_wire::turn::Failure| anyhow::anyhow!("{}: {body}", failure.message);
    let doc = bridge::scan_request(client, &body.as_str().into()).map_err(read)?;
    let mut decoded = bridge::decode_request(client, &doc).map_err(read)?;
    let _ = fit_tools(&mut decoded.turn, &mut decoded.params, upstream);
    if bridge::unservable_tools(upstream, &decoded.turn).is_some() {
        return Ok("refused".to_owned());
    }
    let seal = SealKey::new("provider", "account", "m");
    let context = UpstreamContext {
        model: "m",
        seal: &seal,
    };
    // A host of the Chat wire that takes all that its wire can say.
    let Ok(encoded) = bridge::encode_request(upstream, &decoded, &context, &Dialect::default())
    else {
        return Ok("refused".to_owned());
    };
    let sent = String::from_utf8(encoded.body)?.to_lowercase();
    let mut losses: Vec<String> = encoded
        .losses
        .iter()
        .map(|loss| format!("`{}`", loss.path))
        .collect();
    losses.dedup();
    let arrived = words.iter().all(|word| sent.contains(&word.to_lowercase()));
    Ok(match (losses.is_empty(), arrived) {
        (true, true) => "lossless".to_owned(),
        (true, false) => "lossy: put into other words".to_owned(),
        (false, _) => format!("lossy: {}", losses.join(", ")),
    })
}

/// Replies with one feature each, and the words that must arrive.
fn replies() -> Vec<(&'static str, Vec<Event>, &'static [&'static str])> {
    let slot = Slot(0);
    let block = |opening: Opening, deltas: Vec<Delta>, reason: StopReason| {
        let mut events = vec![Event::Open {
            slot,
            block: opening,
        }];
        events.extend(deltas.into_iter().map(|delta| Event::Delta { slot, delta }));
        events.push(Event::Close { slot });
        events.push(Event::Stop(Stop::new(reason)));
        events.push(Event::Done);
        events
    };
    let call = Opening::ToolUse {
        id: "call_1".into(),
        name: "look_up".into(),
        namespace: None,
        is_freeform: false,
        extra: Vec::new(),
    };
    let text = |text: &str| vec![Delta::Text(text.into())];
    let thinking = vec![
        Delta::Thinking("Hm".into()),
        Delta::Signature("lg1.x".into()),
    ];
    let mut counted = block(Opening::Text, text("Yes"), StopReason::EndTurn);
    counted.insert(
        3,
        Event::Usage(Usage {
            cache_read: Some(4711),
            ..Usage::default()
        }),
    );
    vec![
        (
            "text",
            block(Opening::Text, text("Yes"), StopReason::EndTurn),
            &["Yes"],
        ),
        (
            "thinking",
            block(Opening::Thinking, thinking, StopReason::EndTurn),
            &["Hm"],
        ),
        (
            "tool call",
            block(
                call,
                vec![Delta::Input("{\"path\":\"a\"}".into())],
                StopReason::ToolUse,
            ),
            &["look_up", "path"],
        ),
        (
            "refusal",
            block(Opening::Refusal, text("I will not"), StopReason::Refusal),
            &["I will not"],
        ),
        ("tokens read from a cache", counted, &["4711"]),
    ]
}
