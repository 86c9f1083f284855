//! `minValues`, counted again: how many different values of a label the alternatives keep open.
//!
//! The pool asks for a minimum, the launch states one. The stated minimum must be met; one that is
//! lower than the pool's is counted, not refused, because a caller may have asked for best effort.

use super::site::Sites;
use super::violation::Violation;
use crate::model::{NodePool, well_known};
use crate::plan::LaunchTemplate;
use std::collections::{BTreeMap, BTreeSet};

/// The pool's minimum for each key that has one.
pub(super) fn asked(pool: &NodePool) -> BTreeMap<&str, u32> {
    let mut asked = BTreeMap::new();
    for one in &pool.requirements {
        if let Some(minimum) = one.min_values {
            let most: &mut u32 = asked.entry(well_known::normalized(&one.key)).or_default();
            *most = minimum.max(*most);
        }
    }
    asked
}

/// Reports minima that aren't stated or aren't met; whether one is lower than the pool asks.
pub(super) fn check(
    launch: usize,
    template: &LaunchTemplate,
    pool: &NodePool,
    ids: impl Iterator<Item = usize>,
    sites: &mut Sites<'_>,
    out: &mut Vec<Violation>,
) -> bool {
    let mut stated: BTreeMap<&str, u32> = BTreeMap::new();
    for one in template.requirements.iter() {
        if let Some(minimum) = one.min_values {
            let most = stated.entry(well_known::normalized(&one.key)).or_default();
            *most = minimum.max(*most);
        }
    }
    let mut lowered = false;
    for (key, asked) in asked(pool) {
        match stated.get(key) {
            None => out.push(Violation::MinValuesMissing { launch, key: key.into(), asked }),
            Some(stated) => lowered |= *stated < asked,
        }
    }
    if stated.is_empty() {
        return lowered;
    }
    let mut values: BTreeMap<&str, BTreeSet<&str>> =
        stated.keys().map(|key| (*key, BTreeSet::new())).collect();
    for id in ids {
        let Some(site) = sites.get(id) else { continue };
        for (key, values) in &mut values {
            values.extend(site.values(key));
        }
    }
    for (key, stated) in stated {
        let found = values.get(key).map_or(0, BTreeSet::len);
        let found = u64::try_from(found).unwrap_or(u64::MAX);
        if found < u64::from(stated) {
            out.push(Violation::MinValuesUnmet { launch, key: key.into(), stated, found });
        }
    }
    lowered
}
