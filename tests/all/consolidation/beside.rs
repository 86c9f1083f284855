//! Documents that lie beside the project, where they are there: clusters from public reports with
//! the right decision, and larger ones of which Karpenter's outcome is known.

use super::verified;
use crate::karpenter::data;
use crate::oracle::nanos;
use plimsoll::Options;
use serde_json::Value;

#[test]
fn reports_are_decided_as_they_should_be() {
    let Some(data) = data() else { return };
    let folder = data.join("consolidation");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let mut wrong = Vec::new();
    for path in files {
        let name = path.file_name().unwrap().to_str().unwrap().to_string();
        let Some(stem) = name.strip_suffix(".expect.json") else { continue };
        let read = |path| -> Value {
            serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
        };
        let problem = read(path.with_file_name(format!("{stem}.json")));
        let expect = &read(path)["expect"];
        let (plan, found) =
            verified(&problem, &Options::default()).unwrap_or_else(|what| panic!("{stem}: {what}"));
        let cost = (found.cost_before().nanos(), found.cost_after().nanos());
        let deleted = expect["delete"].as_array().map(Vec::len);
        let deleted = deleted.or(expect["deleteCount"].as_u64().map(|count| count as usize));
        let is_right = cost == (nanos(&expect["cost"]["before"]), nanos(&expect["cost"]["after"]))
            && deleted.is_none_or(|count| found.deleted() == count as u64)
            && expect["movedPods"].as_u64().is_none_or(|moved| moved == plan.moved());
        if !is_right {
            wrong.push(format!("{stem}: {cost:?}, {} moved", plan.moved()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What Karpenter v1.13 ends at, and how many pods it moves on the way.
const RUNNING: [(&str, f64, u64); 3] = [
    ("cases/c03-merge", 0.17, 6),
    ("cases/c08-random-40", 1.9635, 107),
    ("problem-running-1k", 15.06447, 314),
];

#[test]
fn larger_clusters_end_cheaper_than_by_karpenter() {
    let Some(data) = data() else { return };
    let mut options = Options::default();
    options.consolidation.bare_pods_move = true;
    options.consolidation.minimum_saving = 0;
    for (name, theirs, moves) in RUNNING {
        let text = std::fs::read_to_string(data.join(format!("{name}.json"))).unwrap();
        let problem = serde_json::from_str(&text).unwrap();
        let (_, found) =
            verified(&problem, &options).unwrap_or_else(|what| panic!("{name}: {what}"));
        #[allow(clippy::cast_precision_loss, reason = "a comparison to five decimals")]
        let ours = found.cost_after().nanos() as f64 / 1e9;
        println!("{name}: {ours:.4} with {} moved, Karpenter {theirs} with {moves}", found.moved());
        assert!(ours <= theirs + 0.000_01, "{name}: {ours} above {theirs}");
        assert!(found.moved() <= moves, "{name}: {} moved, {moves} by Karpenter", found.moved());
    }
}
