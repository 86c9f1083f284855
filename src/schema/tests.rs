//! Forms say what is read, what is written, and what the guide says.

use super::form::{Form, FormField, Kind};
use super::{plan, problem};
use crate::model::Problem;
use crate::plan::{ConsolidationPlan, LaunchPlan};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// A value that a field may hold; objects have all their fields, lists one item.
fn full(kind: Kind) -> Value {
    match kind {
        Kind::Text => "a".into(),
        Kind::Boolean => true.into(),
        Kind::Whole(least, _) => least.max(1).into(),
        Kind::Quantity | Kind::Price | Kind::SignedPrice => json!(1),
        Kind::Number(_) => json!(0.5),
        Kind::Word(words) => words[words.len() - 1].into(),
        Kind::Of(form) => full_object(form),
        Kind::List(item) => Value::Array(vec![full(*item)]),
        Kind::Map(value) => json!({ "a": full(*value) }),
    }
}

fn full_object(form: &Form) -> Value {
    let fields = form.fields.iter().map(|field| (field.name.to_owned(), full(field.kind)));
    Value::Object(fields.collect::<Map<_, _>>())
}

/// Every form that another refers to, each once, in the order of its fields.
fn forms(of: &'static Form, found: &mut Vec<&'static Form>) {
    if found.iter().any(|form| form.name == of.name) {
        return;
    }
    found.push(of);
    for field in of.fields {
        let mut kind = field.kind;
        while let Kind::List(inner) | Kind::Map(inner) = kind {
            kind = *inner;
        }
        if let Kind::Of(form) = kind {
            forms(form, found);
        }
    }
}

/// Puts an unknown field into every object of a form below `value`.
fn spoil(kind: Kind, value: &mut Value, count: &mut usize) {
    match (kind, value) {
        (Kind::Of(form), Value::Object(map)) => {
            for field in form.fields {
                if let Some(inner) = map.get_mut(field.name) {
                    spoil(field.kind, inner, count);
                }
            }
            if !form.is_open {
                map.insert("qqqqqqqqqqqqqqqqqqqqqqqqqqqqqq".into(), json!(0));
                *count += 1;
            }
        }
        (Kind::List(item), Value::Array(items)) => {
            items.iter_mut().for_each(|inner| spoil(*item, inner, count));
        }
        _ => {}
    }
}

/// The fields that each object of a document may have, as its reader says.
fn read_fields(form: &'static Form, read: impl Fn(&str) -> crate::Error) -> BTreeSet<Vec<String>> {
    let mut document = full_object(form);
    let mut spoilt = 0;
    spoil(Kind::Of(form), &mut document, &mut spoilt);
    let error = read(&document.to_string());
    let unknown = error.findings().iter().filter(|fault| fault.problem == "an unknown field");
    let fields: Vec<Vec<String>> = unknown
        .map(|fault| {
            let mut fields: Vec<_> = fault.expected.split(", ").map(str::to_owned).collect();
            fields.sort();
            fields
        })
        .collect();
    assert_eq!(fields.len(), spoilt, "{error}");
    fields.into_iter().collect()
}

fn form_fields(of: &'static Form) -> BTreeSet<Vec<String>> {
    let mut all = Vec::new();
    forms(of, &mut all);
    let sorted = |form: &&Form| {
        let mut names: Vec<_> = form.fields.iter().map(|field| field.name.to_owned()).collect();
        names.sort();
        names
    };
    all.iter().filter(|form| !form.is_open).map(sorted).collect()
}

#[test]
fn forms_have_the_fields_that_are_read() {
    // The reader of daemon sets reads pods, and refuses two of their fields by itself.
    let pods = problem::POD.fields.iter().map(|field| field.name);
    let daemons: BTreeSet<_> = problem::DAEMON_SET.fields.iter().map(|field| field.name).collect();
    let missing: Vec<_> = pods.filter(|name| !daemons.contains(name)).collect();
    assert_eq!(missing, ["replicas", "nodeName"]);
    let mut of_problem = form_fields(&problem::PROBLEM);
    of_problem
        .retain(|fields| fields.len() != daemons.len() || !fields.contains(&"requests".into()));

    let problem = |text: &str| Problem::from_json(text).unwrap_err();
    assert_eq!(read_fields(&problem::PROBLEM, problem), of_problem);
    let plan = |text: &str| LaunchPlan::from_json(text).unwrap_err();
    assert_eq!(read_fields(&plan::PLAN, plan), form_fields(&plan::PLAN));
    let plan = |text: &str| ConsolidationPlan::from_json(text).unwrap_err();
    assert_eq!(read_fields(&plan::CONSOLIDATION, plan), form_fields(&plan::CONSOLIDATION));
}

