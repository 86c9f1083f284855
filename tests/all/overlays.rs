//! Price overlays: what they match, what they make of prices, and how faults are named.

use plimsoll::model::{CapacityType, Labels, Operator, PriceChange, PriceOverlay, Requirements};
use plimsoll::{InstanceType, Node, NodePool, Offering, Price, Problem, Requirement, Resources};
use proptest::prelude::*;

fn price(text: &str) -> Price {
    text.parse().unwrap()
}

fn overlay(change: &str) -> PriceOverlay {
    PriceOverlay::new(format!("by{change}"), change.parse().unwrap())
}

fn instance_type(name: &str) -> InstanceType {
    InstanceType::new(name, Resources::parse([("pods", "10")]).unwrap())
}

/// Two types, sold in zones a and b, on demand and spot, at 1.00 each.
fn catalog() -> Problem {
    let offered = |mut instance_type: InstanceType| {
        for zone in ["a", "b"] {
            for capacity_type in [CapacityType::OnDemand, CapacityType::Spot] {
                instance_type =
                    instance_type.with_offering(Offering::new(zone, capacity_type, price("1")));
            }
        }
        instance_type
    };
    let small = instance_type("small")
        .with_label("beta.kubernetes.io/arch", "arm64")
        .with_label("cpus", "2")
        .with_requirement(Requirement::new("tenancy", Operator::In, ["shared", "alone"]));
    let large =
        instance_type("large").with_label("kubernetes.io/arch", "amd64").with_label("cpus", "32");
    let reserved =
        Offering::reserved("a", price("1")).with_reservation("cr-1", 2).with_label("rack", "r7");
    Problem::builder()
        .instance_type(offered(small))
        .instance_type(offered(large).with_offering(reserved))
        .node_pool(
            NodePool::new("default")
                .with_label("team", "data")
                .with_requirement(Requirement::new("size", Operator::In, ["l"]))
                .with_requirement(Requirement::new("cpus", Operator::Gt, ["1"])),
        )
        .node(Node::new("stated", Resources::new()).with_price(price("1")))
        .build()
        .unwrap()
}

/// The offerings that cost other than 1.00, as "type/zone/capacity type".
fn touched(problem: &Problem) -> Vec<String> {
    let mut names = Vec::new();
    for instance_type in problem.instance_types() {
        for offering in instance_type.offerings().iter().filter(|o| o.price() != price("1")) {
            let (zone, capacity_type) = (offering.zone(), offering.capacity_type());
            names.push(format!("{}/{zone}/{capacity_type}", instance_type.name()));
        }
    }
    names
}

/// The one price that is left when overlays change 1.00.
#[track_caller]
fn golden(changes: &[&str], result: &str) {
    let instance_type = instance_type("t").with_offering(Offering::spot("z", price("1.00")));
    let problem = Problem::builder().instance_type(instance_type).build().unwrap();
    let overlays: Vec<PriceOverlay> = changes.iter().map(|change| overlay(change)).collect();
    let repriced = problem.with_price_overlays(&overlays).unwrap();
    assert_eq!(repriced.instance_types()[0].offerings()[0].price().to_string(), result);
}

#[test]
fn prices_come_out_as_stated() {
    golden(&[], "1");
    golden(&["0.4"], "0.4");
    golden(&["+10%"], "1.1");
    golden(&["-15%"], "0.85");
    golden(&["-2.5"], "0");
    golden(&["+5"], "6");
    golden(&["+100%"], "2");
    golden(&["-100%"], "0");
    golden(&["-0.1%"], "0.999");
}

#[test]
fn overlays_stack_in_their_order() {
    golden(&["-50%", "-10%"], "0.45");
    golden(&["-10%", "-50%"], "0.45");
    // A discount, then a licence fee, and the other way round.
    golden(&["-20%", "+0.05"], "0.85");
    golden(&["+0.05", "-20%"], "0.84");
    // What has fallen to zero stays there until something is added.
    golden(&["-2.5", "+1"], "1");
    golden(&["+7", "0.4", "-50%"], "0.2");
    // Each step is rounded: 1/3 of a billionth more or less is lost on the way.
    golden(&["0.000000001", "-50%", "-40%", "+100%"], "0.000000002");
}

