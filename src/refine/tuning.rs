//! How far refinement searches: every number that work is limited by, by the step that it limits.
//!
//! None claims to be optimal: the history keeps what whole changes brought, not trials of single
//! numbers. Whoever changes one measures cost and time before and after, and says so beside it.
//! Tolerances of arithmetic aren't here: they stand where the arithmetic is.

/// Column generation, stage by stage.
pub(super) mod stages {
    /// How many demands have rows of their own, stage by stage.
    pub(in crate::refine) const STAGES: [usize; 6] = [16, 64, 160, 400, 1000, 2500];
    /// Where demands × bins are no more, all demands have rows of their own from the start.
    pub(in crate::refine) const FEW: usize = 3000;
    /// So many demands are packed at the bound's prices: a relaxation of their own takes too long.
    pub(in crate::refine) const MANY_DEMANDS: usize = 600;
    /// Demands with rows of their own from which on the relaxation is solved closely.
    pub(in crate::refine) const MANY: usize = 100;
    /// Rounds in which a relaxation with shared rows has to improve by so much, in proportion.
    pub(in crate::refine) const TAIL: u32 = 12;
    pub(in crate::refine) const SLOW: f64 = 1e-4;
}

/// The search for a better plan of one tier.
pub(super) mod tier {
    use crate::refine::backend::SolverEffort;

    /// Shares of a pattern's fraction from which on it is rounded up; above one: never.
    pub(in crate::refine) const ROUND_UP: [f64; 4] = [2.0, 0.9, 0.75, 0.5];
    /// Plans that are made in each stage, with values corrected by the one before.
    pub(in crate::refine) const CORRECTIONS: u32 = 24;
    /// Attempts to improve a plan in each stage.
    pub(in crate::refine) const ATTEMPTS: u32 = 12;
    /// Corrections and attempts where demands are many and each takes long.
    pub(in crate::refine) const FEWER: u32 = 10;
    /// How far plans' values go beyond the bound's, or below.
    pub(in crate::refine) const MOST_BEYOND: f64 = 4.0;
    /// Attempts in a row that are no better before it ends.
    pub(in crate::refine) const PATIENCE: u32 = 6;
    /// Decisions of dives in each stage.
    pub(in crate::refine) const DECISIONS: u32 = 200;
    /// What a solver of integer programmes may do in each stage.
    pub(in crate::refine) const SOLVED: SolverEffort =
        SolverEffort { size: 60_000, work: 30_000_000 };
}

/// The pipeline as a whole.
pub(super) mod pipeline {
    /// How often a plan is taken over that trying everything came upon.
    pub(in crate::refine) const ENUMERATED: u32 = 3;
    /// How often parts of a plan are put back another way once it was improved.
    pub(in crate::refine) const REBUILT: u32 = 3;
    /// Attempts to take parts of a plan out and to put them back another way: at most so many, and
    /// so many where groups and offers, times classes of pods, are one.
    pub(in crate::refine) const MOST_RECREATED: u64 = 2_000;
    pub(in crate::refine) const RECREATED: usize = 40_000_000;
}

/// `round`.
pub(super) mod round {
    /// How many bins are filled at a time.
    pub(in crate::refine) const WIDE: usize = 4;
    /// The least that a pod counts for, in billionths.
    pub(in crate::refine) const LEAST: f64 = 1.0;
    /// How far values are corrected at first, towards what is paid for pods, and how much less each
    /// time.
    pub(in crate::refine) const GAIN: f64 = 0.5;
    pub(in crate::refine) const CALMER: f64 = 0.1;
    /// Plans in a row that are no better before corrections end.
    pub(in crate::refine) const PATIENCE: u32 = 8;
    /// How many times as much as a node is worth it may seem to cost.
    pub(in crate::refine) const MOST_RAISED: f64 = 50.0;
}

/// `dive`.
pub(super) mod dive {
    /// The most demands with which a relaxation is solved again and again.
    pub(in crate::refine) const DEMANDS: usize = 600;
    /// The most bins that are filled.
    pub(in crate::refine) const BINS: usize = 48;
    /// Pivots of a solve.
    pub(in crate::refine) const PIVOTS: u32 = 2000;
    /// Rounds of looking for patterns after each decision.
    pub(in crate::refine) const ROUNDS: u32 = 40;
    /// Steps of an exact search of a bin.
    pub(in crate::refine) const STEPS: u32 = 5_000;
    /// How many bins are searched exactly in a round.
    pub(in crate::refine) const SEARCHED: usize = 4;
    /// The most patterns that a round adds.
    pub(in crate::refine) const BATCH: usize = 8;
    /// Decisions to be taken back that are kept in mind.
    pub(in crate::refine) const TURNS: usize = 64;
    /// Of the fractions, the share that is fixed at once.
    pub(in crate::refine) const AT_ONCE: usize = 16;
}

