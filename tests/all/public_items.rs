//! The public items, as a file that is committed: a change of the interface is a change of that
//! file, so whoever reviews one sees the other.
//!
//! The listing is made from the sources, not by rustdoc, whose output in data isn't stable. What
//! makes that right are two habits that CI holds: `unreachable_pub` (whatever is `pub` can be
//! reached from outside) and rustfmt (a declaration begins its line, and a body ends where its
//! brace stands below it). A type has one name in `src/`, so its items are listed under that name;
//! the paths by which it is reached are lines of their own. Traits that macros implement are listed
//! by the macro.
//!
//! What has changed on purpose is written anew by `RENEW=1 cargo test --test all public_items`.

use crate::layering::{root, sources};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// What is found: lines of the listing, and what they are about.
#[derive(Default)]
struct Items {
    /// Types and traits that are public.
    types: BTreeSet<String>,
    /// Traits that aren't.
    private_traits: BTreeSet<String>,
    /// Items, each with the type or module to which it belongs, if there is one.
    lines: Vec<(Option<String>, String)>,
}

/// An item of rustfmt's: its attributes, its declaration in one line, and the lines between its
/// braces.
struct Item<'s> {
    attributes: Vec<String>,
    declaration: String,
    body: Vec<&'s str>,
}

/// Text in one line, with the blanks and commas that breaking it brought left out.
fn one_line(text: &str) -> String {
    let joined = text.split_whitespace().collect::<Vec<_>>().join(" ");
    joined.replace("( ", "(").replace(", )", ")").replace(" )", ")").replace(", }", " }")
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// The items that begin at the least indentation of these lines.
fn items<'s>(lines: &[&'s str]) -> Vec<Item<'s>> {
    let code: Vec<&str> = lines
        .iter()
        .copied()
        .filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with("//"))
        .collect();
    let Some(level) = code.iter().map(|line| indent(line)).min() else { return Vec::new() };
    let (mut found, mut attributes, mut at) = (Vec::new(), Vec::new(), 0);
    while at < code.len() {
        let start = at;
        let attribute = code[at].trim_start().starts_with('#');
        let ended = |at: usize| match attribute {
            true => code[at].trim_end().ends_with(']'),
            false => code[at].trim_end().ends_with([';', ',', '}']),
        };
        // An item ends on its first line, or where a line stands at its level again and ends it.
        while at + 1 < code.len() && !(indent(code[at]) == level && ended(at)) {
            at += 1;
        }
        let lines = &code[start..=at];
        at += 1;
        if attribute {
            attributes.push(one_line(&lines.join("\n")));
            continue;
        }
        // What a long list of names is in is no body.
        let is_use = lines[0].trim_start().starts_with("pub use ");
        let opens = lines.iter().position(|line| line.ends_with('{')).filter(|_| !is_use);
        let (head, body) = match opens {
            Some(opens) => {
                (&lines[..=opens], lines[opens + 1..].split_last().map_or(&[][..], |all| all.1))
            }
            None => (lines, &[][..]),
        };
        let declaration = one_line(&head.join("\n"));
        found.push(Item {
            attributes: std::mem::take(&mut attributes),
            declaration,
            body: body.to_vec(),
        });
    }
    found
}

impl Item<'_> {
    fn is_test(&self) -> bool {
        self.attributes.iter().any(|a| a == "#[cfg(test)]" || a == "#[cfg(doctest)]")
    }

    /// What is said beside the item: the feature that it takes, and what its users must heed.
    fn beside(&self) -> String {
        let mut beside = String::new();
        for attribute in &self.attributes {
            let counts = ["#[cfg(feature", "#[non_exhaustive", "#[deprecated", "#[derive"];
            if counts.iter().any(|start| attribute.starts_with(start)) {
                let _written = write!(beside, " {attribute}");
            }
        }
        beside
    }

    /// The declaration without its value or its body.
    fn signature(&self) -> String {
        let text = self.declaration.trim_end_matches([';', ',']);
        let text = text.strip_suffix(" {}").or_else(|| text.strip_suffix(" {")).unwrap_or(text);
        let end = match text.starts_with("pub const ") && !text.starts_with("pub const fn") {
            true => text.find(" = ").unwrap_or(text.len()),
            false => text.len(),
        };
        // What a tuple holds that isn't public is nobody's business.
        match text[..end].split_once('(') {
            Some((head, fields)) if head.starts_with("pub struct ") && !fields.contains("pub ") => {
                format!("{head}(_)")
            }
            _ => text[..end].to_owned(),
        }
    }
}

/// The first identifier of a text.
fn identifier(text: &str) -> &str {
    let end = text.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(text.len());
    &text[..end]
}

