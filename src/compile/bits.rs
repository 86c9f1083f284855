//! Sets of small numbers as bits.
//!
//! Eligibility is a matrix of classes and sites, read by rows and by columns, intersected all the
//! time. As bits it is 64 times smaller than as bytes, and an intersection is one instruction for
//! 64 sites.

use smallvec::{SmallVec, smallvec};

/// Words of bits. Sets of few numbers (rows, ports, daemons) are by far the most, and need no
/// memory of their own.
type Words = SmallVec<[u64; 2]>;

/// A set of numbers below a length that is fixed when it is made.
///
/// Two sets that are combined have to be of one length; bits beyond it are zero, so equality is
/// that of words.
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Bits {
    words: Words,
}

impl Bits {
    /// None of the numbers below `len`.
    pub(crate) fn none(len: usize) -> Self {
        Self { words: smallvec![0; len.div_ceil(64)] }
    }

    /// All of the numbers below `len`.
    pub(crate) fn all(len: usize) -> Self {
        let mut words: Words = smallvec![u64::MAX; len.div_ceil(64)];
        if let Some(last) = words.last_mut()
            && !len.is_multiple_of(64)
        {
            *last = (1 << (len % 64)) - 1;
        }
        Self { words }
    }

    pub(crate) fn insert(&mut self, bit: usize) {
        self.words[bit / 64] |= 1 << (bit % 64);
    }

    pub(crate) fn remove(&mut self, bit: usize) {
        self.words[bit / 64] &= !(1 << (bit % 64));
    }

    /// `false` beyond the length.
    pub(crate) fn contains(&self, bit: usize) -> bool {
        self.words.get(bit / 64).is_some_and(|word| word >> (bit % 64) & 1 == 1)
    }

    pub(crate) fn and(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(mine, theirs)| *mine &= theirs);
    }

    pub(crate) fn or(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(mine, theirs)| *mine |= theirs);
    }

    pub(crate) fn and_not(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(mine, theirs)| *mine &= !theirs);
    }

    /// Whether they have a number in common.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        self.words.iter().zip(&other.words).any(|(mine, theirs)| mine & theirs != 0)
    }

    /// Whether every number of the other is in this set.
    pub(crate) fn includes(&self, other: &Self) -> bool {
        self.words.iter().zip(&other.words).all(|(mine, theirs)| theirs & !mine == 0)
    }

    /// Whether it has all that two others have in common.
    pub(crate) fn includes_common(&self, one: &Self, other: &Self) -> bool {
        let words = self.words.iter().zip(&one.words).zip(&other.words);
        words.into_iter().all(|((mine, one), other)| one & other & !mine == 0)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    pub(crate) fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// The numbers in the set, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.words.iter().enumerate().flat_map(|(at, word)| {
            std::iter::successors(Some(*word), |rest| Some(rest & rest.wrapping_sub(1)))
                .take_while(|rest| *rest != 0)
                .map(move |rest| at * 64 + rest.trailing_zeros() as usize)
        })
    }

    /// The same numbers in a set of another length, as far as they are below it.
    pub(crate) fn resized(&self, len: usize) -> Self {
        let mut words = self.words.clone();
        words.resize(len.div_ceil(64), 0);
        Self { words }
    }

    /// The empty set of the same length.
    pub(crate) fn emptied(&self) -> Self {
        Self { words: smallvec![0; self.words.len()] }
    }
}

/// The transpose of a matrix of bits: set `i` of the result holds `j` where set `j` of `rows` held
/// `i`.
///
/// Works on blocks of 64 × 64, so the cost is that of reading the words, not the bits.
pub(crate) fn transpose<'a>(
    rows: impl ExactSizeIterator<Item = &'a Bits>,
    len: usize,
) -> Vec<Bits> {
    let count = rows.len();
    let rows: Vec<&Bits> = rows.collect();
    let mut out = vec![Bits::none(count); len];
    for (high, block) in rows.chunks(64).enumerate() {
        for word in 0..len.div_ceil(64) {
            let mut square = [0_u64; 64];
            for (slot, row) in square.iter_mut().zip(block) {
                *slot = row.words[word];
            }
            transpose_square(&mut square);
            for (bits, column) in out[word * 64..].iter_mut().zip(&square) {
                bits.words[high] = *column;
            }
        }
    }
    out
}

/// Transposes 64 words of 64 bits in place by swapping ever smaller off-diagonal blocks.
///
/// Source: Hacker's Delight, 7-3.
fn transpose_square(square: &mut [u64; 64]) {
    let mut width = 32;
    let mut mask = u64::MAX >> 32;
    while width != 0 {
        let mut row = 0;
        while row < 64 {
            let swap = (square[row] >> width ^ square[row + width]) & mask;
            square[row] ^= swap << width;
            square[row + width] ^= swap;
            row = (row + width + 1) & !width;
        }
        width >>= 1;
        mask ^= mask << width;
    }
}

#[cfg(test)]
mod tests {
    use super::{Bits, transpose};

    #[test]
    fn a_transpose_swaps_the_indices() {
        let rows: Vec<Bits> = (0..130)
            .map(|row| {
                let mut bits = Bits::none(200);
                (0..200)
                    .filter(|bit| (row * 7 + bit * 13) % 5 == 0)
                    .for_each(|bit| bits.insert(bit));
                bits
            })
            .collect();
        let columns = transpose(rows.iter(), 200);
        assert_eq!(columns.len(), 200);
        for (at, column) in columns.iter().enumerate() {
            for (row, bits) in rows.iter().enumerate() {
                assert_eq!(column.contains(row), bits.contains(at), "row {row}, column {at}");
            }
        }
    }

    #[test]
    fn sets_behave_as_sets() {
        let mut bits = Bits::none(70);
        bits.insert(3);
        bits.insert(69);
        assert_eq!(bits.iter().collect::<Vec<_>>(), [3, 69]);
        assert!(Bits::all(70).includes(&bits) && !bits.includes(&Bits::all(70)));
        assert_eq!(Bits::all(70).count(), 70);
        bits.remove(3);
        assert!(!bits.contains(3) && bits.contains(69) && !bits.contains(1000));
        bits.and(&Bits::none(70));
        assert!(bits.is_empty());
    }
}
