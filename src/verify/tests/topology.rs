//! Rules between pods over domains: orders of binding, anti-affinity, alternatives, preferences.

use super::*;
use crate::model::{
    Affinity, LabelSelector, Node, NodeInclusionPolicy, NodeSelectorTerm, Operator,
    PodAffinityTerm, Requirement, TopologySpreadConstraint, WhenUnsatisfiable,
};
use crate::plan::PreferenceKind;

const ONE: [(&str, &str); 2] = [("cpu", "500m"), ("pods", "1")];
const ZONE: &str = well_known::ZONE;

fn app(name: &str) -> LabelSelector {
    LabelSelector::new().with_label("app", name)
}

fn term(key: &str, name: &str) -> PodAffinityTerm {
    PodAffinityTerm::new(key, app(name))
}

fn spread(key: &str, name: &str, max_skew: u32) -> TopologySpreadConstraint {
    let when = WhenUnsatisfiable::DoNotSchedule;
    TopologySpreadConstraint::new(max_skew, key, when).with_label_selector(app(name))
}

/// A pod with a label.
fn of(name: &str, app: &str) -> Pod {
    pod(name).with_label("app", app)
}

fn affinity(pod: Pod, term: PodAffinityTerm) -> Pod {
    pod.with_affinity(Affinity::new().with_required_pod_affinity(term))
}

fn anti_affinity(pod: Pod, term: PodAffinityTerm) -> Pod {
    pod.with_affinity(Affinity::new().with_required_pod_anti_affinity(term))
}

fn problem<const N: usize>(pods: [Pod; N]) -> Problem {
    pods.into_iter().fold(market(), |market, pod| market.pod(pod)).build().unwrap()
}

/// A launch of its own for each pod.
fn each<const N: usize>(problem: &Problem, pods: [(&str, (&str, &str, &str)); N]) -> LaunchPlan {
    let launches =
        pods.into_iter().map(|(name, kind)| launch(template(problem, "main", kind, ONE), [name]));
    plan(launches.collect())
}

#[track_caller]
fn unbound(problem: &Problem, plan: &LaunchPlan, pod: &str, at: usize, rule: BindingRule) {
    let pod = format!("default/{pod}").into();
    let place = PlanPlace::Launch(at);
    refused(problem, plan, [Violation::NoBindingOrder { pod, place, rule, certain: true }]);
}

fn uneven(domain: &str, count: u64, least: u64, max_skew: u64) -> BindingRule {
    BindingRule::Spread { key: ZONE.into(), domain: Some(domain.into()), count, least, max_skew }
}

#[test]
fn a_spread_counts_from_the_lowest_domain() {
    let web = || {
        of("web", "web").with_replicas(3).with_topology_spread_constraint(spread(ZONE, "web", 1))
    };
    // The domain b exists by another pod's node.
    let two = problem([web(), pod("other")]);
    let even = [("web-0", SMALL), ("web-1", SMALL_B), ("web-2", SMALL), ("other", SMALL_B)];
    let _verified = accepted(&two, &each(&two, even));
    let uneven_plan = [("web-0", SMALL), ("web-1", SMALL), ("web-2", SMALL), ("other", SMALL_B)];
    unbound(&two, &each(&two, uneven_plan), "web-1", 1, uneven("a", 1, 0, 1));
    // Alone in its only domain it may be as many as it likes.
    let one = problem([web()]);
    let _verified =
        accepted(&one, &each(&one, [("web-0", SMALL), ("web-1", SMALL), ("web-2", SMALL)]));
}

