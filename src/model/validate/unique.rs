//! Names that must be unique, those of replicas among them.

use crate::model::Pod;
use crate::model::fault::{Faults, Path, quoted};

/// Checks that no (namespace, name) occurs twice.
pub(super) fn names<'a>(
    names: impl Iterator<Item = (&'a str, &'a str)>,
    path: &Path<'_>,
    faults: &mut Faults,
) {
    let mut sorted: Vec<_> = names.enumerate().map(|(i, name)| (name, i)).collect();
    sorted.sort_unstable();
    for pair in sorted.windows(2) {
        if let [(first, _), (second, i)] = pair
            && first == second
        {
            taken(second.1, &path.item(*i), faults);
        }
    }
}

/// Checks that no pod, replicas included, has another's namespace and name.
///
/// Replicas are named `name-0` to `name-(n-1)`. A number has no leading zeros and no '-', so
/// the names of two sets of replicas meet only if the sets have the same stem, and a single pod's
/// name meets those of a set only if it is the stem, '-' and a number below the set's count. So no
/// name needs to be expanded.
pub(super) fn pods(pods: &[Pod], by_name: &[usize], path: &Path<'_>, faults: &mut Faults) {
    let mut sets: Vec<(&str, &str, u32)> = Vec::new();
    let mut former_single: Option<&Pod> = None;
    for (i, pod) in by_name.iter().filter_map(|&i| Some((i, pods.get(i)?))) {
        let name = (&*pod.namespace, &*pod.name);
        if pod.replicas > 1 {
            match sets.last_mut() {
                Some((namespace, stem, most)) if (*namespace, *stem) == name => {
                    taken(&pod.name, &path.item(i), faults);
                    *most = (*most).max(pod.replicas);
                }
                _ => sets.push((name.0, name.1, pod.replicas)),
            }
        } else {
            if former_single.is_some_and(|former| (&*former.namespace, &*former.name) == name) {
                taken(&pod.name, &path.item(i), faults);
            }
            former_single = Some(pod);
        }
    }
    if sets.is_empty() {
        return;
    }
    for (i, pod) in pods.iter().enumerate().filter(|(_, pod)| pod.replicas <= 1) {
        let Some((stem, number)) = stem_and_number(&pod.name) else { continue };
        let key = (&*pod.namespace, stem);
        let found = sets.binary_search_by(|(namespace, stem, _)| (*namespace, *stem).cmp(&key));
        if found.ok().and_then(|at| sets.get(at)).is_some_and(|(_, _, count)| number < *count) {
            name_of_replica(&pod.name, stem, &path.item(i), faults);
        }
    }
}

/// The stem and the number, if a name is one that a replica could have.
pub(in crate::model) fn stem_and_number(name: &str) -> Option<(&str, u32)> {
    let (stem, digits) = name.rsplit_once('-')?;
    let canonical =
        digits.bytes().all(|b| b.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
    Some((stem, digits.parse().ok().filter(|_| canonical)?))
}

/// The fault of a pod whose name is that of a replica.
pub(in crate::model) fn name_of_replica(
    name: &str,
    stem: &str,
    path: &Path<'_>,
    faults: &mut Faults,
) {
    faults.add(
        &path.field("name"),
        format!("{} is the name of a replica of {}", quoted(name), quoted(stem)),
        "a name of its own",
    );
}

/// The fault of a name that another has.
pub(in crate::model) fn taken(name: &str, path: &Path<'_>, faults: &mut Faults) {
    faults.add(
        &path.field("name"),
        format!("{} is taken already", quoted(name)),
        "a name of its own",
    );
}
