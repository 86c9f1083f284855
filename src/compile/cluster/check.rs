//! Debug builds compare what is made of a what-if with what is made of its problem written out.
//!
//! That a what-if taken from the cluster and one read from its problem are the same, number for
//! number, is the promise of [`Cluster`](super::Cluster). In debug builds every compile of a
//! what-if is held against a fresh one, so each test that asks a what-if tests the promise as well;
//! release builds don't pay.

use crate::compile::{ClassId, Compiled};
use crate::model::{Changed, Pod, Price};

/// Checks that a dense problem is that of the problem written out, but for the places of its parts.
pub(super) fn equals_whole(compiled: &Compiled, changed: &Changed) {
    let whole = Compiled::new(&changed.problem(), Price::ZERO);
    let Ok(whole) = whole else {
        debug_assert!(false, "the problem written out is refused");
        return;
    };
    for ((name, one), (_, other)) in said(compiled).into_iter().zip(said(&whole)) {
        debug_assert_eq!(one, other, "{name}");
    }
}

/// What a dense problem says, by field.
///
/// As texts, since the types compare nowhere else. Places are shown as the names that they stand
/// for: the two problems have the same parts at other places.
fn said(compiled: &Compiled) -> Vec<(&'static str, String)> {
    let pods = |class: ClassId| -> Vec<&Pod> {
        let entries = compiled.classes[class].entries.iter();
        entries.map(|place| compiled.parts.pod(*place as usize)).collect()
    };
    let classes = compiled
        .classes
        .iter()
        .map(|(id, class)| (pods(id), class.rules, &class.domain_keys, &class.host_conflicts));
    let nodes = compiled.nodes.values().map(|node| {
        let name = compiled.parts.node(node.index);
        (name, &node.free, &node.used, &node.bound_use, node.occupied)
    });
    let site_conditions = &compiled.site_conditions;
    let labels = site_conditions.table.keys().map(|key| {
        let states = site_conditions.table.states(key).iter();
        let values: Vec<_> = states.map(|state| site_conditions.table.value(key, *state)).collect();
        (key, values, site_conditions.table.states(key))
    });
    let types: Vec<_> = compiled.parts.instance_types().collect();
    let pools: Vec<_> = compiled.parts.node_pools().collect();
    let standing: Vec<_> = compiled.standing.iter().map(|at| compiled.parts.node(*at)).collect();
    vec![
        ("dims", format!("{:?}", compiled.dims)),
        ("types", format!("{types:?}")),
        ("pools of the problem", format!("{pools:?}")),
        (
            "deleting",
            format!("{:?}", compiled.deleting.iter().map(|one| &one.1).collect::<Vec<_>>()),
        ),
        ("standing", format!("{standing:?}")),
        ("pools", format!("{:?}", compiled.pools)),
        ("offers", format!("{:?}", compiled.offers)),
        ("shapes", format!("{:?}", compiled.shapes)),
        ("nodes", format!("{:?}", nodes.collect::<Vec<_>>())),
        ("reservations", format!("{:?}", compiled.reservations)),
        ("flexible", format!("{:?}", compiled.min_values)),
        ("declared", format!("{:?}", compiled.declared)),
        ("rules", format!("{:?}", site_conditions.rules)),
        ("labels", format!("{:?}", labels.collect::<Vec<_>>())),
        ("holds", format!("{:?}", site_conditions.holds)),
        ("tolerated", format!("{:?}", site_conditions.tolerated)),
        ("topology", format!("{:?}", compiled.topology)),
        ("wishes", format!("{:?}", compiled.preferences)),
        ("classes", format!("{:?}", classes.collect::<Vec<_>>())),
        ("usable", format!("{:?}", compiled.usable)),
        ("crowded", format!("{:?}", compiled.over_skew)),
        ("anchors", format!("{:?}", compiled.anchors)),
        ("daemon keys", format!("{:?}", compiled.daemon_keys)),
        ("first offers", format!("{:?}", compiled.first_offers)),
        ("label keys", format!("{:?}", compiled.label_keys)),
        ("classes", format!("{:?}", compiled.items)),
        ("eligible", format!("{:?}", compiled.eligible)),
        ("quotas", format!("{:?}", compiled.cardinality_constraints)),
        ("bin types", format!("{:?}", compiled.bin_types)),
        ("admits", format!("{:?}", compiled.admits)),
        ("takers", format!("{:?}", compiled.compatibles)),
        ("hopeful", format!("{:?}", compiled.placeable)),
    ]
}