#[test]
fn what_forms_demand_is_what_readers_demand() {
    let missing = |text: &str| {
        let error = Problem::from_json(text).unwrap_err();
        let missing = error.findings().iter().filter(|fault| fault.problem == "missing");
        missing.map(|fault| fault.path.clone()).collect::<Vec<_>>()
    };
    for (list, form) in [
        ("pods", &problem::POD),
        ("instanceTypes", &problem::INSTANCE_TYPE),
        ("nodePools", &problem::NODE_POOL),
        ("nodes", &problem::NODE),
        ("daemonSets", &problem::DAEMON_SET),
        ("podDisruptionBudgets", &problem::POD_DISRUPTION_BUDGET),
        ("namespaces", &problem::NAMESPACE),
    ] {
        let mut document = json!({ "pods": [], "instanceTypes": [], "nodePools": [] });
        document[list] = json!([{}]);
        let demanded = form.fields.iter().filter(|field| field.default.is_none());
        let mut demanded: Vec<_> =
            demanded.map(|field| format!("{list}[0].{}", field.name)).collect();
        let mut found = missing(&document.to_string());
        demanded.sort();
        found.sort();
        assert_eq!(found, demanded);
    }
    assert_eq!(missing("{}"), ["pods", "instanceTypes", "nodePools"]);
}

/// Puts a word that nobody knows wherever a form has a choice of words, and collects the choices.
fn garble(kind: Kind, value: &mut Value, choices: &mut BTreeSet<Vec<String>>) {
    match (kind, value) {
        (Kind::Word(words), value) => {
            let said = words.iter().filter(|word| !word.is_empty());
            choices.insert(said.map(|word| (*word).to_owned()).collect());
            *value = "qqq".into();
        }
        (Kind::Of(form), Value::Object(map)) => {
            for field in form.fields {
                if let Some(inner) = map.get_mut(field.name) {
                    garble(field.kind, inner, choices);
                }
            }
        }
        (Kind::List(item), Value::Array(items)) => {
            items.iter_mut().for_each(|inner| garble(*item, inner, choices));
        }
        _ => {}
    }
}

/// Compares the choices of words that a form has with those of its reader.
fn check_words(form: &'static Form, read: impl Fn(&str) -> crate::Error) {
    let mut document = full_object(form);
    let mut of_form = BTreeSet::new();
    garble(Kind::Of(form), &mut document, &mut of_form);
    let error = read(&document.to_string());
    let choices = error.findings().iter().filter_map(|one| one.expected.strip_prefix("one of "));
    let of_reader: BTreeSet<Vec<String>> =
        choices.map(|words| words.split(", ").map(str::to_owned).collect()).collect();
    assert_eq!(of_reader, of_form);
}

#[test]
fn forms_have_the_words_that_are_read() {
    check_words(&problem::PROBLEM, |text| Problem::from_json(text).unwrap_err());
    check_words(&plan::PLAN, |text| LaunchPlan::from_json(text).unwrap_err());
    check_words(&plan::CONSOLIDATION, |text| ConsolidationPlan::from_json(text).unwrap_err());
}

/// What a field holds, for people.
fn words(kind: Kind) -> String {
    match kind {
        Kind::Text => "text".into(),
        Kind::Boolean => "true or false".into(),
        Kind::Whole(..) => "whole number".into(),
        Kind::Quantity => "quantity".into(),
        Kind::Price | Kind::SignedPrice => "money".into(),
        Kind::Number(Some(most)) => format!("number, 0 to {most}"),
        Kind::Number(None) => "number".into(),
        Kind::Word(words) => {
            let words: Vec<_> = words
                .iter()
                .filter(|word| !word.is_empty())
                .map(|word| format!("`{word}`"))
                .collect();
            words.join(", ")
        }
        Kind::Of(form) => form.name.into(),
        Kind::List(item) => format!("list: {}", words(*item)),
        Kind::Map(value) => format!("map: {}", words(*value)),
    }
}

/// The tables of a document's forms, as the guide has them.
fn tables(of: &'static Form, told: &mut BTreeSet<&'static str>) -> String {
    let mut all = Vec::new();
    forms(of, &mut all);
    let row = |field: &FormField| {
        let default = field.default.unwrap_or("*required*");
        format!("| `{}` | {} | {default} | {} |\n", field.name, words(field.kind), field.about)
    };
    let table = |form: &&Form| {
        let rows: String = form.fields.iter().map(row).collect();
        format!(
            "\n## {}\n\n{}.\n\n| field | holds | default | meaning |\n|---|---|---|---|\n{rows}",
            form.name, form.about
        )
    };
    all.iter().filter(|form| told.insert(form.name)).map(table).collect()
}

#[test]
fn the_guide_has_the_tables_of_the_forms() {
    let page = include_str!("../guide/documents.md");
    let mut told = BTreeSet::new();
    let mut expected = String::new();
    for (title, form) in [
        ("The problem", &problem::PROBLEM),
        ("The plan", &plan::PLAN),
        ("The consolidation", &plan::CONSOLIDATION),
    ] {
        expected.push_str(&format!("\n# {title}\n"));
        expected.push_str(&tables(form, &mut told));
    }
    let start = page.find("\n# The problem\n").unwrap_or(page.len());
    assert!(page[start..] == expected, "the end of guide/documents.md should be:\n{expected}");
}
