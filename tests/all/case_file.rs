//! The files of the corpora: one rule each, its source, a problem, and what is expected of it.

use serde_json::{Map, Value};
use std::path::Path;

/// A case file, checked for fields that nobody reads.
pub(crate) struct CaseFile {
    pub(crate) name: String,
    /// Where the rule is from.
    pub(crate) source: String,
    pub(crate) options: Value,
    pub(crate) problem: Value,
    pub(crate) expect: Map<String, Value>,
}

const FIELDS: [&str; 7] = ["name", "rule", "source", "difference", "options", "problem", "expect"];

impl CaseFile {
    /// The files of a folder of `testdata` by name, `least` of them or more, with these options.
    pub(crate) fn all(folder: &str, least: usize, options: &[&str]) -> Vec<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(folder);
        let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
        let mut cases: Vec<Self> = files.map(|path| Self::read(&path, options)).collect();
        cases.sort_by(|a, b| a.name.cmp(&b.name));
        assert!(cases.len() >= least, "the corpus has shrunk to {} cases", cases.len());
        cases
    }

    fn read(path: &Path, known_options: &[&str]) -> Self {
        let name = path.file_stem().unwrap().to_str().unwrap().to_string();
        let written = std::fs::read_to_string(path).unwrap();
        let mut case: Map<String, Value> =
            serde_json::from_str(&written).unwrap_or_else(|e| panic!("{name}: {e}"));
        known(&name, &case, &FIELDS);
        assert_eq!(case["name"], name.as_str(), "a case bears the name of its file");
        let text = |field: &str| case[field].as_str().unwrap_or_default().to_owned();
        let (rule, source) = (text("rule"), text("source"));
        assert!(rule.ends_with('.'), "{name}: rule");
        assert!(!source.is_empty(), "{name}: source");
        let options = case.remove("options").unwrap_or(Value::Object(Map::new()));
        known(&name, options.as_object().unwrap(), known_options);
        let Some(Value::Object(expect)) = case.remove("expect") else { panic!("{name}: expect") };
        Self { problem: case.remove("problem").unwrap(), name, source, options, expect }
    }
}

/// Fails where a part of a case has a field that isn't among these.
pub(crate) fn known(name: &str, map: &Map<String, Value>, fields: &[&str]) {
    let stray = map.keys().find(|key| !fields.contains(&key.as_str()));
    assert_eq!(stray, None, "{name}: a field that means nothing");
}
