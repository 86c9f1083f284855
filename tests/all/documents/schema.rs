//! Schemas of documents: what is read is accepted by them, and so is everything that is written.

use plimsoll::plan::ConsolidationPlan;
use plimsoll::{LaunchPlan, Options, Problem, consolidate, provision};
use schemars::schema_for;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Checks a value against a schema, and says where it isn't met.
///
/// It knows the keywords that our schemas have and no others, and patterns by what they mean.
struct Validator {
    root: Value,
}

impl Validator {
    fn check(&self, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
        let fail = |what: &str| Err(format!("{at}: {what}"));
        for (keyword, of) in schema.as_object().unwrap() {
            match keyword.as_str() {
                "$schema" | "title" | "description" | "$defs" => {}
                "$ref" => {
                    let name = of.as_str().unwrap().strip_prefix("#/$defs/").unwrap();
                    self.check(&self.root["$defs"][name], value, at)?;
                }
                "type" => {
                    let types = match of {
                        Value::Array(types) => types.clone(),
                        one => vec![one.clone()],
                    };
                    let is = |one: &Value| match one.as_str().unwrap() {
                        "object" => value.is_object(),
                        "array" => value.is_array(),
                        "string" => value.is_string(),
                        "boolean" => value.is_boolean(),
                        "number" => value.is_number(),
                        "integer" => value.is_i64() || value.is_u64(),
                        other => panic!("type {other}"),
                    };
                    if !types.iter().any(is) {
                        return fail(&format!("not of type {of}"));
                    }
                }
                "enum" => {
                    if !of.as_array().unwrap().contains(value) {
                        return fail(&format!("not one of {of}"));
                    }
                }
                "minimum" | "maximum" => {
                    let (limit, number) = (of.as_f64().unwrap(), value.as_f64());
                    let is_low = keyword == "minimum";
                    if number.is_some_and(|one| if is_low { one < limit } else { one > limit }) {
                        return fail(&format!("beyond the {keyword} {of}"));
                    }
                }
                "pattern" => {
                    let text = value.as_str();
                    let allowed = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
                    assert!(of.as_str().unwrap().ends_with('$'));
                    let has_digit = |text: &str| text.contains(|c: char| c.is_ascii_digit());
                    if text.is_some_and(|text| !text.chars().all(allowed) || !has_digit(text)) {
                        return fail("not a number");
                    }
                }
                "required" => {
                    for name in of.as_array().unwrap() {
                        if value.is_object() && value.get(name.as_str().unwrap()).is_none() {
                            return fail(&format!("{name} is missing"));
                        }
                    }
                }
                "properties" => {
                    for (name, inner) in value.as_object().into_iter().flatten() {
                        if let Some(of) = of.get(name) {
                            self.check(of, inner, &format!("{at}.{name}"))?;
                        }
                    }
                }
                "additionalProperties" => {
                    let known = |name: &str| schema["properties"].get(name).is_some();
                    for (name, inner) in value.as_object().into_iter().flatten() {
                        match of {
                            _ if known(name) => {}
                            Value::Bool(true) => {}
                            Value::Bool(false) => return fail(&format!("{name} is unknown")),
                            of => self.check(of, inner, &format!("{at}.{name}"))?,
                        }
                    }
                }
                "items" => {
                    for (i, item) in value.as_array().into_iter().flatten().enumerate() {
                        self.check(of, item, &format!("{at}[{i}]"))?;
                    }
                }
                other => panic!("keyword {other}"),
            }
        }
        Ok(())
    }

    fn validate(&self, value: &Value) -> Result<(), String> {
        self.check(&self.root, value, "$")
    }
}

fn schemas() -> [Validator; 3] {
    let schemas = [schema_for!(Problem), schema_for!(LaunchPlan), schema_for!(ConsolidationPlan)];
    schemas.map(|schema| Validator { root: schema.to_value() })
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries =
        std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    let is_json = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "json");
    let mut files: Vec<_> = entries.filter(is_json).collect();
    files.sort();
    files
}

#[test]
fn documents_that_are_read_and_written_meet_their_schemas() {
    let [of_problem, of_plan, of_consolidation] = schemas();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut read, mut refused) = (0, 0);
    for folder in ["testdata/cases", "testdata/consolidation"] {
        for path in files(&root.join(folder)) {
            let mut case: Value =
                serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
            let name = path.file_stem().unwrap().to_str().unwrap();
            let document = case["problem"].take();
            let verdict = of_problem.validate(&document);
            let Ok(problem) = Problem::from_json(&document.to_string()) else {
                refused += 1;
                continue;
            };
            assert_eq!(verdict, Ok(()), "{name}");
            let written = |text: String| serde_json::from_str::<Value>(&text).unwrap();
            assert_eq!(of_problem.validate(&written(problem.to_json())), Ok(()), "{name}");
            let plan = provision(&problem, &Options::default()).unwrap();
            assert_eq!(of_plan.validate(&written(plan.to_json())), Ok(()), "{name}");
            if folder.ends_with("consolidation") {
                let plan = consolidate(&problem, &Options::default()).unwrap();
                assert_eq!(of_consolidation.validate(&written(plan.to_json())), Ok(()), "{name}");
            }
            read += 1;
        }
    }
    assert!(read >= 300 && refused <= 10, "{read} read, {refused} refused");
}

#[test]
fn what_a_schema_refuses_no_reader_takes() {
    let [of_problem, ..] = schemas();
    let base = super::valid();
    assert_eq!(of_problem.validate(&base), Ok(()));
    for (pointer, value) in [
        ("/pods/0/replica", json!(3)),
        ("/pods/0/replicas", json!(0)),
        ("/pods/0/replicas", json!("3")),
        ("/pods/0/requests", json!({"cpu": "many"})),
        ("/pods/0/requests", json!({"cpu": -1})),
        ("/nodePools/0/weight", json!(1.5)),
        ("/nodePools/0/taints", json!([{"key": "a", "effect": "NoRun"}])),
        ("/nodePools/0/labels", json!(["a"])),
        ("/instanceTypes/0/offerings", json!([{"zone": "a", "capacityType": "spot"}])),
    ] {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let mut spoilt = base.clone();
        spoilt.pointer_mut(parent).unwrap()[name] = value;
        assert!(of_problem.validate(&spoilt).is_err(), "{pointer}");
        assert!(Problem::from_json(&spoilt.to_string()).is_err(), "{pointer}");
    }
}
