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
    assert_eq!(html, page(&problem).0);
    assert!(!html.contains("http"), "the page needs no network");
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
