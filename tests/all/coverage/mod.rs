//! What the corpus must hold: every user report and every known weakness of Karpenter's scheduler
//! that is about launching, and every group of placement rules.

use serde_json::Value;
use std::collections::BTreeSet;

/// The last of the user reports, T1, T2, …
const LAST_REPORT: u32 = 30;
/// The last of the weaknesses, 12.4 #1, #2, …
const LAST_WEAKNESS: u32 = 23;

/// User reports that concern consolidation alone, and what it would have to do with running nodes.
const CONSOLIDATION: [(u32, &str); 5] =
    [(5, "split"), (6, "merge"), (7, "merge"), (12, "shrink"), (18, "three by two")];

/// A group of rules: how its cases' names begin, and what the problem or the options of one must
/// say.
type Group = (&'static str, &'static [&'static str]);

const ZONE: &str = "\"topologyKey\":\"topology.kubernetes.io/zone\"";
const HOST: &str = "\"topologyKey\":\"kubernetes.io/hostname\"";
const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";

const GROUPS: [Group; 58] = [
    ("spread-", &["\"maxSkew\":1", ZONE]),
    ("spread-", &["\"maxSkew\":3", HOST]),
    ("spread-", &["\"minDomains\""]),
    ("spread-", &["\"nodeAffinityPolicy\":\"Ignore\""]),
    ("spread-node-affinity-policy-honor", &[REQUIRED]),
    ("spread-", &["\"nodeTaintsPolicy\":\"Honor\"", "\"taints\""]),
    ("spread-node-taints-policy-ignore", &["\"taints\""]),
    ("spread-", &["\"matchLabelKeys\""]),
    ("spread-own-namespace", &["\"namespace\""]),
    ("spread-", &["\"topologyKey\":\"karpenter.sh/capacity-type\""]),
    ("spread-custom-label", &["\"topologyKey\":\"team\""]),
    ("spread-", &[ZONE, HOST]),
    ("spread-", &[ZONE, "\"topologyKey\":\"karpenter.sh/capacity-type\""]),
    ("spread-counts-bound-pods", &["\"nodeName\""]),
    ("spread-", &["\"initialized\":false"]),
    ("spread-", &["\"deleting\":true"]),
    ("affinity-", &["\"podAffinity\"", ZONE]),
    ("affinity-", &["\"podAffinity\"", HOST]),
    ("affinity-", &["\"namespaces\":[\""]),
    ("affinity-", &["\"namespaceSelector\""]),
    ("affinity-", &["\"matchLabelKeys\""]),
    ("affinity-", &["\"mismatchLabelKeys\""]),
    ("affinity-host-self", &[]),
    ("affinity-zone-self", &[]),
    ("affinity-zone-pending", &[]),
    ("affinity-bound", &["\"nodeName\""]),
    ("affinity-mutual", &[]),
    ("affinity-circle", &[]),
    ("affinity-chain", &[]),
    ("affinity-with-spread", &["\"topologySpreadConstraints\""]),
    ("apart-", &["\"podAntiAffinity\"", ZONE]),
    ("apart-", &["\"podAntiAffinity\"", HOST]),
    ("apart-", &["\"namespaces\":[\""]),
    ("apart-", &["\"namespaceSelector\""]),
    ("apart-", &["\"matchLabelKeys\""]),
    ("apart-", &["\"mismatchLabelKeys\""]),
    ("apart-self", &[]),
    ("apart-cross", &[]),
    ("apart-inverse-bound", &["\"nodeName\""]),
    ("apart-zone-inverse-bound", &["\"nodeName\""]),
    ("prefer-node", &["\"nodeAffinity\"", PREFERRED]),
    ("prefer-near", &["\"podAffinity\"", PREFERRED]),
    ("prefer-apart", &["\"podAntiAffinity\"", PREFERRED]),
    ("prefer-spread", &["ScheduleAnyway"]),
    ("prefer-untainted-pool", &["PreferNoSchedule"]),
    ("prefer-volume-zone", &["\"nodeAffinity\"", PREFERRED, "\"volumes\""]),
    ("prefer-", &["\"preferences\":\"ignore\""]),
    ("prefer-", &["\"preferences\":\"0."]),
    ("taint-startup", &["\"startupTaints\""]),
    ("node-", &["\"initialized\":false", "\"startupTaints\""]),
    ("node-unschedulable-mark", &["node.kubernetes.io/unschedulable"]),
    ("static-pool", &["\"nodePools\":[{\"name\":\"fixed\",\"replicas\""]),
    ("reservation-", &["\"reserved\":\"strict\""]),
    ("reservation-fallback-rest", &["\"reservation\""]),
    ("placeholder-", &["\"plimsoll.dev/placeholder\":\"free\""]),
    ("placeholder-", &["\"plimsoll.dev/placeholder\":\"launch\""]),
    ("overlay-", &["\"priceOverlays\""]),
    ("price-", &["\"nodeFee\""]),
];

/// A case as far as it matters here.
pub(crate) struct Covered<'a> {
    pub(crate) name: &'a str,
    pub(crate) source: &'a str,
    pub(crate) problem: &'a Value,
    pub(crate) options: &'a Value,
}

/// The numbers that follow some words in a text.
fn numbers(text: &str, words: &str) -> BTreeSet<u32> {
    let after = text.split(words).skip(1);
    let digits = after
        .map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next().unwrap_or("").parse().ok());
    digits.flatten().collect()
}

/// What is missing from the corpus, and what it names that isn't there.
pub(crate) fn gaps(cases: &[Covered<'_>]) -> Vec<String> {
    let mut gaps = Vec::new();
    let named = |words: &str| -> BTreeSet<u32> {
        cases.iter().flat_map(|case| numbers(case.source, words)).collect()
    };
    let elsewhere: BTreeSet<u32> = CONSOLIDATION.into_iter().map(|(number, _)| number).collect();
    let wanted = (1..=LAST_REPORT).filter(|number| !elsewhere.contains(number)).collect();
    let mut compare = |what: &str, wanted: &BTreeSet<u32>, found: &BTreeSet<u32>| {
        let missing = wanted.difference(found).map(|n| format!("{what}{n} is in no case"));
        let stray = found.difference(wanted).map(|n| format!("there is no {what}{n} to cover"));
        gaps.extend(missing.chain(stray));
    };
    compare("user report T", &wanted, &named("user report T"));
    compare("weakness 12.4 #", &(1..=LAST_WEAKNESS).collect(), &named("weakness 12.4 #"));
    for (prefix, words) in GROUPS {
        let says = |case: &&Covered<'_>| {
            let text = format!("{}{}", case.problem, case.options);
            case.name.starts_with(prefix) && words.iter().all(|word| text.contains(word))
        };
        if !cases.iter().any(|case| says(&case)) {
            gaps.push(format!("no case {prefix}… says {words:?}"));
        }
    }
    gaps
}