/// More pods than every order can be tried of: 25 of a spread that also counts 13 of another spread
/// and 12 without any, in a zone that ends with 32 and one that ends with 18.
#[test]
fn room_for_owners_of_a_spread_is_kept_in_domains_that_fill_up() {
    let node = |zone: &str, name: &str| {
        Node::new(name, amounts([("cpu", "99"), ("pods", "99")])).with_label(ZONE, zone)
    };
    let tier =
        |name: &str, replicas: u32| of(name, name).with_label("tier", "z").with_replicas(replicas);
    let mut over_tier = spread(ZONE, "web", 1);
    over_tier.label_selector = Some(LabelSelector::new().with_label("tier", "z"));
    let problem = market()
        .node(node("a", "na"))
        .node(node("b", "nb"))
        .pod(tier("web", 25).with_topology_spread_constraint(over_tier))
        .pod(tier("batch", 12))
        .pod(tier("db", 13).with_topology_spread_constraint(spread(ZONE, "db", 1)))
        .build()
        .unwrap();
    let plan_of = |web: usize, batch: usize| {
        let mut plan = bindings([]);
        for (name, all, first) in [("web", 25, web), ("batch", 12, batch), ("db", 13, 7)] {
            plan.bindings.extend((0..all).map(|at| Binding {
                pod: format!("default/{name}-{at}").into(),
                node: if at < first { "na" } else { "nb" }.into(),
            }));
        }
        plan
    };
    let _verified = accepted(&problem, &plan_of(13, 12));
    // 20 can't be in the one zone while the other ends with 18.
    let found = verify(&problem, &plan_of(20, 5)).unwrap_err();
    assert!(found.iter().all(|one| matches!(one, Violation::NoBindingOrder { .. })), "{found}");
}

#[test]
fn a_spread_counts_bound_pods_and_domains_wanted() {
    let node = |zone: &str, name: &str| {
        Node::new(name, amounts([("cpu", "4"), ("pods", "9")])).with_label(ZONE, zone)
    };
    let here = |name: &str, node: &str| of(name, "web").with_node_name(node);
    let web = of("web", "web").with_topology_spread_constraint(spread(ZONE, "web", 1));
    let both = market()
        .node(node("a", "na"))
        .node(node("b", "nb"))
        .pod(here("x", "na"))
        .pod(web.clone())
        .build()
        .unwrap();
    let _verified = accepted(&both, &bindings([("web", "nb")]));
    let rule = uneven("a", 1, 0, 1);
    let pod: Arc<str> = "default/web".into();
    let place = PlanPlace::Node("na".into());
    let stuck = Violation::NoBindingOrder { pod, place, rule, certain: true };
    refused(&both, &bindings([("web", "na")]), [stuck]);

    let mut wide = spread(ZONE, "web", 1);
    wide.min_domains = Some(3);
    let two = problem([of("web", "web").with_replicas(3).with_topology_spread_constraint(wide)]);
    let three = [("web-0", SMALL), ("web-1", SMALL_B), ("web-2", SMALL)];
    unbound(&two, &each(&two, three), "web-2", 2, uneven("a", 1, 0, 1));
}

#[test]
fn inclusion_policies_say_which_nodes_count() {
    let key = "dedicated";
    let other_pool = NodePool::new("side").with_taint(taint(key, Effect::NoSchedule));
    let build = |one: TopologySpreadConstraint| {
        let web = of("web", "web").with_replicas(2).with_topology_spread_constraint(one);
        let guest = pod("other").with_toleration(crate::model::Toleration::exists(key));
        market().node_pool(other_pool.clone()).pod(web).pod(guest).build().unwrap()
    };
    let plan_for = |problem: &Problem| {
        let mut launches = each(problem, [("web-0", SMALL), ("web-1", SMALL)]).launches;
        launches.push(launch(template(problem, "side", SMALL_B, ONE), ["other"]));
        plan(launches)
    };
    // By default a tainted node counts as a domain, though the pod could never go there.
    let ignoring = build(spread(ZONE, "web", 1));
    unbound(&ignoring, &plan_for(&ignoring), "web-1", 1, uneven("a", 1, 0, 1));
    let mut honouring = spread(ZONE, "web", 1);
    honouring.node_taints_policy = NodeInclusionPolicy::Honor;
    let honouring = build(honouring);
    let _verified = accepted(&honouring, &plan_for(&honouring));
}

