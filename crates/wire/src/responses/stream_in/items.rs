//! The items of a reply, found by what an event says of them: however many there are, an event costs the same.

use std::collections::HashMap;

use super::item::Item;
use crate::json::Text;

/// All items so far, in the order they began.
#[derive(Debug, Default)]
pub(super) struct Items {
    list: Vec<Item>,
    /// The newest item of each place and of each id.
    by_index: HashMap<u64, usize>,
    by_id: HashMap<String, usize>,
    /// Those that were not done when last looked at, the newest last.
    open: Vec<usize>,
}

impl Items {
    /// The place of an item: by its index, else by its id, else it is the newest that is not done. One that is not known is
    /// begun.
    pub(super) fn find(&mut self, id: Option<&Text>, index: Option<u64>) -> usize {
        let known = match (index, id) {
            (Some(index), _) => self.at_index(index),
            (None, Some(id)) => self.by_id.get(&*id.decode()).copied(),
            (None, None) => self.newest_open(),
        };
        known.unwrap_or_else(|| self.begin(id, index))
    }

    /// Calls `act` with an item, which may learn its id.
    pub(super) fn with(&mut self, at: usize, act: impl FnOnce(&mut Item)) {
        let Some(item) = self.list.get_mut(at) else {
            return;
        };
        let had_id = item.id.is_some();
        act(item);
        if let Some(id) = item.id.as_ref().filter(|_| !had_id) {
            self.by_id.insert(id.decode().into_owned(), at);
        }
    }

    /// The oldest item of each id: what a finished response is compared with.
    pub(super) fn oldest_by_id(&self) -> HashMap<String, usize> {
        let newest_first = self.list.iter().enumerate().rev();
        newest_first
            .filter_map(|(at, item)| Some((item.id.as_ref()?.decode().into_owned(), at)))
            .collect()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Item> {
        self.list.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Item> {
        self.list.iter_mut()
    }

    fn at_index(&self, index: u64) -> Option<usize> {
        // Most events are about the newest item.
        match self.list.last() {
            Some(last) if last.index == Some(index) => Some(self.list.len() - 1),
            _ => self.by_index.get(&index).copied(),
        }
    }

    fn newest_open(&mut self) -> Option<usize> {
        while let Some(at) = self.open.last().copied() {
            if self.list.get(at).is_some_and(|item| !item.is_done()) {
                return Some(at);
            }
            self.open.pop();
        }
        None
    }

    fn begin(&mut self, id: Option<&Text>, index: Option<u64>) -> usize {
        let at = self.list.len();
        self.list.push(Item::new(id.cloned(), index));
        self.open.push(at);
        if let Some(index) = index {
            self.by_index.insert(index, at);
        }
        if let Some(id) = id {
            self.by_id.insert(id.decode().into_owned(), at);
        }
        at
    }
}
