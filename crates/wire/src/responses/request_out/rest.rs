//! What items and tools said that the hub has no place for: copied with them, and lost where a stage changed them.

use std::ops::Range;

use super::Out;
use super::whole::received;
use crate::Wire;
use crate::turn::Node;

/// Whether a leftover member stood in an item or a tool.
pub(super) fn is_of_item(key: &str) -> bool {
    key.starts_with("input[") || key.starts_with("tools[")
}

impl Out<'_> {
    /// Notes it, on the own wire, where the bytes around it do not go out.
    pub(super) fn lose_rest_of_items(&mut self) {
        let extra = &self.decoded.params.extra;
        if !extra.iter().any(|(key, _)| is_of_item(key)) {
            return;
        }
        let copied = self.copied();
        for (key, raw) in extra.iter().filter(|(key, _)| is_of_item(key)) {
            let own = range(raw);
            let before = copied.partition_point(|around| around.start <= own.start);
            let around = before.checked_sub(1).and_then(|at| copied.get(at));
            if around.is_none_or(|around| own.end > around.end) {
                self.losses.add(key.to_string());
            }
        }
    }

    /// Where the received bytes are that go out again, in order.
    fn copied(&self) -> Vec<Range<usize>> {
        let turn = &self.decoded.turn;
        let mut copied = Vec::new();
        collect(&turn.system, &mut copied);
        collect(&turn.tools, &mut copied);
        for message in &turn.messages {
            match message.raw(Wire::Responses) {
                Some(raw) => copied.push(range(raw)),
                None => collect(&message.blocks, &mut copied),
            }
        }
        copied.sort_unstable_by_key(|range| range.start);
        copied
    }
}

fn collect<T>(nodes: &[Node<T>], copied: &mut Vec<Range<usize>>) {
    let raws = (0..nodes.len()).filter_map(|at| received(nodes, at));
    copied.extend(raws.map(|(raw, _)| range(raw)));
}

/// Where a piece of the received body is in memory: all pieces share the body's.
fn range(raw: &str) -> Range<usize> {
    let start = raw.as_ptr().addr();
    start..start + raw.len()
}