/// The identifiers of a text.
fn identifiers(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c != '_' && !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

/// The name of the type that an `impl` is for.
fn implements(declaration: &str) -> &str {
    let after = declaration.rsplit_once(" for ").map_or_else(
        || {
            let text = declaration.trim_start_matches("impl");
            // Past the parameters of the block.
            match text.starts_with('<') {
                true => text.split_once("> ").map_or(text, |(_, rest)| rest),
                false => text,
            }
        },
        |(_, rest)| rest,
    );
    let path = after.trim_start_matches([' ', '&']).split(['<', ' ', '{']).next().unwrap_or("");
    path.rsplit("::").next().unwrap_or("")
}

/// The paths that a `use` brings.
fn leaves(prefix: &str, text: &str, found: &mut Vec<String>) {
    let text = text.trim();
    let Some((head, group)) = text.split_once('{') else {
        found.push(format!("{prefix}{text}"));
        return;
    };
    let (mut depth, mut start) = (0, 0);
    let group = group.trim_end_matches('}');
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                leaves(&format!("{prefix}{head}"), &group[start..at], found);
                start = at + 1;
            }
            _ => {}
        }
    }
    if !group[start..].trim().is_empty() {
        leaves(&format!("{prefix}{head}"), &group[start..], found);
    }
}

/// Gathers what is public of some items. `module` is the public path of the module in which they
/// are, where it has one; `owner` the type in whose block they are.
fn gather(lines: &[&str], module: Option<&str>, owner: Option<&str>, all: &mut Items) {
    for item in items(lines) {
        if item.is_test() {
            continue;
        }
        let (text, signature) = (item.declaration.as_str(), item.signature());
        let mut add =
            |of: Option<&str>, line: String| all.lines.push((of.map(str::to_owned), line));
        if let Some(used) = text.strip_prefix("pub use ") {
            let Some(module) = module else { continue };
            let mut found = Vec::new();
            leaves("", used.trim_end_matches(';'), &mut found);
            for path in found {
                let name = path.rsplit([':', ' ']).next().unwrap_or(&path);
                add(None, format!("use {module}::{name}{}", item.beside()));
            }
        } else if text.starts_with("impl") {
            let of = implements(text);
            if text.contains(" for ") {
                add(Some(of), format!("{of}: {signature}{}", item.beside()));
            }
            for line in with_owner(&item, of) {
                add(Some(of), line);
            }
        } else if let Some(declared) = text.strip_prefix("pub mod ") {
            let name = identifier(declared);
            if let Some(module) = module {
                add(None, format!("mod {module}::{name}{}", item.beside()));
            }
            if !item.body.is_empty() {
                all.types.insert(name.to_owned());
                gather(&item.body, None, Some(name), all);
            }
        } else if let Some(declared) = text.strip_prefix("pub ") {
            let kind = identifier(declared);
            let name = identifier(declared[kind.len()..].trim_start());
            if let Some(module) = module.filter(|_| owner.is_none()) {
                let name = match declared.split_once("fn ") {
                    Some((_, function)) if kind != "struct" => identifier(function),
                    _ => name,
                };
                add(None, format!("use {module}::{name}"));
            }
            match kind {
                "struct" | "enum" | "trait" => {
                    add(Some(name), format!("{name}: {signature}{}", item.beside()));
                    for line in with_owner(&item, name) {
                        add(Some(name), line);
                    }
                    all.types.insert(name.to_owned());
                }
                _ => {
                    let of = owner.map_or(String::new(), |owner| format!("{owner}: "));
                    add(None, format!("{of}{signature}{}", item.beside()));
                }
            }
        } else if let Some((kind, name)) = text.split_once("trait ") {
            if kind.is_empty() || kind.starts_with("pub(") {
                all.private_traits.insert(identifier(name).to_owned());
            }
        } else if let Some((name, _)) = text.split_once("! {").or_else(|| text.split_once("!("))
            && !name.contains(' ')
            && name != "macro_rules"
        {
            let named = text.to_owned() + &item.body.join(" ");
            let of: BTreeSet<&str> = identifiers(&named).collect();
            for of in of {
                add(Some(of), format!("{of}: what {name}! implements{}", item.beside()));
            }
        }
    }
}

/// What is public within a type's block: all of an enumeration's and a trait's, else what says so.
fn with_owner(block: &Item<'_>, owner: &str) -> Vec<String> {
    let text = block.declaration.as_str();
    if text.starts_with("impl") && text.contains(" for ") {
        return Vec::new();
    }
    let everything = text.starts_with("pub enum ") || text.starts_with("pub trait ");
    let beside = match text.starts_with("impl") {
        true => block.beside(),
        false => String::new(),
    };
    let public = |item: &Item<'_>| everything || item.declaration.starts_with("pub ");
    let line = |item: Item<'_>| {
        let mut signature = item.signature();
        if text.starts_with("pub enum ") && !item.body.is_empty() {
            let fields = items(&item.body).iter().map(Item::signature).collect::<Vec<_>>();
            signature = format!("{signature} {{ {} }}", fields.join(", "));
        }
        format!("{owner}: {signature}{beside}{}", item.beside())
    };
    items(&block.body).into_iter().filter(public).map(line).collect()
}

