//! What the master's rows ask for.
//!
//! *Problem.* With a row for each demand the linear programme is exact, but where demands are many
//! it takes thousands of rounds until its prices settle.
//!
//! *Idea.* Only the demands with most at stake have rows of their own: those whose pods, packed
//! alone, cost most beyond what they are worth so far, for no relaxation says that they are worth
//! more than that. Of the others, those that can go to the same bins share a row for each resource,
//! which asks for patterns that hold as much of it as all of them need. The price of such a pod is
//! then that of what it asks for.
//!
//! One price of each resource isn't enough: where nodes are left with memory, pods that ask for
//! much of it go there for little, but they are few. So pods with shared rows are also told apart
//! by their *mix*, the share that one resource has in what they ask for. There is a row at some
//! shares, the knots, and a pod counts for the two knots next to it, the more the nearer. What a
//! mix is worth beyond its resources is then any polygon over its share.
//!
//! *Why it is right.* A plan that covers every demand meets the shared rows too, so the programme
//! with shared rows is a relaxation: each row is a sum of those for demands, none of them taken
//! less than zero times. Seen from its dual: prices of rows give values of pods, and whatever
//! values are proved to fit into the bins' costs are a bound.
//!
//! References: aggregation in linear programming (Zipkin 1980); dynamic constraint aggregation
//! (Elhallaoui et al. 2005).

use super::instance::Instance;
use super::tuning::rows::{KNOTS, SHARED};
use ordered_float::OrderedFloat;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Rows, and what a pod of each demand counts for in them.
#[derive(Debug)]
pub(super) struct AggregatedRows {
    of_demand: Vec<Vec<(u32, f64)>>,
    /// What each row asks for.
    pub(super) bounds: Vec<f64>,
    /// Whether every demand has a row of its own.
    pub(super) whole: bool,
}

impl AggregatedRows {
    /// A row of its own for each demand.
    pub(super) fn whole(instance: &Instance<'_>) -> Self {
        let demands = instance.demands.iter();
        Self {
            of_demand: (0..instance.demands.len() as u32).map(|row| vec![(row, 1.0)]).collect(),
            bounds: demands.map(|demand| f64::from(demand.count)).collect(),
            whole: true,
        }
    }

    /// Rows of their own for so many demands, those with most at stake at these values.
    pub(super) fn of(instance: &Instance<'_>, values: &[f64], own: usize) -> Self {
        let demands = &instance.demands;
        // A few more than wanted are cheaper than rows for the rest.
        let whole = demands.len() <= own + own / 4;
        let own = if whole { demands.len() } else { own };
        let mut eligibility_sets =
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
        ranked.sort_by_cached_key(|at| (Reverse(OrderedFloat(stake(*at))), *at));
        let (own, others) = ranked.split_at(own);
        let mut own = own.to_vec();
        own.sort_unstable();
        for at in own {
            eligibility_sets.of_demand[at].push((eligibility_sets.bounds.len() as u32, 1.0));
            eligibility_sets.bounds.push(f64::from(demands[at].count));
        }
        for members in alike(instance, others) {
            eligibility_sets.share(instance, &members);
        }
        let worth = |at: usize| values[at].max(0.0) * f64::from(demands[at].count);
        eligibility_sets.disaggregate(instance, &mixes(instance, others, worth));
        eligibility_sets
    }

