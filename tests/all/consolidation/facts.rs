//! What cases expect of a consolidation, read from its document.

use crate::oracle::nanos;
use plimsoll::plan::ConsolidationPlan;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A consolidation's document, beside that of its problem.
pub(super) struct Facts {
    problem: Value,
    plan: Value,
}

fn texts(list: &Value) -> Vec<String> {
    let list = list.as_array().map_or(&[][..], Vec::as_slice);
    let mut texts: Vec<String> =
        list.iter().map(|one| one.as_str().expect("a text").to_string()).collect();
    texts.sort();
    texts
}

fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

impl Facts {
    pub(super) fn of(problem: &Value, plan: &ConsolidationPlan) -> Self {
        let plan = serde_json::from_str(&plan.to_json()).expect("a document");
        Self { problem: problem.clone(), plan }
    }

    fn actions(&self) -> &[Value] {
        list(&self.plan, "actions")
    }

    /// Launches, each with its action's wave and what its template says.
    fn launches(&self) -> Vec<(u64, &Value, &Value)> {
        let of_action = |action: &'_ Value| action["wave"].as_u64().expect("a wave");
        self.actions()
            .iter()
            .flat_map(|action| {
                list(action, "launches").iter().map(move |launch| (of_action(action), launch))
            })
            .map(|(wave, launch)| (wave, launch, self.template(launch)))
            .collect()
    }

    fn template(&self, launch: &Value) -> &Value {
        let number = launch["template"].as_u64().expect("the number of a template");
        &self.plan["templates"][usize::try_from(number).expect("a small number")]
    }

    fn deleted(&self) -> Vec<String> {
        let mut nodes: Vec<String> =
            self.actions().iter().flat_map(|action| texts(&action["delete"])).collect();
        nodes.sort();
        nodes
    }

    fn reason_of(&self, node: &str) -> Option<&str> {
        let deletes = |action: &&Value| list(action, "delete").iter().any(|one| one == node);
        self.actions().iter().find(deletes).and_then(|action| action["reason"].as_str())
    }

    /// Where pods go: pod, node or launch, wave.
    fn moves(&self) -> Vec<(String, String, u64)> {
        let text = |value: &Value| value.as_str().expect("a text").to_string();
        let mut moves = Vec::new();
        for action in self.actions() {
            let wave = action["wave"].as_u64().expect("a wave");
            for binding in list(action, "bindings") {
                moves.push((text(&binding["pod"]), text(&binding["node"]), wave));
            }
            for launch in list(action, "launches") {
                let pods = list(launch, "pods").iter();
                moves.extend(pods.map(|pod| (text(pod), text(&launch["name"]), wave)));
            }
        }
        moves
    }

    /// The pods of the problem by name, with their nodes.
    fn homes(&self) -> BTreeMap<String, Option<String>> {
        let pods = list(&self.problem, "pods").iter();
        pods.map(|pod| {
            let name = format!("default/{}", pod["name"].as_str().expect("a name"));
            (name, pod["nodeName"].as_str().map(str::to_string))
        })
        .collect()
    }

    /// Pods that run and go elsewhere.
    fn moved(&self) -> Vec<(String, String, u64)> {
        let homes = self.homes();
        self.moves().into_iter().filter(|(pod, ..)| homes[pod].is_some()).collect()
    }

    /// How many pods of an app each node has at the end, ascending.
    fn counts(&self, app: &str) -> Vec<u64> {
        let mut places = self.homes();
        for (pod, to, _) in self.moves() {
            places.insert(pod, Some(to));
        }
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for pod in list(&self.problem, "pods").iter().filter(|pod| pod["labels"]["app"] == app) {
            let name = format!("default/{}", pod["name"].as_str().expect("a name"));
            if let Some(node) = &places[&name] {
                *counts.entry(node).or_insert(0) += 1;
            }
        }
        let mut counts: Vec<u64> = counts.into_values().collect();
        counts.sort_unstable();
        counts
    }

    /// Each wave's number of running pods that move.
    fn moves_by_wave(&self) -> BTreeMap<u64, u64> {
        let mut waves = BTreeMap::new();
        for (_, _, wave) in self.moved() {
            *waves.entry(wave).or_insert(0) += 1;
        }
        waves
    }

