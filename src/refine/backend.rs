//! Integer programmes, solved by somebody else and checked here.
//!
//! *Problem.* `min c·x` with `A x ≥ b` or `≤ b` row by row, `0 ≤ x ≤ u` in whole numbers: which
//! patterns to use how often. The relaxation is ours ([`super::simplex`]); for whole numbers there
//! are solvers that do it well.
//!
//! *Idea.* One function of a programme, [`SolverFn`], for each backend: microlp, in pure Rust, or
//! HiGHS with the feature `highs`, both modelled through good_lp; none without the feature
//! `refine`. [`solve`] takes what it says as a proposal.
//!
//! *Why it is right.* Nothing that a solver says is believed. Its values are rounded to whole
//! numbers, and rows and costs computed anew in integers; what isn't whole, breaks a row or a
//! bound, costs other than it says or no less than what is known already is no answer. Nor is it
//! ever believed that an answer is the best, or that there is none. A solver that fails, panics or
//! takes too long gives no answer either: there is then one plan less to choose from.
//!
//! *Pitfalls.* HiGHS 1.16.0 (highs-sys 1.16.0) returns the MIP start as "optimal" where presolve is
//! on, so it is never given one; such an answer costs no less than what is known and is dropped
//! like any other (`tests` show it). Nor can it be asked to stop, but by unsafe code, and a process
//! that ends while it is left at work on a thread of its own may abort; so it gets programmes that
//! it is soon through with. microlp has no limit of pivots within a node, and asserts of its own:
//! it works in slices of few nodes, under a brake that reads the clock, and its panics are caught.
//! The brake is far beyond what programmes of the sizes allowed take; where it pulls there is no
//! answer, so it never picks one of several.
//!
//! *Cost.* Sizes and nodes are bounded by [`SolverEffort`].
//!
//! References: Land and Doig 1960; Achterberg 2007 (what is in such solvers).

#[cfg(feature = "highs")]
mod highs;
#[cfg(all(feature = "refine", any(test, not(feature = "highs"))))]
mod microlp;
#[cfg(test)]
mod tests;

/// How far from a whole number a value may be.
const WHOLE: f64 = 1e-5;
/// How far a solver's objective may be from its values', in proportion.
const SAME: f64 = 1e-6;

/// What a row asks of the sum of its entries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum ProgrammeRow {
    AtLeast(i128),
    AtMost(i128),
}

/// Something of which any whole number may be taken, up to the most.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct ProgrammeColumn {
    /// In billionths; not negative.
    pub(super) cost: i64,
    pub(super) most: u32,
    /// Rows, each once, with what one counts for.
    pub(super) entries: Vec<(u32, i64)>,
}

/// The cheapest counts of columns that meet all rows are asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Programme {
    pub(super) columns: Vec<ProgrammeColumn>,
    pub(super) rows: Vec<ProgrammeRow>,
}

/// What is known of a programme.
#[derive(Clone, Copy, Debug)]
pub(super) struct ProgrammeBounds {
    /// What an answer must cost less than.
    pub(super) below: i128,
    /// All costs are multiples of this.
    #[cfg_attr(not(feature = "refine"), allow(dead_code, reason = "it is for solvers"))]
    pub(super) step: i64,
}

/// How much work a solver may do.
#[derive(Clone, Copy, Debug)]
pub(super) struct SolverEffort {
    /// The most rows × columns of a programme: larger ones have no answer.
    pub(super) size: usize,
    /// The most nodes × rows × columns.
    pub(super) work: usize,
}

/// What a solver says.
#[derive(Clone, Debug, Default)]
struct SolverAnswer {
    values: Vec<f64>,
    /// What they cost, if it says so.
    objective: Option<f64>,
}

/// One kind of solver: it gets the programme, what is known, how many nodes it may look at, and the
/// caller's wish to stop.
type SolverFn = fn(&Programme, &ProgrammeBounds, u32, &dyn Fn() -> bool) -> Option<SolverAnswer>;

/// The backend of this build.
const SOLVER: SolverFn = {
    #[cfg(feature = "highs")]
    {
        highs::solve
    }
    #[cfg(all(feature = "refine", not(feature = "highs")))]
    {
        microlp::solve
    }
    #[cfg(not(feature = "refine"))]
    {
        |_, _, _, _| None
    }
};

/// Counts that meet all rows and cost less than what is known, if the backend finds some.
pub(super) fn solve(
    programme: &Programme,
    known: &ProgrammeBounds,
    effort: SolverEffort,
    stop: &dyn Fn() -> bool,
) -> Option<Vec<u32>> {
    solve_by(SOLVER, programme, known, effort, stop)
}

fn solve_by(
    solver: SolverFn,
    programme: &Programme,
    known: &ProgrammeBounds,
    effort: SolverEffort,
    stop: &dyn Fn() -> bool,
) -> Option<Vec<u32>> {
    let size = programme.size()?;
    let nodes = u32::try_from(effort.work / size.max(1)).unwrap_or(u32::MAX);
    if size == 0 || size > effort.size || nodes == 0 || stop() {
        return None;
    }
    let kept_class = solver(programme, known, nodes, stop)?;
    let counts = programme.whole(&kept_class)?;
    (programme.cost(&counts) < known.below).then_some(counts)
}

impl Programme {
    /// Rows × columns; nothing where that is too large a number.
    fn size(&self) -> Option<usize> {
        self.rows.len().max(1).checked_mul(self.columns.len())
    }

