//! Quotas: classes of which one node holds few together, as the bound sees them.

use super::Compiled;
use super::id::{ClassId, Id, KindId, SelectionId};
use super::topology::Over;
use std::collections::{BTreeMap, BTreeSet};

/// Several classes of which one node holds so much together and no more.
#[derive(Clone, Debug)]
pub(crate) struct Quota {
    /// The classes, with what one counts for.
    pub(crate) classes: Vec<(ClassId, u32)>,
    pub(crate) most: u32,
}

impl Compiled {
    /// The quotas of caps, and of pods that keep each other off their nodes: one a node of them all.
    pub(super) fn quotas(&self) -> Vec<Quota> {
        let mut of_kind: BTreeMap<KindId, Vec<ClassId>> = BTreeMap::new();
        for (id, class) in self.classes.iter() {
            for (kind, _) in &class.parts {
                of_kind.entry(*kind).or_default().push(id);
            }
        }
        let mut apart: BTreeMap<SelectionId, BTreeSet<ClassId>> = BTreeMap::new();
        for (kind, rules) in self.topology.rules.iter() {
            let own = rules.far.iter().filter(|term| term.over == Over::Host);
            for term in own.filter(|term| self.topology.selects(term.selection, kind)) {
                let classes = of_kind.get(&kind).into_iter().flatten();
                apart.entry(term.selection).or_default().extend(classes);
            }
        }
        let apart = apart.into_values().map(|classes| Quota {
            classes: classes.into_iter().map(|class| (class, 1)).collect(),
            most: 1,
        });
        let mut capped: Vec<Quota> =
            self.caps.values().map(|cap| Quota { classes: Vec::new(), most: cap.most }).collect();
        for (id, class) in self.classes.iter() {
            for (cap, each) in &class.caps {
                capped[cap.index()].classes.push((id, *each));
            }
        }
        let several = |quota: &Quota| quota.classes.len() > 1;
        apart.chain(capped).filter(several).collect()
    }
}
