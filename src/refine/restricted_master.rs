//! The restricted master: the linear relaxation over the patterns that are known.
//!
//! Column generation and dives solve the same programme, `min Σ c_k x_k` such that pods are covered
//! and no supply is overdrawn. They differ in what its rows ask for, and in where new patterns come
//! from.

use super::cancel::StepLimit;
use super::instance::{Instance, Pattern};
use super::rows::AggregatedRows;
use super::simplex::{Master, MasterRow, Sense, SolveEnd};
use std::collections::BTreeSet;

/// The relaxation over the patterns known, in the order in which they came.
#[derive(Debug)]
pub(super) struct RestrictedMaster<'i, 'c> {
    instance: &'i Instance<'c>,
    master: Master,
    rows: AggregatedRows,
    patterns: Vec<Pattern>,
    known: BTreeSet<Pattern>,
    /// What a cost is divided by, so that the numbers are about one.
    unit: f64,
}

impl<'i, 'c> RestrictedMaster<'i, 'c> {
    /// Without patterns; what isn't covered costs a penalty far above any price.
    pub(super) fn new(instance: &'i Instance<'c>, rows: AggregatedRows) -> Self {
        let dearest = instance.bins.iter().map(|bin| bin.cost as f64).fold(1.0, f64::max);
        let unit = dearest / 16.0;
        let cover = Sense::Cover { penalty: 4.0 * dearest / unit };
        let covers = rows.bounds.iter().map(|bound| MasterRow { sense: cover, bound: *bound });
        let supplies = instance.supplies.iter();
        let supplies =
            supplies.map(|supply| MasterRow { sense: Sense::Supply, bound: supply.left as f64 });
        let master = Master::new(&covers.chain(supplies).collect::<Vec<_>>());
        Self { instance, master, rows, patterns: Vec::new(), known: BTreeSet::new(), unit }
    }

    /// Has other rows ask for the same patterns; the basis starts over.
    pub(super) fn set_rows(&mut self, rows: AggregatedRows) {
        let former = std::mem::replace(self, Self::new(self.instance, rows));
        for pattern in former.patterns {
            let _new = self.add(pattern);
        }
    }

    /// Whether every demand has a row of its own.
    pub(super) fn is_whole(&self) -> bool {
        self.rows.whole
    }

    pub(super) fn patterns(&self) -> &[Pattern] {
        &self.patterns
    }

    pub(super) fn into_patterns(self) -> Vec<Pattern> {
        self.patterns
    }

    pub(super) fn contains(&self, pattern: &Pattern) -> bool {
        self.known.contains(pattern)
    }

    /// Adds a pattern that holds anything and isn't known yet; whether it was one.
    pub(super) fn add(&mut self, pattern: Pattern) -> bool {
        let bin = &self.instance.bins[pattern.bin as usize];
        let is_empty = pattern.items.is_empty() && bin.own.is_empty();
        if is_empty || !self.known.insert(pattern.clone()) {
            return false;
        }
        let covers = match bin.own.is_empty() {
            true => self.rows.covered(&pattern.items),
            false => self.rows.covered(&[&pattern.items[..], &bin.own].concat()),
        };
        let first = self.rows.bounds.len() as u32;
        let uses = bin.uses.iter().map(|(supply, each)| (first + supply, *each as f64));
        let cost = bin.cost as f64 + bin.moves(&pattern);
        let _column = self.master.add(cost / self.unit, covers.into_iter().chain(uses));
        self.patterns.push(pattern);
        true
    }

    /// Has so many pods of each demand be covered, from so much of each supply, where every demand
    /// has a row of its own.
    pub(super) fn set_left(&mut self, left: &[u32], supplies: &[i128]) {
        for (row, left) in left.iter().enumerate() {
            self.master.set_bound(row, f64::from(*left));
        }
        for (row, left) in (left.len()..).zip(supplies) {
            self.master.set_bound(row, *left as f64);
        }
    }

    pub(super) fn solve(&mut self, step_limit: StepLimit<'_>) -> SolveEnd {
        self.master.solve(step_limit)
    }

    /// What a plan of these patterns costs at least, in billionths.
    pub(super) fn objective(&self) -> f64 {
        self.master.objective() * self.unit
    }

    /// The patterns that the solution uses, by their places, with how often.
    pub(super) fn fractions(&self) -> Vec<(usize, f64)> {
        self.master.values()
    }

    /// What a pod of each demand and a unit of each supply are worth, in billionths.
    pub(super) fn prices(&self) -> (Vec<f64>, Vec<f64>) {
        let duals: Vec<f64> =
            self.master.duals().iter().map(|dual| dual.max(0.0) * self.unit).collect();
        let (covers, supplies) = duals.split_at(self.rows.bounds.len());
        (self.rows.values(covers), supplies.to_vec())
    }
}
