//! `GET /v1/models`.

use serde_json::Value;

use crate::harness::Lingate;

const CONFIG: &str = r#"
    default = "kimi"
    [providers.up]
    base_url = "http://127.0.0.1:1"
    speaks = ["chat"]
    [models.kimi]
    name = "Kimi K2.6"
    targets = ["up/moonshotai/kimi-k2.6"]
    context = 262144
    max_output = 32000
    [aliases]
    "claude-opus-*" = "kimi"
    "fast" = "kimi"
"#;

#[tokio::test]
async fn one_list_for_both_kinds_of_clients() {
    let lingate = Lingate::start(CONFIG).await;
    let list = lingate
        .get("/v1/models?limit=1000")
        .send()
        .await
        .json()
        .await;
    assert_eq!(
        (&list["object"], &list["has_more"]),
        (&"list".into(), &false.into())
    );
    let data = list["data"].as_array().unwrap();
    let ids: Vec<&str> = data
        .iter()
        .filter_map(|model| model["id"].as_str())
        .collect();
    for id in ["kimi", "anthropic/kimi", "fast"] {
        assert!(ids.contains(&id), "{id} in {ids:?}");
    }
    assert_eq!(list["first_id"], data.first().unwrap()["id"]);
    assert_eq!(list["last_id"], data.last().unwrap()["id"]);
    let kimi: &Value = data
        .iter()
        .find(|model| model["id"] == "anthropic/kimi")
        .unwrap();
    assert_eq!(
        (&kimi["type"], &kimi["object"]),
        (&"model".into(), &"model".into())
    );
    assert_eq!(kimi["display_name"], "Kimi K2.6");
    assert_eq!(kimi["max_input_tokens"], 262_144);
    assert_eq!(kimi["max_tokens"], 32_000);
    assert!(kimi["created"].is_u64() && kimi["created_at"].is_string());
}

#[tokio::test]
async fn one_model_by_every_spelling_of_its_id() {
    let lingate = Lingate::start(CONFIG).await;
    for id in [
        "kimi",
        "kimi[1m]",
        "anthropic/kimi",
        "anthropic%2Fkimi",
        "anthropic/kimi[1m]",
    ] {
        let response = lingate
            .get(&format!(
                "/v1/models/{}",
                id.replace('[', "%5B").replace(']', "%5D")
            ))
            .send()
            .await;
        assert_eq!(response.status, 200, "{id}");
        assert_eq!(response.json().await["id"], id.replace("%2F", "/"));
    }
    let response = lingate.get("/v1/models/gpt-99").send().await;
    assert_eq!(response.status, 404);
    assert_eq!(response.json().await["error"]["type"], "not_found_error");
}
