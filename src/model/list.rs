//! A list that its copies share: what changes a copy of a problem copies the lists that it changes,
//! and a million pods that are alike but for their names have their lists once.
//!
//! The problem of a what-if: it changes one entry of a problem of a million, and has to leave the
//! rest alone. So a list is an `Arc` of a vector, cloned in constant time and copied only by
//! [`List::to_mut`] while others hold it. An empty list holds no `Arc` at all: most of a pod's nine
//! lists are empty, and a million pods would pay for each. Two lists that share their memory are
//! equal without a look at their items.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

/// A list of which clones are cheap; an empty one takes no memory of its own.
///
/// One pointer wide. It derefs to a slice, compares, hashes and sorts as that slice does, and takes
/// a vector's excess capacity back when it is made of one.
pub(crate) struct List<T>(Option<Arc<Vec<T>>>);

impl<T> List<T> {
    pub(crate) const fn new() -> Self {
        Self(None)
    }
}

impl<T: PartialEq> List<T> {
    /// Shares the memory of another list where both hold the same.
    ///
    /// Afterwards comparing the two takes constant time.
    pub(crate) fn share(&mut self, other: &Self) {
        if self == other {
            self.0.clone_from(&other.0);
        }
    }
}

impl<T: Clone> List<T> {
    /// The list, to be changed: a copy where others share it.
    ///
    /// It allocates even where nothing is pushed then; [`List::items_mut`] doesn't.
    pub(crate) fn to_mut(&mut self) -> &mut Vec<T> {
        Arc::make_mut(self.0.get_or_insert_default())
    }

    /// Its items, to be changed; an empty list stays as it is.
    pub(crate) fn items_mut(&mut self) -> &mut [T] {
        match &mut self.0 {
            Some(list) => Arc::make_mut(list).as_mut_slice(),
            None => &mut [],
        }
    }
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Clone for List<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Deref for List<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.0.as_ref().map_or(&[], |list| list.as_slice())
    }
}

impl<T: fmt::Debug> fmt::Debug for List<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: PartialEq> PartialEq for List<T> {
    fn eq(&self, other: &Self) -> bool {
        let same = matches!((&self.0, &other.0), (Some(a), Some(b)) if Arc::ptr_eq(a, b));
        same || **self == **other
    }
}

impl<T: Eq> Eq for List<T> {}

impl<T: PartialOrd> PartialOrd for List<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        (**self).partial_cmp(&**other)
    }
}

impl<T: Ord> Ord for List<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (**self).cmp(&**other)
    }
}

impl<T: Hash> Hash for List<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl<T> From<Vec<T>> for List<T> {
    fn from(mut list: Vec<T>) -> Self {
        list.shrink_to_fit();
        Self((!list.is_empty()).then(|| Arc::new(list)))
    }
}

impl<T> FromIterator<T> for List<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Vec::from_iter(items).into()
    }
}

impl<'a, T> IntoIterator for &'a List<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
