//! What the master's rows ask for.
//!
//! *Problem.* With a row for each demand the linear programme is exact, but where demands are many it
//! takes thousands of rounds until its prices settle.
//!
//! *Idea.* Only the demands with most at stake have rows of their own: those whose pods, packed alone,
//! cost most beyond what they are worth so far, for no relaxation says that they are worth more than that.
//! Of the others, those that can go to the same bins share a row for each resource, which asks for
//! patterns that hold as much of it as all of them need. The price of such a pod is then that of what it
//! asks for.
//!
//! *Why it is right.* A plan that covers every demand meets the shared rows too, so the programme with
//! shared rows is a relaxation. Seen from its dual: prices of rows give values of pods, and whatever
//! values are proved to fit into the bins' costs are a bound.
//!
//! References: aggregation in linear programming (Zipkin 1980); dynamic constraint aggregation (Elhallaoui
//! et al. 2005).

use super::instance::Instance;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// The most sets of demands that share rows: more than problems have, but for odd ones.
const SHARED: usize = 256;

/// Rows, and what a pod of each demand counts for in them.
#[derive(Debug)]
pub(super) struct Rows {
    of_demand: Vec<Vec<(u32, f64)>>,
    /// What each row asks for.
    pub(super) bounds: Vec<f64>,
    /// Whether every demand has a row of its own.
    pub(super) whole: bool,
}

impl Rows {
    /// Rows of their own for so many demands, those with most at stake at these values.
    pub(super) fn of(instance: &Instance<'_, '_>, values: &[f64], own: usize) -> Self {
        let demands = &instance.demands;
        // A few more than wanted are cheaper than rows for the rest.
        let whole = demands.len() <= own + own / 4;
        let own = if whole { demands.len() } else { own };
        let mut rows =
            Self { of_demand: vec![Vec::new(); demands.len()], bounds: Vec::new(), whole };
        // What they cost when each is packed alone is the most that they can be worth.
        let singles = instance.singles();
        let stake = |at: usize| {
            let alone = singles[at].as_ref().map_or(0.0, |single| {
                let most: u32 = single.items.iter().map(|(_, count)| *count).sum();
                instance.bins[single.bin as usize].cost as f64 / f64::from(most.max(1))
            });
            (alone - values[at]).max(0.0) * f64::from(demands[at].count)
        };
        let mut ranked: Vec<usize> = (0..demands.len()).collect();
        ranked.sort_by(|one, other| stake(*other).total_cmp(&stake(*one)).then(one.cmp(other)));
        let (own, others) = ranked.split_at(own);
        let mut own = own.to_vec();
        own.sort_unstable();
        for at in own {
            rows.of_demand[at].push((rows.bounds.len() as u32, 1.0));
            rows.bounds.push(f64::from(demands[at].count));
        }
        for members in alike(instance, others) {
            rows.share(instance, &members);
        }
        rows
    }

    /// Rows for these demands together, one for each resource that they ask for.
    fn share(&mut self, instance: &Instance<'_, '_>, members: &[usize]) {
        let request = |at: usize| {
            let class = instance.demands[at].class;
            &instance.context.compiled.classes[class].request[..]
        };
        for dim in 0..instance.context.compiled.dims.len() {
            let largest = members.iter().map(|at| request(*at)[dim]).max().unwrap_or(0);
            if largest <= 0 {
                continue;
            }
            let row = self.bounds.len() as u32;
            let mut bound = 0.0;
            for at in members {
                let each = request(*at)[dim] as f64 / largest as f64;
                if each > 0.0 {
                    self.of_demand[*at].push((row, each));
                    bound += each * f64::from(instance.demands[*at].count);
                }
            }
            self.bounds.push(bound);
        }
    }

    /// What a pod of each demand is worth at these prices of rows.
    pub(super) fn values(&self, prices: &[f64]) -> Vec<f64> {
        let of_rows = |rows: &Vec<(u32, f64)>| {
            rows.iter().map(|(row, each)| prices[*row as usize] * each).sum()
        };
        self.of_demand.iter().map(of_rows).collect()
    }

    /// What these pods count for in the rows.
    pub(super) fn covered(&self, items: &[(u32, u32)]) -> BTreeMap<u32, f64> {
        let mut covered = BTreeMap::new();
        for (demand, count) in items {
            for (row, each) in &self.of_demand[*demand as usize] {
                *covered.entry(*row).or_insert(0.0) += each * f64::from(*count);
            }
        }
        covered
    }
}

/// Demands that can go to the same bins, together; where that makes many sets, all but the largest as
/// one.
fn alike(instance: &Instance<'_, '_>, demands: &[usize]) -> Vec<Vec<usize>> {
    let mut bins_of: Vec<Vec<u32>> = vec![Vec::new(); instance.demands.len()];
    for (number, bin) in (0..).zip(&instance.bins) {
        bin.items.iter().for_each(|demand| bins_of[*demand as usize].push(number));
    }
    let mut sets: BTreeMap<&[u32], Vec<usize>> = BTreeMap::new();
    for at in demands {
        sets.entry(&bins_of[*at]).or_default().push(*at);
    }
    let mut sets: Vec<Vec<usize>> = sets.into_values().collect();
    sets.iter_mut().for_each(|set| set.sort_unstable());
    sets.sort_by_key(|set| (Reverse(set.len()), set.first().copied()));
    if sets.len() > SHARED {
        let rest: Vec<usize> = sets.split_off(SHARED).into_iter().flatten().collect();
        sets.push(rest);
    }
    sets
}
