//! Eligibility sets: the sites that meet a set of rules about nodes, each distinct set of sites
//! once.
//!
//! Rules that differ in words and not in effect end in one set here, so that items which may go to
//! the same places have the same number, and offers that the same numbers admit can be one bin
//! type.

use super::bits::Bits;
use super::id::{EligibilityId, IdVec};
use std::collections::BTreeMap;

/// The sets by number, each distinct one once.
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
