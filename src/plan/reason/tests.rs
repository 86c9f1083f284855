use super::*;
use crate::model::Effect;

fn texts<const N: usize>(texts: [&str; N]) -> Vec<Arc<str>> {
    texts.into_iter().map(Arc::from).collect()
}

/// One cause of each kind, with and without what may be missing.
fn causes() -> Vec<Cause> {
    let pool = || Arc::from("default");
    let amount = Quantity::from_millis(1500);
    let key = || Arc::from("zone");
    let conflict = LabelConflict::new("size", ValueSet::only(["4", "8"]), ValueSet::absent());
    let limit = Cause::Limit {
        pool: pool(),
        resource: "cpu".into(),
        limit: amount,
        used: amount,
        needed: amount,
    };
    let of_resource = |nearest, daemons| Cause::Resource {
        pool: pool(),
        resource: "cpu".into(),
        requested: amount,
        nearest,
        daemons,
    };
    let misses = MISSES.into_iter().map(|(_, miss)| Cause::Existing { miss });
    let mut causes = vec![
        Cause::NoNodePool,
        Cause::NoInstanceType { pool: pool() },
        Cause::Labels { pool: pool(), conflicts: vec![conflict] },
        Cause::Taint { pool: pool(), taint: Taint::new("gpu", "yes", Effect::NoSchedule) },
        Cause::Zone { pool: pool(), volume_zones: texts(["a"]), pool_zones: texts(["b", "c"]) },
        of_resource(None, None),
        of_resource(Some(("m.large".into(), amount)), Some((texts(["log"]), amount))),
        Cause::Daemon {
            pool: pool(),
            instance_type: "m.large".into(),
            daemons: texts(["log"]),
            resource: "cpu".into(),
            requested: amount,
            available: amount,
        },
        Cause::AttachLimit { pool: pool(), driver: "ebs".into(), volumes: 3, most: 2 },
        Cause::Unavailable { pool: pool() },
        Cause::Reservation { id: "cr-1".into() },
        Cause::MinValues { pool: pool(), key: key(), needed: 3, possible: 1 },
        Cause::HostPort { pool: pool(), port: 80, protocol: Protocol::Tcp },
        Cause::NodeName { node: "n".into() },
        Cause::VolumeLimit { driver: "ebs".into() },
        Cause::AntiAffinity,
        Cause::TopologySpread {
            key: key(),
            max_skew: 1,
            least: 0,
            full: vec![("a".into(), 1)],
            lowest: Some(("b".into(), Box::new(limit.clone()))),
        },
        Cause::MinDomains { key: key(), max_skew: 1, needed: 3, domains: vec![("a".into(), 1)] },
        Cause::EmptyDomain { key: key(), domain: "a".into() },
        Cause::PodAffinity { key: key(), domains: texts(["a"]) },
        Cause::PodAffinityNode { nodes: texts(["n"]), launches: 2, full: false },
        Cause::PodAffinityNode { nodes: texts([]), launches: 2, full: true },
        Cause::PodAntiAffinity { key: key(), domains: texts(["a", "b"]) },
        Cause::MutualAffinity,
        Cause::TopologyKey { key: key() },
        Cause::Placeholder,
        Cause::StaticPool { pool: pool() },
        Cause::Several { causes: vec![limit.clone(), Cause::AntiAffinity] },
        Cause::NotFound { pool: None },
        Cause::NotFound { pool: Some(pool()) },
        Cause::Blocked { blocker: Blocker::Nominated },
        Cause::Blocked {
            blocker: Blocker::SavesTooLittle {
                savings: Price::from_nanos(-5),
                least: Price::from_nanos(7_000_000),
            },
        },
        Cause::Blocked {
            blocker: Blocker::NodeBudget { pool: pool(), reason: BudgetReason::Underutilized },
        },
        Cause::Blocked { blocker: Blocker::MoveLimit { most: 3 } },
        limit,
    ];
    causes.extend(misses);
    causes
}

#[test]
fn every_cause_reads_back() {
    for cause in causes() {
        let reason = Reason::new(&cause, 7);
        let text = serde_json::to_string(&reason).unwrap();
        let read: Reason = serde_json::from_str(&text).unwrap();
        assert_eq!(read, reason, "{text}");
        assert_eq!(read.cause(), Some(&cause), "{text}");
    }
}

#[test]
fn operands_may_be_left_out_and_unknown_ones_may_not() {
    let text = r#"{"code": "limit", "sentence": "s", "candidates": 1}"#;
    assert_eq!(serde_json::from_str::<Reason>(text).unwrap().cause(), None);
    let text = r#"{"code": "limit", "sentence": "s", "candidates": 1, "pols": "p"}"#;
    let error = serde_json::from_str::<Reason>(text).unwrap_err().to_string();
    assert!(error.contains("pols"), "{error}");
}
