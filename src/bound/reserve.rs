//! Reservation prices: what a pod would cost on a node of its own.
//!
//! They are another worth than that of the bound: blind to how pods share nodes, and so to what is
//! only right on the average of many nodes. (The word is that of economics; it has nothing to do
//! with reserved capacity.)
//!
//! Reference: Eva (Chang and Venkataraman 2025), whose packing accepts a node when its pods'
//! reservation prices pay for it.

use super::catalog::BinCatalog;
use super::relaxation::{Demand, DualValues};
use super::simplex::ONE;
use crate::compile::{Bits, Compiled, IdTable, fits};

impl DualValues {
    /// A pod of each item is worth what the cheapest of the open bin types costs that takes it.
    ///
    /// It is the sum of its parts by resource, so that whoever fills nodes along what is free can
    /// use it like the other worth.
    pub(crate) fn of_reservation_prices(
        compiled: &Compiled,
        demands: &[Demand],
        open: &Bits,
        catalog: &BinCatalog,
    ) -> Self {
        let highest = i128::from(catalog.costs.iter().copied().max().unwrap_or(0).max(1));
        let mut worth = Self {
            highest,
            by_dim: IdTable::filled(compiled.items.len(), compiled.dims.len(), 0),
            slot: compiled.items.iter().map(|_| 0).collect(),
            most_values: vec![i128::MAX; compiled.bin_types.len()],
            costs: catalog.costs.clone(),
        };
        for demand in demands {
            let item = &compiled.items[demand.item];
            let room = |at: usize| &compiled.shapes[compiled.bin_types[at].shape].allocatable;
            let takes = |at: &usize| {
                compiled.compatibles[demand.item].contains(*at)
                    && fits(room(*at), &item.request, item.per_node) > 0
            };
            let Some(cheapest) =
                catalog.cheapest_first.iter().copied().filter(|at| open.contains(*at)).find(takes)
            else {
                continue;
            };
            let whole = i128::from(catalog.costs[cheapest].max(0)) * ONE / highest;
            // It divides over the resources as the pod's shares of that node do.
            let shares = item.request.iter().zip(room(cheapest)).map(|(asked, have)| {
                (i128::from((*asked).max(0)) << 20) / i128::from((*have).max(1))
            });
            let shares: Vec<i128> = shares.collect();
            let sum = shares.iter().sum::<i128>().max(1);
            let mut rest = whole;
            for (part, share) in worth.by_dim[demand.item].iter_mut().zip(shares) {
                let of_dim = whole.saturating_mul(share) / sum;
                *part = i64::try_from(of_dim).unwrap_or(i64::MAX);
                rest -= of_dim;
            }
            worth.slot[demand.item] = i64::try_from(rest.max(0)).unwrap_or(i64::MAX);
        }
        worth
    }

    /// Whether pods worth so much pay for a node of a bin type.
    pub(crate) fn pays_for(&self, worth: i128, bin_type: usize) -> bool {
        // Rounded down once for each pod and resource: a little less is as good.
        let cost = i128::from(self.costs[bin_type].max(0)).saturating_mul(ONE) / self.highest;
        worth.saturating_add(cost >> 20).saturating_add(1) >= cost
    }
}
