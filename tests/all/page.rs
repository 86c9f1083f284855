//! The page of the example `report`: what is on it is what the plan says.

#[path = "../../examples/report/mod.rs"]
mod report;

use plimsoll::{
    Effort, LaunchPlan, Options, Problem, Solver, consolidate, verify, verify_consolidation,
};
use serde_json::{Value, json};

fn page(problem: &Problem) -> (String, LaunchPlan) {
    let (solver, options) = (Solver::new(problem).unwrap(), Options::default());
    let plan = solver.provision(&options).unwrap();
    let _verified = verify(problem, &plan).unwrap();
    let baseline = solver.provision(&options.clone().with_effort(Effort::FirstFit)).unwrap();
    (report::of_launches("A plan", &solver, (problem, &options), &plan, &baseline), plan)
}

/// The data of the nodes that the script shows.
fn data(html: &str) -> Vec<Value> {
    let (_, rest) = html.split_once("<script type=\"application/json\" id=\"data\">").unwrap();
    let (text, _) = rest.split_once("</script>").unwrap();
    serde_json::from_str(text).unwrap()
}

fn pods(nodes: &[Value]) -> u64 {
    let counts = nodes.iter().flat_map(|node| node["pods"].as_array().unwrap());
    counts.map(|one| one[1].as_u64().unwrap()).sum()
}

/// How many nodes a map draws, in both of its forms.
fn drawn(html: &str) -> usize {
    html.matches("<rect class=\"node ").count()
}

#[test]
fn every_node_and_pod_of_a_plan_is_on_the_page() {
    let problem = plimsoll_testdata::problem("web-small").unwrap();
    let (html, plan) = page(&problem);
    let nodes = data(&html);
    assert_eq!(nodes.len(), plan.launches().len() + problem.nodes().len());
    assert_eq!(drawn(&html), 2 * nodes.len());
    let bound: u32 = problem
        .pods()
        .iter()
        .filter(|pod| pod.node_name().is_some())
        .map(plimsoll::Pod::replicas)
        .sum();
    let placed: usize = plan.launches().iter().map(|launch| launch.pods().len()).sum();
    let placed = placed + plan.bindings().len() + bound as usize;
    assert_eq!(pods(&nodes), placed as u64);
    let total = plan.cost().total.nanos() + 5_000_000;
    let cents = format!("${}.{:02}", total / 1_000_000_000, total / 10_000_000 % 100);
    assert!(html.contains(&format!("<strong id=\"cost\">{cents}</strong>")), "{cents}");
    for out in plan.unschedulable() {
        assert!(html.contains(&*out.pod), "{}", out.pod);
    }
    for full in plan.fullness(&problem) {
        assert!(html.contains(&full.to_string()), "{full}");
    }
    assert_eq!(html, page(&problem).0);
    assert!(!html.contains("http"), "the page needs no network");
}

