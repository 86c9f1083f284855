//! The plan of a what-if is, byte for byte, that of its problem written out.
#![no_main]

use libfuzzer_sys::arbitrary::Result;
use libfuzzer_sys::fuzz_target;
use plimsoll::model::CapacityType;
use plimsoll::{Node, Pod, Price, Quantity, Resources, Solver, WhatIf, provision};
use plimsoll_fuzz::{Bytes, options, problem};

/// The what-if with one more change; as it was where the change isn't possible.
fn changed(bytes: &mut Bytes<'_>, now: WhatIf) -> Result<WhatIf> {
    let next = now.clone();
    let number = bytes.int_in_range(0..=3)?;
    let (of_type, zone) = (format!("type-{number}"), *bytes.choose(&["a", "b", "c"])?);
    let pool = format!("pool-{}", bytes.int_in_range(0..=1)?);
    let node = format!("node-{number}");
    let pod = format!("pod-{}", bytes.int_in_range(0..=8)?);
    let small = u64::from(bytes.int_in_range(1..=16_u8)?);
    let next = match bytes.int_in_range(0..=8)? {
        0 => next.without_node(&node),
        1 => {
            let mut room = Resources::new();
            let _former = room.insert("cpu", Quantity::from_units(small));
            let _former = room.insert("memory", Quantity::from_units(small << 31));
            let _former = room.insert("pods", Quantity::from_units(10));
            let new = Node::new(format!("new-{number}"), room);
            next.with_node(new.with_label("topology.kubernetes.io/zone", zone))
        }
        2 => {
            let mut requests = Resources::new();
            let _former = requests.insert("cpu", Quantity::from_millis(small * 250));
            let new = Pod::new(format!("new-{number}")).with_label("app", "web");
            next.with_pod(new.with_requests(requests))
        }
        3 => next.without_pod("default", &pod),
        4 => next.with_replicas("default", &pod, u32::try_from(small).unwrap_or(1)),
        5 => next.without_offering(&of_type, zone, CapacityType::Spot),
        6 => {
            let price = Price::from_nanos(i128::from(small) * 50_000_000);
            next.with_price(&of_type, zone, CapacityType::OnDemand, price)
        }
        7 => next.with_limit(&pool, "cpu", Quantity::from_units(small)),
        _ => next.without_limit(&pool, "cpu"),
    };
    Ok(next.unwrap_or(now))
}

fuzz_target!(|data: &[u8]| {
    let mut bytes = Bytes::new(data);
    let (Ok(Some(problem)), Ok(options)) = (problem(&mut bytes), options(&mut bytes)) else {
        return;
    };
    let Ok(solver) = Solver::new(&problem) else { return };
    let mut now = solver.what_if();
    for _ in 0..3 {
        let Ok(next) = changed(&mut bytes, now.clone()) else { return };
        now = next;
        let written = now.problem();
        let (one, other) = (now.provision(&options), provision(&written, &options));
        match (one, other) {
            (Ok(one), Ok(other)) => {
                assert_eq!(one.to_json(), other.to_json(), "\n{}", written.to_json());
            }
            (one, other) => assert_eq!(one.is_ok(), other.is_ok()),
        }
    }
});