/// The public path of a file's module: each folder and file on the way is declared `pub mod`.
fn module(file: &Path) -> Option<String> {
    let inside = file.strip_prefix(root().join("src")).unwrap().with_extension("");
    let mut names: Vec<&str> = inside.iter().map(|part| part.to_str().unwrap()).collect();
    names.pop_if(|last| matches!(*last, "mod" | "lib"));
    let (mut path, mut folder) = (String::from("plimsoll"), root().join("src"));
    let mut declared_in = folder.join("lib.rs");
    for name in names {
        let text = fs::read_to_string(&declared_in).unwrap();
        if !text.lines().any(|line| line == format!("pub mod {name};")) {
            return None;
        }
        path = format!("{path}::{name}");
        folder = folder.join(name);
        declared_in = match folder.is_dir() {
            true => folder.join("mod.rs"),
            false => folder.with_extension("rs"),
        };
    }
    Some(path)
}

fn listing() -> String {
    let mut all = Items::default();
    for file in sources(&root().join("src")) {
        if file.ends_with("tests.rs") || file.iter().any(|part| part == "tests") {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        gather(&lines, module(&file).as_deref(), None, &mut all);
    }
    let hidden = |line: &str| {
        let implemented = line.split_once(": impl").and_then(|(_, rest)| rest.split_once(" for "));
        let name = implemented.map(|(head, _)| head.rsplit([' ', ':']).next().unwrap_or(head));
        name.is_some_and(|name| all.private_traits.contains(identifier(name)))
    };
    let lines: BTreeSet<&String> = all
        .lines
        .iter()
        .filter(|(of, line)| of.as_ref().is_none_or(|of| all.types.contains(of)) && !hidden(line))
        .map(|(_, line)| line)
        .collect();
    lines.into_iter().fold(String::new(), |text, line| text + line + "\n")
}

#[test]
fn the_listing_is_the_one_that_is_committed() {
    let file = root().join("tests/public-items.txt");
    let now = listing();
    if std::env::var_os("RENEW").is_some() {
        fs::write(&file, &now).unwrap();
    }
    let committed = fs::read_to_string(&file).unwrap_or_default();
    let (before, after): (BTreeSet<&str>, BTreeSet<&str>) =
        (committed.lines().collect(), now.lines().collect());
    let gone = before.difference(&after).map(|line| format!("- {line}"));
    let come = after.difference(&before).map(|line| format!("+ {line}"));
    let changes: Vec<String> = gone.chain(come).collect();
    assert!(
        changes.is_empty(),
        "public items changed; if that is meant, say so in CHANGELOG.md and run \
         `RENEW=1 cargo test --test all public_items`:\n{}",
        changes.join("\n")
    );
}

/// What the listing relies on: declarations are found however rustfmt breaks them.
#[test]
fn declarations_are_seen() {
    let source = "
/// Of no matter.
#[derive(Clone)]
#[non_exhaustive]
pub enum Shape {
    Round,
    Square { side: u64, name: String },
    Long {
        /// How long.
        side: u64,
    },
}

impl Shape {
    #[must_use]
    pub fn area(
        self,
        of: u64,
    ) -> u64 {
        match self {}
    }

    fn hidden() {}
    pub(crate) fn also_hidden() {}
}

impl fmt::Display for Shape {
    fn fmt(&self) {}
}

impl Private for Shape {}

trait Private {}
pub struct Size(u64);
pub const MOST: u64 = 3;
words! {
    Shape => 3
}
";
    let mut all = Items::default();
    let lines: Vec<&str> = source.lines().collect();
    gather(&lines, Some("plimsoll::shape"), None, &mut all);
    let found: Vec<&str> = all
        .lines
        .iter()
        .filter(|(of, _)| of.as_ref().is_none_or(|of| all.types.contains(of)))
        .map(|(_, line)| line.as_str())
        .collect();
    assert_eq!(
        found,
        [
            "use plimsoll::shape::Shape",
            "Shape: pub enum Shape #[derive(Clone)] #[non_exhaustive]",
            "Shape: Round",
            "Shape: Square { side: u64, name: String }",
            "Shape: Long { side: u64 }",
            "Shape: pub fn area(self, of: u64) -> u64",
            "Shape: impl fmt::Display for Shape",
            "Shape: impl Private for Shape",
            "use plimsoll::shape::Size",
            "Size: pub struct Size(_)",
            "use plimsoll::shape::MOST",
            "pub const MOST: u64",
            "Shape: what words! implements",
        ]
    );
    assert!(all.private_traits.contains("Private"));
}
