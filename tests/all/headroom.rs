//! Headroom and forecasts: how many pods room is kept for, and that plans keep it.

use crate::random;
use plimsoll::model::{Forecast, Headroom, Placeholder};
use plimsoll::{Options, Pod, Problem, Resources, provision, verify};
use proptest::prelude::*;

fn resources(pairs: &[(&str, &str)]) -> Resources {
    Resources::parse(pairs.iter().copied()).unwrap()
}

/// The rules of both autoscalers' buffers, case by case, for pods of 500m and 1Gi.
#[test]
fn headroom_is_sized_as_buffers_are() {
    let of = |replicas: Option<u32>, percentage: Option<(u32, u32)>, limits: &[(&str, &str)]| {
        let mut headroom = Headroom::default().with_limits(resources(limits));
        if let Some(replicas) = replicas {
            headroom = headroom.with_replicas(replicas);
        }
        if let Some((percent, of)) = percentage {
            headroom = headroom.with_percentage(percent, of);
        }
        headroom.pods(&resources(&[("cpu", "500m"), ("memory", "1Gi")]))
    };
    assert_eq!(of(Some(5), None, &[]), 5);
    assert_eq!(of(Some(10), None, &[("cpu", "2")]), 4);
    assert_eq!(of(Some(3), None, &[("cpu", "2")]), 3);
    assert_eq!(of(None, None, &[("cpu", "3"), ("memory", "4Gi")]), 4);
    assert_eq!(of(None, Some((20, 10)), &[]), 2);
    assert_eq!(of(None, Some((1, 10)), &[]), 1);
    assert_eq!(of(None, Some((50, 0)), &[]), 0);
    assert_eq!(of(Some(5), Some((20, 10)), &[]), 5);
    assert_eq!(of(Some(1), Some((30, 10)), &[]), 3);
    assert_eq!(of(Some(1), Some((50, 10)), &[("cpu", "2")]), 4);
    // What a pod doesn't request limits nothing, and no size is none.
    assert_eq!(of(Some(5), None, &[("example.com/gpu", "1")]), 5);
    assert_eq!(of(None, None, &[("example.com/gpu", "1")]), 0);
    assert_eq!(of(Some(5), None, &[("pods", "2")]), 2);
    assert_eq!(of(Some(5), None, &[("cpu", "0")]), 0);
    assert_eq!(of(None, None, &[]), 0);
    assert_eq!(of(Some(u32::MAX), Some((u32::MAX, u32::MAX)), &[]), u32::MAX);
}

#[test]
fn a_placeholder_is_the_pod_without_what_is_its_own() {
    let pod = Pod::new("web")
        .with_label("app", "web")
        .with_priority(7)
        .with_node_name("n")
        .with_volume(plimsoll::model::Volume::new("ebs", "v"));
    let room = Headroom::default().with_replicas(2).placeholder(&pod).unwrap();
    assert_eq!((room.name(), room.replicas(), room.priority()), ("web", 2, i32::MIN));
    assert_eq!(room.placeholder(), Some(Placeholder::Launch));
    assert_eq!((room.labels(), room.node_name()), (pod.labels(), None));
    assert!(room.volumes().is_empty());
    assert_eq!(Headroom::default().placeholder(&pod), None);
}

proptest! {
    #![proptest_config(random::config())]

    /// A quantile is a sample, grows with the share, and its share of the samples doesn't exceed
    /// it.
    #[test]
    fn a_quantile_is_the_least_count_that_is_enough(
        samples in prop::collection::vec((0..40_u32, 0..5_u64), 0..12),
        shares in prop::collection::vec(0..=1_000_000_u32, 2),
    ) {
        let add = |sum: Forecast, (count, weight): &(u32, u64)| sum.with_sample(*count, *weight);
        let forecast = samples.iter().fold(Forecast::default(), add);
        prop_assert_eq!(&forecast, &samples.iter().rev().fold(Forecast::default(), add));
        let counts: Vec<u32> = samples
            .iter()
            .flat_map(|(count, weight)| (0..*weight).map(move |_| *count))
            .collect();
        for share in &shares {
            let quantile = forecast.quantile(*share);
            prop_assert_eq!(quantile.is_some(), !counts.is_empty());
            let Some(quantile) = quantile else { continue };
            let up_to = |most: u32| counts.iter().filter(|count| **count <= most).count() as u64;
            let needed = u64::from(*share) * counts.len() as u64;
            prop_assert!(up_to(quantile) * 1_000_000 >= needed && counts.contains(&quantile));
            let below = counts.iter().filter(|count| **count < quantile).count() as u64;
            prop_assert!(below == 0 || below * 1_000_000 < needed);
        }
        let (low, high) = (shares[0].min(shares[1]), shares[0].max(shares[1]));
        prop_assert!(forecast.quantile(low) <= forecast.quantile(high));
    }
}

/// Room takes no pod's place: the pods that have a place without it have one with it, in all but
/// one plan of a hundred where something is scarce. Greedy plans aren't exact, and where few pods
/// are searched exhaustively, room makes more of them.
#[test]
fn room_hardly_ever_costs_a_pod_its_place() {
    let (mut compared, mut worse) = (0_u32, 0_u32);
    for seed in 0..300_u32 {
        let problem = random::scarce::made_from(seed.into(), 6);
        let given = Problem::from_json(&problem.to_string()).unwrap();
        let Some(model) = given.pods().iter().find(|pod| pod.node_name().is_none()) else {
            continue;
        };
        let headroom = Headroom::default().with_replicas(1 + seed % 3);
        let room = headroom.placeholder(&model.clone().with_name("room")).unwrap();
        let with_room = given.to_builder().pod(room).build().unwrap();
        let options = Options::default();
        let (before, after) =
            (provision(&given, &options).unwrap(), provision(&with_room, &options).unwrap());
        for (problem, plan) in [(&given, &before), (&with_room, &after)] {
            let _verified = verify(problem, plan).unwrap_or_else(|faults| panic!("{faults}"));
        }
        let out = |plan: &plimsoll::LaunchPlan| {
            let out = plan.unschedulable().iter().map(|one| one.pod.to_string());
            out.filter(|pod| !pod.contains("/room")).count()
        };
        compared += 1;
        worse += u32::from(out(&after) > out(&before));
    }
    assert!(compared > 200 && worse * 100 <= compared, "{worse} of {compared}");
}
