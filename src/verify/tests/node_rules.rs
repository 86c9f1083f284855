//! What node rules and volumes say, asked directly: plans seldom depend on each answer.

use super::*;
use crate::model::{Affinity, Node, NodeSelectorTerm, Operator, Requirement, Volume};
use crate::verify::node_affinity::PodNodeRules;
use crate::verify::requirement::is_oddly_written;
use crate::verify::{label, volume};

fn term<const N: usize>(expressions: [(&str, Operator, &[&str]); N]) -> NodeSelectorTerm {
    let requirements = expressions
        .map(|(key, operator, values)| Requirement::new(key, operator, values.iter().copied()));
    NodeSelectorTerm::new(requirements)
}

fn with_terms<const N: usize>(terms: [NodeSelectorTerm; N]) -> Pod {
    let affinity = terms.into_iter().fold(Affinity::new(), Affinity::with_required_node_term);
    Pod::new("p").with_affinity(affinity)
}

#[test]
fn the_only_value_is_that_of_the_selector_or_of_every_term() {
    let only = |pod: &Pod| PodNodeRules::of(pod).only_value("zone").map(str::to_owned);
    let in_a = || term([("zone", Operator::In, &["a"])]);
    let in_b = || term([("zone", Operator::In, &["b"])]);
    assert_eq!(only(&Pod::new("p")), None);
    assert_eq!(only(&Pod::new("p").with_node_selector("zone", "a")), Some("a".into()));
    assert_eq!(only(&with_terms([in_a()])), Some("a".into()));
    assert_eq!(only(&with_terms([in_a(), in_a()])), Some("a".into()));
    assert_eq!(only(&with_terms([in_a(), in_b()])), None);
    assert_eq!(only(&with_terms([in_a(), term([("other", Operator::Exists, &[])])])), None);
    assert_eq!(only(&with_terms([term([("zone", Operator::NotIn, &["a"])])])), None);
    assert_eq!(only(&with_terms([term([("other", Operator::In, &["a"])])])), None);
    assert_eq!(only(&with_terms([term([("zone", Operator::In, &["a", "b"])])])), None);
    // A term without conditions holds of no node, so it is none of the ways to meet the rules.
    assert_eq!(only(&with_terms([in_a(), term([])])), Some("a".into()));
}

#[test]
fn rules_read_a_name_only_where_they_say_so() {
    let named = Requirement::new("metadata.name", Operator::In, ["n"]);
    let by_name = with_terms([term([]).with_match_field(named)]);
    assert!(PodNodeRules::of(&by_name).reads_fields());
    assert!(
        !PodNodeRules::of(&with_terms([term([("zone", Operator::Exists, &[])])])).reads_fields()
    );
    let node = |name: &str| Node::new(name, amounts([("pods", "1")]));
    let could =
        |pod: &Pod, name: &str| PodNodeRules::of(pod).could_hold(&label::of_node(&node(name)));
    assert!(could(&by_name, "n") && !could(&by_name, "m"));
    assert!(!could(&with_terms([term([])]), "n"), "a term without conditions holds nowhere");
}

#[test]
fn a_volume_that_is_there_already_takes_no_slot() {
    let limits = BTreeMap::from([(Arc::from("disk"), 1)]);
    let with = |name: &str, ids: &[&str]| {
        let volumes = ids.iter().map(|id| Volume::new("disk", *id));
        volumes.fold(Pod::new(name.to_owned()), Pod::with_volume)
    };
    let attaches = |present: &[&str], new: &[&str]| {
        let (present, new) = (with("present", present), with("new", new));
        volume::attaches(&limits, [&present].into_iter(), &new)
    };
    assert!(attaches(&[], &["v"]) && attaches(&["v"], &["v"]));
    assert!(!attaches(&["v"], &["w"]) && !attaches(&[], &["v", "w"]));
    // A node above its limit stays as it is, but takes no more.
    assert!(attaches(&["v", "w"], &["w"]) && !attaches(&["v", "w"], &["x"]));
    assert!(attaches(&["v", "w"], &[]));
}

#[test]
fn integers_have_one_spelling() {
    for odd in ["05", "+5", "-0"] {
        assert!(is_oddly_written(odd), "{odd}");
    }
    for plain in ["5", "-5", "0", "a", ""] {
        assert!(!is_oddly_written(plain), "{plain}");
    }
}
