//! Columns: offers that differ in nothing that matters, as one thing to buy.
//!
//! Two offers of a shape at one price that every row treats alike (the zones of a type, say, where no
//! pod asks for a zone) are one column. Of two columns of pools of one weight, one is *dominated* by
//! the other when it is no cheaper, no larger in any resource, takes no class that the other refuses,
//! and the other is never scarce: whatever is put on the first can be put on the second, so the
//! packer needs to look at the second alone. Dominated columns are kept for `alternatives`.

use super::bits::{Bits, transpose};
use super::id::{Id, OfferId, PoolId, ReservationId, RowId, ShapeId};
use super::{Compiled, Shape};
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use std::collections::BTreeMap;
use std::hash::BuildHasher;

/// Offers that differ in nothing that matters.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) pool: PoolId,
    pub(crate) weight: i32,
    pub(crate) shape: ShapeId,
    /// Price per hour in billionths, without fees.
    pub(crate) price: i64,
    pub(crate) reservation: Option<ReservationId>,
    /// The rows that admit it, by row.
    pub(crate) admits: Bits,
    /// Its offers, in the order of their ids.
    pub(crate) offers: Vec<OfferId>,
    /// The offers of columns that it dominates.
    pub(crate) dominated: Vec<OfferId>,
}

/// The columns of a problem that no other dominates, in the order of their first offers; and for each
/// site the rows that admit it.
pub(crate) fn columns(compiled: &Compiled) -> (Vec<Column>, Vec<Bits>) {
    let sites = compiled.offers.len() + compiled.nodes.len();
    // What nothing can hold asks for nothing, so that it can't make offers differ.
    let none = compiled.usable.emptied();
    let mut asked = vec![&none; compiled.rows.len()];
    let hopeful = compiled.classes.iter().filter(|(id, _)| compiled.hopeful[*id]);
    for (_, class) in hopeful {
        asked[class.row.index()] = &compiled.rows[class.row];
    }
    let admits = transpose(asked.into_iter(), sites);
    let mut columns: Vec<Column> = Vec::new();
    // Only ever looked up in, never walked in hash order.
    let mut numbers: HashTable<usize> = HashTable::new();
    let hasher = FixedState::with_seed(0);
    for (id, offer) in compiled.offers.iter() {
        let rows = &admits[id.index()];
        let fixed = compiled.pools[offer.pool].fixed.is_some();
        if rows.is_empty() && !(fixed && compiled.usable.contains(id.index())) {
            continue;
        }
        let key = (offer.shape, offer.price, offer.reservation, rows);
        let hash = hasher.hash_one(key);
        let equal = |at: &usize| columns[*at].key() == key;
        if let Some(known) = numbers.find(hash, equal).copied() {
            columns[known].offers.push(id);
            continue;
        }
        columns.push(Column {
            pool: offer.pool,
            weight: compiled.pools[offer.pool].weight,
            shape: offer.shape,
            price: offer.price,
            reservation: offer.reservation,
            admits: rows.clone(),
            offers: vec![id],
            dominated: Vec::new(),
        });
        let new = columns.len() - 1;
        let _slot = numbers.insert_unique(hash, new, |at| hasher.hash_one(columns[*at].key()));
    }
    (undominated(compiled, columns), admits)
}

/// Columns that the same rows admit.
struct Alike<'c> {
    admits: &'c Bits,
    columns: Vec<usize>,
    /// The resources of each in one row, which tell most of them apart.
    rooms: Vec<i64>,
    /// The most that any has of each resource.
    most: Vec<i64>,
}

