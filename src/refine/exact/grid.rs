//! Numbers of pods of each class, as indices: a table over all of them is a vector.

/// All vectors of numbers up to given ones, numbered such that differences of vectors are
/// differences of numbers; later places count less.
#[derive(Clone, Debug)]
pub(in crate::refine) struct CountIndex {
    most: Vec<u32>,
    strides: Vec<usize>,
    len: usize,
}

impl CountIndex {
    /// The vectors of numbers up to these; `None` where there are too many.
    pub(in crate::refine) fn new(most: &[u32], limit: usize) -> Option<Self> {
        let mut strides = vec![0; most.len()];
        let mut len = 1_usize;
        for (stride, most) in strides.iter_mut().zip(most).rev() {
            *stride = len;
            len = len.checked_mul(*most as usize + 1).filter(|len| *len <= limit)?;
        }
        Some(Self { most: most.to_vec(), strides, len })
    }

    /// How many vectors there are.
    pub(in crate::refine) fn len(&self) -> usize {
        self.len
    }

    /// The number of a vector.
    pub(in crate::refine) fn number(&self, vector: &[u32]) -> usize {
        self.strides.iter().zip(vector).map(|(stride, count)| stride * *count as usize).sum()
    }

    /// How much a number grows by one more at a place.
    pub(in crate::refine) fn stride(&self, place: usize) -> usize {
        self.strides[place]
    }

    /// The vector of a number.
    pub(in crate::refine) fn vector(&self, mut number: usize) -> Vec<u32> {
        let of_stride = |stride: &usize| {
            let count = number / stride;
            number %= stride;
            count as u32
        };
        self.strides.iter().map(of_stride).collect()
    }

    /// The vector that is left of the largest beside that of a number.
    pub(in crate::refine) fn rest(&self, number: usize) -> Vec<u32> {
        let used = self.vector(number);
        self.most.iter().zip(used).map(|(most, used)| most - used).collect()
    }

    /// How many vectors there are between two.
    pub(in crate::refine) fn between(&self, least: &[u32], most: &[u32]) -> u64 {
        let each = least
            .iter()
            .zip(most)
            .map(|(least, most)| u64::from((most + 1).saturating_sub(*least)));
        each.fold(1, u64::saturating_mul)
    }

    /// The numbers of the vectors between two, both included, ascending.
    pub(in crate::refine) fn range<'a>(
        &'a self,
        least: &'a [u32],
        most: &'a [u32],
    ) -> CountVectors<'a> {
        let empty = least.iter().zip(most).any(|(least, most)| least > most);
        let next = (!empty).then(|| self.number(least));
        CountVectors { grid: self, least, most, vector: least.to_vec(), next }
    }
}

/// The numbers of the vectors between two.
pub(in crate::refine) struct CountVectors<'a> {
    grid: &'a CountIndex,
    least: &'a [u32],
    most: &'a [u32],
    vector: Vec<u32>,
    next: Option<usize>,
}

impl Iterator for CountVectors<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let number = self.next?;
        let mut following = number;
        self.next = None;
        for at in (0..self.vector.len()).rev() {
            if self.vector[at] < self.most[at] {
                self.vector[at] += 1;
                self.next = Some(following + self.grid.strides[at]);
                break;
            }
            following -= self.grid.strides[at] * (self.vector[at] - self.least[at]) as usize;
            self.vector[at] = self.least[at];
        }
        Some(number)
    }
}
