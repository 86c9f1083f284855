//! What one node can hold at most: the pricing problem of one kind of node.
//!
//! *Problem.* Given room for each resource, items with requests and the most of each that may be
//! there, groups of which only so much may be there, pairs that may not share a node, and a value
//! for each item, choose counts worth as much as possible: a bounded knapsack in several
//! dimensions. It is asked anew, with other values, for each kind of node in each round of column
//! generation, and four answers are wanted, each at its price: an over-estimate at once, a sharp
//! over-estimate, a good filling, and the best filling with proof.
//!
//! *Idea.* All that doesn't depend on the values is worked out once, in a [`Knapsack`]: which
//! resources can bind at all (one with room for everything can't, nor one that another always binds
//! before), requests as shares of the room in floats for speed, and as integers for what fits. From
//! any prices of resources and groups follows an over-estimate ([`Knapsack::upper_bound`]); the
//! best prices are those of the linear relaxation (`relax`), whose solution rounded down and topped
//! up by value per price is the quick filling; the best filling is searched for from there
//! (`branch`), or read off a table where one resource alone binds (`table`).
//!
//! *Why it is right.* `v·a ≤ u·C + Σ m_j max(0, v_j − u·r_j)` for every filling `a` and all `u ≥
//! 0`. Floats are used for values and prices alone: whether counts fit is decided in integers.
//!
//! *Cost.* Items × resources for an upper bound, some ten times that for the relaxation and the
//! filling.
//!
//! References: Gilmore and Gomory 1966; Kellerer, Pferschy and Pisinger 2004, "Knapsack Problems".
//!
//! *Example.* Room for 8 cores and 32 GiB; items A (2 cores, 2 GiB, worth 3) and B (1 core, 8 GiB,
//! worth 2). At prices of 10/7 for a core and 1/14 for a GiB both are worth just what they ask for,
//! so no filling is worth more than 8 · 10/7 + 32 · 1/14 = 13 5/7. Three A and two B are worth 13:
//! the best.
//!
//! | question | answered by |
//! |---|---|
//! | no filling is worth more than? | [`Knapsack::upper_bound`] at given prices, [`Knapsack::relax`] at the best |
//! | a good filling? | [`Knapsack::fill`] |
//! | the best one, with proof? | [`Knapsack::best`] |
//! | do these counts fit? | [`Knapsack::holds`] |

mod branch;
mod fill;
mod relax;
mod root;
mod table;
#[cfg(test)]
pub(super) mod tests;

use super::cancel::StepLimit;
use super::tuning::knapsack::TRIAL;
use fill::KnapsackLoad;
pub(super) use root::RootRelaxation;
use std::sync::Arc;

/// Something of which a node holds some.
///
/// What is the same for all values is shared between clones, so that one with other maxima
/// ([`Knapsack::within`]) costs a list of numbers.
#[derive(Clone, Debug)]
pub(super) struct KnapsackItem {
    /// By resource; not negative.
    pub(super) request: Vec<i64>,
    /// The most that may be there.
    pub(super) most: u32,
}

/// A rule that a node holds only so much of some items together.
#[derive(Clone, Debug)]
pub(super) struct KnapsackGroup {
    pub(super) most: i64,
    /// Items, and how much one of each counts.
    pub(super) members: Vec<(u32, i64)>,
}

/// One kind of node and what may go there.
#[derive(Clone, Debug)]
pub(super) struct Knapsack {
    room: Vec<i64>,
    /// By item, then resource.
    requests: Arc<Vec<i64>>,
    most: Vec<i64>,
    groups: Arc<Vec<KnapsackGroup>>,
    /// By item: the groups that it counts in and can bind, and how much.
    counted: Arc<Vec<Vec<(u32, i64)>>>,
    /// By item: those that may not share a node with it, ascending.
    conflicts: Arc<Vec<Vec<u32>>>,
    /// The resources that can bind.
    binding: Vec<usize>,
    /// Whether each group can bind.
    can_bind: Vec<bool>,
    /// By binding resource, then item: the part of the room that one asks for.
    shares: Arc<Vec<f64>>,
}

/// Prices of resources, then of groups, each for all of its room, and what they prove.
///
/// It is handed back with the next values, which are mostly much the same.
#[derive(Clone, Debug)]
pub(super) struct KnapsackRelaxation {
    pub(super) prices: Vec<f64>,
    /// No filling is worth more.
    pub(super) upper_bound: f64,
    /// Where the prices come from: items that are there in part, and groups that bind.
    basis: Vec<u32>,
    groups: Vec<usize>,
}

/// Counts that fit.
#[derive(Clone, Debug, Default)]
pub(super) struct KnapsackFilling {
    /// Items with their counts, by item.
    pub(super) counts: Vec<(u32, u32)>,
    pub(super) value: f64,
}