    fn waves(&self) -> u64 {
        self.actions().last().map_or(0, |action| action["wave"].as_u64().expect("a wave"))
    }

    /// Panics where the plan isn't what a case expects.
    pub(super) fn check(&self, key: &str, expected: &Value) {
        let plan = &self.plan;
        let count = |found: usize| assert_eq!(*expected, json!(found), "{key}\n{plan}");
        let same = |mut found: Vec<String>| {
            found.sort();
            assert_eq!(texts(expected), found, "{key}\n{plan}");
        };
        let money = |found: &Value| assert_eq!(nanos(expected), nanos(found), "{key}\n{plan}");
        match key {
            "delete" => same(self.deleted()),
            "deleteCount" => count(self.deleted().len()),
            "deleteAnyOf" => {
                let found = self.deleted();
                let sets = expected.as_array().expect("a list");
                assert!(sets.iter().any(|set| texts(set) == found), "{key}: {found:?}\n{plan}");
            }
            "launches" => count(self.launches().len()),
            "offerings" => {
                let offering = |(_, _, template): (u64, &Value, &Value)| {
                    let fields = ["instanceType", "zone", "capacityType", "reservation"];
                    let stated = fields.iter().filter_map(|f| template["offering"][f].as_str());
                    stated.collect::<Vec<_>>().join("/")
                };
                same(self.launches().into_iter().map(offering).collect());
            }
            "pools" => {
                let pool = |template: &Value| template["nodePool"].as_str().expect("a pool").into();
                same(self.launches().into_iter().map(|(_, _, one)| pool(one)).collect());
            }
            "moved" => count(self.moved().len()),
            "movedTo" => {
                let mut nodes: Vec<String> =
                    self.moved().into_iter().map(|(_, to, _)| to).collect();
                nodes.sort();
                nodes.dedup();
                same(nodes);
            }
            "placed" => {
                let homes = self.homes();
                let moves = self.moves().into_iter().map(|(pod, ..)| pod);
                same(moves.filter(|pod| homes[pod].is_none()).collect());
            }
            "before" | "after" => money(&plan["cost"][key]),
            "keep" => {
                for node in texts(expected) {
                    let kept = list(plan, "keep").iter().find(|one| one["node"] == *node);
                    assert!(kept.is_some(), "{node} is kept\n{plan}");
                }
            }
            "why" => {
                for (node, codes) in expected.as_object().expect("codes of reasons") {
                    let kept = list(plan, "keep").iter().find(|one| one["node"] == **node);
                    let kept = kept.unwrap_or_else(|| panic!("{node} is kept\n{plan}"));
                    let found: Vec<&Value> =
                        list(kept, "reasons").iter().map(|one| &one["code"]).collect();
                    assert_eq!(*codes, json!(found), "{node}\n{plan}");
                }
            }
            "reason" => {
                for (node, reason) in expected.as_object().expect("reasons") {
                    assert_eq!(self.reason_of(node), reason.as_str(), "{node}\n{plan}");
                }
            }
            "unknownSavings" => {
                for node in texts(expected) {
                    let deletes =
                        |action: &&Value| list(action, "delete").iter().any(|n| *n == *node);
                    let action = self.actions().iter().find(deletes).expect("an action");
                    assert!(action["savings"].is_null(), "{node}\n{plan}");
                }
            }
            "waves" => assert_eq!(expected.as_u64(), Some(self.waves()), "{key}\n{plan}"),
            "wavesAtLeast" => {
                assert!(expected.as_u64() <= Some(self.waves()), "{key}\n{plan}");
            }
            "evictionsPerWaveAtMost" => {
                let most = self.moves_by_wave().into_values().max();
                assert!(most <= expected.as_u64(), "{key}: {most:?}\n{plan}");
            }
            "counts" => {
                for (app, counts) in expected.as_object().expect("counts") {
                    assert_eq!(*counts, json!(self.counts(app)), "{app}\n{plan}");
                }
            }
            other => panic!("{other} means nothing"),
        }
    }
}
