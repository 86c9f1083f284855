//! Dense ids, one type for each kind of thing, and the vectors they index.
//!
//! A problem has a dozen kinds of things, each in a list. An index into the wrong list is a mistake
//! that no test finds reliably and that the compiler finds always, where each list has an index
//! type of its own. The types cost nothing: an id is a `u32`, an [`IdVec`] a vector.

use std::marker::PhantomData;
use std::ops::{Index, IndexMut};

/// A dense id: a `u32` that indexes one kind of thing only.
///
/// Ids are ordered as what they stand for is in its list.
pub(crate) trait Id: Copy + Ord {
    fn from_index(index: usize) -> Self;
    fn index(self) -> usize;
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub(crate) struct $name(u32);

        impl Id for $name {
            fn from_index(index: usize) -> Self {
                // The input border bounds every count far below 2^32 (see `model::validate`).
                Self(u32::try_from(index).unwrap_or(u32::MAX))
            }

            fn index(self) -> usize {
                self.0 as usize
            }
        }
    )*};
}

ids! {
    /// Pods that no rule can tell apart, as the documents have them.
    ClassId;
    /// What is packed: a class, a part of one, or pods of several that must share a node.
    ItemId;
    /// One way to buy a node: a shape in a zone, a capacity type, at a price.
    OfferId;
    /// A node pool's use of an instance type, daemons counted.
    ShapeId;
    /// A node pool.
    PoolId;
    /// A running node that can take pods.
    NodeId;
    /// A set of rules about nodes, and the sites that meet them.
    EligibilityId;
    /// A reservation.
    ReservationId;
    /// A set of pods that some rule between pods means.
    SelectionId;
    /// A node label, other than the host's name, over whose values some rule counts.
    KeyId;
    /// A rule that lets a node hold so many pods of a selection and no more.
    CapId;
}

/// A vector indexed by one kind of id.
///
/// It grows at its end and never shrinks, so an id stays valid as long as its vector.
#[derive(Clone, Debug)]
pub(crate) struct IdVec<I, T> {
    items: Vec<T>,
    id: PhantomData<I>,
}

impl<I: Id, T> IdVec<I, T> {
    pub(crate) const fn new() -> Self {
        Self { items: Vec::new(), id: PhantomData }
    }

    pub(crate) fn push(&mut self, item: T) -> I {
        self.items.push(item);
        I::from_index(self.items.len() - 1)
    }

    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (I, &T)> + DoubleEndedIterator {
        self.items.iter().enumerate().map(|(index, item)| (I::from_index(index), item))
    }

    pub(crate) fn values_mut(&mut self) -> std::slice::IterMut<'_, T> {
        self.items.iter_mut()
    }

    pub(crate) fn values(&self) -> std::slice::Iter<'_, T> {
        self.items.iter()
    }

    pub(crate) fn ids(&self) -> impl ExactSizeIterator<Item = I> + use<I, T> {
        (0..self.items.len()).map(I::from_index)
    }
}

impl<I: Id, T> Default for IdVec<I, T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<I: Id, T> FromIterator<T> for IdVec<I, T> {
    fn from_iter<S: IntoIterator<Item = T>>(items: S) -> Self {
        Self { items: items.into_iter().collect(), id: PhantomData }
    }
}

impl<I: Id, T> Index<I> for IdVec<I, T> {
    type Output = T;

    fn index(&self, id: I) -> &T {
        &self.items[id.index()]
    }
}

impl<I: Id, T> IndexMut<I> for IdVec<I, T> {
    fn index_mut(&mut self, id: I) -> &mut T {
        &mut self.items[id.index()]
    }
}

/// Rows of one width, side by side, indexed by one kind of id.
///
/// One allocation for all rows.
#[derive(Clone, Debug)]
pub(crate) struct IdTable<I, T> {
    items: Vec<T>,
    width: usize,
    id: PhantomData<I>,
}

impl<I: Id, T: Clone> IdTable<I, T> {
    /// So many rows of so many equal items.
    pub(crate) fn filled(rows: usize, width: usize, item: T) -> Self {
        Self { items: vec![item; rows * width], width, id: PhantomData }
    }
}

impl<I: Id, T> Index<I> for IdTable<I, T> {
    type Output = [T];

    fn index(&self, id: I) -> &[T] {
        &self.items[id.index() * self.width..][..self.width]
    }
}

impl<I: Id, T> IndexMut<I> for IdTable<I, T> {
    fn index_mut(&mut self, id: I) -> &mut [T] {
        &mut self.items[id.index() * self.width..][..self.width]
    }
}