/// The best counts that were found, and what was proved.
#[derive(Clone, Debug)]
pub(super) struct PricingResult {
    pub(super) counts: Vec<(u32, u32)>,
    pub(super) value: f64,
    /// No filling is worth more than this and the floor.
    pub(super) upper_bound: f64,
    /// Whether there was nothing left to search: the filling is the best, or none is above the
    /// floor.
    pub(super) exact: bool,
}

impl Knapsack {
    /// Members of groups, items and conflicts that can't matter are left out; an item that
    /// conflicts with itself may be there once.
    pub(super) fn new(
        room: Vec<i64>,
        items: &[KnapsackItem],
        groups: Vec<KnapsackGroup>,
        conflicts: &[Vec<u32>],
    ) -> Self {
        let mut most: Vec<i64> = items.iter().map(|item| limit(&room, item)).collect();
        let groups: Vec<KnapsackGroup> =
            groups.into_iter().map(|group| group.tidy(items.len())).collect();
        for group in &groups {
            for (item, each) in &group.members {
                let slot = &mut most[*item as usize];
                *slot = (*slot).min(group.most.max(0) / each);
            }
        }
        let mut pairs = vec![Vec::new(); items.len()];
        for (item, others) in conflicts.iter().enumerate().take(items.len()) {
            for other in others.iter().filter(|other| (**other as usize) < items.len()) {
                if *other as usize == item {
                    most[item] = most[item].min(1);
                } else {
                    pairs[item].push(*other);
                    pairs[*other as usize].push(item as u32);
                }
            }
        }
        for others in &mut pairs {
            others.sort_unstable();
            others.dedup();
        }
        let mut counted = vec![Vec::new(); items.len()];
        let mut can_bind = Vec::with_capacity(groups.len());
        for (at, group) in groups.iter().enumerate() {
            let all = group
                .members
                .iter()
                .map(|(item, each)| i128::from(most[*item as usize]) * i128::from(*each));
            can_bind.push(all.sum::<i128>() > i128::from(group.most.max(0)));
            if can_bind[at] {
                for (item, each) in &group.members {
                    counted[*item as usize].push((at as u32, *each));
                }
            }
        }
        let requests = items.iter().flat_map(|item| item.request.iter().copied()).collect();
        let mut knapsack = Self {
            binding: Vec::new(),
            shares: Arc::default(),
            room,
            requests: Arc::new(requests),
            most,
            groups: Arc::new(groups),
            counted: Arc::new(counted),
            conflicts: Arc::new(pairs),
            can_bind,
        };
        knapsack.binding = knapsack.find_binding();
        let mut shares = Vec::with_capacity(knapsack.binding.len() * items.len());
        for resource in knapsack.binding.iter() {
            let all = knapsack.room[*resource] as f64;
            let share = |item| knapsack.request(item)[*resource] as f64 / all;
            shares.extend((0..items.len()).map(share));
        }
        knapsack.shares = Arc::new(shares);
        knapsack
    }

    /// The same with at most so many of each item.
    pub(super) fn within(&self, most: &[i64]) -> Self {
        let least = self.most.iter().zip(most).map(|(most, left)| (*most).min(*left).max(0));
        Self { most: least.collect(), ..self.clone() }
    }

    /// How many items there are.
    pub(super) fn len(&self) -> usize {
        self.most.len()
    }

    /// The most of an item that can be there.
    pub(super) fn most(&self, item: usize) -> i64 {
        self.most[item]
    }

    pub(super) fn room(&self) -> &[i64] {
        &self.room
    }

    pub(super) fn groups(&self) -> &[KnapsackGroup] {
        &self.groups
    }

    /// The one resource that can bind, where there is one, and whether no group or conflict can.
    pub(super) fn lone_resource(&self) -> Option<(usize, bool)> {
        let [resource] = self.binding[..] else { return None };
        let rules = self.can_bind.contains(&true) || self.conflicts.iter().any(|c| !c.is_empty());
        Some((resource, !rules))
    }

    /// The items that may not share a node with one.
    pub(super) fn conflicts(&self, item: usize) -> &[u32] {
        &self.conflicts[item]
    }

    /// The groups that an item counts in and that can bind, with how much it counts.
    pub(super) fn counted(&self, item: usize) -> &[(u32, i64)] {
        &self.counted[item]
    }

    pub(super) fn request(&self, item: usize) -> &[i64] {
        let width = self.room.len();
        &self.requests[item * width..(item + 1) * width]
    }

    fn share(&self, row: usize) -> &[f64] {
        &self.shares[row * self.len()..(row + 1) * self.len()]
    }

