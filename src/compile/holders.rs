//! Which offers can hold certain pods on one node.

use super::{Base, Bits, ClassId, Compiled, Id, OfferId, PortUse, RowId};

/// The offers whose launches can hold certain pods.
#[derive(Debug)]
pub(crate) struct Holders<'a> {
    base: &'a Base<'a>,
    sites: Bits,
    load: &'a [i64],
    ports: Vec<&'a PortUse>,
}

impl Holders<'_> {
    /// Leaves out offers that aren't among these.
    pub(crate) fn narrow(&mut self, offers: &Bits) {
        self.sites.and(offers);
    }

    pub(crate) fn contains(&self, offer: OfferId) -> bool {
        let shape = &self.base.shapes[self.base.offers[offer].shape];
        self.sites.contains(offer.index())
            && shape.allocatable.iter().zip(self.load).all(|(have, want)| have >= want)
            && !self.ports.iter().any(|ports| ports.blocks.overlaps(&shape.ports))
    }
}

impl Compiled<'_> {
    /// What launches can hold pods of these classes that ask for this much together.
    pub(crate) fn holders<'a>(&'a self, classes: &[ClassId], load: &'a [i64]) -> Holders<'a> {
        let mut rows: Vec<RowId> = classes.iter().map(|class| self.classes[*class].row).collect();
        rows.sort_unstable();
        rows.dedup();
        let mut sites = self.usable.clone();
        rows.into_iter().for_each(|row| sites.and(&self.rows[row]));
        let ports = classes.iter().map(|class| &self.classes[*class].ports);
        Holders {
            base: &self.base,
            sites,
            load,
            ports: ports.filter(|ports| ports.any()).collect(),
        }
    }
}
