//! A cluster of so many nodes that one search says which could go, and a stepwise one decides.

use plimsoll::{Options, consolidate, verify_consolidation};
use plimsoll_testdata::running_cluster;

/// Its pods prefer a pool that soon is at its limits: what other pools launch may stand only once
/// these are reached, and most nodes can't go in another order than that of the decisions.
#[test]
fn large_clusters_go_in_the_order_of_their_decisions() {
    let problem = running_cluster(420, 4_000, 40, 40, 1);
    let mut options = Options::default();
    options.consolidation.bare_pods_move = true;
    options.consolidation.minimum_saving = 0;
    let plan = consolidate(&problem, &options).unwrap();
    let found = verify_consolidation(&problem, &plan, &options.consolidation).unwrap();
    let stuck = plan.stats()["stuckNodes"];
    assert!(
        found.deleted() > 250 && stuck * 16 <= found.deleted(),
        "{stuck} of {} are stuck: {:?} to {:?}",
        found.deleted(),
        found.cost_before(),
        found.cost_after()
    );
    let (before, after) = (found.cost_before().nanos(), found.cost_after().nanos());
    assert!(after * 4 < before, "{before} -> {after}");
    assert!(found.waves() <= 20, "{} waves", found.waves());
}