#[test]
fn who_comes_first_decides_what_is_counted() {
    // The owner doesn't count itself, so it is bound before those that it counts.
    let owner = of("owner", "o").with_topology_spread_constraint(spread(ZONE, "web", 1));
    let problem = problem([owner, of("web", "web").with_replicas(3), pod("other")]);
    let pods = [
        ("owner", SMALL),
        ("web-0", SMALL),
        ("web-1", SMALL),
        ("web-2", SMALL),
        ("other", SMALL_B),
    ];
    let _verified = accepted(&problem, &each(&problem, pods));
}

#[test]
fn affinity_needs_somebody_there_before() {
    let chain = || {
        problem([
            affinity(of("c", "c"), term(ZONE, "b")),
            affinity(of("b", "b"), term(ZONE, "a")),
            of("a", "a"),
        ])
    };
    let chain = chain();
    let _verified =
        accepted(&chain, &each(&chain, [("c", SMALL_B), ("b", SMALL_B), ("a", SMALL_B)]));
    let apart = each(&chain, [("c", SMALL), ("b", SMALL_B), ("a", SMALL_B)]);
    unbound(&chain, &apart, "c", 0, BindingRule::Affinity { key: ZONE.into() });

    let mutual =
        problem([affinity(of("a", "a"), term(ZONE, "b")), affinity(of("b", "b"), term(ZONE, "a"))]);
    let plan = each(&mutual, [("a", SMALL), ("b", SMALL)]);
    unbound(&mutual, &plan, "a", 0, BindingRule::Affinity { key: ZONE.into() });

    let own = problem([affinity(of("web", "web").with_replicas(2), term(ZONE, "web"))]);
    let _verified = accepted(&own, &each(&own, [("web-0", SMALL), ("web-1", SMALL)]));
    let split = each(&own, [("web-0", SMALL), ("web-1", SMALL_B)]);
    unbound(&own, &split, "web-1", 1, BindingRule::Affinity { key: ZONE.into() });
}

#[test]
fn all_terms_of_an_affinity_mean_the_same_pods() {
    let both =
        Affinity::new().with_required_pod_affinity(term(ZONE, "a")).with_required_pod_affinity(
            PodAffinityTerm::new(ZONE, LabelSelector::new().with_label("tier", "x")),
        );
    let follower = pod("p").with_affinity(both);
    let halves = problem([follower.clone(), of("a", "a"), pod("x").with_label("tier", "x")]);
    let plan = each(&halves, [("p", SMALL), ("a", SMALL), ("x", SMALL)]);
    unbound(&halves, &plan, "p", 0, BindingRule::Affinity { key: ZONE.into() });
    let whole = problem([follower, of("a", "a").with_label("tier", "x")]);
    let _verified = accepted(&whole, &each(&whole, [("p", SMALL), ("a", SMALL)]));
}

#[test]
fn domain_anti_affinity() {
    let build =
        |key: &str| problem([anti_affinity(of("web", "web").with_replicas(2), term(key, "web"))]);
    let zonal = build(ZONE);
    let _verified = accepted(&zonal, &each(&zonal, [("web-0", SMALL), ("web-1", SMALL_B)]));
    let clash = |pod: &str, other: &str| Violation::DomainAntiAffinity {
        pod: format!("default/{pod}").into(),
        other: format!("default/{other}").into(),
        key: ZONE.into(),
        domain: "a".into(),
    };
    let same = each(&zonal, [("web-0", SMALL), ("web-1", SMALL)]);
    refused(&zonal, &same, [clash("web-0", "web-1"), clash("web-1", "web-0")]);

    // The rule of a bound pod keeps others away too.
    let node = Node::new("n", amounts([("cpu", "1"), ("pods", "2")])).with_label(ZONE, "a");
    let inverse = market()
        .node(node)
        .pod(anti_affinity(of("here", "h").with_node_name("n"), term(ZONE, "web")))
        .pod(of("web", "web"))
        .build()
        .unwrap();
    refused(&inverse, &each(&inverse, [("web", SMALL)]), [clash("here", "web")]);
    let _verified = accepted(&inverse, &each(&inverse, [("web", SMALL_B)]));
}

