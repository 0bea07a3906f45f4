//! Reasoning on the Chat wire: no standard has it, so hosts spell it in three members, sometimes in all of them at once.
//!
//! `reasoning_content` and `reasoning` are plain text. `reasoning_details` is a list of objects that some hosts want back
//! exactly as they sent it, signatures and encrypted items included; [`Details`] puts it together out of a stream.

use bytestring::ByteString;

use crate::json::{Kind, Text, Value, Writer};

/// The member that carries it as a list.
pub(super) const DETAILS_MEMBER: &str = "reasoning_details";

/// The members that carry reasoning, the most trusted first: two of plain text, and the list. The same text may stand in
/// several.
pub(super) const MEMBERS: [&str; 3] = ["reasoning_content", "reasoning", DETAILS_MEMBER];

/// How far a source of reasoning is trusted: a lower rank wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank(usize);

/// The reasoning text of a message or delta that has these [`MEMBERS`], from the most trusted that has any.
pub(super) fn text([best, other, details]: [Option<Value<'_>>; 3]) -> Option<(Rank, Vec<Text>)> {
    for (rank, member) in [best, other].into_iter().enumerate() {
        if let Some(text) = member.and_then(Value::text).filter(|text| !text.is_empty()) {
            return Some((Rank(rank), vec![text]));
        }
    }
    let texts: Vec<Text> = details?.items().filter_map(detail_text).collect();
    (!texts.is_empty()).then_some((Rank(2), texts))
}

/// The readable part of one item of `reasoning_details`.
fn detail_text(detail: Value<'_>) -> Option<Text> {
    ["text", "summary"]
        .into_iter()
        .find_map(|key| detail.get(key)?.text().filter(|text| !text.is_empty()))
}

/// Puts `reasoning_details` together: pieces of one item arrive in many chunks.
#[derive(Debug, Default)]
pub(super) struct Details {
    items: Vec<Item>,
    /// The items of the list before: a signature may come behind the reasoning it belongs to.
    finished: Vec<Item>,
}

#[derive(Debug, Clone, Default)]
struct Item {
    /// What tells the items of one reply apart: type and index, as received.
    key: (ByteString, ByteString),
    members: Vec<(ByteString, Member)>,
}

#[derive(Debug, Clone)]
enum Member {
    /// A string that grows from piece to piece.
    Growing(String),
    /// Anything else: the last one told counts.
    Whole(ByteString),
}

/// Members whose pieces are put behind each other.
const GROWING: [&str; 3] = ["text", "summary", "data"];

impl Details {
    /// Takes the items of one chunk, the value of its [`DETAILS_MEMBER`].
    pub(super) fn take(&mut self, details: Option<Value<'_>>) {
        for detail in details.into_iter().flat_map(Value::items) {
            if detail.kind() == Kind::Object {
                self.take_item(detail);
            }
        }
    }

    fn take_item(&mut self, detail: Value<'_>) {
        let raw = |key: &str| detail.get(key).map(Value::to_raw).unwrap_or_default();
        let key = (raw("type"), raw("index"));
        let is_late = detail.get("signature").is_some_and(|late| !late.is_null())
            && GROWING
                .iter()
                .all(|name| detail.get(name).is_none_or(is_empty));
        // A signature alone belongs to what was said, whether or not it repeats the index.
        let fits =
            |item: &Item| item.key == key || is_late && item.key.0 == key.0 && key.1.is_empty();
        let known = self.items.iter().rposition(fits);
        let at = known.unwrap_or_else(|| {
            let late = self.finished.iter().rfind(|item| fits(item));
            let item = late.filter(|_| is_late).cloned();
            self.items.push(item.unwrap_or_else(|| Item {
                key: key.clone(),
                members: Vec::new(),
            }));
            self.items.len() - 1
        });
        if let Some(item) = self.items.get_mut(at) {
            for (name, value) in detail.members() {
                item.take(&name, value);
            }
        }
    }

    /// The list as JSON, if it is more than plain text: hosts check that it comes back unmodified. Starts afresh.
    pub(super) fn finish(&mut self) -> Option<Text> {
        let items = std::mem::take(&mut self.items);
        if items.is_empty() {
            return None;
        }
        self.finished.clone_from(&items);
        if items.iter().all(Item::is_plain) {
            return None;
        }
        let mut w = Writer::default();
        w.begin_array();
        for item in &items {
            w.begin_object();
            for (name, member) in &item.members {
                match member {
                    Member::Growing(text) => w.member(name).str(text),
                    Member::Whole(raw) => w.member(name).raw(raw),
                };
            }
            w.end_object();
        }
        w.end_array();
        ByteString::try_from(w.into_bytes()).ok().map(Text::plain)
    }
}

/// Whether a member is there for form only.
fn is_empty(value: Value<'_>) -> bool {
    value.is_null() || value.is_str("")
}

impl Item {
    /// Whether it says nothing but its text, so that it can be written anew.
    fn is_plain(&self) -> bool {
        self.key.0 == "\"reasoning.text\""
            && self
                .members
                .iter()
                .all(|(name, _)| matches!(&**name, "type" | "text"))
    }

    fn take(&mut self, name: &str, value: Value<'_>) {
        if value.is_null() {
            return;
        }
        let piece = GROWING.contains(&name).then(|| value.str()).flatten();
        match (self.members.iter_mut().find(|(own, _)| own == name), piece) {
            (Some((_, Member::Growing(text))), Some(piece)) => text.push_str(&piece),
            (Some((_, member)), _) => *member = Member::Whole(value.to_raw()),
            (None, Some(piece)) => self
                .members
                .push((name.into(), Member::Growing(piece.into_owned()))),
            (None, None) => self
                .members
                .push((name.into(), Member::Whole(value.to_raw()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::scan;

    fn check_text(delta: &str, expected: &[&str]) {
        let doc = scan(&delta.into()).unwrap();
        let found = text(doc.root().pick(MEMBERS))
            .map(|(_, texts)| texts)
            .unwrap_or_default();
        assert_eq!(found, expected, "{delta}");
    }

    #[test]
    fn the_most_trusted_member_speaks() {
        check_text(
            r#"{"reasoning_content":"a","reasoning":"b","reasoning_details":[{"text":"c"}]}"#,
            &["a"],
        );
        check_text(r#"{"reasoning_content":null,"reasoning":"b"}"#, &["b"]);
        check_text(
            r#"{"reasoning_content":"","reasoning_details":[{"type":"reasoning.text","text":"c"},{"type":"reasoning.summary","summary":"d"}]}"#,
            &["c", "d"],
        );
        check_text(
            r#"{"reasoning_details":[{"type":"reasoning.encrypted","data":"x"}]}"#,
            &[],
        );
        check_text(r#"{"reasoning":{"effort":"low"}}"#, &[]);
    }

    fn check_details(chunks: &[&str], expected: Option<&str>) {
        let mut details = Details::default();
        for chunk in chunks {
            let body = format!(r#"{{"reasoning_details":{chunk}}}"#);
            details.take(scan(&body.into()).unwrap().root().get(DETAILS_MEMBER));
        }
        assert_eq!(
            details.finish().map(|text| text.to_string()).as_deref(),
            expected
        );
        assert!(details.finish().is_none(), "starts afresh");
    }

    #[test]
    fn pieces_of_an_item_are_put_together() {
        check_details(&[r#"[{"type":"reasoning.text","text":"a"}]"#], None);
        for kept in [
            r#"[{"type":"reasoning.text","text":"a","index":0}]"#,
            r#"[{"type":"reasoning.text","text":"a","format":"unknown"}]"#,
            r#"[{"type":"reasoning.summary","summary":"a"}]"#,
        ] {
            check_details(&[kept], Some(kept));
        }
        check_details(
            &[
                r#"[{"type":"reasoning.text","text":"a","index":0}]"#,
                r#"[{"type":"reasoning.text","signature":"S"}]"#,
            ],
            Some(r#"[{"type":"reasoning.text","text":"a","index":0,"signature":"S"}]"#),
        );
        check_details(
            &[
                r#"[{"type":"reasoning.text","text":"a","index":0,"signature":null}]"#,
                r#"[{"type":"reasoning.text","text":"b","index":0}]"#,
                r#"[{"type":"reasoning.text","signature":"S","index":0}]"#,
                r#"[{"type":"reasoning.encrypted","data":"D","index":1,"id":"rs_1"}]"#,
            ],
            Some(
                r#"[{"type":"reasoning.text","text":"ab","index":0,"signature":"S"},{"type":"reasoning.encrypted","data":"D","index":1,"id":"rs_1"}]"#,
            ),
        );
        check_details(&["[7,\"x\"]"], None);
    }
}
