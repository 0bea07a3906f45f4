//! What tool messages can and cannot hold.

use super::*;

#[test]
fn what_a_tool_message_cannot_hold_goes_behind_the_batch() {
    let png = json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}});
    let pdf = json!({"type": "document", "title": "a.pdf", "source": {"type": "base64", "media_type": "application/pdf", "data": "BB=="}});
    let text = json!({"type": "document", "source": {"type": "base64", "media_type": "text/plain", "data": "aGk="}});
    let messages = json!([
        {"role": "assistant", "content": [call("x"), call("y"), call("z")]},
        user(json!([result("x", json!([png, png])), result("y", json!([{"type": "text", "text": "read"}, pdf])), result("z", json!([text])), {"type": "text", "text": "see"}])),
    ]);
    let image = json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}});
    let file = json!({"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,BB=="}});
    check(
        messages.clone(),
        json!([
            called(&["x", "y", "z"]),
            answered("x", "[2 image(s) attached in the next user message]"),
            answered(
                "y",
                "read\n[1 document(s) attached in the next user message]"
            ),
            answered("z", "hi"),
            user(json!([image, image, file, {"type": "text", "text": "see"}])),
        ]),
        &[],
    );
    let no_files = Dialect {
        has_files: false,
        ..Dialect::default()
    };
    let (body, losses) = from_anthropic(&json!({"messages": messages}), &no_files);
    assert_eq!(
        body["messages"][2],
        answered("y", "read\n[a.pdf left out: this provider takes no files]")
    );
    assert_eq!(losses, ["messages[1].content[1].content[1]"]);
}

#[test]
fn results_empty_failed_referring_and_found() {
    let outcome = |result: Value| {
        let (body, _) = from_anthropic(
            &json!({"messages": [{"role": "assistant", "content": [call("x")]}, user(json!([result]))]}),
            &Dialect::default(),
        );
        body["messages"][1]["content"].clone()
    };
    let failed = |content: Value| json!({"type": "tool_result", "tool_use_id": "x", "content": content, "is_error": true});
    assert_eq!(outcome(result("x", json!(""))), "(empty)");
    assert_eq!(
        outcome(json!({"type": "tool_result", "tool_use_id": "x"})),
        "(empty)"
    );
    assert_eq!(outcome(failed(json!("exit 1"))), "Error: exit 1");
    assert_eq!(
        outcome(failed(
            json!([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}])
        )),
        "Error: a\nb"
    );
    assert_eq!(outcome(failed(json!(""))), "Error: (empty)");
    assert_eq!(
        outcome(result(
            "x",
            json!([{"type": "tool_reference", "tool_name": "WebFetch"}])
        )),
        "Tool loaded: WebFetch"
    );
    let found = json!({"type": "search_result", "source": "s", "title": "t", "content": [{"type": "text", "text": "passage"}]});
    assert_eq!(outcome(result("x", json!([found]))), "t\ns\npassage");
}

#[test]
fn pictures_by_address() {
    let picture = json!([user(
        json!([{"type": "image", "source": {"type": "url", "url": "https://x/y.png"}}])
    )]);
    check(
        picture.clone(),
        json!([user(
            json!([{"type": "image_url", "image_url": {"url": "https://x/y.png"}}])
        )]),
        &[],
    );
    let no_urls = Dialect {
        has_image_urls: false,
        ..Dialect::default()
    };
    check_with(
        &no_urls,
        picture,
        json!([user(json!("[Image: https://x/y.png]"))]),
        &["messages[0].content[0]"],
    );
}