/// `ruin`.
pub(super) mod ruin {
    use crate::refine::generate::Tolerance;

    /// How many nodes are taken apart together.
    pub(in crate::refine) const NODES: u32 = 12;
    /// Parts of a plan that are packed anew side by side.
    pub(in crate::refine) const PARTS: u32 = 4;
    /// The most bins that a part may use.
    pub(in crate::refine) const BINS: usize = 48;
    /// Rounds of column generation for a part.
    pub(in crate::refine) const ROUNDS: u32 = 30;
    /// How many demands of a part have rows of their own.
    pub(in crate::refine) const OWN: usize = 16;
    /// Shares of a pattern's fraction from which on it is rounded up; above one: never.
    pub(in crate::refine) const ROUND_UP: [f64; 4] = [2.0, 0.9, 0.7, 0.5];
    /// Plans for a part at corrected values.
    pub(in crate::refine) const CORRECTIONS: u32 = 8;
    pub(in crate::refine) const CARE: Tolerance = Tolerance { close: 1e-3, steps: 200 };
}

/// `generate`.
pub(super) mod generate {
    /// The most patterns that a round adds.
    pub(in crate::refine) const BATCH: usize = 24;
    /// The share of the best bound's prices in the prices at which bins are filled, at first.
    pub(in crate::refine) const SMOOTH: f64 = 0.7;
    /// How many bins are filled at a time.
    pub(in crate::refine) const FILLED: usize = 32;
    /// Pivots of the master in a round at most.
    pub(in crate::refine) const PIVOTS: u32 = 4000;
    /// Steps of the first exact searches of bins.
    pub(in crate::refine) const FIRST_STEPS: u32 = 2_000;
    /// Steps of an exact search for one pattern more.
    pub(in crate::refine) const SEVERAL_STEPS: u32 = 400;
    /// How often prices are corrected before they are to be believed.
    pub(in crate::refine) const SETTLED: usize = 24;
    /// Patterns worth so much more than they cost, in proportion, don't call for another
    /// correction.
    pub(in crate::refine) const SETTLED_BY: f64 = 1e-4;
    /// How many bins a round searches exactly where filling them quickly finds nothing.
    pub(in crate::refine) const SEARCHED: usize = 16;
}

/// `few`.
pub(super) mod few {
    /// The most pods.
    pub(in crate::refine) const PODS: u64 = 16;
    /// Steps of a search.
    pub(in crate::refine) const STEPS: u64 = 1 << 17;
}

/// `cluster`.
pub(super) mod cluster {
    /// Prices of a move that are tried for a bound on so many moves.
    pub(in crate::refine) const MOVE_PRICES: u32 = 6;
    /// The share of the moves of the cheapest outcome that plans make, about.
    pub(in crate::refine) const LIKELY: f64 = 0.9;
    /// Bounds this close in proportion are one.
    pub(in crate::refine) const CLOSE: f64 = 1e-5;
    /// A bound is proved before it is final where it has risen by so much, in proportion.
    pub(in crate::refine) const WORTH_A_PROOF: f64 = 1e-3;
}

/// `certify`.
pub(super) mod certify {
    /// Steps of each search for an over-estimate.
    pub(in crate::refine) const STEPS: u32 = 50_000;
    /// Steps of each search for a proof of what a running node holds.
    pub(in crate::refine) const NODE_STEPS: u32 = 2_000;
    /// Steps of each search for a proof: beyond these it is cheaper to claim a little less.
    pub(in crate::refine) const PROOF_STEPS: u32 = 200_000;
}

/// `dual_prices`.
pub(super) mod dual_prices {
    /// How often the range of a factor is narrowed.
    pub(in crate::refine) const RESCALED: u32 = 8;
}

/// `rows`.
pub(super) mod rows {
    /// The most sets of demands that share rows: more than problems have, but for odd ones.
    pub(in crate::refine) const SHARED: usize = 256;
    /// At how many shares of a resource mixes are told apart.
    pub(in crate::refine) const KNOTS: usize = 16;
}

