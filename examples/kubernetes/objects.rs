//! Arguments, files and what is said of them.

use plimsoll::k8s::{Conversion, ConvertOptions, Dump};
use plimsoll::{InstanceType, Problem};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};

/// What is read, and how.
#[derive(Default)]
pub(crate) struct Input {
    pub(crate) files: Vec<String>,
    /// Whether words that are no flags are files of objects.
    pub(crate) takes_files: bool,
    pub(crate) catalog: Option<String>,
    pub(crate) options: ConvertOptions,
}

impl Input {
    /// Takes an argument that says how objects are read; whether it was one.
    pub(crate) fn take(
        &mut self,
        word: &str,
        rest: &mut impl Iterator<Item = String>,
    ) -> Result<bool, String> {
        match word {
            "--kubernetes" => self.takes_files = true,
            _ if self.takes_files && (word == "-" || !word.starts_with('-')) => {
                self.files.push(word.to_owned());
            }
            "--catalog" => {
                self.catalog = Some(rest.next().ok_or("--catalog needs a file, or bundled")?);
            }
            "--now" => {
                let text = rest.next().ok_or("--now needs an instant")?;
                self.set_now(&text)?;
            }
            "--lenient" => self.options.lenient = true,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Says what instant is the present.
    pub(crate) fn set_now(&mut self, text: &str) -> Result<(), String> {
        let now = text.parse().map_err(|error| format!("--now {text}: {error}"))?;
        self.options.now = Some(now);
        Ok(())
    }

    /// Whether there are files to read.
    pub(crate) fn is_given(&self) -> bool {
        self.takes_files
    }

    /// The problem of the files, with the bundled catalog where none is named; notes are printed.
    /// What is refused is no problem to plan for.
    pub(crate) fn problem(&self) -> Result<Problem, String> {
        if self.files.is_empty() {
            return Err("--kubernetes needs a file".into());
        }
        let dump = read_dump(&self.files)?;
        let mut options = self.options.clone();
        options.catalog = read_catalog(self.catalog.as_deref().unwrap_or(BUNDLED))?;
        let conversion = dump.convert(&options);
        summarize(&conversion);
        match conversion.refusals().len() {
            0 => conversion.problem().map_err(|error| error.to_string()),
            refused => {
                Err(format!("refused: {refused} fields or objects; --lenient leaves them out"))
            }
        }
    }
}

/// The name of the bundled catalog.
const BUNDLED: &str = "bundled";

/// The objects of files, and of standard input for `-`; of a folder, those of the files in it that
/// are called .json, .yaml or .yml.
pub(crate) fn read_dump(files: &[String]) -> Result<Dump, String> {
    let mut dump = Dump::new();
    for file in files {
        if file == "-" {
            let text = std::io::read_to_string(std::io::stdin());
            dump.add_text("standard input", &text.map_err(|error| error.to_string())?);
            continue;
        }
        for path in within(Path::new(file))? {
            let name = path.display().to_string();
            let text =
                std::fs::read_to_string(&path).map_err(|error| format!("{name}: {error}"))?;
            dump.add_text(&name, &text);
        }
    }
    Ok(dump)
}

fn within(path: &Path) -> Result<Vec<PathBuf>, String> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let fault = |error: std::io::Error| format!("{}: {error}", path.display());
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(path).map_err(fault)? {
        entries.push(entry.map_err(fault)?.path());
    }
    entries.sort();
    let mut files = Vec::new();
    for entry in entries {
        let extension = entry.extension().and_then(|extension| extension.to_str());
        if entry.is_dir() || matches!(extension, Some("json" | "yaml" | "yml")) {
            files.extend(within(&entry)?);
        }
    }
    Ok(files)
}

/// The instance types of a file (a problem document, or a list of types), or the bundled ones.
pub(crate) fn read_catalog(file: &str) -> Result<Vec<InstanceType>, String> {
    if file == BUNDLED {
        return Ok(plimsoll_testdata::catalog());
    }
    let fault = |error: &dyn Display| format!("{file}: {error}");
    let text = std::fs::read_to_string(file).map_err(|error| fault(&error))?;
    let tree: serde_json::Value = serde_json::from_str(&text).map_err(|error| fault(&error))?;
    let types = if tree.is_array() { &tree } else { &tree["instanceTypes"] };
    let document = serde_json::json!({"pods": [], "nodePools": [], "instanceTypes": types});
    let problem = Problem::from_json(&document.to_string()).map_err(|error| fault(&error))?;
    Ok(problem.instance_types().to_vec())
}

/// Prints notes and refusals to standard error, a line each.
pub(crate) fn report(conversion: &Conversion) {
    conversion.notes().iter().for_each(|note| eprintln!("note: {note}"));
    conversion.refusals().iter().for_each(|refusal| eprintln!("refused: {refusal}"));
}

/// The same for readers who mean to plan: what says the same of many objects is one line.
fn summarize(conversion: &Conversion) {
    let notes = conversion.notes().iter();
    print_alike("note", notes.map(|one| ((&*one.object.kind, &*one.path, &*one.message), one)));
    let refusals = conversion.refusals().iter();
    print_alike("refused", refusals.map(|one| ((&*one.object.kind, &*one.path, &*one.why), one)));
}

/// Prints the first of those that have the same key, in their order, with how many follow.
fn print_alike<K: Ord, T: Display>(what: &str, all: impl Iterator<Item = (K, T)>) {
    let mut places: BTreeMap<K, usize> = BTreeMap::new();
    let mut said: Vec<(T, usize)> = Vec::new();
    for (key, one) in all {
        let at = *places.entry(key).or_insert(said.len());
        match said.get_mut(at) {
            Some((_, others)) => *others += 1,
            None => said.push((one, 0)),
        }
    }
    for (one, others) in said {
        match others {
            0 => eprintln!("{what}: {one}"),
            others => eprintln!("{what}: {one} (and {others} others of this kind)"),
        }
    }
}
