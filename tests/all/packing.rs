//! Bins packed without waste: the plan that is known to be possible is found, and proved.

use plimsoll::{
    Effort, InstanceType, LaunchPlan, NodePool, Offering, Options, Pod, Problem, Resources,
    provision, verify,
};

const ROOM: i64 = 1000;
const DIMENSIONS: usize = 3;

/// Sizes of three items for each bin that fill it exactly, in every dimension.
fn triplets(bins: usize, seed: u64) -> Vec<[i64; DIMENSIONS]> {
    let mut state = seed;
    let mut draw = |most: i64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from((state >> 33) % u64::try_from(most).unwrap()).unwrap()
    };
    let mut items = Vec::new();
    for _ in 0..bins {
        let one = [(); DIMENSIONS].map(|()| 200 + draw(200));
        let other = [(); DIMENSIONS].map(|()| 200 + draw(200));
        let mut rest = [ROOM; DIMENSIONS];
        for (rest, (one, other)) in rest.iter_mut().zip(one.iter().zip(&other)) {
            *rest -= one + other;
        }
        items.extend([one, other, rest]);
    }
    items
}

fn resources(sizes: [i64; DIMENSIONS]) -> Resources {
    let names = ["example.com/a", "example.com/b", "example.com/c"];
    let sizes = sizes.map(|size| size.to_string());
    Resources::parse(names.into_iter().zip(sizes.iter().map(String::as_str))).unwrap()
}

fn planned(items: &[[i64; DIMENSIONS]]) -> LaunchPlan {
    let capacity = Resources::parse([
        ("pods", "100"),
        ("example.com/a", "1000"),
        ("example.com/b", "1000"),
        ("example.com/c", "1000"),
    ]);
    let bin = InstanceType::new("bin", capacity.unwrap())
        .with_offering(Offering::on_demand("z", "1".parse().unwrap()));
    let mut builder = Problem::builder().instance_type(bin).node_pool(NodePool::new("bins"));
    for (number, sizes) in items.iter().enumerate() {
        builder = builder.pod(Pod::new(format!("item-{number}")).with_requests(resources(*sizes)));
    }
    let problem = builder.build().unwrap();
    let mut options = Options::default();
    options.effort = Effort::Refine(Default::default());
    let plan = provision(&problem, &options).unwrap();
    let _verified = verify(&problem, &plan).unwrap();
    plan
}

#[test]
fn bins_without_waste_are_found_and_proved() {
    for seed in 0..6 {
        let plan = planned(&triplets(12, seed));
        assert_eq!(plan.launches().len(), 12, "seed {seed}");
        assert_eq!(plan.cost().lower_bound, plan.cost().total, "seed {seed}");
    }
}

/// Many pods that differ, and hundreds of bins: each pod is in the first bin that has room for it.
#[test]
fn the_baseline_is_first_fit_decreasing() {
    let mut state = 7_u64;
    let mut draw = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        50 + i64::try_from((state >> 33) % 600).unwrap()
    };
    let mut sizes: Vec<i64> = (0..700).map(|_| draw()).collect();
    sizes.sort_unstable_by_key(|size| std::cmp::Reverse(*size));
    let mut bins: Vec<Vec<i64>> = Vec::new();
    for size in &sizes {
        match bins.iter_mut().find(|bin| bin.iter().sum::<i64>() + size <= ROOM) {
            Some(bin) => bin.push(*size),
            None => bins.push(vec![*size]),
        }
    }
    let cpu = |millicores: i64| Resources::parse([("cpu", &*format!("{millicores}m"))]).unwrap();
    let pods = sizes
        .iter()
        .zip(0..)
        .map(|(size, at)| Pod::new(format!("p{at:04}-{size}")).with_requests(cpu(*size)));
    let capacity = Resources::parse([("cpu", "1"), ("pods", "100")]).unwrap();
    let offering = Offering::on_demand("a", "1".parse().unwrap());
    let problem = Problem::builder()
        .pods(pods)
        .instance_type(InstanceType::new("t", capacity).with_offering(offering))
        .node_pool(NodePool::new("pool"))
        .build()
        .unwrap();
    let mut options = Options::default();
    options.effort = Effort::FirstFit;
    let plan = provision(&problem, &options).unwrap();
    let _verified = verify(&problem, &plan).unwrap();
    let size_of = |name: &str| name.rsplit_once('-').unwrap().1.parse::<i64>().unwrap();
    let mut found: Vec<Vec<i64>> = plan
        .launches()
        .iter()
        .map(|launch| launch.pods().iter().map(|pod| size_of(pod)).collect())
        .collect();
    found.iter_mut().chain(&mut bins).for_each(|bin| bin.sort_unstable());
    found.sort_unstable();
    bins.sort_unstable();
    assert!(bins.len() > 200, "{}", bins.len());
    assert_eq!(found, bins);
}
