//! Rows: the sites that meet a set of rules, each distinct set of sites once.

use super::bits::Bits;
use super::id::{EligibilityId, IdVec};
use std::collections::BTreeMap;

/// Rows by number, each distinct one once.
#[derive(Default)]
pub(crate) struct EligibilitySets {
    pub(crate) sets: IdVec<EligibilityId, Bits>,
    numbers: BTreeMap<Bits, EligibilityId>,
}

impl EligibilitySets {
    pub(crate) fn number(&mut self, eligible: &Bits) -> EligibilityId {
        if let Some(known) = self.numbers.get(eligible) {
            return *known;
        }
        let id = self.sets.push(eligible.clone());
        let _new = self.numbers.insert(eligible.clone(), id);
        id
    }
}