/// `enumerate`.
pub(super) mod enumerate {
    /// The most pods that are looked at.
    pub(in crate::refine) const MOST_PODS: u32 = 64;
    /// The most vectors of numbers of pods.
    pub(in crate::refine) const MOST_WAYS: usize = 1 << 16;
    /// The most fronts that are kept.
    pub(in crate::refine) const MOST_FRONTS: usize = 1 << 20;
    /// The most steps of all searches for one plan.
    pub(in crate::refine) const MOST_STEPS: u64 = 1 << 24;
}

/// `enumerate/order`.
pub(super) mod order {
    /// The most sets of bound pods that are looked at.
    pub(in crate::refine) const MOST_STATES: usize = 4_000;
}

/// `enumerate/divide`.
pub(super) mod divide {
    /// How many plans of a division are looked at before it is given up.
    pub(in crate::refine) const PLANS: usize = 24;
}

/// `enumerate/static_nodes`.
pub(super) mod static_nodes {
    /// The most choices that are tried.
    pub(in crate::refine) const MOST_CHOICES: usize = 64;
    /// The most nodes of a pool that are chosen.
    pub(in crate::refine) const MOST_NODES: u32 = 16;
}

/// `enumerate/hosts`.
pub(super) mod hosts {
    /// The most combinations of guesses.
    pub(in crate::refine) const MOST_LEVELS: usize = 64;
}

/// `exact`.
pub(super) mod exact {
    /// The most pods that are looked at.
    pub(in crate::refine) const MOST_PODS: u32 = 64;
    /// The most ways to take some of the pods.
    pub(in crate::refine) const MOST_WAYS: usize = 1 << 16;
    /// The most steps: a fraction of those that a reader of the certificate makes before it gives
    /// up.
    pub(in crate::refine) const MOST_STEPS: u64 = 1 << 24;
}

/// `prove`.
pub(super) mod prove {
    /// Cells of the largest table that is made.
    pub(in crate::refine) const CELLS: usize = 1 << 22;
}

/// `prove/scale`.
pub(super) mod scale {
    /// What is hardly missed.
    pub(in crate::refine) const LEAST: f64 = 1e-6;
    /// What a factor is lowered by, in turn, where it proves too high or a proof takes too long:
    /// with something to spare it is found much sooner.
    pub(in crate::refine) const STEPS_DOWN: [f64; 13] =
        [0.0, 1e-9, 1e-7, LEAST, 1e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 2e-2, 3e-2, 5e-2];
    /// The share of the steps that most classes' proofs have; so many classes have all of them.
    pub(in crate::refine) const QUICK: u32 = 16;
    pub(in crate::refine) const FEW: usize = 4;
    /// Items that are looked at for a proof at most, each as often as there are steps.
    pub(in crate::refine) const LOOKS: u32 = 20_000_000;
    /// Steps of the first search of a class; the next has all.
    pub(in crate::refine) const FIRST: u32 = 500;
}

/// `prove/search`.
pub(super) mod prove_search {
    /// The most cuts above a leaf.
    pub(in crate::refine) const DEPTH: usize = 1000;
}

/// `knapsack/fill`.
pub(super) mod fill {
    /// How often something is taken out at most in the hope of something better, and how many
    /// columns are looked at for that.
    pub(in crate::refine) const TRIES: usize = 64;
    pub(in crate::refine) const LOOKS: usize = 16_000;
}

/// `knapsack/root`.
pub(super) mod root {
    /// Items of a sample.
    pub(in crate::refine) const SAMPLE: usize = 48;
    /// The fewest items of a core.
    pub(in crate::refine) const CORE: usize = 128;
    /// How many times a core fills the room of some resource.
    pub(in crate::refine) const FULL: f64 = 3.0;
    /// How often a core is added to.
    pub(in crate::refine) const SIFTS: u32 = 3;
}

/// `knapsack`.
pub(super) mod knapsack {
    /// Steps of search after which a table is made, where one can be made.
    pub(in crate::refine) const TRIAL: u32 = 1000;
}

/// `knapsack/table`.
pub(super) mod table {
    /// Cells up to which the table is no dearer than the relaxation.
    pub(in crate::refine) const SMALL: usize = 1 << 18;
    /// Cells beyond which it is too dear.
    pub(in crate::refine) const LARGE: usize = 1 << 26;
}
