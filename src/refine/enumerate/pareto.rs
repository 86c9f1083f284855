//! What pods on nodes cost at least, where something is scarce: Pareto fronts of costs and uses.
//!
//! As [`exact::front`](super::super::exact), with the origin of each point beside it, so that a
//! plan can be read off; and with supplies of which using less isn't better in itself, since a pool
//! of a higher weight that has room left keeps others from launching.

use super::super::cancel::Cancel;

/// Steps between two questions whether the caller wishes to stop.
const BETWEEN: u64 = 1 << 14;

/// No place at all.
pub(super) const NOWHERE: u32 = u32::MAX;

/// What a point was made of; what the numbers mean depends on the table that it is in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct PointOrigin {
    /// A place, or the index of a point.
    pub(super) at: u32,
    /// The number of the vector of pods there.
    pub(super) part: u32,
    /// The index of the point of the other pods.
    pub(super) rest: u32,
}

impl PointOrigin {
    /// Made of nothing.
    pub(super) const NONE: Self = Self { at: NOWHERE, part: 0, rest: 0 };

    pub(super) fn new(at: usize, part: usize, rest: usize) -> Self {
        let narrow = |number: usize| u32::try_from(number).unwrap_or(NOWHERE);
        Self { at: narrow(at), part: narrow(part), rest: narrow(rest) }
    }
}

/// One way to have some pods on nodes.
#[derive(Clone, Debug)]
pub(super) struct ParetoPoint {
    /// What it costs per hour in billionths, with what unmet preferences count for.
    pub(super) cost: i128,
    /// How much of each supply it uses.
    pub(super) uses: Vec<i64>,
    pub(super) origin: PointOrigin,
}

/// Points of which none is at least as good as another in everything, the cheapest first.
pub(super) type ParetoFront = Vec<ParetoPoint>;

/// What a point may cost and use to be of interest, and how long the search may go on.
pub(super) struct SearchBudget<'a> {
    /// It must cost less.
    pub(super) limit: i128,
    /// How much there is of each supply.
    pub(super) left: Vec<i64>,
    /// For each supply, whether using less of it isn't better in itself: where something is left, a
    /// pool of a lower weight may launch less.
    pub(super) told: Vec<bool>,
    /// How many more steps may be made.
    pub(super) steps: u64,
    pub(super) cancel: &'a Cancel<'a>,
}

impl SearchBudget<'_> {
    /// Makes so many steps; `None` where that is too many, or the caller wishes to stop.
    pub(super) fn spend(&mut self, steps: u64) -> Option<()> {
        let before = self.steps / BETWEEN;
        self.steps = self.steps.checked_sub(steps)?;
        let asks = self.steps / BETWEEN < before;
        (!asks || !self.cancel.now()).then_some(())
    }

    /// Adds a point to a front if it is of interest.
    pub(super) fn add(
        &self,
        front: &mut ParetoFront,
        cost: i128,
        uses: impl Fn(usize) -> i64,
        origin: PointOrigin,
    ) {
        let supplies = 0..self.left.len();
        if cost >= self.limit || supplies.clone().any(|at| uses(at) > self.left[at]) {
            return;
        }
        let beats = |one: i64, other: i64, at: usize| {
            if self.told[at] { one == other } else { one <= other }
        };
        let worse = |one: &ParetoPoint| {
            one.cost <= cost && supplies.clone().all(|at| beats(one.uses[at], uses(at), at))
        };
        if front.iter().any(worse) {
            return;
        }
        front.retain(|one| {
            one.cost < cost || supplies.clone().any(|at| !beats(uses(at), one.uses[at], at))
        });
        let point = ParetoPoint { cost, uses: supplies.map(&uses).collect(), origin };
        let at = front.partition_point(|one| (one.cost, &one.uses) < (point.cost, &point.uses));
        front.insert(at, point);
    }
}
