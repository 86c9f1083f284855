//! Answers are checked by doing as they say: the problem is changed so, solved, and the effect that
//! they state is there.

mod effects;
mod snapshots;
mod substitutes;
mod supplies;
mod unplaced;

/// Draws, one after another.
struct Draw(u64);

impl Draw {
    /// A number below another one.
    fn below(&mut self, most: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % most
    }
}