#[test]
fn alternative_elsewhere() {
    let web = of("web", "web").with_topology_spread_constraint(spread(ZONE, "web", 1));
    let problem = problem([web]);
    let mut one = template(&problem, "main", SMALL, ONE);
    one.alternatives = Arc::new(vec![choice(&problem, SMALL), choice(&problem, SMALL_B)]);
    let plan = plan(vec![launch(one, ["web"])]);
    let elsewhere = Violation::AlternativeElsewhere { launch: 0, alternative: 1, key: ZONE.into() };
    refused(&problem, &plan, [elsewhere]);
}

/// Each of a pod's spreads is looked at over its own label.
#[test]
fn alternatives_are_elsewhere_over_each_label() {
    let mut over_family = spread("family", "web", 1);
    over_family.max_skew = 2;
    let web = of("web", "web")
        .with_topology_spread_constraint(spread(ZONE, "web", 1))
        .with_topology_spread_constraint(over_family);
    let problem = problem([web]);
    for (other, key) in [(SMALL_B, ZONE), (LARGE, "family")] {
        let mut one = template(&problem, "main", SMALL, ONE);
        one.alternatives = Arc::new(vec![choice(&problem, SMALL), choice(&problem, other)]);
        let found = verify(&problem, &plan(vec![launch(one, ["web"])])).unwrap_err();
        let elsewhere =
            Violation::AlternativeElsewhere { launch: 0, alternative: 1, key: key.into() };
        assert!(found.iter().any(|one| *one == elsewhere), "{found}");
    }
}

#[test]
fn keeping_away_from_nobody_reads_no_label() {
    let aloof = anti_affinity(of("aloof", "aloof"), term(ZONE, "other"));
    let both = |problem: &Problem| {
        let mut one = template(problem, "main", SMALL, ONE);
        one.alternatives = Arc::new(vec![choice(problem, SMALL), choice(problem, SMALL_B)]);
        plan(vec![launch(one, ["aloof"])])
    };
    let alone = problem([aloof.clone()]);
    let _verified = accepted(&alone, &both(&alone));
    // Whoever the term selects, pending or not, makes it a rule.
    let with_other = market()
        .pod(aloof)
        .pod(of("other", "other").with_node_name("n"))
        .node(Node::new("n", amounts([("cpu", "1"), ("pods", "1")])).with_deleting(true))
        .build()
        .unwrap();
    let elsewhere = Violation::AlternativeElsewhere { launch: 0, alternative: 1, key: ZONE.into() };
    refused(&with_other, &both(&with_other), [elsewhere]);
}

#[test]
fn alternative_opens_domain() {
    let web =
        of("web", "web").with_replicas(2).with_topology_spread_constraint(spread(ZONE, "web", 1));
    let problem = problem([web, of("lone", "lone")]);
    let both = |zones: &[_]| {
        let mut one = template(&problem, "main", SMALL, ONE);
        one.alternatives = Arc::new(zones.iter().map(|zone| choice(&problem, *zone)).collect());
        one
    };
    let with = |lone| {
        plan(vec![
            launch(both(&[SMALL]), ["web-0"]),
            launch(both(&[SMALL]), ["web-1"]),
            launch(lone, ["lone"]),
        ])
    };
    let _verified = accepted(&problem, &with(both(&[SMALL])));
    let (key, domain) = (ZONE.into(), "b".into());
    let opens = Violation::AlternativeOpensDomain { launch: 2, alternative: 1, key, domain };
    refused(&problem, &with(both(&[SMALL, SMALL_B])), [opens]);
}

