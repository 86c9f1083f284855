//! The alternatives that a launch still has beside the pods that it holds.
//!
//! *Problem.* A node that must keep values open is asked, for each item that it has room for, how
//! many more of its pods leave enough of them. Where limits leave a choice few alternatives, most
//! answers are none, and each would go through all alternatives there are.
//!
//! *Idea.* What is too small for what a node holds, or doesn't go with it, never comes back while
//! pods are put there. So a node keeps the alternatives that are left, and once minimums bind their
//! *ceiling*: the last of the best values by each resource alone is the most of it that the node's
//! pods may use together, whoever they are.
//!
//! *Cost.* One look at what is left for each time that pods were put there and anything is asked.

use super::alternatives::AlternativeGroup;
use super::{Bits, Compiled};

/// How much of each resource a node's pods may use, once that was worked out: a part of the node,
/// and goes with it.
#[allow(clippy::disallowed_types, reason = "it is no state beside the node")]
type Ceiling = std::sync::OnceLock<Vec<i64>>;

/// What is left of a launch's alternatives.
#[derive(Debug)]
pub(super) struct OpenAlternatives {
    /// What the node's pods use.
    load: Vec<i64>,
    /// The places of the groups of alternatives that have as much, and of which any goes with those
    /// pods, in the order of the list.
    places: Vec<u32>,
    /// Of each key, the highest number of a value that any of them has.
    values: Vec<u32>,
    ceiling: Ceiling,
}

impl OpenAlternatives {
    /// Those of a list that have room for a load, and of which any is among these sites: of those
    /// that were left `before` less was held, where that is known.
    pub(super) fn of(
        compiled: &Compiled,
        list: &[AlternativeGroup],
        sites: &Bits,
        load: &[i64],
        before: Option<&Self>,
    ) -> Self {
        let is_left = |place: &u32| {
            let group = &list[*place as usize];
            has(&compiled.shapes[group.shape].allocatable, load) && group.overlaps(sites)
        };
        let before = before.filter(|before| has(load, &before.load));
        let places: Vec<u32> = match before {
            Some(before) => before.places.iter().copied().filter(is_left).collect(),
            None => (0..).take(list.len()).filter(is_left).collect(),
        };
        let mut values = vec![0; list.first().map_or(0, |group| group.states.len())];
        for place in &places {
            let states = &list[*place as usize].states;
            values.iter_mut().zip(states).for_each(|(most, state)| *most = *state.max(most));
        }
        Self { load: load.to_vec(), places, values, ceiling: Ceiling::new() }
    }

    /// Whether this is what is left beside such a load.
    pub(super) fn is_of(&self, load: &[i64]) -> bool {
        self.load == load
    }

    /// The groups of a list that are left.
    pub(super) fn groups<'l>(
        &self,
        list: &'l [AlternativeGroup],
    ) -> impl Iterator<Item = &'l AlternativeGroup> + use<'_, 'l> {
        self.places.iter().map(|place| &list[*place as usize])
    }

    /// How much of each resource the node's pods may use, where that was worked out.
    pub(super) fn known_ceiling(&self) -> Option<&[i64]> {
        self.ceiling.get().map(|ceiling| &ceiling[..])
    }

    /// A number above those of all values of a key that groups have which are left, or the choice
    /// itself.
    pub(super) fn values_of(&self, own: Option<&AlternativeGroup>, key: usize) -> usize {
        let of_own = own.map_or(0, |own| own.states[key]);
        let most = self.values.get(key).copied().unwrap_or(0).max(of_own);
        most as usize + 1
    }

    /// How much of each resource the node's pods may use so that so many values of each key are
    /// left: never too little. `own`: the choice, where it isn't in the list.
    pub(super) fn ceiling(
        &self,
        compiled: &Compiled,
        list: &[AlternativeGroup],
        own: Option<&AlternativeGroup>,
        missing: &[usize],
    ) -> &[i64] {
        self.ceiling.get_or_init(|| {
            let mut ceiling = vec![i64::MAX; compiled.dims.len()];
            for (key, missing) in missing.iter().enumerate() {
                let Some(last) = missing.checked_sub(1) else { continue };
                let of_key = self.groups(list).chain(own).filter(|group| group.states[key] != 0);
                // The most that any group with a value has, value by value as they come.
                let mut numbers: Vec<Option<usize>> = vec![None; self.values_of(own, key)];
                let mut most: Vec<i64> = Vec::new();
                for group in of_key {
                    let have = &compiled.shapes[group.shape].allocatable;
                    let number = &mut numbers[group.states[key] as usize];
                    match *number {
                        None => {
                            *number = Some(most.len());
                            most.extend(have);
                        }
                        Some(at) => {
                            let known = most[at..].iter_mut().zip(have);
                            known.for_each(|(most, have)| *most = *have.max(most));
                        }
                    }
                }
                let dims = ceiling.len();
                for (dim, ceiling) in ceiling.iter_mut().enumerate() {
                    let mut of_dim: Vec<i64> =
                        most.iter().skip(dim).step_by(dims).copied().collect();
                    // Fewer values than are asked for admit no pod, not even one that asks for
                    // nothing.
                    *ceiling = (*ceiling).min(nth_largest(&mut of_dim, last).unwrap_or(-1));
                }
            }
            ceiling
        })
    }
}

/// Whether there is as much of every resource.
fn has(room: &[i64], load: &[i64]) -> bool {
    room.iter().zip(load).all(|(have, used)| have >= used)
}

/// The largest but so many; `None` where there are no more than these.
pub(super) fn nth_largest<T: Copy + Ord>(of: &mut [T], but: usize) -> Option<T> {
    let place = of.len().checked_sub(but + 1)?;
    Some(*of.select_nth_unstable(place).1)
}

#[cfg(test)]
mod tests {
    use super::nth_largest;

    #[test]
    fn the_largest_but_so_many_is_that_of_the_sorted_ones() {
        let mut numbers = [5, 1, 9, 9, 3];
        for (but, expected) in
            [Some(9), Some(9), Some(5), Some(3), Some(1), None].iter().enumerate()
        {
            assert_eq!(nth_largest(&mut numbers, but), *expected, "{but}");
        }
        assert_eq!(nth_largest::<u32>(&mut [], 0), None);
    }
}
