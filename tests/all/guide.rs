//! The guide says what the repository has: the cases that it names are there, and its programs are
//! short.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The pages of the guide, with their names.
fn pages() -> Vec<(String, String)> {
    let entries =
        fs::read_dir(root().join("src/guide")).unwrap().map(|entry| entry.unwrap().path());
    let pages = entries.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    let mut pages: Vec<_> = pages
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    pages.sort();
    assert!(pages.len() >= 8);
    pages
}

/// Whether a text has the form of a case's name: words with dashes between them.
fn is_like_a_case(text: &str) -> bool {
    let words: Vec<_> = text.split('-').collect();
    words.len() >= 2
        && words.iter().all(|word| {
            word.starts_with(|c: char| c.is_ascii_lowercase())
                && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
        })
}

#[test]
fn cases_that_the_guide_names_are_in_the_corpus() {
    let is_case = |name: &str| {
        let folders = ["testdata/cases", "testdata/consolidation"].map(Path::new);
        folders.iter().any(|folder| root().join(folder).join(format!("{name}.json")).exists())
    };
    // Cases that aren't decided as they should be yet are no answers.
    let source = root().join("tests/all/consolidation/corpus.rs");
    let source = fs::read_to_string(source).unwrap();
    let open = source.split("const OPEN").nth(1).and_then(|rest| rest.split("];").next());
    let open = open.unwrap_or_default().to_owned();
    let mut named = 0;
    for (page, text) in pages() {
        // Rows of tables begin with the cases that they are about; elsewhere they are in brackets.
        let cells = text.lines().filter_map(|line| line.strip_prefix("| `"));
        let cells = cells.filter_map(|rest| rest.split(" |").next());
        let brackets = text.split("(`").skip(1).filter_map(|rest| rest.split("`)").next());
        for name in cells.chain(brackets).flat_map(|names| names.split(['`', ',', ' '])) {
            if is_like_a_case(name) {
                assert!(is_case(name), "{page} names a case that isn't there: {name}");
                assert!(!open.contains(&format!("\"{name}\"")), "{page}: {name} is open");
                named += 1;
            }
        }
    }
    assert!(named >= 30, "{named} cases");
}

#[test]
fn programs_of_the_guide_have_thirty_lines_at_most() {
    for (page, text) in pages() {
        for program in text.split("```").skip(1).step_by(2) {
            let shown = program.lines().filter(|line| !line.starts_with("# ") && !line.is_empty());
            let lines = shown.count();
            assert!(lines <= 30, "{page}: a program of {lines} lines");
        }
    }
}