/// Each spread sees the domains of its own label, whatever else a pod's spreads are alike in.
#[test]
fn alternatives_open_domains_of_each_label() {
    let web = of("web", "web")
        .with_topology_spread_constraint(spread(ZONE, "web", 1))
        .with_topology_spread_constraint(spread("family", "web", 1));
    let problem = problem([web, of("lone", "lone")]);
    for (other, key, domain) in [(SMALL_B, ZONE, "b"), (LARGE, "family", "l")] {
        let mut lone = template(&problem, "main", SMALL, ONE);
        lone.alternatives = Arc::new(vec![choice(&problem, SMALL), choice(&problem, other)]);
        let web = launch(template(&problem, "main", SMALL, ONE), ["web"]);
        let (key, domain) = (key.into(), domain.into());
        let opens = Violation::AlternativeOpensDomain { launch: 1, alternative: 1, key, domain };
        refused(&problem, &plan(vec![web, launch(lone, ["lone"])]), [opens]);
    }
}

/// kube-scheduler counts over a label's values, also where that label is the hostname.
#[test]
fn nodes_with_one_hostname_are_one_domain() {
    let node = |name: &str, hostname: &str| {
        Node::new(name, amounts([("cpu", "4"), ("pods", "9")]))
            .with_label(well_known::HOSTNAME, hostname)
    };
    let web =
        || anti_affinity(of("web", "web").with_replicas(2), term(well_known::HOSTNAME, "web"));
    let on = |second: &str| {
        market().node(node("na", "h")).node(node("nb", second)).pod(web()).build().unwrap()
    };
    let apart = bindings([("web-0", "na"), ("web-1", "nb")]);
    let _verified = accepted(&on("other"), &apart);
    let clash = |pod: &str, other: &str| Violation::DomainAntiAffinity {
        pod: format!("default/{pod}").into(),
        other: format!("default/{other}").into(),
        key: well_known::HOSTNAME.into(),
        domain: "h".into(),
    };
    refused(&on("h"), &apart, [clash("web-0", "web-1"), clash("web-1", "web-0")]);
}

#[test]
fn label_open_over_which_pods_are_counted() {
    let racks = Requirement::new("rack", Operator::In, ["r1", "r2"]);
    let web = of("web", "web").with_topology_spread_constraint(spread("rack", "web", 1));
    let problem = market()
        .node_pool(NodePool::new("racks").with_requirement(racks))
        .pod(web)
        .pod(of("lone", "lone"))
        .build()
        .unwrap();
    let on = |rack: Option<&str>| {
        let mut one = template(&problem, "racks", SMALL, ONE);
        let labels = Arc::make_mut(&mut one.labels);
        let _former = rack.and_then(|rack| labels.insert("rack", rack));
        one
    };
    let with = |lone| plan(vec![launch(on(Some("r1")), ["web"]), launch(lone, ["lone"])]);
    let _verified = accepted(&problem, &with(on(Some("r1"))));
    let open = Violation::LabelOpen { place: PlanPlace::Launch(1), key: "rack".into() };
    refused(&problem, &with(on(None)), [open]);
}

#[test]
fn preferences_wrong() {
    let zone_b = NodeSelectorTerm::new([Requirement::new(ZONE, Operator::In, ["b"])]);
    let preferred_term = Affinity::new()
        .with_preferred_node_term(10, zone_b)
        .with_preferred_pod_anti_affinity(3, term(ZONE, "web"));
    let problem = problem([of("web", "web").with_replicas(2).with_affinity(preferred_term)]);
    let mut plan = each(&problem, [("web-0", SMALL), ("web-1", SMALL_B)]);
    let verified = accepted(&problem, &plan);
    let shares: Vec<_> =
        verified.preferences().iter().map(|one| (one.kind, one.weight, one.honoured)).collect();
    let expected =
        [(PreferenceKind::NodeAffinity, 20, 10), (PreferenceKind::PodAntiAffinity, 6, 6)];
    assert_eq!(shares, expected);
    let _none = plan.stats.insert("preferredNodeAffinity".into(), 20);
    let _none = plan.stats.insert("honouredNodeAffinity".into(), 20);
    let stat = "honouredNodeAffinity".into();
    refused(&problem, &plan, [Violation::PreferencesWrong { stat, stated: 20, expected: 10 }]);
}
