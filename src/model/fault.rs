//! Where a fault is, and the list in which faults are collected.
//!
//! Checks add faults and go on, so that one call tells all of them. Three things make the list
//! worth reading: a path is only spelt out when there is a fault, since a check of a million pods
//! walks through many; what couldn't be read is reported once, not again by each check of the
//! stand-in that took its place; and the list is in the order of the document, whatever order the
//! checks ran in.

use crate::error::{Error, InvalidInput};
use std::collections::BTreeSet;
use std::fmt;

/// The place of a value in a document: a chain of borrowed links, spelt out only for a fault.
///
/// A path costs a few words on the stack for each level and no allocation. It prints as
/// `pods[3].affinity.nodeAffinity`, with keys of maps in brackets: `requests[memory]`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Path<'p> {
    /// The document itself.
    Root,
    /// A field of an object.
    Field(&'p Path<'p>, &'p str),
    /// An item of a list.
    Item(&'p Path<'p>, usize),
    /// An entry of a map whose keys are data.
    Key(&'p Path<'p>, &'p str),
    /// A path as a text.
    #[cfg(feature = "k8s")]
    Text(&'p str),
}

impl<'p> Path<'p> {
    pub(crate) fn field(&'p self, name: &'p str) -> Path<'p> {
        Path::Field(self, name)
    }

    pub(crate) fn item(&'p self, index: usize) -> Path<'p> {
        Path::Item(self, index)
    }

    pub(crate) fn key(&'p self, key: &'p str) -> Path<'p> {
        Path::Key(self, key)
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Path::Root => f.write_str("document"),
            #[cfg(feature = "k8s")]
            Path::Text(text) => f.write_str(text),
            // A field without a name still needs a path that says where it is.
            Path::Field(parent, "") => write!(f, "{parent}[\"\"]"),
            Path::Field(Path::Root, name) => f.write_str(shortened(name)),
            Path::Field(parent, name) => write!(f, "{parent}.{}", shortened(name)),
            Path::Item(parent, index) => write!(f, "{parent}[{index}]"),
            Path::Key(parent, key) => write!(f, "{parent}[{}]", shortened(key)),
        }
    }
}

/// A text of the input as it is quoted in a fault.
///
/// At most 80 characters of it, escaped, with `…` where there are more.
pub(crate) fn quoted(text: &str) -> String {
    let head = shortened(text);
    let dots = if head.len() < text.len() { "…" } else { "" };
    format!("{head:?}{dots}")
}

/// The start of a text, as much of it as a fault may repeat.
pub(crate) fn shortened(text: &str) -> &str {
    text.char_indices().nth(80).and_then(|(end, _)| text.get(..end)).unwrap_or(text)
}

/// The most faults that are kept; any further ones are counted.
const MOST_FAULTS: usize = 10_000;

/// The faults of an input.
///
/// Memory is bounded: 10,000 faults are kept with their texts, of others only the number.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    found: Vec<InvalidInput>,
    further: u64,
    /// The paths at which a document couldn't be read: what the checks say of the stand-ins there
    /// is no news.
    unread: BTreeSet<String>,
}

impl Faults {
    /// Notes a fault.
    pub(crate) fn add(
        &mut self,
        path: &Path<'_>,
        problem: impl Into<String>,
        expected: impl Into<String>,
    ) {
        if self.found.len() < MOST_FAULTS {
            let path = path.to_string();
            if !self.is_unread(&path) {
                self.found.push(InvalidInput::new(path, problem, expected));
            }
        } else {
            self.further = self.further.saturating_add(1);
        }
    }

    /// Says what the items are called: `name` knows the name of an item of a list.
    ///
    /// "default/web" beside `pods[4217]` saves its reader the counting.
    pub(crate) fn name_items(&mut self, name: impl Fn(&str, usize) -> Option<String>) {
        for fault in &mut self.found {
            let Some((list, rest)) = fault.path.split_once('[') else { continue };
            let index = rest.split(']').next().and_then(|text| text.parse().ok());
            fault.name = index.and_then(|index| name(list, index)).filter(|name| !name.is_empty());
        }
    }

    /// Whether there are none.
    #[cfg(feature = "k8s")]
    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Marks the faults so far as places that couldn't be read.
    #[cfg(feature = "serde")]
    pub(crate) fn end_of_reading(&mut self) {
        self.unread = self.found.iter().map(|fault| fault.path.clone()).collect();
    }

    /// Whether the document held a fault at this path, above it or below it.
    fn is_unread(&self, path: &str) -> bool {
        let above = |(end, _): (usize, char)| {
            path.get(..end).is_some_and(|ancestor| self.unread.contains(ancestor))
        };
        self.unread.contains(path)
            || path.char_indices().filter(|(_, c)| matches!(c, '.' | '[')).any(above)
            || self.unread.range(path.to_owned()..).next().is_some_and(|next| {
                next.strip_prefix(path).is_some_and(|rest| rest.starts_with(['.', '[']))
            })
    }

    /// Whether every name of a list of the document could be read, so that a name that isn't there
    /// is known to be missing.
    ///
    /// Otherwise a pod that names a node which couldn't be read would be told that there is no such
    /// node.
    pub(crate) fn knows_names_of(&self, list: &str) -> bool {
        let hides_a_name = |path: &&String| match path.split_once(']') {
            None => path.as_str() == list,
            Some((_, field)) => field.is_empty() || field == ".name",
        };
        let from = self.unread.range(list.to_owned()..);
        !from.take_while(|path| path.starts_with(list)).any(|path| hides_a_name(&path))
    }

    /// `Ok` without faults, else all of them: the lists in the order of `lists`, each in its order.
    pub(crate) fn into_result(mut self, lists: &[&str]) -> Result<(), Error> {
        if self.found.is_empty() {
            return Ok(());
        }
        // The sort is stable: within an item the faults stay in the order in which they were found.
        self.found.sort_by_key(|fault| {
            let (list, rest) = fault.path.split_once('[').unwrap_or((&fault.path, ""));
            let index: Option<usize> = rest.split(']').next().and_then(|text| text.parse().ok());
            (lists.iter().position(|known| *known == list), index)
        });
        if self.further > 0 {
            self.found.push(InvalidInput::new(
                Path::Root.to_string(),
                format!("{} further faults", self.further),
                "the ones named to be mended first",
            ));
        }
        Err(Error::invalid(self.found))
    }
}