fn undominated(compiled: &Compiled, columns: Vec<Column>) -> Vec<Column> {
    let mut order: Vec<usize> = (0..columns.len()).collect();
    // Cheapest first; at one price the larger first, so that whatever dominates comes before.
    order.sort_by_cached_key(|at| {
        let column = &columns[*at];
        let room: i128 =
            compiled.shapes[column.shape].allocatable.iter().map(|have| i128::from(*have)).sum();
        (column.price, std::cmp::Reverse(room), std::cmp::Reverse(column.admits.count()), *at)
    });
    // What is kept, by the rows that admit it, since only what the same rows and more admit can
    // dominate.
    let width = compiled.dims.len();
    let mut kept: Vec<Alike<'_>> = Vec::new();
    let mut numbers: BTreeMap<&Bits, usize> = BTreeMap::new();
    // What dominates a column is admitted by each of its rows: for each row, what is kept and it admits.
    let mut admitted: Vec<Vec<usize>> = vec![Vec::new(); compiled.rows.len()];
    let mut all: Vec<usize> = Vec::new();
    let mut under: Vec<(usize, usize)> = Vec::new();
    for at in order {
        let worse = &columns[at];
        let small = &compiled.shapes[worse.shape].allocatable;
        let holds = |room: &[i64]| room.iter().zip(small).all(|(mine, theirs)| mine >= theirs);
        let of_rows = worse.admits.iter().map(|row| &admitted[row]);
        let candidates = of_rows.min_by_key(|kept| kept.len()).unwrap_or(&all);
        let dominating = candidates.iter().find_map(|alike| {
            let alike = &kept[*alike];
            if !holds(&alike.most) || !alike.admits.includes(&worse.admits) {
                return None;
            }
            let mut better = alike.columns.iter().zip(alike.rooms.chunks_exact(width));
            let found = better.find(|(better, room)| {
                holds(room) && dominates(compiled, &columns[**better], worse)
            });
            found.map(|(better, _)| *better)
        });
        if let Some(better) = dominating {
            under.push((better, at));
            continue;
        }
        match numbers.get(&worse.admits) {
            Some(alike) => {
                let alike = &mut kept[*alike];
                alike.columns.push(at);
                alike.rooms.extend(small);
                alike.most.iter_mut().zip(small).for_each(|(most, have)| *most = *have.max(most));
            }
            None => {
                let _new = numbers.insert(&worse.admits, kept.len());
                all.push(kept.len());
                worse.admits.iter().for_each(|row| admitted[row].push(kept.len()));
                kept.push(Alike {
                    admits: &worse.admits,
                    columns: vec![at],
                    rooms: small.clone(),
                    most: small.clone(),
                });
            }
        }
    }
    let mut kept: Vec<usize> = kept.into_iter().flat_map(|alike| alike.columns).collect();
    kept.sort_unstable();
    let mut columns = columns;
    for (better, worse) in under {
        let offers = std::mem::take(&mut columns[worse].offers);
        columns[better].dominated.extend(offers);
    }
    let mut keep = kept.into_iter().peekable();
    let chosen = columns.into_iter().enumerate().filter(|(at, _)| keep.next_if_eq(at).is_some());
    chosen.map(|(_, column)| column).collect()
}

/// Whether a column dominates another that is no larger and that no row admits which doesn't admit
/// the one.
fn dominates(compiled: &Compiled, better: &Column, worse: &Column) -> bool {
    let (large, small): (&Shape, &Shape) =
        (&compiled.shapes[better.shape], &compiled.shapes[worse.shape]);
    let pool = &compiled.pools[better.pool];
    // What a static pool launches is fixed, and so is what it costs.
    if better.pool != worse.pool
        && (pool.fixed.is_some() || compiled.pools[worse.pool].fixed.is_some())
    {
        return false;
    }
    let never_scarce = better.reservation.is_none()
        && (pool.limits.is_empty()
            || better.pool == worse.pool
                && large.charge.iter().zip(&small.charge).all(|(mine, theirs)| mine <= theirs));
    // With `minValues` a larger charge has a use: more alternatives stay within it.
    let as_free = pool.min_values.is_empty()
        || better.pool == worse.pool && (pool.limits.is_empty() || large.charge == small.charge);
    never_scarce
        && as_free
        && better.price <= worse.price
        && better.weight == worse.weight
        && small.ports.includes(&large.ports)
        // What daemons attach is as good as a free slot for pods that share it, and as none for others.
        && small.attached == large.attached
}

impl Column {
    /// What its offers have in common.
    fn key(&self) -> (ShapeId, i64, Option<ReservationId>, &Bits) {
        (self.shape, self.price, self.reservation, &self.admits)
    }

    /// Whether a row admits the column.
    pub(crate) fn admits(&self, row: RowId) -> bool {
        self.admits.contains(row.index())
    }
}