#[test]
fn requirements_read_what_an_offering_gives() {
    let of = |key: &str, operator, values: &[&str]| {
        let requirement = Requirement::new(key, operator, values.iter().copied());
        let overlays = [overlay("+1").with_requirement(requirement)];
        touched(&catalog().with_price_overlays(&overlays).unwrap()).join(" ")
    };
    let large = "large/a/on-demand large/a/reserved large/a/spot large/b/on-demand large/b/spot";
    let small = "small/a/on-demand small/a/spot small/b/on-demand small/b/spot";
    let all = format!("{large} {small}");
    let is = |key: &str, value: &str| of(key, Operator::In, &[value]);
    assert_eq!(is("node.kubernetes.io/instance-type", "large"), large);
    assert_eq!(is("kubernetes.io/arch", "arm64"), small);
    assert_eq!(is("beta.kubernetes.io/arch", "amd64"), large);
    assert_eq!(
        is("topology.kubernetes.io/zone", "b"),
        "large/b/on-demand large/b/spot small/b/on-demand small/b/spot"
    );
    assert_eq!(is("karpenter.sh/capacity-type", "reserved"), "large/a/reserved");
    assert_eq!(is("rack", "r7"), "large/a/reserved");
    assert_eq!(of("cpus", Operator::Gt, &["8"]), large);
    assert_eq!(of("cpus", Operator::Lte, &["32"]), all);
    // One of several values is enough.
    assert_eq!(is("tenancy", "alone"), small);
    assert_eq!(is("tenancy", "other"), "");
    assert_eq!(of("tenancy", Operator::NotIn, &["alone"]), all);
    // What is absent meets NotIn and DoesNotExist.
    assert_eq!(of("rack", Operator::Exists, &[]), "large/a/reserved");
    assert_eq!(of("unheard", Operator::DoesNotExist, &[]), all);
    assert_eq!(of("unheard", Operator::NotIn, &["x"]), all);
    assert_eq!(of("unheard", Operator::In, &["x"]), "");
    assert_eq!(of("tenancy", Operator::DoesNotExist, &[]), large);
}

#[test]
fn all_requirements_must_be_met() {
    let overlays = [overlay("0.5")
        .with_requirement(Requirement::new("kubernetes.io/arch", Operator::In, ["amd64"]))
        .with_requirement(Requirement::new("karpenter.sh/capacity-type", Operator::NotIn, ["spot"]))
        .with_requirement(Requirement::new("topology.kubernetes.io/zone", Operator::In, ["a"]))];
    let repriced = catalog().with_price_overlays(&overlays).unwrap();
    assert_eq!(touched(&repriced), ["large/a/on-demand", "large/a/reserved"]);
    assert_eq!(repriced.nodes()[0].price(), Some(price("1")), "a stated price stays");
}

#[test]
fn all_faults_are_found_at_once() {
    let needs = |key: &str| Requirement::new(key, Operator::In, ["x"]);
    let overlays = [
        PriceOverlay::new("", "+1".parse().unwrap()),
        overlay("+99999.5"),
        overlay("+1").with_requirement(needs("karpenter.sh/nodepool")),
        overlay("+1").with_requirement(needs("kubernetes.io/hostname")),
        overlay("-1").with_requirement(needs("team")).with_requirement(needs("size")),
        overlay("-1%").with_requirement(needs("no key")),
        overlay("-2%").with_requirement(Requirement::new("cpus", Operator::Gt, ["many"])),
        overlay("-3%").with_requirement(needs("cpus").with_min_values(1)),
        PriceOverlay::new("x", PriceChange::Scale(-1_000_000_001)),
        PriceOverlay::new("y", PriceChange::Set(Price::from_nanos(-1))),
        PriceOverlay::new("z", PriceChange::Add(Price::from_nanos(i128::MAX))),
    ];
    let error = catalog().with_price_overlays(&overlays).unwrap_err();
    assert!(error.is_invalid_input());
    let paths: Vec<&str> = error.findings().iter().map(|f| f.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "overlays[0].name",
            "overlays[1].priceAdjustment",
            "overlays[2].requirements[0].key",
            "overlays[3].requirements[0].key",
            "overlays[3].name",
            "overlays[4].requirements[0].key",
            "overlays[4].requirements[1].key",
            "overlays[5].requirements[0].key",
            "overlays[6].requirements[0].values",
            "overlays[7].requirements[0].minValues",
            "overlays[8].priceAdjustment",
            "overlays[9].price",
            "overlays[10].priceAdjustment",
        ],
        "{error}"
    );
    let dear = &error.findings()[1];
    assert_eq!(
        dear.to_string(),
        "overlays[1].priceAdjustment: makes large in a (on-demand) cost 100001.5, and 8 more; \
         expected at most 100000 per node and hour"
    );
}

