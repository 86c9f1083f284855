//! Numbers for keys: equal keys get equal numbers, in the order of first sight.
//!
//! Comparing and hashing the parts of a million pods again and again is what compiling would spend
//! its time on. Interned once, equal parts are equal numbers. Numbers don't depend on the hash:
//! they count first sights, so they are the same in every run and on every machine.

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use std::hash::{BuildHasher, Hash};

/// Gives each distinct key a number. Only ever looked up in, never walked in hash order.
///
/// Keys are kept in a vector, by number; the table holds numbers only.
#[derive(Clone, Debug)]
pub(crate) struct Interner<K> {
    keys: Vec<K>,
    table: HashTable<u32>,
    hasher: FixedState,
}

impl<K: Eq + Hash> Interner<K> {
    pub(crate) fn new() -> Self {
        Self { keys: Vec::new(), table: HashTable::new(), hasher: FixedState::with_seed(0) }
    }

    /// The number of a key, which is kept if it is new.
    ///
    /// One hash and, where it is known, one comparison; a key is cloned only when it is new.
    pub(crate) fn intern<Q>(&mut self, key: &Q) -> u32
    where
        Q: Eq + Hash + ?Sized + ToKey<K>,
        K: std::borrow::Borrow<Q>,
    {
        let hash = self.hasher.hash_one(key);
        let keys = &self.keys;
        if let Some(found) = self.table.find(hash, |at| keys[*at as usize].borrow() == key) {
            return *found;
        }
        let number = u32::try_from(self.keys.len()).unwrap_or(u32::MAX);
        self.keys.push(key.to_key());
        let (keys, hasher) = (&self.keys, &self.hasher);
        let _slot = self.table.insert_unique(hash, number, |at| {
            let known: &Q = keys[*at as usize].borrow();
            hasher.hash_one(known)
        });
        number
    }
}

/// A borrowed key that can be kept.
///
/// Like `ToOwned`, for pairs of types that the standard library doesn't connect.
pub(crate) trait ToKey<K> {
    fn to_key(&self) -> K;
}

impl ToKey<std::sync::Arc<str>> for std::sync::Arc<str> {
    fn to_key(&self) -> std::sync::Arc<str> {
        self.clone()
    }
}

impl ToKey<Vec<u32>> for [u32] {
    fn to_key(&self) -> Vec<u32> {
        self.to_vec()
    }
}