    /// The sum of the costs.
    pub(super) fn cost(&self, counts: &[u32]) -> i128 {
        let costs = self.columns.iter().zip(counts);
        costs.map(|(bin_type, count)| i128::from(bin_type.cost) * i128::from(*count)).sum()
    }

    /// Whether counts are within their bounds and meet all rows.
    pub(super) fn holds(&self, counts: &[u32]) -> bool {
        let mut sums = vec![0_i128; self.rows.len()];
        for (bin_type, count) in self.columns.iter().zip(counts) {
            for (row, each) in &bin_type.entries {
                let Some(sum) = sums.get_mut(*row as usize) else { return false };
                *sum = sum.saturating_add(i128::from(*each) * i128::from(*count));
            }
        }
        let within =
            self.columns.iter().zip(counts).all(|(bin_type, count)| *count <= bin_type.most);
        within
            && counts.len() == self.columns.len()
            && self.rows.iter().zip(sums).all(|(row, sum)| match row {
                ProgrammeRow::AtLeast(bound) => sum >= *bound,
                ProgrammeRow::AtMost(bound) => sum <= *bound,
            })
    }

    /// A solver's values as counts, if all that it says of them is so.
    fn whole(&self, kept_class: &SolverAnswer) -> Option<Vec<u32>> {
        let whole = |value: &f64| {
            let near = value.round();
            let is_whole =
                (value - near).abs() <= WHOLE && (0.0..=f64::from(u32::MAX)).contains(&near);
            is_whole.then_some(near as u32)
        };
        let counts = kept_class.values.iter().map(whole).collect::<Option<Vec<u32>>>()?;
        let cost = self.cost(&counts) as f64;
        let honest = |objective: f64| (objective - cost).abs() <= SAME * cost.max(1.0);
        (self.holds(&counts) && kept_class.objective.is_none_or(honest)).then_some(counts)
    }

    /// What costs are divided by for a solver, so that they are at most one.
    #[cfg(feature = "refine")]
    fn unit(&self) -> f64 {
        self.columns.iter().map(|bin_type| bin_type.cost).max().unwrap_or(1).max(1) as f64
    }

    /// The gap to the optimum, relative to what is known, within which nothing cheaper can be.
    #[cfg(feature = "refine")]
    fn gap(known: &ProgrammeBounds) -> f64 {
        let step = 0.999 * known.step.max(1) as f64 / (known.below as f64).max(1.0);
        step.clamp(1e-7, 0.5)
    }

    /// The rows in numbers that solvers' tolerances are for: divided by their largest entries.
    #[cfg(feature = "refine")]
    fn scaled_rows(&self) -> Vec<ScaledRow> {
        let mut rows: Vec<ScaledRow> = self
            .rows
            .iter()
            .map(|row| ScaledRow { entries: Vec::new(), row: *row, bound: 0.0 })
            .collect();
        let mut largest = vec![1.0_f64; rows.len()];
        for (at, bin_type) in self.columns.iter().enumerate() {
            for (row, each) in &bin_type.entries {
                let row = *row as usize;
                if let Some(scaled) = rows.get_mut(row) {
                    scaled.entries.push((at, *each as f64));
                    largest[row] = largest[row].max(each.unsigned_abs() as f64);
                }
            }
        }
        for (scaled, largest) in rows.iter_mut().zip(largest) {
            let (ProgrammeRow::AtLeast(bound) | ProgrammeRow::AtMost(bound)) = scaled.row;
            scaled.entries.iter_mut().for_each(|(_, each)| *each /= largest);
            scaled.bound = bound as f64 / largest;
        }
        rows
    }
}

/// A row for a solver: columns with their entries, and the bound.
#[cfg(feature = "refine")]
struct ScaledRow {
    entries: Vec<(usize, f64)>,
    row: ProgrammeRow,
    bound: f64,
}

/// The programme as good_lp has it, with its variables and rows.
#[cfg(feature = "refine")]
mod model {
    use super::{Programme, ProgrammeRow, ScaledRow};
    use good_lp::{
        Constraint, Expression, ProblemVariables, Variable, variable, variable::UnsolvedProblem,
    };

    pub(super) struct Model {
        pub(super) problem: UnsolvedProblem,
        #[cfg(feature = "highs")]
        pub(super) variables: Vec<Variable>,
        pub(super) rows: Vec<Constraint>,
    }

    pub(super) fn model(programme: &Programme) -> Model {
        let mut variables = ProblemVariables::new();
        let unit = programme.unit();
        let mut objective = Expression::with_capacity(programme.columns.len());
        let numbers: Vec<Variable> = programme
            .columns
            .iter()
            .map(|bin_type| {
                let most = bin_type.most.min(i32::MAX as u32);
                let number = variables.add(variable().integer().clamp(0.0, most));
                objective.add_mul(bin_type.cost as f64 / unit, number);
                number
            })
            .collect();
        let rows = programme.scaled_rows().into_iter().map(|ScaledRow { entries, row, bound }| {
            let mut sum = Expression::with_capacity(entries.len());
            entries.iter().for_each(|(at, each)| sum.add_mul(*each, numbers[*at]));
            match row {
                ProgrammeRow::AtLeast(_) => sum.geq(bound),
                ProgrammeRow::AtMost(_) => sum.leq(bound),
            }
        });
        let rows = rows.collect();
        Model {
            problem: variables.minimise(objective),
            #[cfg(feature = "highs")]
            variables: numbers,
            rows,
        }
    }
}
