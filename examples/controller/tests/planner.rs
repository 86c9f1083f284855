//! The planner's what-if is the problem that it is asked for, whatever changed since the last one.

use plimsoll::{
    InstanceType, Node, NodePool, Offering, Options, Pod, Problem, Resources, provision,
};
use plimsoll_controller::planner::Planner;
use std::collections::BTreeMap;

/// Draws, one after another, from one number.
struct Draw(u64);

impl Draw {
    fn below(&mut self, most: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
}

fn problem(pods: &BTreeMap<u64, (u64, Option<u64>)>, nodes: &BTreeMap<u64, u64>) -> Problem {
    let requests = |cpu: u64| Resources::parse([("cpu", cpu.to_string().as_str())]).unwrap();
    let size =
        |cpu: u64| Resources::parse([("cpu", cpu.to_string().as_str()), ("pods", "20")]).unwrap();
    let pod = |(number, (cpu, node)): (&u64, &(u64, Option<u64>))| {
        let pod = Pod::new(format!("p-{number}")).with_requests(requests(*cpu));
        match node.filter(|node| nodes.contains_key(node)) {
            Some(node) => pod.with_node_name(format!("n-{node}")).with_owner_kind("ReplicaSet"),
            None => pod,
        }
    };
    let offering = Offering::spot("a", "0.1".parse().unwrap());
    Problem::builder()
        .pods(pods.iter().map(pod))
        .nodes(nodes.iter().map(|(number, cpu)| Node::new(format!("n-{number}"), size(*cpu))))
        .instance_type(InstanceType::new("m", size(8)).with_offering(offering))
        .node_pool(NodePool::new("main"))
        .build()
        .unwrap()
}

#[test]
fn a_what_if_is_the_problem_that_was_asked_for() {
    let mut draw = Draw(7);
    let mut planner = Planner::default();
    let (mut pods, mut nodes) = (BTreeMap::new(), BTreeMap::new());
    for number in 0..40 {
        let _new =
            pods.insert(number, (1 + draw.below(4), (number % 2 == 0).then_some(number % 6)));
    }
    for number in 0..6 {
        let _new = nodes.insert(number, 32);
    }
    for step in 0..200 {
        for _ in 0..draw.below(4) {
            let (pod, node) = (draw.below(50), draw.below(8));
            match draw.below(6) {
                0 => drop(pods.remove(&pod)),
                1 | 2 => drop(pods.insert(pod, (1 + draw.below(4), None))),
                3 => pods.values_mut().take(5).for_each(|one| one.1 = Some(node)),
                4 => drop(nodes.remove(&node)),
                _ => drop(nodes.insert(node, 32 + draw.below(2))),
            }
        }
        let problem = problem(&pods, &nodes);
        let what_if = planner.what_if(&problem).unwrap();
        assert_eq!(what_if.problem(), problem, "{step}");
        let options = Options::default();
        let plan = what_if.provision(&options).unwrap();
        assert_eq!(plan.to_json(), provision(&problem, &options).unwrap().to_json(), "{step}");
    }
    // Mostly the problem that was compiled last is asked.
    assert!((2..50).contains(&planner.compiled()), "{}", planner.compiled());
}
