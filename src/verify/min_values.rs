//! `minValues`, counted again: how many different values of a label the alternatives keep open.
//!
//! *The rule.* A pool may ask that a launch leaves the cloud a choice: of at least so many instance
//! types, say, or zones. What counts is how many different values of the key the launch's
//! alternatives have between them, its choice included; an alternative that leaves the label open
//! counts for each named value that it may get. Where a pool asks twice for one key the higher
//! number counts.
//!
//! *Stated and asked.* The pool's minimum is asked, the launch states one in its requirements. A
//! stated minimum must be met. One that is lower than the pool's is counted in
//! [`lowered_min_values`](super::Verified::lowered_min_values) and not refused, because a caller
//! may have asked for best effort; one that isn't stated at all is refused.
//!
//! Source: <https://karpenter.sh/docs/concepts/nodepools/#min-values>.

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
///
/// Values are those of the sites that were looked up already, so an alternative that isn't sold
/// counts for nothing.
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
