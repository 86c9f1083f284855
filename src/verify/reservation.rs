//! Reservations, counted again: no more launches draw on one than it holds.
//!
//! A reservation is told by its id. Several offerings may name one, of several types or zones: they
//! draw on the same nodes. Where they say different numbers of how many are left the least counts.
//! A launch draws on the reservation that its chosen offering names; what its alternatives name is
//! for the caller to try, one at a time, so it isn't charged.

use super::violation::Violation;
use crate::model::{Offering, Problem};
use crate::plan::{Launch, LaunchPlan};
use std::collections::BTreeMap;

/// How many nodes reservations hold, and how many launches draw on them, by id.
#[derive(Clone, Debug, Default)]
pub(super) struct Reservations<'a> {
    remaining: BTreeMap<&'a str, u32>,
    launches: BTreeMap<&'a str, u64>,
}

impl<'a> Reservations<'a> {
    pub(super) fn of(problem: &'a Problem, plan: &LaunchPlan) -> Self {
        Self::drawn_by(problem, plan.launches.iter())
    }

    /// The same where these launches alone draw on them.
    ///
    /// For questions about some launches only: what static pools take, for example.
    pub(super) fn drawn_by<'l>(
        problem: &'a Problem,
        launches: impl Iterator<Item = &'l Launch>,
    ) -> Self {
        let mut found = Self::default();
        let offerings =
            problem.instance_types.iter().flat_map(|instance_type| &instance_type.offerings);
        for reservation in offerings.filter_map(|offering| offering.reservation.as_ref()) {
            let least = found.remaining.entry(&reservation.id).or_insert(reservation.remaining);
            *least = reservation.remaining.min(*least);
        }
        for launch in launches {
            if let Some(id) = &launch.template.offering.reservation
                && let Some((id, _)) = found.remaining.get_key_value(&**id)
            {
                found.draw(id, 1);
            }
        }
        found
    }

    /// Has so many more launches draw on a reservation.
    pub(super) fn draw(&mut self, id: &'a str, launches: u64) {
        let count = self.launches.entry(id).or_default();
        *count = count.saturating_add(launches);
    }

    /// The same where each reservation holds so many more.
    pub(super) fn with_more(mut self, more: u32) -> Self {
        let all = self.remaining.values_mut();
        all.for_each(|remaining| *remaining = remaining.saturating_add(more));
        self
    }

    /// How many nodes launches leave of a reservation.
    pub(super) fn left(&self, id: &str) -> u64 {
        let remaining = self.remaining.get(id).copied().unwrap_or(0);
        u64::from(remaining).saturating_sub(self.launches.get(id).copied().unwrap_or(0))
    }

    /// How many nodes a reservation holds; nothing where there is none of this id.
    pub(super) fn remaining(&self, id: &str) -> Option<u32> {
        self.remaining.get(id).copied()
    }

    /// Reports reservations that are overdrawn.
    pub(super) fn check(&self, out: &mut Vec<Violation>) {
        for (id, launches) in &self.launches {
            let remaining = self.remaining.get(id).copied().unwrap_or(0);
            if *launches > u64::from(remaining) {
                out.push(Violation::Reservation {
                    reservation: (*id).into(),
                    launches: *launches,
                    remaining,
                });
            }
        }
    }

    /// Whether an offering needs no reservation, or its reservation holds one more node.
    pub(super) fn leave_room(&self, offering: &Offering) -> bool {
        offering.reservation.as_ref().is_none_or(|reservation| self.left(&reservation.id) > 0)
    }
}