    /// The resources that can run out, less those that always run out after another.
    ///
    /// Resource *a* covers *b* if every item asks for a share of *a* at least as large as of *b*:
    /// then *b* never runs out first. Of two that cover each other one is kept.
    fn find_binding(&self) -> Vec<usize> {
        let items: Vec<usize> = (0..self.len()).filter(|item| self.most[*item] > 0).collect();
        let short = |resource: &usize| {
            let asked = items.iter().map(|item| {
                i128::from(self.request(*item)[*resource]) * i128::from(self.most[*item])
            });
            asked.sum::<i128>() > i128::from(self.room[*resource])
        };
        let mut binding: Vec<usize> = (0..self.room.len()).filter(short).collect();
        // Whether each item asks for a larger share of one than of the other.
        let before = |one: usize, other: usize| {
            items.iter().all(|item| {
                let request = self.request(*item);
                i128::from(request[one]) * i128::from(self.room[other])
                    >= i128::from(request[other]) * i128::from(self.room[one])
            })
        };
        let mut at = 0;
        while at < binding.len() {
            let this = binding[at];
            if binding.iter().any(|other| *other != this && before(*other, this)) {
                binding.remove(at);
            } else {
                at += 1;
            }
        }
        binding
    }

    /// An over-estimate of what a node can hold, whatever the prices: see
    /// [`KnapsackRelaxation::prices`].
    pub(super) fn upper_bound(&self, values: &[f64], prices: &[f64]) -> f64 {
        let (paid, gains) = self.gains(values, prices);
        let gains = gains.iter().zip(&self.most);
        paid + gains.map(|(gain, most)| gain.max(0.0) * *most as f64).sum::<f64>()
    }

    /// What all the room costs at these prices, and what each item is worth beyond its share of
    /// that.
    ///
    /// Only what can bind has a price that counts; a group's price is for all that it allows.
    fn gains(&self, values: &[f64], prices: &[f64]) -> (f64, Vec<f64>) {
        let mut gains = values.to_vec();
        gains.resize(self.len(), 0.0);
        let price = |at: usize| prices.get(at).map_or(0.0, |price| price.max(0.0));
        let mut paid = 0.0;
        for (row, resource) in self.binding.iter().enumerate() {
            let price = price(*resource);
            if price > 0.0 {
                paid += price;
                let shares = gains.iter_mut().zip(self.share(row));
                shares.for_each(|(gain, share)| *gain -= price * share);
            }
        }
        for (at, group) in self.groups.iter().enumerate().filter(|(at, _)| self.can_bind[*at]) {
            let price = price(self.room.len() + at);
            if price > 0.0 {
                paid += price;
                let unit = price / group.most as f64;
                for (item, each) in &group.members {
                    gains[*item as usize] -= unit * *each as f64;
                }
            }
        }
        (paid, gains)
    }

    /// The over-estimate of the linear relaxation. What was found for values much like these, if
    /// anything was, makes it quicker.
    pub(super) fn relax(
        &self,
        values: &[f64],
        last: Option<&KnapsackRelaxation>,
    ) -> KnapsackRelaxation {
        self.root(values, last).relaxed(self, values)
    }

    /// A good filling; quicker where the relaxation for values like these is known.
    pub(super) fn fill(
        &self,
        values: &[f64],
        last: Option<&KnapsackRelaxation>,
    ) -> KnapsackFilling {
        self.root(values, last).fill(self, values)
    }

    /// Both, for little more than one of them.
    pub(super) fn estimate(
        &self,
        values: &[f64],
        last: Option<&KnapsackRelaxation>,
    ) -> (KnapsackRelaxation, KnapsackFilling) {
        let root = self.root(values, last);
        (root.relaxed(self, values), root.fill(self, values))
    }

    /// The best filling, as far as it is worth more than the floor and found within the steps.
    ///
    /// By table where one resource alone binds and is small in its units; otherwise by search, with
    /// the table as a second try where that is affordable.
    pub(super) fn best(
        &self,
        values: &[f64],
        floor: f64,
        step_limit: StepLimit<'_>,
    ) -> PricingResult {
        let root = self.root(values, None);
        let Some(table) = table::KnapsackTable::new(self, &root) else {
            return branch::best(self, root, values, floor, step_limit);
        };
        if !table.is_small() {
            let searched =
                branch::best(self, root.clone(), values, floor, step_limit.at_most(TRIAL));
            if searched.exact || table.is_large() {
                return searched;
            }
        }
        table.best(self, &root, values)
    }

    /// Whether counts, of each item once, fit together by all rules.
    pub(super) fn holds(&self, counts: &[(u32, u32)]) -> bool {
        let mut load = KnapsackLoad::new(self);
        counts.iter().all(|(item, count)| {
            let count = i64::from(*count);
            load.put(*item as usize, count) == count
        })
    }
}

impl KnapsackGroup {
    /// Its members once each, those that count.
    fn tidy(mut self, items: usize) -> Self {
        self.members.retain(|(item, each)| (*item as usize) < items && *each > 0);
        self.members.sort_unstable();
        self.members.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 = kept.1.saturating_add(next.1);
            }
            same
        });
        self
    }
}

/// How many of an item have room.
fn limit(room: &[i64], item: &KnapsackItem) -> i64 {
    let mut most = i64::from(item.most);
    for (room, asked) in room.iter().zip(&item.request) {
        if *room < 0 {
            return 0;
        }
        if *asked > 0 {
            most = most.min(room / asked);
        }
    }
    most
}