#[cfg(feature = "serde")]
mod documents {
    use super::*;

    fn findings(text: &str) -> Vec<String> {
        let error = PriceOverlay::list_from_json(text).unwrap_err();
        error.findings().iter().map(|f| format!("{}: {}", f.path, f.problem)).collect()
    }

    #[test]
    fn lists_are_read_and_written() {
        let text = r#"[{"name":"cap","requirements":[{"key":"cpus","operator":"Gte","values":["8"]}],
            "price":0.4},{"name":"fee","requirements":null,"priceAdjustment":"+0.010"},
            {"name":"off","priceAdjustment":"-10.50%"}]"#;
        let overlays = PriceOverlay::list_from_json(text).unwrap();
        let cpus = Requirement::new("cpus", Operator::Gte, ["8"]);
        let built = [
            PriceOverlay::new("cap", PriceChange::Set(price("0.4"))).with_requirement(cpus),
            PriceOverlay::new("fee", PriceChange::Add(price("0.01"))),
            PriceOverlay::new("off", PriceChange::Scale(-105_000_000)),
        ];
        assert_eq!(overlays, built);
        let written = PriceOverlay::list_to_json(&overlays);
        assert_eq!(
            written,
            r#"[{"name":"cap","requirements":[{"key":"cpus","operator":"Gte","values":["8"]}],"#
                .to_owned()
                + r#""price":"0.4"},{"name":"fee","priceAdjustment":"+0.01"},"#
                + r#"{"name":"off","priceAdjustment":"-10.5%"}]"#
        );
        assert_eq!(PriceOverlay::list_from_json(&written).unwrap(), built);
        // Through serde's own traits.
        let tree = serde_json::to_value(&overlays).unwrap();
        assert_eq!(serde_json::from_value::<Vec<PriceOverlay>>(tree).unwrap(), built);
    }

    #[test]
    fn faults_have_paths() {
        assert_eq!(findings("{}"), ["overlays: a map"]);
        assert_eq!(findings("[3]"), ["overlays[0]: 3"]);
        let text = r#"[{"name": "a"}, {"price": "1", "priceAdjustment": "+1"},
            {"name": "b", "price": "+1", "weight": 3}, {"name": "c", "price": -1},
            {"name": "c", "priceAdjustment": "1"}, {"name": "d", "priceAdjustment": -2.5},
            {"name": "e", "priceAdjustment": "-101%"},
            {"name": "f", "price": "1", "requirements": [{"key": "k", "operator": "Is"}]},
            {"name": "g", "price": "1", "requirements": [{"key": "k", "operator": "In"}]}]"#;
        assert_eq!(
            findings(text),
            [
                "overlays[0].price: missing",
                "overlays[1].name: missing",
                "overlays[1].priceAdjustment: given beside price",
                "overlays[2].weight: an unknown field",
                "overlays[2].price: \"+1\"",
                "overlays[3].price: -1",
                "overlays[4].priceAdjustment: \"1\" has no sign",
                "overlays[4].name: \"c\" is taken already",
                "overlays[5].priceAdjustment: -2.5",
                "overlays[6].priceAdjustment: \"-101%\" is below zero",
                "overlays[7].requirements[0].operator: \"Is\"",
                "overlays[8].requirements[0].values: In has no values",
            ]
        );
        let one = serde_json::from_str::<PriceOverlay>(r#"{"name": "", "price": "a lot"}"#);
        let error = one.unwrap_err().to_string();
        assert!(error.contains("\n  price: \"a lot\" is not a decimal number"), "{error}");
        assert!(error.contains("\n  name: empty"), "{error}");
    }
}

fn changes() -> impl Strategy<Value = PriceChange> {
    let amount = -3_000_000_000..=3_000_000_000_i128;
    prop_oneof![
        (0..=3_000_000_000_i128).prop_map(|nanos| PriceChange::Set(Price::from_nanos(nanos))),
        amount.prop_map(|nanos| PriceChange::Add(Price::from_nanos(nanos))),
        (-1_000_000_000..=2_000_000_000_i64).prop_map(PriceChange::Scale),
    ]
}

