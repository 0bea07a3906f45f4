//! `tools_allowed`: the tools a model is told about.

use lingate_route::glob_matches;
use lingate_wire::Decoded;
use lingate_wire::turn::ToolChoice;

/// Takes every tool out of the request whose name no glob matches; gives their paths. No globs allow all. Calls of such
/// tools in the history stay: they happened.
pub(crate) fn keep_allowed(decoded: &mut Decoded, globs: &[String]) -> Vec<String> {
    if globs.is_empty() {
        return Vec::new();
    }
    let is_allowed = |name: &str| globs.iter().any(|glob| glob_matches(glob, name));
    let tools = &mut decoded.turn.tools;
    let mut left_out: Vec<String> = (tools.iter().enumerate())
        .filter(|(_, tool)| !is_allowed(&tool.name().decode()))
        .map(|(at, _)| format!("tools[{at}]"))
        .collect();
    if left_out.is_empty() {
        return left_out;
    }
    tools.retain(|tool| is_allowed(&tool.name().decode()));
    // A choice of what is not there would be refused.
    let choice = &mut decoded.params.tool_choice;
    let is_void = match choice {
        Some(ToolChoice::Tool(name)) => !is_allowed(&name.decode()),
        Some(ToolChoice::Among { names, .. }) => {
            names.retain(|name| is_allowed(&name.decode()));
            names.is_empty()
        }
        Some(ToolChoice::Required) => tools.is_empty(),
        Some(ToolChoice::Auto | ToolChoice::None) | None => false,
    };
    if is_void {
        *choice = None;
        left_out.push("tool_choice".to_owned());
    }
    left_out
}

#[cfg(test)]
mod tests {
    use lingate_wire::anthropic;
    use serde_json::{Value, json};

    use super::*;

    #[track_caller]
    fn check(globs: &[&str], choice: Value, expected: &[&str], has_choice: bool, losses: &[&str]) {
        let tool = |name: &str| json!({"name": name, "input_schema": {}});
        let request = json!({
            "model": "m", "max_tokens": 9, "messages": [], "tool_choice": choice,
            "tools": [tool("Bash"), tool("mcp__a__x"), tool("mcp__b__y")],
        });
        let doc = anthropic::scan_request(&request.to_string().into()).unwrap();
        let mut decoded = anthropic::decode_request(&doc).unwrap();
        let globs: Vec<String> = globs.iter().map(|&glob| glob.to_owned()).collect();
        assert_eq!(keep_allowed(&mut decoded, &globs), losses, "{globs:?}");
        let names: Vec<String> = (decoded.turn.tools.iter())
            .map(|tool| tool.name().to_string())
            .collect();
        assert_eq!(names, expected, "{globs:?}");
        assert_eq!(
            decoded.params.tool_choice.is_some(),
            has_choice,
            "{globs:?}"
        );
    }

    #[test]
    fn only_what_a_glob_matches_is_declared() {
        let auto = json!({"type": "auto"});
        let any = json!({"type": "any"});
        let named = json!({"type": "tool", "name": "Bash"});
        let all = ["Bash", "mcp__a__x", "mcp__b__y"];
        check(&[], auto.clone(), &all, true, &[]);
        check(&["Bash", "mcp__*"], auto.clone(), &all, true, &[]);
        check(
            &["mcp__*__y"],
            auto,
            &["mcp__b__y"],
            true,
            &["tools[0]", "tools[1]"],
        );
        check(
            &["mcp__*"],
            named.clone(),
            &all[1..],
            false,
            &["tools[0]", "tool_choice"],
        );
        check(&["B*"], named, &["Bash"], true, &["tools[1]", "tools[2]"]);
        let none = ["tools[0]", "tools[1]", "tools[2]", "tool_choice"];
        check(&["Nothing"], any, &[], false, &none);
    }
}
