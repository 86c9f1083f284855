//! Rows: the sites that meet a set of rules, each distinct set of sites once.

use super::bits::Bits;
use super::id::{IdVec, RowId};
use std::collections::BTreeMap;

/// Rows by number, each distinct one once.
#[derive(Default)]
pub(crate) struct Rows {
    pub(crate) rows: IdVec<RowId, Bits>,
    numbers: BTreeMap<Bits, RowId>,
}

impl Rows {
    pub(crate) fn number(&mut self, row: &Bits) -> RowId {
        if let Some(known) = self.numbers.get(row) {
            return *known;
        }
        let id = self.rows.push(row.clone());
        let _new = self.numbers.insert(row.clone(), id);
        id
    }
}
