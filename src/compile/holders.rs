//! Which offers and columns can hold certain pods on one node.

use super::bits::transpose;
use super::{
    Base, Bits, Class, ClassId, Column, Compiled, Id, IdVec, NodeId, OfferId, PortUse, RowId,
    Shape, ShapeId, SharedVolumes,
};
use std::collections::BTreeMap;

/// The offers whose launches can hold certain pods.
#[derive(Debug)]
pub(crate) struct Holders<'a> {
    base: &'a Base,
    sites: Bits,
    load: &'a [i64],
    ports: Vec<&'a PortUse>,
    shared: SharedVolumes<'a>,
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
            && self.shared.fit(&shape.allocatable, self.load, &shape.attached)
    }
}

impl Compiled {
    /// How many pods of a class an empty node of a column holds at most.
    pub(crate) fn slots(&self, column: &Column, class: ClassId) -> u32 {
        let class = &self.classes[class];
        if column.admits(class.row) { room_for(class, &self.shapes[column.shape]) } else { 0 }
    }

    /// Whether any of these sites, empty but for what runs there, holds one of a class.
    pub(super) fn holds_any(&self, sites: &Bits, class: &Class) -> bool {
        sites.iter().any(|site| match site.checked_sub(self.offers.len()) {
            None => {
                let shape = &self.shapes[self.offers[OfferId::from_index(site)].shape];
                class.fits(&shape.allocatable, &shape.attached, 1) > 0
            }
            Some(node) => {
                let node = &self.nodes[NodeId::from_index(node)];
                class.fits(&node.free, &node.attached, 1) > 0
            }
        })
    }

    /// For each class, the columns that hold one of it.
    pub(super) fn takers(&self) -> IdVec<ClassId, Bits> {
        let admitting = transpose(self.columns.iter().map(|one| &one.admits), self.rows.len());
        // Many classes ask for the same; what keeps them apart lies in rows and in rules between pods.
        let mut roomy: BTreeMap<_, Bits> = BTreeMap::new();
        let takers = self.classes.values().map(|class| {
            let key = (&class.request, &class.ports, &class.shared, class.per_node.min(1));
            let holding = roomy.entry(key).or_insert_with(|| {
                let holds = |shape: &Shape| room_for(class, shape) > 0;
                let holds: IdVec<ShapeId, bool> = self.shapes.values().map(holds).collect();
                let mut holding = Bits::none(self.columns.len());
                let columns = self.columns.iter().enumerate();
                let columns = columns.filter(|(_, column)| holds[column.shape]);
                columns.for_each(|(at, _)| holding.insert(at));
                holding
            });
            let mut takers = holding.clone();
            takers.and(&admitting[class.row.index()]);
            takers
        });
        takers.collect()
    }

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
            shared: SharedVolumes::of(classes.iter().map(|class| &self.classes[*class])),
        }
    }
}

/// How many pods of a class an empty node of a shape holds at most, should its labels and taints suit; what
/// they share is left out.
fn room_for(class: &Class, shape: &Shape) -> u32 {
    if class.ports.blocks.overlaps(&shape.ports) {
        return 0;
    }
    class.could_fit(&shape.allocatable, &shape.attached, class.per_node)
}