    /// Rows for these demands together, one for each resource that they ask for.
    fn share(&mut self, instance: &Instance<'_>, members: &[usize]) {
        let request = |at: usize| {
            let item = instance.demands[at].item;
            &instance.context.compiled.items[item].request[..]
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

    /// Rows for the mixes of these demands, which are in the order of their shares.
    fn disaggregate(&mut self, instance: &Instance<'_>, mixes: &[ResourceMix]) {
        let breakpoints = breakpoints(mixes);
        let largest = mixes.iter().map(|mix| mix.size).fold(0.0, f64::max);
        let first = self.bounds.len();
        self.bounds.resize(first + breakpoints.len(), 0.0);
        for mix in mixes {
            for (breakpoint, part) in between(&breakpoints, mix.share) {
                let each = part * mix.size / largest;
                if each > 0.0 {
                    self.of_demand[mix.demand].push(((first + breakpoint) as u32, each));
                    self.bounds[first + breakpoint] +=
                        each * f64::from(instance.demands[mix.demand].count);
                }
            }
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

/// Demands that can go to the same bins, together; where that makes many sets, all but the largest
/// as one.
fn alike(instance: &Instance<'_>, demands: &[usize]) -> Vec<Vec<usize>> {
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

/// What a pod asks for, each resource weighed by the least that it costs alone.
struct ResourceMix {
    demand: usize,
    size: f64,
    /// The part of it that is of one resource: that by which the demands differ most.
    share: f64,
    /// What all pods of the demand are worth.
    worth: f64,
}

/// The mixes of some demands, in the order of their shares.
fn mixes(
    instance: &Instance<'_>,
    demands: &[usize],
    worth: impl Fn(usize) -> f64,
) -> Vec<ResourceMix> {
    let dims = instance.context.compiled.dims.len();
    let mut least = vec![f64::INFINITY; dims];
    for bin in instance.bins.iter().filter(|bin| bin.cost > 0) {
        for (least, room) in
            least.iter_mut().zip(bin.knapsack.room()).filter(|(_, room)| **room > 0)
        {
            *least = least.min(bin.cost as f64 / *room as f64);
        }
    }
    let cost = |at: usize, dim: usize| {
        let item = instance.demands[at].item;
        let asked = instance.context.compiled.items[item].request[dim];
        if asked > 0 && least[dim].is_finite() { asked as f64 * least[dim] } else { 0.0 }
    };
    let sized: Vec<(usize, f64)> = demands
        .iter()
        .map(|at| (*at, (0..dims).map(|dim| cost(*at, dim)).sum()))
        .filter(|(_, size)| *size > 0.0)
        .collect();
    let all: f64 = sized.iter().map(|(at, _)| worth(*at)).sum();
    let variance = |dim: usize| {
        let shares = || sized.iter().map(|(at, size)| (worth(*at), cost(*at, dim) / size));
        let mean = shares().map(|(worth, share)| worth * share).sum::<f64>() / all;
        let square = |x: f64| x * x;
        shares().map(|(worth, share)| worth * square(share - mean)).sum::<f64>()
    };
    let dim = (0..dims).map(|dim| (dim, variance(dim))).max_by_key(|(_, most)| OrderedFloat(*most));
    let Some((dim, _)) = dim.filter(|_| all > 0.0) else { return Vec::new() };
    let mix = |(demand, size): (usize, f64)| ResourceMix {
        demand,
        size,
        share: cost(demand, dim) / size,
        worth: worth(demand),
    };
    let mut mixes: Vec<ResourceMix> = sized.into_iter().map(mix).collect();
    mixes.sort_by_key(|mix| (OrderedFloat(mix.share), mix.demand));
    mixes
}

/// Shares between which mixes are worth about the same in all; none where there is but one share.
fn breakpoints(mixes: &[ResourceMix]) -> Vec<f64> {
    let (Some(first), Some(last)) = (mixes.first(), mixes.last()) else { return Vec::new() };
    if first.share >= last.share {
        return Vec::new();
    }
    let all: f64 = mixes.iter().map(|mix| mix.worth).sum();
    let mut breakpoints = vec![first.share];
    let mut sum = 0.0;
    for mix in mixes {
        sum += mix.worth;
        let due = all * breakpoints.len() as f64 / (KNOTS - 1) as f64;
        let is_new = breakpoints.last().is_none_or(|newest| mix.share > *newest);
        if is_new && mix.share < last.share && breakpoints.len() < KNOTS - 1 && sum >= due {
            breakpoints.push(mix.share);
        }
    }
    breakpoints.push(last.share);
    breakpoints
}

/// The knots next to a share, and how near it is to each: together one. None where there are none.
fn between(breakpoints: &[f64], share: f64) -> Vec<(usize, f64)> {
    let upper = breakpoints.partition_point(|breakpoint| *breakpoint < share).max(1);
    let (Some(low), Some(high)) = (breakpoints.get(upper - 1), breakpoints.get(upper)) else {
        return Vec::new();
    };
    let part = ((share - low) / (high - low)).clamp(0.0, 1.0);
    vec![(upper - 1, 1.0 - part), (upper, part)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_shares(shares: &[f64]) -> Vec<ResourceMix> {
        let mix = |(demand, share): (usize, &f64)| ResourceMix {
            demand,
            size: 1.0,
            share: *share,
            worth: 1.0,
        };
        shares.iter().enumerate().map(mix).collect()
    }

    #[test]
    fn breakpoints_rise_from_the_first_share_to_the_last() {
        let many: Vec<f64> = (0..1000).map(|at| f64::from(at) / 1000.0).collect();
        for shares in [&many[..], &[0.1, 0.1, 0.1, 0.9], &[0.2, 0.2, 0.7, 0.7], &[0.0, 1.0]] {
            let breakpoints = breakpoints(&of_shares(shares));
            assert!(breakpoints.len() >= 2 && breakpoints.len() <= KNOTS, "{breakpoints:?}");
            assert_eq!(breakpoints.first(), shares.first());
            assert_eq!(breakpoints.last(), shares.last());
            assert!(breakpoints.is_sorted_by(|one, other| one < other), "{breakpoints:?}");
        }
        assert_eq!(breakpoints(&of_shares(&many)).len(), KNOTS);
        assert!(breakpoints(&of_shares(&[0.5, 0.5])).is_empty());
        assert!(breakpoints(&[]).is_empty());
    }

    #[test]
    fn a_share_is_that_of_its_breakpoints_as_near_as_it_is_to_each() {
        let breakpoints = [0.1, 0.25, 0.6, 1.0];
        for share in [0.1, 0.2, 0.25, 0.3, 0.6, 0.99, 1.0] {
            let parts = between(&breakpoints, share);
            let sum: f64 = parts.iter().map(|(_, part)| part).sum();
            let mean: f64 =
                parts.iter().map(|(breakpoint, part)| part * breakpoints[*breakpoint]).sum();
            assert!(
                (sum - 1.0).abs() < 1e-12 && (mean - share).abs() < 1e-12,
                "{share}: {parts:?}"
            );
        }
        assert!(between(&[], 0.5).is_empty());
    }
}
