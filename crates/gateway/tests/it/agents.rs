//! Who asks: the client's own User-Agent goes upstream and no other, and what we ask by ourselves bears our name.

use lingate_config::{Config, FixedEnvironment, LoadOptions};
use lingate_gateway::{Prober, Verifier};
use lingate_testkit::{Answer, Received, Reply, Upstream, chat};
use serde_json::json;

use crate::harness::{Lingate, completions, messages};

const OURS: &str = concat!("lingate/", env!("CARGO_PKG_VERSION"));

fn agent(request: &Received) -> Option<String> {
    let value = request.headers.get("user-agent")?;
    Some(value.to_str().unwrap().to_owned())
}

fn hello(request: &Received) -> Answer {
    Reply::text("Hello.").answer(request)
}

/// Both lanes, both ways of asking; a client without a name stays without.
#[tokio::test]
async fn a_client_s_name_is_its_own() {
    let claude = "claude-cli/2.1.0 (external, cli)";
    for is_stream in [false, true] {
        for (path, body) in [
            ("/v1/messages", messages(is_stream)),
            ("/v1/chat/completions", completions(is_stream)),
        ] {
            for name in [Some(claude), Some("curl/8.5"), None] {
                let upstream = Upstream::start(hello).await;
                let lingate = Lingate::to_chat(&upstream.url()).await;
                let mut request = lingate.post(path, &body);
                if let Some(name) = name {
                    request = request.header("user-agent", name);
                }
                let response = request.send().await;
                assert_eq!(response.status, 200);
                let lane = match path {
                    "/v1/messages" => "translated",
                    _ => "passthrough",
                };
                assert_eq!(response.header("x-lingate-lane"), lane);
                let found = agent(&upstream.requests()[0]);
                assert_eq!(found.as_deref(), name, "{path} {is_stream}");
            }
        }
    }
}

fn config(upstream: &Upstream) -> Config {
    let text = format!(
        "default = \"up/m\"\n[providers.up]\nbase_url = \"{}\"\napi_key = \"k\"\nspeaks = [\"chat\"]\n",
        upstream.url()
    );
    let environment = FixedEnvironment::default();
    Config::from_text(None, &text, &LoadOptions::default(), &environment)
        .unwrap_or_else(|problems| panic!("{problems}"))
}

#[tokio::test]
async fn our_own_questions_bear_our_name() {
    let upstream = Upstream::start(hello).await;
    let config = config(&upstream);
    let prober = Prober::new(&config).unwrap();
    let provider = config.provider("up").unwrap();
    let _ = prober.models(provider).await;
    let candidate = lingate_route::Candidate {
        provider: "up".into(),
        model: "m".into(),
        weight: 1,
        target: None,
    };
    prober.reply(&config, &candidate).await.unwrap();
    let verifier = Verifier::new(&config, "up/m").unwrap();
    let body = json!({"model": "up/m", "messages": [{"role": "user", "content": "hi"}]});
    assert!(verifier.ask(&body.to_string().into()).await.is_ok());
    let agents: Vec<_> = upstream.requests().iter().map(agent).collect();
    assert_eq!(agents, vec![Some(OURS.to_owned()); 3]);
}

/// The coding plan admits agents it knows. Refusing one is told as what it is, and says nothing of the key: the next client
/// is served.
#[tokio::test]
async fn a_plan_for_agents_refuses_others_in_clear_words() {
    let words = "Kimi For Coding is currently only available for Coding Agents such as Kimi CLI, Claude Code";
    let upstream = Upstream::start(move |request: &Received| {
        if agent(request).is_some_and(|agent| agent.starts_with("claude-cli/")) {
            return hello(request);
        }
        Answer::json(403, &chat::error("access_terminated_error", words))
    })
    .await;
    let lingate = Lingate::start(&format!(
        "default = \"kimi-coding/kimi-for-coding\"\n[providers.kimi-coding]\napi_key = \"sk-kimi-1\"\nbase_url = \"{}\"\n",
        upstream.url()
    ))
    .await;
    for name in [
        "my-script/1.0",
        "claude-cli/2.1.0",
        "my-script/1.0",
        "claude-cli/2.1.0",
    ] {
        for (path, body) in [
            ("/v1/messages", messages(false)),
            ("/v1/chat/completions", completions(true)),
        ] {
            let request = lingate.post(path, &body).header("user-agent", name);
            let response = request.send().await;
            if name.starts_with("claude") {
                assert_eq!(response.status, 200, "{name} {path}");
                continue;
            }
            assert_eq!(response.status, 403, "{path}");
            let said = response.text().await;
            assert!(
                said.contains("refuses this client (its User-Agent is `my-script/1.0`, which is passed on as it came)"),
                "{said}"
            );
        }
    }
    assert_eq!(upstream.requests().len(), 8);
}