/// Half of the pods on spot nodes of one type in one zone: said first, in words, and marked in the
/// table.
#[test]
fn pods_that_one_interruption_can_take_jump_out() {
    let document = json!({
        "pods": [
            { "name": "cheap", "replicas": 228, "requests": { "cpu": "1" },
              "nodeSelector": { "karpenter.sh/capacity-type": "spot" } },
            { "name": "safe", "replicas": 228, "requests": { "cpu": "1" },
              "nodeSelector": { "karpenter.sh/capacity-type": "on-demand" },
              "topologySpreadConstraints": [{ "maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone",
                "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {} }] },
        ],
        "instanceTypes": [{
            "name": "small", "capacity": { "cpu": 4, "pods": 20 },
            "offerings": [
                { "zone": "z1", "capacityType": "spot", "price": 0.04 },
                { "zone": "z2", "capacityType": "spot", "price": 0.05 },
                { "zone": "z1", "capacityType": "on-demand", "price": 0.2 },
                { "zone": "z2", "capacityType": "on-demand", "price": 0.2 },
                { "zone": "z3", "capacityType": "on-demand", "price": 0.2 },
            ],
        }],
        "nodePools": [{ "name": "default" }],
    });
    let problem = Problem::from_json(&document.to_string()).unwrap();
    let (html, plan) = page(&problem);
    assert_eq!(plan.launches().len(), 114);
    let warning = "<p class=\"warning\"><strong>50 % of all pods</strong> (228 of 456) are on \
                   <strong>57 spot nodes of one type in one zone: small in z1</strong>.";
    assert_eq!(html.matches("class=\"warning\"").count(), 1);
    let (before, _) = html.split_once(warning).unwrap();
    assert!(!before.contains("<svg"), "it is said before the map");
    assert_eq!(html.matches("<tr class=\"much\"").count(), 1);
}

/// How bright a colour is, as WCAG 2.2 counts it ("relative luminance").
fn luminance(colour: &str) -> f64 {
    let digits = colour.strip_prefix('#').unwrap();
    let wide: String = match digits.len() {
        3 => digits.chars().flat_map(|digit| [digit, digit]).collect(),
        _ => digits.to_owned(),
    };
    let part = |at: usize| {
        let part = f64::from(u8::from_str_radix(&wide[at..at + 2], 16).unwrap()) / 255.0;
        if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * part(0) + 0.7152 * part(2) + 0.0722 * part(4)
}

/// Texts can be read, and a fuller node is told from an emptier one by brightness alone, so by
/// whoever sees few colours or none, and on paper. What else is coloured has a shape of its own
/// (hatches, dashes).
#[test]
fn colours_are_told_apart_without_seeing_hues() {
    let style = include_str!("../../examples/report/style.css");
    let themes: Vec<&str> =
        style.split(":root {").skip(1).map(|rest| rest.split_once('}').unwrap().0).collect();
    for theme in &themes[..2] {
        let colour = |name: &str| {
            let (_, rest) = theme.split_once(&format!("--{name}: ")).unwrap();
            luminance(rest.split_once(';').unwrap().0)
        };
        let contrast = |one: &str, other: &str| {
            let (one, other) = (colour(one), colour(other));
            (one.max(other) + 0.05) / (one.min(other) + 0.05)
        };
        for (text, on) in [
            ("text", "back"),
            ("text", "panel"),
            ("text", "warn"),
            ("weak", "back"),
            ("weak", "panel"),
        ] {
            assert!(contrast(text, on) >= 4.5, "{text} on {on}");
        }
        for at in 0..10 {
            let fill = format!("f{at}");
            let text = if at <= 5 { "on-low" } else { "on-high" };
            let used = format!(
                ".{fill} {{ fill: var(--{fill}); background: var(--{fill}); color: var(--{text}); }}"
            );
            assert!(style.contains(&used), "{used}");
            assert!(contrast(text, &fill) >= 4.5, "{text} on {fill}");
            if at < 9 {
                let next = format!("f{}", at + 1);
                assert!(contrast(&fill, &next) >= 1.1, "{fill} and {next}");
                let rises = colour("f9") > colour("f0");
                assert_eq!(colour(&next) > colour(&fill), rises, "{fill} and {next}");
            }
        }
    }
    for shaped in [".gap,", ".binding {", ".running {", ".outlined {"] {
        let rule = style.lines().find(|line| line.contains(shaped)).unwrap();
        assert!(rule.contains("gradient") || rule.contains("dash"), "{rule}");
    }
    // Paper is white, whatever the screen is.
    assert!(style.contains("@media screen and (prefers-color-scheme: dark)"));
}

#[test]
fn both_states_of_a_consolidation_are_on_the_page() {
    let problem = plimsoll_testdata::running_cluster(20, 300, 30, 60, 1);
    let mut options = Options::default();
    options.consolidation.bare_pods_move = true;
    let plan = consolidate(&problem, &options).unwrap();
    let _verified = verify_consolidation(&problem, &plan, &options.consolidation).unwrap();
    let html = report::of_consolidation("A consolidation", &problem, &plan);
    let deleted: usize = plan.actions().iter().map(|action| action.delete.len()).sum();
    let launched: usize = plan.actions().iter().map(|action| action.launches.len()).sum();
    assert!(deleted > 0, "something is deleted");
    let before = problem.nodes().len();
    let nodes = data(&html);
    assert_eq!(nodes.len(), before + before - deleted + launched);
    assert_eq!(drawn(&html), 2 * nodes.len());
    // No pod is lost, but for daemons of deleted nodes; those to launch aren't pods of the problem.
    let (first, last) = nodes.split_at(before);
    assert!(pods(last) <= pods(first) + problem.pods().len() as u64);
    assert!(pods(last) + 20 * deleted as u64 >= pods(first));
}

/// Names in problems are checked, but the page's title is the name of a file.
#[test]
fn no_name_becomes_markup() {
    let hostile = "<script>alert('x')</script>\"&";
    let document = json!({
        "pods": [
            { "name": "web", "replicas": 2, "requests": { "cpu": "500m" } },
            { "name": "huge", "requests": { "cpu": "64" } },
        ],
        "instanceTypes": [{
            "name": "large", "capacity": { "cpu": 2, "pods": 8 },
            "offerings": [{ "zone": "z1", "capacityType": "spot", "price": 0.1 }],
        }],
        "nodePools": [{ "name": "default", "limits": { "cpu": 2 } }],
    });
    let problem = Problem::from_json(&document.to_string()).unwrap();
    let solver = Solver::new(&problem).unwrap();
    let options = Options::default();
    let plan = solver.provision(&options).unwrap();
    assert_eq!(plan.launches().len(), 1);
    let html = report::of_launches(hostile, &solver, (&problem, &options), &plan, &plan);
    assert!(!html.contains("<script>alert"), "{html}");
    let safe = "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;&amp;";
    assert!(html.contains(&format!("<h1>{safe}</h1>")), "{html}");
    // Half of the pods and more on one kind of spot nodes: that is said first.
    assert!(html.contains("class=\"warning\""), "{html}");
    // The limit of two cpu holds the pods of one node, and a pod that no type holds stays out.
    assert!(html.contains("have default/huge request 2 cpu"), "{html}");
}