fn requirement() -> impl Strategy<Value = Requirement> {
    let key = prop::sample::select(vec![
        "topology.kubernetes.io/zone",
        "karpenter.sh/capacity-type",
        "node.kubernetes.io/instance-type",
        "cpus",
        "rack",
        "unheard",
    ]);
    let value = prop::sample::select(vec!["a", "b", "spot", "large", "2", "r7"]);
    let operator = prop::sample::select(vec![
        Operator::In,
        Operator::NotIn,
        Operator::Exists,
        Operator::DoesNotExist,
        Operator::Gt,
        Operator::Lte,
    ]);
    (key, operator, value).prop_map(|(key, operator, value)| match operator {
        Operator::Exists | Operator::DoesNotExist => Requirement::new(key, operator, [""; 0]),
        Operator::Gt | Operator::Lte => Requirement::new(key, operator, ["2"]),
        _ => Requirement::new(key, operator, [value]),
    })
}

fn overlays() -> impl Strategy<Value = Vec<PriceOverlay>> {
    let one = (changes(), prop::collection::vec(requirement(), 0..3));
    prop::collection::vec(one, 0..5).prop_map(|all| {
        let named = all.into_iter().enumerate().map(|(i, (change, requirements))| {
            let overlay = PriceOverlay::new(format!("o{i}"), change);
            requirements.into_iter().fold(overlay, PriceOverlay::with_requirement)
        });
        named.collect()
    })
}

/// The labels that an offering of `catalog` gives a node, where they are definite.
fn labels(instance_type: &InstanceType, offering: &Offering) -> Labels {
    let mut labels = instance_type.labels().clone();
    for (key, value) in [
        ("topology.kubernetes.io/zone", offering.zone()),
        ("karpenter.sh/capacity-type", offering.capacity_type().as_str()),
        ("node.kubernetes.io/instance-type", instance_type.name()),
    ] {
        let _former = labels.insert(key, value);
    }
    for (key, value) in offering.labels().iter() {
        let _former = labels.insert(key.clone(), value.clone());
    }
    labels
}

proptest! {
    /// Each overlay changes what it matches and nothing else, one after the other.
    #[test]
    fn each_works_on_the_result_of_the_one_before(overlays in overlays()) {
        let problem = catalog();
        let repriced = problem.with_price_overlays(&overlays).unwrap();
        for (instance_type, after) in problem.instance_types().iter().zip(repriced.instance_types()) {
            prop_assert_eq!(instance_type.offerings().len(), after.offerings().len());
            for (offering, after) in instance_type.offerings().iter().zip(after.offerings()) {
                let labels = labels(instance_type, offering);
                let mut price = offering.price();
                for overlay in &overlays {
                    let conditions: Requirements = overlay.requirements().iter().collect();
                    if conditions.admits(&labels) {
                        price = overlay.change().apply(price);
                    }
                }
                prop_assert_eq!((after.zone(), after.capacity_type()),
                    (offering.zone(), offering.capacity_type()));
                prop_assert_eq!(after.price(), price);
                prop_assert!(after.price() >= Price::ZERO);
            }
        }
        let mut step_by_step = problem;
        for overlay in overlays {
            step_by_step = step_by_step.with_price_overlays(&[overlay]).unwrap();
        }
        prop_assert_eq!(step_by_step, repriced);
    }

    /// Adding nothing, or nothing in a hundred, changes nothing.
    #[test]
    fn nothing_added_is_nothing_changed(
        before in overlays(),
        amount in any::<bool>(),
        requirement in requirement(),
    ) {
        let problem = catalog().with_price_overlays(&before).unwrap();
        let nothing = if amount { "+0" } else { "-0%" };
        let overlay = overlay(nothing).with_requirement(requirement);
        prop_assert_eq!(problem.with_price_overlays(&[overlay]).unwrap(), problem);
    }

    /// A cut never makes dearer, a rise never cheaper, whatever the price.
    #[test]
    fn changes_go_the_way_of_their_sign(nanos in 0..=100_000_000_000_000_i128, change in changes()) {
        let before = Price::from_nanos(nanos);
        let after = change.apply(before);
        prop_assert!(after >= Price::ZERO);
        match change {
            PriceChange::Set(price) => prop_assert_eq!(after, price),
            PriceChange::Add(amount) if amount < Price::ZERO => prop_assert!(after <= before),
            PriceChange::Scale(share) if share < 0 => prop_assert!(after <= before),
            _ => prop_assert!(after >= before),
        }
        prop_assert_eq!(change.to_string().parse::<PriceChange>().unwrap(), change);
    }
}
