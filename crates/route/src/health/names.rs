//! Keys of the board's maps. An exchange looks a dozen of them up, so that none is owned to be found.
//!
//! The maps are `hashbrown`'s own for that, and for its quick hash: names may come from clients, but the board forgets
//! beyond a few thousand of them, so that many with one hash are no more than a detour.

use std::hash::Hash;

use hashbrown::hash_map::EntryRef;
use hashbrown::{Equivalent, HashMap};

/// A target: a model at a provider.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct TargetName {
    pub provider: String,
    pub model: String,
}

/// The same, borrowed. It hashes alike, because its members do.
#[derive(Debug, Clone, Copy, Hash)]
pub(super) struct AskedTarget<'a> {
    pub provider: &'a str,
    pub model: &'a str,
}

/// The keys of a provider, or what one of its callers shows of their own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct PoolName {
    pub provider: String,
    /// The caller's fingerprint; 0 for the provider's own keys.
    pub caller: u64,
}

/// The same, borrowed.
#[derive(Debug, Clone, Copy, Hash)]
pub(super) struct AskedPool<'a> {
    pub provider: &'a str,
    pub caller: u64,
}

/// What is known under a name; as good as new where that is nothing yet.
pub(super) fn known<'m, K, Q, V>(map: &'m mut HashMap<K, V>, name: &Q) -> &'m mut V
where
    K: Eq + Hash + for<'q> From<&'q Q>,
    Q: Hash + Equivalent<K>,
    V: Default,
{
    match map.entry_ref(name) {
        EntryRef::Occupied(entry) => entry.into_mut(),
        EntryRef::Vacant(entry) => entry.insert_with_key(name.into(), V::default()),
    }
}

impl Equivalent<TargetName> for AskedTarget<'_> {
    fn equivalent(&self, name: &TargetName) -> bool {
        self.provider == name.provider && self.model == name.model
    }
}

impl Equivalent<PoolName> for AskedPool<'_> {
    fn equivalent(&self, name: &PoolName) -> bool {
        self.caller == name.caller && self.provider == name.provider
    }
}

impl From<&AskedTarget<'_>> for TargetName {
    fn from(name: &AskedTarget<'_>) -> Self {
        Self {
            provider: name.provider.to_owned(),
            model: name.model.to_owned(),
        }
    }
}

impl From<&AskedPool<'_>> for PoolName {
    fn from(name: &AskedPool<'_>) -> Self {
        Self {
            provider: name.provider.to_owned(),
            caller: name.caller,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was put in owned is found borrowed, and nothing else is.
    #[test]
    fn borrowed_names_find_owned_ones() {
        let mut targets: HashMap<TargetName, u32> = HashMap::new();
        let mut pools: HashMap<PoolName, u32> = HashMap::new();
        for n in 0..100 {
            let (provider, model) = (format!("p{}", n % 10), format!("m{n}"));
            let (provider, model) = (provider.as_str(), model.as_str());
            *known(&mut targets, &AskedTarget { provider, model }) += n;
            let caller = u64::from(n / 10);
            *known(&mut pools, &AskedPool { provider, caller }) += n;
        }
        let target = |provider, model| targets.get(&AskedTarget { provider, model }).copied();
        let pool = |provider, caller| pools.get(&AskedPool { provider, caller }).copied();
        assert_eq!((targets.len(), pools.len()), (100, 100));
        assert_eq!(target("p3", "m43"), Some(43));
        assert_eq!((target("p4", "m43"), target("p3", "m44")), (None, None));
        assert_eq!(target("p3m", "43"), None, "the border between them counts");
        assert_eq!((pool("p3", 4), pool("p3", 10)), (Some(43), None));
    }
}
