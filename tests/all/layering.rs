//! The crate's shape: which module may import which, and how long a file may be.
//!
//! Modules of the crate name each other by paths from `crate`, so reading these paths in the
//! sources shows every edge; a name that the root re-exports counts as the module that it comes
//! from.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Each module, with the modules that it may import. A module that isn't here may not exist.
///
/// `verify` checks plans against the documents alone: it shares no rule with the solver.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("error", &[]),
    ("guide", &[]),
    ("schema", &["error", "model", "plan"]),
    ("parallel", &[]),
    ("model", &["error"]),
    ("explain", &["error", "model"]),
    ("plan", &["error", "model", "explain"]),
    ("history", &["model", "plan"]),
    ("verify", &["error", "model", "explain", "plan"]),
    ("compile", &["error", "parallel", "model", "explain"]),
    ("bound", &["error", "parallel", "model", "explain", "plan", "compile"]),
    (
        "pack",
        &["error", "parallel", "stop", "progress", "model", "explain", "plan", "compile", "bound"],
    ),
    (
        "refine",
        &[
            "error", "parallel", "stop", "progress", "model", "explain", "plan", "compile",
            "bound", "pack",
        ],
    ),
    (
        "consolidate",
        &[
            "error", "parallel", "progress", "model", "explain", "plan", "compile", "bound",
            "pack", "refine",
        ],
    ),
    ("k8s", &["error", "model", "plan"]),
    ("stop", &[]),
    ("progress", &["model", "plan"]),
    ("options", &["error", "stop", "model", "progress"]),
    ("solver", &EVERYTHING),
    ("contingency", &["error", "model", "plan", "options", "solver", "what_if"]),
    ("what_if", &["error", "model", "plan", "history", "compile", "options", "solver"]),
    (
        "question",
        &["error", "model", "explain", "plan", "verify", "compile", "pack", "options", "solver"],
    ),
];

const EVERYTHING: [&str; 15] = [
    "error",
    "parallel",
    "stop",
    "model",
    "explain",
    "options",
    "progress",
    "plan",
    "verify",
    "compile",
    "bound",
    "pack",
    "refine",
    "consolidate",
    "k8s",
];

/// Lines of the longest file allowed, tests included.
const MOST_LINES: usize = 600;

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The Rust files under a folder, sorted; none where there is no such folder.
pub(crate) fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries
        .flat_map(|path| match path.is_dir() {
            true if path.ends_with("target") => Vec::new(),
            true => sources(&path),
            false if path.extension().is_some_and(|extension| extension == "rs") => vec![path],
            false => Vec::new(),
        })
        .collect();
    files.sort();
    files
}

/// The top-level module that a file of `src` belongs to.
fn module(file: &Path) -> String {
    let inside = file.strip_prefix(root().join("src")).unwrap();
    let first = inside.iter().next().unwrap().to_str().unwrap();
    first.trim_end_matches(".rs").into()
}

/// The code of a file without its comments.
fn code(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    text.lines().map(|line| line.split("//").next().unwrap_or("")).collect::<Vec<_>>().join("\n")
}

fn identifier(text: &str) -> &str {
    let end = text.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(text.len());
    &text[..end]
}

/// The first segments of a path or of a braced group of paths.
fn heads(text: &str) -> Vec<&str> {
    let Some(group) = text.trim_start().strip_prefix('{') else {
        return vec![identifier(text.trim_start())];
    };
    let (mut depth, mut heads, mut at_start) = (0, Vec::new(), true);
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => at_start = true,
            c if at_start && !c.is_whitespace() => {
                heads.push(identifier(&group[at..]));
                at_start = false;
            }
            _ => {}
        }
    }
    heads
}

/// Names that the root re-exports, with the module that each comes from.
fn re_exports() -> BTreeMap<String, String> {
    let text = code(&root().join("src/lib.rs"));
    let mut names = BTreeMap::new();
    for statement in text.split("pub use ").skip(1) {
        let (module, rest) = statement.split_once("::").unwrap();
        for name in heads(rest) {
            names.insert(name.to_owned(), module.to_owned());
        }
    }
    names
}

#[test]
fn modules_import_only_what_lies_below_them() {
    let re_exports = re_exports();
    let mut faults = Vec::new();
    for file in sources(&root().join("src")) {
        let module = module(&file);
        if module == "lib" {
            continue;
        }
        let Some((_, allowed)) = MAY_IMPORT.iter().find(|(name, _)| *name == module) else {
            faults.push(format!("{}: module {module} has no place in the table", file.display()));
            continue;
        };
        let code = code(&file);
        let heads: BTreeSet<_> = code.split("crate::").skip(1).flat_map(heads).collect();
        for head in heads {
            let target = re_exports.get(head).map_or(head, String::as_str);
            if target != module && !allowed.contains(&target) {
                faults.push(format!("{}: {module} imports {target}", file.display()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Solvers of others are named in one place, where nothing that they say is believed.
#[test]
fn solvers_are_asked_in_one_place() {
    let backend = root().join("src/refine/backend");
    for file in sources(&root().join("src")) {
        if file.starts_with(&backend) || file == backend.with_extension("rs") {
            continue;
        }
        let code = code(&file);
        let named = ["good_lp::", "microlp::", "highs::"].iter().find(|name| code.contains(**name));
        assert_eq!(named, None, "{}", file.display());
    }
}

/// What the first test relies on: paths are found in groups and through re-exports.
#[test]
fn edges_are_seen() {
    assert_eq!(heads("model::{Price, Pod};"), ["model"]);
    assert_eq!(heads("{model::{Price, Pod}, plan, verify::self};"), ["model", "plan", "verify"]);
    assert_eq!(re_exports().get("Problem").map(String::as_str), Some("model"));
    assert_eq!(module(&root().join("src/model/price.rs")), "model");
    assert_eq!(module(&root().join("src/error.rs")), "error");
}

#[test]
fn files_stay_short() {
    let folders = ["src", "tests", "examples", "benches", "testdata", "fuzz"];
    let files = folders.iter().flat_map(|folder| sources(&root().join(folder)));
    let long: Vec<_> = files
        .map(|file| (fs::read_to_string(&file).unwrap().lines().count(), file))
        .filter(|(lines, _)| *lines > MOST_LINES)
        .map(|(lines, file)| format!("{}: {lines} lines", file.display()))
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}
