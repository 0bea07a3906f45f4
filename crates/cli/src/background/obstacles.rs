//! Whom a running gateway would leave alone now, and why: read out of what it tells of its providers.

use serde_json::Value;

/// Why a target would be left alone; none if it would be asked, or nothing is known of it.
pub(crate) fn obstacle(providers: &[Value], provider: &str, model: &str) -> Option<String> {
    let own = providers.iter().find(|own| is(own, "id", provider))?;
    if own.get("drained") == Some(&Value::Bool(true)) {
        return Some("drained by an operator".to_owned());
    }
    let mut targets = list(own, "targets");
    let target = targets.find(|target| is(target, "model", model) && is(target, "state", "out"));
    if let Some(target) = target {
        return Some(because(target));
    }
    // Every key is out, or limited for this model: the first that is free again counts.
    let keys: Option<Vec<&Value>> = list(own, "keys")
        .map(|key| key_obstacle(key, model))
        .collect();
    let first = keys?.into_iter().min_by_key(|own| text(own, "until"))?;
    Some(because(first))
}

fn key_obstacle<'v>(key: &'v Value, model: &str) -> Option<&'v Value> {
    if is(key, "state", "out") {
        return Some(key);
    }
    list(key, "limits").find(|limit| is(limit, "model", model))
}

/// `credential, until 2026-11-21T12:00:00Z`; nothing if there is no reason.
pub(crate) fn because(own: &Value) -> String {
    match (text(own, "reason"), text(own, "until")) {
        ("", _) => String::new(),
        (reason, "") => reason.to_owned(),
        (reason, until) => format!("{reason}, until {until}"),
    }
}

fn list<'v>(own: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> + use<'v> {
    let list = own.get(name).and_then(Value::as_array);
    list.into_iter().flatten()
}

fn is(own: &Value, name: &str, expected: &str) -> bool {
    text(own, name) == expected
}

fn text<'v>(own: &'v Value, name: &str) -> &'v str {
    own.get(name).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(provider: Value, expected: Option<&str>) {
        let got = obstacle(std::slice::from_ref(&provider), "p", "m");
        assert_eq!(got.as_deref(), expected, "{provider}");
    }

    #[test]
    fn what_stands_in_the_way_of_a_target() {
        let key = |state: &str, until: &str, limits: Value| json!({"state": state, "reason": "quota", "until": until, "limits": limits});
        let with = |keys: Value, targets: Value| json!({"id": "p", "drained": false, "keys": keys, "targets": targets});
        check(with(json!([]), json!([])), None);
        check(json!({"id": "q", "drained": true}), None);
        check(
            json!({"id": "p", "drained": true}),
            Some("drained by an operator"),
        );
        let open = json!([{"model": "m", "state": "out", "reason": "breaker open", "until": "T"}]);
        check(with(json!([]), open.clone()), Some("breaker open, until T"));
        let other = json!([{"model": "n", "state": "out", "reason": "breaker open", "until": "T"}]);
        check(with(json!([]), other), None);
        let (bad, good) = (key("out", "U", json!([])), key("ok", "", json!([])));
        check(with(json!([bad, good]), json!([])), None);
        check(with(json!([bad]), json!([])), Some("quota, until U"));
        let limited = key(
            "ok",
            "",
            json!([{"model": "m", "reason": "rate-limit", "until": "S"}]),
        );
        check(
            with(json!([bad, limited]), json!([])),
            Some("rate-limit, until S"),
        );
        let elsewhere = key(
            "ok",
            "",
            json!([{"model": "n", "reason": "rate-limit", "until": "S"}]),
        );
        check(with(json!([bad, elsewhere]), json!([])), None);
    }
}
